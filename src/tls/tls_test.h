// For tests: a TlsStream and a server's end on a simulated connection.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include <gtest/gtest.h>

#include "async/scope.h"
#include "sim/peer.h"
#include "sim/stream.h"
#include "sim/world.h"
#include "tls/server_end_test.h"
#include "tls/stream.h"

namespace penstock {

using Count = Result<std::size_t>;
inline constexpr const char* kHost = "server.example";

// The certificates of all tests.
struct TestCertificates {
  Credentials authority = make_credentials({.common_name = "Test CA", .authority = true});
  Credentials server = make_credentials(
      {.common_name = "server",
       .alternative_names = "DNS:server.example, DNS:*.wild.example, IP:192.0.2.7, "
                            "IP:2001:db8::7"},
      &authority);
  TestFile authority_file{certificate_pem(authority)};

  static const TestCertificates& get() {
    static const TestCertificates made;
    return made;
  }
};

inline SslContextPtr make_server_context(const Credentials& credentials) {
  SslContextPtr context(SSL_CTX_new(TLS_server_method()));
  EXPECT_EQ(SSL_CTX_use_certificate(context.get(), credentials.certificate.get()), 1);
  EXPECT_EQ(SSL_CTX_use_PrivateKey(context.get(), credentials.key.get()), 1);
  return context;
}

class Watcher final : public StreamObserver {
 public:
  void on_stream_event(bool broken) override { ++(broken ? breaks : events); }
  int events = 0;
  int breaks = 0;
};

template <class T>
Task<void> keep(Task<T> task, std::optional<T>& result) {
  result = co_await std::move(task);
}

// A simulated world in which nothing may be left in the end.
class TlsWorldTest : public testing::Test {
 protected:
  explicit TlsWorldTest(std::uint64_t seed = 1) : world(seed) {}

  void settle() { EXPECT_EQ(world.run_until_idle(), SimOutcome::idle); }
  template <class T>
  T run(Task<T> task) {
    std::optional<T> result;
    scope.spawn(keep(std::move(task), result));
    settle();
    EXPECT_TRUE(result.has_value());
    return std::move(*result);
  }
  void expect_nothing_left() {
    settle();
    EXPECT_EQ(world.open_streams(), 0U);
    EXPECT_EQ(world.pending_ops(), 0U);
  }

  SimWorld world;
  Scope scope{world.executor()};
};

// One connection: `near` is ours, `far` the server's.
class TlsTest : public TlsWorldTest {
 protected:
  using Connected = Result<std::unique_ptr<TlsStream>>;

  explicit TlsTest(std::uint64_t seed = 1) : TlsWorldTest(seed) {
    settings.ca_file = TestCertificates::get().authority_file.path();
  }
  ~TlsTest() override { hang_up(); }

  void hang_up() {
    scope.cancel();
    settle();
    near.reset();
    far.reset();
    far_below.reset();
    expect_nothing_left();
  }

  const std::shared_ptr<const TlsClientContext>& client() {
    if (!client_context) {
      auto made = TlsClientContext::create(settings);
      EXPECT_TRUE(made) << made.error();
      client_context = std::move(*made);
    }
    return client_context;
  }

  // Handshakes at both ends; what each came to is in `connected` and `accepted`.
  void begin(std::string_view host = kHost, TimePoint deadline = kNever) {
    near.reset();
    far.reset();
    StreamPair pair = make_stream_pair(world);
    far_below = std::move(pair.accepting);
    far.emplace(server_context.get(), *far_below);
    connected.reset();
    accepted.reset();
    scope.spawn(keep(connect_tls(std::move(pair.connecting), *client(), {host, address}, deadline),
                     connected));
    scope.spawn(keep(far->handshake(), accepted));
  }
  // The same up to the end. True when it succeeded.
  bool connect(std::string_view host = kHost) {
    begin(host);
    settle();
    if (!connected || !*connected) return false;
    near = std::move(**connected);
    return accepted && *accepted;
  }
  [[nodiscard]] Error connect_error() const {
    EXPECT_TRUE(connected && !*connected);
    return connected && !*connected ? connected->error() : Error{};
  }
  void use_version(int version) {
    SSL_CTX_set_max_proto_version(server_context.get(), version);
    SSL_CTX_set_min_proto_version(server_context.get(), version);
  }

  TlsClientSettings settings;
  std::shared_ptr<const TlsClientContext> client_context;
  SslContextPtr server_context = make_server_context(TestCertificates::get().server);
  std::string address = "192.0.2.7:443";
  std::unique_ptr<ByteStream> far_below;
  std::optional<TlsServerEnd> far;
  std::unique_ptr<TlsStream> near;
  std::optional<Connected> connected;
  std::optional<Result<void>> accepted;
};

}  // namespace penstock
