#include "icap/encapsulated.h"

#include <array>
#include <limits>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace penstock::icap {
namespace {

using namespace std::string_view_literals;
using Body = Encapsulated::Body;

std::string written(const Encapsulated& value) {
  std::array<char, kEncapsulatedMax> to;
  return {to.data(), write_encapsulated(value, to)};
}

// RFC 3507 section 4.4.1.
TEST(Encapsulated, TheLegalLists) {
  const std::vector<std::pair<std::string_view, Encapsulated>> samples = {
      {"req-hdr=0, null-body=68", {.request_head = 68}},
      {"req-hdr=0, req-body=412", {.request_head = 412, .body = Body::request}},
      {"req-hdr=0, res-hdr=46, res-body=85",
       {.request_head = 46, .response_head = 39, .body = Body::response}},
      {"req-hdr=0, res-hdr=46, null-body=85", {.request_head = 46, .response_head = 39}},
      {"res-hdr=0, res-body=108", {.response_head = 108, .body = Body::response}},
      {"res-hdr=0, null-body=108", {.response_head = 108}},
      {"req-hdr=0, res-body=5", {.request_head = 5, .body = Body::response}},
      {"req-body=0", {.body = Body::request}},
      {"res-body=0", {.body = Body::response}},
      {"opt-body=0", {.body = Body::options}},
      {"null-body=0", {}},
      {"res-hdr=0, res-body=18446744073709551615",
       {.response_head = std::numeric_limits<std::uint64_t>::max(), .body = Body::response}},
  };
  for (const auto& [text, value] : samples) {
    const auto parsed = parse_encapsulated(text);
    ASSERT_TRUE(parsed.has_value()) << text << ": " << to_string(parsed.error());
    EXPECT_EQ(*parsed, value) << text;
    EXPECT_EQ(written(value), text);
  }
}

TEST(Encapsulated, Asks) {
  const Encapsulated value{.request_head = 46, .response_head = 39, .body = Body::response};
  EXPECT_EQ(value.heads(), 85U);
  EXPECT_TRUE(value.has_body());
  EXPECT_FALSE(value.empty());
  EXPECT_TRUE(Encapsulated{}.empty());
  EXPECT_FALSE(Encapsulated{.body = Body::options}.empty());
}

TEST(Encapsulated, TheLongestFits) {
  constexpr auto kMost = std::numeric_limits<std::uint64_t>::max();
  EXPECT_EQ(written({.request_head = kMost - 1, .response_head = 1}),
            "req-hdr=0, res-hdr=18446744073709551614, null-body=18446744073709551615");
}

TEST(Encapsulated, CaseAndSpacesAreFree) {
  const Encapsulated value{.response_head = 108, .body = Body::response};
  for (const std::string_view text :
       {"res-hdr=0,res-body=108", "RES-HDR=0, Res-Body=108", " res-hdr = 0 ,\tres-body\t=\t108 ",
        "res-hdr=000, res-body=0000000000000000000000108"}) {
    EXPECT_EQ(parse_encapsulated(text), value) << text;
  }
}

TEST(Encapsulated, Refuses) {
  using enum Problem;
  const std::vector<std::pair<std::string_view, Problem>> samples = {
      {"", encapsulated_malformed},
      {" ", encapsulated_malformed},
      {",", encapsulated_malformed},
      {"null-body", encapsulated_malformed},
      {"null-body=", encapsulated_malformed},
      {"null-body=x", encapsulated_malformed},
      {"null-body=+0", encapsulated_malformed},
      {"null-body=-0", encapsulated_malformed},
      {"null-body=0x0", encapsulated_malformed},
      {"null-body=0 0", encapsulated_malformed},
      {"null-body=\"0\"", encapsulated_malformed},
      {"null-body=0;a", encapsulated_malformed},
      {"null body=0", encapsulated_malformed},
      {"=0", encapsulated_malformed},
      {"null-body=0,", encapsulated_malformed},
      {",null-body=0", encapsulated_malformed},
      {"res-hdr=0,, res-body=5", encapsulated_malformed},
      {"res-hdr=0 res-body=5", encapsulated_malformed},
      {"res-hdr=0; res-body=5", encapsulated_malformed},
      {"null-body=\0"sv, encapsulated_malformed},
      {"body=0", encapsulated_unknown_part},
      {"res-hdrs=0, res-body=5", encapsulated_unknown_part},
      {"opt-hdr=0, opt-body=5", encapsulated_unknown_part},
      {"res-hdr=0, req-hdr=5, res-body=9", encapsulated_order},
      {"res-hdr=0, res-hdr=5, res-body=9", encapsulated_order},
      {"res-hdr=0, req-body=5", encapsulated_order},
      {"req-hdr=0, res-hdr=5, req-body=9", encapsulated_order},
      {"req-hdr=0, opt-body=5", encapsulated_order},
      {"res-body=0, res-body=5", encapsulated_order},
      {"res-body=0, null-body=5", encapsulated_order},
      {"res-body=0, res-hdr=5", encapsulated_order},
      {"null-body=0, null-body=0", encapsulated_order},
      {"res-hdr=1, res-body=5", encapsulated_offset},
      {"null-body=1", encapsulated_offset},
      {"opt-body=5", encapsulated_offset},
      {"res-hdr=0, res-body=0", encapsulated_offset},
      {"req-hdr=0, res-hdr=0, res-body=5", encapsulated_offset},
      {"req-hdr=0, res-hdr=5, res-body=5", encapsulated_offset},
      {"req-hdr=0, res-hdr=5, res-body=4", encapsulated_offset},
      {"res-hdr=0, res-body=18446744073709551616", encapsulated_offset},
      {"res-hdr=0, res-body=99999999999999999999999", encapsulated_offset},
      {"res-hdr=0", encapsulated_without_body_part},
      {"req-hdr=0, res-hdr=5", encapsulated_without_body_part},
  };
  for (const auto& [text, problem] : samples) {
    const auto parsed = parse_encapsulated(text);
    ASSERT_FALSE(parsed.has_value()) << text;
    EXPECT_EQ(to_string(parsed.error()), to_string(problem)) << text;
  }
}

}  // namespace
}  // namespace penstock::icap
