#include "app/subrequest.h"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>

#include "async/sleep.h"
#include "message/characters.h"
#include "message/hop.h"
#include "message/text_body.h"
#include "message/url.h"
#include "proxy/failure.h"
#include "upstream/delivery.h"

namespace penstock {
namespace {

// Nothing takes longer.
constexpr auto kLongestTimeout = std::chrono::hours(24);

SubrequestResult failed(std::string_view error) {
  return {.status = 0, .error = std::string(error), .fields = {}, .content = {}};
}

std::string_view error_name(const Error& error, DeliveryStep step) {
  if (error.kind == ErrorKind::cancelled) return "cancelled";
  switch (step) {
    case DeliveryStep::resolve:
      return failure_of(error, Step::resolve).error;
    case DeliveryStep::acquire:
      return failure_of(error, Step::connect).error;
    case DeliveryStep::exchange:
      break;
  }
  return failure_of(error, Step::exchange).error;
}

std::string_view content_error_name(const Error& error) {
  const bool cut = error.kind == ErrorKind::closed || error.kind == ErrorKind::reset;
  return cut ? "http_response_incomplete" : error_name(error, DeliveryStep::exchange);
}

bool is_left_out(FieldId id) {
  return is_hop_by_hop(id) || id == FieldId::content_length || id == FieldId::expect;
}

Duration timeout_of(const SubrequestJob& job) {
  const auto longest = std::chrono::milliseconds(kLongestTimeout);
  const auto most = static_cast<std::uint64_t>(longest.count());
  return std::chrono::milliseconds(std::min(job.timeout_ms, most));
}

// One request and its response. Its texts are views of the job, which must outlive it.
class Transfer final : private DeliveryOwner {
 public:
  Transfer(ServerSide& servers, std::string_view pseudonym, const SubrequestJob& job)
      : servers_(servers), pseudonym_(pseudonym), job_(job), delivery_(servers, *this, nullptr) {}

  Task<SubrequestResult> run();

 private:
  [[nodiscard]] std::string_view prepare();
  [[nodiscard]] std::string_view fill_fields();
  Task<SubrequestResult> receive();

  Task<Result<AddressList>> target_addresses() override;
  void on_acquired(const Lease& /*lease*/, const NextHop* /*hop*/) override {}
  Task<Result<void>> on_informational(ResponseHead& /*head*/) override { co_return Result<void>{}; }

