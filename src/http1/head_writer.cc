#include "http1/head_writer.h"

#include <bit>

#include "http1/output.h"
#include "message/status.h"

namespace penstock::http1 {
namespace {

constexpr std::string_view kChunkedLine = "Transfer-Encoding: chunked\r\n";
constexpr std::string_view kConnectionName = "Connection";
constexpr std::string_view kLengthName = "Content-Length: ";
constexpr std::string_view kHostName = "Host: ";
constexpr std::size_t kLengthLineMax = kLengthName.size() + kDecimalMax + kCrlf.size();
// Start line and end of a head beyond its texts: " http:// / HTTP/1.1", "HTTP/1.1 200 ", CRLFs.
constexpr std::size_t kFixedMax = 64;

void put_length(Output& out, std::uint64_t length) {
  out.put(kLengthName);
  out.put_decimal(length);
  out.put(kCrlf);
}

void put_connection(Output& out, std::string_view value) {
  if (!value.empty()) out.put_line(kConnectionName, value);
}

std::size_t lines_size(const FieldSection& fields) {
  std::size_t size = 0;
  for (const Field& field : fields) {
    size += field.name.size() + field.value.size() + kColon.size() + kCrlf.size();
  }
  return size;
}

std::size_t framing_size(const WireFraming& framing) {
  return kLengthLineMax + kChunkedLine.size() + kConnectionName.size() + kColon.size() +
         framing.connection.size() + kCrlf.size();
}

// The Host value to send.
std::string_view host_of(const RequestHead& head) {
  const Field* const host = head.fields.find(FieldId::host);
  return host != nullptr ? host->value : head.target.authority;
}

void put_target(Output& out, const RequestHead& head, RequestForm form) {
  const Target& target = head.target;
  if (form == RequestForm::origin) {
    if (target.needs_slash) out.put("/");
    // Only CONNECT has no path, and it has no origin form.
    out.put(target.path_and_query.empty() ? "/" : target.path_and_query);
    return;
  }
  const std::string_view authority = target.authority.empty() ? host_of(head) : target.authority;
  if (form == RequestForm::absolute) {
    out.put(target.scheme.empty() ? "http" : target.scheme);
    out.put("://");
  }
  out.put(authority);
  if (form == RequestForm::authority) return;
  if (target.needs_slash) out.put("/");
  // OPTIONS for the server as a whole has no path in absolute form (RFC 9112 section 3.2.4).
  if (target.path_and_query != "*") out.put(target.path_and_query);
}

bool expects_content(Method method) {
  return method == Method::post || method == Method::put || method == Method::patch;
}

// Whether the writer itself says what this field says.
bool is_written_apart(FieldId id, const WireFraming& framing) {
  return id == FieldId::content_length || id == FieldId::transfer_encoding ||
         (id == FieldId::connection && !framing.connection.empty());
}

}  // namespace

std::size_t wire_size_bound(const RequestHead& head, const WireFraming& framing) {
  // The authority may be written twice: in the target and as Host.
  return kFixedMax + head.method_text.size() + head.target.scheme.size() +
         2 * (head.target.authority.size() + host_of(head).size()) +
         head.target.path_and_query.size() + kHostName.size() + lines_size(head.fields) +
         framing_size(framing);
}

std::size_t wire_size_bound(const ResponseHead& head, const WireFraming& framing) {
  return kFixedMax + head.reason.size() + lines_size(head.fields) + framing_size(framing);
}

std::size_t write_request_head(const RequestHead& head, RequestForm form,
                               const WireFraming& framing, std::span<char> to) {
  Output out(to);
  out.put(head.method_text);
  out.put(" ");
  put_target(out, head, form);
  out.put(" HTTP/1.1\r\n");
  out.put(kHostName);
  out.put(host_of(head));
  out.put(kCrlf);
  for (const Field& field : head.fields) {
    if (field.id != FieldId::host && !is_written_apart(field.id, framing)) out.put(field);
  }
  put_connection(out, framing.connection);
  if (framing.body.kind == BodyKind::chunked) {
    out.put(kChunkedLine);
  } else if (framing.body.kind == BodyKind::length ||
             (framing.body.kind == BodyKind::none && expects_content(head.method))) {
    put_length(out, framing.body.length);
  }
  out.put(kCrlf);
  return out.size();
}

std::size_t write_response_head(const ResponseHead& head, const WireFraming& framing,
                                std::span<char> to) {
  Output out(to);
  out.put("HTTP/1.1 ");
  out.put_decimal(static_cast<std::uint64_t>(head.status));
  out.put(" ");
  out.put(head.reason);
  out.put(kCrlf);
  for (const Field& field : head.fields) {
    if (!is_written_apart(field.id, framing)) out.put(field);
  }
  put_connection(out, framing.connection);
  if (framing.body.kind == BodyKind::chunked) {
    out.put(kChunkedLine);
  } else if (framing.body.kind == BodyKind::length) {
    put_length(out, framing.body.length);
  } else if (framing.body.kind == BodyKind::none && !is_informational(head.status) &&
             head.status != 204) {
    const auto own = content_length(head.fields);
    if (own && own->kind == BodyKind::length) put_length(out, own->length);
  }
  out.put(kCrlf);
  return out.size();
}

std::size_t write_chunk_head(std::uint64_t size, std::span<char> to) {
  const int digits = size == 0 ? 1 : (static_cast<int>(std::bit_width(size)) + 3) / 4;
  Output out(to);
  for (int i = digits - 1; i >= 0; --i) {
    const std::size_t digit = size >> (4 * i) & 0xf;
    out.put(std::string_view("0123456789abcdef").substr(digit, 1));
  }
  out.put(kCrlf);
  return out.size();
}

std::size_t last_chunk_size_bound(const FieldSection& trailers) {
  return kLastChunk.size() + lines_size(trailers);
}

std::size_t write_last_chunk(const FieldSection& trailers, std::span<char> to) {
  Output out(to);
  out.put("0\r\n");
  for (const Field& field : trailers) {
    if (!is_forbidden_in_trailers(field.id)) out.put(field);
  }
  out.put(kCrlf);
  return out.size();
}

}  // namespace penstock::http1
