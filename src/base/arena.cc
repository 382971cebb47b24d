#include "base/arena.h"

#include <algorithm>
#include <cstring>
#include <new>

#include "base/frame_pool.h"

namespace penstock {
namespace {
constexpr std::size_t kChunk = 512;
}  // namespace

Arena::~Arena() {
  while (chunks_ != nullptr) {
    Chunk* chunk = chunks_;
    chunks_ = chunk->next;
    pool_free(chunk, chunk->size);
  }
}

char* Arena::allocate(std::size_t size) {
  if (chunks_ == nullptr || chunks_->size - chunks_->used < size) {
    const std::size_t block = std::max(kChunk, sizeof(Chunk) + size);
    chunks_ = ::new (pool_allocate(block)) Chunk{chunks_, block, sizeof(Chunk)};
  }
  char* place = reinterpret_cast<char*>(chunks_) + chunks_->used;
  chunks_->used += size;
  return place;
}

std::string_view Arena::copy(std::string_view text) { return join(text, {}); }

std::string_view Arena::join(std::string_view a, std::string_view b, std::string_view c,
                             std::string_view d) {
  const std::size_t size = a.size() + b.size() + c.size() + d.size();
  if (size == 0) return {};
  char* const start = allocate(size);
  char* to = start;
  for (const std::string_view part : {a, b, c, d}) {
    if (!part.empty()) std::memcpy(to, part.data(), part.size());
    to += part.size();
  }
  return {start, size};
}

}  // namespace penstock
