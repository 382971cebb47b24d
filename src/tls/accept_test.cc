#include "tls/accept.h"

#include <chrono>
#include <string>
#include <utility>

#include <gtest/gtest.h>

#include "async/sleep.h"
#include "tls/accept_fixture_test.h"

namespace penstock {
namespace {

using std::chrono::seconds;

class TlsAccept : public TlsAcceptTest {};

TEST_F(TlsAccept, Version13) {
  ASSERT_TRUE(connect());
  EXPECT_EQ(facts.version, TlsVersion::v1_3);
  EXPECT_EQ(facts.cipher, "TLS_AES_256_GCM_SHA384");
  EXPECT_EQ(facts.server_name, kHost);
  EXPECT_EQ(facts.alpn, "");
  EXPECT_FALSE(facts.resumed);
  EXPECT_FALSE(facts.has_certificate());
  greet();
}

TEST_F(TlsAccept, Version12) {
  use_version(TLS1_2_VERSION);
  ASSERT_TRUE(connect());
  EXPECT_EQ(facts.version, TlsVersion::v1_2);
  EXPECT_EQ(facts.cipher, "ECDHE-ECDSA-AES256-GCM-SHA384");
  EXPECT_EQ(facts.server_name, kHost);
  greet();
}

// OpenSSL itself can't speak older versions on most systems: they are asked for by hand.
TEST_F(TlsAccept, VersionsThatAreTooOld) {
  settings.min_version = TlsVersion::v1_3;
  use_version(TLS1_2_VERSION);
  EXPECT_FALSE(connect());
  expect_refused(ErrorKind::tls_protocol, "no TLS version in common");
  EXPECT_EQ(client->reason, SSL_R_TLSV1_ALERT_PROTOCOL_VERSION);
  EXPECT_EQ(facts.server_name, kHost);  // known even so
}

TEST_F(TlsAccept, NoForwardSecrecyNoEncryptionWithoutAead) {
  use_version(TLS1_2_VERSION);
  for (const char* weak : {"AES128-GCM-SHA256", "ECDHE-ECDSA-AES128-SHA",
                           "ECDHE-ECDSA-AES128-SHA256", "DHE-RSA-AES128-GCM-SHA256"}) {
    ASSERT_EQ(SSL_CTX_set_cipher_list(client_context.get(), weak), 1);
    EXPECT_FALSE(connect()) << weak;
    expect_refused(ErrorKind::tls_protocol, "no cipher in common");
    EXPECT_EQ(client->reason, SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE);
  }
}

TEST_F(TlsAccept, GroupsOfKeyExchange) {
  for (const char* group : {"X25519", "P-256", "P-384"}) {
    ASSERT_EQ(SSL_CTX_set1_groups_list(client_context.get(), group), 1);
    EXPECT_TRUE(connect()) << group;
  }
  ASSERT_EQ(SSL_CTX_set1_groups_list(client_context.get(), "P-521"), 1);
  EXPECT_FALSE(connect());
  expect_refused(ErrorKind::tls_protocol, "no key exchange group in common");
  // The first hello guesses wrong: HelloRetryRequest.
  ASSERT_EQ(SSL_CTX_set1_groups_list(client_context.get(), "P-521:P-384"), 1);
  EXPECT_TRUE(connect());
  EXPECT_EQ(shown(), "main");
}

// ---- Protocols.

void offer(SSL_CTX* context, const std::string& wire) {
  SSL_CTX_set_alpn_protos(context, reinterpret_cast<const unsigned char*>(wire.data()),
                          static_cast<unsigned>(wire.size()));
}

TEST_F(TlsAccept, TheServersOrderOfProtocolsCounts) {
  settings.alpn = {"h2", "http/1.1"};
  offer(client_context.get(), "\x08http/1.1\x02h2");
  ASSERT_TRUE(connect());
  EXPECT_EQ(facts.alpn, "h2");
  EXPECT_EQ(near->alpn(), "h2");
  offer(client_context.get(),
        "\x03"
        "foo\x08http/1.1");
  ASSERT_TRUE(connect());
  EXPECT_EQ(facts.alpn, "http/1.1");
}

TEST_F(TlsAccept, NoProtocolInCommon) {
  settings.alpn = {"h2", "http/1.1"};
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    use_version(version);
    offer(client_context.get(),
          "\x03"
          "foo");
    EXPECT_FALSE(connect());
    expect_refused(ErrorKind::tls_protocol, "no protocol in common (ALPN)");
    EXPECT_EQ(client->reason, SSL_R_TLSV1_ALERT_NO_APPLICATION_PROTOCOL);
    EXPECT_EQ(facts.server_name, kHost);
  }
}

TEST_F(TlsAccept, ProtocolsAreNotDemanded) {
  settings.alpn = {"h2"};
  ASSERT_TRUE(connect());
  EXPECT_EQ(facts.alpn, "");
  settings.alpn.clear();
  context.reset();
  offer(client_context.get(), "\x02h2");
  ASSERT_TRUE(connect());
  EXPECT_EQ(facts.alpn, "");
}

// Both sides ours.
TEST_F(TlsAccept, OurClientSpeaksToUs) {
  settings.alpn = {"h2", "http/1.1"};
  TlsClientSettings wanted;
  wanted.ca_file = TestCertificates::get().authority_file.path();
  wanted.alpn = {"http/1.1", "h2"};
  const auto ours = TlsClientContext::create(wanted);
  ASSERT_TRUE(ours);
  for (int i = 0; i < 3; ++i) {
    accepted.reset();
    StreamPair pair = make_stream_pair(world);
    std::optional<Accepted> connected_stream;
    scope.spawn(keep(accept_tls(std::move(pair.accepting), {}, server(), kNever, facts), accepted));
    scope.spawn(keep(connect_tls(std::move(pair.connecting), **ours, {kHost, {}}, kNever),
                     connected_stream));
    settle();
    ASSERT_TRUE(accepted && *accepted && connected_stream && *connected_stream);
    near = std::move(**accepted);
    const std::unique_ptr<TlsStream> far = std::move(**connected_stream);
    EXPECT_EQ(facts.alpn, "h2");
    EXPECT_EQ(far->alpn(), "h2");
    EXPECT_EQ(far->version(), TlsVersion::v1_3);
    EXPECT_EQ(facts.resumed, i > 0);
    EXPECT_EQ(far->resumed(), i > 0);
    ASSERT_TRUE(run(send_text(*near, "hello")));
    std::string got;
    EXPECT_EQ(run(receive_size(*far, got, 5)), Count(5));
    near.reset();
  }
}

// ---- Names.

TEST_F(TlsAccept, TheNameChoosesTheCertificate) {
  const TestIdentity second(
      {.common_name = "second",
       .alternative_names = "DNS:Two.example, DNS:three.example, IP:192.0.2.9"});
  const TestIdentity wild({.common_name = "wild", .alternative_names = "DNS:*.example"});
  const TestIdentity late({.common_name = "late", .alternative_names = "DNS:two.example"});
  settings.certificates = {main.settings(), second.settings(), wild.settings(), late.settings()};
  const struct {
    const char* asked;
    const char* shown;
  } cases[] = {{"server.example", "main"},  {"two.example", "second"}, {"TWO.Example", "second"},
               {"three.example", "second"}, {"four.example", "wild"},  {"a.b.example", "main"},
               {"example", "main"},         {"other.test", "main"},    {"", "main"},
               {"192.0.2.9", "main"}};
  for (const auto& c : cases) {
    ASSERT_TRUE(connect(c.asked)) << c.asked;
    EXPECT_EQ(shown(), c.shown) << c.asked;
  }
}

TEST_F(TlsAccept, StrictNames) {
  settings.strict_names = true;
  ASSERT_TRUE(connect());
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    use_version(version);
    for (const char* name : {"other.example", ""}) {
      EXPECT_FALSE(connect(name));
      expect_refused(ErrorKind::tls_protocol,
                     "there is no certificate for the name asked for, or none was asked for");
      EXPECT_EQ(client->reason, SSL_R_TLSV1_UNRECOGNIZED_NAME);
      EXPECT_EQ(facts.server_name, name);
    }
  }
}

