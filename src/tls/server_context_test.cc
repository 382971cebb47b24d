#include "tls/server_context.h"

#include <chrono>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <openssl/ocsp.h>

#include "tls/accept_fixture_test.h"
#include "tls/server_names.h"

namespace penstock {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Sentences = std::vector<std::string>;

// ---- Files that are wrong from the beginning.

class TlsServerFiles : public TlsAcceptTest {
 protected:
  std::string error() {
    const auto made = TlsServerContext::create(settings);
    return made ? "" : made.error();
  }
  TestIdentity other{{.common_name = "other", .alternative_names = "DNS:other.example"}};
  TestFile garbage{"garbage\n"};
};

TEST_F(TlsServerFiles, WhatIsWrongIsNamedWithItsFile) {
  const std::string missing = "/nonexistent/file.pem";
  const std::string gone = missing + " can't be read: No such file or directory";
  const std::string certificate = main.certificate.path();
  const std::string key = main.key.path();
  const TestFile locked(key_pem(main.credentials, "secret"));
  const TestFile cut(certificate_pem(main.credentials) + "-----BEGIN CERTIFICATE-----\nMIIB\n");
  const TestFile empty("");
  const TestIdentity weak({.common_name = "weak", .key = "RSA-512"});
  const struct {
    TlsCertificateSettings files;
    std::string begins;
  } cases[] = {
      {{missing, key, {}}, "The certificate " + gone},
      {{certificate, missing, {}}, "The key " + gone},
      {{garbage.path(), key, {}},
       "The file " + garbage.path() + " has no usable certificate in PEM form"},
      {{empty.path(), key, {}},
       "The file " + empty.path() + " has no usable certificate in PEM form"},
      {{cut.path(), key, {}}, "The file " + cut.path() + " has no usable certificate in PEM form"},
      {{certificate, garbage.path(), {}},
       "The file " + garbage.path() + " has no usable key in PEM form"},
      {{certificate, locked.path(), {}},
       "The file " + locked.path() + " has no usable key in PEM form (without a passphrase)"},
      {{certificate, other.key.path(), {}},
       "The key " + other.key.path() + " does not belong to the certificate " + certificate},
      {weak.settings(), "The certificate " + weak.certificate.path() + " can't be used: "},
  };
  for (const auto& c : cases) {
    settings.certificates = {other.settings(), c.files};
    EXPECT_TRUE(error().starts_with(c.begins)) << error() << "\n" << c.begins;
  }
  settings.certificates.clear();
  EXPECT_EQ(error(), "There is no certificate");
}

TEST_F(TlsServerFiles, ClientAuthorities) {
  settings.client_ca = garbage.path();
  EXPECT_EQ(error(), "");  // not needed
  settings.client_certificates = ClientCertificates::optional;
  EXPECT_TRUE(error().starts_with("The file " + garbage.path() + " has no usable certificate"));
  settings.client_ca = "/nonexistent";
  EXPECT_EQ(error(), "The client CA file /nonexistent can't be read: No such file or directory");
  settings.client_ca.clear();
  EXPECT_EQ(error(), "Client certificates can't be verified without a client CA file");
}

TEST_F(TlsServerFiles, Protocols) {
  settings.alpn = {"h2", std::string(256, 'a')};
  EXPECT_EQ(error(), "The name of an ALPN protocol has 1 to 255 bytes");
}

TEST_F(TlsServerFiles, Warnings) {
  EXPECT_EQ(server()->warnings(), Sentences{});
  const TestIdentity old({.common_name = "old", .alternative_names = "DNS:a.example", .to = -60});
  const TestIdentity early(
      {.common_name = "early", .alternative_names = "DNS:b.example", .from = 3600});
  const TestIdentity unnamed({.common_name = "unnamed"});
  settings.certificates = {unnamed.settings(), old.settings(), early.settings(),
                           unnamed.settings()};
  context.reset();
  EXPECT_EQ(server()->warnings(),
            (Sentences{"The certificate " + early.certificate.path() + " is not valid yet",
                       "The certificate " + unnamed.certificate.path() +
                           " has no DNS names, so nobody gets it",
                       "The certificate " + old.certificate.path() + " has expired"}));
}

// ---- Names.

TEST(TlsServerNamesTest, Lookup) {
  const auto make = [](std::vector<std::string> names, int key_type) {
    auto identity = std::make_shared<TlsIdentity>();
    identity->names = std::move(names);
    identity->key_type = key_type;
    return std::shared_ptr<const TlsIdentity>(std::move(identity));
  };
  const auto first = make({"a.example", "*.a.example"}, 1);
  const auto second = make({"a.example", "*.example"}, 2);
  const auto third = make({"a.example", "b.example"}, 1);
  const std::vector all{first, second, third};
  const TlsServerNames names(all);
  using Choice = TlsServerNames::Choice;
  const auto found = [&](std::string_view name) {
    const Choice* const choice = names.find(name);
    return choice != nullptr ? *choice : Choice{};
  };
  EXPECT_EQ(found("a.example"), (Choice{first, second}));
  EXPECT_EQ(found("b.example"), (Choice{third, second}));
  EXPECT_EQ(found("c.example"), Choice{second});
  EXPECT_EQ(found("x.a.example"), Choice{first});
  EXPECT_EQ(names.fallback(), (Choice{first, second}));
  for (const char* none :
       {"example", "x.b.example", "x.y.a.example", ".example", "example.", "", "."}) {
    EXPECT_EQ(found(none), Choice{}) << none;
  }
}

// ---- New files.

class TlsServerReload : public TlsAcceptTest {
 protected:
  TlsServerReload() { settings.session_lifetime = std::chrono::hours(10000); }
  using News = std::vector<TlsNews>;
  News after(Duration time) { return server()->refresh(now += time); }
  std::string who(std::string_view name = "") {
    EXPECT_TRUE(connect(name));
    return shown();
  }
  const TestIdentity next{{.common_name = "next", .alternative_names = "DNS:next.example"}};
  TimePoint now{};
  const News fresh{{.sentence = "TLS certificates were read anew"}};
};

TEST_F(TlsServerReload, Changed) {
  EXPECT_EQ(after(seconds(1)), News{});
  ASSERT_TRUE(connect());
  main.certificate.replace(certificate_pem(next.credentials));
  main.key.replace(key_pem(next.credentials));
  EXPECT_EQ(after(milliseconds(500)), News{});  // not looked at so often
  EXPECT_EQ(after(milliseconds(500)), fresh);
  EXPECT_EQ(after(seconds(1)), News{});
  greet();  // a connection goes on
  EXPECT_EQ(who("next.example"), "next");
  greet();
}

TEST_F(TlsServerReload, AHandshakeThatIsUnderWayGoesOn) {
  const std::string whole = hello();
  begin_raw();
  ASSERT_TRUE(run(send_text(*below, whole.substr(0, 50))));
  main.certificate.replace(certificate_pem(next.credentials));
  main.key.replace(key_pem(next.credentials));
  EXPECT_EQ(after(seconds(1)), fresh);
  EXPECT_TRUE(run(send_text(*below, whole.substr(50))));
  below->shutdown_write();
  settle();
  EXPECT_EQ(accept_error().kind, ErrorKind::closed);  // it got beyond the hello
  EXPECT_EQ(facts.server_name, kHost);
}

TEST_F(TlsServerReload, OneAfterTheOther) {
  EXPECT_EQ(after(seconds(1)), News{});
  main.certificate.replace(certificate_pem(next.credentials));
  EXPECT_EQ(after(seconds(1)), News{});  // nothing to be alarmed about yet
  EXPECT_EQ(who(), "main");
  main.key.replace(key_pem(next.credentials));
  EXPECT_EQ(after(seconds(1)), fresh);
  EXPECT_EQ(who(), "next");
}

TEST_F(TlsServerReload, ThatStaysWrongIsToldOnce) {
  EXPECT_EQ(after(seconds(1)), News{});
  main.certificate.replace("garbage");
  Sentences told;
  for (int i = 0; i < 60; ++i) {
    for (const TlsNews& news : after(seconds(1))) {
      EXPECT_GE(i, 5);
      EXPECT_TRUE(news.warning);
      told.push_back(news.sentence);
    }
  }
  ASSERT_EQ(told.size(), 1U);
  EXPECT_TRUE(told[0].starts_with("The file " + main.certificate.path() +
                                  " has no usable certificate in PEM form"));
  EXPECT_TRUE(told[0].ends_with("; the files read before stay in use"));
  EXPECT_EQ(who(), "main");
  main.certificate.replace(certificate_pem(main.credentials));
  EXPECT_EQ(after(seconds(1)), fresh);
  main.certificate.replace("garbage");  // told again
  EXPECT_EQ(after(seconds(1)), News{});
  EXPECT_EQ(after(seconds(5)).size(), 1U);
}

TEST_F(TlsServerReload, SessionsSurvive) {
  make_session();
  main.certificate.replace(certificate_pem(main.credentials));
  EXPECT_EQ(after(seconds(1)), fresh);
  EXPECT_TRUE(connect());
  EXPECT_TRUE(facts.resumed);
}

TEST_F(TlsServerReload, ExpiryIsToldWhenItComes) {
  EXPECT_EQ(after(seconds(1)), News{});
  test_clock_ahead = 86400 + 60;
  EXPECT_EQ(after(seconds(1)),
            (News{{"The certificate " + main.certificate.path() + " has expired", true}}));
  EXPECT_EQ(after(seconds(1)), News{});
}

// ---- OCSP.

struct ResponseSpec {
  int status = V_OCSP_CERTSTATUS_GOOD;
  long from = -60;
  long to = 3600;
};

std::string make_response(const Credentials& of, const ResponseSpec& spec = {}) {
  const Credentials& authority = TestCertificates::get().authority;
  OCSP_CERTID* const id =
      OCSP_cert_to_id(EVP_sha1(), of.certificate.get(), authority.certificate.get());
  OCSP_BASICRESP* const basic = OCSP_BASICRESP_new();
  ASN1_TIME* const from = X509_gmtime_adj(nullptr, spec.from);
  ASN1_TIME* const to = X509_gmtime_adj(nullptr, spec.to);
  ASN1_TIME* const revoked = X509_gmtime_adj(nullptr, -600);
  OCSP_basic_add1_status(basic, id, spec.status, OCSP_REVOKED_STATUS_KEYCOMPROMISE,
                         spec.status == V_OCSP_CERTSTATUS_REVOKED ? revoked : nullptr, from, to);
  EXPECT_EQ(
      OCSP_basic_sign(basic, authority.certificate.get(), authority.key.get(), nullptr, nullptr, 0),
      1);
  OCSP_RESPONSE* const response = OCSP_response_create(OCSP_RESPONSE_STATUS_SUCCESSFUL, basic);
  unsigned char* der = nullptr;
  const int size = i2d_OCSP_RESPONSE(response, &der);
  std::string bytes(reinterpret_cast<const char*>(der), static_cast<std::size_t>(size));
  OPENSSL_free(der);
  for (ASN1_TIME* const time : {from, to, revoked}) ASN1_TIME_free(time);
  OCSP_RESPONSE_free(response);
  OCSP_BASICRESP_free(basic);
  OCSP_CERTID_free(id);
  return bytes;
}

class TlsServerStaple : public TlsServerReload {
 protected:
  TlsServerStaple() {
    settings.certificates[0].ocsp = file.path();
    ask_status = true;
  }
  // What is stapled for a client that asks.
  std::string stapled(std::string_view name = kHost) {
    EXPECT_TRUE(connect(name));
    const unsigned char* bytes = nullptr;
    const long size = SSL_get_tlsext_status_ocsp_resp(client->ssl(), &bytes);
    if (bytes == nullptr || size <= 0) return {};
    return {reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(size)};
  }
  const std::string good = make_response(main.credentials);
  TestFile file{good};
};

TEST_F(TlsServerStaple, ForThoseWhoAsk) {
  EXPECT_EQ(server()->warnings(), Sentences{});
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    use_version(version);
    ask_status = true;
    EXPECT_EQ(stapled(), good);
    EXPECT_EQ(stapled(""), good);
    ask_status = false;
    EXPECT_EQ(stapled(), "");
  }
}

