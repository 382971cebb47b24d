// Any bytes as a header of the PROXY protocol: the outcome does not depend on the split or on what
// follows, no more is consumed than there is, and what was read can be written and read again.
#include "net/proxy_header.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"

namespace {

using namespace penstock;
using Parsed = std::expected<std::size_t, ProxyHeaderProblem>;

void check_text(std::string_view text) {
  PENSTOCK_CHECK(std::ranges::none_of(
      text, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }));
}

void check_fields(const ProxyHeaderFields& fields) {
  check_text(fields.alpn);
  check_text(fields.authority);
  if (fields.tls) {
    check_text(fields.tls->version);
    check_text(fields.tls->cipher);
    check_text(fields.tls->common_name);
  }
  if (fields.local) PENSTOCK_CHECK(fields == ProxyHeaderFields{.local = true});
}

void check_written(const ProxyHeaderFields& fields) {
  const std::string v2 = proxy_header_v2(fields);
  ProxyHeaderFields again;
  PENSTOCK_CHECK(parse_proxy_header(v2, again) == v2.size());
  PENSTOCK_CHECK(proxy_header_v2(again) == v2);
  const std::string v1 = proxy_header_v1(fields);
  ProxyHeaderFields line;
  PENSTOCK_CHECK(parse_proxy_header(v1, line) == v1.size());
  PENSTOCK_CHECK(proxy_header_v1(line) == v1);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  ProxyHeaderFields fields;
  const Parsed whole = parse_proxy_header(bytes, fields);
  // What is decided on the way stays so.
  for (std::size_t cut = 0; cut < size; ++cut) {
    const std::string exact(bytes.substr(0, cut));  // so that reading too far is seen
    ProxyHeaderFields part;
    const Parsed parsed = parse_proxy_header(exact, part);
    const bool undecided = parsed.has_value() && *parsed == 0;
    PENSTOCK_CHECK(undecided || parsed == whole);
    if (!undecided && parsed) PENSTOCK_CHECK(part == fields);
  }
  if (!whole || *whole == 0) return 0;
  PENSTOCK_CHECK(*whole <= size && *whole <= kMaxProxyHeader);
  check_fields(fields);
  check_written(fields);
  return 0;
}
