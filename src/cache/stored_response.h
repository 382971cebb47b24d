// A stored response: its head, what is known of its reuse, and its content.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cache/content.h"
#include "cache/key.h"
#include "cache/memory_account.h"
#include "cache/rfc9111/freshness.h"
#include "cache/rfc9111/reuse.h"
#include "cache/rfc9111/validators.h"
#include "message/fields.h"
#include "message/head.h"

namespace penstock {

// A run of the bytes of a representation.
struct StoredPart {
  std::uint64_t first = 0;  // where in the representation it begins
  std::shared_ptr<Content> content;
};

// What a StoredResponse is made of. Texts are copied.
struct StoredResponseInput {
  std::string_view key;
  std::uint64_t key_hash = 0;
  int status = 200;
  std::string_view reason;
  // Those that are stored, already without what is not to be.
  const FieldSection* fields = nullptr;
  std::string variant_key;  // what selects it among the variants of its key; see rfc9111/vary.h
  rfc9111::ReusePolicy reuse;
  rfc9111::LifetimeSource source = rfc9111::LifetimeSource::none;
  rfc9111::Times times;
  std::vector<std::uint64_t> tags = {};  // hashes; see Invalidations
  std::vector<StoredPart> parts = {};    // by their places, none touching another
  // Of the whole representation. Where that is not known, and there is one part that begins at 0,
  // the content tells, once it is complete.
  std::optional<std::uint64_t> complete_length = std::nullopt;
  std::uint64_t looked_at = 0;  // the last invalidation before it
};

// Does not change, but for what is marked so, and is shared by threads. What is learnt of it later
// (a 304) makes another one, with the same content.
class StoredResponse {
 public:
  StoredResponse(std::shared_ptr<MemoryAccount> account, StoredResponseInput input);
  ~StoredResponse();
  StoredResponse(const StoredResponse&) = delete;
  StoredResponse& operator=(const StoredResponse&) = delete;

  // What it is found by.
  [[nodiscard]] std::string_view key() const { return key_; }
  [[nodiscard]] std::uint64_t key_hash() const { return key_hash_; }
  [[nodiscard]] std::string_view uri() const { return CacheKey{.text = key_}.uri(); }
  [[nodiscard]] std::uint64_t uri_hash() const { return uri_hash_; }
  [[nodiscard]] std::uint64_t host_hash() const { return host_hash_; }
  [[nodiscard]] std::span<const std::uint64_t> tags() const { return tags_; }
  [[nodiscard]] const std::string& variant_key() const { return variant_key_; }
  [[nodiscard]] std::uint64_t variant_hash() const { return variant_hash_; }
  // Whether the request selects it among the variants of the key (RFC 9111 section 4.1).
  [[nodiscard]] bool selected_by(const FieldSection& request) const;
  [[nodiscard]] bool same_variant(const StoredResponse& other) const {
    return variant_key_ == other.variant_key_;
  }

  [[nodiscard]] int status() const { return status_; }
  [[nodiscard]] std::string_view reason() const { return reason_; }
  [[nodiscard]] const FieldSection& fields() const { return fields_; }
  [[nodiscard]] const rfc9111::Validators& validators() const { return validators_; }

  [[nodiscard]] const rfc9111::ReusePolicy& reuse() const { return reuse_; }
  [[nodiscard]] rfc9111::LifetimeSource lifetime_source() const { return source_; }
  [[nodiscard]] const rfc9111::Times& times() const { return times_; }
  [[nodiscard]] std::chrono::seconds age(std::chrono::sys_seconds now) const {
    return rfc9111::current_age(initial_age_, times_.response_time, now);
  }
  // Of two variants that a request selects, the one to use (RFC 9111 section 4.1).
  [[nodiscard]] bool received_after(const StoredResponse& other) const {
    return times_.date_value > other.times_.date_value;
  }
  // From then on it can neither be used nor validated, in seconds of wall time.
  [[nodiscard]] std::int64_t useless_from() const { return useless_from_; }

  [[nodiscard]] std::span<const StoredPart> parts() const { return parts_; }
  // Of the representation, where it is known.
  [[nodiscard]] std::optional<std::uint64_t> complete_length() const;
  // It is, or will be, all of the representation: one part from its beginning to its end.
  [[nodiscard]] bool whole() const;
  // A part of it is still coming.
  [[nodiscard]] bool growing() const;
  // Of its head; contents count for themselves.
  [[nodiscard]] std::uint64_t head_memory() const { return head_memory_; }
  [[nodiscard]] std::uint64_t memory() const;

  // --- What changes ---

  // Up to which invalidation it has been looked at, and whether one of them has made it stale.
  [[nodiscard]] std::uint64_t looked_at() const {
    return looked_at_.load(std::memory_order_relaxed);
  }
  [[nodiscard]] bool made_stale() const { return made_stale_.load(std::memory_order_relaxed); }
  void note_looked_at(std::uint64_t number, bool stale) const {
    if (stale) made_stale_.store(true, std::memory_order_relaxed);
    looked_at_.store(number, std::memory_order_relaxed);
  }
  void make_stale() const { made_stale_.store(true, std::memory_order_relaxed); }
  // How often it was used.
  void count_hit() const { hits_.fetch_add(1, std::memory_order_relaxed); }
  [[nodiscard]] std::uint64_t hits() const { return hits_.load(std::memory_order_relaxed); }
  // Somebody is validating it, in the background: true for one who asks first.
  [[nodiscard]] bool begin_refresh() const { return !refreshing_.exchange(true); }
  void end_refresh() const { refreshing_.store(false); }

 private:
  void copy_texts(const StoredResponseInput& input);

  std::shared_ptr<MemoryAccount> account_;
  std::unique_ptr<char[]> text_;  // of all views
  std::string_view key_;
  std::string_view reason_;
  FieldSection fields_;
  std::string variant_key_;
  std::vector<std::uint64_t> tags_;
  std::vector<StoredPart> parts_;
  std::optional<std::uint64_t> complete_length_;
  rfc9111::Validators validators_;
  rfc9111::ReusePolicy reuse_;
  rfc9111::Times times_;
  std::chrono::seconds initial_age_;
  std::uint64_t key_hash_;
  std::uint64_t uri_hash_;
  std::uint64_t host_hash_;
  std::uint64_t variant_hash_;
  std::int64_t useless_from_;
  std::uint64_t head_memory_ = 0;
  int status_;
  rfc9111::LifetimeSource source_;
  mutable std::atomic<bool> made_stale_ = false;
  mutable std::atomic<bool> refreshing_ = false;
  mutable std::atomic<std::uint64_t> looked_at_;
  mutable std::atomic<std::uint64_t> hits_ = 0;
};

}  // namespace penstock
