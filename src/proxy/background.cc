#include "proxy/background.h"

#include <utility>

#include "base/check.h"
#include "message/text_body.h"
#include "proxy/proxy.h"
#include "proxy/transaction.h"

namespace penstock {
namespace {

// What a client asked for the sake of what it had, or for itself only.
bool is_of_one_client(const Field& field) {
  switch (field.id) {
    case FieldId::if_match:
    case FieldId::if_modified_since:
    case FieldId::if_none_match:
    case FieldId::if_range:
    case FieldId::if_unmodified_since:
    case FieldId::range:
    case FieldId::cache_control:
    case FieldId::pragma:
    case FieldId::connection:
    case FieldId::keep_alive:
    case FieldId::proxy_connection:
    case FieldId::te:
      return true;
    default:
      return false;
  }
}

// Nobody is at the other end.
class NoClient final : public ClientControl {
 public:
  void end_if_idle() override {}
};

class BackgroundExchange final : public Exchange {
 public:
  BackgroundExchange(const ClientInfo& client, NoClient& control) : Exchange(client, control) {}

  // Deep copies, as the original goes.
  void take(const RequestHead& from) {
    FieldSection& fields = request_.fields;
    request_.method = from.method;
    request_.method_text = fields.keep(from.method_text);
    request_.target_text = fields.keep(from.target_text);
    request_.version = from.version;
    if (const auto target = parse_target(request_.method_text, request_.target_text)) {
      request_.target = *target;
    }
    for (const Field& field : from.fields) {
      if (is_of_one_client(field)) continue;
      fields.add(field.id, fields.keep(field.name), fields.keep(field.value));
    }
  }

  [[nodiscard]] BodySource& body() override { return body_; }
  Task<Result<void>> inform(ResponseHead& /*head*/) override { co_return Result<void>{}; }
  Task<Result<void>> respond(ResponseHead& /*head*/, BodySource& body,
                             const Framing& /*framing*/) override {
    response_begun_ = true;
    while (!body.at_end()) {
      const auto slice = co_await body.next();
      if (!slice) co_return fail(slice.error());
    }
    co_return Result<void>{};
  }
  Task<Result<void>> open_tunnel(ResponseHead& /*head*/, std::string_view /*upgrade*/) override {
    co_return fail({.kind = ErrorKind::closed, .side = Side::client});
  }
  // Never asked for: there is no tunnel.
  [[nodiscard]] ByteStream& tunnel_stream() override {
    check_failed("tunnel of a background fetch", __FILE__, __LINE__);
  }
  [[nodiscard]] InputBuffer& tunnel_input() override {
    check_failed("tunnel of a background fetch", __FILE__, __LINE__);
  }

 private:
  TextBody body_;
};

}  // namespace

struct BackgroundFetches::Job {
  Job(std::shared_ptr<const StoredResponse> what, const ClientInfo& like)
      : stored(std::move(what)), client(like), exchange(client, control) {}
  ~Job() {
    if (stored) stored->end_refresh();
  }
  Job(const Job&) = delete;
  Job& operator=(const Job&) = delete;

  std::shared_ptr<const StoredResponse> stored;
  ClientInfo client;
  NoClient control;
  BackgroundExchange exchange;
};

BackgroundFetches::BackgroundFetches(const ProxyParts& parts)
    : parts_(parts), scope_(parts.servers.pool().executor()) {}

void BackgroundFetches::refresh(std::shared_ptr<const StoredResponse> stored,
                                const RequestHead& request, const ClientInfo& client) {
  auto job = std::make_unique<Job>(std::move(stored), client);
  if (scope_.cancelled() || scope_.running() >= kMost) return;
  job->exchange.take(request);
  scope_.spawn(run(*this, std::move(job)));
}

Task<void> BackgroundFetches::run(BackgroundFetches& self, std::unique_ptr<Job> job) {
  Transaction transaction(self.parts_, job->exchange, Transaction::Origin::cache);
  co_await transaction.run();
}

Task<void> BackgroundFetches::stop() {
  scope_.cancel();
  co_await scope_.join();
}

}  // namespace penstock
