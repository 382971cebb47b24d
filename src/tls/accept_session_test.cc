// Sessions that are resumed, and those that must not be.
#include <chrono>
#include <ctime>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "tls/accept_fixture_test.h"
#include "tls/ticket_keys.h"

namespace penstock {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

class TlsAcceptSessions : public TlsAcceptTest {
 protected:
  // Connects with `session`, or says why that fails.
  bool resumes(std::string_view name = kHost) {
    EXPECT_TRUE(connect(name));
    EXPECT_EQ(SSL_session_reused(client->ssl()) == 1, facts.resumed);
    return facts.resumed;
  }
  static constexpr int kVersions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
};

TEST_F(TlsAcceptSessions, AreResumed) {
  for (const int version : kVersions) {
    use_version(version);
    make_session();
    EXPECT_FALSE(facts.resumed);
    for (int i = 0; i < 3; ++i) {
      EXPECT_TRUE(resumes());
      EXPECT_EQ(facts.server_name, kHost);
      greet();
      keep_session();
    }
  }
}

int count_session(SSL* ssl, SSL_SESSION* /*session*/) {
  ++*static_cast<int*>(SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl)));
  return 0;
}

TEST_F(TlsAcceptSessions, TwoTicketsAtFirstThenOne) {
  int tickets = 0;
  SSL_CTX_set_app_data(client_context.get(), &tickets);
  SSL_CTX_sess_set_new_cb(client_context.get(), count_session);
  make_session();
  EXPECT_EQ(tickets, TlsServerContext::kTickets);
  tickets = 0;
  EXPECT_TRUE(resumes());
  greet();
  EXPECT_EQ(tickets, 1);
}

TEST_F(TlsAcceptSessions, LifetimeOfNoneIsNoTicket) {
  settings.session_lifetime = Duration::zero();
  for (const int version : kVersions) {
    use_version(version);
    make_session();
    EXPECT_EQ(SSL_SESSION_has_ticket(session.get()), 0);
    EXPECT_EQ(SSL_SESSION_is_resumable(session.get()), 0);
    EXPECT_FALSE(resumes());
  }
}

TEST_F(TlsAcceptSessions, TheLifetimeIsTold) {
  settings.session_lifetime = hours(3);
  for (const int version : kVersions) {
    use_version(version);
    make_session();
    EXPECT_EQ(SSL_SESSION_get_ticket_lifetime_hint(session.get()), 3UL * 3600);
  }
}

TEST_F(TlsAcceptSessions, AreOfOneName) {
  const TestIdentity wild({.common_name = "wild", .alternative_names = "DNS:*.example"});
  settings.certificates = {wild.settings()};
  for (const int version : kVersions) {
    use_version(version);
    make_session("a.example");
    EXPECT_FALSE(resumes("b.example"));
    EXPECT_EQ(shown(), "wild");
    make_session("a.example");
    EXPECT_FALSE(resumes(""));
    make_session("a.example");
    EXPECT_TRUE(resumes("A.example"));
  }
}

TEST_F(TlsAcceptSessions, AreOfOneContext) {
  for (const int version : kVersions) {
    use_version(version);
    make_session();
    context.reset();
    EXPECT_FALSE(resumes());
  }
}

TEST_F(TlsAcceptSessions, KeysAreReplaced) {
  settings.session_lifetime = hours(12);
  for (const int version : kVersions) {
    context.reset();
    use_version(version);
    TimePoint now{};
    EXPECT_TRUE(server()->refresh(now).empty());
    make_session();
    now += hours(6) - minutes(1);
    EXPECT_TRUE(server()->refresh(now).empty());
    const SslSessionPtr kept(SSL_SESSION_dup(session.get()));
    EXPECT_TRUE(resumes());
    now += minutes(2);
    EXPECT_TRUE(server()->refresh(now).empty());  // another key makes tickets
    session.reset(SSL_SESSION_dup(kept.get()));
    EXPECT_TRUE(resumes());
    now += hours(6);
    EXPECT_TRUE(server()->refresh(now).empty());  // the first one is gone
    session.reset(SSL_SESSION_dup(kept.get()));
    EXPECT_FALSE(resumes());
  }
}

// The old key's ticket is exchanged for one of the new key.
TEST_F(TlsAcceptSessions, TicketsAreRenewed) {
  use_version(TLS1_2_VERSION);
  TimePoint now{};
  EXPECT_TRUE(server()->refresh(now).empty());
  make_session();
  EXPECT_TRUE(resumes());
  keep_session();
  EXPECT_TRUE(server()->refresh(now + hours(7)).empty());
  EXPECT_TRUE(resumes());
  keep_session();
  EXPECT_TRUE(server()->refresh(now + hours(13)).empty());
  EXPECT_TRUE(resumes());
}

TEST_F(TlsAcceptSessions, NotBeyondTheLifetimeByManyTickets) {
  settings.session_lifetime = hours(2);
  for (const int version : kVersions) {
    use_version(version);
    make_session();
    for (int i = 0; i < 3; ++i) {
      test_clock_ahead += 1800;
      EXPECT_TRUE(resumes());
      greet();
      keep_session();
    }
    test_clock_ahead += 1800;
    EXPECT_FALSE(resumes());
  }
}

