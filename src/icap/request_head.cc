#include "icap/request_head.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "base/check.h"
#include "http1/head_writer.h"
#include "http1/output.h"
#include "icap/field_rules.h"
#include "message/characters.h"
#include "message/framing.h"
#include "message/hop.h"
#include "message/status.h"

namespace penstock::icap {
namespace {

using http1::kColon;
using http1::kCrlf;
using http1::kDecimalMax;
using http1::Output;
using http1::RequestForm;
using http1::WireFraming;
using std::unexpected;

constexpr std::string_view kVersion = " ICAP/1.0\r\n";
constexpr std::string_view kHost = "Host";
constexpr std::string_view kAllow = "Allow";
constexpr std::string_view kPreview = "Preview: ";
constexpr std::string_view kEncapsulated = "Encapsulated: ";
constexpr std::string_view kBothStatuses = "204, 206";
// The line, and the empty one that ends the head.
constexpr std::size_t kEncapsulatedLineMax =
    kEncapsulated.size() + kEncapsulatedMax + 2 * kCrlf.size();
// What else is in the ICAP head beyond URI, Host and the caller's fields.
constexpr std::size_t kIcapFixedMax = std::string_view("RESPMOD ").size() + kVersion.size() +
                                      kHost.size() + kColon.size() + kCrlf.size() + kAllow.size() +
                                      kColon.size() + kBothStatuses.size() + kCrlf.size() +
                                      kPreview.size() + kDecimalMax + kCrlf.size();
constexpr std::string_view kHttps = "https";

bool has_control(std::string_view text) {
  const char* const end = text.data() + text.size();
  return find_control(text.data(), end) != end;
}

// A text that cannot end a start line or add a part to it.
bool is_one_part(std::string_view text) { return !has_control(text) && !text.contains(' '); }

bool is_safe(const FieldSection& fields) {
  return std::ranges::none_of(
      fields, [](const Field& field) { return !is_token(field.name) || has_control(field.value); });
}

// The authority that a target in absolute form is given.
std::string_view authority_of(const RequestHead& head) {
  return head.target.authority.empty() ? head.fields.value(FieldId::host) : head.target.authority;
}

bool is_safe(const RequestHead& head) {
  return is_token(head.method_text) && is_one_part(head.target.scheme) &&
         is_one_part(authority_of(head)) && is_one_part(head.target.path_and_query) &&
         is_safe(head.fields);
}

bool is_safe(const ResponseHead& head) {
  return head.status >= 100 && head.status <= 999 && !has_control(head.reason) &&
         is_safe(head.fields);
}

bool may_be_sent(std::span<const Field> fields) {
  return std::ranges::all_of(fields, [](const Field& field) {
    return is_token(field.name) && is_field_value(field.value) && !is_protocol_field(field.name);
  });
}

// The lines of a head that go on to the ICAP server; they view those of the head.
FieldSection end_to_end(const FieldSection& fields) {
  FieldSection copy;
  for (const Field& field : fields) copy.add(field.id, field.name, field.value);
  remove_hop_by_hop(copy, connection_options(copy));
  return copy;
}

// The framing that makes the writer say what the head says of its length. The chunks that carry
// the body are ICAP's, and no HTTP field speaks of them.
Framing as_stated(const FieldSection& fields, std::optional<std::uint64_t> known) {
  if (known) return {BodyKind::length, *known};
  const auto length = content_length(fields);
  return length && length->kind == BodyKind::length ? *length : Framing{BodyKind::until_close, 0};
}

std::size_t put_head(const RequestHead& head, bool secure, std::optional<std::uint64_t> length,
                     std::span<char> to) {
  RequestHead copy;
  copy.method = head.method;
  copy.method_text = head.method_text;
  copy.target = head.target;
  if (secure && copy.target.scheme.empty()) copy.target.scheme = kHttps;
  copy.fields = end_to_end(head.fields);
  // Of a request of HTTP/1.0 nobody may have said for which host it is.
  const RequestForm form = head.method == Method::connect ? RequestForm::authority
                           : authority_of(head).empty()   ? RequestForm::origin
                                                          : RequestForm::absolute;
  const WireFraming framing{.body = as_stated(head.fields, length), .connection = {}};
  return http1::write_request_head(copy, form, framing, to);
}

std::size_t put_head(const ResponseHead& head, std::optional<std::uint64_t> length,
                     std::span<char> to) {
  ResponseHead copy;
  copy.status = head.status;
  copy.reason = head.reason;
  copy.fields = end_to_end(head.fields);
  WireFraming framing{.body = as_stated(head.fields, length), .connection = {}};
  if (never_has_content(head.status)) framing.body = {};
  return http1::write_response_head(copy, framing, to);
}

// The ICAP head as far as it does not depend on the HTTP heads.
std::size_t put_icap_head(const IcapRequest& request, std::span<char> to) {
  Output out(to);
  out.put(to_string(request.method));
  out.put(" ");
  out.put(request.service->text);
  out.put(kVersion);
  out.put_line(kHost, request.service->authority);
  for (const Field& field : request.fields) out.put(field);
  if (request.allow_204 || request.allow_206) {
    const std::string_view one = request.allow_204 ? "204" : "206";
    out.put_line(kAllow, request.allow_204 && request.allow_206 ? kBothStatuses : one);
  }
  if (request.preview) {
    out.put(kPreview);
    out.put_decimal(*request.preview);
    out.put(kCrlf);
  }
  return out.size();
}

std::size_t put_encapsulated_line(const Encapsulated& value, std::span<char> to) {
  std::array<char, kEncapsulatedMax> text;
  Output out(to);
  out.put(kEncapsulated);
  out.put({text.data(), write_encapsulated(value, text)});
  out.put(kCrlf);
  out.put(kCrlf);
  return out.size();
}

constexpr std::size_t kLengthLineMax = std::string_view("Content-Length: \r\n").size() + 20;

std::size_t icap_head_bound(const IcapRequest& request) {
  std::size_t size = kIcapFixedMax + request.service->text.size() +
                     request.service->authority.size() + kEncapsulatedLineMax;
  for (const Field& field : request.fields) {
    size += field.name.size() + kColon.size() + field.value.size() + kCrlf.size();
  }
  return size;
}

void check_parts(const IcapRequest& request) {
  PENSTOCK_CHECK(request.service != nullptr);
  switch (request.method) {
    case IcapMethod::options:
      PENSTOCK_CHECK(request.request == nullptr && request.response == nullptr);
      PENSTOCK_CHECK(!request.has_body);
      break;
    case IcapMethod::reqmod:
      PENSTOCK_CHECK(request.request != nullptr && request.response == nullptr);
      break;
    case IcapMethod::respmod:
      PENSTOCK_CHECK(request.response != nullptr);
      break;
  }
}

}  // namespace

std::string_view to_string(IcapMethod method) {
  switch (method) {
    case IcapMethod::options:
      return "OPTIONS";
    case IcapMethod::reqmod:
      return "REQMOD";
    case IcapMethod::respmod:
      return "RESPMOD";
  }
  return {};
}

std::size_t request_size_bound(const IcapRequest& request) {
  // The length is written where the head has one, and is no longer than its line there, or known.
  std::size_t size = icap_head_bound(request) + kLengthLineMax;
  if (request.request != nullptr) {
    size += http1::wire_size_bound(*request.request, {}) + kHttps.size();
  }
  if (request.response != nullptr) size += http1::wire_size_bound(*request.response, {});
  return size;
}

std::expected<std::string_view, Problem> write_request(const IcapRequest& request,
                                                       std::span<char> to) {
  check_parts(request);
  if (!may_be_sent(request.fields)) return unexpected(Problem::field_not_allowed);
  const bool safe = (request.request == nullptr || is_safe(*request.request)) &&
                    (request.response == nullptr || is_safe(*request.response));
  if (!safe) return unexpected(Problem::text_not_allowed);

  const std::size_t begun = put_icap_head(request, to);
  if (request.method == IcapMethod::options) {
    Output end(to.subspan(begun));
    end.put(kCrlf);
    return std::string_view(to.data(), begun + end.size());
  }
  // The HTTP heads go behind the longest line that Encapsulated could be. When it is known, what
  // stands in front of it moves up to it.
  const std::size_t heads_at = begun + kEncapsulatedLineMax;
  Encapsulated parts;
  const bool of_request = request.method == IcapMethod::reqmod;
  if (request.request != nullptr) {
    parts.request_head = put_head(*request.request, request.secure,
                                  of_request ? request.length : std::nullopt, to.subspan(heads_at));
  }
  if (request.response != nullptr) {
    parts.response_head =
        put_head(*request.response, request.length, to.subspan(heads_at + parts.request_head));
  }
  if (request.has_body) {
    parts.body = of_request ? Encapsulated::Body::request : Encapsulated::Body::response;
  }
  std::array<char, kEncapsulatedLineMax> line;
  const std::size_t line_size = put_encapsulated_line(parts, line);
  char* const line_at = to.data() + heads_at - line_size;
  std::memcpy(line_at, line.data(), line_size);
  std::memmove(line_at - begun, to.data(), begun);
  return std::string_view(line_at - begun, begun + line_size + parts.heads());
}

std::expected<Slice, Problem> serialise(const IcapRequest& request) {
  const std::size_t bound = request_size_bound(request);
  SlabRef slab = SlabPool::take(SlabPool::fitting(bound));
  if (slab->capacity() < bound) return unexpected(Problem::request_too_large);
  const auto written = write_request(request, {slab->data(), slab->capacity()});
  if (!written) return unexpected(written.error());
  return Slice(std::move(slab), *written);
}

}  // namespace penstock::icap
