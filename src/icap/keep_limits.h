// How much of a body is kept, and where.
#pragma once

#include <cstdint>
#include <string>

namespace penstock::icap {

struct KeepLimits {
  std::uint64_t memory = std::uint64_t{1} * 1024 * 1024;   // bytes in memory; more go into a file
  std::uint64_t total = std::uint64_t{256} * 1024 * 1024;  // bytes altogether
  std::string folder = "/var/tmp";                         // of the file, which has no name
};

}  // namespace penstock::icap