TEST_F(TlsAcceptSessions, NotWithOtherAuthorities) {
  const Credentials& authority = TestCertificates::get().authority;
  TestFile trusted(certificate_pem(authority));
  settings.client_ca = trusted.path();
  settings.client_certificates = ClientCertificates::optional;
  const Credentials own = make_credentials({.common_name = "own"}, &authority);
  SSL_CTX_use_certificate(client_context.get(), own.certificate.get());
  SSL_CTX_use_PrivateKey(client_context.get(), own.key.get());
  for (const int version : kVersions) {
    use_version(version);
    trusted.replace(certificate_pem(authority));
    context.reset();
    make_session();
    EXPECT_TRUE(resumes());
    EXPECT_TRUE(facts.has_certificate());
    keep_session();
    trusted.replace(certificate_pem(make_credentials({.common_name = "new", .authority = true})));
    EXPECT_EQ(server()->refresh(TimePoint{} + seconds(1)).size(), 1U);
    EXPECT_FALSE(connect());
    expect_refused(ErrorKind::tls_certificate,
                   "the client's certificate is not accepted: unable to get local issuer "
                   "certificate");
  }
}

TEST_F(TlsAcceptSessions, NotWithACertificateThatHasExpiredSince) {
  settings.client_ca = TestCertificates::get().authority_file.path();
  settings.client_certificates = ClientCertificates::required;
  const Credentials own =
      make_credentials({.common_name = "own", .to = 3600}, &TestCertificates::get().authority);
  SSL_CTX_use_certificate(client_context.get(), own.certificate.get());
  SSL_CTX_use_PrivateKey(client_context.get(), own.key.get());
  for (const int version : kVersions) {
    use_version(version);
    test_clock_ahead = 0;
    make_session();
    test_clock_ahead = 3500;
    EXPECT_TRUE(resumes());
    greet();
    keep_session();
    test_clock_ahead = 3700;
    EXPECT_FALSE(resumes());
  }
}

// ---- The keys themselves.

TEST(TlsTicketKeysTest, LiveForTheLifetime) {
  TlsTicketKeys keys(hours(12));
  TimePoint now{};
  keys.rotate(now);
  const TlsTicketKeys::Key first = keys.newest();
  const auto found = [&] { return keys.find(first.name.data()); };
  ASSERT_TRUE(found());
  EXPECT_TRUE(found()->newest);
  keys.rotate(now + hours(6) - std::chrono::nanoseconds(1));
  EXPECT_EQ(keys.size(), 1U);
  keys.rotate(now + hours(6));
  EXPECT_EQ(keys.size(), 2U);
  ASSERT_TRUE(found());
  EXPECT_FALSE(found()->newest);
  EXPECT_EQ(found()->key.cipher, first.cipher);
  keys.rotate(now + hours(12));
  EXPECT_FALSE(found());
  EXPECT_EQ(keys.size(), 2U);
  keys.rotate(now + hours(100));  // nobody called for long
  EXPECT_EQ(keys.size(), 1U);
}

TEST(TlsTicketKeysTest, AreRandom) {
  const TlsTicketKeys::Key one;
  const TlsTicketKeys::Key other;
  EXPECT_NE(one.name, other.name);
  EXPECT_NE(one.cipher, other.cipher);
  EXPECT_NE(one.mac, other.mac);
  EXPECT_NE(TlsTicketKeys(hours(1)).secret().low, TlsTicketKeys(hours(1)).secret().low);
}

// Run under the thread sanitizer as well.
TEST(TlsServerThreads, ShareAContext) {
  const Credentials own = make_credentials(
      {.common_name = "own", .alternative_names = "DNS:server.example", .key = "EC"});
  TestFile certificate(certificate_pem(own));
  const TestFile key(key_pem(own));
  TlsServerSettings settings;
  settings.certificates = {{.certificate = certificate.path(), .key = key.path(), .ocsp = {}}};
  settings.session_lifetime = hours(1);
  const auto context = TlsServerContext::create(settings);
  ASSERT_TRUE(context);
  const SslContextPtr client(SSL_CTX_new(TLS_client_method()));
  const auto work = [&] {
    SslSessionPtr session;
    int resumed = 0;
    for (int i = 0; i < 30; ++i) {
      const SslPtr near = std::move(*(*context)->open());
      const SslPtr far(SSL_new(client.get()));
      SSL_set_connect_state(far.get());
      if (session) SSL_set_session(far.get(), session.get());
      BIO* near_bio = nullptr;
      BIO* far_bio = nullptr;
      BIO_new_bio_pair(&near_bio, 0, &far_bio, 0);
      SSL_set_bio(near.get(), near_bio, near_bio);
      SSL_set_bio(far.get(), far_bio, far_bio);
      bool done = false;
      for (int step = 0; step < 10 && !done; ++step) {
        done = SSL_do_handshake(far.get()) + SSL_do_handshake(near.get()) == 2;
      }
      ASSERT_TRUE(done);
      char byte = 0;
      ASSERT_LE(SSL_read(far.get(), &byte, 1), 0);  // the tickets
      resumed += SSL_session_reused(near.get());
      session.reset(SSL_SESSION_dup(SSL_get0_session(far.get())));
    }
    EXPECT_GE(resumed, 20);
  };
  std::vector<std::thread> threads;
  for (int i = 0; i < 3; ++i) threads.emplace_back(work);
  TimePoint now{};
  for (int i = 0; i < 30; ++i) {
    certificate.replace(certificate_pem(own));
    EXPECT_FALSE((*context)->refresh(now += minutes(3)).empty());
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace penstock
