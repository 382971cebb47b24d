// Wherever clients say they want to go, redirections lead to the host that the configuration meant,
// or to a path of the same one, and hold nothing that ends a line.
//
// The first byte chooses where to, the rest is the URL.
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "adapt/url_rules.h"
#include "base/check.h"

namespace {

using namespace penstock;

// What the location begins with, where it is not a path.
struct Way {
  std::string_view pattern, to, begins;
};
constexpr std::array kWays{
    Way{.pattern = "(?s)^(.*)$",
        .to = R"(https://good.example\1)",
        .begins = "https://good.example"},
    Way{.pattern = "(?s)^(.*?)/(.*)$",
        .to = R"(https://good.example\2\1)",
        .begins = "https://good.example"},
    Way{.pattern = "(?s)^(.*)$",
        .to = R"(https://good.example\1/x)",
        .begins = "https://good.example"},
    Way{.pattern = "(?s)^(.*)$",
        .to = R"(https://good.example\1?x)",
        .begins = "https://good.example"},
    Way{.pattern = "",
        .to = "https://good.example${path_and_query}",
        .begins = "https://good.example"},
    Way{.pattern = "", .to = "https://good.example${query}", .begins = "https://good.example"},
    Way{.pattern = "(?s)^(.*)$", .to = R"(/\1)", .begins = {}},
    Way{.pattern = "(?s)^(.*)$", .to = R"(\1)", .begins = {}},
    Way{.pattern = "", .to = "/${query}", .begins = {}},
};

bool is_plain(char c) { return c > ' ' && c < 0x7f && c != '\\' && c != '"' && c != '<'; }

void check_location(const Way& way, std::string_view location) {
  PENSTOCK_CHECK(std::ranges::all_of(location, is_plain));
  if (way.begins.empty()) {
    PENSTOCK_CHECK(location.starts_with('/') && !location.starts_with("//"));
    return;
  }
  PENSTOCK_CHECK(location.starts_with(way.begins));
  const std::string_view rest = location.substr(way.begins.size());
  PENSTOCK_CHECK(rest.empty() || rest[0] == '/' || rest[0] == '?' || rest[0] == '#');
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const Way& way = kWays[data[0] % kWays.size()];
  const std::string_view url(reinterpret_cast<const char*>(data) + 1, size - 1);
  const ClientInfo client;
  RequestHead head;
  head.target.path_and_query = url;
  UrlMatch match;
  if (!way.pattern.empty()) {
    const auto found = UrlPattern(way.pattern).find(url);
    if (!found) return 0;
    match = *found;
  }
  const VariableContext context{.client = client, .head = &head, .host = "asked.example"};
  const auto location = LocationTemplate(way.to).fill(match, context);
  if (location) check_location(way, *location);
  return 0;
}
