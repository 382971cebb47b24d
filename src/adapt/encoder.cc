#include "adapt/encoder.h"

#include <algorithm>
#include <array>
#include <bit>
#include <utility>

#include <brotli/encode.h>
#include <zlib.h>
#include <zstd.h>

#include "base/check.h"

namespace penstock {
namespace {

// A window of 256 KiB: what larger ones gain on pages is little, and both sides pay for it. It is
// far below the 8 MiB that a receiver of zstd has to have (RFC 9659).
constexpr int kLargestWindowBits = 18;

// Bits of the smallest window that holds all of it.
int window_bits(std::optional<std::uint64_t> size, int least, int most) {
  if (!size) return most;
  return std::clamp(static_cast<int>(std::bit_width(*size)), least, most);
}

class ZlibEncoder final : public Encoder {
 public:
  ZlibEncoder(bool gzip, int level, std::optional<std::uint64_t> size) {
    const int bits = window_bits(size, 9, MAX_WBITS);
    // Of the table and of the output that waits, in proportion to the window.
    const int memory = std::min(8, bits - 7 + 1);
    constexpr int kGzipFormat = 16;
    ready_ = deflateInit2(&stream_, level, Z_DEFLATED, gzip ? bits + kGzipFormat : bits, memory,
                          Z_DEFAULT_STRATEGY) == Z_OK;
  }
  ~ZlibEncoder() override {
    if (ready_) deflateEnd(&stream_);
  }
  ZlibEncoder(const ZlibEncoder&) = delete;
  ZlibEncoder& operator=(const ZlibEncoder&) = delete;

  Result<bool> run(Operation operation, std::string_view& input, std::span<char>& room) override {
    if (!ready_) return fail(ErrorKind::overloaded);
    // zlib does not write to its input.
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(input.data()));
    stream_.avail_in = static_cast<uInt>(std::min<std::size_t>(input.size(), 1U << 30));
    stream_.next_out = reinterpret_cast<Bytef*>(room.data());
    stream_.avail_out = static_cast<uInt>(std::min<std::size_t>(room.size(), 1U << 30));
    const std::size_t offered = stream_.avail_in;
    const std::size_t space = stream_.avail_out;
    const int result = deflate(&stream_, flush_of(operation));
    PENSTOCK_CHECK(result == Z_OK || result == Z_STREAM_END || result == Z_BUF_ERROR);
    input.remove_prefix(offered - stream_.avail_in);
    room = room.subspan(space - stream_.avail_out);
    if (operation == Operation::finish) return result == Z_STREAM_END;
    return input.empty() && stream_.avail_out > 0;
  }

 private:
  static int flush_of(Operation operation) {
    if (operation == Operation::finish) return Z_FINISH;
    return operation == Operation::flush ? Z_SYNC_FLUSH : Z_NO_FLUSH;
  }

  z_stream stream_{};
  bool ready_ = false;
};

class BrotliEncoder final : public Encoder {
 public:
  BrotliEncoder(int level, std::optional<std::uint64_t> size)
      : state_(BrotliEncoderCreateInstance(nullptr, nullptr, nullptr)) {
    if (state_ == nullptr) return;
    set(BROTLI_PARAM_QUALITY, level);
    set(BROTLI_PARAM_LGWIN, window_bits(size, BROTLI_MIN_WINDOW_BITS, kLargestWindowBits));
    constexpr std::uint64_t kLargestHint = 1U << 30;
    if (size) set(BROTLI_PARAM_SIZE_HINT, static_cast<int>(std::min(*size, kLargestHint)));
  }
  ~BrotliEncoder() override { BrotliEncoderDestroyInstance(state_); }
  BrotliEncoder(const BrotliEncoder&) = delete;
  BrotliEncoder& operator=(const BrotliEncoder&) = delete;

  Result<bool> run(Operation operation, std::string_view& input, std::span<char>& room) override {
    if (state_ == nullptr) return fail(ErrorKind::overloaded);
    if (operation == Operation::process && since_flush_ >= kBlock) {
      std::string_view nothing;
      const auto flushed = step(Operation::flush, nothing, room);
      if (!flushed || !*flushed) return flushed;
    }
    return step(operation, input, room);
  }

 private:
  // Left alone it gathers 512 KiB before it puts anything out. That takes twice the memory and more
  // time, and makes the result no smaller.
  static constexpr std::size_t kBlock = 64UL * 1024;

