#include "cache/stored_response.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "base/hash.h"
#include "cache/rfc9111/vary.h"

namespace penstock {
namespace {

// How long after that it stays all the same: for those that take stale responses.
constexpr std::chrono::seconds kGrace = std::chrono::minutes(10);

// Without a validator a response is of no use once it may not be served any more, not even stale.
std::int64_t last_use(const rfc9111::ReusePolicy& reuse, const rfc9111::Validators& validators,
                      const rfc9111::Times& times, std::chrono::seconds initial_age) {
  if (!validators.empty()) return std::numeric_limits<std::int64_t>::max();
  const auto longest =
      reuse.lifetime + std::max(reuse.stale_while_revalidate, reuse.stale_if_error);
  return (times.response_time + longest + kGrace - initial_age).time_since_epoch().count();
}

}  // namespace

StoredResponse::StoredResponse(std::shared_ptr<MemoryAccount> account, StoredResponseInput input)
    : account_(std::move(account)),
      variant_key_(std::move(input.variant_key)),
      tags_(std::move(input.tags)),
      parts_(std::move(input.parts)),
      complete_length_(input.complete_length),
      reuse_(input.reuse),
      times_(input.times),
      initial_age_(rfc9111::corrected_initial_age(input.times)),
      key_hash_(input.key_hash),
      status_(input.status),
      source_(input.source),
      looked_at_(input.looked_at) {
  copy_texts(input);
  validators_ = rfc9111::validators_of(fields_);
  uri_hash_ = hash_key(uri());
  host_hash_ = hash_key(host_of_uri(key_));
  variant_hash_ = variant_key_.empty() ? 0 : hash_key(variant_key_);
  useless_from_ = last_use(reuse_, validators_, times_, initial_age_);
  head_memory_ += sizeof(*this) + variant_key_.capacity() + fields_.size() * sizeof(Field) +
                  tags_.capacity() * sizeof(std::uint64_t) +
                  parts_.capacity() * (sizeof(StoredPart) + sizeof(Content));
  account_->add(head_memory_);
}

StoredResponse::~StoredResponse() { account_->subtract(head_memory_); }

void StoredResponse::copy_texts(const StoredResponseInput& input) {
  std::size_t size = input.key.size() + input.reason.size();
  for (const Field& field : *input.fields) {
    size += field.value.size() + (field.id == FieldId::other ? field.name.size() : 0);
  }
  text_ = std::make_unique_for_overwrite<char[]>(size);
  head_memory_ = size;
  char* to = text_.get();
  const auto copy = [&to](std::string_view text) {
    char* const begin = std::exchange(to, std::copy(text.begin(), text.end(), to));
    return std::string_view(begin, text.size());
  };
  key_ = copy(input.key);
  reason_ = copy(input.reason);
  fields_.reserve_exactly(input.fields->size());
  for (const Field& field : *input.fields) {
    const bool known = field.id != FieldId::other;
    const std::string_view name = known ? field_name(field.id) : copy(field.name);
    fields_.add(field.id, name, copy(field.value));
  }
}

bool StoredResponse::selected_by(const FieldSection& request) const {
  return variant_key_.empty() || rfc9111::selects(variant_key_, request);
}

std::optional<std::uint64_t> StoredResponse::complete_length() const {
  if (complete_length_) return complete_length_;
  if (parts_.size() != 1 || parts_.front().first != 0) return std::nullopt;
  return parts_.front().content->length();
}

bool StoredResponse::whole() const {
  if (parts_.size() != 1 || parts_.front().first != 0) return false;
  if (!complete_length_) return true;
  const auto length = parts_.front().content->length();
  return length == complete_length_;
}

bool StoredResponse::growing() const {
  return std::any_of(parts_.begin(), parts_.end(), [](const StoredPart& part) {
    return part.content->state() == Content::State::growing;
  });
}

std::uint64_t StoredResponse::memory() const {
  std::uint64_t memory = head_memory_;
  for (const StoredPart& part : parts_) memory += part.content->memory();
  return memory;
}

}  // namespace penstock
