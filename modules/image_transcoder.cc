// image_transcoder: makes JPEG and PNG images smaller.
//
//   [module.images]
//   file = "build/release/modules/image_transcoder.so"
//   isolation = "process"   # images of strangers are decoded; "thread" does with less memory
//   config = { quality = 70 }
//
//   [[filter]]
//   module = "images"
//   on_failure = "open"     # should the helper process end, images pass as they are
//
// Keys of config:
//   quality    of what is made, 1 to 100; 75
//   webp       true (default): WebP for clients that accept image/webp
//   most       images of more bytes stay as they are; "4MiB"
//   most_area  so do those of more pixels; 16000000
//
// An image is collected, and its head waits for that. To HEAD nothing is said that depends on it. A
// JPEG becomes another JPEG, or a WebP if it has neither Exif data nor a colour profile, which
// would be lost. A PNG becomes a WebP without loss, for other clients nothing. The image passes as
// it is if a tenth is not saved, if it is damaged, animated or of an unusual kind, and if it must
// not be transformed. Not to be used inline: a large image takes up to a second.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <png.h>
#include <turbojpeg.h>
#include <webp/encode.h>

#include "penstock/module.hpp"

namespace {

// The client takes WebP (RFC 9110 section 12.5.1): it is named, and not with a weight of 0.
bool accepts_webp(const std::string& accept) {
  constexpr std::string_view kName = "image/webp";
  for (std::size_t at = 0; (at = accept.find(kName, at)) != std::string::npos;) {
    const std::size_t end = std::min(accept.find(',', at), accept.size());
    std::string element;
    for (; at < end; ++at) {
      if (accept[at] != ' ' && accept[at] != '\t') element += accept[at];
    }
    const std::size_t q = element.find_first_of("qQ", kName.size());
    const bool is_weight = q != std::string::npos && element.compare(q + 1, 1, "=") == 0;
    if (element.size() > kName.size() && element[kName.size()] != ';') continue;
    if (!is_weight || std::strtod(element.c_str() + q + 2, nullptr) > 0) return true;
  }
  return false;
}

struct Image {
  std::string content;  // empty: none
  const char* type = "";
};

class Transcoder : public penstock::Instance {
 public:
  explicit Transcoder(const penstock::Config& config)
      : Instance(config),
        most(config.size("most")),
        webp(config.boolean("webp")),
        quality_(static_cast<int>(config.integer("quality"))),
        most_area_(config.integer("most_area")),
        made_(metric("images_made_total", "Images that were replaced by smaller ones.")),
        saved_(metric("images_saved_bytes_total", "Bytes by which they were smaller.")) {}

  // A smaller image of the same picture; empty where there is none.
  Image transcode(const std::string& original, bool takes_webp) const {
    Image image;
    if (original.compare(0, 3, "\xff\xd8\xff") == 0) image = from_jpeg(original, takes_webp);
    if (original.compare(0, 4, "\x89PNG") == 0 && takes_webp) image = from_png(original);
    if (image.content.empty() || image.content.size() > original.size() / 10 * 9) return {};
    made_.add();
    saved_.add(static_cast<std::int64_t>(original.size() - image.content.size()));
    return image;
  }

  const std::size_t most;
  const bool webp;

 private:
  using Pixels = std::vector<std::uint8_t>;

  bool fits(std::int64_t width, std::int64_t height) const {
    return width > 0 && height > 0 && width <= most_area_ / height;
  }

  // Calls f with the kind, offset and size of each segment before the picture.
  template <class F>
  static void for_segments(const std::string& jpeg, const F& f) {
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(jpeg[i]); };
    for (std::size_t at = 2; at + 4 <= jpeg.size() && byte(at) == 0xff && byte(at + 1) != 0xda;) {
      const std::size_t size = 2 + byte(at + 2) * 256U + byte(at + 3);
      f(byte(at + 1), at, size);
      at += size;
    }
  }

  Image from_jpeg(const std::string& jpeg, bool takes_webp) const {
    std::string extra;  // Exif data and colour profile, as they stand
    for_segments(jpeg, [&](unsigned kind, std::size_t at, std::size_t size) {
      if (kind == 0xe1 || kind == 0xe2) extra += jpeg.substr(at, size);
    });
    const std::unique_ptr<void, decltype(&tjDestroy)> decoder(tjInitDecompress(), &tjDestroy);
    const auto* const bytes = reinterpret_cast<const unsigned char*>(jpeg.data());
    int width = 0, height = 0, sampling = 0, colours = 0;
    if (tjDecompressHeader3(decoder.get(), bytes, jpeg.size(), &width, &height, &sampling,
                            &colours) != 0 ||
        !fits(width, height) || (colours != TJCS_YCbCr && colours != TJCS_GRAY)) {
      return {};
    }
    const bool grey = colours == TJCS_GRAY;
    const int format = grey ? TJPF_GRAY : TJPF_RGB;
    Pixels pixels(static_cast<std::size_t>(width) * static_cast<std::size_t>(height) *
                  static_cast<std::size_t>(tjPixelSize[format]));
    if (tjDecompress2(decoder.get(), bytes, jpeg.size(), pixels.data(), width, 0, height, format,
                      TJFLAG_STOPONWARNING) != 0) {
      return {};
    }
    if (takes_webp && extra.empty() && !grey) {
      std::uint8_t* made = nullptr;
      const std::size_t size = WebPEncodeRGB(pixels.data(), width, height, width * 3,
                                             static_cast<float>(quality_), &made);
      return webp_image(made, size);
    }
    const std::unique_ptr<void, decltype(&tjDestroy)> encoder(tjInitCompress(), &tjDestroy);
    unsigned char* made = nullptr;
    unsigned long size = 0;
    const int failed =
        tjCompress2(encoder.get(), pixels.data(), width, 0, height, format, &made, &size,
                    grey ? TJSAMP_GRAY : TJSAMP_420, quality_, TJFLAG_PROGRESSIVE);
    const std::unique_ptr<unsigned char, decltype(&tjFree)> mine(made, &tjFree);
    if (failed != 0) return {};
    Image image{std::string(reinterpret_cast<char*>(made), size), "image/jpeg"};
    std::size_t place = 2;  // behind the segment of JFIF, which comes first
    for_segments(image.content, [&](unsigned kind, std::size_t at, std::size_t length) {
      if (kind == 0xe0) place = at + length;
    });
    image.content.insert(place, extra);
    return image;
  }

