#include "cache/rfc9111/targeted.h"

#include <algorithm>
#include <cstdint>

#include "message/characters.h"
#include "message/structured.h"

namespace penstock::rfc9111 {
namespace {

using structured::Kind;
using structured::Member;
using structured::Presence;
using structured::Type;
using structured::Value;

// What one key of the dictionary has done. The last member of a key counts, so that one of a wrong
// type takes back what a former one has said.
enum class Use : std::uint8_t { unknown, used, wrong_type };

Use set_time(std::optional<seconds>& time, const Member& member) {
  time.reset();
  if (member.is_inner_list || member.item.value.type != Type::integer) return Use::wrong_type;
  time = seconds(
      std::clamp(member.item.value.number, std::int64_t{0}, std::int64_t{kMaxDelta.count()}));
  return Use::used;
}

Use set_flag(bool& flag, const Member& member) {
  flag = false;
  if (member.is_inner_list || member.item.value.type != Type::boolean) return Use::wrong_type;
  flag = member.item.value.is_true();
  return Use::used;
}

// A flag, or a string or token with the names of fields.
Use set_limited(bool& whole, FieldNames& fields, const Member& member) {
  fields = {};
  const Value& value = member.item.value;
  if (member.is_inner_list || (value.type != Type::string && value.type != Type::token)) {
    return set_flag(whole, member);
  }
  // A name has nothing that would be escaped: a list with escapes is not valid.
  whole = !fields.add(value.text);
  return Use::used;
}

struct TimeKey {
  std::string_view key;
  std::optional<seconds> Directives::* member;
};
struct FlagKey {
  std::string_view key;
  bool Directives::* member;
};

constexpr TimeKey kTimes[] = {
    {"max-age", &Directives::max_age},
    {"s-maxage", &Directives::s_maxage},
    {"stale-while-revalidate", &Directives::stale_while_revalidate},
    {"stale-if-error", &Directives::stale_if_error},
};
constexpr FlagKey kFlags[] = {
    {"no-store", &Directives::no_store},
    {"public", &Directives::is_public},
    {"must-revalidate", &Directives::must_revalidate},
    {"proxy-revalidate", &Directives::proxy_revalidate},
    {"must-understand", &Directives::must_understand},
    {"immutable", &Directives::immutable},
    {"no-transform", &Directives::no_transform},
};

Use set_member(Directives& directives, const Member& member) {
  for (const TimeKey& time : kTimes) {
    if (member.key == time.key) return set_time(directives.*time.member, member);
  }
  for (const FlagKey& flag : kFlags) {
    if (member.key == flag.key) return set_flag(directives.*flag.member, member);
  }
  if (member.key == "no-cache") {
    return set_limited(directives.no_cache, directives.no_cache_fields, member);
  }
  if (member.key == "private") {
    return set_limited(directives.is_private, directives.private_fields, member);
  }
  return Use::unknown;
}

std::optional<Directives> dictionary_directives(const FieldSection& fields, std::string_view name) {
  Directives directives;
  bool used = false;
  bool wrong = false;
  const Presence found = for_each_member(Kind::dictionary, fields, name, [&](const Member& member) {
    const Use use = set_member(directives, member);
    used = used || use == Use::used;
    wrong = wrong || use == Use::wrong_type;
  });
  if (found != Presence::present || (wrong && !used)) return std::nullopt;
  return directives;
}

// --- Surrogate-Control ---

// What is for us alone, and what is for all.
struct SurrogateDirectives {
  Directives directives;
  bool found = false;

  void set_max_age(std::string_view value) {
    found = true;
    if (directives.max_age) return;
    const std::size_t plus = value.find('+');
    const std::optional<seconds> fresh = parse_delta_seconds(value.substr(0, plus));
    directives.max_age = fresh.value_or(seconds(0));
    if (!fresh || plus == std::string_view::npos) return;
    directives.stale_while_revalidate =
        parse_delta_seconds(value.substr(plus + 1)).value_or(seconds(0));
    directives.stale_if_error = directives.stale_while_revalidate;
  }
  void set_no_store() {
    found = true;
    directives.no_store = true;
  }
};

// The element without its parameters (";target"), and whether it is for us.
enum class Audience : std::uint8_t { all, us, others };

Audience split_target(std::string_view& element, const Surrogate& surrogate) {
  std::size_t semicolon = 0;
  bool quoted = false;
  while (semicolon < element.size() && (quoted || element[semicolon] != ';')) {
    if (element[semicolon] == '"') quoted = !quoted;
    ++semicolon;
  }
  if (semicolon >= element.size()) return Audience::all;
  const std::string_view target = trim_whitespace(element.substr(semicolon + 1));
  element = trim_whitespace(element.substr(0, semicolon));
  const bool ours = !surrogate.token.empty() && equals_ignoring_case(target, surrogate.token);
  return ours ? Audience::us : Audience::others;
}

std::optional<Directives> surrogate_directives(const FieldSection& fields, std::string_view name,
                                               const Surrogate& surrogate) {
  SurrogateDirectives for_all;
  SurrogateDirectives for_us;
  for (const Field& field : fields) {
    if (!equals_ignoring_case(field.name, name)) continue;
    for_each_element(field.value, [&](std::string_view element) {
      const Audience audience = split_target(element, surrogate);
      if (audience == Audience::others) return;
      SurrogateDirectives& set = audience == Audience::us ? for_us : for_all;
      constexpr std::string_view kMaxAge = "max-age=";
      if (equals_ignoring_case(element.substr(0, kMaxAge.size()), kMaxAge)) {
        set.set_max_age(element.substr(kMaxAge.size()));
      } else if (equals_ignoring_case(element, "no-store") ||
                 (surrogate.remote && equals_ignoring_case(element, "no-store-remote"))) {
        set.set_no_store();
      }
    });
  }
  if (for_us.found) return for_us.directives;
  if (for_all.found) return for_all.directives;
  return std::nullopt;
}

}  // namespace

std::optional<Targeted> targeted_directives(const FieldSection& fields,
                                            std::span<const std::string> target_list,
                                            const Surrogate& surrogate) {
  constexpr std::string_view kSurrogateControl = "Surrogate-Control";
  for (const std::string& name : target_list) {
    std::optional<Directives> directives = equals_ignoring_case(name, kSurrogateControl)
                                               ? surrogate_directives(fields, name, surrogate)
                                               : dictionary_directives(fields, name);
    if (directives) return Targeted{.directives = *directives, .field = name};
  }
  return std::nullopt;
}

}  // namespace penstock::rfc9111
