// server_selector: chooses where requests go by what they say: canary releases, A/B tests, shards.
//
//   [module.canary]
//   file = "build/release/modules/server_selector.so"
//   [module.canary.config]
//   key = "header:X-Group"          # "cookie:NAME", "header:NAME", "path" or "client"
//   cookie = "release"
//   [[module.canary.config.choice]]
//   name = "beta"
//   values = ["beta", "test-*"]     # of the key: these come here
//   share = 5                       # and so do 5 in a hundred of all others
//   upstream = "app-beta"
//
//   [[filter]]
//   module = "canary"
//
// Keys of config:
//   key     what tells clients or requests apart; "client" is the client's address
//   cookie  name of a cookie by which a client stays with what was chosen for it; "": none, the
//           choice is then made anew for each request, from its key alone
//   choice  tables of: name (letters, digits, "-"), values (patterns, "*" for any text),
//           share (percent), and where it leads: upstream (a group), server (of the group), or
//           address ("192.0.2.1:80", in place of those of the target)
//
// A choice named by the cookie comes first, then one with a fitting value, then the shares: the
// same key gets the same choice; requests without the key draw one, which is what the cookie is
// good for. What no choice wants goes where its route leads. The choice is in the access log, as
// "choice".
#include <algorithm>
#include <cstdint>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "penstock/module.hpp"

namespace {

struct Choice {
  std::string name;
  std::vector<std::string> values;
  double share;
  std::string upstream, server, address;
};

// The value of a cookie; empty where there is none.
std::string cookie(const penstock::Call& call, const std::string& name) {
  if (name.empty()) return {};
  for (const penstock::Field& one : call.request().cookies()) {
    if (one.name == name) return std::string(one.value);
  }
  return {};
}

// A number from 0 to below 100 that looks drawn, the same for the same text.
double hundredth(std::string_view text) {
  std::uint64_t hash = 14695981039346656037ULL;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211ULL;
  hash = (hash ^ (hash >> 33)) * 0xff51afd7ed558ccdULL;
  return static_cast<double>((hash >> 32) % 1'000'000) / 10'000;
}

class Selector : public penstock::Instance {
 public:
  explicit Selector(const penstock::Config& config)
      : Instance(config), cookie_name(config.text("cookie")), key_(config.text("key")) {
    const std::size_t colon = std::min(key_.find(':'), key_.size());
    kind_ = key_.substr(0, colon);
    key_.erase(0, std::min(colon + 1, key_.size()));
    const bool is_named = kind_ == "header" || kind_ == "cookie";
    if (is_named ? key_.empty() : (kind_ != "path" && kind_ != "client")) {
      config.fail("key", R"(it is "cookie:NAME", "header:NAME", "path" or "client")");
    }
    double shares = 0;
    for (const penstock::Config& table : config.tables("choice")) {
      choices_.push_back({table.text("name"), table.texts("values"), table.number("share"),
                          table.text("upstream"), table.text("server"), table.text("address")});
      const Choice& choice = choices_.back();
      const bool is_name = std::all_of(choice.name.begin(), choice.name.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               c == '-';
      });
      if (!is_name || choice.name.empty()) table.fail("name", "letters, digits and \"-\"");
      shares += choice.share;
      if (shares > 100.000001) table.fail("share", "the shares are more than 100 together");
      if (choice.upstream.empty() && choice.server.empty() && choice.address.empty()) {
        table.fail("upstream", "one of upstream, server and address must be given");
      }
    }
  }

  // Null: none. `drawn`: by chance, so that it ought to be remembered.
  const Choice* choose(const penstock::Call& call, bool& drawn) const {
    const std::string kept = cookie(call, cookie_name);
    for (const Choice& choice : choices_) {
      if (choice.name == kept) return &choice;
    }
    const std::string value = value_of(call);
    for (const Choice& choice : choices_) {
      if (penstock::matches_any(choice.values, value)) return &choice;
    }
    if (kept == kNone) return nullptr;
    drawn = value.empty();
    thread_local std::minstd_rand random{std::random_device{}()};
    double point = drawn ? std::uniform_real_distribution<double>(0, 100)(random)
                         : hundredth(std::string(name()) + '\0' + value);
    for (const Choice& choice : choices_) {
      if (point < choice.share) return &choice;
      point -= choice.share;
    }
    return nullptr;
  }

  static constexpr std::string_view kNone = "-";  // in the cookie
  const std::string cookie_name;

 private:
  std::string value_of(const penstock::Call& call) const {
    if (kind_ == "cookie") return cookie(call, key_);
    if (kind_ == "header") return call.request().list(key_);
    return std::string(kind_ == "path" ? call.path() : call.client_ip());
  }

  std::string key_;
  std::string kind_;
  std::vector<Choice> choices_;
};

class Selection : public penstock::Transaction {
 public:
  explicit Selection(const Selector& selector) : selector_(selector) {}

  int request_head(penstock::Call& call) override {
    choice_ = selector_.choose(call, drawn_);
    if (choice_ != nullptr) call.add_record("choice", choice_->name);
    return PENSTOCK_CONTINUE;
  }

  int before_connect(penstock::Call& call) override {
    if (choice_ == nullptr) return PENSTOCK_CONTINUE;
    if (!choice_->upstream.empty()) call.set_text(PENSTOCK_UPSTREAM, choice_->upstream);
    if (!choice_->server.empty()) call.set_text(PENSTOCK_SERVER, choice_->server);
    if (!choice_->address.empty()) call.set_addresses({choice_->address});
    return PENSTOCK_CONTINUE;
  }

  int response_head(penstock::Call& call) override {
    if (drawn_ && !selector_.cookie_name.empty()) {
      const std::string_view name = choice_ != nullptr ? choice_->name : Selector::kNone;
      const bool secure = call.text(PENSTOCK_SCHEME) == "https";
      call.response().add("Set-Cookie", selector_.cookie_name + "=" + std::string(name) +
                                            "; Path=/; HttpOnly; SameSite=Lax" +
                                            (secure ? "; Secure" : ""));
    }
    return PENSTOCK_CONTINUE;
  }

 private:
  const Selector& selector_;
  const Choice* choice_ = nullptr;
  bool drawn_ = false;
};

constexpr penstock_setting kChoice[] = {
    penstock::setting("name", PENSTOCK_SETTING_STRING, nullptr, "In the cookie and the log."),
    penstock::setting("values", PENSTOCK_SETTING_STRINGS, "[]", "Of the key: these come here."),
    penstock::setting("share", PENSTOCK_SETTING_NUMBER, "0.0", "Of all others, in percent.", 0,
                      100),
    penstock::setting("upstream", PENSTOCK_SETTING_STRING, R"("")", "A group of servers."),
    penstock::setting("server", PENSTOCK_SETTING_STRING, R"("")", "A server of the group."),
    penstock::setting("address", PENSTOCK_SETTING_STRING, R"("")", "In place of the target's."),
};
constexpr penstock_setting kSettings[] = {
    penstock::setting("key", PENSTOCK_SETTING_STRING, R"("client")", "What tells clients apart."),
    penstock::setting("cookie", PENSTOCK_SETTING_STRING, R"("")", "Keeps what was chosen."),
    penstock::setting_tables("choice", "[]", "What there is to choose from.", kChoice),
};
constexpr penstock_module kModule = penstock::module<Selector, Selection>(
    "server_selector", "1.0", "Chooses where requests go by what they say.", kSettings);

}  // namespace

PENSTOCK_MODULE(kModule);
