// Services of an instance that is only made to see whether it can be: nothing happens.
#pragma once

#include "module/services.h"

namespace penstock {

// Everything can be begun, and nothing ever comes of it.
class IdleServices final : public ModuleServices {
 public:
  void stop() override {}
  std::uint64_t start_timer(std::uint64_t /*period_ms*/, std::function<void()> /*f*/) override {
    return 1;
  }
  void stop_timer(std::uint64_t /*id*/) override {}
  std::uint64_t start_watch(int /*descriptor*/, short /*events*/,
                            std::function<void(short)> /*f*/) override {
    return 1;
  }
  void stop_watch(std::uint64_t /*id*/) override {}
  bool run_blocking(std::function<void()> /*work*/, std::function<void()> /*done*/) override {
    return true;
  }
  bool subrequest(SubrequestJob /*job*/, std::function<void(SubrequestResult)> /*done*/) override {
    return true;
  }
  void log(int /*level*/, std::string_view /*text*/) override {}
  std::uint64_t open_log_file(const std::string& /*path*/) override { return 1; }
  void write_log_file(std::uint64_t /*id*/, std::string_view /*line*/) override {}
  std::uint64_t metric(std::string_view /*name*/, std::string_view /*help*/) override { return 1; }
  void add_to_metric(std::uint64_t /*id*/, std::int64_t /*n*/) override {}
  void set_metric(std::uint64_t /*id*/, std::int64_t /*n*/) override {}
};

}  // namespace penstock
