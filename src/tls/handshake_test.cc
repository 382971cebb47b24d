#include <chrono>
#include <memory>
#include <string>
#include <utility>

#include <gtest/gtest.h>
#include <openssl/x509_vfy.h>

#include "tls/error.h"
#include "tls/tls_test.h"

namespace penstock {
namespace {

using std::chrono::seconds;

// Both ends say something, so that tickets get through as well.
Task<Result<void>> greet(TlsServerEnd& server, TlsStream& client) {
  const auto sent = co_await server.write("hello");
  if (!sent) co_return sent;
  std::string got;
  const auto received = co_await receive_size(client, got, 5);
  if (!received) co_return fail(received.error());
  EXPECT_EQ(got, "hello");
  const auto asked = co_await send_text(client, "bye");
  if (!asked) co_return fail(asked.error());
  got.clear();
  const auto heard = co_await server.read(got);
  if (!heard) co_return fail(heard.error());
  EXPECT_EQ(got, "bye");
  co_return Result<void>{};
}

class TlsHandshake : public TlsTest {
 protected:
  void expect_certificate_error(int cause, std::string_view text) {
    const Error error = connect_error();
    EXPECT_EQ(error, (Error{ErrorKind::tls_certificate, Side::server, true, cause}));
    EXPECT_EQ(tls_cause_text(error), text);
    EXPECT_FALSE(accepted && *accepted && SSL_version(far->ssl()) == TLS1_2_VERSION);
  }
  // The server shows another certificate.
  void present(const CertificateSpec& spec, bool signed_by_authority = true) {
    server_context = make_server_context(
        make_credentials(spec, signed_by_authority ? &TestCertificates::get().authority : nullptr));
  }
};

// The root need not be known.
TEST_F(TlsHandshake, AnAuthorityBelowTheRootIsEnough) {
  const Credentials middle = make_credentials({.common_name = "Middle CA", .authority = true},
                                              &TestCertificates::get().authority);
  const TestFile file(certificate_pem(middle));
  settings.ca_file = file.path();
  server_context = make_server_context(make_credentials(
      {.common_name = "x", .alternative_names = std::string("DNS:") + kHost}, &middle));
  EXPECT_TRUE(connect());
}

TEST_F(TlsHandshake, Version13) {
  settings.alpn = {"h2", "http/1.1"};
  ASSERT_TRUE(connect());
  EXPECT_EQ(near->version(), TlsVersion::v1_3);
  EXPECT_EQ(near->cipher(), "TLS_AES_256_GCM_SHA384");
  EXPECT_EQ(near->alpn(), "");
  EXPECT_FALSE(near->resumed());
  EXPECT_EQ(near->native_socket(), -1);
  EXPECT_STREQ(SSL_get_servername(far->ssl(), TLSEXT_NAMETYPE_host_name), kHost);
  EXPECT_TRUE(run(greet(*far, *near)));
}

TEST_F(TlsHandshake, Version12) {
  use_version(TLS1_2_VERSION);
  ASSERT_TRUE(connect());
  EXPECT_EQ(near->version(), TlsVersion::v1_2);
  EXPECT_TRUE(near->cipher().starts_with("ECDHE-"));
  EXPECT_TRUE(run(greet(*far, *near)));
}

int choose_protocol(SSL* /*ssl*/, const unsigned char** out, unsigned char* size,
                    const unsigned char* offered, unsigned offered_size, void* wanted) {
  const auto& name = *static_cast<const std::string*>(wanted);
  return SSL_select_next_proto(const_cast<unsigned char**>(out), size,
                               reinterpret_cast<const unsigned char*>(name.data()),
                               static_cast<unsigned>(name.size()), offered,
                               offered_size) == OPENSSL_NPN_NEGOTIATED
             ? SSL_TLSEXT_ERR_OK
             : SSL_TLSEXT_ERR_ALERT_FATAL;
}

TEST_F(TlsHandshake, ProtocolsAreOffered) {
  std::string wanted = "\x08http/1.1";
  SSL_CTX_set_alpn_select_cb(server_context.get(), choose_protocol, &wanted);
  settings.alpn = {"h2", "http/1.1"};
  ASSERT_TRUE(connect());
  EXPECT_EQ(near->alpn(), "http/1.1");

  wanted = "\x04none";
  EXPECT_FALSE(connect());
  const Error error = connect_error();
  EXPECT_EQ(error,
            (Error{ErrorKind::tls_alert, Side::server, true, SSL_AD_NO_APPLICATION_PROTOCOL}));
  EXPECT_EQ(tls_cause_text(error), "no application protocol");
}

TEST_F(TlsHandshake, Names) {
  EXPECT_TRUE(connect("SERVER.example"));
  EXPECT_TRUE(connect("server.example."));
  EXPECT_STREQ(SSL_get_servername(far->ssl(), TLSEXT_NAMETYPE_host_name), kHost);
  EXPECT_TRUE(connect("a.wild.example"));
  for (const char* wrong : {"other.example", "a.b.wild.example", "wild.example", "server"}) {
    EXPECT_FALSE(connect(wrong)) << wrong;
    expect_certificate_error(X509_V_ERR_HOSTNAME_MISMATCH, "hostname mismatch");
  }
}

TEST_F(TlsHandshake, AddressesAreLookedForButNotSent) {
  for (const char* right : {"192.0.2.7", "2001:db8::7", "[2001:db8::7]"}) {
    ASSERT_TRUE(connect(right)) << right;
    EXPECT_EQ(SSL_get_servername(far->ssl(), TLSEXT_NAMETYPE_host_name), nullptr);
  }
  EXPECT_FALSE(connect("192.0.2.8"));
  expect_certificate_error(X509_V_ERR_IP_ADDRESS_MISMATCH, "IP address mismatch");
}

TEST_F(TlsHandshake, NoNameIsNoServer) {
  const std::string half("server.example\0.evil.example", 28);
  for (const std::string& host : {std::string(), half, std::string(300, 'a')}) {
    EXPECT_FALSE(connect(host));
    expect_certificate_error(X509_V_ERR_HOSTNAME_MISMATCH, "hostname mismatch");
  }
}

TEST_F(TlsHandshake, TheNameInTheSettingsWins) {
  settings.server_name = kHost;
  ASSERT_TRUE(connect("10.0.0.1"));
  EXPECT_STREQ(SSL_get_servername(far->ssl(), TLSEXT_NAMETYPE_host_name), kHost);
  settings.server_name = "other.example";
  client_context.reset();
  EXPECT_FALSE(connect(kHost));
  expect_certificate_error(X509_V_ERR_HOSTNAME_MISMATCH, "hostname mismatch");
}

TEST_F(TlsHandshake, TheSubjectIsNoName) {
  present({.common_name = kHost});
  EXPECT_FALSE(connect());
  expect_certificate_error(X509_V_ERR_HOSTNAME_MISMATCH, "hostname mismatch");
}

TEST_F(TlsHandshake, Expired) {
  present({.common_name = "old", .alternative_names = "DNS:server.example", .to = -60});
  EXPECT_FALSE(connect());
  expect_certificate_error(X509_V_ERR_CERT_HAS_EXPIRED, "certificate has expired");
  use_version(TLS1_2_VERSION);
  EXPECT_FALSE(connect());
  expect_certificate_error(X509_V_ERR_CERT_HAS_EXPIRED, "certificate has expired");
  EXPECT_EQ(far->reason, SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED);  // it was told
}

TEST_F(TlsHandshake, UnknownAuthority) {
  settings.ca_file.clear();  // the system's
  EXPECT_FALSE(connect());
  expect_certificate_error(X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY,
                           "unable to get local issuer certificate");
}

TEST_F(TlsHandshake, SelfSigned) {
  present({.common_name = "self", .alternative_names = "DNS:server.example"}, false);
  EXPECT_FALSE(connect());
  expect_certificate_error(X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT, "self-signed certificate");
}

TEST_F(TlsHandshake, InsecureTakesAnyCertificate) {
  settings.insecure = true;
  present({.common_name = "self", .to = -60}, false);
  EXPECT_TRUE(connect());
  EXPECT_STREQ(SSL_get_servername(far->ssl(), TLSEXT_NAMETYPE_host_name), kHost);
  EXPECT_TRUE(connect("192.0.2.99"));
  EXPECT_TRUE(connect(""));
  EXPECT_TRUE(run(greet(*far, *near)));
}

TEST_F(TlsHandshake, ServersThatAreTooOldOrWeak) {
  settings.min_version = TlsVersion::v1_3;
  use_version(TLS1_2_VERSION);
  EXPECT_FALSE(connect());
  EXPECT_EQ(connect_error(),
            (Error{ErrorKind::tls_alert, Side::server, true, SSL_AD_PROTOCOL_VERSION}));

  settings.min_version = TlsVersion::v1_2;
  client_context.reset();
  SSL_CTX_set_cipher_list(server_context.get(), "AES128-SHA:ECDHE-ECDSA-AES128-SHA");
  EXPECT_FALSE(connect());
  EXPECT_EQ(connect_error(),
            (Error{ErrorKind::tls_alert, Side::server, true, SSL_AD_HANDSHAKE_FAILURE}));
}

TEST_F(TlsHandshake, ClientCertificate) {
  const Credentials own =
      make_credentials({.common_name = "proxy"}, &TestCertificates::get().authority);
  const TestFile certificate(certificate_pem(own));
  const TestFile key(key_pem(own));
  SSL_CTX_set_verify(server_context.get(), SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT,
                     nullptr);
  X509_STORE_add_cert(SSL_CTX_get_cert_store(server_context.get()),
                      TestCertificates::get().authority.certificate.get());
  // In TLS 1.3 we have ended the handshake before the server looks.
  EXPECT_FALSE(connect());
  ASSERT_TRUE(near);
  std::string got;
  EXPECT_EQ(run(receive_all(*near, got)),
            Count(fail(ErrorKind::tls_alert, SSL_AD_CERTIFICATE_REQUIRED)));

  settings.certificate = certificate.path();
  settings.key = key.path();
  client_context.reset();
  ASSERT_TRUE(connect());
  const X509Ptr seen(SSL_get1_peer_certificate(far->ssl()));
  ASSERT_TRUE(seen);
  EXPECT_EQ(X509_cmp(seen.get(), own.certificate.get()), 0);
}

TEST_F(TlsHandshake, SilentServer) {
  StreamPair pair = make_stream_pair(world);
  far_below = std::move(pair.accepting);
  const TimePoint deadline = world.now() + seconds(5);
  const auto got =
      run(connect_tls(std::move(pair.connecting), *client(), {kHost, address}, deadline));
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error(), (Error{ErrorKind::timed_out, Side::server, true, 0}));
  EXPECT_GE(world.now(), deadline);
  EXPECT_LT(world.now(), deadline + seconds(1));
}

TEST_F(TlsHandshake, Cancelled) {
  begin();
  scope.cancel();
  settle();
  EXPECT_EQ(connect_error().kind, ErrorKind::cancelled);
}

TEST_F(TlsHandshake, NotTls) {
  struct Case {
    const char* bytes;
    ErrorKind kind;
  };
  for (const Case& c : {Case{"HTTP/1.1 400 Bad Request\r\n\r\n", ErrorKind::tls_protocol},
                        Case{"garbage garbage garbage", ErrorKind::tls_protocol},
                        Case{"\x16\x03", ErrorKind::closed}, Case{"", ErrorKind::closed},
                        Case{"\x15\x03\x03\x00\x02\x02\x28", ErrorKind::tls_alert}}) {
    StreamPair pair = make_stream_pair(world);
    far_below = std::move(pair.accepting);
    std::string bytes = c.bytes;
    if (c.kind == ErrorKind::tls_alert) bytes = std::string("\x15\x03\x03\x00\x02\x02\x28", 7);
    ASSERT_TRUE(run(send_text(*far_below, bytes)));
    far_below->shutdown_write();
    const auto got = run(connect_tls(std::move(pair.connecting), *client(), {kHost, {}}, kNever));
    ASSERT_FALSE(got) << c.bytes;
    EXPECT_EQ(to_string(got.error().kind), to_string(c.kind)) << c.bytes;
    EXPECT_EQ(got.error().side, Side::server);
    EXPECT_TRUE(got.error().retryable);
    EXPECT_EQ(tls_cause_text(got.error()).empty(), c.kind == ErrorKind::closed);
  }
}

Task<Result<void>> send_for_ever(ByteStream& stream, std::string text) {
  while (true) {
    const auto sent = co_await send_text(stream, text);
    if (!sent) co_return fail(sent.error());
  }
}

TEST_F(TlsHandshake, EndlessInputIsCutOff) {
  StreamPair pair = make_stream_pair(world);
  far_below = std::move(pair.accepting);
  std::optional<Result<void>> sent;
  // HelloRequests, of which a client has to ignore any number (RFC 5246 section 7.4.1.1).
  std::string records;
  for (int i = 0; i < 1000; ++i) records += std::string("\x16\x03\x03\x00\x04\x00\x00\x00\x00", 9);
  scope.spawn(keep(send_for_ever(*far_below, records), sent));
  const auto got = run(connect_tls(std::move(pair.connecting), *client(), {kHost, {}}, kNever));
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error(), (Error{ErrorKind::tls_protocol, Side::server, true, 0}));
}

