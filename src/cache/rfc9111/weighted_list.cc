#include "cache/rfc9111/weighted_list.h"

#include <algorithm>
#include <optional>

#include "base/text.h"
#include "message/characters.h"

namespace penstock::rfc9111 {
namespace {

// A qvalue as thousandths (RFC 9110 section 12.4.2).
std::optional<int> parse_weight(std::string_view text) {
  if (text.empty() || text.size() > 5 || (text[0] != '0' && text[0] != '1')) return std::nullopt;
  if (text.size() > 1 && text[1] != '.') return std::nullopt;
  int weight = (text[0] - '0') * 1000;
  int unit = 100;
  for (const char c : text.substr(std::min<std::size_t>(2, text.size()))) {
    if (!is_digit(c)) return std::nullopt;
    weight += (c - '0') * unit;
    unit /= 10;
  }
  return weight <= 1000 ? std::optional(weight) : std::nullopt;
}

// Up to the separator, trimmed; that and the separator are taken off `rest`.
std::string_view take_part(std::string_view& rest, char separator) {
  const std::size_t size = std::min(rest.find(separator), rest.size());
  const std::string_view part = trim_whitespace(rest.substr(0, size));
  rest.remove_prefix(std::min(size + 1, rest.size()));
  return part;
}

bool is_media_range(std::string_view text) {
  const std::size_t slash = text.find('/');
  return slash != std::string_view::npos && is_token(text.substr(0, slash)) &&
         is_token(text.substr(slash + 1));
}

}  // namespace

bool WeightedList::put(std::string_view text) {
  if (text.size() > text_.size() - used_) return false;
  std::ranges::copy(text, text_.begin() + static_cast<std::ptrdiff_t>(used_));
  used_ += text.size();
  return true;
}

bool WeightedList::put_lower(std::string_view text) {
  const std::size_t begin = used_;
  if (!put(text)) return false;
  for (std::size_t i = begin; i < used_; ++i) text_[i] = to_lower(text_[i]);
  return true;
}

bool WeightedList::put_parameter(std::string_view parameter) {
  const std::size_t equals = std::min(parameter.find('='), parameter.size());
  const std::string_view name = parameter.substr(0, equals);
  // A quoted value may have the separators in it, and stand for the same without quotes.
  if (!is_token(name) || equals == parameter.size()) return false;
  if (!is_token(parameter.substr(equals + 1))) return false;
  return put(";") && put_lower(name) && put(parameter.substr(equals));
}

bool WeightedList::add(std::string_view element, Syntax syntax) {
  if (count_ == kMaxItems) return false;
  const std::size_t begin = used_;
  std::string_view name = take_part(element, ';');
  if (syntax == Syntax::media_ranges ? !is_media_range(name) : !is_token(name)) return false;
  if (syntax == Syntax::codings) {
    if (equals_ignoring_case(name, "x-gzip")) name = "gzip";
    if (equals_ignoring_case(name, "x-compress")) name = "compress";
  }
  if (!put_lower(name)) return false;
  Item& item = items_[count_];
  item.weight = 1000;
  while (!element.empty()) {
    const std::string_view parameter = take_part(element, ';');
    if (parameter.starts_with("q=") || parameter.starts_with("Q=")) {
      const auto weight = parse_weight(parameter.substr(2));
      // What would follow the weight is no parameter of the media type any more.
      if (!weight || !element.empty()) return false;
      item.weight = *weight;
    } else if (syntax != Syntax::media_ranges || !put_parameter(parameter)) {
      return false;
    }
  }
  item.text = {text_.data() + begin, used_ - begin};
  ++count_;
  return true;
}

bool WeightedList::finish() {
  const auto end = items_.begin() + static_cast<std::ptrdiff_t>(count_);
  std::sort(items_.begin(), end, [](const Item& a, const Item& b) { return a.text < b.text; });
  const auto contradict = [](const Item& a, const Item& b) {
    return a.text == b.text && a.weight != b.weight;
  };
  if (std::adjacent_find(items_.begin(), end, contradict) != end) return false;
  const auto same = [](const Item& a, const Item& b) { return a.text == b.text; };
  count_ = static_cast<std::size_t>(std::unique(items_.begin(), end, same) - items_.begin());
  return true;
}

bool WeightedList::read(const FieldLines& lines, Syntax syntax) {
  count_ = used_ = 0;
  const bool understood = lines.for_each([&](std::string_view rest) {
    while (!rest.empty()) {
      const std::string_view element = take_part(rest, ',');
      if (!element.empty() && !add(element, syntax)) return false;
    }
    return true;
  });
  return understood && finish();
}

const WeightedList::Item* WeightedList::find(std::string_view text) const {
  const auto found = std::ranges::find(items(), text, &Item::text);
  return found != items().end() ? &*found : nullptr;
}

}  // namespace penstock::rfc9111
