#include "icap/options.h"

#include <chrono>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace penstock::icap {
namespace {

using std::chrono::seconds;

constexpr http1::HeadLimits kLimits;

// The options in an answer with these lines.
Options options_of(std::string_view lines, std::string_view status = "200 OK") {
  const std::string head =
      std::string("ICAP/1.0 ").append(status).append("\r\n").append(lines).append("\r\n");
  ResponseScanner scanner(kLimits);
  EXPECT_EQ(scanner.scan(head), http1::Progress::done) << head;
  const auto response = parse_response_head(head, kLimits);
  EXPECT_TRUE(response.has_value()) << head;
  const auto options = parse_options(*response);
  EXPECT_TRUE(options.has_value()) << head;
  return options.value_or(Options{});
}

constexpr std::string_view kUsual =
    "Methods: RESPMOD, REQMOD\r\nISTag: \"a\"\r\nEncapsulated: null-body=0\r\n";

Options with(std::string_view lines) { return options_of(std::string(kUsual).append(lines)); }
std::string quirks_with(std::string_view lines) { return to_string(with(lines).quirks); }

TEST(Options, AsCIcapSendsThem) {
  const Options options = options_of(
      "Methods: RESPMOD, REQMOD\r\nService: C-ICAP/0.5.10 server - Echo demo service\r\n"
      "ISTag: \"CI0001-XXXXXXXXX\"\r\nTransfer-Preview: *\r\nOptions-TTL: 3600\r\n"
      "Date: Mon, 01 Jan 2024 00:00:00 GMT\r\nPreview: 1024\r\nAllow: 204, 206\r\n"
      "X-Include: X-Authenticated-User, X-Authenticated-Groups\r\n"
      "Max-Connections: 20\r\nService-ID: echo\r\nEncapsulated: null-body=0\r\n");
  EXPECT_TRUE(options.reqmod);
  EXPECT_TRUE(options.respmod);
  EXPECT_EQ(options.preview, 1024U);
  EXPECT_TRUE(options.allow_204);
  EXPECT_TRUE(options.allow_206);
  EXPECT_EQ(options.max_connections, 20U);
  EXPECT_EQ(options.ttl, seconds(3600));
  EXPECT_EQ(options.istag, "CI0001-XXXXXXXXX");
  EXPECT_EQ(options.service, "C-ICAP/0.5.10 server - Echo demo service");
  EXPECT_EQ(options.service_id, "echo");
  EXPECT_TRUE(options.includes("x-authenticated-user"));
  EXPECT_FALSE(options.includes("X-Client-IP"));
  EXPECT_EQ(options.transfer.other(), Transfer::preview);
  EXPECT_FALSE(options.has_body);
  EXPECT_FALSE(options.close);
  EXPECT_EQ(to_string(options.quirks), "");
}

TEST(Options, WhatIsNotSaid) {
  const Options options = options_of("Connection: close\r\n");
  EXPECT_FALSE(options.reqmod || options.respmod || options.allow_204 || options.allow_206);
  EXPECT_FALSE(options.preview || options.max_connections || options.ttl);
  EXPECT_TRUE(options.istag.empty() && options.include.empty() && options.transfer.empty());
  EXPECT_TRUE(options.close);
  EXPECT_EQ(to_string(options.quirks), "no ISTag, no Encapsulated, no known Methods");
}

TEST(Options, ListsMayTakeSeveralLinesAndAnyCase) {
  const Options options = options_of(
      "METHODS: reqmod\r\nmethods: , RespMod\r\nallow: 204\r\nAllow:206 ,\r\nx-include: A\r\n"
      "X-Include: b c, D\r\nISTag: \"a\"\r\nEncapsulated: null-body=0\r\n");
  EXPECT_TRUE(options.reqmod && options.respmod && options.allow_204 && options.allow_206);
  EXPECT_EQ(options.include, (std::vector<std::string>{"A", "D"}));
  EXPECT_EQ(to_string(options.quirks), "");
}

TEST(Options, OneMethodOnly) {
  const Options options = options_of("Methods: REQMOD, LOGMOD\r\n");
  EXPECT_TRUE(options.reqmod);
  EXPECT_FALSE(options.respmod);
  EXPECT_TRUE(options_of("Methods: OPTIONS\r\n").quirks.has(Quirk::methods_missing));
}

TEST(Options, Numbers) {
  EXPECT_EQ(with("Preview: 0\r\n").preview, 0U);
  EXPECT_EQ(with("Preview: 18446744073709551615\r\n").preview, ~std::uint64_t{0});
  EXPECT_EQ(with("Preview: 10\r\npreview: 10\r\n").preview, 10U);
  EXPECT_EQ(with("Options-TTL: 0\r\n").ttl, seconds(0));
  EXPECT_EQ(with("Options-TTL: 18446744073709551615\r\n").ttl, kMaxOptionsTtl);
  for (const std::string_view bad : {"", "x", "-1", "+1", "1.5", "1 2", "1, 2", "0x10", "\"1\"",
                                     "18446744073709551616", "99999999999999999999999"}) {
    const auto line = [bad](std::string_view name) {
      return std::string(name).append(": ").append(bad).append("\r\n");
    };
    const Options preview = with(line("Preview"));
    EXPECT_FALSE(preview.preview.has_value()) << bad;
    EXPECT_EQ(preview.quirks, Quirks(Quirk::preview_invalid)) << bad;
    const Options connections = with(line("Max-Connections"));
    EXPECT_FALSE(connections.max_connections.has_value()) << bad;
    EXPECT_EQ(connections.quirks, Quirks(Quirk::max_connections_invalid)) << bad;
    const Options ttl = with(line("Options-TTL"));
    EXPECT_FALSE(ttl.ttl.has_value()) << bad;
    EXPECT_EQ(ttl.quirks, Quirks(Quirk::options_ttl_invalid)) << bad;
  }
  EXPECT_EQ(quirks_with("Preview: 10\r\nPreview: 11\r\n"), "a Preview that is no number");
  EXPECT_EQ(quirks_with("Preview: x\r\nPreview: 11\r\n"), "a Preview that is no number");
  EXPECT_FALSE(with("Preview: x\r\nPreview: 11\r\n").preview.has_value());
  EXPECT_EQ(quirks_with("Max-Connections: 0\r\n"), "a Max-Connections that is no number above 0");
}

TEST(Options, ABodyIsAnnounced) {
  const Options options =
      options_of("Methods: REQMOD\r\nISTag: \"a\"\r\nEncapsulated: opt-body=0\r\n");
  EXPECT_TRUE(options.has_body);
  EXPECT_EQ(to_string(options.quirks), "");
}

TEST(Options, OnlyOf200) {
  IcapResponse response;
  for (const int status : {100, 201, 204, 404, 500}) {
    response.status = status;
    const auto options = parse_options(response);
    ASSERT_FALSE(options.has_value());
    EXPECT_EQ(options.error(), Problem::options_status);
  }
}

TEST(Options, FieldsOfInterestAreBounded) {
  std::string line = "X-Include: a";
  for (int i = 0; i < 1000; ++i) line += ",a";
  EXPECT_EQ(with(line + "\r\n").include.size(), kMaxIncluded);
}

// RFC 3507 section 4.10.2.
TEST(TransferFor, WithoutListsAllIsCompleteAndBesideThemAPreview) {
  EXPECT_EQ(with("Preview: 10\r\n").transfer_for("/a.exe"), Transfer::complete);
  EXPECT_EQ(with("Preview: 10\r\nTransfer-Ignore: gif\r\n").transfer_for("/a.exe"),
            Transfer::preview);
  EXPECT_EQ(with("").transfer_for("/a.exe"), Transfer::complete);
  EXPECT_EQ(with("Preview: x\r\n").transfer_for("/a.exe"), Transfer::complete);
}

TEST(TransferFor, ExtensionsOfTheLastSegment) {
  const Options options = with(
      "Preview: 10\r\nTransfer-Preview: *\r\nTransfer-Ignore: JPG, gif,  Tar\r\n"
      "Transfer-Complete: exe\r\nTransfer-Ignore: png\r\n");
  EXPECT_EQ(to_string(options.quirks), "");
  const std::vector<std::pair<std::string_view, Transfer>> samples = {
      {"/a.jpg", Transfer::ignore},
      {"/a.JpG", Transfer::ignore},
      {"/a.b/c.png?x=y.exe", Transfer::ignore},
      {"/a.GIF?", Transfer::ignore},
      {"/x.tar", Transfer::ignore},
      {"/.tar", Transfer::ignore},
      {"/a.exe", Transfer::complete},
      {"/a.jpg.exe", Transfer::complete},
      {"http://h.test/a.Exe", Transfer::complete},
      {"/a.exe?b.jpg", Transfer::complete},
      {"/a.exe?/b.jpg", Transfer::complete},
      {"/a.exe/", Transfer::preview},
      {"/a.jpg/b", Transfer::preview},
      {"/a?b.jpg", Transfer::preview},
      {"/a.jp", Transfer::preview},
      {"/a.jpgx", Transfer::preview},
      {"/a.", Transfer::preview},
      {"/jpg", Transfer::preview},
      {"/", Transfer::preview},
      {"", Transfer::preview},
      {"*", Transfer::preview},
      {"/a.*", Transfer::preview},
      {"/a.tar.gz", Transfer::preview},
  };
  for (const auto& [path, transfer] : samples) {
    EXPECT_EQ(options.transfer_for(path), transfer) << path;
  }
}

TEST(TransferFor, DefaultsOfEachKind) {
  EXPECT_EQ(
      with("Preview: 1\r\nTransfer-Ignore: *\r\nTransfer-Preview: asp\r\n").transfer_for("/x.html"),
      Transfer::ignore);
  EXPECT_EQ(with("Preview: 1\r\nTransfer-Complete: *\r\n").transfer_for("/x"), Transfer::complete);
  // No preview was announced: none may be sent.
  EXPECT_EQ(with("Transfer-Preview: *\r\n").transfer_for("/x"), Transfer::complete);
}

TEST(TransferFor, ContradictionsAreSettledCarefully) {
  const Options options = with(
      "Preview: 1\r\nTransfer-Preview: *, a\r\nTransfer-Ignore: *, a, b\r\n"
      "Transfer-Complete: B\r\n");
  EXPECT_EQ(to_string(options.quirks), "contradictory or incomplete Transfer lists");
  EXPECT_EQ(options.transfer_for("/x.a"), Transfer::preview);
  EXPECT_EQ(options.transfer_for("/x.b"), Transfer::complete);
  EXPECT_EQ(options.transfer_for("/x.c"), Transfer::preview);

  const Options no_star = with("Preview: 1\r\nTransfer-Ignore: gif, gif\r\n");
  EXPECT_EQ(to_string(no_star.quirks), "contradictory or incomplete Transfer lists");
  EXPECT_EQ(no_star.transfer_for("/x.gif"), Transfer::ignore);
  EXPECT_EQ(no_star.transfer_for("/x.html"), Transfer::preview);
  EXPECT_EQ(quirks_with("Transfer-Ignore: gif, GIF\r\nTransfer-Complete: *, *\r\n"), "");
}

}  // namespace
}  // namespace penstock::icap
