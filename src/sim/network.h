// The Network of a simulated world, as seen from one host of it; and its listeners.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "net/network.h"
#include "sim/connection.h"
#include "sim/stream.h"
#include "sim/world.h"

namespace penstock {

// Listens in a world: a listener of this class is found by the connects of all its networks.
class SimListener final : public Listener {
 public:
  // Port 0 picks one. The world and the handler must outlive it.
  SimListener(SimWorld& world, const Address& address, AcceptHandler& handler);
  // Resets the connections that were not taken up.
  ~SimListener() override;

  void pause() override { paused_ = true; }
  void resume() override;
  [[nodiscard]] Address local_address() const override { return local_; }

  // For the network, in the delivery phase: a connection has been made.
  void arrive(std::shared_ptr<SimConnection> connection, const Address& peer, const Address& local);

 private:
  struct Waiting {
    std::unique_ptr<SimStream> stream;
    Address peer;
    Address local;
  };
  void schedule(TimePoint when);
  void accept_waiting();

  SimWorld* world_;
  Address local_;
  AcceptHandler* handler_;
  bool paused_ = false;
  std::deque<Waiting> waiting_;
};

class SimNetwork final : public Network {
 public:
  // `host` is the address that listeners see connections come from; its port is ignored.
  explicit SimNetwork(SimWorld& world, std::string_view host = "192.0.2.1");

  [[nodiscard]] SimWorld& world() const { return *world_; }
  // For the connections made through this network, in place of the world's.
  void set_faults(const Faults& faults) { faults_ = faults; }
  [[nodiscard]] std::unique_ptr<Listener> listen(const Address& address, AcceptHandler& handler);

  [[nodiscard]] Executor& executor() override { return world_->executor(); }
  Task<Result<std::unique_ptr<ByteStream>>> connect(const Address& to, TimePoint deadline) override;
  // Every question is asked anew: a world has no cache of names.
  Task<Result<Resolution>> resolve(std::string_view host, std::uint16_t port,
                                   TimePoint deadline) override;
  Task<Result<ServiceResolution>> resolve_service(std::string_view name,
                                                  TimePoint deadline) override;
  void call(std::function<void()> f) override { world_->call_at(world_->now(), std::move(f)); }

 private:
  struct Attempt;
  // Waits for an answer that takes `delay`, or never comes.
  Task<Result<void>> wait_for_answer(bool answered, Duration delay, TimePoint deadline);
  static void knock(SimWorld& world, const Faults& faults, const std::shared_ptr<Attempt>& attempt);

  SimWorld* world_;
  Address host_;
  std::optional<Faults> faults_;
};

}  // namespace penstock
