// The lists of what a client accepts, with weights (RFC 9110 section 12.4.2), in a normal form.
#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <string_view>

#include "message/fields.h"

namespace penstock::rfc9111 {

// The lines of one field of a message, without regard to the case of its name.
class FieldLines {
 public:
  FieldLines(const FieldSection& fields, std::string_view name)
      : fields_(fields), name_(name), id_(field_id(name)) {}

  // Calls f(value) for each line in its order, until that says false. False: it did.
  template <class F>
  bool for_each(F f) const {
    for (const Field& field : fields_) {
      if (field.id != id_) continue;
      if (id_ == FieldId::other && !equals_ignoring_case(field.name, name_)) continue;
      if (!f(field.value)) return false;
    }
    return true;
  }
  [[nodiscard]] bool present() const {
    return !for_each([](std::string_view) { return false; });
  }

 private:
  const FieldSection& fields_;
  std::string_view name_;
  FieldId id_;
};

// The members of Accept, Accept-Charset, Accept-Encoding or Accept-Language: in lower case, without
// white space, sorted, each once. Lives on the stack; what is larger than that is not understood.
class WeightedList {
 public:
  enum class Syntax : unsigned char {
    names,        // tokens
    codings,      // tokens, of which x-gzip is gzip, and x-compress compress (section 8.4.1)
    media_ranges  // text/html;level=1
  };
  struct Item {
    std::string_view text;  // with parameters, without the weight
    int weight = 1000;      // thousandths
  };
  static constexpr std::size_t kMaxItems = 32;
  static constexpr std::size_t kMaxText = 2048;

  WeightedList() = default;
  // The items are views into the object.
  WeightedList(const WeightedList&) = delete;
  WeightedList& operator=(const WeightedList&) = delete;

  // All lines of a field. False: something in it is not understood, or one thing has two weights.
  [[nodiscard]] bool read(const FieldLines& lines, Syntax syntax);
  // Sorted by their text.
  [[nodiscard]] std::span<const Item> items() const { return {items_.data(), count_}; }
  // The item of that text, or null.
  [[nodiscard]] const Item* find(std::string_view text) const;

 private:
  bool add(std::string_view element, Syntax syntax);
  bool put_lower(std::string_view text);
  bool put(std::string_view text);
  bool put_parameter(std::string_view parameter);
  bool finish();

  std::array<Item, kMaxItems> items_;
  std::size_t count_ = 0;
  std::array<char, kMaxText> text_;
  std::size_t used_ = 0;
};

}  // namespace penstock::rfc9111
