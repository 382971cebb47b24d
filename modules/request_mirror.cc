// request_mirror: sends a copy of requests to another server, and does not care what that answers.
//
//   [module.mirror]
//   file = "build/release/modules/request_mirror.so"
//   config = { url = "http://shadow.example.com:8080", share = 10 }
//
//   [[filter]]
//   module = "mirror"
//   path = "/api/"
//   on_failure = "open"
//
// Keys of config:
//   url      of the other server, path and query of each request are put behind it
//   share    of the requests, in percent; 100
//   most     requests with more content are not copied; "64KiB"
//   pending  so many copies may be under way, more requests are not copied; 100
//   timeout  of a copy; "10s"
//   remove   fields that copies do not have; ["Authorization", "Cookie"]
//
// The client never waits for the copy, which is sent when the request is complete. Copies have
// X-Mirrored: 1 and the Host asked for in X-Forwarded-Host, and no fields that the client has named
// in Connection, as these are for the proxy only. CONNECT, "*" and requests of more than
// `most` are not copied. What became of copies is counted: mirrored_total, mirror_failed_total (no
// response), mirror_skipped_total (too large, or too many under way).
#include <atomic>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "penstock/module.hpp"

namespace {

class Mirror : public penstock::Instance {
 public:
  explicit Mirror(const penstock::Config& config)
      : Instance(config),
        most(config.integer("most")),
        skipped(metric("mirror_skipped_total", "Requests that were not copied.")),
        url_(config.text("url")),
        share_(config.number("share")),
        most_pending_(static_cast<int>(config.integer("pending"))),
        timeout_(config.duration("timeout")),
        remove_(config.texts("remove")),
        mirrored_(metric("mirrored_total", "Copies that were answered.")),
        failed_(metric("mirror_failed_total", "Copies that were not answered.")) {
    if (!penstock::starts_with(url_, "http://") && !penstock::starts_with(url_, "https://")) {
      config.fail("url", "it begins with http:// or https://");
    }
    if (!penstock::split_url(url_)) config.fail("url", "it lacks a host");
    if (url_.back() == '/') url_.pop_back();
  }

  bool is_chosen() const {
    thread_local std::minstd_rand random{std::random_device{}()};
    return std::uniform_real_distribution<double>(0, 100)(random) < share_;
  }

  // The copy, without content.
  penstock::Subrequest copy(const penstock::Call& call) const {
    penstock::Subrequest out;
    out.method = call.method();
    out.url = url_ + std::string(call.path());
    out.timeout = timeout_;
    const penstock::Fields fields = call.request();
    const std::string named = fields.list("Connection");
    for (std::size_t i = 0; i < fields.size(); ++i) {
      const auto [name, value] = fields[i];
      // Those of the connection, and those that the copy gets anew, stay here.
      const bool stays = penstock::is_field_of_proxy(name) || penstock::same(name, "Expect") ||
                         penstock::has_element(named, name) || penstock::is_one_of(remove_, name);
      if (!stays) out.fields.emplace_back(name, value);
    }
    out.fields.emplace_back("X-Forwarded-Host", call.host());
    out.fields.emplace_back("X-Mirrored", "1");
    return out;
  }

  void send(const penstock::Subrequest& request) {
    if (pending_.fetch_add(1) < most_pending_ &&
        subrequest(request, [this](const penstock::Subresponse& response) {
          (response.status != 0 ? mirrored_ : failed_).add();
          pending_.fetch_sub(1);
        }) == PENSTOCK_OK) {
      return;
    }
    pending_.fetch_sub(1);
    skipped.add();
  }

  const std::int64_t most;
  const penstock::Metric skipped;

 private:
  std::string url_;
  const double share_;
  const int most_pending_;
  const std::chrono::milliseconds timeout_;
  const std::vector<std::string> remove_;
  const penstock::Metric mirrored_;
  const penstock::Metric failed_;
  std::atomic<int> pending_{0};
};

class Copy : public penstock::Transaction {
 public:
  explicit Copy(Mirror& mirror) : mirror_(mirror) {}

  int request_head(penstock::Call& call) override {
    if (call.path().substr(0, 1) != "/" || call.method() == "CONNECT" || !mirror_.is_chosen()) {
      return PENSTOCK_DONE;
    }
    const std::int64_t length = call.number(PENSTOCK_REQUEST_LENGTH);
    if (length > mirror_.most) return skip();
    copy_ = mirror_.copy(call);
    return PENSTOCK_CONTINUE;
  }

  int request_body(penstock::Call& /*call*/, std::string_view piece) override {
    copy_.content += piece;
    return static_cast<std::int64_t>(copy_.content.size()) > mirror_.most ? skip()
                                                                          : PENSTOCK_CONTINUE;
  }

  int request_complete(penstock::Call& /*call*/) override {
    mirror_.send(copy_);
    return PENSTOCK_DONE;
  }

 private:
  int skip() const {
    mirror_.skipped.add();
    return PENSTOCK_DONE;
  }

  Mirror& mirror_;
  penstock::Subrequest copy_;
};

constexpr penstock_setting kSettings[] = {
    penstock::setting("url", PENSTOCK_SETTING_STRING, nullptr, "Of the other server."),
    penstock::setting("share", PENSTOCK_SETTING_NUMBER, "100.0", "Of the requests, in percent.", 0,
                      100),
    penstock::setting("most", PENSTOCK_SETTING_SIZE, R"("64KiB")",
                      "Requests with more content are not copied.", 0, 16.0 * 1024 * 1024),
    penstock::setting("pending", PENSTOCK_SETTING_INTEGER, "100", "Copies under way.", 1, 10000),
    penstock::setting("timeout", PENSTOCK_SETTING_DURATION, R"("10s")", "Of a copy."),
    penstock::setting("remove", PENSTOCK_SETTING_STRINGS, R"(["Authorization", "Cookie"])",
                      "Fields that copies do not have."),
};
constexpr penstock_module kModule = penstock::module<Mirror, Copy>(
    "request_mirror", "1.0", "Sends copies of requests to another server.", kSettings);

}  // namespace

PENSTOCK_MODULE(kModule);
