// Any bytes as a chunked body: the outcome does not depend on the split, and what was decoded,
// written anew, is decoded to the same.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "fuzz/head_checks.h"
#include "http1/chunk_decoder.h"
#include "http1/head_writer.h"

namespace {

using namespace penstock;
using namespace penstock::http1;
using Event = ChunkDecoder::Event;

// Small ones, so that short inputs reach them.
constexpr ChunkLimits kLimits{.extensions = 40,
                              .trailers = {.head = 100, .start_line = 0, .fields = 4}};

struct Decoded {
  Event event = Event::need_more;
  Refusal refusal = Refusal::none;
  std::size_t consumed = 0;
  std::string data;
  FieldSection trailers;
};

Decoded decode(std::string_view input, std::size_t piece) {
  ChunkDecoder decoder(kLimits);
  Decoded result;
  std::string_view rest = input;
  while (result.event == Event::need_more && !rest.empty()) {
    const std::string_view part = rest.substr(0, piece);
    const ChunkDecoder::Step step = decoder.next(part);
    PENSTOCK_CHECK(step.consumed <= part.size());
    if (step.event == Event::need_more) PENSTOCK_CHECK(step.consumed == part.size());
    if (step.event == Event::data) {
      PENSTOCK_CHECK(!step.data.empty());
      PENSTOCK_CHECK(step.data.data() + step.data.size() == part.data() + step.consumed);
    }
    result.data.append(step.data);
    result.consumed += step.consumed;
    result.event = step.event == Event::data ? Event::need_more : step.event;
    rest.remove_prefix(step.consumed);
  }
  result.refusal = decoder.refusal();
  result.trailers = std::move(decoder.trailers());
  return result;
}

void check_same(const Decoded& a, const Decoded& b) {
  PENSTOCK_CHECK(a.event == b.event);
  PENSTOCK_CHECK(a.refusal == b.refusal);
  PENSTOCK_CHECK(a.data == b.data);
  PENSTOCK_CHECK(a.event == Event::refused || a.consumed == b.consumed);
  fuzz::check_same_fields(a.trailers, b.trailers);
}

std::string written(const Decoded& decoded) {
  std::string wire;
  for (std::string_view rest = decoded.data; !rest.empty();) {
    const std::string_view chunk = rest.substr(0, 7);
    char line[kChunkHeadMax];
    wire.append(line, write_chunk_head(chunk.size(), line)).append(chunk).append(kChunkEnd);
    rest.remove_prefix(chunk.size());
  }
  std::string last(last_chunk_size_bound(decoded.trailers), '\0');
  last.resize(write_last_chunk(decoded.trailers, last));
  return wire + last;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  Decoded whole = decode(input, std::max<std::size_t>(size, 1));
  for (const std::size_t piece : {1U, 2U, 7U, 64U}) check_same(decode(input, piece), whole);
  if (whole.event != Event::end) return 0;
  fuzz::check_fields(whole.trailers);

  const std::string wire = written(whole);
  const Decoded again = decode(wire + "next message", 5);
  // Written plainly, a trailer section may become longer than the limit for those received.
  if (again.refusal == Refusal::trailer_too_large) return 0;
  PENSTOCK_CHECK(again.event == Event::end);
  PENSTOCK_CHECK(again.consumed == wire.size());
  PENSTOCK_CHECK(again.data == whole.data);
  whole.trailers.remove_if([](const Field& field) { return is_forbidden_in_trailers(field.id); });
  fuzz::check_same_fields(again.trailers, whole.trailers);
  return 0;
}
