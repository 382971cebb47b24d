// For tests: accept_tls() on a simulated connection, and OpenSSL as its client.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "async/scope.h"
#include "sim/peer.h"
#include "sim/stream.h"
#include "sim/world.h"
#include "tls/accept.h"
#include "tls/server_end_test.h"
#include "tls/tls_test.h"

namespace penstock {

// A certificate with its key in files.
struct TestIdentity {
  explicit TestIdentity(const CertificateSpec& spec,
                        const Credentials* issuer = &TestCertificates::get().authority)
      : credentials(make_credentials(spec, issuer)) {}
  [[nodiscard]] TlsCertificateSettings settings() const {
    return {.certificate = certificate.path(), .key = key.path(), .ocsp = {}};
  }
  Credentials credentials;
  TestFile certificate{certificate_pem(credentials)};
  TestFile key{key_pem(credentials)};
};

// The wall clock, ahead by so many seconds.
inline std::time_t test_clock_ahead = 0;
inline std::time_t test_clock() { return std::time(nullptr) + test_clock_ahead; }

class TlsAcceptTest : public TlsWorldTest {
 protected:
  using Accepted = Result<std::unique_ptr<TlsStream>>;

  TlsAcceptTest() {
    test_clock_ahead = 0;
    settings.certificates = {main.settings()};
  }
  ~TlsAcceptTest() override { hang_up(); }

  void hang_up() {
    scope.cancel();
    settle();
    near.reset();
    client.reset();
    below.reset();
    expect_nothing_left();
  }

  const std::shared_ptr<TlsServerContext>& server() {
    if (!context) {
      auto made = TlsServerContext::create(settings, test_clock);
      EXPECT_TRUE(made) << made.error();
      context = std::move(*made);
    }
    return context;
  }
  static SslContextPtr make_client() {
    SslContextPtr made(SSL_CTX_new(TLS_client_method()));
    SSL_CTX_set_session_cache_mode(made.get(), SSL_SESS_CACHE_CLIENT);
    return made;
  }
  void use_version(int version) {
    SSL_CTX_set_min_proto_version(client_context.get(), version);
    SSL_CTX_set_max_proto_version(client_context.get(), version);
  }

  // The two ends of a connection; what the client sends is up to the test.
  void begin_raw(TimePoint deadline = kNever, InputBuffer input = {}) {
    near.reset();
    client.reset();
    StreamPair pair = make_stream_pair(world);
    below = std::move(pair.connecting);
    facts = {};
    accepted.reset();
    scope.spawn(
        keep(accept_tls(std::move(pair.accepting), std::move(input), server(), deadline, facts),
             accepted));
  }
  // What a client begins with.
  std::string hello() {
    const SslPtr ssl(SSL_new(client_context.get()));
    SSL_set_tlsext_host_name(ssl.get(), kHost);
    SSL_set_connect_state(ssl.get());
    BIO* const out = BIO_new(BIO_s_mem());
    SSL_set_bio(ssl.get(), BIO_new(BIO_s_mem()), out);
    SSL_do_handshake(ssl.get());
    return text_of(*out);
  }
  // Handshakes at both ends, asking for that name (if not empty) and to resume `session`.
  void begin(std::string_view name = kHost) {
    begin_raw();
    SslPtr ssl(SSL_new(client_context.get()));
    SSL_set_connect_state(ssl.get());
    if (!name.empty()) SSL_set_tlsext_host_name(ssl.get(), std::string(name).c_str());
    if (session) SSL_set_session(ssl.get(), session.get());
    if (ask_status) SSL_set_tlsext_status_type(ssl.get(), TLSEXT_STATUSTYPE_ocsp);
    client.emplace(std::move(ssl), *below);
    connected.reset();
    scope.spawn(keep(client->handshake(), connected));
  }
  bool connect(std::string_view name = kHost) {
    begin(name);
    settle();
    if (!accepted || !*accepted) return false;
    near = std::move(**accepted);
    return connected && *connected;
  }
  // Both say something, so that tickets get through.
  void greet() {
    ASSERT_TRUE(near);
    ASSERT_TRUE(run(send_text(*near, "hello")));
    std::string got;
    ASSERT_TRUE(run(client->read_up_to(got, 5)));
    EXPECT_EQ(got, "hello");
    ASSERT_TRUE(run(client->write("bye")));
    got.clear();
    ASSERT_TRUE(run(receive_size(*near, got, 3)));
    EXPECT_EQ(got, "bye");
  }
  // Connects and takes the session that can be resumed.
  void make_session(std::string_view name = kHost) {
    session.reset();
    ASSERT_TRUE(connect(name));
    greet();
    keep_session();
  }
  // A copy: one that is in use is spoilt when its connection ends without close_notify.
  void keep_session() { session.reset(SSL_SESSION_dup(SSL_get0_session(client->ssl()))); }
  [[nodiscard]] Error accept_error() const {
    EXPECT_TRUE(accepted && !*accepted);
    return accepted && !*accepted ? accepted->error() : Error{};
  }
  void expect_refused(ErrorKind kind, std::string_view reason) {
    const Error error = accept_error();
    EXPECT_EQ(to_string(error.kind), to_string(kind));
    EXPECT_EQ(error.side, Side::client);
    EXPECT_FALSE(error.retryable);
    EXPECT_EQ(tls_accept_reason(error), reason);
  }
  // The common name of the certificate that the client got.
  [[nodiscard]] std::string shown() const {
    const X509* const certificate = SSL_get0_peer_certificate(client->ssl());
    if (certificate == nullptr) return {};
    char name[100] = {};
    X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), NID_commonName, name,
                              sizeof name);
    return name;
  }

  TestIdentity main{
      {.common_name = "main", .alternative_names = "DNS:server.example", .key = "EC"}};
  TlsServerSettings settings;
  std::shared_ptr<TlsServerContext> context;
  SslContextPtr client_context = make_client();
  SslSessionPtr session;
  bool ask_status = false;
  std::unique_ptr<ByteStream> below;
  std::optional<TlsServerEnd> client;
  std::unique_ptr<TlsStream> near;
  TlsClientFacts facts;
  std::optional<Accepted> accepted;
  std::optional<Result<void>> connected;
};

}  // namespace penstock
