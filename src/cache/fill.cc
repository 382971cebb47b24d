#include "cache/fill.h"

#include <utility>

namespace penstock {
namespace {

// Keys remembered in a shard as those of responses that are for nobody else.
constexpr std::size_t kMaxPasses = 4096;

}  // namespace

void Fill::become_known(std::shared_ptr<StoredResponse> response) {
  response_ = std::move(response);
  stage_.store(Stage::known, std::memory_order_release);
  waiters_.wake();
}

void Fill::end(Stage stage) {
  stage_.store(stage, std::memory_order_release);
  waiters_.wake();
}

FillTable::Place FillTable::join(std::uint64_t hash, std::int64_t now_s) {
  Shard& shard = shard_of(hash);
  const std::lock_guard lock(shard.mutex);
  if (const auto pass = shard.passes.find(hash); pass != shard.passes.end()) {
    if (pass->second > now_s) return {};
    shard.passes.erase(pass);
  }
  auto& fill = shard.fills[hash];
  if (fill) {
    fill->join();
    return {.fill = fill, .leads = false};
  }
  fill = std::make_shared<Fill>();
  return {.fill = fill, .leads = true};
}

void FillTable::finish(std::uint64_t hash, const Fill& fill) {
  Shard& shard = shard_of(hash);
  std::shared_ptr<Fill> gone;
  const std::lock_guard lock(shard.mutex);
  const auto found = shard.fills.find(hash);
  if (found == shard.fills.end() || found->second.get() != &fill) return;
  gone = std::move(found->second);
  shard.fills.erase(found);
}

void FillTable::pass(std::uint64_t hash, std::int64_t until_s) {
  Shard& shard = shard_of(hash);
  const std::lock_guard lock(shard.mutex);
  if (shard.passes.size() >= kMaxPasses) shard.passes.clear();
  shard.passes[hash] = until_s;
}

}  // namespace penstock
