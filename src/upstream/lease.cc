#include "upstream/lease.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <optional>
#include <utility>

#include "base/check.h"
#include "http1/head_reader.h"
#include "message/status.h"
#include "upstream/pool.h"

namespace penstock {
namespace {
// Informational responses a server may send before the final one; more is a way to hold us.
constexpr int kMaxInformational = 64;

// Keep-Alive: timeout=5, max=100 (RFC 2068 section 19.7.1.1): the server's patience with an unused
// connection, in seconds, and how many requests more it takes.
std::optional<std::uint32_t> keep_alive_parameter(const FieldSection& fields,
                                                  std::string_view name) {
  std::optional<std::uint32_t> found;
  const auto look = [&](std::string_view element) {
    const std::size_t equals = element.find('=');
    if (equals == std::string_view::npos) return;
    if (!equals_ignoring_case(element.substr(0, equals), name)) return;
    std::uint32_t number = 0;
    const char* const end = element.data() + element.size();
    const auto parsed = std::from_chars(element.data() + equals + 1, end, number);
    if (parsed.ec == std::errc{} && parsed.ptr == end) found = number;
  };
  for (const Field& field : fields) {
    if (field.id == FieldId::keep_alive) for_each_element(field.value, look);
  }
  return found;
}
}  // namespace

Lease::Lease(ServerPool& pool, std::unique_ptr<ServerConnection> connection, bool reused)
    : pool_(&pool), connection_(std::move(connection)), reused_(reused) {}

Lease::Lease(ServerPool& pool, std::unique_ptr<Http2Call> call)
    : pool_(&pool), call_(std::move(call)), reused_(call_->reused()) {}

Lease::Lease(Lease&& other) noexcept
    : pool_(other.pool_),
      connection_(std::move(other.connection_)),
      call_(std::move(other.call_)),
      load_(std::exchange(other.load_, nullptr)),
      reused_(other.reused_) {}

Lease& Lease::operator=(Lease&& other) noexcept {
  end_load();
  pool_ = other.pool_;
  connection_ = std::move(other.connection_);
  call_ = std::move(other.call_);
  load_ = std::exchange(other.load_, nullptr);
  reused_ = other.reused_;
  return *this;
}

Lease::~Lease() { end_load(); }

HopShare* Lease::server() const { return endpoint().share().get(); }

bool Lease::leads_to_proxy() const { return endpoint().passage().to_proxy; }

void Lease::count_load() {
  load_ = server();
  if (load_ != nullptr) load_->request_begun();
}

void Lease::end_load() {
  if (load_ != nullptr) std::exchange(load_, nullptr)->request_ended();
}

Task<Result<void>> Lease::exchange(const ServerRequest& request, ResponseHead& response,
                                   InformationalSink& informational) {
  return call_ ? call_->exchange(request, response, informational)
               : exchange_http1(request, response, informational);
}

Task<Result<void>> Lease::exchange_http1(const ServerRequest& request, ResponseHead& response,
                                         InformationalSink& informational) {
  TaskContext& context = co_await this_context();
  ServerCall& call = connection_->call().emplace(connection_->stream(), pool_->settings().stall,
                                                 pool_->executor().now(), context);
  connection_->count_request();

  const Result<void> begun = co_await send_request(request);
  if (!begun && begun.error().side == Side::client) co_return begun;

  // A server that refuses a request may answer and close without reading all of it: what it said
  // is worth reading even where sending failed (RFC 9112 section 9.6).
  Result<void> received =
      co_await read_response(request.head->method, response, informational).in(call.reading);
  if (received) co_return received;

  // What made reading fail is told by what failed first.
  Error error = received.error();
  if (!begun) error = begun.error();
  if (!call.upload_result) error = call.upload_result.error();
  // So that all bytes the connection took are counted.
  call.upload.cancel();
  co_await call.upload.join();
  error.retryable = error.side == Side::server && call.outgoing.sent == 0;
  if (error.side == Side::server) call.server_failure = error.kind;
  co_return fail(error);
}

Task<Result<void>> Lease::send_request(const ServerRequest& request) {
  ServerCall& call = *connection_->call();
  const auto form = leads_to_proxy() ? http1::RequestForm::absolute : http1::RequestForm::origin;
  auto head = http1::serialise(*request.head, form,
                               {.body = request.framing, .connection = request.connection});
  if (!head) {
    const auto cause = static_cast<int>(Refusal::head_too_large);
    co_return fail({ErrorKind::protocol, Side::client, false, cause});
  }
  if (request.framing.has_body()) {
    // Not awaited: a server may answer before it reads on.
    call.upload.spawn(upload(call, request, std::move(*head)));
    co_return Result<void>{};
  }
  const auto sent = co_await http1::send_head(call.outgoing, std::move(*head));
  call.request_complete = sent.has_value();
  co_return sent;
}

Task<void> Lease::upload(ServerCall& call, const ServerRequest& request, Slice head) {
  call.upload_result =
      co_await http1::send_message(call.outgoing, std::move(head), *request.body, request.framing);
  call.request_complete = call.upload_result.has_value();
  // Without a whole request there will be no response to wait for; but a server that stopped
  // reading may have said why.
  if (!call.upload_result && call.upload_result.error().side == Side::client) {
    call.reading.cancel();
    const bool by_filter = call.upload_result.error().kind == ErrorKind::adaptation;
    if (by_filter && call.taker != nullptr) call.taker->cancel();
  }
}

Result<void> Lease::set_taker(TaskContext* taker) {
  if (call_) return call_->set_taker(taker);
  ServerCall& call = *connection_->call();
  call.taker = taker;
  return call.upload_result;
}

Task<Result<void>> Lease::read_response(Method method, ResponseHead& response,
                                        InformationalSink& informational) {
  for (int passed_on = 0; passed_on <= kMaxInformational; ++passed_on) {
    const auto got = co_await read_one_head(response);
    if (!got) co_return got;
    if (!is_informational(response.status) || response.status == 101) {
      co_return frame(method, response);
    }
    if (passed_on == kMaxInformational) break;
    const auto passed = co_await informational.on_informational(response);
    if (!passed) co_return passed;
    response = ResponseHead{};
  }
  co_return fail({.kind = ErrorKind::limit, .side = Side::server});
}

Task<Result<void>> Lease::read_one_head(ResponseHead& response) {
  ServerCall& call = *connection_->call();
  const UpstreamSettings& settings = pool_->settings();
  InputBuffer& input = connection_->input();
  http1::HeadScanner scanner(settings.response_head, http1::HeadKind::response);
  TimePoint deadline = deadline_after(pool_->executor().now(), settings.stall);
  while (true) {
    const std::uint64_t sent_before = call.outgoing.sent;
    const auto got = co_await http1::read_head(connection_->stream(), input, scanner, deadline);
    call.response_started = call.response_started || !input.empty();
    if (got) break;
    // As long as the request is still moving, the server isn't silent but listening.
    const TimePoint now = pool_->executor().now();
    TimePoint still = deadline_after(call.outgoing.last_progress, settings.stall);
    const bool taking = call.outgoing.sent != sent_before;  // parts of a write that is not done yet
    if (still <= now && taking) still = deadline_after(now, settings.stall);
    if (got.error().kind != ErrorKind::timed_out || still <= now) {
      co_return fail(got.error().at(Side::server));
    }
    deadline = still;
  }
  response.bytes = input.take(scanner.size());
  const http1::HeadLimits& limits = settings.response_head;
  const Refusal refusal =
      http1::parse_response_head(response.bytes.view().substr(scanner.start()), limits, response);
  if (refusal != Refusal::none) {
    co_return fail({ErrorKind::protocol, Side::server, false, static_cast<int>(refusal)});
  }
  co_return Result<void>{};
}

Result<void> Lease::frame(Method method, const ResponseHead& response) {
  ServerCall& call = *connection_->call();
  const auto framing = penstock::response_framing(method, response);
  if (!framing) {
    return fail({ErrorKind::protocol, Side::server, false, static_cast<int>(framing.error())});
  }
  call.response_framing = *framing;
  call.persistent = framing->kind != BodyKind::until_close && response.status != 101 &&
                    wants_persistence(response.version, connection_options(response.fields));
  if (response.fields.has(FieldId::keep_alive)) note_keep_alive(response);
  const UpstreamSettings& settings = pool_->settings();
  call.response_body.emplace(connection_->stream(), connection_->input(), *framing,
                             settings.response_chunks, Side::server, settings.stall);
  return {};
}

void Lease::note_keep_alive(const ResponseHead& response) {
  const auto timeout = keep_alive_parameter(response.fields, "timeout");
  // A server without patience closes at once.
  const bool last = timeout == 0 || keep_alive_parameter(response.fields, "max") == 0;
  connection_->limit_by_server(std::chrono::seconds(timeout.value_or(0)), last);
}

bool Lease::persists() const {
  if (call_) return call_->persists();
  const auto& call = connection_->call();
  return call && call->persistent;
}

std::uint64_t Lease::bytes_sent() const {
  if (call_) return call_->bytes_sent();
  const auto& call = connection_->call();
  return call ? call->outgoing.sent : 0;
}

bool Lease::response_started() const {
  if (call_) return call_->response_started();
  const auto& call = connection_->call();
  return call && call->response_started;
}

bool Lease::uploading() const {
  if (call_) return call_->uploading();
  const auto& call = connection_->call();
  return call && call->upload.running() > 0;
}

CloseReason Lease::why_close(bool reusable) const {
  const ServerCall& call = *connection_->call();
  if (call.server_failure) return close_reason_of(*call.server_failure);
  if (call.response_body && call.response_body->failure()) {
    return close_reason_of(call.response_body->failure()->kind);
  }
  if (!reusable || !call.response_body) return CloseReason::other_side_failed;
  if (!call.response_body->at_end()) return CloseReason::body_unread;
  if (!call.request_complete) return CloseReason::body_unsent;
  if (call.response_framing.kind == BodyKind::until_close) return CloseReason::framed_by_close;
  if (!call.persistent) return CloseReason::said_close;
  if (!connection_->input().empty()) return CloseReason::stray_bytes;
  return CloseReason::kept;
}

void Lease::share() {
  if (!call_ || pool_->closing()) return;
  Endpoint& shared = endpoint();
  if (!shared.has(call_->session())) shared.add(call_->shared_session());
}

void Lease::keep_unused() {
  end_load();
  if (call_) {
    share();
    call_.reset();
    return;
  }
  static_cast<void>(pool_->keep(std::move(connection_)));
}

Task<CloseReason> Lease::settle(Settlement how, std::unique_ptr<ServerConnection>* pinned) {
  end_load();
  if (call_) {
    const CloseReason fate = co_await call_->settle();
    call_.reset();
    co_return fate;
  }
  if (!connection_->call()) {
    connection_.reset();
    co_return CloseReason::cancelled;
  }
  ServerCall& call = *connection_->call();
  if (call.upload.running() > 0) {
    call.upload.cancel();
    co_await call.upload.join();
  }
  CloseReason reason = why_close(how != Settlement::close);
  // The end of our half-sent request must not look like the end of a whole one.
  if (!call.request_complete) connection_->stream().set_abortive();
  // The next response is likely to be of a like size: it is then read with its head in one piece.
  connection_->input().expect(call.response_body ? call.response_body->received() : 0);
  connection_->call().reset();
  if (reason == CloseReason::kept && how == Settlement::pin) {
    *pinned = std::move(connection_);
    reason = CloseReason::pinned;
  }
  if (reason == CloseReason::kept && !pool_->keep(std::move(connection_))) {
    reason = CloseReason::pool_full;
  }
  connection_.reset();
  co_return reason;
}

}  // namespace penstock
