// What has been declared invalid: by whom it is asked for, without looking for it first.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace penstock {

class StoredResponse;

// What is declared invalid. `soft`: it becomes stale, so that it is validated before it is used
// again, and may still be served where stale responses may; else it is gone.
struct Invalidation {
  enum class What : std::uint8_t {
    everything,
    uri,         // that one, with all variants
    uri_prefix,  // all URIs that begin so
    host,        // all of a host
    tag,         // Surrogate-Key and Cache-Tag
    group,       // Cache-Groups of an origin (RFC 9875): "http://host:port" and, behind a line
                 // break, the group
    ban,         // all that an expression is true for
  };
  What what = What::everything;
  bool soft = false;
  std::string text;  // normalised; of a ban the expression as it was written
  std::function<bool(const StoredResponse&)> expression;  // of a ban
};

// All invalidations, in their order. A stored response is subject to those that were declared after
// it was stored; it remembers up to where it has been looked at, so that each is looked at once.
// Declaring one takes the same time however much is stored. Safe to use from all threads.
class Invalidations {
 public:
  enum class Verdict : std::uint8_t { valid, stale, gone };

  // The number of the last one; a response that is stored now is not subject to those up to it.
  [[nodiscard]] std::uint64_t last() const { return last_.load(std::memory_order_acquire); }
  // From now on. Its number.
  std::uint64_t declare(Invalidation invalidation);
  // What holds for the response. Costs next to nothing where there was none since the last time.
  [[nodiscard]] Verdict judge(const StoredResponse& response) const {
    return last() == 0 ? Verdict::valid : judge_since(response);
  }
  // Forgets those up to that number: all that is stored has been looked at since. What has not,
  // because it was under way, is taken for invalid from now on.
  void forget(std::uint64_t up_to);
  // How many there are.
  [[nodiscard]] std::size_t size() const;

 private:
  struct Numbers {
    std::uint64_t gone = 0;
    std::uint64_t stale = 0;
    void note(std::uint64_t number, bool soft) { (soft ? stale : gone) = number; }
  };
  struct Listed {
    std::uint64_t number;
    Invalidation invalidation;
  };
  using ByHash = std::unordered_map<std::uint64_t, Numbers>;
  [[nodiscard]] Verdict judge_since(const StoredResponse& response) const;

  std::atomic<std::uint64_t> last_ = 0;
  std::atomic<std::uint64_t> forgotten_ = 0;
  mutable std::shared_mutex mutex_;
  Numbers everything_;
  ByHash uris_;
  ByHash hosts_;
  ByHash tags_;
  std::vector<Listed> listed_;  // prefixes and bans
};

}  // namespace penstock
