// A module that does by turns what the C++ wrapper offers; the path of the request says what.
#include <atomic>
#include <chrono>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include <poll.h>

#include "penstock/module.hpp"

namespace {

class Probe : public penstock::Instance {
 public:
  explicit Probe(const penstock::Config& config)
      : Instance(config),
        alive(metric("alive", "Transactions.")),
        name_(config.text("name")),
        timer_(*this, std::chrono::milliseconds(10), [this] { tick(); }),
        watch_(*this, 0, POLLIN, [this](short events) { ticks_.add(events); }) {
    if (name_ == "bad") config.fail("name", "it is bad");
    if (name_ == "worse") throw std::runtime_error("it is worse");
    for (const penstock::Config& table : config.tables("inner")) {
      total_ += table.integer("n") + static_cast<std::int64_t>(table.texts("list").size());
      if (table.number("share") > 1) table.fail("share", "more than all");
    }
    log(PENSTOCK_LOG_INFO, std::string(name()) + " " + std::to_string(total_) + " " +
                               std::to_string(config.duration("wait").count()) + " " +
                               std::to_string(config.size("room")) +
                               (config.boolean("on") ? " on" : " off"));
  }
  ~Probe() override { log(PENSTOCK_LOG_INFO, "closed"); }

  int before_connect(penstock::Call& call) override {
    if (call.path() == "/throw-in-instance") throw std::runtime_error("no server");
    return PENSTOCK_CONTINUE;
  }

  const penstock::Metric alive;

 private:
  void tick() const {
    ticks_.add(1);
    throw std::runtime_error("a tick");
  }
  std::string name_;
  std::int64_t total_ = 0;
  penstock::Metric ticks_ = metric("ticks", "Ticks.");
  penstock::Timer timer_;
  penstock::Watch watch_;
};

class Turn : public penstock::Transaction {
 public:
  Turn(const Probe& probe, const penstock::Call& call) : probe_(probe), path_(call.path()) {
    if (path_ == "/throw-at-once") throw std::runtime_error("at once");
    probe_.alive.add(1);
  }
  ~Turn() override { probe_.alive.add(-1); }

  int request_head(penstock::Call& call) override {
    if (path_ == "/throw") throw std::runtime_error("a failure");
    if (path_ == "/throw-int") throw 5;
    if (path_ == "/invalid") call.request().set("X", "a\r\nb");
    if (path_ == "/ask") return ask(call);
    if (path_ == "/block") return block(call);
    if (path_ == "/drop-waiter") return drop_waiter(call);
    if (path_ == "/hold") return PENSTOCK_CHANGED;
    if (path_ == "/wait-twice") return wait_twice(call);
    if (path_ == "/lists") {
      call.request().add("X-All", call.request().list("A"));
      call.request().add("X-Removed", std::to_string(call.request().remove("A")));
      call.request().add("X-Second", call.request().get("B", 1).value_or("none"));
      call.request().add("X-First", call.request()[0].name);
    }
    if (path_ == "/cookies") {
      std::string names;
      for (const penstock::Field& one : call.request().cookies()) {
        names.append(one.name).append("[").append(one.value).append("]");
      }
      call.request().set_lines("X-Line", {names, "2"});
      call.request().set_lines("A", call.request().lines("B"));
    }
    return PENSTOCK_CONTINUE;
  }
  int request_body(penstock::Call& call, std::string_view bytes) override {
    if (path_ != "/hold") return PENSTOCK_CONTINUE;
    if (held_) {
      call.write("[");
      call.emit(std::move(held_));
      call.write("]");
    }
    held_ = call.hold(0, 1);
    call.pass(1, bytes.size() - 1);
    return PENSTOCK_CHANGED;
  }
  int request_complete(penstock::Call& call) override {
    if (held_) call.drop(std::move(held_));
    return PENSTOCK_CONTINUE;
  }
  int response_head(penstock::Call& call) override {
    if (path_ == "/describe") describe(call);
    return path_ == "/collect" ? collected_.begin(call) : PENSTOCK_SKIP_CONTENT;
  }
  int response_body(penstock::Call& call, std::string_view bytes) override {
    return collected_.add(call, bytes);
  }
  int response_complete(penstock::Call& call) override {
    const std::string& content = collected_.content();
    if (content == "virus") return call.answer(403, "<p>no", "text/html");
    call.response().set("X-Length", std::to_string(content.size()));
    return collected_.end(call, content);
  }
  int logged(penstock::Call& call) override {
    call.add_record("status_seen", call.record("status"));
    return PENSTOCK_CONTINUE;
  }

