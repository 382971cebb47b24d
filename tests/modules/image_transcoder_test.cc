#include <cstdint>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <png.h>
#include <turbojpeg.h>

#include "tests/modules/mock_host.h"

namespace penstock::test {
namespace {

constexpr int kSide = 128;

// A picture with something in it.
std::vector<std::uint8_t> pixels(int channels) {
  std::vector<std::uint8_t> out;
  for (int y = 0; y < kSide; ++y) {
    for (int x = 0; x < kSide; ++x) {
      for (int channel = 0; channel < channels; ++channel) {
        const int value = channel == 3 ? 255 - x : (x * (channel + 1) + y * y / 7 + (x ^ y)) % 256;
        out.push_back(static_cast<std::uint8_t>(value));
      }
    }
  }
  return out;
}

std::string jpeg(int quality, bool grey = false) {
  void* const encoder = tjInitCompress();
  unsigned char* made = nullptr;
  unsigned long size = 0;
  tjCompress2(encoder, pixels(grey ? 1 : 3).data(), kSide, 0, kSide, grey ? TJPF_GRAY : TJPF_RGB,
              &made, &size, grey ? TJSAMP_GRAY : TJSAMP_444, quality, 0);
  std::string out(reinterpret_cast<char*>(made), size);
  tjFree(made);
  tjDestroy(encoder);
  return out;
}

std::string png(bool alpha) {
  png_image image{};
  image.version = PNG_IMAGE_VERSION;
  image.width = image.height = kSide;
  image.format = alpha ? PNG_FORMAT_RGBA : PNG_FORMAT_RGB;
  std::string out(1 << 20, 0);
  png_alloc_size_t size = out.size();
  png_image_write_to_memory(&image, out.data(), &size, 0, pixels(alpha ? 4 : 3).data(), 0, nullptr);
  out.resize(size);
  return out;
}

Outcome get(Host& host, const std::string& type, const std::string& content,
            const std::string& accept, const Cuts& cuts = {}) {
  Request request;
  request.fields = {{"Accept", accept}};
  Response response;
  response.fields = {{"Content-Type", type}, {"ETag", "\"1\""}};
  response.content = content;
  return host.run(request, response, cuts);
}

std::string kind(const Response& response) {
  const std::string& content = response.content;
  const std::string seen = content.starts_with("\xff\xd8\xff")  ? "image/jpeg"
                           : content.compare(8, 4, "WEBP") == 0 ? "image/webp"
                           : content.compare(1, 3, "PNG") == 0  ? "image/png"
                                                                : "unknown";
  const std::string said = field(response.fields, "Content-Type");
  return seen == said ? seen : "is " + seen + ", said to be " + said;
}

TEST(ImageTranscoder, MakesWebpForThoseWhoTakeIt) {
  Host host("image_transcoder");
  const std::string photo = jpeg(98);
  const Outcome outcome = get(host, "image/jpeg", photo, "image/webp,*/*", {100, 2000});
  EXPECT_TRUE(outcome.head_held);
  EXPECT_EQ(kind(outcome.to_client), "image/webp");
  EXPECT_LT(outcome.to_client.content.size(), photo.size());
  EXPECT_EQ(field(outcome.to_client.fields, "ETag"), "W/\"1\"");
  EXPECT_EQ(field(outcome.to_client.fields, "Vary"), "Accept");
  for (const bool alpha : {false, true}) {
    EXPECT_EQ(kind(get(host, "image/png", png(alpha), "image/webp").to_client), "image/webp");
  }
  EXPECT_EQ(host.metrics["images_made_total"], 3);
  EXPECT_EQ(host.violations, std::vector<std::string>());
}

TEST(ImageTranscoder, ReadsWeights) {
  Host host("image_transcoder");
  const std::string picture = png(false);
  for (const char* takes : {"image/webp;q=0.1", "a/b, image/webp ; q=1.0,*/*", "image/webp;a=b",
                            "image/webp-x, image/webp"}) {
    EXPECT_EQ(kind(get(host, "image/png", picture, takes).to_client), "image/webp") << takes;
  }
  for (const char* not_taken :
       {"image/webp;q=0", "image/webp; Q=0.000, */*", "image/*", "", "image/webpx"}) {
    EXPECT_EQ(kind(get(host, "image/png", picture, not_taken).to_client), "image/png") << not_taken;
  }
}

TEST(ImageTranscoder, TellsHeadNothingThatDependsOnTheImage) {
  Host host("image_transcoder");
  const auto head = [&](const std::string& type, const std::string& accept) {
    Request request;
    request.method = "HEAD";
    request.fields = {{"Accept", accept}};
    Response response;
    response.fields = {{"Content-Type", type}, {"ETag", "\"1\""}};
    const FieldList fields = host.run(request, response).to_client.fields;
    return field(fields, "Content-Type") + " " + field(fields, "ETag");
  };
  EXPECT_EQ(head("image/png", "image/webp"), "- W/\"1\"");
  EXPECT_EQ(head("image/png", "*/*"), "image/png \"1\"");
  EXPECT_EQ(head("image/jpeg", "*/*"), "image/jpeg W/\"1\"");
  EXPECT_EQ(head("text/html", "image/webp"), "text/html \"1\"");
  EXPECT_EQ(host.violations, std::vector<std::string>());
}

TEST(ImageTranscoder, MakesJpegForOthers) {
  Host host("image_transcoder");
  const std::string photo = jpeg(98);
  const Response made = get(host, "image/jpeg", photo, "*/*").to_client;
  EXPECT_EQ(kind(made), "image/jpeg");
  EXPECT_LT(made.content.size(), photo.size());
  EXPECT_LT(get(host, "image/jpeg", jpeg(98, true), "image/webp").to_client.content.size(),
            jpeg(98, true).size());
  EXPECT_EQ(get(host, "image/png", png(false), "*/*").to_client.content, png(false));
}

TEST(ImageTranscoder, KeepsExifAndColourProfile) {
  Host host("image_transcoder");
  std::string photo = jpeg(98);
  const std::string exif(
      "\xff\xe1\x00\x0c"
      "Exif\0\0MM\0*",
      14);
  const std::string profile("\xff\xe2\x00\x10ICC_PROFILE\0\1\1", 18);
  photo.insert(20, exif + profile);
  const Response made = get(host, "image/jpeg", photo, "image/webp").to_client;
  EXPECT_EQ(kind(made), "image/jpeg");
  EXPECT_LT(made.content.size(), photo.size());
  EXPECT_EQ(made.content.find(exif + profile), 20U);
}

TEST(ImageTranscoder, PassesWhatItCannotImprove) {
  Host host("image_transcoder");
  const auto passes = [&](const std::string& type, const std::string& content) {
    const Outcome outcome = get(host, type, content, "image/webp", {1, 10, 50});
    return outcome.to_client.content == content &&
           field(outcome.to_client.fields, "Content-Type") == type &&
           field(outcome.to_client.fields, "ETag") == "\"1\"";
  };
  EXPECT_TRUE(passes("image/jpeg", jpeg(10)));
  EXPECT_TRUE(passes("image/jpeg", "no image"));
  EXPECT_TRUE(passes("image/jpeg", ""));
  EXPECT_TRUE(passes("image/jpeg", jpeg(98).substr(0, 3000)));
  EXPECT_TRUE(passes("image/png", png(true).substr(0, 3000)));
  EXPECT_TRUE(passes("image/gif", jpeg(98)));
  std::string animated = png(true);
  animated.insert(33, "\0\0\0\0acTL\0\0\0\0", 12);
  EXPECT_TRUE(passes("image/png", animated));
  EXPECT_FALSE(passes("image/png", png(true)));
  EXPECT_EQ(host.violations, std::vector<std::string>());
}

TEST(ImageTranscoder, PassesWhatIsTooLarge) {
  const std::string photo = jpeg(98);
  Host small("image_transcoder", {{"most", {std::int64_t{1000}}}});
  Host narrow("image_transcoder", {{"most_area", {std::int64_t{kSide * kSide - 1}}}});
  for (Host* const host : {&small, &narrow}) {
    for (const bool length_known : {true, false}) {
      Response response;
      response.fields = {{"Content-Type", "image/jpeg"}};
      response.content = photo;
      response.length_known = length_known;
      EXPECT_EQ(host->run({}, response, {500, 900, 2000}).to_client.content, photo);
    }
    EXPECT_EQ(host->violations, std::vector<std::string>());
  }
}

}  // namespace
}  // namespace penstock::test
