// Reference-counted byte blocks and views of them: how bytes travel through the proxy uncopied.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <utility>

namespace penstock {

// The block sizes there are. Small ones hold heads and small bodies, large ones bodies in motion,
// huge ones only heads of unusual size, which have to be contiguous. A keeper has no bytes.
enum class SlabSize : std::uint8_t { small, medium, large, huge, keeper };
inline constexpr std::size_t kSmallSlab = 4 * 1024;
inline constexpr std::size_t kMediumSlab = 16 * 1024;
inline constexpr std::size_t kLargeSlab = 68 * 1024;  // a head of 64 KiB fits with room to spare
inline constexpr std::size_t kHugeSlab = 512 * 1024;

// A block of bytes from the thread's pool, counted by its SlabRefs. Belongs to one thread.
class alignas(16) Slab {
 public:
  [[nodiscard]] char* data() { return reinterpret_cast<char*>(this + 1); }
  [[nodiscard]] std::size_t capacity() const { return capacity_; }
  [[nodiscard]] bool unique() const { return references_ == 1; }

 private:
  friend class SlabRef;
  friend class SlabPool;
  Slab(std::uint32_t capacity, SlabSize size) : capacity_(capacity), size_(size) {}

  std::uint32_t references_ = 0;
  std::uint32_t capacity_;
  SlabSize size_;
};

// Shares a Slab; the last one gives it back to the pool.
class SlabRef {
 public:
  SlabRef() = default;
  explicit SlabRef(Slab* slab) : slab_(slab) { retain(); }
  SlabRef(const SlabRef& other) : slab_(other.slab_) { retain(); }
  SlabRef(SlabRef&& other) noexcept : slab_(std::exchange(other.slab_, nullptr)) {}
  SlabRef& operator=(SlabRef other) noexcept {
    std::swap(slab_, other.slab_);
    return *this;
  }
  ~SlabRef() { release(); }

  [[nodiscard]] Slab* get() const { return slab_; }
  Slab* operator->() const { return slab_; }
  explicit operator bool() const { return slab_ != nullptr; }

 private:
  void retain() {
    if (slab_ != nullptr) ++slab_->references_;
  }
  void release();

  Slab* slab_ = nullptr;
};

// The thread's slabs: free ones by size, and the count of bytes in use, which admission control
// compares with its bound (see Settings of the server room).
class SlabPool {
 public:
  // The smallest size with a capacity of `bytes`; the largest one if there is none.
  [[nodiscard]] static SlabSize fitting(std::size_t bytes);
  // A slab of the calling thread's pool; allocates when none is free.
  static SlabRef take(SlabSize size);
  // A slab without bytes that keeps something else alive, such as memory that threads share: slices
  // of that memory have it as their owner. Its references are the thread's own, so that counting
  // them takes no atomic operation; `kept` is released with the last of them.
  static SlabRef keep(std::shared_ptr<const void> kept);
  // Bytes of slabs the calling thread has handed out and not got back.
  static std::size_t bytes_in_use();
  // Gives back to the system the free slabs that the calling thread has not needed since the last
  // call; see pool_trim(). The bytes given back.
  static std::size_t trim() noexcept;

 private:
  friend class SlabRef;
  struct Keeper;
  static void give_back(Slab* slab) noexcept;
};

inline void SlabRef::release() {
  if (slab_ != nullptr && --slab_->references_ == 0) SlabPool::give_back(slab_);
}

// A view of bytes that keeps the slab under it alive. Bytes not in a slab (literals, memory that
// the caller keeps alive) are viewed by a Slice without owner.
class Slice {
 public:
  Slice() = default;
  // A view of `bytes`, which must outlive it.
  explicit Slice(std::string_view bytes) : bytes_(bytes) {}
  // A view of `bytes`, which lie in `owner`.
  Slice(SlabRef owner, std::string_view bytes) : owner_(std::move(owner)), bytes_(bytes) {}

  [[nodiscard]] std::string_view view() const { return bytes_; }
  [[nodiscard]] const char* data() const { return bytes_.data(); }
  [[nodiscard]] std::size_t size() const { return bytes_.size(); }
  [[nodiscard]] bool empty() const { return bytes_.empty(); }
  [[nodiscard]] const SlabRef& owner() const { return owner_; }

  void remove_prefix(std::size_t n) { bytes_.remove_prefix(n); }
  void remove_suffix(std::size_t n) { bytes_.remove_suffix(n); }

 private:
  SlabRef owner_;
  std::string_view bytes_;
};

}  // namespace penstock
