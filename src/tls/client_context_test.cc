#include "tls/client_context.h"

#include <string>
#include <utility>

#include <gtest/gtest.h>

#include "tls/certificates_test.h"

namespace penstock {
namespace {

class TlsClientContextTest : public testing::Test {
 protected:
  std::string error() {
    const auto made = TlsClientContext::create(settings);
    return made ? "" : made.error();
  }
  Credentials own = make_credentials({.common_name = "own"});
  Credentials other = make_credentials({.common_name = "other"});
  TestFile certificate{certificate_pem(own)};
  TestFile key{key_pem(own)};
  TestFile other_key{key_pem(other)};
  TestFile locked_key{key_pem(own, "secret")};
  TestFile garbage{"garbage\n"};
  TestFile empty{""};
  TlsClientSettings settings;
};

TEST_F(TlsClientContextTest, GoodSettings) {
  EXPECT_EQ(error(), "");
  settings.insecure = true;
  EXPECT_EQ(error(), "");
  settings = {.ca_file = certificate.path(), .certificate = certificate.path(), .key = key.path()};
  EXPECT_EQ(error(), "");
  settings.alpn = {"h2", "http/1.1"};
  EXPECT_EQ(error(), "");
  const auto made = TlsClientContext::create(settings);
  ASSERT_TRUE(made);
  EXPECT_EQ((*made)->settings(), settings);
  EXPECT_EQ((*made)->sessions(), 0U);
}

TEST_F(TlsClientContextTest, WhatIsWrongIsNamedWithItsFile) {
  const std::string missing = "/nonexistent/file.pem";
  const std::string gone = missing + " can't be read: No such file or directory";
  const struct {
    TlsClientSettings settings;
    std::string begins;
  } cases[] = {
      {{.ca_file = missing}, "The CA file " + gone},
      {{.ca_file = "/"}, "The CA file / can't be read: Is a directory"},
      {{.ca_file = garbage.path()},
       "The CA file " + garbage.path() + " has no certificates in PEM"},
      {{.ca_file = empty.path()}, "The CA file " + empty.path() + " has no certificates in PEM"},
      {{.certificate = certificate.path()},
       "The certificate " + certificate.path() + " has no key with it"},
      {{.key = key.path()}, "The key " + key.path() + " has no certificate with it"},
      {{.certificate = missing, .key = key.path()}, "The certificate " + gone},
      {{.certificate = certificate.path(), .key = missing}, "The key " + gone},
      {{.certificate = garbage.path(), .key = key.path()},
       "The file " + garbage.path() + " has no usable certificate in PEM form"},
      {{.certificate = certificate.path(), .key = garbage.path()},
       "The file " + garbage.path() + " has no usable key in PEM form"},
      {{.certificate = certificate.path(), .key = locked_key.path()},
       "The file " + locked_key.path() + " has no usable key in PEM form (without a passphrase)"},
      {{.certificate = certificate.path(), .key = other_key.path()},
       "The key " + other_key.path() + " does not belong to the certificate " + certificate.path()},
      {{.alpn = {"h2", ""}}, "The name of an ALPN protocol has 1 to 255 bytes"},
      {{.alpn = {std::string(256, 'a')}}, "The name of an ALPN protocol has 1 to 255 bytes"},
  };
  for (const auto& c : cases) {
    settings = c.settings;
    EXPECT_TRUE(error().starts_with(c.begins)) << error() << "\n" << c.begins;
  }
}

TEST_F(TlsClientContextTest, InsecureMustBeSaid) {
  EXPECT_FALSE(TlsClientSettings().insecure);
  EXPECT_NE(TlsClientSettings(), TlsClientSettings{.insecure = true});
}

// ---- Sessions.

SslSessionPtr make_session() {
  SslSessionPtr session(SSL_SESSION_new());
  const unsigned char id[] = {1, 2, 3, 4};
  SSL_SESSION_set1_id(session.get(), id, sizeof id);
  return session;
}

TEST(TlsSessionCacheTest, NewestFirstAndOnlyOnce) {
  TlsSessionCache cache;
  SslSessionPtr first = make_session();
  SslSessionPtr second = make_session();
  const SSL_SESSION* const ids[] = {first.get(), second.get()};
  cache.put("a", std::move(first));
  cache.put("a", std::move(second));
  EXPECT_EQ(cache.take("b"), nullptr);
  EXPECT_EQ(cache.take("a").get(), ids[1]);
  EXPECT_EQ(cache.take("a").get(), ids[0]);
  EXPECT_EQ(cache.take("a"), nullptr);
  EXPECT_EQ(cache.size(), 0U);
}

TEST(TlsSessionCacheTest, Bounded) {
  TlsSessionCache cache;
  for (int i = 0; i < 10; ++i) cache.put("a", make_session());
  EXPECT_EQ(cache.size(), TlsSessionCache::kMaxOfOneKey);
  for (int i = 0; i < 1000; ++i) cache.put(std::to_string(i), make_session());
  EXPECT_EQ(cache.size(), TlsSessionCache::kMaxSessions);
  EXPECT_EQ(cache.take("a"), nullptr);
  EXPECT_EQ(cache.take("400"), nullptr);
  EXPECT_NE(cache.take("999"), nullptr);
}

TEST(TlsSessionCacheTest, NotForEver) {
  TlsSessionCache cache;
  SslSessionPtr old = make_session();
  SSL_SESSION_set_time(old.get(), SSL_SESSION_get_time(old.get()) - 3 * 3600);
  cache.put("a", std::move(old));
  EXPECT_EQ(cache.take("a"), nullptr);
  cache.put("a", nullptr);
  cache.put("a", SslSessionPtr(SSL_SESSION_new()));  // cannot be resumed
  EXPECT_EQ(cache.size(), 0U);
}

}  // namespace
}  // namespace penstock
