// Any bytes as a request: the outcome does not depend on the split, an accepted head is clean, and
// written anew it is understood as the same request.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "fuzz/head_checks.h"
#include "http1/head_writer.h"
#include "message/framing.h"
#include "message/hop.h"

namespace {

using namespace penstock;
using namespace penstock::http1;

RequestForm form_of(const RequestHead& head) {
  switch (head.target.form) {
    case TargetForm::absolute:
      return RequestForm::absolute;
    case TargetForm::authority:
      return RequestForm::authority;
    default:
      return RequestForm::origin;
  }
}

void check_rewritten(const RequestHead& head, const Framing& framing) {
  const WireFraming wire{.body = framing, .connection = {}};
  std::string bytes(wire_size_bound(head, wire), '\0');
  bytes.resize(write_request_head(head, form_of(head), wire, bytes));

  const HeadLimits limits{.head = 1 << 24, .start_line = 1 << 24, .fields = 1000};
  const fuzz::Scanned scanned = fuzz::scan_all_ways(bytes, limits, HeadKind::request);
  PENSTOCK_CHECK(scanned.progress == Progress::done);
  PENSTOCK_CHECK(scanned.size == bytes.size() && scanned.start == 0);
  RequestHead again;
  const Refusal refusal = parse_request_head(bytes, limits, again);
  // A request of HTTP/1.0 may have no Host, or none that is not empty.
  if (refusal == Refusal::host_invalid && !head.fields.has(FieldId::host)) return;
  PENSTOCK_CHECK(refusal == Refusal::none);
  PENSTOCK_CHECK(again.method_text == head.method_text && again.method == head.method);
  PENSTOCK_CHECK(again.target.form == head.target.form);
  PENSTOCK_CHECK(again.target.scheme == head.target.scheme);
  PENSTOCK_CHECK(again.target.authority == head.target.authority);
  PENSTOCK_CHECK(again.target.host.host == head.target.host.host);
  PENSTOCK_CHECK(again.target.host.port == head.target.host.port);
  const std::string path =
      (head.target.needs_slash ? "/" : "") + std::string(head.target.path_and_query);
  PENSTOCK_CHECK(again.target.path_and_query == path);
  PENSTOCK_CHECK(again.fields.value(FieldId::host) == head.fields.value(FieldId::host));
  PENSTOCK_CHECK(again.fields.count(FieldId::host) == 1);
  fuzz::check_same_fields(again.fields, head.fields);

  const auto framing_again = request_framing(again);
  PENSTOCK_CHECK(framing_again.has_value());
  PENSTOCK_CHECK(framing_again->has_body() == framing.has_body());
  PENSTOCK_CHECK(!framing.has_body() || *framing_again == framing);
}

void check_forwarded(RequestHead& head) {
  remove_hop_by_hop(head.fields, connection_options(head.fields));
  for (const Field& field : head.fields) PENSTOCK_CHECK(!is_hop_by_hop(field.id));
  append_via(head.fields, head.version, "fuzz");
  PENSTOCK_CHECK(via_names(head.fields, "FUZZ"));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  fuzz::scan_all_ways(input, fuzz::kSmallLimits, HeadKind::request);
  const HeadLimits limits;
  const fuzz::Scanned scanned = fuzz::scan_all_ways(input, limits, HeadKind::request);
  if (scanned.progress != Progress::done) return 0;

  // A copy of its own, so that reading past the head is seen.
  const std::string bytes(input.substr(scanned.start, scanned.size - scanned.start));
  RequestHead head;
  const Refusal refusal = parse_request_head(bytes, limits, head);
  fuzz::check_fields(head.fields);
  // The scan has already looked for these.
  PENSTOCK_CHECK(refusal != Refusal::bare_cr && refusal != Refusal::bare_lf);
  PENSTOCK_CHECK(refusal != Refusal::control_byte && refusal != Refusal::start_line_too_long);
  if (refusal != Refusal::none) return 0;
  PENSTOCK_CHECK(is_token(head.method_text));
  PENSTOCK_CHECK(all_of_class(head.target_text, characters::kUri));
  PENSTOCK_CHECK(head.fields.count(FieldId::host) <= 1);
  if (head.target.form != TargetForm::origin && head.target.form != TargetForm::asterisk) {
    PENSTOCK_CHECK(head.fields.value(FieldId::host) == head.target.authority);
  }
  const auto framing = request_framing(head);
  if (!framing) return 0;
  check_rewritten(head, *framing);
  check_forwarded(head);
  check_rewritten(head, *framing);
  return 0;
}
