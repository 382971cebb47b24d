// For tests: a TlsStream that is connected, and whose tickets have been taken.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "tls/tls_test.h"

namespace penstock {

class TlsStreamTest : public TlsTest {
 protected:
  void SetUp() override {
    ASSERT_TRUE(connect());
    // Past the session tickets.
    ASSERT_EQ(hear("x"), Count(1));
    got.clear();
  }
  // The server says it and we read it.
  Count hear(const std::string& text) {
    EXPECT_TRUE(run(far->write(text)));
    return run(receive_size(*near, got, text.size()));
  }
  // Bytes of a record from the server, not sent.
  std::string record(std::string_view text) {
    SSL_write(far->ssl(), text.data(), static_cast<int>(text.size()));
    return take_records();
  }
  std::string take_records() {
    BIO* const out = SSL_get_wbio(far->ssl());
    std::string bytes(BIO_ctrl_pending(out), '\0');
    BIO_read(out, bytes.data(), static_cast<int>(bytes.size()));
    return bytes;
  }
  void send_raw(const std::string& bytes) { ASSERT_TRUE(run(send_text(*far_below, bytes))); }
  Count read_now(Duration limit = std::chrono::seconds(1)) {
    InputBuffer buffer;
    const Count count = run(read_into(buffer, limit));
    got += buffer.unread();
    buffer.consume(buffer.size());
    return count;
  }
  Task<Count> read_into(InputBuffer& buffer, Duration limit) {
    co_return co_await read_some(*near, buffer, deadline_after(world.now(), limit));
  }
  std::string got;
  Watcher watcher;
};

}  // namespace penstock
