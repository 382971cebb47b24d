#include "message/hop.h"

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace penstock {
namespace {

using Lines = std::vector<std::pair<std::string_view, std::string_view>>;

FieldSection section(const Lines& lines) {
  FieldSection fields;
  for (const auto& [name, value] : lines) fields.add(field_id(name), name, value);
  return fields;
}

// The names left after the hop-by-hop fields are gone.
std::string forwarded(const Lines& lines) {
  FieldSection fields = section(lines);
  remove_hop_by_hop(fields, connection_options(fields));
  std::string names;
  for (const Field& field : fields) names.append(field.name).append(" ");
  return names;
}

// RFC 9110 section 7.6.1.
TEST(RemoveHopByHop, RemovesTheWellKnownOnes) {
  EXPECT_EQ(forwarded({{"Host", "a"},
                       {"Connection", "keep-alive"},
                       {"keep-alive", "timeout=5"},
                       {"Proxy-Connection", "keep-alive"},
                       {"TE", "trailers"},
                       {"Trailer", "X"},
                       {"Transfer-Encoding", "chunked"},
                       {"Upgrade", "websocket"},
                       {"Proxy-Authorization", "Basic x"},
                       {"X-Own", "1"}}),
            "Host X-Own ");
  EXPECT_EQ(forwarded({}), "");
}

TEST(RemoveHopByHop, RemovesWhatConnectionNames) {
  EXPECT_EQ(forwarded({{"X-A", "1"},
                       {"Connection", "x-a, close"},
                       {"X-B", "2"},
                       {"x-A", "3"},
                       {"Connection", "X-C"},
                       {"X-C", "4"},
                       {"X-CC", "5"}}),
            "X-B X-CC ");
}

TEST(RemoveHopByHop, EndToEndFieldsCannotBeNominated) {
  for (const std::string_view name :
       {"Host", "Content-Length", "Content-Type", "Via", "Forwarded", "X-Forwarded-For",
        "X-Forwarded-Proto", "Cache-Control", "Set-Cookie", "Cookie", "Authorization", "Range"}) {
    EXPECT_EQ(forwarded({{name, "1"}, {"Connection", name}}), std::string(name) + " ");
  }
}

TEST(RemoveHopByHop, MoreNominationsThanAreObeyedCostAllUnknownFields) {
  std::string names;
  for (int i = 0; i < 32; ++i) names += "x-" + std::to_string(i) + ", ";
  const std::string at_limit = names + "cookie";
  const std::string above = names + "y";
  EXPECT_EQ(forwarded({{"Connection", at_limit}, {"Cookie", "1"}, {"X-31", "2"}, {"Z", "3"}}),
            "Cookie Z ");
  EXPECT_EQ(forwarded({{"Connection", above}, {"Cookie", "1"}, {"X-31", "2"}, {"Z", "3"}}),
            "Cookie ");
}

// RFC 9110 section 7.6.3.
TEST(Via, IsAppendedAsALine) {
  FieldSection fields = section({{"Via", "1.0 first"}, {"X", "1"}});
  append_via(fields, Version::http11, "second");
  append_via(fields, Version::http10, "third");
  std::string text;
  for (const Field& field : fields)
    text.append(field.name).append(":").append(field.value).append(";");
  EXPECT_EQ(text, "Via:1.0 first;X:1;Via:1.1 second;Via:1.0 third;");
}

TEST(Via, NamesThoseItWentThrough) {
  const FieldSection fields = section({{"Via", "1.1 alpha, HTTP/2.0 beta:8080 (Comment, 1)"},
                                       {"Via", "1.0\tgamma(c)"},
                                       {"Via", "delta"}});
  for (const std::string_view name : {"alpha", "BETA:8080", "gamma"}) {
    EXPECT_TRUE(via_names(fields, name)) << name;
  }
  for (const std::string_view name : {"1.1", "beta", "alph", "alphaa", "comment", "delta", ""}) {
    EXPECT_FALSE(via_names(fields, name)) << name;
  }
  EXPECT_FALSE(via_names(section({}), "alpha"));
}

// RFC 9110 section 10.1.4.
TEST(Te, Trailers) {
  EXPECT_TRUE(accepts_trailers(section({{"TE", "trailers"}})));
  EXPECT_TRUE(accepts_trailers(section({{"TE", "gzip;q=0.5"}, {"TE", "deflate, Trailers"}})));
  EXPECT_FALSE(accepts_trailers(section({{"TE", "gzip"}})));
  EXPECT_FALSE(accepts_trailers(section({})));
}

}  // namespace
}  // namespace penstock