  Result<bool> step(Operation operation, std::string_view& input, std::span<char>& room) {
    std::size_t input_left = input.size();
    const auto* next_input = reinterpret_cast<const std::uint8_t*>(input.data());
    std::size_t room_left = room.size();
    auto* next_output = reinterpret_cast<std::uint8_t*>(room.data());
    if (BrotliEncoderCompressStream(state_, operation_of(operation), &input_left, &next_input,
                                    &room_left, &next_output, nullptr) == BROTLI_FALSE) {
      return fail(ErrorKind::overloaded);
    }
    since_flush_ += input.size() - input_left;
    input.remove_prefix(input.size() - input_left);
    room = room.subspan(room.size() - room_left);
    if (operation == Operation::finish) return BrotliEncoderIsFinished(state_) != BROTLI_FALSE;
    const bool complete = input.empty() && BrotliEncoderHasMoreOutput(state_) == BROTLI_FALSE;
    if (complete && operation == Operation::flush) since_flush_ = 0;
    return complete;
  }
  static BrotliEncoderOperation operation_of(Operation operation) {
    if (operation == Operation::finish) return BROTLI_OPERATION_FINISH;
    return operation == Operation::flush ? BROTLI_OPERATION_FLUSH : BROTLI_OPERATION_PROCESS;
  }
  void set(BrotliEncoderParameter parameter, int value) {
    PENSTOCK_CHECK(BrotliEncoderSetParameter(state_, parameter,
                                             static_cast<std::uint32_t>(value)) != BROTLI_FALSE);
  }

  BrotliEncoderState* state_;
  std::size_t since_flush_ = 0;
};

class ZstdEncoder final : public Encoder {
 public:
  ZstdEncoder(int level, std::optional<std::uint64_t> size) : context_(ZSTD_createCCtx()) {
    if (context_ == nullptr) return;
    constexpr int kSmallestWindowBits = 10;
    const int bits = window_bits(size, kSmallestWindowBits, kLargestWindowBits);
    const Tables tables = kTables[std::min<std::size_t>(static_cast<std::size_t>(level), kLast)];
    set(ZSTD_c_compressionLevel, level);
    set(ZSTD_c_windowLog, bits);
    set(ZSTD_c_chainLog, std::min(tables.chain_bits, bits));
    set(ZSTD_c_hashLog, std::min(tables.hash_bits, bits + 1));
  }
  ~ZstdEncoder() override { ZSTD_freeCCtx(context_); }
  ZstdEncoder(const ZstdEncoder&) = delete;
  ZstdEncoder& operator=(const ZstdEncoder&) = delete;

  Result<bool> run(Operation operation, std::string_view& input, std::span<char>& room) override {
    if (context_ == nullptr) return fail(ErrorKind::overloaded);
    ZSTD_inBuffer in{.src = input.data(), .size = input.size(), .pos = 0};
    ZSTD_outBuffer out{.dst = room.data(), .size = room.size(), .pos = 0};
    const std::size_t left = ZSTD_compressStream2(context_, &out, &in, directive_of(operation));
    if (ZSTD_isError(left) != 0) return fail(ErrorKind::overloaded);
    input.remove_prefix(in.pos);
    room = room.subspan(out.pos);
    if (operation == Operation::process) return input.empty() && !room.empty();
    return left == 0;
  }

 private:
  // The sizes of the library's tables by level; those of the last, from which on they would be for
  // larger windows, are all that ours needs. Where the length is not known the library does not
  // make them fit the window.
  struct Tables {
    int chain_bits;
    int hash_bits;
  };
  static constexpr std::array<Tables, 7> kTables = {
      {{13, 14}, {13, 14}, {15, 16}, {16, 17}, {18, 18}, {18, 19}, {18, 19}}};
  static constexpr std::size_t kLast = kTables.size() - 1;

  static ZSTD_EndDirective directive_of(Operation operation) {
    if (operation == Operation::finish) return ZSTD_e_end;
    return operation == Operation::flush ? ZSTD_e_flush : ZSTD_e_continue;
  }
  void set(ZSTD_cParameter parameter, int value) {
    PENSTOCK_CHECK(ZSTD_isError(ZSTD_CCtx_setParameter(context_, parameter, value)) == 0);
  }

  ZSTD_CCtx* context_;
};

}  // namespace

std::unique_ptr<Encoder> make_encoder(ContentCoding coding, int level,
                                      std::optional<std::uint64_t> size) {
  const LevelRange range = level_range(coding);
  const int within = std::clamp(level, range.least, range.most);
  switch (coding) {
    case ContentCoding::identity:
      break;
    case ContentCoding::gzip:
    case ContentCoding::deflate:
      return std::make_unique<ZlibEncoder>(coding == ContentCoding::gzip, within, size);
    case ContentCoding::br:
      return std::make_unique<BrotliEncoder>(within, size);
    case ContentCoding::zstd:
      return std::make_unique<ZstdEncoder>(within, size);
  }
  PENSTOCK_CHECK(false);
}

}  // namespace penstock
