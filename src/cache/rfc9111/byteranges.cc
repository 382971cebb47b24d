#include "cache/rfc9111/byteranges.h"

#include <limits>

#include <fmt/format.h>

#include "cache/rfc9111/ranges.h"

namespace penstock::rfc9111 {

ByterangesFrame::ByterangesFrame(std::array<std::uint64_t, 2> random, std::string_view content_type,
                                 std::span<const ByteSpan> spans,
                                 std::optional<std::uint64_t> length)
    : boundary_(fmt::format("{:016x}{:016x}", random[0], random[1])),
      part_type_(content_type),
      spans_(spans),
      length_(length) {}

std::string ByterangesFrame::content_type() const {
  return "multipart/byteranges; boundary=" + boundary_;
}

std::string ByterangesFrame::head(std::size_t i) const {
  std::string text = (i == 0 ? "--" : "\r\n--") + boundary_ + "\r\n";
  if (!part_type_.empty()) text.append("Content-Type: ").append(part_type_).append("\r\n");
  const ContentRange range{.span = spans_[i], .length = length_};
  return text + "Content-Range: " + content_range_text(range) + "\r\n\r\n";
}

std::string ByterangesFrame::tail() const { return "\r\n--" + boundary_ + "--\r\n"; }

std::uint64_t ByterangesFrame::total_size() const {
  std::uint64_t total = tail().size();
  for (std::size_t i = 0; i < spans_.size(); ++i) {
    for (const std::uint64_t size : {std::uint64_t{head(i).size()}, spans_[i].size()}) {
      if (size > std::numeric_limits<std::uint64_t>::max() - total) {
        return std::numeric_limits<std::uint64_t>::max();
      }
      total += size;
    }
  }
  return total;
}

}  // namespace penstock::rfc9111
