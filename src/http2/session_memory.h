// nghttp2's memory from the thread's pool.
#pragma once

#include <nghttp2/nghttp2.h>

namespace penstock::http2 {

// Static; blocks stay on the thread that took them, as connections do.
[[nodiscard]] nghttp2_mem* session_memory();

}  // namespace penstock::http2
