// content_manager: an HTTP interface to the cache: list, look at, preload, expire and purge
// objects.
//
//   [module.manager]
//   file = "build/release/modules/content_manager.so"
//   config = { prefix = "/penstock-cache/", allow = ["127.0.0.0/8", "10.1.0.0/16"] }
//
//   [[filter]]
//   module = "manager"
//   host = "proxy.example.com"   # else it answers below that prefix on all hosts
//
//   GET  /penstock-cache/list?prefix=http://www.example.com/&limit=10
//   GET  /penstock-cache/object?url=http://www.example.com/
//   POST /penstock-cache/preload?url=http://www.example.com/a&url=http://www.example.com/b
//   POST /penstock-cache/expire?url=...   makes objects stale
//   POST /penstock-cache/purge?url=...    removes them
//
// Keys of config:
//   prefix  of the paths; "/penstock-cache/"
//   allow   networks of the clients that may ask; ["127.0.0.0/8", "::1/128"]; others get 403
//
// Answers are JSON; without a cache 501. A list has at most 1000 objects. Requests that come from
// pages of other sites (with Origin) are refused: a browser in an allowed network must not be made
// to purge.
#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <arpa/inet.h>
#include <netinet/in.h>

#include "penstock/module.hpp"

namespace {

std::string quoted(std::string_view text) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte < 0x7f && c != '"' && c != '\\') {
      out += c;
    } else {
      out.append("\\u00").append(1, kDigits[byte >> 4]).append(1, kDigits[byte & 15]);
    }
  }
  return out + "\"";
}

std::string decoded(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const std::string digits(text.substr(i + 1 <= text.size() ? i + 1 : i, 2));
    char* end = nullptr;
    const long byte = std::strtol(digits.c_str(), &end, 16);
    const bool is_code = text[i] == '%' && end == digits.c_str() + 2;
    out += is_code ? static_cast<char>(byte) : text[i];
    if (is_code) i += 2;
  }
  return out;
}

// The values of that name in a query.
std::vector<std::string> values(std::string_view query, std::string_view name) {
  std::vector<std::string> out;
  while (!query.empty()) {
    const std::string_view pair = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(pair.size() + 1, query.size()));
    if (pair.substr(0, pair.find('=')) == name && pair.size() > name.size()) {
      out.push_back(decoded(pair.substr(name.size() + 1)));
    }
  }
  return out;
}

struct Network {
  std::array<unsigned char, 16> bytes{};  // IPv4 as ::ffff:0:0/96
  unsigned length = 0;

  bool has(const std::array<unsigned char, 16>& address) const {
    for (unsigned bit = 0; bit < length; ++bit) {
      const unsigned mask = 0x80U >> (bit % 8);
      if (((bytes[bit / 8] ^ address[bit / 8]) & mask) != 0) return false;
    }
    return true;
  }
};

// The address as one of IPv6; false where it is none.
bool parse(const std::string& text, Network& out) {
  const std::string address = text.substr(0, text.find('/'));
  const bool is_v4 = address.find(':') == std::string::npos;
  const std::string v6 = is_v4 ? "::ffff:" + address : address;
  if (inet_pton(AF_INET6, v6.c_str(), out.bytes.data()) != 1) return false;
  const std::string bits =
      address.size() < text.size() ? text.substr(address.size() + 1) : (is_v4 ? "32" : "128");
  const bool digits =
      !bits.empty() && bits.size() < 4 && bits.find_first_not_of("0123456789") == std::string::npos;
  out.length = (is_v4 ? 96U : 0U) + static_cast<unsigned>(std::atoi(bits.c_str()));
  return digits && out.length <= 128;
}

class Manager : public penstock::Instance {
 public:
  explicit Manager(const penstock::Config& config)
      : Instance(config), prefix(config.text("prefix")) {
    if (prefix.empty() || prefix.front() != '/' || prefix.back() != '/') {
      config.fail("prefix", "it begins and ends with \"/\"");
    }
    for (const std::string& text : config.texts("allow")) {
      Network network;
      if (!parse(text, network)) config.fail("allow", text + " is no network");
      networks_.push_back(network);
    }
  }

  bool allows(std::string_view client) const {
    Network address;
    return parse(std::string(client), address) &&
           std::any_of(networks_.begin(), networks_.end(),
                       [&](const Network& network) { return network.has(address.bytes); });
  }

  const std::string prefix;

 private:
  std::vector<Network> networks_;
};

// What an answer is made of; the cache adds to it, from whichever thread.
struct Report {
  std::string json;
  std::size_t count = 0;
};

class Request : public penstock::Transaction {
 public:
  explicit Request(const Manager& manager) : manager_(manager) {}

