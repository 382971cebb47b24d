#include "message/close_reason.h"

#include <set>
#include <string_view>

#include <gtest/gtest.h>

namespace penstock {
namespace {

TEST(CloseReason, EachHasANameOfItsOwn) {
  std::set<std::string_view> names;
  const int last = static_cast<int>(CloseReason::cancelled);
  for (int i = 0; i <= last; ++i) names.insert(to_string(static_cast<CloseReason>(i)));
  EXPECT_EQ(names.size(), static_cast<std::size_t>(last) + 1);
  EXPECT_FALSE(names.contains("unknown"));
  EXPECT_EQ(to_string(CloseReason::kept), "kept");
  EXPECT_EQ(to_string(CloseReason::said_close), "said_close");
}

TEST(CloseReason, OfEachFailure) {
  struct Case {
    ErrorKind kind;
    CloseReason reason;
  };
  for (const Case& c : {Case{ErrorKind::closed, CloseReason::peer_closed},
                        Case{ErrorKind::reset, CloseReason::broken},
                        Case{ErrorKind::timed_out, CloseReason::timed_out},
                        Case{ErrorKind::cancelled, CloseReason::cancelled},
                        Case{ErrorKind::refused, CloseReason::broken},
                        Case{ErrorKind::unreachable, CloseReason::broken},
                        Case{ErrorKind::resolve_failed, CloseReason::broken},
                        Case{ErrorKind::protocol, CloseReason::refused_message},
                        Case{ErrorKind::limit, CloseReason::refused_message},
                        Case{ErrorKind::denied, CloseReason::broken},
                        Case{ErrorKind::tls_protocol, CloseReason::broken},
                        Case{ErrorKind::tls_certificate, CloseReason::broken},
                        Case{ErrorKind::tls_alert, CloseReason::broken},
                        Case{ErrorKind::overloaded, CloseReason::broken},
                        Case{ErrorKind::io, CloseReason::broken}}) {
    EXPECT_EQ(to_string(close_reason_of(c.kind)), to_string(c.reason)) << to_string(c.kind);
  }
}

}  // namespace
}  // namespace penstock
