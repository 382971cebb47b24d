#include "adapt/coding.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace penstock {
namespace {

using enum ContentCoding;

std::string text_of(std::span<const ContentCoding> codings) {
  std::string text;
  for (const ContentCoding coding : codings) {
    text.append(text.empty() ? "" : " ").append(to_string(coding));
  }
  return text;
}

TEST(ContentCoding, TokensAndAliases) {
  for (const ContentCoding coding : {identity, gzip, deflate, br, zstd}) {
    EXPECT_EQ(content_coding(to_string(coding)), coding);
  }
  EXPECT_EQ(content_coding("GZip"), gzip);
  EXPECT_EQ(content_coding("x-gzip"), gzip);
  EXPECT_EQ(content_coding("X-GZIP"), gzip);
  EXPECT_EQ(content_coding("x-deflate"), std::nullopt);
  EXPECT_EQ(content_coding("compress"), std::nullopt);
  EXPECT_EQ(content_coding(""), std::nullopt);
  EXPECT_EQ(content_coding("*"), std::nullopt);
}

TEST(ContentCoding, LevelsInRange) {
  for (const ContentCoding coding : {gzip, deflate, br, zstd}) {
    const LevelRange range = level_range(coding);
    EXPECT_LT(range.least, range.usual);
    EXPECT_LT(range.usual, range.most);
  }
  EXPECT_EQ(level_range(identity), LevelRange{});
}

TEST(ContentEncoding, IsReadAsOneList) {
  struct Case {
    std::vector<std::string> lines;
    const char* codings;  // null: not understood
  };
  const std::vector<Case> cases = {
      {{}, ""},
      {{""}, ""},
      {{"gzip"}, "gzip"},
      {{"x-gzip"}, "gzip"},
      {{"BR"}, "br"},
      {{"identity"}, ""},
      {{"gzip, br"}, "gzip br"},
      {{"br , gzip"}, "br gzip"},
      {{" , gzip,, zstd,"}, "gzip zstd"},
      {{"gzip", "br"}, "gzip br"},
      {{"gzip, identity", "identity, deflate"}, "gzip deflate"},
      {{"gzip, gzip, gzip, gzip"}, "gzip gzip gzip gzip"},
      {{"gzip, gzip, gzip, gzip, gzip"}, nullptr},
      {{"aes128gcm"}, nullptr},
      {{"gzip, exi"}, nullptr},
      {{"exi", "gzip"}, nullptr},
      {{"gzip;q=1"}, nullptr},
      {{"gzip br"}, nullptr},
      {{"\"gzip\""}, nullptr},
      {{"*"}, nullptr},
  };
  for (const Case& c : cases) {
    FieldSection fields;
    fields.add(FieldId::content_type, "text/html");
    for (const std::string& line : c.lines) fields.add(FieldId::content_encoding, line);
    const auto codings = parse_content_encoding(fields);
    const std::string name = c.lines.empty() ? "(none)" : c.lines[0];
    ASSERT_EQ(codings.has_value(), c.codings != nullptr) << name;
    if (codings) {
      EXPECT_EQ(text_of(codings->in_order()), c.codings) << name;
      EXPECT_EQ(codings->empty(), std::string(c.codings).empty());
    }
  }
}

struct Choice {
  const char* accept;
  std::optional<ContentCoding> chosen;
};

TEST(AcceptEncoding, TheHeaviestOfOurs) {
  const std::vector<ContentCoding> ours = {zstd, br, gzip};
  const std::vector<Choice> cases = {
      {"", identity},
      {" ", identity},
      {"gzip", gzip},
      {"x-gzip", gzip},
      {"GZIP", gzip},
      {"gzip, deflate, br, zstd", zstd},
      {"gzip, deflate, br", br},
      {"deflate", identity},
      {"compress", identity},
      {"gzip;q=1.0, br;q=0.8", gzip},
      {"gzip;q=0.8, br;q=0.8", br},
      {"gzip;q=0.001", gzip},
      {"gzip;Q=0.5, br;q=0.4", gzip},
      {"gzip ; q=0.5 , br ;q=0.4", gzip},
      {"gzip;q=0", identity},
      {"gzip;q=0.0, br;q=0.000", identity},
      {"*", zstd},
      {"*;q=0.5", zstd},
      {"*;q=0.5, gzip", gzip},
      {"zstd;q=0, *", br},
      {"gzip, *;q=0", gzip},
      {"identity, gzip;q=0.5", identity},
      {"identity;q=0.5, gzip;q=0.5", gzip},
      {"identity;q=0.5, *;q=0.8", zstd},
      {"identity", identity},
      // No identity.
      {"identity;q=0", std::nullopt},
      {"*;q=0", std::nullopt},
      {"*;q=0, deflate", std::nullopt},
      {"*;q=0, identity;q=0.1", identity},
      {"identity;q=0, gzip", gzip},
      {"identity;q=0, gzip;q=0, *", zstd},
      {"identity;q=0, gzip;q=0", std::nullopt},
      // Twice: the first counts.
      {"gzip;q=0, gzip", identity},
      {"gzip, x-gzip;q=0", gzip},
      {"*;q=0.1, *;q=0, identity;q=0", zstd},
      // Broken elements are left out.
      {"gzip;q=2", identity},
      {"gzip;q=1.001", identity},
      {"gzip;q=0.1234", identity},
      {"gzip;q=", identity},
      {"gzip;q=.5", identity},
      {"gzip;q=1.", gzip},
      {"gzip;q=-1", identity},
      {"gzip;q=a", identity},
      {"gzip;q=0.a", identity},
      {"gzip;x=1", identity},
      {"gzip;", identity},
      {"gzip;q=0.5;x=1", identity},
      {"gzip br", identity},
      {";q=1", identity},
      {"br;q=x, gzip", gzip},
      {"identity;q=zero, gzip;q=0", identity},
  };
  for (const Choice& c : cases) {
    FieldSection request;
    request.add(field_id("accept-encoding"), "accept-encoding", c.accept);
    EXPECT_EQ(choose_coding(request, ours), c.chosen) << c.accept;
  }
}

TEST(AcceptEncoding, WithoutTheFieldIdentity) {
  FieldSection request;
  request.add(FieldId::accept, "gzip");
  const std::vector<ContentCoding> ours = {gzip};
  EXPECT_EQ(choose_coding(request, ours), identity);
}

TEST(AcceptEncoding, SeveralLinesAreOneList) {
  FieldSection request;
  request.add(field_id("Accept-Encoding"), "Accept-Encoding", "gzip;q=0.5");
  request.add(field_id("Accept-Encoding"), "Accept-Encoding", "br, identity;q=0");
  const std::vector<ContentCoding> ours = {gzip, br};
  EXPECT_EQ(choose_coding(request, ours), br);
  EXPECT_EQ(choose_coding(request, {ours.data(), 1}), gzip);
  EXPECT_EQ(choose_coding(request, {}), std::nullopt);
}

}  // namespace
}  // namespace penstock
