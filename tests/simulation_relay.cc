#include <array>
#include <chrono>
#include <string>
#include <utility>

#include "async/scope.h"
#include "async/sleep.h"
#include "tests/simulation_proxy.h"

namespace penstock::simulation {
namespace {

constexpr Duration kPatience = std::chrono::minutes(15);
constexpr double kNowAndThen = 0.02;  // of each read

class Relay final : public Proxy, private AcceptHandler {
 public:
  Relay(SimWorld& world, SimNetwork& network, const std::vector<Address>& origins, Flaw flaw)
      : network_(&network),
        origins_(origins),
        flaw_(flaw),
        random_(world.random().fork()),
        scope_(world.executor()),
        listener_(network.listen(Address::parse("192.0.2.1:8080").value(), *this)) {}

  [[nodiscard]] Address address() override { return listener_->local_address(); }
  void stop() override {
    listener_.reset();
    scope_.cancel();
  }
  [[nodiscard]] std::size_t running() const override { return scope_.running(); }

 private:
  void on_accept(std::unique_ptr<ByteStream> stream, const Address& /*peer*/,
                 const Address& /*local*/) override {
    scope_.spawn(serve(std::move(stream)));
  }

  Task<void> serve(std::unique_ptr<ByteStream> client) {
    const TaskContext& context = co_await this_context();
    const Address to = origins_[random_.below(origins_.size())];
    auto connected = co_await network_->connect(to, context.executor().now() + kPatience);
    if (!connected) {
      client->set_abortive();
      co_return;
    }
    const std::unique_ptr<ByteStream> origin = std::move(*connected);
    Scope both(co_await this_context());
    both.spawn(copy(*client, *origin, true, both));
    both.spawn(copy(*origin, *client, false, both));
    co_await both.join();
  }

  // Copies until the end; what breaks on one side is broken on the other.
  Task<void> copy(ByteStream& from, ByteStream& to, bool upwards, Scope& both) {
    const TaskContext& context = co_await this_context();
    InputBuffer input;
    bool first = true;
    while (true) {
      const auto got = co_await read_some(from, input, context.executor().now() + kPatience);
      if (got && *got == 0) {
        to.shutdown_write();
        co_return;
      }
      if (!got) {
        if (flaw_ != Flaw::orderly_end) to.set_abortive();
        both.cancel();
        co_return;
      }
      std::string bytes(input.unread());
      input.consume(input.size());
      if (first && upwards && flaw_ == Flaw::repeats) scope_.spawn(repeat(bytes));
      first = false;
      if (random_.chance(kNowAndThen)) spoil(bytes, upwards);
      std::array<iovec, 1> parts = {to_iovec(bytes)};
      const auto sent = co_await write_all(to, parts, context.executor().now(), kPatience);
      if (!sent) {
        from.set_abortive();
        both.cancel();
        co_return;
      }
    }
  }

  void spoil(std::string& bytes, bool upwards) {
    const std::size_t at = random_.below(bytes.size());
    if (flaw_ == Flaw::wrong_byte) bytes[at] = static_cast<char>(bytes[at] ^ 1);
    if (flaw_ == Flaw::lost_bytes) bytes.erase(at);
    if (flaw_ == Flaw::crossed_lines && !upwards) bytes.swap(kept_);
  }

  Task<void> repeat(std::string bytes) {
    const TaskContext& context = co_await this_context();
    const TimePoint deadline = context.executor().now() + kPatience;
    auto origin = co_await network_->connect(origins_.front(), deadline);
    if (!origin) co_return;
    std::array<iovec, 1> parts = {to_iovec(bytes)};
    if (!co_await write_all(**origin, parts, context.executor().now(), kPatience)) co_return;
    co_await sleep_until(context.executor().now() + std::chrono::seconds(10));
  }

  SimNetwork* network_;
  std::vector<Address> origins_;
  Flaw flaw_;
  Random random_;
  std::string kept_ = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
  Scope scope_;
  std::unique_ptr<Listener> listener_;
};

}  // namespace

std::unique_ptr<Proxy> make_relay(SimWorld& world, SimNetwork& network,
                                  const std::vector<Address>& origins, Flaw flaw) {
  return std::make_unique<Relay>(world, network, origins, flaw);
}

}  // namespace penstock::simulation
