#include "proxy/access_log.h"

#include <chrono>

namespace penstock {
namespace {
constexpr std::size_t kBlock = 64 * 1024;
// How long a line may wait for others.
constexpr Duration kDelay = std::chrono::milliseconds(100);
}  // namespace

AccessLog::AccessLog(Executor& executor, LogFile* file, AccessLogFormat format)
    : executor_(&executor), file_(file), format_(format) {
  if (file_ != nullptr) block_.reserve(kBlock);
}

AccessLog::~AccessLog() {
  if (file_ != nullptr) file_->write(block_);
}

void AccessLog::add(Exchange& exchange, const AccessRecord& record) {
  format_access_line(block_, format_, exchange, record, executor_->now(), executor_->wall_now());
  line_added();
}

void AccessLog::add(const StreamSession& session, const SessionRecord& record) {
  format_session_line(block_, format_, session, record, executor_->now(), executor_->wall_now());
  line_added();
}

void AccessLog::line_added() {
  if (block_.size() >= kBlock - 4096) {
    on_timer();
  } else if (!armed()) {
    executor_->timers().arm(*this, executor_->now() + kDelay);
  }
}

void AccessLog::on_timer() {
  file_->write(block_);
  block_.reserve(kBlock);
}

}  // namespace penstock
