// nghttp2's memory.
#pragma once

#include <cstddef>

#include <nghttp2/nghttp2.h>

namespace penstock::http2 {

// The memory of one session; must outlive it. What a session takes while it is made stays as long
// as it does: its tables, some 9 KiB, and a buffer for frames of 16 KiB, of which only the first
// few hundred bytes are ever written to, unless a head is large. So that goes into one slot of
// whole pages, the buffer behind all else, and what is not written to takes no memory: an idle
// session takes 12 KiB instead of 26. All later blocks come from the thread's pool.
//
// Slots are recycled; they stay on the thread that took them, as connections do. Under
// AddressSanitizer there are none, so that each block is watched by itself.
class SessionMemory {
 public:
  SessionMemory();
  ~SessionMemory();
  SessionMemory(const SessionMemory&) = delete;
  SessionMemory& operator=(const SessionMemory&) = delete;

  // For the functions that make a session; nghttp2 copies it.
  [[nodiscard]] nghttp2_mem functions();
  // The session is made.
  void close_slot() { open_ = false; }

 private:
  static void* take(std::size_t size, void* self);
  static void give_back(void* block, void* self);
  static void* take_zeroed(std::size_t count, std::size_t size, void* self);
  static void* resize(void* block, std::size_t size, void* self);
  [[nodiscard]] void* take_of_slot(std::size_t size);
  [[nodiscard]] bool in_slot(const void* block) const;

  char* slot_;
  std::size_t used_ = 0;
  bool buffer_taken_ = false;
  bool open_ = true;
};

}  // namespace penstock::http2
