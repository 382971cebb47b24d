// A simulated ICAP server (RFC 3507): checks every request that reaches it, and does with the
// message what chance will have: lets it pass at any time, changes it, answers it, and fails in all
// the ways there are. Without a line of the product's own codec, which it checks.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "async/scope.h"
#include "base/random.h"
#include "net/network.h"
#include "sim/network.h"
#include "tests/simulation_beginning.h"
#include "tests/simulation_icap_plan.h"
#include "tests/simulation_judge.h"
#include "tests/simulation_ledger.h"
#include "tests/simulation_wire.h"

namespace penstock::simulation {

// How often servers have done what.
using IcapCounts = std::map<std::string, std::size_t>;

// One server of a service.
class IcapServer final : public AcceptHandler {
 public:
  // All must outlive it. It listens at once.
  IcapServer(SimNetwork& network, const Address& address, const IcapService& service,
             Ledger& ledger, Random random, IcapCounts& counts);

  void on_accept(std::unique_ptr<ByteStream> stream, const Address& peer,
                 const Address& local) override;
  // Takes no connections any more; those that are there go on.
  void close() { listener_.reset(); }
  // Goes away with all its connections now and then, and comes back. To be spawned once; the
  // connections must have ended before it is destroyed.
  static Task<void> keep_restarting(IcapServer& server, Random random);
  [[nodiscard]] std::size_t connections() const { return connections_; }

 private:
  static Task<void> serve(IcapServer& server, std::unique_ptr<ByteStream> stream, Random random);
  // False when the connection is to be closed.
  Task<bool> serve_one(ByteStream& stream, Wire& wire, Random& random);
  Task<bool> answer_options(ByteStream& stream, Wire& wire, Random& random);
  Task<bool> adapt(ByteStream& stream, Wire& wire, Random& random, Head head);

  // False when the message was not what it should be, or did not come.
  Task<bool> read_heads(Wire& wire, IcapMessage& message);
  bool check_heads(IcapMessage& message);
  Task<bool> read_preview(Wire& wire, IcapMessage& message);
  static Task<void> read_rest(IcapServer& server, Wire& wire, IcapMessage& message);
  Task<bool> read_chunks(Wire& wire, IcapMessage& message);
  void check_whole(const IcapMessage& message);
  // Whether nothing comes for so long, as nothing may, and the other side is still there.
  Task<bool> hears_nothing(Wire& wire, Duration time, const IcapMessage& message);

  // True when the plan was to fail at that moment; it has.
  Task<bool> fails(ByteStream& stream, const IcapPlan& plan, IcapPlan::Moment moment);
  // These are false when the answer was not sent to its end.
  Task<bool> think_and_answer(ByteStream& stream, Wire& wire, IcapMessage& message, IcapPlan& plan,
                              Random& random, bool early);
  static Task<bool> answer(Wire& wire, const IcapPlan& plan);
  // The message as it came, while it comes.
  Task<bool> echo(Wire& wire, Random& random, IcapMessage& message, IcapPlan& plan);
  void count(const std::string& what) { ++(*counts_)[what]; }

  SimNetwork* network_;
  Address address_;
  const IcapService* service_;
  Ledger* ledger_;
  Random random_;
  IcapCounts* counts_;
  std::uint64_t incarnation_ = 1;
  std::size_t connections_ = 0;
  std::unique_ptr<Scope> scope_;
  std::unique_ptr<Listener> listener_;
};

}  // namespace penstock::simulation
