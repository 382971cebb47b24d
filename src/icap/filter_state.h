// What the ICAP filter keeps for one transaction.
#pragma once

#include <optional>
#include <vector>

#include "adapt/adaptation.h"
#include "adapt/filter.h"
#include "async/event.h"
#include "base/frame_pool.h"
#include "icap/adapted_message.h"
#include "icap/consulted.h"
#include "icap/exchange.h"
#include "icap/virgin_body.h"

namespace penstock::icap {

class IcapState final : public FilterState, public ExchangeOwner {
 public:
  // A message with which a service takes its time.
  struct Patience {
    AdaptedMessage message;   // what services see and change; the filter's own copy
    FilterOutcome outcome{};  // counts when `decided` is set
    Event decided{};
  };

  explicit IcapState(Adaptation& adaptation) : adaptation_(&adaptation) {}

  // The virgin body of the message at hand; null where it has no content, or none was sent yet.
  VirginBody* virgin = nullptr;
  // What heads that were replaced have left behind.
  ReplacedHeads heads;
  std::vector<Consulted, PoolAllocator<Consulted>> consulted;
  std::optional<Patience> patience;
  // The message is with a service, which may leave it as it is: from now on the client may get some
  // of it.
  bool may_trickle = false;
  // The client has the head of the message as it came, and gets its content meanwhile.
  bool trickles = false;

  void begin(AdaptPoint at) {
    virgin = nullptr;
    may_trickle = trickles = false;
    patience.reset();
    point_ = at;
  }
  [[nodiscard]] AdaptPoint point() const { return point_; }
  // The message can still go on as it came.
  [[nodiscard]] bool is_whole() const { return virgin == nullptr || virgin->has(0); }
  void rewind() const {
    if (virgin == nullptr) return;
    virgin->go_to(0);
    virgin->end_at_end();
  }
  // It goes on as it came, and is not wanted again.
  void let_pass() const {
    rewind();
    if (virgin != nullptr && !trickles) virgin->forget();
  }
  [[nodiscard]] Adaptation& adaptation() const { return *adaptation_; }

  void on_broken(const Failure& failure) override {
    adaptation_->fail_content(*this, point_, to_string(failure), true);
  }

 private:
  Adaptation* adaptation_;
  AdaptPoint point_ = AdaptPoint::client_request;
};

}  // namespace penstock::icap
