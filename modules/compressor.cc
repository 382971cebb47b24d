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
//   types    media types; "*" at the end stands for any text
//   least    content that is known to be smaller stays as it is; "256B"
//   level    0 (default): what is quick in each of them; else 1 (quick) to 9 (small)
//
// Left alone is what has a Content-Encoding, is a part (206, Content-Range), or must not be
// transformed. A response that would have been compressed for another client says so: Vary. Content
// of unknown length is handed on piece by piece, so that events and slow pages are not held up;
// content of known length only when there is enough of it to be compressed well.
#include <algorithm>
#include <array>
#include <cstdlib>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <brotli/encode.h>
#define ZLIB_CONST  // it only reads its input
#include <zlib.h>
#include <zstd.h>

#include "penstock/module.hpp"

namespace {

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
  return out;
}

// Calls f with each element of a list field, without blanks around it.
template <class F>
void for_elements(std::string_view list, char separator, const F& f) {
  while (!list.empty()) {
    const std::string_view element = list.substr(0, list.find(separator));
    list.remove_prefix(std::min(element.size() + 1, list.size()));
    const std::size_t begin = element.find_first_not_of(" \t");
    if (begin == std::string_view::npos) continue;
    f(element.substr(begin, element.find_last_not_of(" \t") + 1 - begin));
  }
}

// The best of our codings for an Accept-Encoding (RFC 9110 section 12.5.3); empty: none, or the
// client likes content without any better.
std::string choose(const std::string& accepted, std::vector<std::string> ours) {
  ours.emplace_back("identity");  // last: what is liked as much is smaller
  std::string best;
  double best_weight = 0;
  for (const std::string& coding : ours) {
    double weight = 0;
    bool named = false;
    for_elements(accepted, ',', [&](std::string_view element) {
      std::string name;
      double q = 1;
      for_elements(element, ';', [&](std::string_view part) {
        if (name.empty()) {
          name = lower(part);
        } else if (lower(part.substr(0, 2)) == "q=") {
          q = std::strtod(std::string(part.substr(2)).c_str(), nullptr);
        }
      });
      if (name == coding || (name == "x-gzip" && coding == "gzip") || (name == "*" && !named)) {
        weight = q;
        named = named || name != "*";
      }
    });
    if (weight > best_weight) {
      best = coding;
      best_weight = weight;
    }
  }
  return best != "identity" ? best : "";
}

enum class Step { more, flush, end };

// Takes content, and gives as much of it as it has compressed; after `flush` all of it.
class Encoder {
 public:
  virtual ~Encoder() = default;
  virtual void run(std::string_view in, Step step, std::string& out) = 0;

 protected:
  std::array<char, 16384> buffer_;
};

class Gzip final : public Encoder {
 public:
  explicit Gzip(int level) {
    if (deflateInit2(&stream_, level, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK) {
      throw std::runtime_error("zlib does not start");
    }
  }
  ~Gzip() override { deflateEnd(&stream_); }
  void run(std::string_view in, Step step, std::string& out) override {
    stream_.next_in = reinterpret_cast<const Bytef*>(in.data());
    stream_.avail_in = static_cast<uInt>(in.size());
    const int mode = step == Step::end ? Z_FINISH : step == Step::flush ? Z_SYNC_FLUSH : Z_NO_FLUSH;
    do {
      stream_.next_out = reinterpret_cast<Bytef*>(buffer_.data());
      stream_.avail_out = static_cast<uInt>(buffer_.size());
      deflate(&stream_, mode);
      out.append(buffer_.data(), buffer_.size() - stream_.avail_out);
    } while (stream_.avail_out == 0);
  }

 private:
  z_stream stream_{};
};

class Brotli final : public Encoder {
 public:
  explicit Brotli(int level) {
    BrotliEncoderSetParameter(state_.get(), BROTLI_PARAM_QUALITY, static_cast<uint32_t>(level));
    BrotliEncoderSetParameter(state_.get(), BROTLI_PARAM_LGWIN, 18);  // 256 KiB of memory
  }
  void run(std::string_view in, Step step, std::string& out) override {
    const auto* next = reinterpret_cast<const uint8_t*>(in.data());
    std::size_t left = in.size();
    const auto mode = step == Step::end     ? BROTLI_OPERATION_FINISH
                      : step == Step::flush ? BROTLI_OPERATION_FLUSH
                                            : BROTLI_OPERATION_PROCESS;
    std::size_t room = 0;
    do {
      auto* to = reinterpret_cast<uint8_t*>(buffer_.data());
      room = buffer_.size();
      if (BrotliEncoderCompressStream(state_.get(), mode, &left, &next, &room, &to, nullptr) == 0) {
        throw std::runtime_error("brotli fails");
      }
      out.append(buffer_.data(), buffer_.size() - room);
    } while (left > 0 || BrotliEncoderHasMoreOutput(state_.get()) != 0);
  }

