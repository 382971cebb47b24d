// Any bytes as the answer of an ICAP server: the outcome does not depend on the split, what was
// accepted is clean, and an adapted head that is sent to the next service is understood there as
// the same.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "fuzz/head_checks.h"
#include "http1/chunk_decoder.h"
#include "icap/adapted_head.h"
#include "icap/chunk_extensions.h"
#include "icap/options.h"
#include "icap/request_head.h"
#include "icap/response_head.h"

namespace {

using namespace penstock;
using namespace penstock::icap;
using http1::ChunkDecoder;
using http1::HeadLimits;
using http1::Progress;

// For what we have written ourselves, which may be longer than what we take.
constexpr HeadLimits kNoLimits{.head = 1 << 24, .start_line = 1 << 24, .fields = 1000};

struct Scanned {
  Progress progress = Progress::need_more;
  Problem problem = Problem::none;
  std::size_t size = 0;
  friend bool operator==(const Scanned&, const Scanned&) = default;
};

// Scans the input as it grows by `step` bytes at a time.
Scanned scan(std::string_view input, const HeadLimits& limits, std::size_t step) {
  ResponseScanner scanner(limits);
  for (std::size_t end = 0;;) {
    end = std::min(end + step, input.size());
    const Progress progress = scanner.scan(input.substr(0, end));
    if (progress == Progress::done) return {progress, Problem::none, scanner.size()};
    if (progress == Progress::refused) return {progress, scanner.problem(), 0};
    if (end == input.size()) return {};
  }
}

Scanned scan_all_ways(std::string_view input, const HeadLimits& limits) {
  const Scanned whole = scan(input, limits, std::max<std::size_t>(input.size(), 1));
  for (const std::size_t step : {1U, 2U, 7U, 64U}) {
    PENSTOCK_CHECK(scan(input, limits, step) == whole);
  }
  PENSTOCK_CHECK(whole.size <= std::min(input.size(), limits.head));
  return whole;
}

void check_encapsulated(std::string_view text) {
  const auto parsed = parse_encapsulated(text);
  if (!parsed) return;
  char to[kEncapsulatedMax];
  const std::string_view written(to, write_encapsulated(*parsed, to));
  PENSTOCK_CHECK(parse_encapsulated(written) == parsed);
}

void check_options(const IcapResponse& response, std::string_view path) {
  const auto options = parse_options(response);
  if (!options) return;
  PENSTOCK_CHECK(options->include.size() <= kMaxIncluded);
  PENSTOCK_CHECK(!options->ttl || *options->ttl <= kMaxOptionsTtl);
  PENSTOCK_CHECK(!options->max_connections || *options->max_connections > 0);
  for (const std::string_view target : {path, std::string_view("/a.exe?b")}) {
    const Transfer transfer = options->transfer_for(target);
    PENSTOCK_CHECK(transfer != Transfer::preview || options->preview);
  }
}

// The head, sent on.
AdaptedHead sent_on(const AdaptedHead& adapted, std::string& memory, Method method) {
  static const ServiceUri service = parse_service_uri("icap://next/").value();
  IcapRequest request{.method = IcapMethod::reqmod, .service = &service, .has_body = true};
  if (adapted.is_request()) {
    request.request = &std::get<RequestHead>(adapted.head);
  } else {
    request.method = IcapMethod::respmod;
    request.response = &std::get<ResponseHead>(adapted.head);
  }
  memory.resize(request_size_bound(request));
  const auto written = write_request(request, memory);
  PENSTOCK_CHECK(written.has_value());
  const std::size_t heads_at = written->find("\r\n\r\n") + 4;
  const std::string_view begin = "Encapsulated: ";
  const std::size_t line = written->find(begin) + begin.size();
  PENSTOCK_CHECK(line < heads_at);
  const auto parts = parse_encapsulated(written->substr(line, heads_at - 4 - line));
  PENSTOCK_CHECK(parts.has_value() && parts->has_body());
  auto again = parse_adapted_head(written->substr(heads_at), *parts, method, kNoLimits);
  PENSTOCK_CHECK(again.has_value());
  return std::move(*again);
}

void check_adapted(std::string_view bytes, const Encapsulated& parts, Method method) {
  const auto adapted = parse_adapted_head(bytes, parts, method, {});
  if (!adapted) {
    const AdaptedHeadFault& fault = adapted.error();
    const bool has_refusal = fault.refusal != Refusal::none;
    PENSTOCK_CHECK(has_refusal == (fault.problem == Problem::adapted_head_refused));
    return;
  }
  const auto fields = [](const AdaptedHead& head) -> const FieldSection& {
    return std::visit([](const auto& of) -> const FieldSection& { return of.fields; }, head.head);
  };
  fuzz::check_fields(fields(*adapted));
  for (const Field& field : fields(*adapted)) PENSTOCK_CHECK(!is_hop_by_hop(field.id));
  PENSTOCK_CHECK(adapted->is_request() == (parts.response_head == 0));
  if (adapted->is_request()) {
    // One of HTTP/1.0 may have no host, which cannot be sent on.
    const RequestHead& head = std::get<RequestHead>(adapted->head);
    const bool without_host = fields(*adapted).value(FieldId::host).empty();
    if (without_host && head.target.form != TargetForm::asterisk) return;
  }
  std::string memory;
  const AdaptedHead again = sent_on(*adapted, memory, method);
  fuzz::check_same_fields(fields(again), fields(*adapted));
  PENSTOCK_CHECK(again.quirks.empty());
  if (again.content_length) {
    PENSTOCK_CHECK(again.content_length == adapted->content_length);
  }
}

struct Decoded {
  ChunkDecoder::Event event = ChunkDecoder::Event::need_more;
  std::string data;
  std::string extensions;
  friend bool operator==(const Decoded&, const Decoded&) = default;
};

Decoded decode(std::string_view input, std::size_t piece) {
  static constexpr http1::ChunkLimits kLimits{.extensions = 60, .keep_last_extensions = true};
  ChunkDecoder decoder(kLimits);
  Decoded result;
  for (std::string_view rest = input;
       result.event == ChunkDecoder::Event::need_more && !rest.empty();) {
    const ChunkDecoder::Step step = decoder.next(rest.substr(0, piece));
    result.data.append(step.data);
    if (step.event != ChunkDecoder::Event::data) result.event = step.event;
    rest.remove_prefix(step.consumed);
  }
  result.extensions = decoder.last_extensions();
  return result;
}

void check_extensions(std::string_view text) {
  const auto offset = use_original_body(text);
  const auto ieof = has_ieof(text);
  const bool malformed = !offset && offset.error() == Problem::chunk_extension_malformed;
  PENSTOCK_CHECK(ieof.has_value() || malformed || !offset);
}

void check_body(std::string_view input) {
  const Decoded whole = decode(input, std::max<std::size_t>(input.size(), 1));
  for (const std::size_t piece : {1U, 2U, 7U}) PENSTOCK_CHECK(decode(input, piece) == whole);
  if (whole.event != ChunkDecoder::Event::end) return;
  // What the decoder has passed is well-formed to us, too.
  const auto offset = use_original_body(whole.extensions);
  PENSTOCK_CHECK(offset || offset.error() == Problem::use_original_body_malformed);
  PENSTOCK_CHECK(has_ieof(whole.extensions).has_value());
}

void check_texts(std::string_view input) {
  check_encapsulated(input);
  check_extensions(input);
  if (const auto uri = parse_service_uri(input); uri) {
    PENSTOCK_CHECK(fuzz::has_no_control_bytes(uri->text) && !uri->text.contains(' '));
    PENSTOCK_CHECK(parse_service_uri(uri->text) == uri);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  check_texts(input);
  scan_all_ways(input, fuzz::kSmallLimits);
  const HeadLimits limits;
  const Scanned scanned = scan_all_ways(input, limits);
  if (scanned.progress != Progress::done) return 0;

  // Copies of their own, so that reading past the end is seen.
  const std::string bytes(input.substr(0, scanned.size));
  const auto response = parse_response_head(bytes, limits);
  if (!response) return 0;
  PENSTOCK_CHECK(response->status >= 100 && response->status <= 599);
  PENSTOCK_CHECK(fuzz::has_no_control_bytes(response->reason));
  fuzz::check_fields(response->fields);
  for (const Field& field : response->fields) check_encapsulated(field.value);
  const std::string_view rest = input.substr(scanned.size);
  check_options(*response, rest);
  if (const auto services = response->next_services(); services) {
    PENSTOCK_CHECK(std::ranges::none_of(*services, &std::string_view::empty));
  }

  const auto heads = adapted_head_size(*response, limits);
  if (!heads || *heads > rest.size()) return 0;
  const std::string head(rest.substr(0, *heads));
  for (const Method method : {Method::get, Method::head, Method::connect}) {
    check_adapted(head, *response->encapsulated, method);
  }
  check_body(rest.substr(*heads));
  return 0;
}
