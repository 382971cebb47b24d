// Memory that two processes share.
#pragma once

#include <cstddef>
#include <span>
#include <utility>

#include "base/error.h"
#include "net/fd.h"

namespace penstock {

// A mapping of a memory file, readable and writable, until it is destroyed. Its size is sealed: the
// other process cannot make it smaller, which would end whoever touches the rest.
class SharedMemory {
 public:
  // Zeros, without a name that others could open. Errors: io, overloaded.
  [[nodiscard]] static Result<SharedMemory> create(std::size_t size);
  // One made by create(), got from another process. Errors: io; protocol when it is not sealed.
  [[nodiscard]] static Result<SharedMemory> open(Fd file);

  SharedMemory(SharedMemory&& other) noexcept
      : file_(std::move(other.file_)), memory_(std::exchange(other.memory_, {})) {}
  SharedMemory& operator=(SharedMemory&& other) noexcept {
    file_ = std::move(other.file_);
    std::swap(memory_, other.memory_);
    return *this;
  }
  SharedMemory(const SharedMemory&) = delete;
  SharedMemory& operator=(const SharedMemory&) = delete;
  ~SharedMemory();

  [[nodiscard]] std::span<std::byte> bytes() const { return memory_; }
  [[nodiscard]] int fd() const { return file_.get(); }
  // Closes the file; the mapping stays.
  void close_file() { file_.reset(); }

 private:
  SharedMemory(Fd file, std::span<std::byte> memory) : file_(std::move(file)), memory_(memory) {}
  static Result<SharedMemory> map(Fd file, std::size_t size);

  Fd file_;
  std::span<std::byte> memory_;
};

}  // namespace penstock