TEST_F(TlsAccept, NamesThatAreNoneAreNotPassedOn) {
  ASSERT_TRUE(connect("evil\r\nname"));
  EXPECT_EQ(facts.server_name, "");
  EXPECT_EQ(shown(), "main");
}

TEST_F(TlsAccept, SignaturesTheClientKnowsChooseTheKey) {
  const TestIdentity rsa(
      {.common_name = "rsa", .alternative_names = "DNS:server.example", .key = "RSA"});
  const TestIdentity wild(
      {.common_name = "wild", .alternative_names = "DNS:*.example", .key = "RSA"});
  for (const bool with_own : {true, false}) {
    settings.certificates = {main.settings(), with_own ? rsa.settings() : wild.settings()};
    context.reset();
    for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
      use_version(version);
      SSL_CTX_set1_sigalgs_list(client_context.get(), "ecdsa_secp256r1_sha256:rsa_pss_rsae_sha256");
      ASSERT_TRUE(connect());
      EXPECT_EQ(shown(), "main");
      SSL_CTX_set1_sigalgs_list(client_context.get(), "rsa_pss_rsae_sha256");
      ASSERT_TRUE(connect());
      EXPECT_EQ(shown(), with_own ? "rsa" : "wild");
      ASSERT_TRUE(connect(""));
      EXPECT_EQ(shown(), with_own ? "rsa" : "wild");
    }
  }
  SSL_CTX_set1_sigalgs_list(client_context.get(), "ed25519");
  EXPECT_FALSE(connect());
  expect_refused(ErrorKind::tls_protocol, "no signature algorithm in common");
}

