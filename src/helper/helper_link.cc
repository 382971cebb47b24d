#include "helper/helper_link.h"

#include <bit>
#include <cerrno>
#include <cstring>
#include <utility>

#include <fcntl.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/check.h"

namespace penstock {
namespace {

constexpr std::uint64_t kMagic = 0x70656e73746f636bU;
// The rings begin here, each at a multiple of this.
constexpr std::size_t kPage = 4096;
constexpr std::uint32_t kMaxLanes = 4096;  // of all workers
constexpr std::size_t kMaxRing = std::size_t{1} << 30;

// At the beginning of the memory. Written before the helper is started, read by it alone.
struct Preamble {
  std::uint64_t magic;
  std::uint32_t workers;
  std::uint32_t lanes;
  std::uint64_t ring_bytes;
  std::int64_t parent;
};

std::size_t ring_distance(const HelperShape& shape) {
  return (Ring::memory(shape.ring_bytes) + kPage - 1) / kPage * kPage;
}

std::size_t total_memory(const HelperShape& shape) {
  return kPage + std::size_t{2} * shape.workers * shape.lanes * ring_distance(shape);
}

bool is_possible(const HelperShape& shape) {
  return shape.workers > 0 && shape.lanes > 0 && shape.workers <= kMaxLanes &&
         shape.lanes <= kMaxLanes / shape.workers && std::has_single_bit(shape.ring_bytes) &&
         shape.ring_bytes >= 64 && shape.ring_bytes <= kMaxRing;
}

// A descriptor that was passed to us, and is not to be passed on.
Fd take_descriptor(int number) {
  ::fcntl(number, F_SETFD, FD_CLOEXEC);
  return Fd(number);
}

}  // namespace

Result<std::shared_ptr<HelperLink>> HelperLink::create(const HelperShape& shape) {
  PENSTOCK_CHECK(is_possible(shape));
  auto memory = SharedMemory::create(total_memory(shape));
  if (!memory) return fail(memory.error());
  const Preamble preamble{.magic = kMagic,
                          .workers = shape.workers,
                          .lanes = shape.lanes,
                          .ring_bytes = shape.ring_bytes,
                          .parent = ::getpid()};
  std::memcpy(memory->bytes().data(), &preamble, sizeof preamble);
  std::shared_ptr<HelperLink> link(new HelperLink(shape, preamble.parent, std::move(*memory)));
  for (unsigned worker = 0; worker < shape.workers; ++worker) {
    Fd bell(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
    if (!bell) return fail(error_from_errno(errno));
    link->bells_.push_back(std::move(bell));
  }
  link->ready_ = Fd(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
  if (!link->ready_) return fail(error_from_errno(errno));
  return link;
}

Result<std::shared_ptr<HelperLink>> HelperLink::open() {
  // What is not ours is left open.
  if (::fcntl(kFirst, F_GET_SEALS) < 0) return fail(ErrorKind::protocol);
  auto memory = SharedMemory::open(take_descriptor(kFirst));
  if (!memory) return fail(memory.error());
  Preamble preamble{};
  if (memory->bytes().size() < kPage) return fail(ErrorKind::protocol);
  std::memcpy(&preamble, memory->bytes().data(), sizeof preamble);
  const HelperShape shape{.workers = preamble.workers,
                          .lanes = preamble.lanes,
                          .ring_bytes = static_cast<std::size_t>(preamble.ring_bytes)};
  if (preamble.magic != kMagic || !is_possible(shape) ||
      memory->bytes().size() != total_memory(shape)) {
    return fail(ErrorKind::protocol);
  }
  memory->close_file();
  std::shared_ptr<HelperLink> link(new HelperLink(shape, preamble.parent, std::move(*memory)));
  for (unsigned worker = 0; worker < shape.workers; ++worker) {
    link->bells_.push_back(take_descriptor(kFirst + 1 + static_cast<int>(worker)));
  }
  link->ready_ = take_descriptor(kFirst + 1 + static_cast<int>(shape.workers));
  return link;
}

std::vector<int> HelperLink::descriptors() const {
  std::vector<int> all{memory_.fd()};
  for (const Fd& bell : bells_) all.push_back(bell.get());
  all.push_back(ready_.get());
  return all;
}

void HelperLink::tell_ready() const {
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto written = ::write(ready_.get(), &one, sizeof one);
}

Ring HelperLink::ring(unsigned worker, unsigned lane, bool reply) const {
  PENSTOCK_CHECK(worker < shape_.workers && lane < shape_.lanes);
  const std::size_t number = std::size_t{2} * (worker * shape_.lanes + lane) + (reply ? 1 : 0);
  return Ring::in(memory_.bytes().subspan(kPage + number * ring_distance(shape_),
                                          Ring::memory(shape_.ring_bytes)));
}

void HelperLink::close_requests() const {
  for (unsigned worker = 0; worker < shape_.workers; ++worker) {
    for (unsigned lane = 0; lane < shape_.lanes; ++lane) requests(worker, lane).close();
  }
}

}  // namespace penstock
