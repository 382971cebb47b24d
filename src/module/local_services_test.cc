#include "module/local_services.h"

#include <array>
#include <atomic>
#include <future>
#include <map>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>

#include "module/local_test.h"
#include "net/loop_test.h"
#include "penstock/module.h"

namespace penstock {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// Keeps what is begun until the test ends it.
class FakeRunner final : public SubrequestRunner {
 public:
  struct Begun {
    const void* owner;
    SubrequestJob job;
    Done done;
  };
  void start(const void* owner, SubrequestJob job, Done done) override {
    begun.push_back({owner, std::move(job), std::move(done)});
  }
  void cancel(const void* owner) override { cancelled.push_back(owner); }

  std::vector<Begun> begun;
  std::vector<const void*> cancelled;
};

class LocalServicesTest : public testing::Test {
 protected:
  LocalServicesTest() { share->loop.attach(worker.worker(&runner)); }
  ~LocalServicesTest() override {
    services.reset();
    share->loop.detach();
  }
  std::function<void()> noting(const std::string& what) {
    return [this, what] { called.push_back(what); };
  }
  std::vector<std::string> take_called() { return std::exchange(called, {}); }
  static SubrequestJob job(const std::string& url) {
    SubrequestJob made;
    made.url = url;
    return made;
  }

