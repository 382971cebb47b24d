// A channel to a helper process.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "helper/channel.h"
#include "helper/helper_link.h"
#include "helper/helper_process.h"
#include "helper/ring.h"
#include "net/event_loop.h"

namespace penstock {

// A worker's channel to it: rings in the memory that it shares with the helper, a pair for each
// lane. The affinity chooses the lane. Calls of one lane are handled one after the other, so a
// callback that takes long holds up its lane of its worker only.
//
// When the helper dies, the calls under way fail with `reset` (those it has answered have their
// replies), and those that follow with `unavailable`, until there is a new one. What it sends that
// can't be ends it in the same way.
class ProcessChannel final : public Channel, private EventSource, private HelperProcess::Listener {
 public:
  // Number `worker` of the helper's shape. Process and loop must outlive it. Made and destroyed on
  // the loop's thread, or while the loop does not run. `max_calls`: under way at once.
  ProcessChannel(HelperProcess& process, unsigned worker, EventLoop& loop, std::size_t max_calls);
  ~ProcessChannel() override;
  [[nodiscard]] bool up() const override { return link_ && !broken_; }

 private:
  struct Lane {
    RingWriter requests;
    RingReader replies;
  };

  Result<void> submit(std::uint64_t id, std::uint64_t affinity, Payload& payload) override;
  // On the loop, for all that the helper wakes it for: replies, room for requests.
  void on_events(std::uint32_t events) override;
  // On the helper process's thread.
  void on_link(const std::shared_ptr<HelperLink>& link) override;
  // The same, on the loop's.
  void change_link(std::shared_ptr<HelperLink> link);
  void attach(std::shared_ptr<HelperLink> link);
  void detach();
  // Goes through the lanes; with a bound on what is read at a time, and goes on in the next turn.
  void look_at_lanes();
  enum class Progress : std::uint8_t { all_read, more, broken };
  Progress read_replies(Lane& lane);
  void go_on_later();
  // The helper broke the rules: it is killed; the rest happens when it is dead.
  void fail_for_good();

  HelperProcess* process_;
  unsigned worker_;
  EventLoop* loop_;
  std::shared_ptr<HelperLink> link_;  // null while there is no helper
  std::vector<Lane> lanes_;
  std::uint64_t next_lane_ = 0;
  bool broken_ = false;
  // For functions that are posted to the loop: points to this, or null when it is gone.
  std::shared_ptr<ProcessChannel*> self_;
};

}  // namespace penstock
