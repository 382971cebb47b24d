#include "upstream/http2_session.h"

#include <algorithm>
#include <utility>

#include "async/wait.h"
#include "message/refusal.h"
#include "upstream/endpoint.h"

namespace penstock {
namespace {

http2::ConnectionSettings settings_for(const UpstreamSettings& settings, const PoolSettings& pool) {
  const http1::HeadLimits& head = settings.response_head;
  return {.role = http2::Role::client,
          .http2 = settings.http2,
          .head = {.bytes = head.head, .fields = head.fields},
          .idle = pool.idle,
          .head_time = settings.stall,
          .stall = settings.stall};
}

}  // namespace

Http2Session::Http2Session(std::unique_ptr<ByteStream> stream, InputBuffer input,
                           const Address& address, std::shared_ptr<Endpoint> endpoint,
                           ConnectionPlace place, Executor& executor,
                           const UpstreamSettings& settings)
    : settings_(&settings),
      connection_settings_(settings_for(settings, endpoint->settings())),
      executor_(&executor),
      place_(std::move(place)),
      endpoint_(std::move(endpoint)),
      stream_(std::move(stream)),
      input_(std::move(input)),
      address_(address),
      opened_(executor.now()) {
  http2::ConnectionUser& user = *this;
  connection_.emplace(*stream_, input_, connection_settings_, executor, user);
}

Http2Session::~Http2Session() = default;

Task<void> Http2Session::run(std::shared_ptr<Http2Session> self) {
  const auto ended = co_await self->connection_->run();
  self->end(ended);
}

// Those who used it have heard from their streams.
void Http2Session::end(const Result<void>& how) {
  end_ = how;
  last_error_ = connection_->ending().received;
  connection_.reset();
  stream_.reset();
  place_.reset();
  settings_known_.set();
  // May be what keeps it alive, but for the task.
  endpoint_->remove(*this);
}

bool Http2Session::usable(TimePoint now) const {
  if (!connection_ || connection_->ending_soon() || !endpoint_->leads_to(address_)) return false;
  const PoolSettings& limits = endpoint_->settings();
  if (limits.max_requests != 0 && requests_ + reserved_ >= limits.max_requests) return false;
  return limits.max_age == Duration::zero() || now - opened_ <= limits.max_age;
}

bool Http2Session::has_room(TimePoint now) const {
  if (!usable(now) || users_ >= settings_->http2.max_streams) return false;
  return connection_->room() > reserved_;
}

void Http2Session::join() {
  ++users_;
  ++reserved_;
}

std::unique_ptr<http2::Stream> Http2Session::open_stream() {
  --reserved_;
  if (!connection_ || connection_->room() == 0) return nullptr;
  ++requests_;
  return connection_->open();
}

void Http2Session::leave(bool stream_opened) {
  --users_;
  if (!stream_opened) --reserved_;
  if (!connection_) return;
  const TimePoint now = executor_->now();
  if (users_ > 0) {
    if (usable(now)) endpoint_->on_room_in_session();
    return;
  }
  const bool stays = endpoint_->has(*this) && usable(now) &&
                     endpoint_->settings().idle > Duration::zero() &&
                     endpoint_->session_may_stay(now);
  if (!stays) shut_down();
}

void Http2Session::shut_down() {
  if (connection_) connection_->shut_down();
}

bool Http2Session::wants_http1() const {
  const http2::ErrorCode error = connection_ ? connection_->ending().received : last_error_;
  return error == http2::ErrorCode::http_1_1_required;
}

Task<Result<void>> Http2Session::ready(TimePoint deadline) {
  const auto known = co_await wait_until(settings_known_, deadline);
  if (known && connection_) co_return Result<void>{};
  Error error{.kind = ErrorKind::closed};
  if (!known) error = known.error();
  if (known && !end_) error = end_.error();
  // What came in place of SETTINGS is likely to be HTTP/1.
  if (error.kind == ErrorKind::protocol) {
    error.cause = static_cast<int>(Refusal::version_not_supported);
  }
  error.side = Side::server;
  error.retryable = true;
  co_return fail(error);
}

// Servers can't push: it is switched off.
void Http2Session::on_request(std::unique_ptr<http2::Stream> /*stream*/) {}

void Http2Session::on_change() {
  if (!connection_) return;
  if (connection_->settings_known()) settings_known_.set();
  if (connection_->room() > reserved_) endpoint_->on_room_in_session();
}

}  // namespace penstock
