// compressor: compresses content for clients that take it, with gzip, br or zstd, while it passes.
//
//   [module.compressor]
//   file = "build/release/modules/compressor.so"
//   config = { codings = ["br", "gzip"], least = "512B" }
//
//   [[filter]]
//   module = "compressor"   # at = "client": behind all that changes pages at = "server"
//
// Keys of config:
//   codings  in the order of preference among those that the client likes best;
//            ["zstd", "br", "gzip"]
//   types    media types; "*" stands for any text
//   least    content that is known to be smaller stays as it is; "256B"
//   level    0 (default): what is quick in each of them; else 1 (quick) to 9 (small)
//
// Left alone is what has a Content-Encoding, is a part (206, Content-Range), or must not be
// transformed. A response that would have been compressed for another client says so: Vary. Content
// of unknown length is handed on piece by piece, so that events and slow pages are not held up;
// content of known length only when there is enough of it to be compressed well.
#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include <brotli/encode.h>
#define ZLIB_CONST  // it only reads its input
#include <zlib.h>
#include <zstd.h>

#include "penstock/module.hpp"

namespace {

enum Step { more, flush, end };

// Takes content, and writes as much of it as it has compressed; after `flush` and `end` all of it.
using Encoder = std::function<void(std::string_view in, Step step, const penstock::Call& call)>;

constexpr std::size_t kBuffer = 16384;

Encoder gzip(int level) {
  struct Stream {
    z_stream z{};
    ~Stream() { deflateEnd(&z); }
  };
  const auto stream = std::make_shared<Stream>();
  if (deflateInit2(&stream->z, level, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK) {
    throw std::runtime_error("zlib does not start");
  }
  return [stream](std::string_view in, Step step, const penstock::Call& call) {
    constexpr std::array<int, 3> kModes = {Z_NO_FLUSH, Z_SYNC_FLUSH, Z_FINISH};
    std::array<char, kBuffer> buffer;
    stream->z.next_in = reinterpret_cast<const Bytef*>(in.data());
    stream->z.avail_in = static_cast<uInt>(in.size());
    do {
      stream->z.next_out = reinterpret_cast<Bytef*>(buffer.data());
      stream->z.avail_out = static_cast<uInt>(buffer.size());
      deflate(&stream->z, kModes[step]);
      call.write({buffer.data(), buffer.size() - stream->z.avail_out});
    } while (stream->z.avail_out == 0);
  };
}

Encoder brotli(int level) {
  const std::shared_ptr<BrotliEncoderState> state(
      BrotliEncoderCreateInstance(nullptr, nullptr, nullptr), &BrotliEncoderDestroyInstance);
  BrotliEncoderSetParameter(state.get(), BROTLI_PARAM_QUALITY, static_cast<uint32_t>(level));
  BrotliEncoderSetParameter(state.get(), BROTLI_PARAM_LGWIN, 18);  // 256 KiB of memory
  return [state](std::string_view in, Step step, const penstock::Call& call) {
    constexpr std::array<BrotliEncoderOperation, 3> kModes = {
        BROTLI_OPERATION_PROCESS, BROTLI_OPERATION_FLUSH, BROTLI_OPERATION_FINISH};
    const auto* next = reinterpret_cast<const uint8_t*>(in.data());
    std::size_t left = in.size(), room = 0;
    do {
      if (BrotliEncoderCompressStream(state.get(), kModes[step], &left, &next, &room, nullptr,
                                      nullptr) == 0) {
        throw std::runtime_error("brotli fails");
      }
      std::size_t size = 0;
      const uint8_t* const made = BrotliEncoderTakeOutput(state.get(), &size);
      call.write({reinterpret_cast<const char*>(made), size});
    } while (left > 0 || BrotliEncoderHasMoreOutput(state.get()) != 0);
  };
}

Encoder zstd(int level) {
  const std::shared_ptr<ZSTD_CCtx> context(ZSTD_createCCtx(), &ZSTD_freeCCtx);
  ZSTD_CCtx_setParameter(context.get(), ZSTD_c_compressionLevel, level);
  ZSTD_CCtx_setParameter(context.get(), ZSTD_c_windowLog, 19);
  return [context](std::string_view in, Step step, const penstock::Call& call) {
    constexpr std::array<ZSTD_EndDirective, 3> kModes = {ZSTD_e_continue, ZSTD_e_flush, ZSTD_e_end};
    std::array<char, kBuffer> buffer;
    ZSTD_inBuffer from{in.data(), in.size(), 0};
    std::size_t left = 0;
    do {
      ZSTD_outBuffer to{buffer.data(), buffer.size(), 0};
      left = ZSTD_compressStream2(context.get(), &to, &from, kModes[step]);
      if (ZSTD_isError(left) != 0) throw std::runtime_error("zstd fails");
      call.write({buffer.data(), to.pos});
    } while (step == more ? from.pos < from.size : left > 0);
  };
}

class Compressor : public penstock::Instance {
 public:
  explicit Compressor(const penstock::Config& config)
      : Instance(config),
        codings(config.texts("codings")),
        types_(config.texts("types")),
        least_(config.integer("least")),
        level_(static_cast<int>(config.integer("level"))) {
    for (const std::string& coding : codings) {
      if (coding != "gzip" && coding != "br" && coding != "zstd") {
        config.fail("codings", "it is a list of \"gzip\", \"br\" and \"zstd\"");
      }
    }
  }

  // Whether the response would be compressed for a client that takes it.
  bool wants(const penstock::Call& call) const {
    const std::int64_t length = call.described_length();
    return call.is_transformable() && (length < 0 || length >= least_) &&
           penstock::matches_any(types_, call.response().media_type());
  }

  Encoder encoder(const std::string& coding) const {
    if (coding == "gzip") return gzip(level_ != 0 ? level_ : 6);
    if (coding == "br") return brotli(level_ != 0 ? level_ : 4);
    return zstd(level_ != 0 ? level_ : 3);
  }

  const std::vector<std::string> codings;

 private:
  const std::vector<std::string> types_;
  const std::int64_t least_;
  const int level_;
};

class Compression : public penstock::Transaction {
 public:
  Compression(const Compressor& compressor, const penstock::Call& call)
      : compressor_(compressor), accepted_(call.request().list("Accept-Encoding")) {}

  // What the client takes is asked now, before other filters change it.
  int request_head(penstock::Call& /*call*/) override { return PENSTOCK_CONTINUE; }

  int response_head(penstock::Call& call) override {
    if (!compressor_.wants(call)) return PENSTOCK_DONE;
    call.vary("Accept-Encoding");
    const std::string coding = penstock::best_coding(accepted_, compressor_.codings);
    if (coding.empty()) return PENSTOCK_DONE;
    if (call.method() != "HEAD") encoder_ = compressor_.encoder(coding);
    flushes_ = call.number(PENSTOCK_RESPONSE_LENGTH) < 0;
    call.response().set("Content-Encoding", coding);
    return call.changed_response();
  }

  int response_body(penstock::Call& call, std::string_view piece) override {
    encoder_(piece, flushes_ ? flush : more, call);
    return PENSTOCK_CHANGED;
  }

  int response_complete(penstock::Call& call) override {
    if (encoder_) encoder_({}, end, call);
    return PENSTOCK_CONTINUE;
  }

 private:
  const Compressor& compressor_;
  const std::string accepted_;
  Encoder encoder_;
  bool flushes_ = false;
};

constexpr penstock_setting kSettings[] = {
    penstock::setting("codings", PENSTOCK_SETTING_STRINGS, R"(["zstd", "br", "gzip"])",
                      "Codings, the preferred ones first."),
    penstock::setting("types", PENSTOCK_SETTING_STRINGS,
                      R"(["text/*", "application/json", "application/javascript", )"
                      R"("application/xml", "application/xhtml+xml", "application/wasm", )"
                      R"("image/svg+xml"])",
                      "Media types."),
    penstock::setting("least", PENSTOCK_SETTING_SIZE, R"("256B")", "Less stays as it is."),
    penstock::setting("level", PENSTOCK_SETTING_INTEGER, "0",
                      "1 (quick) to 9 (small); 0: what is quick in each.", 0, 9),
};
constexpr penstock_module kModule = penstock::module<Compressor, Compression>(
    "compressor", "1.0", "Compresses content for clients that take it.", kSettings);

}  // namespace

PENSTOCK_MODULE(kModule);