// ---- Resumption.

TEST_F(TlsHandshake, SessionsAreResumed) {
  for (const int version : {TLS1_3_VERSION, TLS1_2_VERSION}) {
    use_version(version);
    ASSERT_TRUE(connect());
    EXPECT_FALSE(near->resumed());
    ASSERT_TRUE(run(greet(*far, *near)));
    for (int i = 0; i < 5; ++i) {
      ASSERT_TRUE(connect());
      EXPECT_TRUE(near->resumed()) << i;
      EXPECT_EQ(SSL_session_reused(far->ssl()), 1);
      ASSERT_TRUE(run(greet(*far, *near)));
    }
    client_context.reset();
  }
}

TEST_F(TlsHandshake, TicketsAreUsedOnce) {
  ASSERT_TRUE(connect());
  ASSERT_TRUE(run(greet(*far, *near)));
  const std::size_t tickets = client()->sessions();
  EXPECT_EQ(tickets, 2U);
  SSL_CTX_set_num_tickets(server_context.get(), 0);
  for (std::size_t i = 0; i < tickets; ++i) {
    ASSERT_TRUE(connect());
    EXPECT_TRUE(near->resumed());
    ASSERT_TRUE(run(greet(*far, *near)));
  }
  ASSERT_TRUE(connect());
  EXPECT_FALSE(near->resumed());
}