 private:
  static void describe(penstock::Call& call) {
    const penstock::Fields response = call.response();
    response.set("X-Type", response.media_type() + ";");
    response.set("X-Length", std::to_string(call.described_length()));
    response.set("X-Transformable", call.is_transformable() ? "yes" : "no");
    call.vary("Accept");
  }
  int ask(penstock::Call& call) {
    if (!call.resumed()) {
      penstock::Subrequest request;
      request.url = "http://auth.example/";
      request.fields = {{"X-Client", std::string(call.client_ip())}};
      reply_ = call.ask(request);
      return PENSTOCK_WAIT;
    }
    if (reply_->status == 200) return PENSTOCK_CONTINUE;
    return call.answer(403, reply_->status == 0 ? reply_->error : reply_->content);
  }
  int block(penstock::Call& call) {
    if (!call.resumed()) {
      return call.run_blocking([result = result_] { *result = "done"; });
    }
    return call.answer(200, *result_);
  }
  static int drop_waiter(penstock::Call& call) {
    if (call.resumed()) return PENSTOCK_CONTINUE;
    const penstock::Waiter waiter = call.waiter();
    return PENSTOCK_WAIT;
  }
  int wait_twice(penstock::Call& call) {
    if (++waits_ == 3) return call.answer(200, "waited twice");
    return call.run_blocking([] { throw std::runtime_error("in work"); });
  }

  const Probe& probe_;
  const std::string path_;
  penstock::Held held_;
  penstock::Collected collected_{10};
  int waits_ = 0;
  std::shared_ptr<const penstock::Subresponse> reply_;
  std::shared_ptr<std::string> result_ = std::make_shared<std::string>();
};

constexpr penstock_setting kInner[] = {
    penstock::setting("n", PENSTOCK_SETTING_INTEGER, nullptr, "A number.", 1, 10),
    penstock::setting("share", PENSTOCK_SETTING_NUMBER, "0.5", "A share."),
    penstock::setting("list", PENSTOCK_SETTING_STRINGS, R"(["a", "b"])", "Some."),
};
constexpr penstock_setting kSettings[] = {
    penstock::setting("name", PENSTOCK_SETTING_STRING, R"("good")", "A name."),
    penstock::setting("wait", PENSTOCK_SETTING_DURATION, R"("2s")", "A time."),
    penstock::setting("room", PENSTOCK_SETTING_SIZE, R"("64KiB")", "A size."),
    penstock::setting("on", PENSTOCK_SETTING_BOOLEAN, "true", "A switch."),
    penstock::setting_tables("inner", "[]", "Tables.", kInner),
};
constexpr penstock_module kModule =
    penstock::module<Probe, Turn>("wrapper_probe", "1.0", "Does things by turns.", kSettings);
static_assert(kModule.load == nullptr && kModule.unload == nullptr);
static_assert(kModule.cache_lookup == nullptr && kModule.answer_body == nullptr);
static_assert(kModule.connection == nullptr && kModule.connection_free == nullptr);
static_assert(kModule.before_connect != nullptr && kModule.logged != nullptr);
static_assert(kModule.setting_count == 5 && kModule.timer == nullptr);

}  // namespace

PENSTOCK_MODULE(kModule);