TEST_F(TlsAccept, TheChainIsShown) {
  const TestIdentity own({.common_name = "own", .alternative_names = "DNS:server.example"});
  const TestFile chain(certificate_pem(own.credentials) +
                       certificate_pem(TestCertificates::get().authority));
  settings.certificates = {{.certificate = chain.path(), .key = own.key.path(), .ocsp = {}}};
  ASSERT_TRUE(connect());
  EXPECT_EQ(sk_X509_num(SSL_get_peer_cert_chain(client->ssl())), 2);
}

// ---- Certificates of clients.

class TlsAcceptClients : public TlsAcceptTest {
 protected:
  TlsAcceptClients() {
    settings.client_ca = TestCertificates::get().authority_file.path();
    settings.client_certificates = ClientCertificates::required;
  }
  void show(const Credentials& credentials) {
    SSL_CTX_use_certificate(client_context.get(), credentials.certificate.get());
    SSL_CTX_use_PrivateKey(client_context.get(), credentials.key.get());
  }
  Task<Result<void>> talk_on() {
    while (!connected) {
      if (!co_await sleep_until(world.now() + std::chrono::microseconds(10))) break;
    }
    for (int i = 0; i < 10; ++i) {
      const auto sent = co_await client->write("GET / HTTP/1.1");
      if (!sent) co_return sent;
      if (!co_await sleep_until(world.now() + std::chrono::milliseconds(1))) break;
    }
    co_return Result<void>{};
  }
  const Credentials& authority = TestCertificates::get().authority;
};