  TestLog log;
  FakeRunner runner;
  VirtualWorker worker;
  std::optional<LocalShare> share{std::in_place, log.log()};
  std::optional<LocalServices> services{std::in_place, *share, "filter", nullptr};
  std::vector<std::string> called;
  const std::thread::id test_thread = std::this_thread::get_id();
};

TEST_F(LocalServicesTest, Timers) {
  const auto id = services->start_timer(10, noting("10"));
  EXPECT_NE(id, 0U);
  EXPECT_EQ(services->start_timer(0, noting("never")), 0U);
  EXPECT_NE(services->start_timer(UINT64_MAX, noting("never")), 0U);
  worker.advance(milliseconds(25));
  EXPECT_THAT(take_called(), ElementsAre("10", "10"));
  services->stop_timer(id);
  worker.advance(milliseconds(25));
  EXPECT_THAT(take_called(), IsEmpty());
}

TEST_F(LocalServicesTest, AtMost1024Timers) {
  std::uint64_t last = 0;
  for (std::size_t i = 0; i < LocalServices::kMaxTimers; ++i) {
    last = services->start_timer(1000, [] {});
    ASSERT_NE(last, 0U);
  }
  EXPECT_EQ(services->start_timer(1000, [] {}), 0U);
  services->stop_timer(last);
  EXPECT_NE(services->start_timer(1000, [] {}), 0U);
}

TEST_F(LocalServicesTest, ATimerOfAnotherInstanceIsNotStopped) {
  LocalServices other(*share, "other", nullptr);
  const auto id = services->start_timer(10, noting("10"));
  other.stop_timer(id);
  worker.advance(milliseconds(10));
  EXPECT_THAT(take_called(), ElementsAre("10"));
}

TEST_F(LocalServicesTest, Watches) {
  RawConnection pair = make_unix_connection();
  const auto id = services->start_watch(
      pair.ours.get(), POLLIN, [this](short events) { called.push_back(std::to_string(events)); });
  worker.turn();
  EXPECT_THAT(take_called(), IsEmpty());
  pair.peer.send("x");
  worker.turn();
  worker.turn();
  EXPECT_THAT(take_called(), ElementsAre("1", "1"));
  services->stop_watch(id);
  worker.turn();
  EXPECT_THAT(take_called(), IsEmpty());
}

TEST_F(LocalServicesTest, BlockingWorkIsDoneOnThreadsAndItsEndIsToldOnTheWorkers) {
  std::thread::id worked;
  std::thread::id told;
  ASSERT_TRUE(services->run_blocking([&] { worked = std::this_thread::get_id(); },
                                     [&] { told = std::this_thread::get_id(); }));
  std::atomic<bool> quiet = false;
  ASSERT_TRUE(services->run_blocking([&] { quiet = true; }, {}));
  worker.run_until([&] { return told != std::thread::id() && quiet; });
  EXPECT_EQ(told, std::this_thread::get_id());
  EXPECT_NE(worked, told);
}

TEST_F(LocalServicesTest, TheEndWaitsForBlockingWorkAndTellsOfItOnce) {
  std::promise<void> begun;
  std::atomic<bool> worked = false;
  ASSERT_TRUE(services->run_blocking(
      [&] {
        begun.set_value();
        worked = true;
      },
      noting("done")));
  begun.get_future().wait();
  services->stop();
  EXPECT_TRUE(worked);
  worker.turn();
  services.reset();
  EXPECT_THAT(take_called(), ElementsAre("done"));
}

TEST_F(LocalServicesTest, WorkThatHasNotBegunAtTheEndIsLeftOut) {
  std::promise<void> go;
  std::shared_future<void> may_go = go.get_future().share();
  LocalServices other(*share, "other", nullptr);
  for (std::size_t i = 0; i < BlockingPool::kMaxThreads; ++i) {
    ASSERT_TRUE(other.run_blocking([may_go] { may_go.wait(); }, {}));
  }
  bool worked = false;
  ASSERT_TRUE(services->run_blocking([&] { worked = true; }, noting("done")));
  services->stop();
  go.set_value();
  EXPECT_FALSE(worked);
  EXPECT_THAT(take_called(), ElementsAre("done"));
}

TEST_F(LocalServicesTest, Subrequests) {
  ASSERT_TRUE(services->subrequest(job("http://a/"), [this](const SubrequestResult& result) {
    called.push_back(std::to_string(result.status) + " " + result.content);
  }));
  worker.turn();
  ASSERT_EQ(runner.begun.size(), 1U);
  EXPECT_EQ(runner.begun[0].job.url, "http://a/");
  EXPECT_EQ(runner.begun[0].owner, &*services);
  runner.begun[0].done({.status = 200, .error = {}, .fields = {}, .content = "text"});
  EXPECT_THAT(take_called(), ElementsAre("200 text"));
}

TEST_F(LocalServicesTest, AtMost256SubrequestsAreUnderWay) {
  int done = 0;
  const auto count = [&done](const SubrequestResult& /*result*/) { ++done; };
  for (std::size_t i = 0; i < LocalServices::kMaxSubrequests; ++i) {
    ASSERT_TRUE(services->subrequest(job("http://a/"), count));
  }
  EXPECT_FALSE(services->subrequest(job("http://a/"), count));
  worker.turn();
  EXPECT_FALSE(services->subrequest(job("http://a/"), count));
  runner.begun[0].done({});
  EXPECT_EQ(done, 1);
  EXPECT_TRUE(services->subrequest(job("http://a/"), count));
  EXPECT_FALSE(services->subrequest(job("http://a/"), count));
  services.reset();
  EXPECT_EQ(done, 1 + static_cast<int>(LocalServices::kMaxSubrequests));
}

TEST_F(LocalServicesTest, TheEndOfAnInstanceEndsWhatItHasBegun) {
  const RawConnection pair = make_unix_connection();
  EXPECT_NE(services->start_timer(10, noting("timer")), 0U);
  EXPECT_NE(services->start_watch(pair.ours.get(), POLLOUT,
                                  [this](short /*e*/) { called.emplace_back("watch"); }),
            0U);
  const auto subrequest = [this](const SubrequestResult& result) {
    called.push_back(result.error);
    // Nothing more begins.
    EXPECT_FALSE(services->run_blocking([] {}, noting("blocking")));
  };
  EXPECT_TRUE(services->subrequest(job("http://a/"), subrequest));
  services->stop();
  EXPECT_THAT(take_called(), ElementsAre("cancelled"));
  EXPECT_EQ(services->start_timer(10, noting("timer")), 0U);
  EXPECT_EQ(services->start_watch(pair.ours.get(), POLLOUT, [](short /*e*/) {}), 0U);
  EXPECT_FALSE(services->run_blocking([] {}, {}));
  EXPECT_FALSE(services->subrequest(job("http://a/"), subrequest));
  worker.advance(milliseconds(50));
  // It had been on its way to the worker before.
  ASSERT_EQ(runner.begun.size(), 1U);
  EXPECT_THAT(runner.cancelled, ElementsAre(&*services));
  const void* const owner = &*services;
  services.reset();
  runner.begun[0].done({.status = 0, .error = "cancelled", .fields = {}, .content = {}});
  worker.advance(milliseconds(50));
  EXPECT_THAT(take_called(), IsEmpty());
  EXPECT_THAT(runner.cancelled, ElementsAre(owner));
}

TEST_F(LocalServicesTest, WithoutARunnerSubrequestsFail) {
  services.reset();
  share->loop.detach();
  share.emplace(log.log());
  share->loop.attach(worker.worker(nullptr));
  services.emplace(*share, "filter", nullptr);
  ASSERT_TRUE(services->subrequest(job("http://a/"), [this](const SubrequestResult& result) {
    called.push_back(result.error);
  }));
  worker.turn();
  EXPECT_THAT(take_called(), ElementsAre("unavailable"));
}

TEST_F(LocalServicesTest, Metrics) {
  const auto seen = services->metric("seen", "Seen.");
  const auto level = services->metric("level", "");
  EXPECT_NE(seen, 0U);
  EXPECT_NE(seen, level);
  EXPECT_EQ(services->metric("seen", ""), seen);
  EXPECT_EQ(services->metric("not a name", ""), 0U);
  EXPECT_EQ(services->metric("slow_callbacks_total", ""), 0U);
  services->add_to_metric(seen, 3);
  services->set_metric(level, 9);
  for (const std::uint64_t none : {std::uint64_t{0}, std::uint64_t{3}, UINT64_MAX}) {
    services->add_to_metric(none, 1);
    services->set_metric(none, 1);
  }
  EXPECT_EQ(share->metrics.text(),
            "# TYPE penstock_module_level gauge\n"
            "penstock_module_level{instance=\"filter\"} 9\n"
            "# HELP penstock_module_seen Seen.\n"
            "# TYPE penstock_module_seen counter\n"
            "penstock_module_seen{instance=\"filter\"} 3\n");
  for (std::size_t i = 2; i < LocalServices::kMaxMetrics; ++i) {
    ASSERT_EQ(services->metric("m" + std::to_string(i), ""), i + 1);
  }
  EXPECT_EQ(services->metric("one_more", ""), 0U);
  EXPECT_EQ(services->metric("m7", ""), 8U);
}

TEST_F(LocalServicesTest, SlowCallbacksArePublishedAndCounted) {
  services.reset();
  {
    const WatchedInstance watched = share->watchdog.add_instance("filter", milliseconds(1));
    services.emplace(*share, "filter", &watched);
    EXPECT_THAT(share->metrics.text(),
                HasSubstr("penstock_module_slow_callbacks_total{instance=\"filter\"} 0\n"));
    WatchdogSlot& slot = share->watchdog.add_slot();
    {
      const WatchedCall call(&slot, watched, ModuleEvent::timer);
      const auto limit = std::chrono::steady_clock::now() + seconds(20);
      while (share->metrics.text().find("} 1\n") == std::string::npos) {
        ASSERT_LT(std::chrono::steady_clock::now(), limit);
        std::this_thread::yield();
      }
    }
    services.reset();
  }
  EXPECT_THAT(log.take_lines()[0],
              testing::StartsWith("warn  module.filter: timer has held a worker for "));
}

TEST_F(LocalServicesTest, LinesThatAreLeftOutAreSaidWithoutAnyThatFollow) {
  for (int i = 0; i < 150; ++i) services->log(PENSTOCK_LOG_INFO, "text");
  const auto said = [this] {
    worker.time.advance(seconds(1));
    return TestLog::content(log.path("log")).find("more lines were left out") != std::string::npos;
  };
  // A second of the real clock has to pass; the worker's timer looks whether it has.
  worker.run_until(said);
}

TEST_F(LocalServicesTest, LogFiles) {
  const auto id = services->open_log_file(log.path("own.log"));
  services->write_log_file(id, "text");
  services->stop();
  services->write_log_file(id, "of close()");
  services.reset();
  EXPECT_EQ(TestLog::content(log.path("own.log")), "text\nof close()\n");
}

// An instance with threads of its own; the test is one of them.
class ElsewhereServicesTest : public LocalServicesTest {
 protected:
  ElsewhereServicesTest() {
    services.reset();
    services.emplace(*share, "filter", nullptr,
                     [this](CallbackStrand::Call f) { posted.push_back(std::move(f)); });
  }
  void run_posted() {
    for (const auto& f : std::exchange(posted, {})) f();
  }
  std::vector<CallbackStrand::Call> posted;
};

TEST_F(ElsewhereServicesTest, ATimerThatIsNotKeptUpWithIsCalledOnce) {
  EXPECT_NE(services->start_timer(10, noting("timer")), 0U);
  worker.advance(milliseconds(50));
  EXPECT_THAT(take_called(), IsEmpty());
  run_posted();
  EXPECT_THAT(take_called(), ElementsAre("timer"));
  worker.advance(milliseconds(10));
  run_posted();
  EXPECT_THAT(take_called(), ElementsAre("timer"));
}

TEST_F(ElsewhereServicesTest, AWatchWaitsForItsCall) {
  const RawConnection pair = make_unix_connection();
  std::uint64_t id = services->start_watch(pair.ours.get(), POLLOUT, [this, &id](short /*events*/) {
    called.emplace_back("watch");
    if (called.size() == 2) services->stop_watch(id);
  });
  for (int i = 0; i < 3; ++i) worker.turn();
  EXPECT_EQ(posted.size(), 1U);
  run_posted();
  EXPECT_THAT(called, ElementsAre("watch"));
  for (int i = 0; i < 3; ++i) worker.turn();
  run_posted();
  for (int i = 0; i < 3; ++i) worker.turn();
  run_posted();
  EXPECT_THAT(called, ElementsAre("watch", "watch"));
}

TEST_F(ElsewhereServicesTest, WhatIsStoppedIsNotCalledAnyMore) {
  const RawConnection pair = make_unix_connection();
  const auto timer = services->start_timer(10, noting("timer"));
  const auto watch = services->start_watch(
      pair.ours.get(), POLLOUT, [this](short /*events*/) { called.emplace_back("watch"); });
  worker.advance(milliseconds(10));
  services->stop_timer(timer);
  services->stop_watch(watch);
  run_posted();
  EXPECT_THAT(take_called(), IsEmpty());
}

// The same with the threads for what blocks.
class OnThreadsTest : public LocalServicesTest {
 protected:
  OnThreadsTest() {
    services.reset();
    services.emplace(*share, "filter", LocalServices::OnThreads());
  }
};

TEST_F(OnThreadsTest, CallsBackThereOneAfterTheOther) {
  const RawConnection pair = make_unix_connection();
  std::atomic<int> timers = 0;
  std::atomic<int> watches = 0;
  int calls = 0;  // no lock: one at a time
  const auto note = [&](std::atomic<int>& kind) {
    EXPECT_NE(std::this_thread::get_id(), test_thread);
    ++calls;
    ++kind;
  };
  EXPECT_NE(services->start_timer(1, [&] { note(timers); }), 0U);
  EXPECT_NE(services->start_watch(pair.ours.get(), POLLOUT, [&](short /*e*/) { note(watches); }),
            0U);
  worker.run_until([&] {
    worker.advance(milliseconds(1));
    return timers > 2 && watches > 2;
  });
  services->stop();
  EXPECT_EQ(calls, timers + watches);
}

TEST_F(OnThreadsTest, CallsBackHoweverManyJobsWait) {
  std::promise<void> open;
  const std::shared_future<void> opened(open.get_future());
  const auto block = [opened] { opened.wait(); };
  while (services->run_blocking(block, {})) continue;
  std::atomic<bool> called = false;
  EXPECT_NE(services->start_timer(1, [&] { called = true; }), 0U);
  worker.advance(milliseconds(1));
  EXPECT_FALSE(called);
  open.set_value();
  worker.run_until([&] { return called.load(); });
  services->stop();
}

TEST_F(OnThreadsTest, TheEndDropsACallThatWaits) {
  std::promise<void> open;
  const std::shared_future<void> opened(open.get_future());
  LocalServices other(*share, "other", nullptr);
  for (std::size_t i = 0; i < BlockingPool::kMaxThreads; ++i) {
    EXPECT_TRUE(other.run_blocking([opened] { opened.wait(); }, {}));
  }
  EXPECT_NE(services->start_timer(1, noting("timer")), 0U);
  worker.advance(milliseconds(1));
  services.reset();
  open.set_value();
  other.stop();
  EXPECT_THAT(take_called(), IsEmpty());
}

// A real worker, instances that come and go, and each of their callbacks on the worker's thread.
TEST(LocalServicesThreads, InstancesComeAndGo) {
  TestLog log;
  LocalShare share(log.log());
  EventLoop events;
  EventLoopPort port(events);
  const auto gate = std::make_shared<WorkerGate>(
      [&events](std::function<void()> f) { events.call(std::move(f)); });
  share.loop.attach({.gate = gate, .port = &port, .slot = &share.watchdog.add_slot()});
  std::thread worker([&events] { events.run(); });
  const auto play = [&](const std::string& name) {
    for (int i = 0; i < 30; ++i) {
      const WatchedInstance watched = share.watchdog.add_instance(name, seconds(10));
      const RawConnection pair = make_unix_connection();
      std::map<std::string, int> calls;  // no lock: one thread, and the end is waited for
      std::promise<void> enough;
      const std::thread::id here = std::this_thread::get_id();
      {
        LocalServices services(share, name, &watched);
        const auto note = [&](const std::string& what) {
          // What is owed at the end is called by who ends it.
          const bool owed =
              std::this_thread::get_id() == here && (what == "blocking" || what == "subrequest");
          EXPECT_TRUE(owed || std::this_thread::get_id() == worker.get_id());
          if (++calls[what] == 1 && calls.size() == 4) enough.set_value();
        };
        const auto metric = services.metric("calls", "");
        EXPECT_NE(services.start_timer(1,
                                       [&] {
                                         note("timer");
                                         services.add_to_metric(metric, 1);
                                       }),
                  0U);
        EXPECT_NE(
            services.start_watch(pair.ours.get(), POLLOUT, [&](short /*e*/) { note("watch"); }),
            0U);
        EXPECT_TRUE(services.run_blocking([&] { services.log(PENSTOCK_LOG_INFO, "work"); },
                                          [&] { note("blocking"); }));
        EXPECT_TRUE(services.subrequest(
            {}, [&](const SubrequestResult& /*result*/) { note("subrequest"); }));
        // Some end in the middle of it all.
        if (i % 3 != 0) enough.get_future().wait();
        services.stop();
      }
      calls.clear();
    }
  };
  std::thread other([&] { play("other"); });
  play("one");
  other.join();
  events.call([&] {
    share.loop.detach();
    events.stop();
  });
  worker.join();
}

}  // namespace
}  // namespace penstock
