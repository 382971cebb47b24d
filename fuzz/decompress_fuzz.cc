// Any bytes as a body in a content coding: it ends, or fails, within the limits; which of them, and
// what comes out, does not depend on how it is cut, where it does not fail by a limit.
//
// The first byte chooses the coding and the limits, the second how the rest is cut.
#include <array>
#include <cstddef>
#include <cstdint>
#include <random>
#include <string>
#include <string_view>

#include "adapt/compress_body.h"
#include "adapt/decompress_body.h"
#include "adapt/pull_body_test.h"
#include "base/check.h"
#include "message/refusal.h"

namespace {

using namespace penstock;

constexpr std::array kCodings = {ContentCoding::gzip, ContentCoding::deflate, ContentCoding::br,
                                 ContentCoding::zstd};
constexpr DecompressLimits kSmall{.output = 50000, .ratio = 100, .ratio_from = 10000};
constexpr DecompressLimits kLarge{.output = 1 << 20, .ratio = 0, .ratio_from = 0};
constexpr Error kBroken{.kind = ErrorKind::protocol,
                        .side = Side::server,
                        .cause = static_cast<int>(Refusal::content_coding_broken)};
constexpr Error kTooLarge{.kind = ErrorKind::limit, .side = Side::server};

PulledBody decode(std::vector<BodyPiece> pieces, ContentCoding coding,
                  const DecompressLimits& limits) {
  TimedBody source(std::move(pieces));
  DecompressBody body(source, coding, limits, Side::server);
  PulledBody pulled = pull_all(body);
  PENSTOCK_CHECK(pulled.ended != pulled.error.has_value());
  PENSTOCK_CHECK(pulled.ended == body.at_end());
  if (pulled.error) PENSTOCK_CHECK(pulled.error == kBroken || pulled.error == kTooLarge);
  PENSTOCK_CHECK(pulled.text.size() <= limits.output);
  return pulled;
}

// What was decoded can be coded again, and is the same then.
void check_round_trip(const PulledBody& pulled, ContentCoding coding, std::minstd_rand& random) {
  TimedBody again(in_random_pieces(pulled.text, 5000, random));
  CompressBody coded(again, coding, level_range(coding).least, FlushPolicy::when_idle);
  DecompressBody decoded(coded, coding, kLarge, Side::server);
  const PulledBody result = pull_all(decoded);
  PENSTOCK_CHECK(result.ended && result.text == pulled.text);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const ContentCoding coding = kCodings[data[0] % kCodings.size()];
  const DecompressLimits& limits = (data[0] & 0x80U) != 0 ? kSmall : kLarge;
  std::minstd_rand random(data[1]);
  const std::string_view text(reinterpret_cast<const char*>(data) + 2, size - 2);

  const PulledBody whole = decode({{.text = std::string(text)}}, coding, limits);
  const PulledBody cut = decode(in_random_pieces(text, 1 + data[1] % 64U, random), coding, limits);
  if (whole.error == kTooLarge || cut.error == kTooLarge) return 0;
  PENSTOCK_CHECK(whole.error == cut.error);
  // How much comes before an error depends on when the decoder puts out what it has.
  if (whole.error) {
    PENSTOCK_CHECK(whole.text.starts_with(cut.text) || cut.text.starts_with(whole.text));
    return 0;
  }
  PENSTOCK_CHECK(whole.text == cut.text);
  check_round_trip(whole, coding, random);
  return 0;
}
