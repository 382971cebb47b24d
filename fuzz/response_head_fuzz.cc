// Any bytes as a response: the outcome does not depend on the split, an accepted head is clean, and
// written anew it is understood as the same response.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "fuzz/head_checks.h"
#include "http1/head_writer.h"
#include "message/framing.h"

namespace {

using namespace penstock;
using namespace penstock::http1;

void check_rewritten(const ResponseHead& head, Method method, const Framing& framing) {
  const WireFraming wire{.body = framing, .connection = {}};
  std::string bytes(wire_size_bound(head, wire), '\0');
  bytes.resize(write_response_head(head, wire, bytes));

  const HeadLimits limits{.head = 1 << 24, .start_line = 1 << 24, .fields = 1000};
  const fuzz::Scanned scanned = fuzz::scan_all_ways(bytes, limits, HeadKind::response);
  PENSTOCK_CHECK(scanned.progress == Progress::done && scanned.size == bytes.size());
  ResponseHead again;
  PENSTOCK_CHECK(parse_response_head(bytes, limits, again) == Refusal::none);
  PENSTOCK_CHECK(again.status == head.status && again.reason == head.reason);
  fuzz::check_same_fields(again.fields, head.fields);

  const auto framing_again = response_framing(method, again);
  PENSTOCK_CHECK(framing_again.has_value());
  PENSTOCK_CHECK(*framing_again == framing);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  fuzz::scan_all_ways(input, fuzz::kSmallLimits, HeadKind::response);
  const HeadLimits limits;
  const fuzz::Scanned scanned = fuzz::scan_all_ways(input, limits, HeadKind::response);
  if (scanned.progress != Progress::done) return 0;
  PENSTOCK_CHECK(scanned.start == 0);

  // A copy of its own, so that reading past the head is seen.
  const std::string bytes(input.substr(0, scanned.size));
  ResponseHead head;
  const Refusal refusal = parse_response_head(bytes, limits, head);
  fuzz::check_fields(head.fields);
  // The scan has already looked for these.
  PENSTOCK_CHECK(refusal != Refusal::bare_cr && refusal != Refusal::bare_lf);
  PENSTOCK_CHECK(refusal != Refusal::control_byte && refusal != Refusal::start_line_too_long);
  if (refusal != Refusal::none) return 0;
  PENSTOCK_CHECK(head.status >= 100 && head.status <= 599);
  PENSTOCK_CHECK(fuzz::has_no_control_bytes(head.reason));
  for (const Method method : {Method::get, Method::head, Method::connect}) {
    const auto framing = response_framing(method, head);
    if (framing) check_rewritten(head, method, *framing);
  }
  return 0;
}
