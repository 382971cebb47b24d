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
//   most       images of more bytes stay as they are; "4MiB"
//   most_area  so do those of more pixels; 16000000
//
// An image is collected, and its head waits for that. To HEAD nothing is said that depends on it. A
// JPEG becomes another JPEG, or for clients that accept image/webp a WebP, if it has neither Exif
// data nor a colour profile, which would be lost. A PNG becomes a WebP without loss, for other
// clients nothing. The image passes as it is if a tenth is not saved, if it is damaged, animated or
// of an unusual kind, and if it must not be transformed. Not to be used inline: a large image takes
// up to a second.
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <png.h>
#include <turbojpeg.h>
#include <webp/encode.h>

#include "penstock/module.hpp"

namespace {

struct Picture {
  int width = 0, height = 0;
  std::vector<std::uint8_t> rgba;
};

// The segments of Exif data and colour profile, as they stand before the picture.
std::string metadata_of(const std::string& jpeg) {
  std::string out;
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(jpeg[i]); };
  for (std::size_t at = 2; at + 4 <= jpeg.size() && byte(at) == 0xff && byte(at + 1) != 0xda;) {
    const std::size_t size = 2 + byte(at + 2) * 256U + byte(at + 3);
    if (byte(at + 1) == 0xe1 || byte(at + 1) == 0xe2) out += jpeg.substr(at, size);
    at += size;
  }
  return out;
}

std::string to_webp(const Picture& picture, bool lossless, float quality) {
  std::uint8_t* made = nullptr;
  const int width = picture.width, height = picture.height, line = width * 4;
  const std::size_t size =
      lossless ? WebPEncodeLosslessRGBA(picture.rgba.data(), width, height, line, &made)
               : WebPEncodeRGBA(picture.rgba.data(), width, height, line, quality, &made);
  const std::unique_ptr<std::uint8_t, decltype(&WebPFree)> mine(made, &WebPFree);
  return {reinterpret_cast<char*>(made), size};
}

std::string to_jpeg(const Picture& picture, bool grey, float quality, const std::string& metadata) {
  const std::unique_ptr<void, decltype(&tjDestroy)> encoder(tjInitCompress(), &tjDestroy);
  unsigned char* made = nullptr;
  unsigned long size = 0;
  const int failed = tjCompress2(
      encoder.get(), picture.rgba.data(), picture.width, 0, picture.height, TJPF_RGBA, &made, &size,
      grey ? TJSAMP_GRAY : TJSAMP_420, static_cast<int>(quality), TJFLAG_PROGRESSIVE);
  const std::unique_ptr<unsigned char, decltype(&tjFree)> mine(made, &tjFree);
  if (failed != 0) return {};
  constexpr std::size_t kBegin = 20;  // what the encoder begins with: SOI and a segment of JFIF
  return std::string(reinterpret_cast<char*>(made), size).insert(kBegin, metadata);
}

class Transcoder : public penstock::Instance {
 public:
  explicit Transcoder(const penstock::Config& config)
      : Instance(config),
        most(config.size("most")),
        quality_(static_cast<float>(config.integer("quality"))),
        most_area_(config.integer("most_area")),
        made_(metric("images_made_total", "Images that were replaced by smaller ones.")),
        saved_(metric("images_saved_bytes_total", "Bytes by which they were smaller.")) {}

  // A smaller image of the same picture; empty where there is none.
  std::string transcode(const std::string& original, bool takes_webp) const {
    std::string made;
    if (penstock::starts_with(original, "\xff\xd8\xff")) made = from_jpeg(original, takes_webp);
    if (penstock::starts_with(original, "\x89PNG") && takes_webp) made = from_png(original);
    if (made.empty() || made.size() > original.size() / 10 * 9) return {};
    made_.add();
    saved_.add(static_cast<std::int64_t>(original.size() - made.size()));
    return made;
  }

  const std::size_t most;

 private:
  // Room for the pixels; false where there would be too many.
  bool make_room(Picture& picture) const {
    const std::int64_t area = std::int64_t{picture.width} * picture.height;
    if (picture.width <= 0 || picture.height <= 0 || area > most_area_) return false;
    picture.rgba.resize(static_cast<std::size_t>(area) * 4);
    return true;
  }

