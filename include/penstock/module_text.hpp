// What modules read and write of HTTP's texts: names without case, patterns, lists, weights, URLs,
// networks. Part of penstock/module.hpp, but needs nothing of it.
//
// Case is that of ASCII. Views point into what they were made of.
#ifndef PENSTOCK_MODULE_TEXT_HPP
#define PENSTOCK_MODULE_TEXT_HPP

#include <algorithm>
#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <arpa/inet.h>
#include <netinet/in.h>

namespace penstock {

// -- Letters ----------------------------------------------------------------------------------

[[nodiscard]] constexpr char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
}
[[nodiscard]] inline std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = lower(c);
  return out;
}
// Whether they are the same in any case, as names of fields, hosts and codings are.
[[nodiscard]] inline bool same(std::string_view a, std::string_view b) {
  return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(),
                                            [](char x, char y) { return lower(x) == lower(y); });
}
[[nodiscard]] inline bool starts_with(std::string_view text, std::string_view begin) {
  return text.substr(0, begin.size()) == begin;
}
// Without blanks (spaces and tabs) at both ends.
[[nodiscard]] inline std::string_view trimmed(std::string_view text) {
  const std::size_t begin = std::min(text.find_first_not_of(" \t"), text.size());
  return text.substr(begin, text.find_last_not_of(" \t") + 1 - begin);
}

// Whether all of the text is what the pattern says, in which "*" stands for any text. Takes at most
// as many steps as both are long, multiplied.
[[nodiscard]] inline bool matches(std::string_view pattern, std::string_view text) {
  std::size_t p = 0, t = 0, star = std::string_view::npos, from = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      from = t;
    } else if (p < pattern.size() && pattern[p] == text[t]) {
      ++p, ++t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = ++from;
    } else {
      return false;
    }
  }
  return pattern.find_first_not_of('*', p) == std::string_view::npos;
}
// Whether one of these patterns (texts of any kind) does.
template <class Patterns>
[[nodiscard]] bool matches_any(const Patterns& patterns, std::string_view text) {
  return std::any_of(std::begin(patterns), std::end(patterns),
                     [&](std::string_view pattern) { return matches(pattern, text); });
}
// Whether one of these is the name, in any case.
template <class Names>
[[nodiscard]] bool is_one_of(const Names& names, std::string_view name) {
  return std::any_of(std::begin(names), std::end(names),
                     [&](std::string_view one) { return same(one, name); });
}

// -- Lists ------------------------------------------------------------------------------------

// What is between the separators, without blanks around it; what is empty then is left out.
[[nodiscard]] inline std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> out;
  while (!text.empty()) {
    const std::string_view element = text.substr(0, text.find(separator));
    text.remove_prefix(std::min(element.size() + 1, text.size()));
    if (!trimmed(element).empty()) out.push_back(trimmed(element));
  }
  return out;
}

// The elements of the list that a field's value is (RFC 9110 section 5.6.1), and with ';' those of
// an element, its parameters. Separators in quoted strings are none.
[[nodiscard]] inline std::vector<std::string_view> elements(std::string_view list,
                                                            char separator = ',') {
  std::vector<std::string_view> out;
  std::size_t begin = 0;
  bool quoted = false;
  for (std::size_t i = 0; i <= list.size(); ++i) {
    if (i >= list.size() || (!quoted && list[i] == separator)) {
      const std::string_view element = trimmed(list.substr(begin, i - begin));
      if (!element.empty()) out.push_back(element);
      begin = i + 1;
    } else if (list[i] == '"') {
      quoted = !quoted;
    } else if (quoted && list[i] == '\\' && i + 1 < list.size()) {
      ++i;
    }
  }
  return out;
}

// Whether the name is one of the elements of the list, in any case: "close" in Connection.
[[nodiscard]] inline bool has_element(std::string_view list, std::string_view name) {
  return is_one_of(elements(list), name);
}

// What is before the parameters of an element: "text/html" of "text/html; charset=utf-8".
[[nodiscard]] inline std::string_view without_parameters(std::string_view element) {
  return trimmed(element.substr(0, element.find(';')));
}

// -- Negotiation (RFC 9110 section 12) --------------------------------------------------------