  ServerSide& servers_;
  std::string_view pseudonym_;
  const SubrequestJob& job_;
  Url url_;
  RequestHead head_;
  Destination destination_;
  ServerRequest request_{};
  Delivery delivery_;
};

Task<SubrequestResult> Transfer::run() {
  if (const std::string_view problem = prepare(); !problem.empty()) co_return failed(problem);
  TextBody content(job_.content);
  ReplayBody body(content, 0);
  Framing framing;
  if (!job_.content.empty()) framing = {.kind = BodyKind::length, .length = job_.content.size()};
  request_ = {.head = &head_, .body = &body, .framing = framing, .connection = {}};
  const auto delivered = co_await delivery_.run(destination_, request_, body);
  SubrequestResult result =
      delivered ? co_await receive() : failed(error_name(delivered.error(), delivery_.step()));
  static_cast<void>(co_await delivery_.settle(result.error.empty()));
  co_return result;
}

// What is wrong with the job; empty: nothing.
std::string_view Transfer::prepare() {
  auto url = parse_url(job_.url);
  if (!url || url->login) return "invalid_url";
  url_ = std::move(*url);
  head_.method_text = job_.method;
  head_.method = method_of(job_.method);
  // A tunnel is none of a module's business.
  if (!is_token(job_.method) || head_.method == Method::connect) return "invalid_method";
  head_.target = {.form = TargetForm::absolute,
                  .scheme = url_.scheme(),
                  .authority = head_.fields.keep(url_.authority()),
                  .host = {.host = url_.host, .port = url_.port},
                  .path_and_query = url_.path};
  if (const std::string_view problem = fill_fields(); !problem.empty()) return problem;
  destination_ = {
      .secure = url_.secure, .host = url_.host, .port = url_.port, .name = head_.target.authority};
  if (job_.upstream.empty()) {
    return url_.secure && !servers_.target_tls() ? "tls_unavailable" : "";
  }
  ServerGroup* const group = servers_.group(job_.upstream);
  if (group == nullptr) return "no_such_upstream";
  destination_.group = group;
  destination_.name = group->name();
  destination_.key = group->key_of(head_, nullptr);
  destination_.cookie = group->take_cookie(head_);
  return "";
}

std::string_view Transfer::fill_fields() {
  FieldSection& fields = head_.fields;
  fields.add(FieldId::host, head_.target.authority);
  bool own_host = false;
  for (const auto& [name, value] : job_.fields) {
    const FieldId id = field_id(name);
    const std::string_view text = trim_whitespace(value);
    if (!is_token(name) || !is_field_value(text)) return "invalid_field";
    if (is_left_out(id)) continue;
    if (id != FieldId::host) {
      fields.add(id, name, text);
      continue;
    }
    if (std::exchange(own_host, true) || !parse_authority(text)) return "invalid_field";
    fields.set(FieldId::host, text);
  }
  append_via(fields, head_.version, pseudonym_);
  return "";
}

Task<SubrequestResult> Transfer::receive() {
  ResponseHead& response = delivery_.response();
  // Nobody asked for it: Upgrade is not sent.
  if (response.status == 101) co_return failed(kUnexpectedUpgrade.error);
  SubrequestResult result{.status = response.status, .error = {}, .fields = {}, .content = {}};
  remove_hop_by_hop(response.fields, connection_options(response.fields));
  for (const Field& field : response.fields) {
    result.fields.emplace_back(field.name, field.value);
  }
  BodySource& body = delivery_.lease().response_body();
  if (body.remaining().value_or(0) > job_.max_content) co_return failed("too_large");
  while (!body.at_end()) {
    const auto slice = co_await body.next();
    if (!slice) co_return failed(content_error_name(slice.error()));
    if (slice->size() > job_.max_content - result.content.size()) co_return failed("too_large");
    result.content += slice->view();
  }
  co_return result;
}

Task<Result<AddressList>> Transfer::target_addresses() {
  Network& network = servers_.network();
  const TimePoint deadline = deadline_after(network.executor().now(), servers_.settings().connect);
  auto resolution = co_await network.resolve(url_.host, url_.port, deadline);
  if (!resolution) co_return fail(resolution.error().at(Side::server));
  co_return std::move(resolution->addresses);
}

}  // namespace

// Part of its task's frame; on the list as long as it may be cancelled.
struct Subrequests::UnderWay final : ListNode {
  UnderWay(const void* of, TaskContext& in) : owner(of), context(in) {}
  const void* owner;
  ChildContext context;
};

Subrequests::Subrequests(ServerSide& servers, std::string pseudonym)
    : servers_(servers), pseudonym_(std::move(pseudonym)), scope_(servers.network().executor()) {}

void Subrequests::start(const void* owner, SubrequestJob job, Done done) {
  // A task might not get to its end any more.
  if (scope_.cancelled()) return done(failed("cancelled"));
  scope_.spawn(run(*this, owner, std::move(job), std::move(done)));
}

Task<void> Subrequests::run(Subrequests& self, const void* owner, SubrequestJob job, Done done) {
  SubrequestResult result;
  {
    UnderWay entry(owner, co_await this_context());
    self.under_way_.push_back(entry);
    Executor& executor = self.servers_.network().executor();
    const CancelAt limit(entry.context, deadline_after(executor.now(), timeout_of(job)));
    // What fails at once must not be told from inside start().
    co_await yield_turn();
    Transfer transfer(self.servers_, self.pseudonym_, job);
    Task<SubrequestResult> transferring = transfer.run();
    result = co_await std::move(transferring).in(entry.context);
    if (result.error == "cancelled" && limit.fired()) result.error = "timed_out";
  }
  done(std::move(result));
}

void Subrequests::cancel(const void* owner) {
  under_way_.for_each([owner](UnderWay& one) {
    if (one.owner == owner) one.context.cancel();
  });
}

Task<void> Subrequests::stop() {
  scope_.cancel();
  co_await scope_.join();
}

}  // namespace penstock
