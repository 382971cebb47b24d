// Settings on their way to a helper process.
#include <utility>
#include <variant>

#include "module/helpers.h"
#include "module/wire.h"

namespace penstock {
namespace {

constexpr std::string_view kHex = "0123456789abcdef";
constexpr int kDeepest = 32;

void put(WireWriter& out, const ModuleValue& value);

struct PutValue {
  WireWriter& out;
  void operator()(const std::string& text) const { out.put_text(text); }
  void operator()(std::int64_t number) const { out.put(number); }
  void operator()(double number) const { out.put(number); }
  void operator()(bool flag) const { out.put(static_cast<std::uint8_t>(flag ? 1 : 0)); }
  void operator()(const ModuleValue::List& list) const {
    out.put(static_cast<std::uint32_t>(list.size()));
    for (const ModuleValue& one : list) put(out, one);
  }
  void operator()(const ModuleValue::Table& table) const {
    out.put(static_cast<std::uint32_t>(table.size()));
    for (const ModuleEntry& entry : table) {
      out.put_text(entry.name);
      out.put(static_cast<std::uint64_t>(entry.line));
      out.put(static_cast<std::uint64_t>(entry.column));
      put(out, entry.value);
    }
  }
};

void put(WireWriter& out, const ModuleValue& value) {
  out.put(static_cast<std::uint8_t>(value.value.index()));
  out.put(static_cast<std::uint64_t>(value.line)).put(static_cast<std::uint64_t>(value.column));
  std::visit(PutValue{out}, value.value);
}

bool take(WireReader& in, ModuleValue& value, int depth) {
  if (depth > kDeepest) return false;
  const auto index = in.take<std::uint8_t>();
  value.line = in.take<std::uint64_t>();
  value.column = in.take<std::uint64_t>();
  switch (index) {
    case 0:
      value.value = std::string(in.take_text());
      return in.good();
    case 1:
      value.value = in.take<std::int64_t>();
      return in.good();
    case 2:
      value.value = in.take<double>();
      return in.good();
    case 3:
      value.value = in.take<std::uint8_t>() != 0;
      return in.good();
    case 4: {
      ModuleValue::List list;
      const auto size = in.take<std::uint32_t>();
      for (std::uint32_t i = 0; in.good() && i < size; ++i) {
        if (!take(in, list.emplace_back(), depth + 1)) return false;
      }
      value.value = std::move(list);
      return in.good();
    }
    default: {
      ModuleValue::Table table;
      const auto size = in.take<std::uint32_t>();
      for (std::uint32_t i = 0; in.good() && i < size; ++i) {
        ModuleEntry& entry = table.emplace_back();
        entry.name = in.take_text();
        entry.line = in.take<std::uint64_t>();
        entry.column = in.take<std::uint64_t>();
        if (!take(in, entry.value, depth + 1)) return false;
      }
      value.value = std::move(table);
      return in.good();
    }
  }
}

}  // namespace

std::string settings_to_word(const ModuleSettings& settings) {
  WireWriter out;
  out.put_text(settings.name).put_text(settings.file).put(settings.hold_limit);
  out.put(static_cast<std::uint64_t>(settings.line));
  out.put(static_cast<std::uint64_t>(settings.column));
  put(out, settings.config);
  std::string word;
  for (const char c : out.bytes()) {
    const auto byte = static_cast<unsigned char>(c);
    word += kHex[byte >> 4];
    word += kHex[byte & 15];
  }
  return word;
}

bool settings_from_word(std::string_view word, ModuleSettings& settings) {
  std::string bytes;
  if (word.size() % 2 != 0) return false;
  for (std::size_t i = 0; i < word.size(); i += 2) {
    const std::size_t high = kHex.find(word[i]);
    const std::size_t low = kHex.find(word[i + 1]);
    if (high == std::string_view::npos || low == std::string_view::npos) return false;
    bytes += static_cast<char>(high << 4 | low);
  }
  WireReader in(bytes);
  settings.name = in.take_text();
  settings.file = in.take_text();
  settings.hold_limit = in.take<std::uint64_t>();
  settings.line = in.take<std::uint64_t>();
  settings.column = in.take<std::uint64_t>();
  return take(in, settings.config, 0) && in.good() && in.at_end();
}

}  // namespace penstock