  Image from_png(const std::string& png) const {
    // An animation has more pictures than one; a profile would be lost.
    for (const char* chunk : {"acTL", "iCCP"}) {
      if (png.substr(0, png.find("IDAT")).find(chunk) != std::string::npos) return {};
    }
    png_image decoder{};
    decoder.version = PNG_IMAGE_VERSION;
    const std::unique_ptr<png_image, decltype(&png_image_free)> ends(&decoder, &png_image_free);
    if (png_image_begin_read_from_memory(&decoder, png.data(), png.size()) == 0 ||
        !fits(decoder.width, decoder.height)) {
      return {};
    }
    const bool alpha = (decoder.format & PNG_FORMAT_FLAG_ALPHA) != 0;
    decoder.format = alpha ? PNG_FORMAT_RGBA : PNG_FORMAT_RGB;
    Pixels pixels(PNG_IMAGE_SIZE(decoder));
    if (png_image_finish_read(&decoder, nullptr, pixels.data(), 0, nullptr) == 0 ||
        decoder.warning_or_error != 0) {
      return {};
    }
    const auto width = static_cast<int>(decoder.width);
    const auto height = static_cast<int>(decoder.height);
    std::uint8_t* made = nullptr;
    const std::size_t size =
        alpha ? WebPEncodeLosslessRGBA(pixels.data(), width, height, width * 4, &made)
              : WebPEncodeLosslessRGB(pixels.data(), width, height, width * 3, &made);
    return webp_image(made, size);
  }

  static Image webp_image(std::uint8_t* made, std::size_t size) {
    const std::unique_ptr<std::uint8_t, decltype(&WebPFree)> mine(made, &WebPFree);
    return {std::string(reinterpret_cast<char*>(made), size), "image/webp"};
  }

  const int quality_;
  const std::int64_t most_area_;
  const penstock::Metric made_;
  const penstock::Metric saved_;
};

class Download : public penstock::Transaction {
 public:
  explicit Download(const Transcoder& transcoder) : transcoder_(transcoder) {}

  int response_head(penstock::Call& call) override {
    const penstock::Fields response = call.response();
    const std::string_view type = response.get("Content-Type").value_or("");
    const bool is_png = type == "image/png";
    if (call.status() != 200 || (!is_png && type != "image/jpeg") ||
        response.has("Content-Encoding") || call.number(PENSTOCK_NO_TRANSFORM, 0) != 0) {
      return PENSTOCK_DONE;
    }
    if (transcoder_.webp) response.add("Vary", "Accept");
    takes_webp_ = transcoder_.webp && accepts_webp(call.request().list("Accept"));
    if (is_png && !takes_webp_) return PENSTOCK_DONE;
    if (call.method() == "HEAD") {
      if (takes_webp_) response.remove("Content-Type");
      return call.changed_response();
    }
    const std::int64_t length = call.number(PENSTOCK_RESPONSE_LENGTH);
    return length > static_cast<std::int64_t>(transcoder_.most) ? PENSTOCK_DONE
                                                                : PENSTOCK_HOLD_HEAD;
  }

  int response_body(penstock::Call& call, std::string_view piece) override {
    if (image_.size() + piece.size() <= transcoder_.most) {
      image_ += piece;
      return PENSTOCK_CHANGED;
    }
    call.write(image_);
    return PENSTOCK_DONE;
  }

  int response_complete(penstock::Call& call) override {
    if (image_.empty()) return PENSTOCK_CONTINUE;
    const Image made = transcoder_.transcode(image_, takes_webp_);
    const bool is_better = !made.content.empty();
    if (is_better) {
      call.response().set("Content-Type", made.type);
      static_cast<void>(call.changed_response());
    }
    call.content_length((is_better ? made.content : image_).size());
    call.write(is_better ? made.content : image_);
    return PENSTOCK_CONTINUE;
  }

 private:
  const Transcoder& transcoder_;
  std::string image_;
  bool takes_webp_ = false;
};

constexpr penstock_setting kSettings[] = {
    penstock::setting("quality", PENSTOCK_SETTING_INTEGER, "75", "Of what is made.", 1, 100),
    penstock::setting("webp", PENSTOCK_SETTING_BOOLEAN, "true", "WebP for clients that accept it."),
    penstock::setting("most", PENSTOCK_SETTING_SIZE, R"("4MiB")", "Larger ones stay as they are.",
                      1, 64.0 * 1024 * 1024),
    penstock::setting("most_area", PENSTOCK_SETTING_INTEGER, "16000000",
                      "Images of more pixels stay as they are.", 1, 100e6),
};
constexpr penstock_module kModule = penstock::module<Transcoder, Download>(
    "image_transcoder", "1.0", "Makes JPEG and PNG images smaller.", kSettings);

}  // namespace

PENSTOCK_MODULE(kModule);