TEST_F(TlsServerStaple, OnlyWithItsCertificate) {
  settings.certificates.push_back(next.settings());
  EXPECT_EQ(stapled("next.example"), "");
  EXPECT_EQ(shown(), "next");
}

TEST_F(TlsServerStaple, WhatCantBeUsed) {
  const std::string response = "The OCSP response " + file.path();
  const struct {
    std::string bytes;
    std::string warning;
  } cases[] = {
      {make_response(TestCertificates::get().authority), response + " is for another certificate"},
      {make_response(main.credentials, {.status = V_OCSP_CERTSTATUS_REVOKED}),
       response + " says that its certificate is revoked"},
      {make_response(main.credentials, {.status = V_OCSP_CERTSTATUS_UNKNOWN}),
       response + " says that its certificate is unknown"},
      {make_response(main.credentials, {.from = -600, .to = -60}),
       response + " is out of date: it is not shown"},
      {make_response(main.credentials, {.from = 600}),
       response + " is not valid yet: it is not shown"},
      {"garbage", "The file " + file.path() + " has no usable OCSP response in DER form"},
      {"", "The file " + file.path() + " has no usable OCSP response in DER form"},
      {good + "x", "The file " + file.path() + " has no usable OCSP response in DER form"},
  };
  for (const auto& c : cases) {
    file.replace(c.bytes);
    context.reset();
    EXPECT_EQ(server()->warnings(), Sentences{c.warning});
    EXPECT_EQ(stapled(), "");
  }
  settings.certificates[0].ocsp = "/nonexistent";
  context.reset();
  EXPECT_EQ(server()->warnings(),
            Sentences{"The OCSP response /nonexistent can't be read: No such file or directory"});
}

TEST_F(TlsServerStaple, TheIssuersKeyCountsWhereItIsKnown) {
  const Credentials twin = make_credentials({.common_name = "Test CA", .authority = true});
  const TestFile chain(certificate_pem(main.credentials) + certificate_pem(twin));
  settings.certificates[0].certificate = chain.path();
  EXPECT_EQ(server()->warnings(),
            Sentences{"The OCSP response " + file.path() + " is for another certificate"});
}

TEST_F(TlsServerStaple, NotWhenItsTimeIsOver) {
  EXPECT_EQ(after(seconds(1)), News{});
  EXPECT_EQ(stapled(), good);
  test_clock_ahead = 3700;
  EXPECT_EQ(stapled(), "");
  EXPECT_EQ(
      after(seconds(1)),
      (News{{"The OCSP response " + file.path() + " is out of date: it is not shown", true}}));
  const std::string renewed = make_response(main.credentials, {.to = 7200});
  file.replace(renewed);
  EXPECT_EQ(after(seconds(1)), fresh);
  EXPECT_EQ(stapled(), renewed);
}

}  // namespace
}  // namespace penstock
