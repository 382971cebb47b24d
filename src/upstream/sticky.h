// Cookies that keep a user on one server: to find, to take out of the request, and to set.
//
// A Cookie field is a list of pairs NAME=VALUE between semicolons (RFC 6265 section 4.2.1). It is
// read the way servers do in practice: whitespace around pairs, names and values does not count,
// names are compared exactly, what has no "=" has no name, and a quote does not hide a semicolon.
// The work is linear in the length of the fields, which the limits of heads bound.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <optional>
#include <span>
#include <string_view>

#include "base/arena.h"
#include "base/hash.h"
#include "message/fields.h"

namespace penstock {

// The id of a server in a cookie: 16 hexadecimal digits.
using StickyId = std::array<char, 16>;

// The same for the same key and text (such as "10.0.0.1:80") on every thread and machine and in
// every version. With a secret key (make_hash_key() in base/hash.h) it does not reveal the text.
// Without one it only hides it from sight: addresses are few, and can be tried one by one.
[[nodiscard]] StickyId make_sticky_id(const HashKey& key, std::string_view identity);

[[nodiscard]] inline std::string_view text_of(const StickyId& id) { return {id.data(), id.size()}; }

// The index of the member with that id; none if it is the id of none.
[[nodiscard]] std::optional<std::size_t> find_sticky_member(std::span<const StickyId> ids,
                                                            std::string_view value);

// The value of the first cookie of that name in all Cookie lines, without surrounding quotes; none
// if there is none. Points into the field.
[[nodiscard]] std::optional<std::string_view> find_cookie(const FieldSection& fields,
                                                          std::string_view name);

// Removes every cookie of that name; false, and nothing changed, if there is none. The others stay
// as they are, joined in one line in the section's memory (RFC 6265 section 5.4 knows but one), and
// the field goes when none are left.
bool remove_cookie(FieldSection& fields, std::string_view name);

struct StickyCookie {
  std::string_view name;  // a token
  std::string_view id;
  std::chrono::seconds max_age{0};  // 0: until the browser is closed
  bool secure = false;              // the client uses TLS, and shall send it over TLS only
};

// The value of a Set-Cookie field (RFC 6265 section 4.1.1): not for scripts, and not for requests
// that other sites make. Lives as long as the arena.
[[nodiscard]] std::string_view set_cookie_value(Arena& arena, const StickyCookie& cookie);

}  // namespace penstock
