#include "http2/name_values.h"

#include <cstdint>

#include "base/text.h"
#include "http2/stream.h"
#include "message/hop.h"

namespace penstock::http2 {
namespace {

constexpr std::size_t kIds = static_cast<std::size_t>(FieldId::count_);
constexpr std::size_t kLongest = 32;

using LowerNames = std::array<std::array<char, kLongest>, kIds>;

LowerNames make_lower_names() {
  LowerNames names{};
  for (std::size_t i = 0; i < kIds; ++i) {
    const std::string_view name = field_name(static_cast<FieldId>(i));
    for (std::size_t k = 0; k < name.size(); ++k) names[i][k] = to_lower(name[k]);
  }
  return names;
}

const LowerNames& lower_names() {
  static const LowerNames names = make_lower_names();
  return names;
}

std::uint8_t* bytes_of(std::string_view text) {
  return reinterpret_cast<std::uint8_t*>(const_cast<char*>(text.data()));
}

// Fields of the connection, and those that say something only there.
bool is_left_out(const Field& field) {
  switch (field.id) {
    case FieldId::connection:
    case FieldId::keep_alive:
    case FieldId::proxy_connection:
    case FieldId::proxy_support:
    case FieldId::transfer_encoding:
    case FieldId::upgrade:
      return true;
    case FieldId::te:
      return !equals_ignoring_case(field.value, "trailers");
    default:
      return false;
  }
}

// What must not be put where a later guess of its value could be compared with it (RFC 7541 section
// 7.1.3).
std::uint8_t secrecy_of(FieldId id) {
  return id == FieldId::authorization || id == FieldId::proxy_authorization
             ? NGHTTP2_NV_FLAG_NO_INDEX
             : NGHTTP2_NV_FLAG_NONE;
}

}  // namespace

// RFC 9113 section 8.3.1: never empty, and as in HTTP/1 it begins with a slash.
std::string_view NameValues::path_of(const Target& target) {
  if (target.path_and_query.empty()) return "/";
  if (!target.needs_slash) return target.path_and_query;
  path_ = "/";
  path_ += target.path_and_query;
  return path_;
}

void NameValues::add_pseudo(std::string_view name, std::string_view value) {
  lines_.push_back({.name = bytes_of(name),
                    .value = bytes_of(value),
                    .namelen = name.size(),
                    .valuelen = value.size(),
                    .flags = NGHTTP2_NV_FLAG_NO_COPY_NAME});
}

void NameValues::add(const Field& field) {
  const bool known = field.id != FieldId::other;
  const std::string_view name =
      known ? std::string_view(lower_names()[static_cast<std::size_t>(field.id)].data(),
                               field.name.size())
            : field.name;
  lines_.push_back(
      {.name = bytes_of(name),
       .value = bytes_of(field.value),
       .namelen = name.size(),
       .valuelen = field.value.size(),
       .flags = static_cast<std::uint8_t>(
           secrecy_of(field.id) | (known ? NGHTTP2_NV_FLAG_NO_COPY_NAME : NGHTTP2_NV_FLAG_NONE))});
}

NameValues::NameValues(const RequestHead& head, const RequestPseudo& pseudo) {
  lines_.reserve(head.fields.size() + 5);
  const bool extended = !pseudo.protocol.empty();
  const bool tunnel = head.method == Method::connect && !extended;
  const std::string_view authority =
      !pseudo.authority.empty() ? pseudo.authority : head.fields.value(FieldId::host);
  add_pseudo(":method", extended ? std::string_view("CONNECT") : head.method_text);
  if (tunnel) {
    add_pseudo(":authority", pseudo.authority.empty() ? head.target.authority : pseudo.authority);
  } else {
    add_pseudo(":scheme", pseudo.scheme);
    add_pseudo(":authority", authority);
    add_pseudo(":path", pseudo.path.empty() ? path_of(head.target) : pseudo.path);
    if (extended) add_pseudo(":protocol", pseudo.protocol);
  }
  for (const Field& field : head.fields) {
    if (field.id == FieldId::host || is_left_out(field)) continue;
    if (extended && equals_ignoring_case(field.name, "Sec-WebSocket-Key")) continue;
    add(field);
  }
}

NameValues::NameValues(const ResponseHead& head) {
  lines_.reserve(head.fields.size() + 1);
  status_ = {static_cast<char>('0' + head.status / 100),
             static_cast<char>('0' + head.status / 10 % 10),
             static_cast<char>('0' + head.status % 10)};
  add_pseudo(":status", {status_.data(), status_.size()});
  for (const Field& field : head.fields) {
    if (!is_left_out(field)) add(field);
  }
}

std::size_t NameValues::list_size() const {
  constexpr std::size_t kOverhead = 32;
  std::size_t size = 0;
  for (const nghttp2_nv& line : lines_) size += line.namelen + line.valuelen + kOverhead;
  return size;
}

NameValues NameValues::of_trailers(const FieldSection& trailers) {
  NameValues result;
  result.lines_.reserve(trailers.size());
  for (const Field& field : trailers) {
    if (!is_forbidden_in_trailers(field.id)) result.add(field);
  }
  return result;
}

}  // namespace penstock::http2
