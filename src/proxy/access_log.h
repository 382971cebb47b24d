// The access log of one worker: lines are gathered in memory and handed to the writing thread.
#pragma once

#include <string>

#include "async/executor.h"
#include "base/log_file.h"
#include "proxy/access_record.h"
#include "proxy/session_record.h"

namespace penstock {

// Belongs to one thread; several may share the LogFile. Null file: nothing is logged.
class AccessLog final : private Timer {
 public:
  AccessLog(Executor& executor, LogFile* file, AccessLogFormat format);
  ~AccessLog() override;

  [[nodiscard]] bool enabled() const { return file_ != nullptr; }
  void add(Exchange& exchange, const AccessRecord& record);
  void add(const StreamSession& session, const SessionRecord& record);

 private:
  void line_added();
  void on_timer() override;

  Executor* executor_;
  LogFile* file_;
  AccessLogFormat format_;
  std::string block_;
};

}  // namespace penstock
