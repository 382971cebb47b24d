#include "tests/versions_harness.h"

#include <algorithm>

#include <gtest/gtest.h>

#include "async/sleep.h"
#include "base/text.h"
#include "message/status.h"
#include "tls/certificates_test.h"

namespace penstock {
namespace {

constexpr const char* kProxyAddress = "192.0.2.1:8080";
constexpr const char* kOriginAddress = "10.0.0.1:80";

// Of all worlds.
const ServedCertificate& certificates() {
  static const ServedCertificate made("IP:192.0.2.1, IP:10.0.0.1");
  return made;
}

ListenerSettings listener_settings(const char* address, Speech speech) {
  const ServedCertificate& served = certificates();
  ListenerSettings settings{.addresses = {address}, .mode = ListenerMode::reverse};
  settings.http2 = is_http2(speech);
  if (is_tls(speech)) {
    settings.tls.emplace().certificates = {
        {.certificate = served.certificate_file.path(), .key = served.key_file.path()}};
  }
  return settings;
}

UpstreamSettings upstream_settings(const char* address, Speech speech) {
  UpstreamGroupSettings group{.name = "next", .servers = {{.address = address}}};
  group.http = is_http2(speech) ? HttpChoice::http2 : HttpChoice::http1;
  if (is_tls(speech)) {
    group.tls.emplace().ca_file = certificates().authority_file.path();
  }
  UpstreamSettings settings;
  settings.groups.push_back(std::move(group));
  return settings;
}

Entrance entrance_of(const ListenerSettings& settings) {
  auto entrance = Entrance::create(settings);
  EXPECT_TRUE(entrance.has_value()) << entrance.error();
  return entrance ? std::move(*entrance) : Entrance();
}

void put(const FieldLines& lines, FieldSection& fields) {
  for (const auto& [name, value] : lines) fields.add(field_id(name), name, value);
}

std::map<std::string, std::string> taken_from(const FieldSection& fields) {
  std::map<std::string, std::string> out;
  for (const Field& field : fields) {
    std::string& value = out[to_lower(field.name)];
    if (!value.empty()) value += "|";
    value += field.value;
  }
  return out;
}

template <class Script>
Framing framing_of(const Script& script) {
  if (script.chunked) return {.kind = BodyKind::chunked};
  std::uint64_t length = 0;
  for (const BodyPiece& piece : script.content) length += piece.text.size();
  return {.kind = BodyKind::length, .length = length};
}

Task<void> receive(BodySource& body, Arrived& into) {
  while (!body.at_end()) {
    const auto slice = co_await body.next();
    if (!slice) {
      into.error = slice.error();
      co_return;
    }
    into.content += slice->view();
  }
  if (const FieldSection* const trailers = body.trailers()) into.trailers = taken_from(*trailers);
}

// Its answers, and what it has seen.
class OriginHandler final : public Handler {
 public:
  Answer answer;
  std::vector<std::unique_ptr<Arrived>> seen;

  Task<void> handle(Exchange& exchange) override {
    Arrived& arrived = *seen.emplace_back(std::make_unique<Arrived>());
    const Answer how = answer;
    arrived.method = exchange.request().method_text;
    arrived.target = exchange.request().target.path_and_query;
    arrived.fields = taken_from(exchange.request().fields);
    arrived.error = exchange.problem();
    if (how.read_request) co_await receive(exchange.body(), arrived);
    if (how.after > Duration::zero()) {
      const Executor& executor = (co_await this_context()).executor();
      const bool slept = co_await sleep_until(executor.now() + how.after);
      arrived.handler_cancelled = !slept;
      if (!slept) co_return;
    }
    for (const int status : how.inform) {
      ResponseHead head;
      head.status = status;
      head.reason = reason_phrase(status);
      head.fields.add(FieldId::other, "Link", "</style.css>");
      static_cast<void>(co_await exchange.inform(head));
    }
    ResponseHead head;
    head.status = how.status;
    head.reason = reason_phrase(how.status);
    put(how.fields, head.fields);
    TimedBody body(how.content);
    put(how.trailers, body.trailer_fields);
    const Framing framing = framing_of(how);
    if (exchange.request().method == Method::head) {
      head.fields.add(FieldId::content_length, head.fields.keep(std::to_string(framing.length)));
    }
    static_cast<void>(co_await exchange.respond(head, body, framing));
    arrived.handler_cancelled = (co_await this_context()).cancelled();
  }
};

// One request of the client.
class Asking final : private DeliveryOwner {
 public:
  Asking(ServerSide& side, Request request)
      : side_(&side), request_(std::move(request)), delivery_(side, *this, nullptr) {}

