#include "app/fetch_body.h"

#include <array>
#include <cstdio>
#include <fstream>
#include <string>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "async/scope.h"
#include "net/loop_test.h"

namespace penstock {
namespace {

using ::testing::HasSubstr;

class FetchBodyTest : public LoopTest {
 protected:
  void TearDown() override { std::remove(path_.c_str()); }

  void write_file(const std::string& text) { std::ofstream(path_) << text; }
  FetchBody open() {
    FetchCommand command;
    command.data_file = path_;
    auto body = open_fetch_body(command, loop);
    if (!body) ADD_FAILURE() << body.error();
    return std::move(*body);
  }
  // All of it, in text_ and error_.
  static Task<void> pull(FetchBodyTest& test, BodySource& body) {
    while (!body.at_end()) {
      const auto slice = co_await body.next();
      if (!slice) {
        test.error_ = slice.error();
        co_return;
      }
      test.text_ += slice->view();
    }
  }

  std::string path_ = ::testing::TempDir() + fmt::format("penstock_fetch_body_test_{}", ::getpid());
  std::string text_;
  std::optional<Error> error_;
};

TEST_F(FetchBodyTest, AFileIsReadInPieces) {
  const std::string text(100'000, 'x');
  write_file(text);
  const FetchBody body = open();
  EXPECT_EQ(body.framing, (Framing{.kind = BodyKind::length, .length = 100'000}));
  EXPECT_EQ(body.source->remaining(), 100'000);
  spawn(pull(*this, *body.source));
  run();
  EXPECT_EQ(text_, text);
  EXPECT_FALSE(error_);
}

TEST_F(FetchBodyTest, AFileThatBecomesShorterFails) {
  write_file(std::string(1000, 'x'));
  const FetchBody body = open();
  write_file("short");
  spawn(pull(*this, *body.source));
  run();
  EXPECT_EQ(error_, (Error{.kind = ErrorKind::closed, .side = Side::client}));
}

TEST_F(FetchBodyTest, OfAFileThatBecomesLongerTheBeginningIsSent) {
  write_file("first");
  const FetchBody body = open();
  write_file("first and more");
  spawn(pull(*this, *body.source));
  run();
  EXPECT_EQ(text_, "first");
}

TEST_F(FetchBodyTest, AFileThatCannotBeRead) {
  FetchCommand command;
  command.data_file = path_ + "/none";
  EXPECT_THAT(open_fetch_body(command, loop).error(), HasSubstr("can't read"));
}

TEST_F(FetchBodyTest, APipeIsWaitedForWithoutHoldingUpTheLoop) {
  std::array<int, 2> ends{};
  ASSERT_EQ(::pipe(ends.data()), 0);
  Fd write_end(ends[1]);
  PipeBody body(loop, ends[0], Fd(ends[0]));
  spawn(pull(*this, body));
  settle();
  EXPECT_EQ(text_, "");
  ASSERT_EQ(::write(write_end.get(), "one", 3), 3);
  run_until([this] { return text_ == "one"; });
  settle();
  ASSERT_EQ(::write(write_end.get(), "two", 3), 3);
  run_until([this] { return text_ == "onetwo"; });
  EXPECT_FALSE(body.at_end());
  write_end.reset();
  run();
  EXPECT_TRUE(body.at_end());
  EXPECT_EQ(text_, "onetwo");
}

TEST_F(FetchBodyTest, WaitingForAPipeCanBeCancelled) {
  std::array<int, 2> ends{};
  ASSERT_EQ(::pipe(ends.data()), 0);
  const Fd write_end(ends[1]);
  PipeBody body(loop, ends[0], Fd(ends[0]));
  spawn(pull(*this, body));
  settle();
  scope.cancel();
  run();
  EXPECT_EQ(error_->kind, ErrorKind::cancelled);
}

}  // namespace
}  // namespace penstock
