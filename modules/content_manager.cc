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
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "penstock/module.hpp"

namespace {

class Manager : public penstock::Instance {
 public:
  explicit Manager(const penstock::Config& config)
      : Instance(config), prefix(config.text("prefix")) {
    if (prefix.empty() || prefix.front() != '/' || prefix.back() != '/') {
      config.fail("prefix", "it begins and ends with \"/\"");
    }
    for (const std::string& text : config.texts("allow")) {
      const std::optional<penstock::Network> network = penstock::Network::parse(text);
      if (!network) config.fail("allow", text + " is no network");
      networks_.push_back(*network);
    }
  }

  bool allows(std::string_view client) const {
    return std::any_of(networks_.begin(), networks_.end(),
                       [&](const penstock::Network& network) { return network.has(client); });
  }

  const std::string prefix;

 private:
  std::vector<penstock::Network> networks_;
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
    if (!penstock::starts_with(path, manager_.prefix)) return PENSTOCK_DONE;
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
    const std::vector<std::string> urls =
        penstock::query_values(query, name == "list" ? "prefix" : "url");
    if (urls.empty() && name != "list") return failure(call, 400, "url is missing");
    return reads ? read(call, name == "list", urls.empty() ? "" : urls[0],
                        penstock::query_values(query, "limit"))
                 : change(call, name, urls);
  }

 private:
  static int answer(penstock::Call& call, int status, const std::string& json) {
    const int result = call.answer(status, json + "\n", "application/json");
    call.answer_fields().set("Cache-Control", "no-store");
    return result;
  }
  static int failure(penstock::Call& call, int status, const std::string& why) {
    return answer(call, status, "{\"error\": " + penstock::json_string(why) + "}");
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
            .append("{\"url\": " + penstock::json_string(penstock::view(object.url)))
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
          .append("{\"url\": " + penstock::json_string(url) + ", \"result\": ")
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
