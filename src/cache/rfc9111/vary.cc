#include "cache/rfc9111/vary.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "base/text.h"
#include "cache/rfc9111/weighted_list.h"
#include "message/characters.h"

namespace penstock::rfc9111 {
namespace {

// Where a normal form goes to. put() says false when there is no use in more of it.
class Writer {
 public:
  explicit Writer(std::string& out) : out_(out) {}
  bool put(std::string_view text) {
    if (text.size() > kMaxVariantKey - out_.size()) return false;
    out_ += text;
    return true;
  }

 private:
  std::string& out_;
};

// Compares it to what there is.
class Comparer {
 public:
  explicit Comparer(std::string_view expected) : rest_(expected) {}
  bool put(std::string_view text) {
    if (!rest_.starts_with(text)) return false;
    rest_.remove_prefix(text.size());
    return true;
  }
  [[nodiscard]] bool at_end() const { return rest_.empty(); }

 private:
  std::string_view rest_;
};

// How a field's value is written.
enum class Form : std::uint8_t { list, exact, media_ranges, codings, names };

Form form_of(std::string_view name, const VaryRules& rules) {
  switch (field_id(name)) {
    case FieldId::accept:
      return rules.by_meaning ? Form::media_ranges : Form::list;
    case FieldId::authorization:
    case FieldId::content_type:
    case FieldId::cookie:
    case FieldId::date:
    case FieldId::host:
    case FieldId::if_modified_since:
    case FieldId::if_unmodified_since:
    case FieldId::proxy_authorization:
    case FieldId::range:
    case FieldId::user_agent:
      return Form::exact;
    default:
      break;
  }
  if (rules.by_meaning && name == "accept-encoding") return Form::codings;
  if (rules.by_meaning && (name == "accept-language" || name == "accept-charset")) {
    return Form::names;
  }
  return name == "referer" || name == "from" ? Form::exact : Form::list;
}

// Without white space around the commas outside of quoted strings. `quoted`: the value begins in
// one, which the line before has not closed; and so at its end.
template <class Sink>
bool put_list(Sink& sink, std::string_view value, bool& quoted) {
  std::size_t start = 0;
  for (std::size_t i = 0; i <= value.size(); ++i) {
    if (i < value.size() && (quoted || value[i] != ',')) {
      if (value[i] == '"') quoted = !quoted;
      if (quoted && value[i] == '\\' && i + 1 < value.size()) ++i;
      continue;
    }
    if (start > 0 && !sink.put(",")) return false;
    if (!sink.put(trim_whitespace(value.substr(start, i - start)))) return false;
    start = i + 1;
  }
  return true;
}

// All lines as one value, joined by ", " (RFC 9110 section 5.3).
template <class Sink>
bool put_text(Sink& sink, const FieldLines& lines, bool exact) {
  bool first = true;
  bool quoted = false;
  return lines.for_each([&](std::string_view value) {
    if (!std::exchange(first, false) && !sink.put(exact || quoted ? ", " : ",")) return false;
    return exact ? sink.put(value) : put_list(sink, value, quoted);
  });
}

template <class Sink>
bool put_item(Sink& sink, bool& first, std::string_view text, int weight) {
  if (!std::exchange(first, false) && !sink.put(",")) return false;
  if (!sink.put(text)) return false;
  if (weight == 1000) return true;
  if (weight == 0) return sink.put(";q=0");
  const char digits[3] = {static_cast<char>('0' + weight / 100),
                          static_cast<char>('0' + weight / 10 % 10),
                          static_cast<char>('0' + weight % 10)};
  const std::size_t size = weight % 100 == 0 ? 1 : weight % 10 == 0 ? 2 : 3;
  return sink.put(";q=0.") && sink.put({digits, size});
}

// Of those codings only, which of them are accepted, and whether none at all is.
template <class Sink>
bool put_codings(Sink& sink, const WeightedList& list, std::span<const std::string_view> codings) {
  const auto* const rest = list.find("*");
  bool first = true;
  for (const std::string_view coding : codings) {
    const auto* const named = list.find(coding);
    const auto* const found = named != nullptr ? named : rest;
    if (found == nullptr || found->weight == 0) continue;
    if (!put_item(sink, first, coding, found->weight)) return false;
  }
  const auto* const named = list.find("identity");
  const bool refused = named != nullptr ? named->weight == 0 : rest != nullptr && rest->weight == 0;
  if (refused) return put_item(sink, first, "identity", 0);
  // Its weight tells only beside those of others.
  if (named != nullptr && !first) return put_item(sink, first, "identity", named->weight);
  return true;
}

template <class Sink>
bool put_value(Sink& sink, const FieldLines& lines, Form form, const VaryRules& rules) {
  if (form == Form::list || form == Form::exact) {
    return put_text(sink, lines, form == Form::exact);
  }
  using Syntax = WeightedList::Syntax;
  const Syntax syntax = form == Form::codings        ? Syntax::codings
                        : form == Form::media_ranges ? Syntax::media_ranges
                                                     : Syntax::names;
  WeightedList list;
  // Never the normal form of anything that is understood, as that would be understood itself.
  if (!list.read(lines, syntax)) return put_text(sink, lines, false);
  if (form == Form::codings && !rules.codings.empty())
    return put_codings(sink, list, rules.codings);
  bool first = true;
  return std::ranges::all_of(list.items(), [&](const WeightedList::Item& item) {
    return put_item(sink, first, item.text, item.weight);
  });
}

// The value of that field as it stands in a key.
template <class Sink>
bool put_field(Sink& sink, std::string_view name, const FieldSection& request,
               const VaryRules& rules) {
  const FieldLines lines(request, name);
  if (!lines.present()) return true;
  return sink.put(":") && put_value(sink, lines, form_of(name, rules), rules);
}

// Up to the separator; that and the separator are taken off `rest`.
std::string_view take(std::string_view& rest, char separator) {
  const std::size_t size = std::min(rest.find(separator), rest.size());
  const std::string_view part = rest.substr(0, size);
  rest.remove_prefix(std::min(size + 1, rest.size()));
  return part;
}

VaryNames joined(std::vector<std::string> names) {
  std::ranges::sort(names);
  const auto repeated = std::ranges::unique(names);
  names.erase(repeated.begin(), repeated.end());
  VaryNames vary;
  if (names.empty()) return vary;
  vary.kind = VaryKind::names;
  for (const std::string& name : names) {
    if (!vary.text.empty()) vary.text += ',';
    vary.text += name;
  }
  return vary;
}

}  // namespace

VaryNames parse_vary(const FieldSection& response) {
  std::vector<std::string> names;
  std::size_t size = 0;
  for (const Field& field : response) {
    if (field.id != FieldId::vary) continue;
    std::string_view rest = field.value;
    while (!rest.empty()) {
      const std::string_view name = trim_whitespace(take(rest, ','));
      if (name.empty()) continue;
      size += name.size() + 1;
      if (name == "*" || !is_token(name)) return {.kind = VaryKind::any, .text = {}};
      if (names.size() == kMaxVaryNames || size > kMaxVaryText)
        return {.kind = VaryKind::any, .text = {}};
      names.push_back(to_lower(name));
    }
  }
  return joined(std::move(names));
}

std::optional<std::string> variant_key(std::string_view names, const FieldSection& request,
                                       const VaryRules& rules) {
  std::string key;
  Writer writer(key);
  while (!names.empty()) {
    const std::string_view name = take(names, ',');
    if (!key.empty() && !writer.put("\n")) return std::nullopt;
    if (!writer.put(name) || !put_field(writer, name, request, rules)) return std::nullopt;
  }
  return key;
}

std::string names_of_key(std::string_view key) {
  std::string names;
  while (!key.empty()) {
    std::string_view line = take(key, '\n');
    if (!names.empty()) names += ',';
    names += take(line, ':');
  }
  return names;
}

bool selects(std::string_view key, const FieldSection& request, const VaryRules& rules,
             std::string_view content_language) {
  if (key.size() > kMaxVariantKey) return false;
  while (!key.empty()) {
    const std::string_view line = take(key, '\n');
    const std::string_view name = line.substr(0, line.find(':'));
    Comparer comparer(line.substr(name.size()));
    if (put_field(comparer, name, request, rules) && comparer.at_end()) continue;
    if (!rules.by_content_language || name != "accept-language" ||
        !prefers_language(request, content_language)) {
      return false;
    }
  }
  return true;
}

bool prefers_language(const FieldSection& request, std::string_view content_language) {
  if (!is_token(content_language) || content_language == "*") return false;
  WeightedList list;
  if (!list.read(FieldLines(request, "accept-language"), WeightedList::Syntax::names)) return false;
  int wanted = 0;
  int others = 0;
  for (const WeightedList::Item& item : list.items()) {
    int& best = equals_ignoring_case(item.text, content_language) ? wanted : others;
    best = std::max(best, item.weight);
  }
  return wanted > others;
}

}  // namespace penstock::rfc9111
