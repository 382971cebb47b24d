// Checks of invariants, kept in release builds.
//
// What a peer, a file or the kernel can bring about is never checked this way: that is an Error
// (base/error.h). A failed check is a bug of ours; going on could mix up two users' bytes, so the
// process aborts with the place and the condition.
#pragma once

namespace penstock {

// Prints the failed condition with its place to stderr and aborts. Never returns.
[[noreturn]] void check_failed(const char* condition, const char* file, int line);

}  // namespace penstock

#define PENSTOCK_CHECK(condition)                    \
  (__builtin_expect(static_cast<bool>(condition), 1) \
       ? static_cast<void>(0)                        \
       : ::penstock::check_failed(#condition, __FILE__, __LINE__))
