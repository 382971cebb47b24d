#include "helper/shared_memory.h"

#include <cerrno>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

namespace penstock {
namespace {

constexpr int kSeals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;

}  // namespace

Result<SharedMemory> SharedMemory::create(std::size_t size) {
  Fd file(::memfd_create("penstock", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!file) return fail(error_from_errno(errno));
  // All of it now: where memory runs out later, touching it would end the process.
  const int problem = ::posix_fallocate(file.get(), 0, static_cast<off_t>(size));
  if (problem != 0) return fail(error_from_errno(problem));
  if (::fcntl(file.get(), F_ADD_SEALS, kSeals) != 0) return fail(error_from_errno(errno));
  return map(std::move(file), size);
}

Result<SharedMemory> SharedMemory::open(Fd file) {
  struct stat status{};
  if (::fstat(file.get(), &status) != 0) return fail(error_from_errno(errno));
  if (::fcntl(file.get(), F_GET_SEALS) != kSeals) return fail(ErrorKind::protocol);
  return map(std::move(file), static_cast<std::size_t>(status.st_size));
}

Result<SharedMemory> SharedMemory::map(Fd file, std::size_t size) {
  void* const address = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, file.get(), 0);
  if (address == MAP_FAILED) return fail(error_from_errno(errno));
  return SharedMemory(std::move(file), {static_cast<std::byte*>(address), size});
}

SharedMemory::~SharedMemory() {
  if (!memory_.empty()) ::munmap(memory_.data(), memory_.size());
}

}  // namespace penstock