  Arrived arrived;

  static Task<void> run(Asking& self) {
    Executor& executor = (co_await this_context()).executor();
    Scope leaving(co_await this_context());
    ChildContext context(co_await this_context());
    if (self.request_.leave_after) {
      leaving.spawn(leave(context, executor.now() + *self.request_.leave_after));
    }
    co_await self.exchange().in(context);
    leaving.cancel();
    co_await leaving.join();
  }

 private:
  static Task<void> leave(TaskContext& context, TimePoint when) {
    if (co_await sleep_until(when)) context.cancel();
  }

  Task<void> exchange() {
    RequestHead head;
    head.method = method_of(request_.method);
    head.method_text = request_.method;
    head.target_text = request_.path;
    head.target.path_and_query = request_.path;
    head.fields.add(FieldId::host, "site.example");
    put(request_.fields, head.fields);
    TimedBody body(request_.content);
    put(request_.trailers, body.trailer_fields);
    ReplayBody replay(body, 0);
    Framing framing = framing_of(request_);
    if (!framing.has_body()) framing = {};
    const ServerRequest sent{.head = &head, .body = &replay, .framing = framing, .connection = {}};
    const Destination destination{.group = side_->group("next"), .name = "next"};
    const auto delivered = co_await delivery_.run(destination, sent, replay);
    if (delivered) {
      arrived.status = delivery_.response().status;
      arrived.fields = taken_from(delivery_.response().fields);
      co_await receive(delivery_.lease().response_body(), arrived);
    } else {
      arrived.error = delivered.error();
    }
    static_cast<void>(co_await delivery_.settle(!arrived.error));
  }

  Task<Result<void>> on_informational(ResponseHead& head) override {
    arrived.informed.push_back(head.status);
    co_return Result<void>{};
  }
  Task<Result<AddressList>> target_addresses() override { co_return fail(ErrorKind::denied); }
  void on_acquired(const Lease& /*lease*/, const NextHop* /*hop*/) override {}

  ServerSide* side_;
  Request request_;
  Delivery delivery_;
};

}  // namespace

std::string_view to_string(Speech speech) {
  constexpr std::string_view kNames[] = {"http1", "http1_tls", "http2", "http2_tls"};
  return kNames[static_cast<std::size_t>(speech)];
}

// A server with a handler on one host.
struct VersionsWorld::Origin {
  Origin(SimWorld& world, Speech speech)
      : network(world, "10.0.0.1"),
        listener(listener_settings(kOriginAddress, speech)),
        share{.settings = &listener, .entrance = entrance_of(listener)},
        server(world.executor(), settings, share, Handlers{.http = &handler}),
        accepting(network.listen(Address::parse(kOriginAddress).value(), server)) {
    server.add_listener(*accepting);
  }

  SimNetwork network;
  ServerSettings settings;
  ListenerSettings listener;
  ListenerShare share;
  OriginHandler handler;
  Server server;
  std::unique_ptr<Listener> accepting;
};

struct VersionsWorld::Middle {
  Middle(SimWorld& world, Speech client, Speech origin)
      : network(world, "192.0.2.1"),
        upstream(upstream_settings(kOriginAddress, origin)),
        upstream_share(upstream),
        side(network, upstream, upstream_share, 1),
        proxy_settings{.routes = {{.to = "next"}}},
        routes(proxy_settings.routes, side),
        log(world.executor(), nullptr, AccessLogFormat::json),
        proxy(ProxyParts{side, routes, log, proxy_settings, own, "us"}),
        listener(listener_settings(kProxyAddress, client)),
        share{.settings = &listener, .entrance = entrance_of(listener)},
        server(world.executor(), settings, share, Handlers{.http = &proxy}),
        accepting(network.listen(Address::parse(kProxyAddress).value(), server)),
        stopping(world.executor()) {
    EXPECT_EQ(upstream_share.problem(), "");
    server.add_listener(*accepting);
    side.start(false);
  }