// The weight of an element: 0.5 of "br;q=0.5", 1 where it says none. 0, which means that it is not
// wanted at all, also where what it says is no weight.
[[nodiscard]] inline double weight(std::string_view element) {
  const std::vector<std::string_view> parts = elements(element, ';');
  for (std::size_t i = 1; i < parts.size(); ++i) {
    if (!same(parts[i].substr(0, 2), "q=")) continue;
    const std::string_view value = parts[i].substr(2);
    int out = 0, unit = 1000;
    for (std::size_t digit = 0; digit < value.size(); ++digit) {
      const bool is_point = digit == 1 && value[digit] == '.';
      if (!is_point && (value[digit] < '0' || value[digit] > '9')) return 0;
      if (!is_point)
        out = std::min(out + std::exchange(unit, unit / 10) * (value[digit] - '0'), 1000);
    }
    return out / 1000.0;
  }
  return 1;
}

// What a list says of a name, in any case: its weight, the highest where it is there several times.
// Nothing: it is not there.
[[nodiscard]] inline std::optional<double> weight_of(std::string_view list, std::string_view name) {
  std::optional<double> out;
  for (const std::string_view element : elements(list)) {
    if (same(without_parameters(element), name)) out = std::max(out.value_or(0), weight(element));
  }
  return out;
}

// How much a client wants a media type, by its Accept: what is said of the type itself counts, or
// else of "text/*", or else of "*/*". An empty list: 1, anything.
[[nodiscard]] inline double weight_of_type(std::string_view accept, std::string_view type) {
  if (elements(accept).empty()) return 1;
  const std::string all_of_kind = std::string(type.substr(0, type.find('/'))) + "/*";
  for (const std::string_view range : {type, std::string_view(all_of_kind)}) {
    if (const std::optional<double> said = weight_of(accept, range)) return *said;
  }
  return weight_of(accept, "*/*").value_or(0);
}

// The content coding that a client likes best, by its Accept-Encoding, of those that are offered;
// of several that it likes as much, the first. Empty: it takes none of them, or likes content as it
// is (identity) better.
[[nodiscard]] inline std::string best_coding(std::string_view accepted,
                                             const std::vector<std::string>& offered) {
  const double other = weight_of(accepted, "*").value_or(0);
  std::string best;
  double best_weight = 0;
  for (const std::string& coding : offered) {
    std::optional<double> said = weight_of(accepted, coding);
    if (!said && (coding == "gzip" || coding == "compress")) {
      said = weight_of(accepted, "x-" + coding);  // RFC 9110 section 8.4.1
    }
    if (said.value_or(other) <= best_weight) continue;
    best = coding;
    best_weight = said.value_or(other);
  }
  return best_weight >= weight_of(accepted, "identity").value_or(other) ? best : "";
}

// -- Fields -----------------------------------------------------------------------------------

// An entity tag as one that is weak (RFC 9110 section 8.8.1): W/"1" of "1", and of W/"1". What is
// none stays as it is.
[[nodiscard]] inline std::string weak_tag(std::string_view tag) {
  return (starts_with(tag, "\"") ? "W/" : "") + std::string(tag);
}

// Whether a field belongs to one connection, or says where a message goes and how it is framed. The
// proxy writes these itself: modules neither change them nor send them on elsewhere. (What the
// field Connection names is beside that.)
[[nodiscard]] inline bool is_field_of_proxy(std::string_view name) {
  constexpr std::array<std::string_view, 13> kNames = {"Host",
                                                       "Content-Length",
                                                       "Connection",
                                                       "Keep-Alive",
                                                       "Proxy-Connection",
                                                       "TE",
                                                       "Trailer",
                                                       "Transfer-Encoding",
                                                       "Upgrade",
                                                       "Proxy-Authenticate",
                                                       "Proxy-Authentication-Info",
                                                       "Proxy-Authorization",
                                                       "Proxy-Support"};
  return is_one_of(kNames, name);
}

// -- URLs -------------------------------------------------------------------------------------

// "host:port"; the host may be an IPv6 address in brackets, which belong to it.
struct Authority {
  std::string_view host;
  std::string_view port;  // empty: none
};
[[nodiscard]] inline Authority split_authority(std::string_view text) {
  const std::size_t bracket = text.find(']');
  const std::size_t colon = text.find(':', bracket == std::string_view::npos ? 0 : bracket);
  if (colon == std::string_view::npos) return {text, {}};
  return {text.substr(0, colon), text.substr(colon + 1)};
}

