// Text that lives as long as a message: bump allocation from recycled chunks.
#pragma once

#include <cstddef>
#include <string_view>
#include <utility>

namespace penstock {

// Copies text into chunks of its own; views stay valid until the arena is destroyed, also when it
// is moved. Takes no memory until first used.
class Arena {
 public:
  Arena() = default;
  Arena(Arena&& other) noexcept : chunks_(std::exchange(other.chunks_, nullptr)) {}
  Arena& operator=(Arena&& other) noexcept {
    std::swap(chunks_, other.chunks_);
    return *this;
  }
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;
  ~Arena();

  [[nodiscard]] bool empty() const { return chunks_ == nullptr; }
  // No view is valid any more.
  void clear() {
    if (!empty()) *this = Arena();
  }

  // `size` bytes, not initialised.
  [[nodiscard]] char* allocate(std::size_t size);
  [[nodiscard]] std::string_view copy(std::string_view text);
  // The parts joined in a copy.
  [[nodiscard]] std::string_view join(std::string_view a, std::string_view b,
                                      std::string_view c = {}, std::string_view d = {});

 private:
  struct Chunk {
    Chunk* next;
    std::size_t size;  // of the whole block
    std::size_t used;  // with this header
  };
  Chunk* chunks_ = nullptr;
};

}  // namespace penstock
