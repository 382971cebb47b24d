// What the proxy and a helper process share: memory with rings, and eventfds.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "base/error.h"
#include "helper/ring.h"
#include "helper/shared_memory.h"
#include "net/fd.h"

namespace penstock {

struct HelperShape {
  unsigned workers = 1;
  unsigned lanes = 1;                                // of each worker
  std::size_t ring_bytes = std::size_t{128} * 1024;  // a power of two, at least 64
};

// A pair of rings for each lane, and an eventfd for each worker, by which the helper wakes the
// worker's event loop (the helper itself sleeps in its rings). Made anew for each start of a
// helper. Either process has one; the proxy's is kept by the HelperProcess and by each
// ProcessChannel.
class HelperLink {
 public:
  // The proxy's side. Errors: io, overloaded.
  [[nodiscard]] static Result<std::shared_ptr<HelperLink>> create(const HelperShape& shape);
  // The helper's, from the descriptors that it has got. Errors: io; protocol when they are not what
  // they should be, as in a program that was not started by a HelperProcess.
  [[nodiscard]] static Result<std::shared_ptr<HelperLink>> open();

  // To be passed on as descriptors kFirst, kFirst + 1, ...
  static constexpr int kFirst = 3;
  [[nodiscard]] std::vector<int> descriptors() const;

  [[nodiscard]] const HelperShape& shape() const { return shape_; }
  // The process that made it.
  [[nodiscard]] std::int64_t parent() const { return parent_; }
  [[nodiscard]] Ring requests(unsigned worker, unsigned lane) const {
    return ring(worker, lane, false);
  }
  [[nodiscard]] Ring replies(unsigned worker, unsigned lane) const {
    return ring(worker, lane, true);
  }
  [[nodiscard]] int bell(unsigned worker) const { return bells_[worker].get(); }
  // The helper's: it is about to take requests. The proxy's: an eventfd that becomes readable then.
  void tell_ready() const;
  [[nodiscard]] int ready() const { return ready_.get(); }
  // Tells the helper that no more requests come. From any thread.
  void close_requests() const;

 private:
  HelperLink(const HelperShape& shape, std::int64_t parent, SharedMemory memory)
      : shape_(shape), parent_(parent), memory_(std::move(memory)) {}
  [[nodiscard]] Ring ring(unsigned worker, unsigned lane, bool reply) const;

  HelperShape shape_;
  std::int64_t parent_;
  SharedMemory memory_;
  std::vector<Fd> bells_;
  Fd ready_;
};

}  // namespace penstock
