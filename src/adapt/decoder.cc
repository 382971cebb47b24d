#include "adapt/decoder.h"

#include <algorithm>
#include <cstddef>

#include <brotli/decode.h>
#include <zlib.h>
#include <zstd.h>
#include <zstd_errors.h>

#include "base/check.h"

namespace penstock {
namespace {

class ZlibDecoder final : public Decoder {
 public:
  explicit ZlibDecoder(bool gzip) : gzip_(gzip) {}
  ~ZlibDecoder() override {
    if (ready_) inflateEnd(&stream_);
  }
  ZlibDecoder(const ZlibDecoder&) = delete;
  ZlibDecoder& operator=(const ZlibDecoder&) = delete;

  Outcome run(std::string_view& input, std::span<char>& room) override {
    while (true) {
      if (complete_ && input.empty()) return Outcome::needs_input;
      if (complete_ || !ready_) {
        const auto begun = begin(input.front());
        if (begun != Outcome::needs_input) return begun;
      }
      const int result = step(input, room);
      if (result == Z_MEM_ERROR) return Outcome::no_memory;
      if (result == Z_STREAM_END) {
        complete_ = true;
      } else if (result != Z_OK && result != Z_BUF_ERROR) {
        return Outcome::broken;
      } else {
        return room.empty() ? Outcome::needs_room : Outcome::needs_input;
      }
    }
  }
  [[nodiscard]] bool complete() const override { return complete_; }

 private:
  // A stream that begins with `first`.
  Outcome begin(char first) {
    if (!ready_) {
      ready_ = inflateInit2(&stream_, format(first)) == Z_OK;
      return ready_ ? Outcome::needs_input : Outcome::no_memory;
    }
    if (!gzip_) return Outcome::broken;  // only members of gzip may follow one another
    complete_ = false;
    PENSTOCK_CHECK(inflateReset(&stream_) == Z_OK);
    return Outcome::needs_input;
  }
  // How zlib names the formats. The first byte of its own says "deflate" in the lower half and the
  // window in the upper. A bare stream can begin so only with a stored block whose unused bits are
  // not zero, which nobody writes.
  [[nodiscard]] int format(char first) const {
    constexpr int kGzipFormat = 16;
    if (gzip_) return MAX_WBITS + kGzipFormat;
    const auto byte = static_cast<unsigned char>(first);
    const bool zlib = (byte & 0x0fU) == Z_DEFLATED && byte >> 4U <= MAX_WBITS - 8;
    return zlib ? MAX_WBITS : -MAX_WBITS;
  }
  int step(std::string_view& input, std::span<char>& room) {
    // zlib does not write to its input.
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(input.data()));
    stream_.avail_in = static_cast<uInt>(std::min<std::size_t>(input.size(), 1U << 30));
    stream_.next_out = reinterpret_cast<Bytef*>(room.data());
    stream_.avail_out = static_cast<uInt>(std::min<std::size_t>(room.size(), 1U << 30));
    const std::size_t offered = stream_.avail_in;
    const std::size_t space = stream_.avail_out;
    const int result = inflate(&stream_, Z_NO_FLUSH);
    input.remove_prefix(offered - stream_.avail_in);
    room = room.subspan(space - stream_.avail_out);
    return result;
  }

  z_stream stream_{};
  bool gzip_;
  bool ready_ = false;
  bool complete_ = false;
};

class BrotliDecoder final : public Decoder {
 public:
  BrotliDecoder() : state_(BrotliDecoderCreateInstance(nullptr, nullptr, nullptr)) {}
  ~BrotliDecoder() override { BrotliDecoderDestroyInstance(state_); }
  BrotliDecoder(const BrotliDecoder&) = delete;
  BrotliDecoder& operator=(const BrotliDecoder&) = delete;

