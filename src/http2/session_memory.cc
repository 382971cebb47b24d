#include "http2/session_memory.h"

#include <cstddef>
#include <cstring>
#include <limits>

#include "base/frame_pool.h"

namespace penstock::http2 {
namespace {

// The pool wants to hear the size again when a block is given back: it stands before the block.
constexpr std::size_t kHeader = alignof(std::max_align_t);

std::size_t& size_of(void* block) {
  return *reinterpret_cast<std::size_t*>(static_cast<char*>(block) - kHeader);
}

void* take(std::size_t size, void* /*unused*/) {
  if (size > std::numeric_limits<std::size_t>::max() - kHeader) return nullptr;
  void* const block = static_cast<char*>(pool_allocate(size + kHeader)) + kHeader;
  size_of(block) = size;
  return block;
}

void give_back(void* block, void* /*unused*/) {
  if (block == nullptr) return;
  pool_free(static_cast<char*>(block) - kHeader, size_of(block) + kHeader);
}

void* take_zeroed(std::size_t count, std::size_t size, void* unused) {
  if (size != 0 && count > std::numeric_limits<std::size_t>::max() / size) return nullptr;
  void* const block = take(count * size, unused);
  if (block != nullptr) std::memset(block, 0, count * size);
  return block;
}

void* resize(void* block, std::size_t size, void* unused) {
  if (block == nullptr) return take(size, unused);
  const std::size_t before = size_of(block);
  void* const moved = take(size, unused);
  if (moved == nullptr) return nullptr;
  std::memcpy(moved, block, before < size ? before : size);
  give_back(block, unused);
  return moved;
}

}  // namespace

nghttp2_mem* session_memory() {
  static nghttp2_mem memory{.mem_user_data = nullptr,
                            .malloc = take,
                            .free = give_back,
                            .calloc = take_zeroed,
                            .realloc = resize};
  return &memory;
}

}  // namespace penstock::http2
