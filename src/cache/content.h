// The content of a stored response: bytes that threads share, and that one may still be adding to.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string_view>
#include <vector>

#include "cache/memory_account.h"
#include "cache/waiting.h"

namespace penstock {

// One thread fills it, any number read what is there. Bytes never move nor change once they are
// there, so that they can be sent from where they lie, as long as the Content is kept alive.
class Content {
 public:
  enum class State : std::uint8_t { growing, complete, failed };

  // `expected`: its length, where that is known beforehand. `account` is charged with the memory
  // taken, up to the end of this.
  Content(std::shared_ptr<MemoryAccount> account, std::optional<std::uint64_t> expected);
  // One that is complete.
  Content(std::shared_ptr<MemoryAccount> account, std::string_view bytes);
  ~Content();
  Content(const Content&) = delete;
  Content& operator=(const Content&) = delete;

  // For the one who fills it. Copies the bytes, and wakes those who wait for them. False: there is
  // no memory, or it would be longer than expected; then it has failed.
  [[nodiscard]] bool append(std::string_view bytes);
  // All bytes are there. False, and failed: it is shorter than expected.
  [[nodiscard]] bool finish();
  // No more will come. What is there may be part of a message only. Without effect once complete.
  void fail();

  // For everybody. How many bytes are there.
  [[nodiscard]] std::uint64_t size() const { return size_.load(std::memory_order_acquire); }
  [[nodiscard]] State state() const { return state_.load(std::memory_order_acquire); }
  // How many bytes there will be, where that is known.
  [[nodiscard]] std::optional<std::uint64_t> length() const {
    if (state() == State::complete) return size();
    return expected_;
  }
  // The bytes from `offset` on that lie in one piece; empty where none are there yet, and at the
  // end. They stay as long as this does.
  [[nodiscard]] std::string_view at(std::uint64_t offset) const;
  // Memory that it takes, room for bytes to come included.
  [[nodiscard]] std::uint64_t memory() const { return memory_.load(std::memory_order_relaxed); }
  // Those who wait for more.
  [[nodiscard]] WaitList& waiters() { return waiters_; }

 private:
  struct Piece {
    std::unique_ptr<char[]> bytes;
    std::size_t capacity;
    std::uint64_t offset;  // of its first byte
  };
  [[nodiscard]] bool add_piece(std::size_t wanted);
  [[nodiscard]] std::string_view find(std::uint64_t offset) const;
  void join_pieces();
  void end(State state);

  const std::shared_ptr<MemoryAccount> account_;
  const std::optional<std::uint64_t> expected_;
  std::atomic<std::uint64_t> size_ = 0;
  std::atomic<State> state_ = State::growing;
  std::atomic<std::uint64_t> memory_ = 0;
  mutable std::mutex mutex_;       // guards pieces_ while growing
  mutable bool was_read_ = false;  // so pieces must stay where they are
  std::vector<Piece> pieces_;
  WaitList waiters_;
};

}  // namespace penstock
