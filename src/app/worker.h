// A worker: one thread with everything a transaction needs, sharing only what it is given.
#pragma once

#include <atomic>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "app/adapt_host.h"
#include "app/icap_host.h"
#include "app/listening.h"
#include "app/subrequest.h"
#include "async/event.h"
#include "base/log.h"
#include "base/log_file.h"
#include "cache/cache.h"
#include "config/snapshot.h"
#include "module/local_services.h"
#include "module/loop_port.h"
#include "net/event_loop.h"
#include "net/fd.h"
#include "net/socket_listener.h"
#include "net/socket_network.h"
#include "proxy/access_log.h"
#include "proxy/background.h"
#include "proxy/cache_part.h"
#include "proxy/proxy.h"
#include "proxy/routes.h"
#include "proxy/targets.h"
#include "proxy/tcp_session.h"
#include "server/server.h"
#include "upstream/server_side.h"

namespace penstock {

// What all workers share; outlives them.
struct Shared {
  std::shared_ptr<const Snapshot> snapshot;
  ServerSettings server_settings;      // with a worker's part of what is bounded in total
  std::list<ListenerShare> listeners;  // in the order of the snapshot's
  OwnAddresses own_addresses;
  std::string pseudonym;
  UpstreamShare upstream;
  IcapShares* icap;
  std::shared_ptr<const AdaptGeneration> generation;  // at first; see Worker::adopt()
  LocalShare* modules = nullptr;
  Log* log = nullptr;
  LogFile* access_file = nullptr;
  Cache* cache = nullptr;  // null: there is none
  const CacheRules* cache_rules = nullptr;
  std::function<void()> on_worker_done;  // called by each worker's thread when it has drained
  // Workers but the first that serve yet; the last of them calls the function.
  std::atomic<unsigned> others_serving = 0;
  std::function<void()> on_others_drained;
};

class Worker {
 public:
  // `number`: counts the workers; the first does what only one should, such as checking servers.
  // `sockets`: this worker's own, of all listeners.
  Worker(Shared& shared, unsigned number, std::vector<ListeningSocket> sockets);
  // The thread must have been joined: drain() was called.
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  void start();
  // From any thread: stop accepting, let transactions in flight end within `limit`, then stop.
  void drain(Duration limit);
  // From any thread: new transactions get the filters of that generation.
  //
  // The first worker does what modules ask for beside transactions. So it keeps its filters of a
  // generation until no other worker uses that any more, and ends last.
  void adopt(std::shared_ptr<const AdaptGeneration> generation);
  void join();

 private:
  // Once a second: memory of a past burst goes back to the system, and filters of a past
  // configuration go.
  class Housekeeping final : public Timer {
   public:
    explicit Housekeeping(Worker& worker) : worker_(&worker), executor_(&worker.loop_.executor()) {
      arm();
    }

   private:
    void on_timer() override;
    void arm();
    Worker* worker_;
    Executor* executor_;
  };
  void exchange_filters(const std::shared_ptr<const AdaptGeneration>& generation);
  void let_filters_go();
  [[nodiscard]] CachePart* make_cache_part();
  void run();
  void begin_drain(Duration limit);
  static Task<void> end_when_drained(Worker& worker, Duration limit);

  Shared& shared_;
  unsigned number_;
  EventLoop loop_;
  SocketNetwork network_;
  ServerSide upstream_;
  RouteTable routes_;
  AccessLog access_log_;
  std::shared_ptr<WorkerGate> gate_;
  IcapServices icap_;
  FilterWorker filter_worker_;
  FilterSlot filters_;
  std::vector<std::shared_ptr<FilterSet>> kept_filters_;  // of the first worker; see adopt()
  Event others_drained_;
  EventLoopPort loop_port_{loop_};
  Subrequests subrequests_;
  std::optional<CachePart> cache_;
  Proxy proxy_;
  std::optional<BackgroundFetches> background_;
  TcpProxy tcp_proxy_;
  std::list<Server> servers_;
  std::vector<AcceptSeat*> seats_;  // at the listeners; null where there is nobody to share with
  std::vector<std::unique_ptr<SocketListener>> listeners_;
  Housekeeping housekeeping_{*this};
  std::unique_ptr<Scope> drain_scope_;
  std::thread thread_;
};

}  // namespace penstock