  SimNetwork network;
  UpstreamSettings upstream;
  UpstreamShare upstream_share;
  ServerSide side;
  ProxySettings proxy_settings;
  RouteTable routes;
  AccessLog log;
  OwnAddresses own;
  Proxy proxy;
  ServerSettings settings;
  ListenerSettings listener;
  ListenerShare share;
  Server server;
  std::unique_ptr<Listener> accepting;
  Scope stopping;
};

struct VersionsWorld::Asker {
  Asker(SimWorld& world, Speech speech)
      : network(world, "192.0.2.77"),
        upstream(upstream_settings(kProxyAddress, speech)),
        share(upstream),
        side(network, upstream, share, 2),
        scope(world.executor()) {
    EXPECT_EQ(share.problem(), "");
    side.start(false);
  }

  SimNetwork network;
  UpstreamSettings upstream;
  UpstreamShare share;
  ServerSide side;
  Scope scope;
};

VersionsWorld::VersionsWorld(Speech client, Speech server, std::uint64_t seed)
    : world_(seed),
      origin_(std::make_unique<Origin>(world_, server)),
      middle_(std::make_unique<Middle>(world_, client, server)),
      asker_(std::make_unique<Asker>(world_, client)) {}

VersionsWorld::~VersionsWorld() { EXPECT_TRUE(stop()); }

void VersionsWorld::answer(Answer answer) { origin_->handler.answer = std::move(answer); }

std::vector<Arrived> VersionsWorld::ask(std::vector<Request> requests, Duration limit) {
  std::vector<std::unique_ptr<Asking>> askings;
  for (Request& request : requests) {
    askings.push_back(std::make_unique<Asking>(asker_->side, std::move(request)));
    asker_->scope.spawn(Asking::run(*askings.back()));
  }
  const TimePoint end = world_.now() + limit;
  while (asker_->scope.running() > 0 && world_.now() < end) {
    world_.run_for(std::chrono::milliseconds(5));
  }
  EXPECT_EQ(asker_->scope.running(), 0U) << "it does not end";
  if (asker_->scope.running() > 0) {
    asker_->scope.cancel();
    world_.run_for(std::chrono::seconds(1));
  }
  std::vector<Arrived> out;
  for (const auto& asking : askings) out.push_back(std::move(asking->arrived));
  return out;
}

Arrived VersionsWorld::ask(Request request, Duration limit) {
  std::vector<Request> one;
  one.push_back(std::move(request));
  return std::move(ask(std::move(one), limit).front());
}

const std::vector<std::unique_ptr<Arrived>>& VersionsWorld::seen() const {
  return origin_->handler.seen;
}

std::size_t VersionsWorld::origin_connections() const { return origin_->server.connections(); }

bool VersionsWorld::stop() {
  if (!middle_) return true;
  Scope stopping(world_.executor());
  stopping.spawn(asker_->side.stop());
  for (Server* const server : {&middle_->server, &origin_->server}) {
    server->forget_listeners();
    server->drain();
  }
  stopping.spawn(middle_->side.stop());
  world_.run_for(std::chrono::seconds(2));
  middle_->server.cancel();
  origin_->server.cancel();
  world_.run_for(std::chrono::seconds(1));
  const bool clean = stopping.running() == 0 && middle_->server.connections() == 0 &&
                     origin_->server.connections() == 0 && middle_->side.pool().idle_count() == 0;
  asker_.reset();
  middle_.reset();
  origin_.reset();
  return clean;
}

}  // namespace penstock