TEST_F(TlsAcceptClients, Good) {
  const Credentials own = make_credentials({.common_name = "Jos\xc3\xa9, X"}, &authority);
  show(own);
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    use_version(version);
    session.reset();
    make_session();
    for (int i = 0; i < 2; ++i) {
      EXPECT_EQ(facts.resumed, i == 1);
      EXPECT_TRUE(facts.has_certificate());
      EXPECT_EQ(facts.subject, "CN=Jos\\C3\\A9\\, X");
      EXPECT_EQ(facts.issuer, "CN=Test CA");
      EXPECT_EQ(facts.serial, "02");
      EXPECT_EQ(facts.fingerprint.size(), 64U);
      const std::string pem = certificate_pem(own);
      std::string base64 = pem.substr(28, pem.find("\n---") - 28);
      std::erase(base64, '\n');
      EXPECT_EQ(facts.certificate, base64);
      ASSERT_TRUE(connect());
    }
  }
}

TEST_F(TlsAcceptClients, TheAuthoritiesAreNamed) {
  EXPECT_FALSE(connect());
  const STACK_OF(X509_NAME)* const names = SSL_get0_peer_CA_list(client->ssl());
  ASSERT_EQ(sk_X509_NAME_num(names), 1);
  EXPECT_EQ(X509_NAME_cmp(sk_X509_NAME_value(names, 0),
                          X509_get_subject_name(authority.certificate.get())),
            0);
}

TEST_F(TlsAcceptClients, None) {
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    use_version(version);
    EXPECT_FALSE(connect());
    expect_refused(ErrorKind::tls_protocol, "the client shows no certificate");
    EXPECT_EQ(facts.server_name, kHost);
  }
  settings.client_certificates = ClientCertificates::optional;
  context.reset();
  ASSERT_TRUE(connect());
  EXPECT_FALSE(facts.has_certificate());
  greet();
}

// The root need not be known.
TEST_F(TlsAcceptClients, OfAnAuthorityBelowTheRoot) {
  const Credentials middle =
      make_credentials({.common_name = "Middle CA", .authority = true}, &authority);
  const TestFile file(certificate_pem(middle));
  settings.client_ca = file.path();
  show(make_credentials({.common_name = "leaf"}, &middle));
  ASSERT_TRUE(connect());
  EXPECT_EQ(facts.subject, "CN=leaf");
  show(make_credentials({.common_name = "cousin"}, &authority));
  EXPECT_FALSE(connect());
  expect_refused(
      ErrorKind::tls_certificate,
      "the client's certificate is not accepted: unable to get local issuer certificate");
}

TEST_F(TlsAcceptClients, NotAskedFor) {
  settings.client_certificates = ClientCertificates::off;
  show(make_credentials({.common_name = "own"}, &authority));
  ASSERT_TRUE(connect());
  EXPECT_FALSE(facts.has_certificate());
}

TEST_F(TlsAcceptClients, Bad) {
  const Credentials stranger = make_credentials({.common_name = "Other CA", .authority = true});
  const struct {
    Credentials credentials;
    const char* why;
    int alert;
  } cases[] = {
      {make_credentials({.common_name = "old", .to = -60}, &authority), "certificate has expired",
       SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED},
      {make_credentials({.common_name = "strange"}, &stranger),
       "unable to get local issuer certificate", SSL_R_TLSV1_ALERT_UNKNOWN_CA},
      {make_credentials({.common_name = "self"}), "self-signed certificate",
       SSL_R_TLSV1_ALERT_UNKNOWN_CA},
  };
  for (const auto required : {ClientCertificates::required, ClientCertificates::optional}) {
    settings.client_certificates = required;
    context.reset();
    for (const auto& c : cases) {
      show(c.credentials);
      for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
        use_version(version);
        EXPECT_FALSE(connect());
        expect_refused(ErrorKind::tls_certificate,
                       std::string("the client's certificate is not accepted: ") + c.why);
        EXPECT_FALSE(facts.has_certificate());
        // In TLS 1.3 the client is told behind its own end of the handshake.
        if (version == TLS1_2_VERSION) {
          EXPECT_EQ(client->reason, c.alert);
          continue;
        }
        std::string got;
        EXPECT_FALSE(run(client->read(got)));
        EXPECT_EQ(client->reason, c.alert);
      }
    }
  }
}

