#include "icap/lookup.h"

#include <utility>

#include "http1/body_reader.h"
#include "http1/message_writer.h"
#include "icap/response_head.h"

namespace penstock::icap {
namespace {

constexpr int kContinue = 100;
constexpr int kNotFound = 404;
constexpr int kRequestTimeout = 408;
constexpr int kBadRequest = 400;
constexpr int kServerError = 500;
constexpr int kNotImplemented = 501;
constexpr int kVersionNotSupported = 505;
// Interim answers that nobody asked for.
constexpr int kMaxStrays = 1;

std::unexpected<Failure> malformed(Problem problem) {
  return std::unexpected(Failure{.fault = Fault::malformed, .problem = problem});
}

class Lookup {
 public:
  Lookup(Lease& lease, const ExchangeLimits& limits, Executor& executor)
      : lease_(&lease), limits_(&limits), executor_(&executor) {}

  Task<std::expected<Options, Failure>> ask(const IcapRequest& request) {
    auto head = serialise(request);
    if (!head) co_return unsendable(head.error());
    http1::Outgoing outgoing{.stream = &lease_->stream(),
                             .side = Side::server,
                             .stall = limits_->stall,
                             .last_progress = executor_->now()};
    // A server that has closed may have said why.
    const auto sent = co_await http1::send_head(outgoing, std::move(*head));
    if (!sent && sent.error().kind == ErrorKind::cancelled) co_return fails(sent.error());
    co_return co_await read();
  }
  // Nothing of the answer is left on the connection, and it may stay open.
  [[nodiscard]] bool clean() const { return clean_; }

 private:
  using Step = std::expected<void, Failure>;

  static std::unexpected<Failure> unsendable(Problem problem) {
    return std::unexpected(Failure{.fault = Fault::unsendable, .problem = problem});
  }

  std::unexpected<Failure> fails(const Error& error) const {
    Failure failure{.fault = Fault::connection, .error = error};
    if (error.kind == ErrorKind::cancelled) failure.fault = Fault::cancelled;
    if (error.kind == ErrorKind::timed_out) failure.fault = Fault::timed_out;
    failure.was_stale = failure.fault == Fault::connection && lease_->reused() && !answered_;
    return std::unexpected(failure);
  }

  Task<std::expected<Options, Failure>> read() {
    for (int strays = 0;; ++strays) {
      const auto got = co_await read_head();
      if (!got) co_return std::unexpected(got.error());
      if (response_.status != kContinue || strays == kMaxStrays) break;
    }
    auto options = parse_options(response_);
    if (!options) {
      const bool crossed = response_.status == kRequestTimeout && lease_->reused();
      co_return std::unexpected(
          Failure{.fault = Fault::status, .status = response_.status, .was_stale = crossed});
    }
    clean_ = !options->close && (!options->has_body || co_await skip_body());
    clean_ = clean_ && lease_->input().empty();
    co_return std::move(*options);
  }

  Task<Step> read_head() {
    InputBuffer& input = lease_->input();
    ResponseScanner scanner(limits_->icap_head);
    while (true) {
      const auto progress =
          input.empty() ? http1::Progress::need_more : scanner.scan(input.unread());
      if (progress == http1::Progress::done) break;
      if (progress == http1::Progress::refused) co_return malformed(scanner.problem());
      const TimePoint deadline = deadline_after(executor_->now(), limits_->stall);
      const auto got = co_await read_some(lease_->stream(), input, deadline);
      if (!got) co_return fails(got.error());
      if (*got == 0) co_return fails({.kind = ErrorKind::closed});
      answered_ = true;
    }
    Slice bytes = input.take(scanner.size());
    auto parsed = parse_response_head(bytes.view(), limits_->icap_head);
    if (!parsed) co_return malformed(parsed.error());
    response_ = std::move(*parsed);
    response_.bytes = std::move(bytes);
    co_return Step{};
  }

  // False: it is too long, or broken.
  Task<bool> skip_body() {
    http1::BodyReader body(lease_->stream(), lease_->input(), {.kind = BodyKind::chunked},
                           limits_->chunks, Side::server, limits_->stall);
    while (!body.at_end() && body.received() <= kMaxOptionsBody) {
      const auto slice = co_await body.next();
      if (!slice) co_return false;
    }
    co_return body.at_end();
  }

  Lease* lease_;
  const ExchangeLimits* limits_;
  Executor* executor_;
  IcapResponse response_;
  bool answered_ = false;  // a byte of an answer has come
  bool clean_ = false;
};

}  // namespace

Task<std::expected<Options, Failure>> ask_options(Lease lease, const IcapRequest& request,
                                                  const ExchangeLimits& limits) {
  Executor& executor = (co_await this_context()).executor();
  Lookup lookup(lease, limits, executor);
  auto options = co_await lookup.ask(request);
  if (options && lookup.clean()) lease.keep_used();
  co_return options;
}

bool is_answer(const Failure& failure) {
  if (failure.fault != Fault::status || failure.was_stale) return false;
  const bool refused = failure.status >= kBadRequest && failure.status < kServerError &&
                       failure.status != kNotFound && failure.status != kRequestTimeout;
  return refused || failure.status == kNotImplemented || failure.status == kVersionNotSupported;
}

}  // namespace penstock::icap
