#include "helper/process_channel.h"

#include <array>
#include <chrono>
#include <csignal>
#include <deque>
#include <memory>
#include <string>
#include <thread>

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/log_file.h"
#include "helper/channel_test.h"
#include "helper/helper_program_test.h"
#include "net/loop_test.h"

namespace penstock {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;

class ProcessChannelTest : public LoopTest {
 protected:
  ~ProcessChannelTest() override { stop(); }

  // `restart`: the bound of the wait before each start but the first.
  void start(HelperShape shape = {}, Duration restart = 1ms, const std::string& mode = "serve") {
    process_ = std::make_unique<HelperProcess>(
        HelperProcessSettings{.name = "test",
                              .arguments = helper_arguments(mode),
                              .shape = shape,
                              .restart = {.first = restart, .most = restart},
                              .grace = 20s},
        log_);
    process_->start();
    channel_ = std::make_unique<ProcessChannel>(*process_, 0, loop, 100'000);
    channel_->set_sink(&sink_);
  }
  // Kills a helper that would not end in peace, too.
  void stop() {
    if (!process_) return;
    if (const pid_t id = process_->id(); id != 0) ::kill(id, SIGKILL);
    process_->stop();
    settle();
    channel_.reset();
    process_.reset();
  }
  CallOutcome& call(std::string request, std::uint64_t affinity = 0) {
    CallOutcome& outcome = outcomes_.emplace_back();
    spawn(call_into(*channel_, std::move(request), affinity, outcome));
    return outcome;
  }
  void run_until_down(int times) {
    run_until([&] { return sink_.downs == times; });
    run_until([&] { return scope.running() == 0; });
  }

  LogFile log_file_{"/dev/null"};
  Log log_{log_file_, LogLevel::error};
  RecordingSink sink_;
  std::deque<CallOutcome> outcomes_;
  std::unique_ptr<HelperProcess> process_;
  std::unique_ptr<ProcessChannel> channel_;
};

TEST_F(ProcessChannelTest, CallsAreAnswered) {
  start();
  EXPECT_TRUE(channel_->up());
  const CallOutcome& first = call("echo a b");
  const CallOutcome& second = call("echo ");
  const CallOutcome& third = call("echo " + std::string(1'000'000, 'x'));
  EXPECT_EQ(channel_->calls_under_way(), 3U);
  run();
  EXPECT_EQ(said(first), "a b");
  EXPECT_EQ(said(second), "");
  EXPECT_EQ(said(third), std::string(1'000'000, 'x'));
}

TEST_F(ProcessChannelTest, TheLargestBothWays) {
  start();
  const CallOutcome& outcome = call("echo " + std::string(kMaxChannelMessage - 5, 'x'));
  const CallOutcome& larger = call("echo " + std::string(kMaxChannelMessage - 4, 'x'));
  EXPECT_EQ(said(larger), "(limit)");
  run();
  EXPECT_EQ(outcome->value().size(), kMaxChannelMessage - 5);
}

TEST_F(ProcessChannelTest, MessagesBothWays) {
  start();
  EXPECT_TRUE(channel_->send(Payload("tell 1"), 7));
  const CallOutcome& reply = call("tell 2", 7);
  EXPECT_TRUE(channel_->send(Payload("tell 3"), 7));
  run_until([&] { return sink_.messages.size() == 3; });
  EXPECT_THAT(sink_.messages, ElementsAre("told 1", "told 2", "told 3"));
  run();
  EXPECT_EQ(said(reply), "2");
}

// More than the ring holds, and than is read in a turn; then there is room for the rest.
TEST_F(ProcessChannelTest, ManyMessagesUnasked) {
  start({.ring_bytes = 4096});
  const CallOutcome& reply = call("flood 5000");
  run();
  EXPECT_EQ(said(reply), "5000");
  ASSERT_EQ(sink_.messages.size(), 5'000U);
  for (unsigned i = 0; i < 5'000; ++i) ASSERT_EQ(sink_.messages[i], std::to_string(i));
}

TEST_F(ProcessChannelTest, TheHelperGetsWhatItShouldAndNoMore) {
  sigset_t blocked;
  sigemptyset(&blocked);
  sigaddset(&blocked, SIGUSR2);
  ::pthread_sigmask(SIG_BLOCK, &blocked, nullptr);
  std::signal(SIGQUIT, SIG_IGN);
  const Fd leak(::open("/dev/null", O_RDONLY));  // not closed on exec
  start();
  const CallOutcome& outcome = call("describe");
  run();
  std::signal(SIGQUIT, SIG_DFL);
  ::pthread_sigmask(SIG_UNBLOCK, &blocked, nullptr);
  // 3 was the memory, which is mapped and closed, and is what log files are reopened by; 4 the
  // worker's bell, 5 what says that it is ready.
  EXPECT_EQ(said(outcome),
            "fds: 0 1 2 3 4 5\n"
            "SigBlk:0\nSigIgn:0\nown group");
}

TEST_F(ProcessChannelTest, SignalsForTheGroupDoNotEndIt) {
  start();
  for (const int signal : {SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGPIPE}) {
    const CallOutcome& before = call("echo 1");  // its handlers are there
    run();
    EXPECT_EQ(said(before), "1");
    ::kill(process_->id(), signal);
    const CallOutcome& after = call("echo 2");
    run();
    EXPECT_EQ(said(after), "2") << signal;
  }
}

TEST_F(ProcessChannelTest, DeathFailsTheCallsUnderWay) {
  start({.lanes = 2}, 1h);
  const CallOutcome& answered = call("echo before", 1);
  run();
  const CallOutcome& hanging = call("hang", 1);
  const CallOutcome& behind = call("echo x", 1);
  ::kill(process_->id(), SIGKILL);
  run_until_down(1);
  EXPECT_EQ(said(answered), "before");
  EXPECT_EQ(said(hanging), "(reset)");
  EXPECT_EQ(said(behind), "(reset)");
  EXPECT_FALSE(hanging->error().retryable);
  EXPECT_FALSE(channel_->up());
  const CallOutcome& later = call("echo y");
  EXPECT_EQ(said(later), "(unavailable)");
  EXPECT_EQ(channel_->send(Payload("echo"), 0), fail(ErrorKind::unavailable));
}

TEST_F(ProcessChannelTest, WhatItSaidBeforeItDiedCounts) {
  start({}, 1h);
  const CallOutcome& outcome = call("last word");
  run_until_down(1);
  EXPECT_EQ(said(outcome), "word");
}

// More than is read in a turn, and the news of its death is there in the first.
TEST_F(ProcessChannelTest, AllThatItSaidBeforeItDiedCounts) {
  start({}, 1h);
  const CallOutcome& outcome = call("burst 3000");
  while (process_->id() != 0) std::this_thread::yield();
  run_until_down(1);
  EXPECT_EQ(said(outcome), "(reset)");
  EXPECT_EQ(sink_.messages.size(), 3'000U);
}

TEST_F(ProcessChannelTest, WorksAgainWhenThereIsANewOne) {
  start();
  for (int i = 1; i <= 5; ++i) {
    const CallOutcome& dying = call("die");
    run_until([&] { return sink_.ups == i; });
    run();
    EXPECT_EQ(said(dying), "(reset)");
    EXPECT_EQ(sink_.downs, i);
    const CallOutcome& next = call("echo again");
    run();
    EXPECT_EQ(said(next), "again");
  }
}

TEST_F(ProcessChannelTest, OneThatCannotBegin) {
  start({}, 1h, "fail");
  run_until([&] { return !channel_->up(); });
  const CallOutcome& outcome = call("echo");
  EXPECT_EQ(said(outcome), "(unavailable)");
}

TEST_F(ProcessChannelTest, AHangingHelperAndADeadlineOfTheCaller) {
  start({.lanes = 2});
  CallOutcome hanging;
  CallOutcome behind;
  spawn(call_until(*channel_, "hang", 1, now() + 5ms, hanging));
  spawn(call_until(*channel_, "echo behind", 1, now() + 5ms, behind));
  run();
  EXPECT_EQ(said(hanging), "(timed_out)");
  EXPECT_EQ(said(behind), "(timed_out)");
  EXPECT_EQ(channel_->calls_under_way(), 0U);
  // The other lane goes on.
  const CallOutcome& other = call("echo 2", 2);
  const CallOutcome& third = call("echo 3", 3);
  const CallOutcome& fourth = call("echo 4", 4);
  run_until([&] { return other || third || fourth; });
  EXPECT_TRUE(said(other) == "2" || said(third) == "3" || said(fourth) == "4");
  stop();
  run();
}

TEST_F(ProcessChannelTest, ALateReplyIsDropped) {
  start();
  CallOutcome late;
  Scope going(loop.executor());
  going.spawn(call_into(*channel_, "echo late", 0, late));
  going.cancel();
  const CallOutcome& next = call("echo next");
  run();
  EXPECT_EQ(said(next), "next");
  EXPECT_EQ(said(late), "(cancelled)");
}

TEST_F(ProcessChannelTest, TooMuchWaits) {
  start();
  call("hang");
  const std::string large("echo " + std::string(9'000'000, 'x'));
  call(large);
  call(large);
  const CallOutcome& refused = call(large);
  EXPECT_EQ(said(refused), "(overloaded)");
  stop();
  run();
}

TEST_F(ProcessChannelTest, AHelperThatLosesItsWayIsKilled) {
  start({}, 1h);
  const CallOutcome& outcome = call("scribble");
  run_until_down(1);
  EXPECT_EQ(said(outcome), "(reset)");
}

TEST_F(ProcessChannelTest, StoppingHandlesWhatIsThere) {
  start();
  const CallOutcome& first = call("echo 1");
  const CallOutcome& second = call("echo 2");
  process_->stop();
  const CallOutcome& late = call("echo 3");
  EXPECT_EQ(said(late), "(unavailable)");
  run();
  EXPECT_EQ(said(first), "1");
  EXPECT_EQ(said(second), "2");
}

TEST_F(ProcessChannelTest, AChannelMayGoBeforeItsHelper) {
  start();
  EXPECT_TRUE(channel_->send(Payload("flood 100000"), 0));
  channel_.reset();
  settle();
}

// --- many at once

Task<void> call_many(Channel& channel, unsigned from, unsigned count, unsigned& right) {
  for (unsigned i = 0; i < count; ++i) {
    const std::string text = std::to_string(from + i) + std::string(i % 50 == 0 ? 20'000 : 0, 'x');
    const std::string_view parts[] = {"echo ", text};
    const auto reply = co_await channel.call(Payload(parts), from + 1);
    if (reply && *reply == text) ++right;
  }
}

void run_worker(HelperProcess& process, unsigned worker, unsigned& right) {
  EventLoop loop;
  ProcessChannel channel(process, worker, loop, 1'000);
  Scope scope(loop.executor());
  for (unsigned task = 0; task < 50; ++task) {
    scope.spawn(call_many(channel, task * 1'000, 100, right));
  }
  while (scope.running() > 0) loop.run_once(100ms);
}

TEST(ProcessChannelLoad, ManyCallsOfTwoLoops) {
  LogFile log_file("/dev/null");
  Log log(log_file, LogLevel::error);
  HelperProcess process({.name = "test",
                         .arguments = helper_arguments(),
                         .shape = {.workers = 2, .lanes = 2, .ring_bytes = 8192}},
                        log);
  process.start();
  std::array<unsigned, 2> right{};
  std::thread second([&] { run_worker(process, 1, right[1]); });
  run_worker(process, 0, right[0]);
  second.join();
  EXPECT_THAT(right, ElementsAre(5'000U, 5'000U));
}

Task<void> call_for_better_or_worse(Channel& channel, unsigned count, unsigned& ended) {
  for (unsigned i = 0; i < count; ++i) {
    const std::string text = std::to_string(i);
    const std::string_view parts[] = {"echo ", text};
    const auto reply = co_await channel.call(Payload(parts), 0);
    if (reply) {
      EXPECT_EQ(*reply, text);
    } else {
      EXPECT_TRUE(reply.error().kind == ErrorKind::reset ||
                  reply.error().kind == ErrorKind::unavailable);
      co_await sleep_until((co_await this_context()).executor().now() + 1ms);
    }
    ++ended;
  }
}

// Helpers that die at any moment: no call is lost, none gets what is another's.
TEST(ProcessChannelLoad, DeathsAtAnyMoment) {
  LogFile log_file("/dev/null");
  Log log(log_file, LogLevel::error);
  HelperProcess process({.name = "test",
                         .arguments = helper_arguments(),
                         .shape = {.ring_bytes = 1024},
                         .restart = {.first = 1ms, .most = 1ms}},
                        log);
  process.start();
  EventLoop loop;
  RecordingSink sink;
  ProcessChannel channel(process, 0, loop, 1'000);
  channel.set_sink(&sink);
  unsigned ended = 0;
  Scope scope(loop.executor());
  for (int i = 0; i < 20; ++i) scope.spawn(call_for_better_or_worse(channel, 500, ended));
  for (int turn = 0; scope.running() > 0; ++turn) {
    loop.run_once(10ms);
    if (turn % 50 != 0 || sink.downs >= 20) continue;
    if (const pid_t id = process.id(); id != 0) ::kill(id, SIGKILL);
  }
  EXPECT_EQ(ended, 10'000U);
  EXPECT_GT(sink.downs, 2);
}

}  // namespace
}  // namespace penstock
