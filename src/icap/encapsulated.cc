#include "icap/encapsulated.h"

#include <array>
#include <optional>

#include "http1/output.h"
#include "icap/decimal.h"
#include "message/characters.h"
#include "message/fields.h"

namespace penstock::icap {
namespace {

using std::unexpected;
using Body = Encapsulated::Body;

// In the order in which they may stand.
enum class Part : std::uint8_t { request_head, response_head, body };

struct Name {
  std::string_view text;
  Part part;
  Body body;
};
constexpr std::array<Name, 6> kNames{{{"req-hdr", Part::request_head, Body::none},
                                      {"res-hdr", Part::response_head, Body::none},
                                      {"req-body", Part::body, Body::request},
                                      {"res-body", Part::body, Body::response},
                                      {"opt-body", Part::body, Body::options},
                                      {"null-body", Part::body, Body::none}}};

std::string_view name_of(Body body) {
  for (const Name& name : kNames) {
    if (name.part == Part::body && name.body == body) return name.text;
  }
  return {};
}

const Name* find_name(std::string_view text) {
  for (const Name& name : kNames) {
    if (equals_ignoring_case(name.text, text)) return &name;
  }
  return nullptr;
}

// Takes the parts in their order.
class Reader {
 public:
  Problem add(std::string_view element) {
    const std::size_t equals = element.find('=');
    if (equals == std::string_view::npos) return Problem::encapsulated_malformed;
    const std::string_view text = trim_whitespace(element.substr(0, equals));
    const std::string_view digits = trim_whitespace(element.substr(equals + 1));
    if (!is_token(text) || digits.empty() || !all_of_class(digits, characters::kDigit)) {
      return Problem::encapsulated_malformed;
    }
    const Name* const name = find_name(text);
    if (name == nullptr) return Problem::encapsulated_unknown_part;
    const auto offset = parse_decimal(digits);
    if (!offset) return Problem::encapsulated_offset;
    return add(*name, *offset);
  }

  [[nodiscard]] std::expected<Encapsulated, Problem> finish() const {
    if (last_ != Part::body) return unexpected(Problem::encapsulated_without_body_part);
    return value_;
  }

 private:
  Problem add(const Name& name, std::uint64_t offset) {
    if (last_ && *last_ >= name.part) return Problem::encapsulated_order;
    // The part before ends where this one begins, and no head is empty.
    if (last_ ? offset <= offset_ : offset != 0) return Problem::encapsulated_offset;
    if (last_ == Part::request_head) value_.request_head = offset - offset_;
    if (last_ == Part::response_head) value_.response_head = offset - offset_;
    const bool fits = (name.body != Body::request || value_.response_head == 0) &&
                      (name.body != Body::options || offset == 0);
    if (!fits) return Problem::encapsulated_order;
    last_ = name.part;
    offset_ = offset;
    value_.body = name.body;
    return Problem::none;
  }

  Encapsulated value_;
  std::optional<Part> last_;
  std::uint64_t offset_ = 0;
};

}  // namespace

std::expected<Encapsulated, Problem> parse_encapsulated(std::string_view value) {
  Reader reader;
  for (bool more = true; more;) {
    const std::size_t comma = value.find(',');
    more = comma != std::string_view::npos;
    const Problem problem = reader.add(value.substr(0, comma));
    if (problem != Problem::none) return unexpected(problem);
    if (more) value.remove_prefix(comma + 1);
  }
  return reader.finish();
}

std::size_t write_encapsulated(const Encapsulated& value, std::span<char> to) {
  http1::Output out(to);
  if (value.request_head != 0) out.put("req-hdr=0, ");
  if (value.response_head != 0) {
    out.put("res-hdr=");
    out.put_decimal(value.request_head);
    out.put(", ");
  }
  out.put(name_of(value.body));
  out.put("=");
  out.put_decimal(value.heads());
  return out.size();
}

}  // namespace penstock::icap
