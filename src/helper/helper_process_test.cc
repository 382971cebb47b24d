#include "helper/helper_process.h"

#include <chrono>
#include <condition_variable>
#include <csignal>
#include <fstream>
#include <iterator>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/log_file.h"
#include "helper/helper_program_test.h"

namespace penstock {
namespace {

using namespace std::chrono_literals;
using ::testing::ContainsRegex;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

// Counts what it hears, and lets a test wait for it.
class Hearer final : public HelperProcess::Listener {
 public:
  void on_link(const std::shared_ptr<HelperLink>& link) override {
    const std::lock_guard lock(mutex_);
    heard_ += link ? '+' : '-';
    changed_.notify_all();
  }
  // Until it has heard so much; "+" for a helper that came, "-" for one that went.
  std::string wait_for(std::size_t count) {
    std::unique_lock lock(mutex_);
    EXPECT_TRUE(changed_.wait_for(lock, 20s, [&] { return heard_.size() >= count; }));
    return heard_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::string heard_;
};

class HelperProcessTest : public testing::Test {
 protected:
  HelperProcessTest() {
    const Fd made(::mkstemp(path_.data()));
    EXPECT_TRUE(made);
    log_file_ = std::make_unique<LogFile>(path_);
    log_ = std::make_unique<Log>(*log_file_, LogLevel::info);
  }
  ~HelperProcessTest() override {
    if (process_) process_->forget(hearer_);
    process_.reset();
    ::unlink(path_.c_str());
  }

  void make(const std::string& mode, Duration grace = 20s) {
    process_ = std::make_unique<HelperProcess>(
        HelperProcessSettings{.name = "test",
                              .arguments = helper_arguments(mode),
                              .restart = {.first = 1ms, .most = 2ms},
                              .grace = grace},
        *log_);
    process_->listen(hearer_);
    process_->start();
  }
  // All that was logged; the log can't be used after it.
  std::string logged() {
    process_->forget(hearer_);
    process_.reset();
    log_file_.reset();
    return read_log();
  }
  // What of it is written so far.
  [[nodiscard]] std::string read_log() const {
    std::ifstream file(path_);
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  }