  Outcome run(std::string_view& input, std::span<char>& room) override {
    if (state_ == nullptr) return Outcome::no_memory;
    if (complete_) return input.empty() ? Outcome::needs_input : Outcome::broken;
    std::size_t input_left = input.size();
    const auto* next_input = reinterpret_cast<const std::uint8_t*>(input.data());
    std::size_t room_left = room.size();
    auto* next_output = reinterpret_cast<std::uint8_t*>(room.data());
    const BrotliDecoderResult result = BrotliDecoderDecompressStream(
        state_, &input_left, &next_input, &room_left, &next_output, nullptr);
    input.remove_prefix(input.size() - input_left);
    room = room.subspan(room.size() - room_left);
    switch (result) {
      case BROTLI_DECODER_RESULT_SUCCESS:
        complete_ = true;
        return input.empty() ? Outcome::needs_input : Outcome::broken;
      case BROTLI_DECODER_RESULT_NEEDS_MORE_INPUT:
        // Which comes first, even if there was no room for all output.
        return BrotliDecoderHasMoreOutput(state_) != BROTLI_FALSE ? Outcome::needs_room
                                                                  : Outcome::needs_input;
      case BROTLI_DECODER_RESULT_NEEDS_MORE_OUTPUT:
        return Outcome::needs_room;
      case BROTLI_DECODER_RESULT_ERROR:
        break;
    }
    const BrotliDecoderErrorCode error = BrotliDecoderGetErrorCode(state_);
    const bool memory = error <= BROTLI_DECODER_ERROR_ALLOC_CONTEXT_MODES &&
                        error >= BROTLI_DECODER_ERROR_ALLOC_BLOCK_TYPE_TREES;
    return memory ? Outcome::no_memory : Outcome::broken;
  }
  [[nodiscard]] bool complete() const override { return complete_; }

 private:
  BrotliDecoderState* state_;
  bool complete_ = false;
};

class ZstdDecoder final : public Decoder {
 public:
  ZstdDecoder() : context_(ZSTD_createDCtx()) {
    if (context_ == nullptr) return;
    constexpr int kLargestWindowBits = 23;  // 8 MiB
    const std::size_t result =
        ZSTD_DCtx_setParameter(context_, ZSTD_d_windowLogMax, kLargestWindowBits);
    PENSTOCK_CHECK(ZSTD_isError(result) == 0);
  }
  ~ZstdDecoder() override { ZSTD_freeDCtx(context_); }
  ZstdDecoder(const ZstdDecoder&) = delete;
  ZstdDecoder& operator=(const ZstdDecoder&) = delete;

  Outcome run(std::string_view& input, std::span<char>& room) override {
    if (context_ == nullptr) return Outcome::no_memory;
    while (true) {
      if (between_frames_) {
        if (input.empty()) return Outcome::needs_input;
        if (!begins_frame(input.front())) return Outcome::broken;
        between_frames_ = false;
      }
      ZSTD_inBuffer in{.src = input.data(), .size = input.size(), .pos = 0};
      ZSTD_outBuffer out{.dst = room.data(), .size = room.size(), .pos = 0};
      const std::size_t result = ZSTD_decompressStream(context_, &out, &in);
      input.remove_prefix(in.pos);
      room = room.subspan(out.pos);
      if (ZSTD_isError(result) != 0) {
        const bool memory = ZSTD_getErrorCode(result) == ZSTD_error_memory_allocation;
        return memory ? Outcome::no_memory : Outcome::broken;
      }
      if (result == 0) {
        between_frames_ = true;
        any_frame_ = true;
      } else if (room.empty()) {
        return Outcome::needs_room;
      } else if (input.empty()) {
        return Outcome::needs_input;
      }
    }
  }
  [[nodiscard]] bool complete() const override { return between_frames_ && any_frame_; }

 private:
  // The first byte of the magic number of a frame or a skippable frame. The library may have been
  // built to take the formats before 1.0 too, without a bound to their windows.
  static bool begins_frame(char first) {
    const auto byte = static_cast<unsigned char>(first);
    return byte == 0x28 || (byte >= 0x50 && byte <= 0x5f);
  }

  ZSTD_DCtx* context_;
  bool between_frames_ = true;
  bool any_frame_ = false;
};

}  // namespace

std::unique_ptr<Decoder> make_decoder(ContentCoding coding) {
  switch (coding) {
    case ContentCoding::identity:
      break;
    case ContentCoding::gzip:
    case ContentCoding::deflate:
      return std::make_unique<ZlibDecoder>(coding == ContentCoding::gzip);
    case ContentCoding::br:
      return std::make_unique<BrotliDecoder>();
    case ContentCoding::zstd:
      return std::make_unique<ZstdDecoder>();
  }
  PENSTOCK_CHECK(false);
}

}  // namespace penstock