  std::string from_jpeg(const std::string& jpeg, bool takes_webp) const {
    const std::unique_ptr<void, decltype(&tjDestroy)> decoder(tjInitDecompress(), &tjDestroy);
    const auto* const bytes = reinterpret_cast<const unsigned char*>(jpeg.data());
    Picture picture;
    int sampling = 0, colours = 0;
    if (tjDecompressHeader3(decoder.get(), bytes, jpeg.size(), &picture.width, &picture.height,
                            &sampling, &colours) != 0 ||
        (colours != TJCS_YCbCr && colours != TJCS_GRAY) || !make_room(picture) ||
        tjDecompress2(decoder.get(), bytes, jpeg.size(), picture.rgba.data(), picture.width, 0,
                      picture.height, TJPF_RGBA, TJFLAG_STOPONWARNING) != 0) {
      return {};
    }
    const std::string metadata = metadata_of(jpeg);
    if (takes_webp && metadata.empty()) return to_webp(picture, false, quality_);
    return to_jpeg(picture, colours == TJCS_GRAY, quality_, metadata);
  }

  std::string from_png(const std::string& png) const {
    // An animation has more pictures than one; a profile would be lost.
    for (const char* chunk : {"acTL", "iCCP"}) {
      if (png.substr(0, png.find("IDAT")).find(chunk) != std::string::npos) return {};
    }
    png_image decoder{};
    decoder.version = PNG_IMAGE_VERSION;
    const std::unique_ptr<png_image, decltype(&png_image_free)> ends(&decoder, &png_image_free);
    if (png_image_begin_read_from_memory(&decoder, png.data(), png.size()) == 0) return {};
    decoder.format = PNG_FORMAT_RGBA;
    Picture picture{static_cast<int>(decoder.width), static_cast<int>(decoder.height), {}};
    if (!make_room(picture) ||
        png_image_finish_read(&decoder, nullptr, picture.rgba.data(), 0, nullptr) == 0 ||
        decoder.warning_or_error != 0) {
      return {};
    }
    return to_webp(picture, true, quality_);
  }

  const float quality_;
  const std::int64_t most_area_;
  const penstock::Metric made_;
  const penstock::Metric saved_;
};

class Download : public penstock::Transaction {
 public:
  explicit Download(const Transcoder& transcoder)
      : transcoder_(transcoder), image_(transcoder.most) {}

  int response_head(penstock::Call& call) override {
    const std::string type = call.response().media_type();
    const bool is_png = type == "image/png";
    if (call.status() != 200 || (!is_png && type != "image/jpeg") || !call.is_transformable()) {
      return PENSTOCK_DONE;
    }
    call.vary("Accept");
    takes_webp_ = penstock::weight_of(call.request().list("Accept"), "image/webp") > 0;
    if (is_png && !takes_webp_) return PENSTOCK_DONE;
    if (call.method() == "HEAD") {
      if (takes_webp_) call.response().remove("Content-Type");
      return call.changed_response();
    }
    return image_.begin(call);
  }

  int response_body(penstock::Call& call, std::string_view piece) override {
    return image_.add(call, piece);
  }

  int response_complete(penstock::Call& call) override {
    const std::string made = transcoder_.transcode(image_.content(), takes_webp_);
    if (made.empty()) return image_.end(call, image_.content());
    const bool is_webp = penstock::starts_with(made, "RIFF");
    call.response().set("Content-Type", is_webp ? "image/webp" : "image/jpeg");
    static_cast<void>(call.changed_response());
    return image_.end(call, made);
  }

 private:
  const Transcoder& transcoder_;
  penstock::Collected image_;
  bool takes_webp_ = false;
};

constexpr penstock_setting kSettings[] = {
    penstock::setting("quality", PENSTOCK_SETTING_INTEGER, "75", "Of what is made.", 1, 100),
    penstock::setting("most", PENSTOCK_SETTING_SIZE, R"("4MiB")", "Larger ones stay as they are.",
                      1, 64.0 * 1024 * 1024),
    penstock::setting("most_area", PENSTOCK_SETTING_INTEGER, "16000000",
                      "Images of more pixels stay as they are.", 1, 100e6),
};
constexpr penstock_module kModule = penstock::module<Transcoder, Download>(
    "image_transcoder", "1.0", "Makes JPEG and PNG images smaller.", kSettings);

}  // namespace

PENSTOCK_MODULE(kModule);
