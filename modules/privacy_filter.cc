// privacy_filter: takes out of requests and responses what tells too much of the client.
//
//   [module.privacy]
//   file = "build/release/modules/privacy_filter.so"
//   config = { cookies = ["_ga*", "_fbp"], referer = "origin", user_agent = "Mozilla/5.0" }
//
//   [[filter]]
//   module = "privacy"
//
// Keys of config:
//   cookies          names of cookies that are dropped both ways, "*" for any text
//   referer          "keep" (default), "origin": nothing but scheme and host stays, "remove"
//   user_agent       stands in for every client's; "" (default): the client's own
//   request_remove   further fields that requests, and
//   response_remove  responses do not have; not those that the proxy writes itself, such as Host
//
// Tunnels (CONNECT) show only the request for the tunnel itself.
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "penstock/module.hpp"

namespace {

using View = std::string_view;

class Privacy : public penstock::Instance {
 public:
  explicit Privacy(const penstock::Config& config)
      : Instance(config),
        cookies_(config.texts("cookies")),
        referer_(config.text("referer")),
        user_agent_(config.text("user_agent")),
        request_remove_(fields_of(config, "request_remove")),
        response_remove_(fields_of(config, "response_remove")) {
    if (referer_ != "keep" && referer_ != "origin" && referer_ != "remove") {
      config.fail("referer", R"(it is "keep", "origin" or "remove")");
    }
  }

  int request_head(penstock::Call& call) override {
    const penstock::Fields request = call.request();
    for (const std::string& name : request_remove_) request.remove(name);
    if (referer_ == "remove") request.remove("Referer");
    if (referer_ == "origin") cut_referer(request);
    if (!user_agent_.empty()) request.set("User-Agent", user_agent_);
    rewrite(request, "Cookie", [&](const std::string& line) { return kept_of(line); });
    return PENSTOCK_CONTINUE;
  }

  int response_head(penstock::Call& call) override {
    const penstock::Fields response = call.response();
    for (const std::string& name : response_remove_) response.remove(name);
    rewrite(response, "Set-Cookie",
            [&](const std::string& line) { return is_dropped(line) ? "" : line; });
    return PENSTOCK_CONTINUE;
  }

 private:
  // A list of fields that can be removed.
  static std::vector<std::string> fields_of(const penstock::Config& config, const char* setting) {
    std::vector<std::string> names = config.texts(setting);
    for (const std::string& name : names) {
      if (!penstock::is_field_of_proxy(name)) continue;
      config.fail(setting, name + " is written by the proxy itself, and stays");
    }
    return names;
  }

  // Leaves "https://host/" of the Referer, without user information; and none that has no host.
  static void cut_referer(const penstock::Fields& request) {
    const std::string whole(request.get("Referer").value_or(""));
    if (const std::optional<penstock::Url> url = penstock::split_url(whole)) {
      request.set("Referer", std::string(url->scheme) + "://" + std::string(url->authority) + "/");
    } else {
      request.remove("Referer");
    }
  }

  // Whether "name=value" or "name=value; Path=/" is to be dropped.
  bool is_dropped(View cookie) const {
    return penstock::matches_any(cookies_, cookie.substr(0, cookie.find_first_of("=;")));
  }

  // The cookies of a Cookie line that may stay; the line as it is where all may.
  std::string kept_of(const std::string& line) const {
    std::string kept;
    bool dropped = false;
    for (const View cookie : penstock::split(line, ';')) {
      if (is_dropped(cookie)) {
        dropped = true;
      } else {
        kept.append(kept.empty() ? "" : "; ").append(cookie);
      }
    }
    return dropped ? kept : line;
  }

  // Replaces each line of that name by what f makes of it; nothing: it goes.
  template <class F>
  static void rewrite(const penstock::Fields& fields, View name, const F& f) {
    const std::vector<std::string> lines = fields.lines(name);
    std::vector<std::string> kept;
    for (const std::string& line : lines) {
      const std::string now = f(line);
      if (!now.empty()) kept.push_back(now);
    }
    if (kept != lines) fields.set_lines(name, kept);
  }

  const std::vector<std::string> cookies_;
  const std::string referer_;
  const std::string user_agent_;
  const std::vector<std::string> request_remove_;
  const std::vector<std::string> response_remove_;
};

constexpr penstock_setting kSettings[] = {
    penstock::setting("cookies", PENSTOCK_SETTING_STRINGS, "[]",
                      "Cookies that are dropped both ways."),
    penstock::setting("referer", PENSTOCK_SETTING_STRING, R"("keep")",
                      R"("keep", "origin" or "remove".)"),
    penstock::setting("user_agent", PENSTOCK_SETTING_STRING, R"("")",
                      "Stands in for every client's."),
    penstock::setting("request_remove", PENSTOCK_SETTING_STRINGS, "[]",
                      "Fields that requests do not have."),
    penstock::setting("response_remove", PENSTOCK_SETTING_STRINGS, "[]",
                      "Fields that responses do not have."),
};
constexpr penstock_module kModule = penstock::module<Privacy>(
    "privacy_filter", "1.0", "Takes out of messages what tells too much of the client.", kSettings);

}  // namespace

PENSTOCK_MODULE(kModule);
