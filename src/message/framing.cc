#include "message/framing.h"

#include <array>
#include <charconv>
#include <cstddef>
#include <limits>

#include "message/characters.h"
#include "message/status.h"

namespace penstock {
namespace {

using std::unexpected;

constexpr std::uint64_t kLargestLength =
    static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());

std::expected<std::uint64_t, Refusal> parse_length(std::string_view digits) {
  if (digits.empty() || !all_of_class(digits, characters::kDigit)) {
    return unexpected(Refusal::content_length_invalid);
  }
  std::uint64_t length = 0;
  for (const char c : digits) {
    const auto digit = static_cast<std::uint64_t>(c - '0');
    if (length > (kLargestLength - digit) / 10) return unexpected(Refusal::content_length_overflow);
    length = length * 10 + digit;
  }
  return length;
}

// Why a Transfer-Encoding that is not exactly "chunked" on one line is refused.
Refusal classify_codings(const FieldSection& fields) {
  int chunked = 0;
  bool after_chunked = false;
  bool parameters = false;
  bool unknown = false;
  bool malformed = false;
  for (const Field& field : fields) {
    if (field.id != FieldId::transfer_encoding) continue;
    for_each_element(field.value, [&](std::string_view element) {
      const std::string_view coding = trim_whitespace(element.substr(0, element.find(';')));
      if (chunked > 0) after_chunked = true;
      if (equals_ignoring_case(coding, "chunked")) {
        ++chunked;
        if (coding.size() != element.size()) parameters = true;
      } else if (is_token(coding)) {
        unknown = true;
      } else {
        malformed = true;
      }
    });
  }
  if (chunked > 1) return Refusal::transfer_encoding_repeated_chunked;
  if (malformed || parameters || after_chunked || !unknown) {
    return Refusal::transfer_encoding_not_chunked_last;
  }
  return Refusal::transfer_encoding_unknown;
}

// Whether the message has Transfer-Encoding: chunked; refuses all else that can be said there.
std::expected<bool, Refusal> transfer_encoding_chunked(Version version,
                                                       const FieldSection& fields) {
  const Field* const field = fields.find(FieldId::transfer_encoding);
  if (field == nullptr) return false;
  if (version == Version::http10) return unexpected(Refusal::transfer_encoding_in_http10);
  if (fields.has(FieldId::content_length)) {
    return unexpected(Refusal::content_length_with_transfer_encoding);
  }
  if (!equals_ignoring_case(field->value, "chunked") ||
      fields.count(FieldId::transfer_encoding) != 1) {
    return unexpected(classify_codings(fields));
  }
  return true;
}

void add_option(ConnectionOptions& options, std::string_view name) {
  switch (field_id(name)) {
    case FieldId::keep_alive:
      options.keep_alive = true;
      return;
    case FieldId::upgrade:
      options.upgrade = true;
      return;
    case FieldId::te:
      options.te = true;
      return;
    case FieldId::other:
      break;
    default:
      if (!is_hop_by_hop(field_id(name))) options.has_others = true;
      return;
  }
  if (equals_ignoring_case(name, "close")) {
    options.close = true;
  } else {
    options.has_others = true;
  }
}

}  // namespace

std::expected<Framing, Refusal> content_length(const FieldSection& fields) {
  Framing framing;
  if (!fields.has(FieldId::content_length)) return framing;
  for (const Field& field : fields) {
    if (field.id != FieldId::content_length) continue;
    std::string_view rest = field.value;
    for (bool more = true; more;) {
      const std::size_t comma = rest.find(',');
      more = comma != std::string_view::npos;
      const auto length = parse_length(trim_whitespace(rest.substr(0, comma)));
      if (!length) return unexpected(length.error());
      if (framing.kind == BodyKind::length && framing.length != *length) {
        return unexpected(Refusal::content_length_conflict);
      }
      framing = {BodyKind::length, *length};
      if (more) rest.remove_prefix(comma + 1);
    }
  }
  return framing;
}

void set_content_length(FieldSection& fields, std::uint64_t length) {
  std::array<char, 20> digits;
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), length).ptr;
  const std::string_view text(digits.data(), static_cast<std::size_t>(end - digits.data()));
  if (fields.count(FieldId::content_length) == 1 && fields.value(FieldId::content_length) == text) {
    return;
  }
  fields.set(FieldId::content_length, fields.keep(text));
}

std::expected<Framing, Refusal> request_framing(const RequestHead& head) {
  const auto chunked = transfer_encoding_chunked(head.version, head.fields);
  if (!chunked) return unexpected(chunked.error());
  if (*chunked) {
    if (head.method == Method::connect) return unexpected(Refusal::transfer_encoding_not_allowed);
    return Framing{BodyKind::chunked, 0};
  }
  auto framing = content_length(head.fields);
  if (framing && framing->has_body() && head.method == Method::connect) {
    return unexpected(Refusal::content_not_allowed);
  }
  return framing;
}

std::expected<Framing, Refusal> response_framing(Method request_method, const ResponseHead& head) {
  const auto chunked = transfer_encoding_chunked(head.version, head.fields);
  if (!chunked) return unexpected(chunked.error());
  auto length = content_length(head.fields);
  if (!length) return length;

  const bool tunnel = request_method == Method::connect && head.status >= 200 && head.status < 300;
  if (*chunked && (is_informational(head.status) || head.status == 204 || tunnel)) {
    return unexpected(Refusal::transfer_encoding_not_allowed);
  }
  if (request_method == Method::head || never_has_content(head.status) || tunnel) return Framing{};
  if (*chunked) return Framing{BodyKind::chunked, 0};
  if (length->kind == BodyKind::none) return Framing{BodyKind::until_close, 0};
  return length;
}

ConnectionOptions connection_options(const FieldSection& fields) {
  ConnectionOptions options;
  if (!fields.has(FieldId::connection)) return options;
  for (const Field& field : fields) {
    if (field.id != FieldId::connection) continue;
    for_each_element(field.value, [&](std::string_view name) { add_option(options, name); });
  }
  return options;
}

bool wants_persistence(Version version, const ConnectionOptions& options) {
  if (options.close) return false;
  return version != Version::http10 || options.keep_alive;
}

}  // namespace penstock
