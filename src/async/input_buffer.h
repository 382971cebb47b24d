// Where received bytes wait to be understood: storage that is only there while it is needed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "base/slab.h"

namespace penstock {

// The unread bytes of one stream, contiguous. An empty buffer holds no memory: a slab is taken when
// bytes are about to be read, and let go when the last of them is consumed.
class InputBuffer {
 public:
  [[nodiscard]] std::string_view unread() const {
    return slab_ ? std::string_view(slab_.get()->data() + begin_, end_ - begin_)
                 : std::string_view{};
  }
  [[nodiscard]] std::size_t size() const { return end_ - begin_; }
  [[nodiscard]] bool empty() const { return begin_ == end_; }

  // Drops the first n unread bytes.
  void consume(std::size_t n);
  // The first n unread bytes as a slice of their slab; consumes them.
  [[nodiscard]] Slice take(std::size_t n);

  // For the stream: room to read into, at least one byte. Unread bytes may move to a larger slab
  // when the present one is full; slices taken before stay valid.
  [[nodiscard]] std::span<char> writable();
  // n bytes of the room from writable() were filled; 0 gives the room back.
  void commit(std::size_t n);

  // How many bytes are expected to come, until told otherwise or all that came is consumed: picks
  // the size of the next slab.
  void expect(std::uint64_t bytes) { expected_ = bytes; }

 private:
  [[nodiscard]] SlabSize size_for(std::size_t unread) const;
  void release();

  SlabRef slab_;
  std::uint32_t begin_ = 0;
  std::uint32_t end_ = 0;
  std::uint64_t expected_ = 0;
};

}  // namespace penstock
