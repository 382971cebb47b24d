#include "icap/chunk_extensions.h"

#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "http1/chunk_decoder.h"

namespace penstock::icap {
namespace {

using http1::ChunkDecoder;
using Offset = std::expected<std::optional<std::uint64_t>, Problem>;

constexpr http1::ChunkLimits kLimits{.keep_last_extensions = true};

TEST(UseOriginalBody, Offsets) {
  EXPECT_EQ(use_original_body("; use-original-body=6"), Offset(6));
  EXPECT_EQ(use_original_body(";use-original-body=0"), Offset(0));
  EXPECT_EQ(use_original_body(" ;\tUse-Original-Body = 0017 "), Offset(17));
  EXPECT_EQ(use_original_body("; use-original-body=\"6\""), Offset(6));
  EXPECT_EQ(use_original_body(";use-original-body=18446744073709551615"),
            Offset(std::numeric_limits<std::uint64_t>::max()));
  EXPECT_EQ(use_original_body(";a;b=c; d=\"; use-original-body=1\";use-original-body=2 ;e"),
            Offset(2));
}

TEST(UseOriginalBody, IsNotThere) {
  for (const std::string_view text :
       {"", " ", ";a", "; ieof", ";a=\"; use-original-body=1\"",
        ";a=\"\\\"; use-original-body=1\\\\\"", ";use-original-body2=1", ";a=use-original-body"}) {
    EXPECT_EQ(use_original_body(text), Offset(std::nullopt)) << text;
  }
}

TEST(UseOriginalBody, Malformed) {
  const Offset malformed = std::unexpected(Problem::use_original_body_malformed);
  for (const std::string_view text :
       {"; use-original-body", ";use-original-body=x", ";use-original-body=-1",
        ";use-original-body=+1", ";use-original-body=1x", ";use-original-body=0x1",
        ";use-original-body=\"\"", ";use-original-body=\" 1\"", ";use-original-body=\"\\1\"",
        ";use-original-body=18446744073709551616", ";use-original-body=1;use-original-body=1",
        ";use-original-body=1;use-original-body"}) {
    EXPECT_EQ(use_original_body(text), malformed) << text;
  }
  const Offset extension = std::unexpected(Problem::chunk_extension_malformed);
  for (const std::string_view text :
       {"use-original-body=1", ";", ";;", ";a=", ";=a", ";a=\"", ";a=\"\\\"", ";a=\"b\\", ";a b",
        ";a=b c", "; use-original-body=1 2", "; use-original-body=1,2", ";a=\"b\"c",
        "; use-original-body="}) {
    EXPECT_EQ(use_original_body(text), extension) << text;
    EXPECT_EQ(has_ieof(text), std::unexpected(Problem::chunk_extension_malformed)) << text;
  }
}

TEST(Ieof, IsFound) {
  EXPECT_EQ(has_ieof("; ieof"), true);
  EXPECT_EQ(has_ieof(";a=b ; IEOF"), true);
  EXPECT_EQ(has_ieof(""), false);
  EXPECT_EQ(has_ieof(";ieof2;x=ieof;y=\"; ieof\""), false);
  EXPECT_EQ(has_ieof(";ieof=1"), false);
}

// As on the wire, in every split.
TEST(ChunkExtensions, OfTheLastChunk) {
  const std::string_view wire =
      "00004;use-original-body=1;q=\"a;b\"\r\nabcd\r\n1A\r\n0123456789abcdefghijklmnop\r\n"
      "0; use-original-body=6\r\nX: y\r\n\r\n";
  for (std::size_t cut = 0; cut <= wire.size(); ++cut) {
    ChunkDecoder decoder(kLimits);
    std::string data;
    ChunkDecoder::Event event = ChunkDecoder::Event::need_more;
    for (std::string_view part : {wire.substr(0, cut), wire.substr(cut)}) {
      do {
        const ChunkDecoder::Step step = decoder.next(part);
        event = step.event;
        data.append(step.data);
        part.remove_prefix(step.consumed);
      } while (event == ChunkDecoder::Event::data);
    }
    EXPECT_EQ(event, ChunkDecoder::Event::end);
    EXPECT_EQ(data, "abcd0123456789abcdefghijklmnop");
    EXPECT_EQ(use_original_body(decoder.last_extensions()), Offset(6)) << cut;
  }
}

TEST(ChunkExtensions, WhatWeWriteIsUnderstood) {
  ChunkDecoder decoder(kLimits);
  EXPECT_EQ(decoder.next(kLastChunkOfWholeBody).event, ChunkDecoder::Event::end);
  EXPECT_EQ(has_ieof(decoder.last_extensions()), true);
}

}  // namespace
}  // namespace penstock::icap
