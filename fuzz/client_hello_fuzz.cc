// Any bytes as the beginning of a connection: what is read of a ClientHello keeps to its bounds,
// and says the same however the bytes come.
#include "tls/client_hello.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

#include "base/check.h"

namespace {

using namespace penstock;

bool is_host_byte(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
}

void check_hello(const ClientHello& hello) {
  PENSTOCK_CHECK(hello.server_name.size() <= 253);
  PENSTOCK_CHECK(std::ranges::all_of(hello.server_name, is_host_byte));
  PENSTOCK_CHECK(!hello.server_name.starts_with('.') && !hello.server_name.ends_with('.'));
  for (const std::string& protocol : hello.alpn) {
    PENSTOCK_CHECK(!protocol.empty() && protocol.size() <= 255);
  }
}

// In memory of its own, so that reading past the end is noticed.
HelloLook look(std::string_view bytes) {
  const auto copy = std::make_unique<char[]>(bytes.size());
  std::ranges::copy(bytes, copy.get());
  HelloLook result = look_at_client_hello({copy.get(), bytes.size()});
  check_hello(result.hello);
  return result;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const HelloLook whole = look(bytes);
  // What was said of a beginning stays true when more has come.
  for (const std::size_t part : {size / 4, size / 2, size - size / 4, size - size / 64}) {
    const HelloLook before = look(bytes.substr(0, part));
    if (before.outcome == HelloOutcome::need_more) {
      PENSTOCK_CHECK(before.wanted > part && before.wanted <= kMaxClientHello);
      PENSTOCK_CHECK(whole.outcome != HelloOutcome::found || before.wanted <= size);
    } else {
      PENSTOCK_CHECK(before.outcome == whole.outcome && before.hello == whole.hello);
    }
  }
  PENSTOCK_CHECK(whole.outcome != HelloOutcome::need_more || whole.wanted > size);
  return 0;
}