TEST_F(TlsHandshake, SessionsAreOfOneServerAndName) {
  ASSERT_TRUE(connect());
  ASSERT_TRUE(run(greet(*far, *near)));
  ASSERT_TRUE(connect("a.wild.example"));
  EXPECT_FALSE(near->resumed());
  address = "192.0.2.8:443";
  ASSERT_TRUE(connect());
  EXPECT_FALSE(near->resumed());
  address = "192.0.2.7:443";
  ASSERT_TRUE(connect());
  EXPECT_TRUE(near->resumed());
}

TEST_F(TlsHandshake, ASessionNobodyKnowsDoesNoHarm) {
  for (const int version : {TLS1_3_VERSION, TLS1_2_VERSION}) {
    client_context.reset();
    use_version(version);
    ASSERT_TRUE(connect());
    ASSERT_TRUE(run(greet(*far, *near)));
    near.reset();
    far.reset();
    server_context = make_server_context(TestCertificates::get().server);  // other ticket keys
    use_version(version);
    ASSERT_TRUE(connect());
    EXPECT_FALSE(near->resumed());
    EXPECT_TRUE(run(greet(*far, *near)));
  }
}

TEST_F(TlsHandshake, AConnectionOutlivesItsContext) {
  ASSERT_TRUE(connect());
  client_context.reset();
  EXPECT_TRUE(run(greet(*far, *near)));  // tickets come
}

}  // namespace
}  // namespace penstock
