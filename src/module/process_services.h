// Services of instances in helper processes: what only the proxy has is asked for by messages.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>

#include "async/worker_gate.h"
#include "helper/channel.h"
#include "module/metrics.h"
#include "module/services.h"
#include "module/subrequest_runner.h"

namespace penstock {

// In the helper process: requests of its module go to the proxy, which sends them, and the metrics
// are told to it, which publishes them.
class ProxyLink final : public SubrequestRunner {
 public:
  // `path`: to the proxy. `gate`: to the thread on which `done` of requests is called.
  ProxyLink(std::shared_ptr<ReturnPath> path, std::shared_ptr<WorkerGate> gate)
      : path_(std::move(path)), gate_(std::move(gate)) {}

  void start(const void* owner, SubrequestJob job, Done done) override;
  void cancel(const void* owner) override;
  // Tells the proxy of what has changed since the last time.
  void tell_metrics(const ModuleMetrics& metrics);
  // A message of the proxy. From any thread.
  void on_message(std::string_view bytes);

 private:
  struct UnderWay {
    const void* owner;
    Done done;
  };
  std::shared_ptr<ReturnPath> path_;
  std::shared_ptr<WorkerGate> gate_;
  std::mutex mutex_;
  std::uint64_t last_id_ = 0;
  std::unordered_map<std::uint64_t, UnderWay> under_way_;
  std::unordered_map<std::string, std::int64_t> told_;  // of counters, by name
};

// In the proxy: does what the helper of an instance asks for, with the services of that instance.
// Belongs to one worker.
class HelperRequests {
 public:
  // Sends a message to the helper; `gate`: to the worker's thread.
  using Send = std::function<void(std::string bytes)>;
  HelperRequests(ModuleServices& services, std::shared_ptr<WorkerGate> gate, Send send);
  ~HelperRequests() { *alive_ = false; }
  HelperRequests(const HelperRequests&) = delete;
  HelperRequests& operator=(const HelperRequests&) = delete;

  // A message of WireKind::service; what can't be understood is dropped.
  void on_message(std::string_view bytes);

 private:
  void begin_subrequest(std::uint64_t id, SubrequestJob job);

  ModuleServices* services_;
  std::shared_ptr<WorkerGate> gate_;
  Send send_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);  // for the worker's thread
};

}  // namespace penstock
