#include "adapt/open_pattern.h"

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <utility>
#include <vector>

#include "message/characters.h"

namespace penstock {
namespace {

constexpr int kDeepest = 100;
constexpr std::size_t kLargest = 64UL * 1024;

// A part of an expression: what matches all of it (without its assertions), and what matches those
// beginnings of it after which more has to come; none where nothing has.
struct Part {
  std::string whole;
  std::optional<std::string> open;
  std::string probe;  // itself, or the end of the text in the place of what is missing
};

std::optional<std::string> either(std::optional<std::string> a, std::optional<std::string> b) {
  if (!a) return b;
  if (!b || *a == *b) return a;
  return "(?:" + *a + "|" + *b + ")";
}

std::string group(std::string_view text) { return "(?:" + std::string(text) + ")"; }

std::string or_end(std::string_view text) { return "(?:" + std::string(text) + "|\\z)"; }

// One behind the other: the first one is open, or it is whole and the rest is.
Part sequence(const std::vector<Part>& parts) {
  Part result;
  for (std::size_t i = parts.size(); i-- > 0;) {
    const Part& part = parts[i];
    if (result.open) result.open = part.whole + *result.open;
    result.open = either(part.open, std::move(result.open));
  }
  for (const Part& part : parts) {
    result.whole += part.whole;
    result.probe += part.probe;
  }
  return result;
}

class Parser {
 public:
  Parser(std::string_view pattern, bool ignore_case)
      : rest_(pattern), flags_{.ignore_case = ignore_case} {}

  std::optional<OpenPattern> run() {
    Part all = alternatives(0);
    if (!understood_ || !rest_.empty()) return {};
    return OpenPattern{
        .text = std::move(all.open), .probe = std::move(all.probe), .looks_behind = looks_behind_};
  }

 private:
  struct Flags {
    bool ignore_case = false;
    bool dot_takes_newline = false;
    bool lines = false;
    bool ungreedy = false;
  };

  Part give_up() {
    understood_ = false;
    rest_ = {};
    return {};
  }
  bool skip(std::string_view text) {
    if (!rest_.starts_with(text)) return false;
    rest_.remove_prefix(text.size());
    return true;
  }
  std::string_view take(std::size_t n) {
    const std::string_view taken = rest_.substr(0, n);
    rest_.remove_prefix(taken.size());
    return taken;
  }

  // Up to the end, or to the ")" of the group.
  Part alternatives(int depth) {
    if (depth > kDeepest) return give_up();
    const Flags outer = flags_;
    Part result = branch(depth);
    while (understood_ && skip("|")) {
      Part other = branch(depth);
      result.whole += "|" + other.whole;
      result.probe += "|" + other.probe;
      result.open = either(std::move(result.open), std::move(other.open));
    }
    result.whole = group(result.whole);
    result.probe = group(result.probe);
    flags_ = outer;
    return result;
  }

  Part branch(int depth) {
    std::vector<Part> parts;
    std::size_t size = 0;
    while (understood_ && !rest_.empty() && rest_.front() != '|' && rest_.front() != ')') {
      if (skip("\\Q")) {
        quoted(parts);
      } else if (const auto part = atom(depth)) {
        parts.push_back(*part);
      }
      if (!parts.empty()) repetitions(parts.back());
      if (!parts.empty()) size += parts.back().probe.size() + parts.back().open.value_or("").size();
      if (size > kLargest) return give_up();
    }
    return understood_ ? sequence(parts) : Part();
  }

  // A character, or what stands for one.
  [[nodiscard]] Part character(std::string_view text) const {
    const std::string whole = (flags_.ignore_case ? "(?i:" : "(?:") + std::string(text) + ")";
    return {.whole = whole, .open = "", .probe = or_end(whole)};
  }
  Part assertion(std::size_t size, bool behind) {
    looks_behind_ = looks_behind_ || behind;
    const std::string text = (flags_.lines ? "(?m:" : "(?-m:") + std::string(take(size)) + ")";
    return {.whole = "", .open = "", .probe = or_end(text)};
  }

  // None for a change of flags.
  std::optional<Part> atom(int depth) {
    switch (rest_.front()) {
      case '(':
        return parenthesis(depth);
      case '[':
        return character(take(class_size()));
      case '\\':
        return escape();
      case '.':
        take(1);
        return character(flags_.dot_takes_newline ? "(?s:.)" : "(?-s:.)");
      case '^':
        return assertion(1, true);
      case '$':
        return assertion(1, false);
      case '*':
      case '+':
      case '?':
        return give_up();
      case '{':
      case '}':
      case ']':
        return character("\\" + std::string(take(1)));
      default:
        return character(take(character_size()));
    }
  }

  std::optional<Part> parenthesis(int depth) {
    take(1);
    const Flags outer = flags_;
    if (skip("?P<") || skip("?<")) {
      take(rest_.find('>') + 1);
    } else if (skip("?")) {
      const std::size_t end = rest_.find_first_of(":)");
      if (end == std::string_view::npos || !set_flags(rest_.substr(0, end))) return give_up();
      take(end);
      if (skip(")")) return {};
      take(1);
    }
    Part part = alternatives(depth + 1);
    flags_ = outer;
    if (!skip(")")) return give_up();
    return part;
  }
  bool set_flags(std::string_view letters) {
    bool on = true;
    for (const char letter : letters) {
      if (letter == '-') {
        on = false;
      } else if (letter == 'i') {
        flags_.ignore_case = on;
      } else if (letter == 's') {
        flags_.dot_takes_newline = on;
      } else if (letter == 'm') {
        flags_.lines = on;
      } else if (letter == 'U') {
        flags_.ungreedy = on;
      } else {
        return false;
      }
    }
    return true;
  }