struct Url {
  std::string_view scheme;
  std::string_view user;       // before "@"; empty: none
  std::string_view authority;  // behind it: host and port
  std::string_view host;
  std::string_view port;
  std::string_view path;  // with query and fragment; may be empty, or begin with "?" or "#"
};
// Of "https://host:port/path?query" and the like; nothing where scheme or host are missing.
[[nodiscard]] inline std::optional<Url> split_url(std::string_view text) {
  const std::size_t slashes = text.find("://");
  if (slashes == 0 || slashes == std::string_view::npos ||
      text.find_first_of("/?#") != slashes + 1) {
    return std::nullopt;
  }
  Url out;
  out.scheme = text.substr(0, slashes);
  text.remove_prefix(slashes + 3);
  out.authority = text.substr(0, text.find_first_of("/?#"));
  out.path = text.substr(out.authority.size());
  if (const std::size_t at = out.authority.rfind('@'); at != std::string_view::npos) {
    out.user = out.authority.substr(0, at);
    out.authority.remove_prefix(at + 1);
  }
  const Authority authority = split_authority(out.authority);
  out.host = authority.host;
  out.port = authority.port;
  return out.host.empty() ? std::nullopt : std::optional(out);
}

// Each "%2F" as the byte that it stands for; what is not followed by two hexadecimal digits stays.
[[nodiscard]] inline std::string percent_decoded(std::string_view text) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool room = text[i] == '%' && i + 2 < text.size();
    const std::size_t high = room ? kDigits.find(lower(text[i + 1])) : std::string_view::npos;
    const std::size_t low = room ? kDigits.find(lower(text[i + 2])) : std::string_view::npos;
    const bool is_code = high != std::string_view::npos && low != std::string_view::npos;
    out += is_code ? static_cast<char>(high * 16 + low) : text[i];
    if (is_code) i += 2;
  }
  return out;
}

// The values of that name in a query ("a=1&b=2&a=3", without "?"), decoded, in their order.
[[nodiscard]] inline std::vector<std::string> query_values(std::string_view query,
                                                           std::string_view name) {
  std::vector<std::string> out;
  for (const std::string_view pair : split(query, '&')) {
    const std::size_t equals = pair.find('=');
    if (equals == std::string_view::npos || percent_decoded(pair.substr(0, equals)) != name) {
      continue;
    }
    out.push_back(percent_decoded(pair.substr(equals + 1)));
  }
  return out;
}

// -- Others -----------------------------------------------------------------------------------

// A string of JSON, in quotes. Bytes outside of ASCII are written as \u0080 to \u00ff.
[[nodiscard]] inline std::string json_string(std::string_view text) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte < 0x7f && c != '"' && c != '\\') {
      out += c;
    } else {
      out.append("\\u00").append(1, kDigits[byte >> 4]).append(1, kDigits[byte & 15]);
    }
  }
  return out + "\"";
}

// Addresses that begin alike: "10.1.0.0/16", "2001:db8::/32", or one: "192.0.2.1".
class Network {
 public:
  // Nothing where the text is none.
  [[nodiscard]] static std::optional<Network> parse(std::string_view text) {
    const std::string address(text.substr(0, text.find('/')));
    const bool is_v4 = address.find(':') == std::string::npos;
    const std::string_view bits = address.size() < text.size() ? text.substr(address.size() + 1)
                                  : is_v4                      ? "32"
                                                               : "128";
    Network out;
    out.length_ = is_v4 ? 96 : 0;
    const std::string v6 = is_v4 ? "::ffff:" + address : address;
    if (inet_pton(AF_INET6, v6.c_str(), out.bytes_.data()) != 1 || bits.empty() ||
        bits.size() > 3 || bits.find_first_not_of("0123456789") != std::string_view::npos) {
      return std::nullopt;
    }
    unsigned count = 0;
    for (const char c : bits) count = count * 10 + static_cast<unsigned>(c - '0');
    out.length_ += count;
    return out.length_ <= 128 ? std::optional(out) : std::nullopt;
  }

  // Whether the address, as Call::client_ip() gives it, is in it. False for what is none.
  [[nodiscard]] bool has(std::string_view address) const {
    const std::optional<Network> one = parse(address);
    if (!one || one->length_ != 128) return false;
    for (unsigned bit = 0; bit < length_; ++bit) {
      const unsigned mask = 0x80U >> (bit % 8);
      if (((bytes_[bit / 8] ^ one->bytes_[bit / 8]) & mask) != 0) return false;
    }
    return true;
  }

 private:
  std::array<unsigned char, 16> bytes_{};  // IPv4 as ::ffff:0:0/96
  unsigned length_ = 0;
};

}  // namespace penstock

#endif  // PENSTOCK_MODULE_TEXT_HPP
