// For tests: workers that use one ICAP service, on the simulated network.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "base/log.h"
#include "icap/service.h"
#include "upstream/scripted_server_test.h"

namespace penstock::icap {

// A log whose lines can be looked at.
class ReadableLog {
 public:
  ReadableLog() {
    std::string name = testing::TempDir() + "penstock_icap_XXXXXX";
    folder_ = ::mkdtemp(name.data());
    file_.emplace(folder_ + "/log");
    log_.emplace(*file_, LogLevel::info);
  }
  ~ReadableLog() {
    file_.reset();
    std::filesystem::remove_all(folder_);
  }
  ReadableLog(const ReadableLog&) = delete;
  ReadableLog& operator=(const ReadableLog&) = delete;

  [[nodiscard]] Log& log() { return *log_; }
  // The lines so far, without their time; later ones are lost.
  [[nodiscard]] std::vector<std::string> take_lines() {
    file_.reset();
    std::vector<std::string> lines;
    std::ifstream file(folder_ + "/log");
    for (std::string line; std::getline(file, line);) lines.push_back(line.substr(25));
    return lines;
  }

 private:
  std::string folder_;
  std::optional<LogFile> file_;
  std::optional<Log> log_;
};

// A worker that uses the service.
struct Worker {
  Worker(SimWorld& world, const UpstreamSettings& upstream, ServiceShare& service_share,
         GroupShare& group_share, std::uint64_t seed, Log& log)
      : network(world),
        pool(network, upstream),
        group(group_share, pool, seed),
        service(service_share, group, pool, &log),
        upkeep(world.executor()),
        world_(&world) {
    group.start(upkeep, false);
    service.start(upkeep);
  }
  ~Worker() { stop(); }
  void stop() {
    upkeep.cancel();
    pool.close_idle();
    world_->run_for({});
  }

  SimNetwork network;
  ServerPool pool;
  ServerGroup group;
  Service service;
  Scope upkeep;

 private:
  SimWorld* world_;
};

// A message as far as a service is concerned: what it offers, and a connection.
struct Message {
  explicit Message(SimWorld& of) : world(&of), scope(of.executor()) {}
  ~Message() {
    scope.cancel();
    world->run_for({});
  }
  Message(const Message&) = delete;
  Message& operator=(const Message&) = delete;

  static Task<void> run(Message& self, Service& service) {
    self.options = co_await service.options();
    self.knows = true;
    if (self.options && self.connects) {
      self.lease = co_await service.connect(self.choice, self.fresh);
    }
    self.done = true;
  }
  // Of both steps.
  [[nodiscard]] std::optional<Fault> fault() const {
    if (!options) return options.error().fault;
    if (!lease) return lease.error().fault;
    return std::nullopt;
  }
  void give_back() {
    lease->keep_used();
    lease = std::unexpected(Failure{});
  }
  void drop() { lease = std::unexpected(Failure{}); }

  SimWorld* world;
  Choice choice;
  bool fresh = false;
  bool connects = true;
  std::expected<std::shared_ptr<const Options>, Failure> options = std::unexpected(Failure{});
  std::expected<Lease, Failure> lease = std::unexpected(Failure{});
  bool knows = false;
  bool done = false;
  Scope scope;
};

inline std::string options_answer(std::string_view fields = "Preview: 1024\r\nAllow: 204\r\n") {
  return fmt::format(
      "ICAP/1.0 200 OK\r\nMethods: RESPMOD, REQMOD\r\nISTag: \"a\"\r\n{}"
      "Encapsulated: null-body=0\r\n\r\n",
      fields);
}

class ServiceTest : public testing::Test {
 protected:
  ServiceTest() {
    settings.name = "s";
    settings.url = "icap://10.0.0.1/s";
  }
  ~ServiceTest() override { workers.clear(); }

  // The shares and the first worker are made at the first use, when the settings are as the test
  // wants them.
  Worker& worker(std::size_t i = 0) {
    if (!share) {
      group_settings = group_settings_of(settings);
      group = std::make_unique<GroupShare>(group_settings);
      share = std::make_unique<ServiceShare>(settings, 1);
    }
    while (workers.size() <= i) {
      workers.push_back(
          std::make_unique<Worker>(world, upstream, *share, *group, workers.size() + 1, log.log()));
    }
    return *workers[i];
  }
  using Asked = std::unique_ptr<Message>;
  // Begins one.
  Asked ask(std::size_t of = 0, bool connects = true, bool fresh = false) {
    auto message = std::make_unique<Message>(world);
    message->connects = connects;
    message->fresh = fresh;
    message->scope.spawn(Message::run(*message, worker(of).service));
    return message;
  }
  // The same, and time for what it takes usually.
  Asked get(std::size_t of = 0, bool connects = true) {
    auto message = ask(of, connects);
    wait(std::chrono::milliseconds(20));
    EXPECT_TRUE(message->done);
    return message;
  }
  void wait(Duration time) { world.run_for(time); }
  // A server that answers every OPTIONS like that.
  std::unique_ptr<ScriptedServer> serve(const std::string& answer,
                                        std::string_view address = "10.0.0.1:1344") {
    return std::make_unique<ScriptedServer>(
        network, address,
        std::vector<ServerScript>{ServerScript(1000, {.until = "\r\n\r\n", .answer = answer})});
  }
  // How often it was asked.
  static std::size_t lookups(const ScriptedServer& server) {
    std::size_t count = 0;
    for (std::size_t i = 0; i < server.connections(); ++i) {
      const std::string& all = server.received(i);
      for (std::size_t at = 0; (at = all.find("OPTIONS ", at)) != std::string::npos; ++at) ++count;
    }
    return count;
  }

  SimWorld world{1};
  SimNetwork network{world};
  UpstreamSettings upstream;
  ServiceSettings settings;
  UpstreamGroupSettings group_settings;
  ReadableLog log;
  std::unique_ptr<GroupShare> group;
  std::unique_ptr<ServiceShare> share;
  std::vector<std::unique_ptr<Worker>> workers;
};

}  // namespace penstock::icap
