// Header and trailer fields: the one table of known names, and the field section of a message.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

#include "base/arena.h"
#include "base/frame_pool.h"

namespace penstock {

// Fields the proxy itself acts on or writes. Every other name is `other`. At most 63 known ones.
// The registered names stand in the same order in fields.cc.
enum class FieldId : std::uint8_t {
  other,
  accept,
  age,
  authentication_info,
  authorization,
  cache_control,
  connection,
  content_encoding,
  content_length,
  content_type,
  cookie,
  date,
  etag,
  expect,
  expires,
  forwarded,
  host,
  if_match,
  if_modified_since,
  if_none_match,
  if_range,
  if_unmodified_since,
  keep_alive,
  last_modified,
  location,
  max_forwards,
  pragma,
  proxy_authenticate,
  proxy_authentication_info,
  proxy_authorization,
  proxy_connection,
  proxy_status,
  proxy_support,
  range,
  retry_after,
  server,
  set_cookie,
  te,
  trailer,
  transfer_encoding,
  upgrade,
  user_agent,
  vary,
  via,
  warning,
  www_authenticate,
  x_forwarded_for,
  x_forwarded_host,
  x_forwarded_proto,
  x_request_id,
  count_  // the number of ids
};

// The id of a name, compared without regard to case (RFC 9110 section 5.1).
[[nodiscard]] FieldId field_id(std::string_view name);
// The registered spelling; empty for `other`.
[[nodiscard]] std::string_view field_name(FieldId id);
// True for fields that end at each hop whether Connection names them or not (RFC 9110 section
// 7.6.1): Connection, Keep-Alive, Proxy-Connection, TE, Trailer, Transfer-Encoding, Upgrade,
// Proxy-Authenticate, Proxy-Authentication-Info, Proxy-Authorization, Proxy-Support. The last one
// is a proxy's word about its own connections (RFC 4559 section 6): passed on, it would be taken
// for ours.
[[nodiscard]] bool is_hop_by_hop(FieldId id);
// True for fields that must not be sent in a trailer section: framing, routing, request modifiers,
// authentication, content handling (RFC 9110 section 6.5.1).
[[nodiscard]] bool is_forbidden_in_trailers(FieldId id);

// Comparison of ASCII text without regard to case.
[[nodiscard]] bool equals_ignoring_case(std::string_view a, std::string_view b);
// The same, with "_" taken for "-": servers that hand fields to programs as variables (CGI, RFC
// 3875 section 4.1.18) cannot tell such names apart.
[[nodiscard]] bool is_alike(std::string_view a, std::string_view b);

struct Field {
  FieldId id = FieldId::other;
  std::string_view name;
  std::string_view value;  // without surrounding whitespace
};

// An ordered field section. Views point into the message's slab, into the section's own arena, or
// at static text. Several lines of one name stay several. Moving keeps all views valid.
class FieldSection {
 public:
  // Adds a line; the texts must outlive the section (or come from keep()).
  void add(FieldId id, std::string_view name, std::string_view value) {
    if (lines_.size() == lines_.capacity()) grow();
    // Leaves out the second test for room, so that this is small enough to be inlined.
    if (lines_.size() >= lines_.capacity()) std::unreachable();
    // By halves, as they come in registers: whole views would go through memory.
    Field& line = lines_.emplace_back();
    line.id = id;
    line.name = {name.data(), name.size()};
    line.value = {value.data(), value.size()};
    present_ |= bit(id);
  }
  void add(FieldId id, std::string_view value) { add(id, field_name(id), value); }
  // Takes room for exactly so many lines, where it has none yet: for sections that stay.
  void reserve_exactly(std::size_t lines) {
    if (lines_.capacity() == 0) lines_.reserve(lines);
  }
  // Copies text into memory that lives as long as the section.
  [[nodiscard]] std::string_view keep(std::string_view text) { return arena_.copy(text); }
  [[nodiscard]] Arena& arena() { return arena_; }

  // The first line of that id or name, or null. By id only for known ones.
  [[nodiscard]] const Field* find(FieldId id) const;
  [[nodiscard]] const Field* find(std::string_view name) const;
  [[nodiscard]] bool has(FieldId id) const {
    return (present_ & bit(id)) != 0 && find(id) != nullptr;
  }
  // The value of the first line, or an empty view.
  [[nodiscard]] std::string_view value(FieldId id) const;
  // How many lines there are of an id.
  [[nodiscard]] std::size_t count(FieldId id) const;

  // Removes all lines of that id or name; the number removed.
  std::size_t remove(FieldId id);
  std::size_t remove(std::string_view name);
  // Removes all lines for which `predicate(const Field&)` holds.
  template <class Predicate>
  std::size_t remove_if(Predicate predicate) {
    return std::erase_if(lines_, predicate);
  }
  // Replaces all lines of that id by one, in the place of the first of them or at the end. The
  // texts must outlive the section, as for add().
  void set(FieldId id, std::string_view value);
  void set(std::string_view name, std::string_view value);
  // Removes all lines. Text kept by keep() stays.
  void clear();

  [[nodiscard]] std::size_t size() const { return lines_.size(); }
  [[nodiscard]] bool empty() const { return lines_.empty(); }
  [[nodiscard]] auto begin() const { return lines_.begin(); }
  [[nodiscard]] auto end() const { return lines_.end(); }

 private:
  static constexpr std::uint64_t bit(FieldId id) {
    return std::uint64_t{1} << static_cast<unsigned>(id);
  }

  void grow();

  std::vector<Field, PoolAllocator<Field>> lines_;
  std::uint64_t present_ = 0;  // ids ever added: a quick "no"
  Arena arena_;
};

// Calls f(element) for each element of a comma-separated list value, without surrounding
// whitespace, empty ones left out, quoted strings respected (RFC 9110 section 5.6.1). A quoted
// string that is not closed takes all that follows.
template <class F>
void for_each_element(std::string_view value, F f) {
  const auto is_space = [](char c) { return c == ' ' || c == '\t'; };
  std::size_t start = 0;
  bool quoted = false;
  for (std::size_t i = 0; i <= value.size(); ++i) {
    if (i < value.size() && (quoted || value[i] != ',')) {
      if (value[i] == '"') quoted = !quoted;
      if (quoted && value[i] == '\\' && i + 1 < value.size()) ++i;
      continue;
    }
    std::string_view element = value.substr(start, i - start);
    while (!element.empty() && is_space(element.front())) element.remove_prefix(1);
    while (!element.empty() && is_space(element.back())) element.remove_suffix(1);
    if (!element.empty()) f(element);
    start = i + 1;
  }
}

}  // namespace penstock