  std::string path_ = testing::TempDir() + "penstock_helper_XXXXXX";
  std::unique_ptr<LogFile> log_file_;
  std::unique_ptr<Log> log_;
  Hearer hearer_;
  std::unique_ptr<HelperProcess> process_;
};

TEST_F(HelperProcessTest, StartsAndEnds) {
  make("serve");
  EXPECT_EQ(hearer_.wait_for(1), "+");
  EXPECT_GT(process_->id(), 0);
  process_->stop();
  EXPECT_EQ(process_->id(), 0);
  EXPECT_EQ(hearer_.wait_for(2), "+-");
  const std::string log = logged();
  EXPECT_THAT(log, ContainsRegex("info  helper test: started, process [0-9]+\n"));
  EXPECT_THAT(log, HasSubstr("info  helper test: exited with status 0\n"));
}

TEST_F(HelperProcessTest, OneThatDoesNotEndIsKilled) {
  make("stay", 1ms);
  hearer_.wait_for(1);
  process_->stop();
  const std::string log = logged();
  EXPECT_THAT(log, HasSubstr("warn  helper test: does not end; killing it\n"));
  EXPECT_THAT(log, HasSubstr("info  helper test: killed by signal 9 (Killed)\n"));
}

TEST_F(HelperProcessTest, OneThatDiesIsStartedAgain) {
  make("serve");
  for (std::size_t i = 0; i < 3; ++i) {
    hearer_.wait_for(1 + 2 * i);
    pid_t id = 0;
    while (id == 0) id = process_->id();
    ::kill(id, SIGKILL);
    hearer_.wait_for(2 + 2 * i);
  }
  EXPECT_EQ(hearer_.wait_for(7), "+-+-+-+");
  EXPECT_THAT(logged(), HasSubstr("error helper test: killed by signal 9 (Killed)\n"));
}

TEST_F(HelperProcessTest, OneThatCannotBeginIsTriedAgain) {
  make("fail");
  EXPECT_EQ(hearer_.wait_for(8), "+-+-+-+-");
  process_->stop();
  const std::string log = logged();
  // What it prints is in the log, before its end.
  EXPECT_THAT(log, ContainsRegex("warn  helper test: cannot begin\n"
                                 "[^\n]*error helper test: exited with status 7\n"));
  EXPECT_THAT(log, ContainsRegex("helper test: starting it again in [012] ms\n"));
}

TEST_F(HelperProcessTest, KillsTheHelperOfThatLinkOnly) {
  Hearer other;
  make("serve");
  const auto first = process_->listen(other);
  process_->kill(*first, "is not liked");
  EXPECT_EQ(hearer_.wait_for(3), "+-+");
  process_->forget(other);
  const auto second = process_->listen(other);
  EXPECT_NE(first, second);
  process_->kill(*first, "is not there any more");
  process_->stop();
  process_->forget(other);
  const std::string log = logged();
  EXPECT_THAT(log, HasSubstr("error helper test: is not liked; killing it\n"));
  EXPECT_THAT(log, Not(HasSubstr("is not there any more")));
}

TEST_F(HelperProcessTest, StopsWhileItWaitsToStartAgain) {
  process_ =
      std::make_unique<HelperProcess>(HelperProcessSettings{.name = "test",
                                                            .arguments = helper_arguments("fail"),
                                                            .restart = {.first = 1h, .most = 1h}},
                                      *log_);
  process_->listen(hearer_);
  process_->start();
  while (!read_log().contains("starting it again in")) std::this_thread::yield();
  process_->stop();
  EXPECT_EQ(hearer_.wait_for(2), "+-");
}

// Waits until a process has ended, which need not be a child.
bool ends(pid_t id) {
  const Fd fd(static_cast<int>(::syscall(SYS_pidfd_open, id, 0)));
  if (!fd) return true;
  pollfd polled{.fd = fd.get(), .events = POLLIN, .revents = 0};
  return ::poll(&polled, 1, 20'000) == 1;
}

std::string name_of(pid_t id) {
  std::ifstream file("/proc/" + std::to_string(id) + "/comm");
  std::string name;
  std::getline(file, name);
  return name;
}

TEST(HelperOrphan, DiesWithTheProxy) {
  int ends_of_pipe[2];
  ASSERT_EQ(::pipe2(ends_of_pipe, O_CLOEXEC), 0);
  const Fd from(ends_of_pipe[0]);
  Fd to(ends_of_pipe[1]);
  auto proxy = ChildProcess::start(helper_arguments("proxy"), {}, to.get());
  ASSERT_TRUE(proxy);
  to.reset();
  char text[32]{};
  ASSERT_GT(::read(from.get(), text, sizeof text - 1), 0);
  const pid_t helper = std::stoi(text);
  // It has this name when it is prepared; before, it looks itself whether the proxy is there.
  while (name_of(helper) != "penstock-helper") std::this_thread::yield();
  proxy->kill(SIGKILL);
  EXPECT_EQ(proxy->wait(), "killed by signal 9 (Killed)");
  EXPECT_TRUE(ends(helper));
}

TEST(HelperService, IsNotForOtherPrograms) {
  int ends_of_pipe[2];
  ASSERT_EQ(::pipe2(ends_of_pipe, O_CLOEXEC), 0);
  const Fd from(ends_of_pipe[0]);
  const Fd to(ends_of_pipe[1]);
  auto child = ChildProcess::start(helper_arguments("serve"), {}, to.get());
  ASSERT_TRUE(child);
  EXPECT_EQ(child->wait(), "exited with status 3");
  // A descriptor that is something else.
  auto other = ChildProcess::start(helper_arguments("serve"), {to.get()}, to.get());
  ASSERT_TRUE(other);
  EXPECT_EQ(other->wait(), "exited with status 3");
}

TEST(RestartDelay, GrowsUntilARunWasLong) {
  RestartDelay delay({.first = 100ms, .most = 30s, .steady = 60s}, Random(1));
  const auto most_of = [&](Duration run, Duration bound) {
    const Duration after = delay.after(run);
    EXPECT_LE(after, bound);
    return after;
  };
  Duration longest{};
  for (Duration bound = 100ms; bound < 30s; bound *= 2) longest = most_of(1s, bound);
  for (int i = 0; i < 100; ++i) longest = std::max(longest, most_of(59s, 30s));
  EXPECT_GT(longest, 25s);
  most_of(60s, 100ms);
  most_of(0s, 200ms);
}

std::vector<std::string> lines_of(std::initializer_list<std::string_view> pieces) {
  LineSplitter splitter;
  std::vector<std::string> lines;
  const auto keep = [&](std::string_view line) { lines.emplace_back(line); };
  for (const std::string_view piece : pieces) splitter.add(piece, keep);
  splitter.flush(keep);
  return lines;
}

TEST(LineSplitter, GivesWholeLines) {
  EXPECT_THAT(lines_of({"a\nb", "c", "\n\n", "d"}), ElementsAre("a", "bc", "d"));
  EXPECT_THAT(lines_of({"red\x1b[0m\ttab\r\n"}), ElementsAre("red [0m tab "));
  const std::string most(LineSplitter::kMaxLine, 'm');
  EXPECT_THAT(lines_of({most, "\nx\n"}), ElementsAre(most, "x"));
  EXPECT_THAT(lines_of({most + most + "y\n"}), ElementsAre(most, most, "y"));
  EXPECT_THAT(lines_of({}), ElementsAre());
}

}  // namespace
}  // namespace penstock