  // The bytes of the class that `rest_` begins with.
  [[nodiscard]] std::size_t class_size() const {
    std::size_t at = 1;
    if (rest_.substr(at, 1) == "^") ++at;
    if (rest_.substr(at, 1) == "]") ++at;
    while (at < rest_.size() && rest_[at] != ']') {
      std::size_t step = rest_[at] == '\\' ? 2 : 1;
      if (rest_.substr(at, 2) == "[:") {
        const std::size_t end = rest_.find(":]", at + 2);
        if (end != std::string_view::npos) step = end + 2 - at;
      }
      at += step;
    }
    return std::min(at + 1, rest_.size());
  }
  // The bytes of the UTF-8 character that `rest_` begins with.
  [[nodiscard]] std::size_t character_size() const {
    std::size_t size = 1;
    while (size < rest_.size() && (static_cast<unsigned char>(rest_[size]) & 0xc0U) == 0x80) ++size;
    return size;
  }

  Part escape() {
    if (rest_.size() < 2) return give_up();
    const char c = rest_[1];
    if (c == 'A' || c == 'b' || c == 'B' || c == 'z') {
      return assertion(2, c != 'z');
    }
    if (c >= '0' && c <= '7') {
      std::size_t size = 2;
      while (size < 4 && size < rest_.size() && rest_[size] >= '0' && rest_[size] <= '7') ++size;
      return character(take(size));
    }
    if (c == 'x' || c == 'p' || c == 'P') {
      if (rest_.substr(2, 1) == "{") return character(take(rest_.find('}') + 1));
      return character(take(c == 'x' ? 4 : 3));
    }
    constexpr std::string_view kLetters = "dDsSwWafnrtv";
    if (has_class(c, characters::kAlpha) && !kLetters.contains(c)) return give_up();
    return character(take(2));
  }

  // Up to "\E" all stands for itself.
  void quoted(std::vector<Part>& parts) {
    const std::size_t end = std::min(rest_.find("\\E"), rest_.size());
    const std::string_view after = rest_.substr(end);
    rest_ = rest_.substr(0, end);
    while (!rest_.empty()) {
      const std::string_view text = take(character_size());
      const bool escaped = text.size() == 1 && text[0] > ' ' &&
                           !has_class(text[0], characters::kAlpha) && !is_digit(text[0]) &&
                           text[0] != '_';
      parts.push_back(character((escaped ? "\\" : "") + std::string(text)));
    }
    rest_ = after;
    skip("\\E");
  }

  void repetitions(Part& part) {
    while (understood_ && !rest_.empty()) {
      if (skip("*")) {
        repeat(part, 0, -1);
      } else if (skip("+")) {
        repeat(part, 1, -1);
      } else if (skip("?")) {
        repeat(part, 0, 1);
      } else if (!counted(part)) {
        return;
      }
      if (part.probe.size() > kLargest) give_up();
    }
  }
  // `most` is -1 where there is no bound.
  void repeat(Part& part, int least, int most) {
    const bool lazy = skip("?") != flags_.ungreedy;
    const auto times = [](int from, int to) {
      return "{" + std::to_string(from) + "," + (to < 0 ? "" : std::to_string(to)) + "}";
    };
    const std::string one = group(part.whole);
    part.probe = group(part.probe) + times(least, most) + (lazy ? "?" : "");
    part.whole = one + times(least, most);
    if (most == 0) {
      part.open.reset();
    } else if (part.open) {
      part.open = one + times(0, most < 0 ? -1 : most - 1) + *part.open;
    }
  }
  // {n}, {n,} or {n,m}; anything else is a "{" that stands for itself.
  bool counted(Part& part) {
    if (rest_.front() != '{') return false;
    const std::size_t end = rest_.find('}');
    if (end == std::string_view::npos) return false;
    std::string_view numbers = rest_.substr(1, end - 1);
    const auto number = [&numbers]() -> int {
      int value = -1;
      const auto parsed = std::from_chars(numbers.data(), numbers.data() + numbers.size(), value);
      if (parsed.ec != std::errc()) return -1;
      numbers.remove_prefix(static_cast<std::size_t>(parsed.ptr - numbers.data()));
      return value;
    };
    if (numbers.empty() || !is_digit(numbers.front())) return false;
    const int least = number();
    int most = least;
    if (numbers.starts_with(',')) {
      numbers.remove_prefix(1);
      most = -1;
      if (!numbers.empty() && is_digit(numbers.front())) most = number();
    }
    if (!numbers.empty()) return false;
    take(end + 1);
    repeat(part, least, most);
    return true;
  }

  std::string_view rest_;
  Flags flags_;
  bool looks_behind_ = false;
  bool understood_ = true;
};

}  // namespace

std::optional<OpenPattern> open_pattern(std::string_view pattern, bool ignore_case) {
  auto open = Parser(pattern, ignore_case).run();
  if (open && open->text && open->text->size() > kLargest) return {};
  return open;
}

}  // namespace penstock
