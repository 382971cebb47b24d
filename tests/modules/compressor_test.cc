#include <cstdint>
#include <string>
#include <vector>

#include <brotli/decode.h>
#include <gtest/gtest.h>
#include <zlib.h>
#include <zstd.h>

#include "tests/modules/mock_host.h"

namespace penstock::test {
namespace {

// What can be read of a compressed content that is whole, or as far as it goes.
std::string gunzip(std::string in) {
  z_stream stream{};
  EXPECT_EQ(inflateInit2(&stream, 15 + 16), Z_OK);
  std::string out(1 << 20, 0);
  stream.next_in = reinterpret_cast<Bytef*>(in.data());
  stream.avail_in = static_cast<uInt>(in.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  inflate(&stream, Z_SYNC_FLUSH);
  out.resize(stream.total_out);
  inflateEnd(&stream);
  return out;
}
std::string unbrotli(const std::string& in) {
  BrotliDecoderState* const state = BrotliDecoderCreateInstance(nullptr, nullptr, nullptr);
  std::string out(1 << 20, 0);
  std::size_t in_left = in.size(), out_left = out.size();
  const auto* from = reinterpret_cast<const std::uint8_t*>(in.data());
  auto* to = reinterpret_cast<std::uint8_t*>(out.data());
  BrotliDecoderDecompressStream(state, &in_left, &from, &out_left, &to, nullptr);
  out.resize(out.size() - out_left);
  BrotliDecoderDestroyInstance(state);
  return out;
}
std::string unzstd(const std::string& in) {
  ZSTD_DCtx* const context = ZSTD_createDCtx();
  std::string out(1 << 20, 0);
  ZSTD_inBuffer from{in.data(), in.size(), 0};
  ZSTD_outBuffer to{out.data(), out.size(), 0};
  while (from.pos < from.size) {
    if (ZSTD_isError(ZSTD_decompressStream(context, &to, &from)) != 0) break;
  }
  out.resize(to.pos);
  ZSTD_freeDCtx(context);
  return out;
}
std::string decode(const Response& response) {
  const std::string coding = field(response.fields, "Content-Encoding");
  if (coding == "gzip") return gunzip(response.content);
  if (coding == "br") return unbrotli(response.content);
  return coding == "zstd" ? unzstd(response.content) : response.content;
}

Request accepting(const std::string& codings) {
  Request request;
  request.fields = {{"Accept-Encoding", codings}};
  return request;
}

Response text(std::size_t size, bool length_known) {
  Response response;
  response.fields = {{"Content-Type", "text/plain; charset=utf-8"}, {"ETag", "\"1\""}};
  for (std::size_t i = 0; response.content.size() < size; ++i) {
    response.content += "line " + std::to_string(i * i) + "\n";
  }
  response.content.resize(size);
  response.length_known = length_known;
  return response;
}

std::string chosen(Host& host, const std::string& accepted) {
  return field(host.run(accepting(accepted), text(1000, true)).to_client.fields,
               "Content-Encoding");
}

TEST(Compressor, CompressesHoweverContentIsCut) {
  Host host("compressor");
  for (const std::string coding : {"gzip", "br", "zstd"}) {
    for (const bool known : {true, false}) {
      for (const std::size_t size : {std::size_t{300}, std::size_t{200'000}}) {
        const Response plain = text(size, known);
        for (const Cuts& cuts : std::vector<Cuts>{{}, {1}, {100, 200}, {1, 2, 3, 65536}}) {
          const Outcome outcome = host.run(accepting(coding), plain, cuts);
          EXPECT_EQ(decode(outcome.to_client), plain.content) << coding << ' ' << size;
          EXPECT_LT(outcome.to_client.content.size(), plain.content.size() * 2 / 3);
          EXPECT_EQ(field(outcome.to_client.fields, "ETag"), "W/\"1\"");
          EXPECT_EQ(field(outcome.to_client.fields, "Vary"), "Accept-Encoding");
        }
      }
    }
  }
  EXPECT_EQ(host.violations, std::vector<std::string>());
}

TEST(Compressor, HoldsUpNothingOfUnknownLength) {
  Host host("compressor");
  for (const std::string coding : {"gzip", "br", "zstd"}) {
    const Response plain = text(1000, false);
    const Outcome outcome = host.run(accepting(coding), plain, {10, 500});
    Response begun = outcome.to_client;
    begun.content = outcome.pieces.at(0);
    EXPECT_EQ(decode(begun), plain.content.substr(0, 10)) << coding;
    begun.content += outcome.pieces.at(1);
    EXPECT_EQ(decode(begun), plain.content.substr(0, 500)) << coding;
  }
}

TEST(Compressor, ChoosesWhatTheClientLikesBest) {
  Host host("compressor");
  EXPECT_EQ(chosen(host, "gzip, br, zstd"), "zstd");
  EXPECT_EQ(chosen(host, "gzip, br;q=0.5"), "gzip");
  EXPECT_EQ(chosen(host, "GZIP;Q=0.2 , deflate"), "gzip");
  EXPECT_EQ(chosen(host, "*"), "zstd");
  EXPECT_EQ(chosen(host, "*, zstd;q=0"), "br");
  EXPECT_EQ(chosen(host, "zstd;q=0, br;q=0.0, gzip;q=0"), "-");
  EXPECT_EQ(chosen(host, "x-gzip"), "gzip");
  EXPECT_EQ(chosen(host, "identity"), "-");
  EXPECT_EQ(chosen(host, "identity, gzip;q=0.5"), "-");
  EXPECT_EQ(chosen(host, "identity;q=0.5, gzip;q=0.4, br;q=0.6"), "br");
  EXPECT_EQ(chosen(host, "identity, gzip"), "gzip");
  EXPECT_EQ(chosen(host, "identity;q=0, gzip;q=0.1"), "gzip");
  EXPECT_EQ(chosen(host, ""), "-");
}

TEST(Compressor, SaysThatTheResponseVariesAlsoWhereItStaysAsItIs) {
  Host host("compressor");
  const auto vary = [&](const Response& response) {
    return field(host.run(accepting("identity"), response).to_client.fields, "Vary");
  };
  EXPECT_EQ(vary(text(1000, true)), "Accept-Encoding");
  EXPECT_EQ(vary(text(10, true)), "-");
  Response response = text(1000, true);
  response.fields.emplace_back("Vary", "Cookie, accept-encoding");
  EXPECT_EQ(vary(response), "Cookie, accept-encoding");
}

TEST(Compressor, LeavesAloneWhatItMustNotCompress) {
  Host host("compressor");
  const auto stays = [&](const Response& response) {
    const Response got = host.run(accepting("gzip"), response).to_client;
    return got.content == response.content && field(got.fields, "ETag") == "\"1\"";
  };
  EXPECT_FALSE(stays(text(1000, true)));
  EXPECT_TRUE(stays(text(255, true)));
  const auto with = [](const std::string& name, const std::string& value) {
    Response response = text(1000, true);
    response.fields.insert(response.fields.begin(), {name, value});
    return response;
  };
  EXPECT_TRUE(stays(with("Content-Type", "image/png")));
  EXPECT_FALSE(stays(with("Content-Type", "Application/JSON;x=1")));
  EXPECT_TRUE(stays(with("Content-Encoding", "br")));
  EXPECT_TRUE(stays(with("Cache-Control", "no-transform")));
  EXPECT_TRUE(stays(with("Content-Range", "bytes 0-999/2000")));
  Response part = text(1000, true);
  part.status = 206;
  EXPECT_TRUE(stays(part));
}

TEST(Compressor, DescribesToHeadWhatGetWouldBring) {
  Host host("compressor");
  Request request = accepting("br");
  request.method = "HEAD";
  Response response = text(0, true);
  response.fields.emplace_back("Content-Length", "1000");
  Response got = host.run(request, response).to_client;
  EXPECT_EQ(field(got.fields, "Content-Encoding"), "br");
  EXPECT_EQ(got.content, "");
  response.fields.back().second = "10";
  EXPECT_EQ(field(host.run(request, response).to_client.fields, "Content-Encoding"), "-");
  EXPECT_EQ(host.violations, std::vector<std::string>());
}

TEST(Compressor, UsesTheClientsWishNotThatOfOtherFilters) {
  Host host("compressor");
  const Outcome outcome = host.run(accepting("gzip"), [](const Request& request) {
    const_cast<Request&>(request).fields[0].second = "identity";
    return text(1000, true);
  });
  EXPECT_EQ(field(outcome.to_client.fields, "Content-Encoding"), "gzip");
}

TEST(Compressor, RefusesUnknownCodings) {
  EXPECT_EQ(Host("compressor", {{"codings", {std::vector<std::string>{"lzma"}}}}).refused,
            "codings: it is a list of \"gzip\", \"br\" and \"zstd\"");
  EXPECT_EQ(Host("compressor", {{"level", {std::int64_t{10}}}}).refused, "out of range: level");
}

}  // namespace
}  // namespace penstock::test
