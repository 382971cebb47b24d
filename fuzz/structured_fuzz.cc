// Any lines as a list, a dictionary and an item: views lie inside the lines, values are in range,
// and written anew they are understood as the same. Dates, too: what is read is written and read as
// the same.
#include "message/structured.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/check.h"
#include "message/base64.h"
#include "message/date.h"
#include "message/fields.h"

namespace {

using namespace penstock;
using namespace penstock::structured;

void append_value(std::string& out, const Value& value) {
  switch (value.type) {
    case Type::integer:
      append_integer(out, value.number);
      break;
    case Type::decimal: {
      const std::int64_t size = value.number < 0 ? -value.number : value.number;
      if (value.number < 0) out += "-";
      out += std::to_string(size / 1000) + "." + std::to_string(1000 + size % 1000).substr(1);
      break;
    }
    case Type::string:
      PENSTOCK_CHECK(value.escaped == value.text.contains('\\'));
      PENSTOCK_CHECK(is_string(unescaped(value)));
      append_string(out, unescaped(value));
      break;
    case Type::token:
      PENSTOCK_CHECK(is_token(value.text));
      append_token_or_string(out, value.text);
      break;
    case Type::bytes:
      PENSTOCK_CHECK(from_base64(value.text).has_value());
      out += ":" + to_base64(*from_base64(value.text)) + ":";
      break;
    case Type::boolean:
      out += value.is_true() ? "?1" : "?0";
      break;
    case Type::date:
      out += "@";
      append_integer(out, value.number);
      break;
    case Type::display_string:
      out.append("%\"").append(value.text).append("\"");
      break;
  }
}

void append_item(std::string& out, const Item& item) {
  append_value(out, item.value);
  out.append(item.parameters.text());
}

void append_member(std::string& out, Kind kind, const Member& member) {
  if (!out.empty()) out += ", ";
  if (kind == Kind::dictionary) {
    PENSTOCK_CHECK(is_key(member.key));
    out.append(member.key).append("=");
  }
  if (!member.is_inner_list) {
    append_item(out, member.item);
    return;
  }
  out += "(";
  std::string_view inner = member.inner_list;
  for (Item item; next_item(inner, item);) {
    if (!out.ends_with('(')) out += " ";
    append_item(out, item);
  }
  PENSTOCK_CHECK(inner.find_first_not_of(' ') == std::string_view::npos);
  out.append(")").append(member.item.parameters.text());
}

std::string written(Kind kind, const FieldSection& fields, std::string_view input) {
  std::string out;
  for_each_member(kind, fields, "Test", [&](const Member& member) {
    const auto inside = [input](std::string_view part) {
      return part.empty() || (part.data() >= input.data() &&
                              part.data() + part.size() <= input.data() + input.size());
    };
    PENSTOCK_CHECK(inside(member.key) && inside(member.inner_list) &&
                   inside(member.item.value.text) && inside(member.item.parameters.text()));
    static_cast<void>(member.item.parameters.find("a"));
    append_member(out, kind, member);
  });
  return out;
}

void check_lines(Kind kind, std::string_view input) {
  FieldSection fields;
  for (std::size_t start = 0; start <= input.size();) {
    const std::size_t end = std::min(input.find('\n', start), input.size());
    fields.add(FieldId::other, "Test", input.substr(start, end - start));
    start = end + 1;
  }
  const Presence found = presence(kind, fields, "Test");
  const std::string once = written(kind, fields, input);
  PENSTOCK_CHECK((found == Presence::present) == !once.empty());
  if (found != Presence::present || once.size() > kMaxLine) return;
  PENSTOCK_CHECK(is_valid(kind, once));
  FieldSection again;
  again.add(FieldId::other, "Test", once);
  PENSTOCK_CHECK(written(kind, again, once) == once);
}

void check_date(std::string_view input) {
  constexpr std::chrono::sys_seconds kNow{std::chrono::seconds(1'790'000'000)};
  const std::optional<std::chrono::sys_seconds> moment = parse_http_date(input, kNow);
  if (!moment) return;
  constexpr std::chrono::sys_seconds kYear1000{std::chrono::seconds(-30'610'224'000)};
  constexpr std::chrono::sys_seconds kYear10000{std::chrono::seconds(253'402'300'800)};
  PENSTOCK_CHECK(*moment <= kYear10000);
  if (*moment >= kYear1000 && *moment < kYear10000) {
    PENSTOCK_CHECK(parse_http_date(http_date(*moment), kNow) == moment);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  check_lines(Kind::list, input);
  check_lines(Kind::dictionary, input);
  if (const std::optional<Item> item = parse_item(input)) {
    std::string out;
    append_item(out, *item);
    PENSTOCK_CHECK(out.size() > kMaxLine || parse_item(out).has_value());
  }
  check_date(input);
  return 0;
}
