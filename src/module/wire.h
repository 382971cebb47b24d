// How calls and their results are written down to reach callbacks on other threads or in another
// process.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "message/fields.h"

namespace penstock {

// What a message between a worker and helpers is.
enum class WireKind : std::uint8_t {
  // From workers.
  call,             // an event of a transaction; answered with a result
  note,             // an event that is not answered: logged
  free,             // a transaction is over
  connection,       // a connection begins; answered
  connection_free,  // it is over
  // From helpers.
  resumed,  // a waiter's number
  service,  // what an instance's services are asked for; see process_services.h
  // From workers to the services of a helper process.
  service_result,
};

// What a callback has done, in its order.
enum class WireEdit : std::uint8_t {
  field_set,
  field_add,
  field_remove,
  set_text,
  set_number,
  write,
  pass,
  hold,  // under a number that the helper gives
  emit,
  drop,
  length,
  answer,
  answer_stream,
  addresses,
  record_add,
};

// Numbers in the machine's own order: both ends are on it.
class WireWriter {
 public:
  template <class Number>
  WireWriter& put(Number number) {
    out_.append(reinterpret_cast<const char*>(&number), sizeof number);
    return *this;
  }
  WireWriter& put_text(std::string_view text) {
    put(static_cast<std::uint32_t>(text.size()));
    out_.append(text);
    return *this;
  }
  WireWriter& put_fields(const FieldSection& fields) {
    put(static_cast<std::uint32_t>(fields.size()));
    for (const Field& field : fields) put_text(field.name).put_text(field.value);
    return *this;
  }
  [[nodiscard]] std::string take() { return std::move(out_); }
  [[nodiscard]] std::string& bytes() { return out_; }

 private:
  std::string out_;
};

// Reads what may be anything: once something is missing all that follows is empty, and good() says
// so. Views are into the bytes.
class WireReader {
 public:
  explicit WireReader(std::string_view bytes) : rest_(bytes) {}

  template <class Number>
  Number take() {
    Number number{};
    if (rest_.size() < sizeof number) {
      fail();
      return Number{};
    }
    std::memcpy(&number, rest_.data(), sizeof number);
    rest_.remove_prefix(sizeof number);
    return number;
  }
  std::string_view take_text() {
    const auto size = take<std::uint32_t>();
    if (size > rest_.size()) {
      fail();
      return {};
    }
    const std::string_view text = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return text;
  }
  // Copies of the lines, into a section that is emptied first.
  void take_fields(FieldSection& fields) {
    fields.clear();
    const auto count = take<std::uint32_t>();
    for (std::uint32_t i = 0; good_ && i < count; ++i) {
      const std::string_view name = fields.keep(take_text());
      const std::string_view value = fields.keep(take_text());
      if (good_) fields.add(field_id(name), name, value);
    }
  }
  [[nodiscard]] bool good() const { return good_; }
  [[nodiscard]] bool at_end() const { return rest_.empty(); }

 private:
  void fail() {
    good_ = false;
    rest_ = {};
  }
  std::string_view rest_;
  bool good_ = true;
};

}  // namespace penstock