  int request_head(penstock::Call& call) override {
    const std::string path(call.path());
    if (path.compare(0, manager_.prefix.size(), manager_.prefix) != 0) return PENSTOCK_DONE;
    if (call.resumed()) return answer(call, 200, report_->json + "]}");
    if (!manager_.allows(call.client_ip())) return failure(call, 403, "this client may not ask");
    if (call.request().has("Origin")) return failure(call, 403, "asked by a page of another site");

    const std::string_view rest = std::string_view(path).substr(manager_.prefix.size());
    const std::string_view name = rest.substr(0, rest.find('?'));
    const std::string_view query = rest.substr(std::min(name.size() + 1, rest.size()));
    const bool reads = name == "list" || name == "object";
    if (!reads && name != "preload" && name != "expire" && name != "purge") {
      return failure(call, 404, "there are list, object, preload, expire and purge");
    }
    if (call.method() != (reads ? "GET" : "POST")) {
      const int result = failure(call, 405, "the method is " + std::string(reads ? "GET" : "POST"));
      call.answer_fields().set("Allow", reads ? "GET" : "POST");
      return result;
    }
    const std::vector<std::string> urls = values(query, name == "list" ? "prefix" : "url");
    if (urls.empty() && name != "list") return failure(call, 400, "url is missing");
    return reads ? read(call, name == "list", urls.empty() ? "" : urls[0], values(query, "limit"))
                 : change(call, name, urls);
  }

 private:
  static int answer(penstock::Call& call, int status, const std::string& json) {
    const int result = call.answer(status, json + "\n", "application/json");
    call.answer_fields().set("Cache-Control", "no-store");
    return result;
  }
  static int failure(penstock::Call& call, int status, const std::string& why) {
    return answer(call, status, "{\"error\": " + quoted(why) + "}");
  }
  static int no_cache(penstock::Call& call) {
    return failure(call, 501, "this proxy has no cache");
  }

  // Asks the cache for one object, or for all with that prefix.
  int read(penstock::Call& call, bool many, const std::string& url,
           const std::vector<std::string>& limits) {
    const std::size_t wanted = limits.empty() ? 1000 : std::strtoul(limits[0].c_str(), nullptr, 10);
    const std::size_t limit = std::min<std::size_t>(wanted, 1000);
    report_ = std::make_shared<Report>(Report{"{\"objects\": [", 0});
    const auto waiter = std::make_shared<penstock::Waiter>(call.waiter());
    const auto add = [report = report_, waiter, limit, many](const penstock_cache_object& object) {
      if (object.result == PENSTOCK_OK && report->count < limit) {
        report->json.append(report->count++ == 0 ? "" : ", ")
            .append("{\"url\": " + quoted(penstock::view(object.url)))
            .append(", \"status\": " + std::to_string(object.status))
            .append(", \"age\": " + std::to_string(object.age_s))
            .append(", \"fresh\": " + std::to_string(object.fresh_s))
            .append(", \"size\": " + std::to_string(object.content_size) + "}");
      }
      if (!many || object.result != PENSTOCK_OK) waiter->resume();
    };
    const int code = many ? manager_.cache_enumerate(url, add) : manager_.cache_query(url, add);
    if (code == PENSTOCK_NO_CACHE) return no_cache(call);
    return code < 0 ? failure(call, 503, "the cache is busy") : PENSTOCK_WAIT;
  }

  int change(penstock::Call& call, std::string_view name, const std::vector<std::string>& urls) {
    std::string json = "{\"results\": [";
    for (const std::string& url : urls) {
      const int code = name == "preload"  ? manager_.cache_prefetch(url)
                       : name == "expire" ? manager_.cache_expire(url)
                                          : manager_.cache_remove(url);
      if (code == PENSTOCK_NO_CACHE) return no_cache(call);
      json.append(json.back() == '[' ? "" : ", ")
          .append("{\"url\": " + quoted(url) + ", \"result\": ")
          .append(code == PENSTOCK_OK          ? "\"done\"}"
                  : code == PENSTOCK_NOT_FOUND ? "\"not_found\"}"
                                               : "\"failed\"}");
    }
    return answer(call, 200, json + "]}");
  }

  const Manager& manager_;
  std::shared_ptr<Report> report_;
};

constexpr penstock_setting kSettings[] = {
    penstock::setting("prefix", PENSTOCK_SETTING_STRING, R"("/penstock-cache/")",
                      "Of the paths that are answered."),
    penstock::setting("allow", PENSTOCK_SETTING_STRINGS, R"(["127.0.0.0/8", "::1/128"])",
                      "Networks of the clients that may ask."),
};
constexpr penstock_module kModule = penstock::module<Manager, Request>(
    "content_manager", "1.0", "An HTTP interface to the cache.", kSettings);

}  // namespace

PENSTOCK_MODULE(kModule);