// What it has sent already, not knowing better, is read, so that the alert gets to it.
TEST_F(TlsAcceptClients, AreToldWhyEvenIfTheyTalkOn) {
  world.set_faults(
      {.latency = {.min = std::chrono::milliseconds(1), .max = std::chrono::milliseconds(5)},
       .lose_unread = 1});
  for (int i = 0; i < 20; ++i) {
    begin();
    std::optional<Result<void>> said;
    scope.spawn(keep(talk_on(), said));
    settle();
    expect_refused(ErrorKind::tls_protocol, "the client shows no certificate");
    std::string got;
    EXPECT_FALSE(run(client->read(got)));
    EXPECT_EQ(client->reason, SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED) << i;
  }
}

TEST_F(TlsAcceptClients, ThatStayAreNotWaitedForLong) {
  const TimePoint begun = world.now();
  EXPECT_FALSE(connect());
  EXPECT_LT(world.now(), begun + seconds(1));
  EXPECT_EQ(world.open_streams(), 1U);  // only the client's own
}

// ---- What clients do wrong.

class TlsAcceptFaults : public TlsAcceptTest {
 protected:
  // The client sends these bytes and ends its direction.
  void say(const std::string& bytes) {
    begin_raw();
    ASSERT_TRUE(run(send_text(*below, bytes)));
    below->shutdown_write();
    settle();
  }
};

TEST_F(TlsAcceptFaults, OtherThanTls) {
  const std::string v2("\x80\x2e\x01\x00\x02\x00\x15\x00\x00\x00\x10\x01\x00\x80", 14);
  const struct {
    std::string bytes;
    const char* reason;
  } cases[] = {
      {"GET / HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP request on a TLS port"},
      {"OPTIONS * HTTP/1.1\r\n\r\n", "HTTP request on a TLS port"},
      {"CONNECT a:443 HTTP/1.1\r\n\r\n", "HTTP request on a TLS port"},
      {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "HTTP request on a TLS port"},
      {"GE", "HTTP request on a TLS port"},
      {"SSH-2.0-OpenSSH_9.2\r\n", "not TLS"},
      {v2, "not TLS"},
      {std::string(100, '\0'), "not TLS"},
      {"\x15\x03\x03", "not TLS"},
      {"\x16HTTP", "not TLS"},
  };
  for (const auto& c : cases) {
    say(c.bytes);
    expect_refused(ErrorKind::tls_protocol, c.reason);
    EXPECT_EQ(facts.server_name, "");
  }
}

TEST_F(TlsAcceptFaults, TheEndComesEarly) {
  const std::string whole = hello();
  for (const std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{5}, std::size_t{100},
                                 whole.size() - 1, whole.size()}) {
    say(whole.substr(0, size));
    expect_refused(ErrorKind::closed, "the client closed before the handshake was complete");
    EXPECT_EQ(facts.server_name, size == whole.size() ? kHost : "");
  }
}

TEST_F(TlsAcceptFaults, EveryByteOfTheHelloChanged) {
  const std::string whole = hello();
  for (std::size_t at = 0; at < whole.size(); ++at) {
    std::string changed = whole;
    changed[at] = static_cast<char>(changed[at] ^ 0x55);
    say(changed);
    ASSERT_TRUE(accepted) << at;
    EXPECT_FALSE(*accepted);
    EXPECT_FALSE(tls_accept_reason(accept_error()).empty());
  }
}

TEST_F(TlsAcceptFaults, TooSlow) {
  const std::string whole = hello();
  for (const std::size_t size : {std::size_t{0}, std::size_t{3}, whole.size()}) {
    const TimePoint deadline = world.now() + seconds(5);
    begin_raw(deadline);
    ASSERT_TRUE(run(send_text(*below, whole.substr(0, size))));
    settle();
    expect_refused(ErrorKind::timed_out, "the handshake took too long");
    EXPECT_GE(world.now(), deadline);
    EXPECT_LT(world.now(), deadline + seconds(1));
  }
}