 private:
  std::unique_ptr<BrotliEncoderState, decltype(&BrotliEncoderDestroyInstance)> state_{
      BrotliEncoderCreateInstance(nullptr, nullptr, nullptr), &BrotliEncoderDestroyInstance};
};

class Zstd final : public Encoder {
 public:
  explicit Zstd(int level) {
    ZSTD_CCtx_setParameter(context_.get(), ZSTD_c_compressionLevel, level);
    ZSTD_CCtx_setParameter(context_.get(), ZSTD_c_windowLog, 19);
  }
  void run(std::string_view in, Step step, std::string& out) override {
    ZSTD_inBuffer from{in.data(), in.size(), 0};
    const auto mode = step == Step::end     ? ZSTD_e_end
                      : step == Step::flush ? ZSTD_e_flush
                                            : ZSTD_e_continue;
    std::size_t left = 0;
    do {
      ZSTD_outBuffer to{buffer_.data(), buffer_.size(), 0};
      left = ZSTD_compressStream2(context_.get(), &to, &from, mode);
      if (ZSTD_isError(left) != 0) throw std::runtime_error("zstd fails");
      out.append(buffer_.data(), to.pos);
    } while (step == Step::more ? from.pos < from.size : left > 0);
  }

 private:
  std::unique_ptr<ZSTD_CCtx, decltype(&ZSTD_freeCCtx)> context_{ZSTD_createCCtx(), &ZSTD_freeCCtx};
};

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
    const penstock::Fields response = call.response();
    const int status = call.status();
    const std::string type = lower(response.get("Content-Type").value_or(""));
    const std::string bare = type.substr(0, type.find_first_of("; \t"));
    const auto is_meant = [&](const std::string& one) {
      return !one.empty() && one.back() == '*'
                 ? bare.compare(0, one.size() - 1, one, 0, one.size() - 1) == 0
                 : bare == one;
    };
    const std::string described(response.get("Content-Length").value_or("-1"));
    const std::int64_t length = call.method() == "HEAD" ? std::atoll(described.c_str())
                                                        : call.number(PENSTOCK_RESPONSE_LENGTH);
    return status >= 200 && status != 204 && status != 205 && status != 206 && status != 304 &&
           !response.has("Content-Encoding") && !response.has("Content-Range") &&
           call.number(PENSTOCK_NO_TRANSFORM, 0) == 0 && (length < 0 || length >= least_) &&
           std::any_of(types_.begin(), types_.end(), is_meant);
  }

  std::unique_ptr<Encoder> encoder(const std::string& coding) const {
    if (coding == "gzip") return std::make_unique<Gzip>(level_ != 0 ? level_ : 6);
    if (coding == "br") return std::make_unique<Brotli>(level_ != 0 ? level_ : 4);
    return std::make_unique<Zstd>(level_ != 0 ? level_ : 3);
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
    bool varies = false;
    for_elements(call.response().list("Vary"), ',', [&](std::string_view name) {
      varies = varies || name == "*" || lower(name) == "accept-encoding";
    });
    if (!varies) call.response().add("Vary", "Accept-Encoding");
    const std::string coding = choose(accepted_, compressor_.codings);
    if (coding.empty()) return PENSTOCK_DONE;
    if (call.method() != "HEAD") encoder_ = compressor_.encoder(coding);
    flushes_ = call.number(PENSTOCK_RESPONSE_LENGTH) < 0;
    call.response().set("Content-Encoding", coding);
    return call.changed_response();
  }

  int response_body(penstock::Call& call, std::string_view piece) override {
    std::string out;
    encoder_->run(piece, flushes_ ? Step::flush : Step::more, out);
    call.write(out);
    return PENSTOCK_CHANGED;
  }

  int response_complete(penstock::Call& call) override {
    if (!encoder_) return PENSTOCK_CONTINUE;
    std::string out;
    encoder_->run({}, Step::end, out);
    call.write(out);
    return PENSTOCK_CONTINUE;
  }

 private:
  const Compressor& compressor_;
  const std::string accepted_;
  std::unique_ptr<Encoder> encoder_;
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
