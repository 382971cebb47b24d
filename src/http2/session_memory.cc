#include "http2/session_memory.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <vector>

#include <sys/mman.h>

#include "base/frame_pool.h"
#include "base/free_list.h"

namespace penstock::http2 {
namespace {

// The pool wants to hear the size again when a block is given back: it stands before the block.
constexpr std::size_t kHeader = alignof(std::max_align_t);

std::size_t& size_of(void* block) {
  return *reinterpret_cast<std::size_t*>(static_cast<char*>(block) - kHeader);
}

// A slot: tables, then the buffer for frames. In the page where the one ends the other begins.
constexpr std::size_t kPage = 4096;
constexpr std::size_t kTables = 2 * kPage + 1536;
constexpr std::size_t kSlot = 7 * kPage;
// A block that large is the buffer.
constexpr std::size_t kBuffer = std::size_t{16} * 1024;
constexpr std::size_t kSlotsAtOnce = 64;
// Slots that keep their pages while they are not used.
constexpr std::size_t kWarmSlots = 32;

// The free slots of a thread.
class Slots {
 public:
  Slots() = default;
  Slots(const Slots&) = delete;
  Slots& operator=(const Slots&) = delete;
  ~Slots() {
    // Whoever outlives the thread goes on using its slot.
    if (free_.size() != regions_.size() * kSlotsAtOnce) return;
    for (void* const region : regions_) ::munmap(region, kSlot * kSlotsAtOnce);
  }

  // Null where there is no memory.
  char* take() {
    if (free_.empty() && !grow()) return nullptr;
    char* const slot = free_.back();
    free_.pop_back();
    // Warm ones are on top, and those below are colder than they are.
    warm_ -= std::min<std::size_t>(warm_, 1);
    return slot;
  }
  void give_back(char* slot) {
    if (warm_ < kWarmSlots) {
      ++warm_;
      free_.push_back(slot);
      return;
    }
    ::madvise(slot, kSlot, MADV_DONTNEED);
    free_.insert(free_.end() - static_cast<std::ptrdiff_t>(warm_), slot);
  }

 private:
  bool grow() {
    constexpr std::size_t kSize = kSlot * kSlotsAtOnce;
    void* const region =
        ::mmap(nullptr, kSize, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (region == MAP_FAILED) return false;
    // A huge page would be there as a whole.
    ::madvise(region, kSize, MADV_NOHUGEPAGE);
    regions_.push_back(region);
    free_.reserve(regions_.size() * kSlotsAtOnce);
    for (std::size_t i = kSlotsAtOnce; i > 0; --i) {
      free_.push_back(static_cast<char*>(region) + (i - 1) * kSlot);
    }
    return true;
  }

  std::vector<void*> regions_;
  std::vector<char*> free_;
  std::size_t warm_ = 0;
};

thread_local Slots slots;

}  // namespace

SessionMemory::SessionMemory() : slot_(kKeepFreedBlocks ? slots.take() : nullptr) {}

SessionMemory::~SessionMemory() {
  if (slot_ != nullptr) slots.give_back(slot_);
}

nghttp2_mem SessionMemory::functions() {
  return {.mem_user_data = this,
          .malloc = take,
          .free = give_back,
          .calloc = take_zeroed,
          .realloc = resize};
}

bool SessionMemory::in_slot(const void* block) const {
  const auto* const at = static_cast<const char*>(block);
  return slot_ != nullptr && at >= slot_ && at < slot_ + kSlot;
}

// Null where it does not fit.
void* SessionMemory::take_of_slot(std::size_t size) {
  if (!open_ || slot_ == nullptr) return nullptr;
  if (size >= kBuffer) {
    if (buffer_taken_ || size > kSlot - kTables) return nullptr;
    buffer_taken_ = true;
    return slot_ + kTables;
  }
  const std::size_t whole = (size + kHeader - 1) / kHeader * kHeader;
  if (whole > kTables - used_) return nullptr;
  char* const block = slot_ + used_;
  used_ += whole;
  return block;
}

void* SessionMemory::take(std::size_t size, void* self) {
  if (void* const block = static_cast<SessionMemory*>(self)->take_of_slot(size)) return block;
  if (size > std::numeric_limits<std::size_t>::max() - kHeader) return nullptr;
  void* const block = static_cast<char*>(pool_allocate(size + kHeader)) + kHeader;
  size_of(block) = size;
  return block;
}

// What is of the slot goes with it.
void SessionMemory::give_back(void* block, void* self) {
  if (block == nullptr || static_cast<SessionMemory*>(self)->in_slot(block)) return;
  pool_free(static_cast<char*>(block) - kHeader, size_of(block) + kHeader);
}

void* SessionMemory::take_zeroed(std::size_t count, std::size_t size, void* self) {
  if (size != 0 && count > std::numeric_limits<std::size_t>::max() / size) return nullptr;
  void* const block = take(count * size, self);
  if (block != nullptr) std::memset(block, 0, count * size);
  return block;
}

void* SessionMemory::resize(void* block, std::size_t size, void* self) {
  if (block == nullptr) return take(size, self);
  SessionMemory& memory = *static_cast<SessionMemory*>(self);
  // How long a block of the slot is nobody remembers: what is behind it may be copied as well.
  const std::size_t before =
      memory.in_slot(block)
          ? static_cast<std::size_t>(memory.slot_ + kSlot - static_cast<char*>(block))
          : size_of(block);
  void* const moved = take(size, self);
  if (moved == nullptr) return nullptr;
  std::memmove(moved, block, std::min(before, size));
  give_back(block, self);
  return moved;
}

}  // namespace penstock::http2
