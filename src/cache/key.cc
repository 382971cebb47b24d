#include "cache/key.h"

#include <algorithm>
#include <charconv>
#include <string>
#include <vector>

#include "base/check.h"
#include "message/fields.h"
#include "message/target.h"

namespace penstock {
namespace {

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

std::uint16_t own_port(std::string_view scheme) {
  return equals_ignoring_case(scheme, "https") ? 443 : 80;
}

// Names of parameters that are ignored may end with "*".
bool is_named(std::string_view parameter, std::span<const std::string> names) {
  const std::string_view name = parameter.substr(0, parameter.find('='));
  return std::any_of(names.begin(), names.end(), [name](std::string_view pattern) {
    if (pattern.ends_with('*')) return name.starts_with(pattern.substr(0, pattern.size() - 1));
    return name == pattern;
  });
}

// Puts the text of a key together in a piece of the arena that is large enough.
class KeyText {
 public:
  KeyText(Arena& arena, std::size_t bound) : begin_(arena.allocate(bound)), end_(begin_) {}
  void put(char c) { *end_++ = c; }
  void put(std::string_view text) { end_ = std::copy(text.begin(), text.end(), end_); }
  void put_lower(std::string_view text) {
    end_ = std::transform(text.begin(), text.end(), end_, lower);
  }
  void put(std::uint16_t number) { end_ = std::to_chars(end_, end_ + 5, number).ptr; }
  [[nodiscard]] std::string_view text() const {
    return {begin_, static_cast<std::size_t>(end_ - begin_)};
  }

 private:
  char* begin_;
  char* end_;
};

void put_query(KeyText& to, std::string_view query, const QueryRules& rules) {
  if (rules.ignore) return;
  if (!rules.sort && rules.ignored.empty()) return to.put(query);
  std::vector<std::string_view, PoolAllocator<std::string_view>> parameters;
  std::string_view rest = query.substr(1);
  while (true) {
    const std::size_t end = rest.find('&');
    const std::string_view parameter = rest.substr(0, end);
    if (!is_named(parameter, rules.ignored)) parameters.push_back(parameter);
    if (end == std::string_view::npos) break;
    rest.remove_prefix(end + 1);
  }
  // Several of one name keep their order.
  const auto by_name = [](std::string_view a, std::string_view b) {
    const int order = a.substr(0, a.find('=')).compare(b.substr(0, b.find('=')));
    return order != 0 ? order < 0 : a.data() < b.data();
  };
  if (rules.sort) std::sort(parameters.begin(), parameters.end(), by_name);
  char before = '?';
  for (const std::string_view parameter : parameters) {
    to.put(before);
    to.put(parameter);
    before = '&';
  }
}

void put_uri(KeyText& to, const CacheKeyParts& parts, const QueryRules& query) {
  to.put_lower(parts.scheme);
  to.put("://");
  const bool literal = parts.host.find(':') != std::string_view::npos;
  if (literal) to.put('[');
  to.put_lower(parts.host.ends_with('.') ? parts.host.substr(0, parts.host.size() - 1)
                                         : parts.host);
  if (literal) to.put(']');
  if (parts.port != 0 && parts.port != own_port(parts.scheme)) {
    to.put(':');
    to.put(parts.port);
  }
  const std::size_t question = parts.path_and_query.find('?');
  if (question == 0 || parts.path_and_query.empty()) to.put('/');
  to.put(parts.path_and_query.substr(0, question));
  if (question != std::string_view::npos)
    put_query(to, parts.path_and_query.substr(question), query);
}

// "://", brackets, port, slash
constexpr std::size_t kPunctuation = 16;

std::size_t uri_bound(const CacheKeyParts& parts) {
  return parts.scheme.size() + parts.host.size() + parts.path_and_query.size() + kPunctuation;
}

}  // namespace

CacheKey make_cache_key(const CacheKeyParts& parts, const QueryRules& query, const HashKey& secret,
                        Arena& arena) {
  std::size_t bound = uri_bound(parts) + parts.owner.size() + 1;
  for (const std::string_view more : parts.more) bound += more.size() + 1;
  KeyText text(arena, bound);
  put_uri(text, parts, query);
  text.put(CacheKey::kSeparator);
  text.put(parts.owner);
  for (const std::string_view more : parts.more) {
    text.put(CacheKey::kSeparator);
    text.put(more);
  }
  return {.text = text.text(), .hash = keyed_hash(secret, text.text())};
}

std::string_view normal_uri(std::string_view uri, const QueryRules& query, Arena& arena) {
  const auto target = parse_target("GET", uri.substr(0, uri.find('#')));
  if (!target || target->form != TargetForm::absolute) return {};
  const CacheKeyParts parts{.scheme = target->scheme,
                            .host = target->host.host,
                            .port = target->host.port,
                            .path_and_query = target->path_and_query,
                            .owner = {},
                            .more = {}};
  KeyText text(arena, uri_bound(parts));
  put_uri(text, parts, query);
  return text.text();
}

std::string_view host_of_uri(std::string_view uri) {
  const std::size_t begin = uri.find("://");
  if (begin == std::string_view::npos) return {};
  std::string_view authority = uri.substr(begin + 3);
  authority = authority.substr(0, authority.find_first_of("/?"));
  if (authority.starts_with('[')) return authority.substr(1, authority.find(']') - 1);
  return authority.substr(0, authority.find(':'));
}

}  // namespace penstock
