// Heads and trailers in the form in which nghttp2 takes them.
#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <nghttp2/nghttp2.h>

#include "base/frame_pool.h"
#include "message/head.h"

namespace penstock::http2 {

struct RequestPseudo;

// The largest section that is sent, as list_size() counts; no message has a larger one that came
// within the limits of the configuration, whatever is added on the way.
inline constexpr std::size_t kLargestHead = std::size_t{1024} * 1024;

// Points into the head, which must stay until it was submitted: nghttp2 copies all but static text.
// What belongs to a connection of HTTP/1 is left out (RFC 9113 section 8.2.2). Names get lower case
// here or in nghttp2.
class NameValues {
 public:
  NameValues(const RequestHead& head, const RequestPseudo& pseudo);
  explicit NameValues(const ResponseHead& head);
  // Without what trailers must not have (RFC 9110 section 6.5.1).
  static NameValues of_trailers(const FieldSection& trailers);

  [[nodiscard]] const nghttp2_nv* data() const { return lines_.data(); }
  [[nodiscard]] std::size_t size() const { return lines_.size(); }
  // As SETTINGS_MAX_HEADER_LIST_SIZE counts: names and values, and 32 for each line (RFC 9113
  // section 6.5.2).
  [[nodiscard]] std::size_t list_size() const;

 private:
  NameValues() = default;
  void add_pseudo(std::string_view name, std::string_view value);
  void add(const Field& field);
  std::string_view path_of(const Target& target);

  std::vector<nghttp2_nv, PoolAllocator<nghttp2_nv>> lines_;
  std::array<char, 3> status_{};
  std::string path_;  // where the target's lacks its slash
};

}  // namespace penstock::http2