Task<Result<void>> send_slowly(ByteStream& stream, std::string text, SimWorld& world) {
  for (const char c : text) {
    const auto sent = co_await send_text(stream, std::string(1, c));
    if (!sent) co_return fail(sent.error());
    if (!co_await sleep_until(world.now() + std::chrono::milliseconds(100))) break;
  }
  co_return Result<void>{};
}

TEST_F(TlsAcceptFaults, AByteAtATimeDoesNotMoveTheDeadline) {
  const TimePoint deadline = world.now() + seconds(5);
  begin_raw(deadline);
  std::optional<Result<void>> sent;
  scope.spawn(keep(send_slowly(*below, hello(), world), sent));
  settle();
  expect_refused(ErrorKind::timed_out, "the handshake took too long");
  ASSERT_TRUE(sent);
  EXPECT_FALSE(*sent);  // it was closed
}

TEST_F(TlsAcceptFaults, Cancelled) {
  begin();
  scope.cancel();
  settle();
  EXPECT_EQ(accept_error().kind, ErrorKind::cancelled);
}

TEST_F(TlsAcceptFaults, TheClientTrustsNobody) {
  SSL_CTX_set_verify(client_context.get(), SSL_VERIFY_PEER, nullptr);
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    use_version(version);
    EXPECT_FALSE(connect());
    expect_refused(ErrorKind::tls_alert,
                   "the client does not trust our certificate (alert unknown_ca)");
  }
}

TEST_F(TlsAcceptFaults, RenegotiationIsRefused) {
  use_version(TLS1_2_VERSION);
  ASSERT_TRUE(connect());
  greet();
  ASSERT_EQ(SSL_renegotiate(client->ssl()), 1);
  std::optional<Result<void>> again;
  scope.spawn(keep(client->handshake(), again));
  std::string got;
  const Count count = run(receive_all(*near, got));
  ASSERT_FALSE(count);
  EXPECT_EQ(count.error().kind, ErrorKind::tls_protocol);
  EXPECT_EQ(tls_break_reason(count.error()), "the client wanted to renegotiate, which is refused");
  ASSERT_TRUE(again);
  EXPECT_FALSE(*again);
  EXPECT_EQ(client->reason, SSL_R_NO_RENEGOTIATION);
}

TEST_F(TlsAcceptFaults, BytesReadBeforeCount) {
  for (const std::size_t size : {1U, 5U, 200U}) {
    const std::string whole = hello();
    InputBuffer input;
    std::ranges::copy(whole.substr(0, size), input.writable().begin());
    input.commit(size);
    begin_raw(kNever, std::move(input));
    ASSERT_TRUE(run(send_text(*below, whole.substr(size))));
    below->shutdown_write();
    settle();
    EXPECT_EQ(facts.server_name, kHost);
    EXPECT_EQ(accept_error().kind, ErrorKind::closed);
  }
}

TEST_F(TlsAcceptFaults, EarlyDataIsNotTaken) {
  make_session();
  EXPECT_EQ(SSL_SESSION_get_max_early_data(session.get()), 0U);
}

TEST(TlsBreakReason, NamesTheAlert) {
  EXPECT_EQ(tls_break_reason({.kind = ErrorKind::tls_alert, .cause = SSL_AD_BAD_RECORD_MAC}),
            "the client ended it: alert 20, bad record mac");
}

TEST(TlsAcceptReason, NeverEmpty) {
  for (int kind = 0; kind <= static_cast<int>(ErrorKind::io); ++kind) {
    for (const int cause : {0, 1, 40, 48, 300}) {
      EXPECT_FALSE(
          tls_accept_reason({.kind = static_cast<ErrorKind>(kind), .cause = cause}).empty());
      EXPECT_FALSE(
          tls_break_reason({.kind = static_cast<ErrorKind>(kind), .cause = cause}).empty());
    }
  }
}

}  // namespace
}  // namespace penstock
