// The way between a worker and the helpers on which callbacks run: threads beside it, or another
// process. Bytes go there and come back; what they mean is the business of others.
//
// The worker's side is a Channel: awaitable calls, many under way at once, and messages that nobody
// answers. The helpers' side is blocking: a thread asks its HelperSeat for the next request and
// answers on the request's ReturnPath.
#pragma once

#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "async/context.h"
#include "base/error.h"

namespace penstock {

class Channel;

// The largest message, in either direction.
inline constexpr std::size_t kMaxChannelMessage = std::size_t{16} * 1024 * 1024;

// The bytes of a message that is about to be sent: parts in a row, which lie elsewhere and are
// copied, or a string, which is moved where that is possible.
class Payload {
 public:
  // The parts must stay as they are until the message is sent: until the function that it is given
  // to returns, or until a call suspends.
  explicit Payload(std::span<const std::string_view> parts) : parts_(parts) {}
  explicit Payload(std::string bytes) : bytes_(std::move(bytes)), is_string_(true) {}

  [[nodiscard]] std::size_t size() const;
  // Valid until it is moved or changed.
  [[nodiscard]] std::span<const std::string_view> parts();
  // All in one string.
  [[nodiscard]] std::string take();

 private:
  std::span<const std::string_view> parts_;
  std::string bytes_;
  std::string_view view_;
  bool is_string_ = false;
};

// A call under way; co_await gives its reply. Lives in the frame of who awaits it. When the task is
// cancelled the call ends at once, with `cancelled`; whether it is (or was) handled is open, and a
// reply that comes later is dropped. There is no time limit but the caller's.
class [[nodiscard]] ChannelCall final : public CancelHook {
 public:
  ChannelCall(Channel& channel, Payload payload, std::uint64_t affinity)
      : channel_(&channel), payload_(std::move(payload)), affinity_(affinity) {}

  bool await_ready() const { return false; }
  template <class Promise>
  bool await_suspend(std::coroutine_handle<Promise> caller) {
    return start(caller, caller.promise().context());
  }
  Result<std::string> await_resume() { return std::move(result_); }

 private:
  friend class Channel;
  bool start(std::coroutine_handle<> caller, TaskContext& context);
  void finish(Result<std::string> result);
  void on_cancel() override;

  Channel* channel_;
  Payload payload_;
  std::uint64_t affinity_;
  std::uint64_t id_ = 0;
  Result<std::string> result_{};
  std::coroutine_handle<> caller_;
  Executor* executor_ = nullptr;
};

// Hears what comes from the helpers unasked. All is called on the channel's thread, outside any
// task; nothing that is on the loop may be destroyed there: post or mark only.
class ChannelSink {
 public:
  // `bytes` is valid during the call only.
  virtual void on_message(std::string_view bytes) = 0;
  // A helper is there (again); not told of one that was there before the sink, see Channel::up().
  // It knows nothing of what was said to one before.
  virtual void on_up() {}
  // It is gone: the calls under way have failed, and those to come fail until the next on_up().
  virtual void on_down() {}

 protected:
  ~ChannelSink() = default;
};

// A worker's side. Belongs to the worker's thread. When it is destroyed no call may be under way.
class Channel {
 public:
  virtual ~Channel();
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;

  // co_await call(...) sends a request and waits for its reply. Calls and messages of one affinity
  // (the id of a transaction) are handled one after the other, in the order they were sent, as long
  // as each call is awaited before the next; 0 says that the order does not matter. Errors, none of
  // them retryable:
  //   overloaded   too much waits already; nothing was sent
  //   unavailable  there is no helper at present; nothing was sent
  //   limit        larger than kMaxChannelMessage; nothing was sent
  //   reset        the helper died, or said what cannot be, before it replied
  //   cancelled
  ChannelCall call(Payload payload, std::uint64_t affinity) {
    return {*this, std::move(payload), affinity};
  }
  // Sends what nobody answers. Errors as of call(), but for the last two.
  [[nodiscard]] Result<void> send(Payload payload, std::uint64_t affinity);

  // Whether there is a helper at present.
  [[nodiscard]] virtual bool up() const = 0;
  // Null takes it away. Must outlive the channel otherwise.
  void set_sink(ChannelSink* sink) { sink_ = sink; }
  [[nodiscard]] std::size_t calls_under_way() const { return under_way_; }

 protected:
  // `max_calls`: more under way at once are refused as overloaded.
  explicit Channel(std::size_t max_calls) : max_calls_(max_calls) {}

  // Sends a request, or with id 0 a message. The payload's size is within the limit.
  virtual Result<void> submit(std::uint64_t id, std::uint64_t affinity, Payload& payload) = 0;
  // Nobody waits for that call any more.
  virtual void withdraw(std::uint64_t /*id*/, std::uint64_t /*affinity*/) {}

  // A reply, or with id 0 a message, has come. A reply to a call that is not under way is dropped.
  void deliver(std::uint64_t id, std::string bytes);
  // Ends all calls under way with that error.
  void fail_all(Error error);
  [[nodiscard]] ChannelSink* sink() const { return sink_; }

 private:
  friend class ChannelCall;
  // Calls are found by the place in `slots_` (from 1) in the lower half of their id; the upper half
  // tells those that have the same place one after the other.
  struct Slot {
    ChannelCall* call = nullptr;
    std::uint32_t generation = 0;
    std::uint32_t next_free = 0;
  };
  // 0 when there are too many.
  std::uint64_t enter(ChannelCall& call);
  // The call with that id, which is then forgotten; null if there is none.
  ChannelCall* leave(std::uint64_t id);

  std::size_t max_calls_;
  std::size_t under_way_ = 0;
  std::vector<Slot> slots_;
  std::uint32_t first_free_ = 0;  // place + 1
  ChannelSink* sink_ = nullptr;
};

// --- the helpers' side

// The way back to the worker that a request came from. Safe to use from all threads. Whoever keeps
// it may use it when the worker is gone: all fails as `closed` then.
class ReturnPath {
 public:
  virtual ~ReturnPath() = default;

  // Answers a request, once. May block until the worker takes it. Errors: limit (larger than
  // kMaxChannelMessage: answer something else, or the caller waits in vain), closed, protocol.
  [[nodiscard]] virtual Result<void> reply(std::uint64_t id, Payload payload) = 0;
  // Sends what is given to the worker's ChannelSink. Errors: as of reply(), and overloaded.
  [[nodiscard]] virtual Result<void> send(Payload payload) = 0;
};

struct HelperRequest {
  std::uint64_t id = 0;  // 0: a message, which is not answered
  std::string bytes;
  std::shared_ptr<ReturnPath> path;
};

// Where one thread of the helpers gets its work. Belongs to that thread.
class HelperSeat {
 public:
  virtual ~HelperSeat() = default;
  // Waits for the next request, blocking the thread. Says that the one before is done with: only
  // then is another of its affinity given to anyone. Nothing when there is no more work: the thread
  // should end.
  [[nodiscard]] virtual std::optional<HelperRequest> receive() = 0;
};

}  // namespace penstock
