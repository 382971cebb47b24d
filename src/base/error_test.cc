#include "base/error.h"

#include <cerrno>
#include <set>
#include <string_view>

#include <gtest/gtest.h>

#include "base/time.h"

namespace penstock {
namespace {

using namespace std::chrono_literals;

TEST(Error, OfAnErrno) {
  const struct {
    int value;
    ErrorKind kind;
  } cases[] = {
      {ECONNREFUSED, ErrorKind::refused},
      {ENOENT, ErrorKind::refused},
      {ECONNRESET, ErrorKind::reset},
      {EPIPE, ErrorKind::reset},
      {ETIMEDOUT, ErrorKind::timed_out},
      {ENETUNREACH, ErrorKind::unreachable},
      {EHOSTUNREACH, ErrorKind::unreachable},
      {EMFILE, ErrorKind::overloaded},
      {ENFILE, ErrorKind::overloaded},
      {ENOMEM, ErrorKind::overloaded},
      {EACCES, ErrorKind::denied},
      {ECANCELED, ErrorKind::cancelled},
      {EBADF, ErrorKind::io},
      {EADDRINUSE, ErrorKind::io},
  };
  for (const auto& c : cases) {
    const Error error = error_from_errno(c.value);
    EXPECT_EQ(error.kind, c.kind) << c.value;
    EXPECT_EQ(error.cause, c.value);
    EXPECT_EQ(error.side, Side::none);
    EXPECT_FALSE(error.retryable);
  }
}

TEST(Error, SaidOfASide) {
  const Error error{.kind = ErrorKind::reset, .retryable = true, .cause = 7};
  const Error there = error.at(Side::server);
  EXPECT_EQ(there, (Error{ErrorKind::reset, Side::server, true, 7}));
  EXPECT_NE(there, error);
}

TEST(Error, InAResult) {
  const Result<int> failed = fail(ErrorKind::limit, 3);
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error(), (Error{.kind = ErrorKind::limit, .cause = 3}));
  const Result<int> passed_on = fail(failed.error());
  EXPECT_EQ(passed_on, failed);
}

TEST(Error, EveryKindAndSideHasItsName) {
  std::set<std::string_view> names;
  for (int i = 0; i <= static_cast<int>(ErrorKind::io); ++i) {
    const std::string_view name = to_string(static_cast<ErrorKind>(i));
    EXPECT_NE(name, "unknown");
    EXPECT_TRUE(names.insert(name).second) << name;
  }
  EXPECT_EQ(to_string(ErrorKind::timed_out), "timed_out");
  EXPECT_EQ(to_string(Side::client), "client");
  EXPECT_EQ(to_string(Side::server), "server");
}

TEST(DeadlineAfter, NoLimitNeverComes) {
  const TimePoint now{5s};
  const struct {
    Duration limit;
    TimePoint deadline;
  } cases[] = {{1s, TimePoint{6s}},
               {1ns, TimePoint{5s + 1ns}},
               {0s, kNever},
               {-1s, kNever},
               {Duration::max(), kNever}};
  for (const auto& c : cases) EXPECT_EQ(deadline_after(now, c.limit), c.deadline);
}

}  // namespace
}  // namespace penstock
