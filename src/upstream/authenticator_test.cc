#include "upstream/authenticator.h"

#include <chrono>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

namespace penstock {
namespace {

using namespace std::chrono_literals;
using Scheme = CredentialSettings::Scheme;

CredentialSettings credentials(Scheme scheme) {
  CredentialSettings settings;
  settings.scheme = scheme;
  settings.user = "Aladdin";
  settings.password = "open sesame";
  return settings;
}

// One authenticator and a server that the test speaks for.
class Client {
 public:
  explicit Client(CredentialSettings settings)
      : credential(std::make_shared<Credential>(std::move(settings))), authenticator(credential) {}

  std::string send() {
    const AuthRequest request{.method = "GET", .uri = "/"};
    last = authenticator.authorization(request, arena, now);
    return last;
  }
  // The answer to what was sent last.
  bool challenged(const std::vector<std::string_view>& lines) { return challenged(lines, last); }
  bool challenged(const std::vector<std::string_view>& lines, std::string_view sent) {
    FieldSection fields;
    for (const std::string_view line : lines) fields.add(FieldId::www_authenticate, line);
    return authenticator.challenged(fields, FieldId::www_authenticate, sent, now);
  }
  void informed(std::string_view line) {
    FieldSection fields;
    fields.add(FieldId::authentication_info, line);
    authenticator.informed(fields, FieldId::authentication_info);
  }
  // A parameter of what was sent last.
  std::string sent(std::string_view name) {
    const auto read = parse_challenges(last, arena);
    const AuthParameter* const found = read.empty() ? nullptr : read.front().find(name);
    return found != nullptr ? std::string(found->value) : "";
  }
  // "nonce/nc" of the next request.
  std::string next_use() {
    send();
    return sent("nonce") + "/" + sent("nc");
  }

  std::shared_ptr<Credential> credential;
  Authenticator authenticator;
  Arena arena;
  TimePoint now{};
  std::string last;
};

class WithFile : public testing::Test {
 protected:
  WithFile() {
    std::string name = testing::TempDir() + "penstock_auth_XXXXXX";
    folder = ::mkdtemp(name.data());
    path = folder + "/secret";
  }
  ~WithFile() override { std::filesystem::remove_all(folder); }
  void write(std::string_view content) const {
    std::ofstream(path + ".new") << content;
    std::filesystem::rename(path + ".new", path);
  }
  std::string folder;
  std::string path;
};

// --- Basic ---

// RFC 7617 section 2.
TEST(Basic, IsSentAtOnce) {
  Client client(credentials(Scheme::basic));
  EXPECT_EQ(client.send(), "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
  EXPECT_EQ(client.send(), "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
  // The same again would be refused again.
  EXPECT_FALSE(client.challenged({"Basic realm=\"a\""}));
}

// RFC 7617 section 2.1.
TEST(Basic, Utf8) {
  CredentialSettings settings = credentials(Scheme::basic);
  settings.user = "test";
  settings.password = "123\xc2\xa3";
  EXPECT_EQ(Client(settings).send(), "Basic dGVzdDoxMjPCow==");
  settings.password = "";
  EXPECT_EQ(Client(settings).send(), "Basic dGVzdDo=");
}

TEST(Basic, WaitsForAChallengeWhereToldTo) {
  CredentialSettings settings = credentials(Scheme::basic);
  settings.preemptive = false;
  Client client(settings);
  EXPECT_EQ(client.send(), "");
  EXPECT_FALSE(client.challenged({"Negotiate", "NTLM"}));
  EXPECT_FALSE(client.challenged({"Digest realm=a, nonce=b"}));
  EXPECT_FALSE(client.challenged({}));
  EXPECT_EQ(client.send(), "");
  EXPECT_TRUE(client.challenged({"Negotiate, NTLM, basic"}));
  EXPECT_EQ(client.send(), "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
  EXPECT_FALSE(client.challenged({"Basic"}));
}

TEST(Basic, OnlyForTheRealmGiven) {
  CredentialSettings settings = credentials(Scheme::basic);
  settings.realm = "mine";
  Client client(settings);
  EXPECT_EQ(client.send(), "");
  EXPECT_FALSE(client.challenged({"Basic realm=\"theirs\"", "Basic", "Basic realm=Mine"}));
  EXPECT_EQ(client.send(), "");
  EXPECT_TRUE(client.challenged({"Basic realm=\"theirs\"", "Basic realm=\"mine\""}));
  EXPECT_NE(client.send(), "");
}

TEST(Basic, AUserWithAColonCannotBeSent) {
  CredentialSettings settings = credentials(Scheme::basic);
  settings.user = "a:b";
  Client client(settings);
  EXPECT_EQ(client.send(), "");
  EXPECT_FALSE(client.challenged({"Basic realm=a"}));
}

TEST_F(WithFile, BasicIsTriedAgainWithAnotherPassword) {
  CredentialSettings settings = credentials(Scheme::basic);
  settings.password_file = path;
  Client client(settings);
  EXPECT_EQ(client.send(), "");
  EXPECT_FALSE(client.challenged({"Basic realm=a"}));
  EXPECT_NE(client.credential->take_problem(), "");
  write("one\n");
  client.now += 1s;
  EXPECT_EQ(client.send(), "Basic QWxhZGRpbjpvbmU=");
  EXPECT_FALSE(client.challenged({"Basic realm=a"}));
  write("two\n");
  client.now += 1s;
  EXPECT_TRUE(client.challenged({"Basic realm=a"}));
  EXPECT_EQ(client.send(), "Basic QWxhZGRpbjp0d28=");
}

// --- Bearer ---

TEST_F(WithFile, BearerIsTheFilesToken) {
  CredentialSettings settings = credentials(Scheme::bearer);
  settings.token_file = path;
  Client client(settings);
  EXPECT_EQ(client.send(), "");
  write("abc.def-123\n");
  client.now += 1s;
  EXPECT_EQ(client.send(), "Bearer abc.def-123");
  EXPECT_FALSE(client.challenged({"Bearer error=\"invalid_token\""}));
  write("next\n");
  client.now += 1s;
  EXPECT_FALSE(client.challenged({"Basic realm=a"}));
  EXPECT_TRUE(client.challenged({"Bearer error=\"invalid_token\""}));
  EXPECT_EQ(client.send(), "Bearer next");
  for (const std::string_view bad : {"two words", "a,b", "\xc3\xa4"}) {
    write(bad);
    client.now += 1s;
    EXPECT_EQ(client.send(), "");
    EXPECT_NE(client.credential->take_problem().find("no token has"), std::string::npos);
    EXPECT_EQ(client.credential->take_problem(), "");
  }
}

TEST_F(WithFile, BearerWaitsWhereToldTo) {
  write("t");
  CredentialSettings settings = credentials(Scheme::bearer);
  settings.token_file = path;
  settings.preemptive = false;
  Client client(settings);
  EXPECT_EQ(client.send(), "");
  EXPECT_TRUE(client.challenged({"Bearer"}));
  EXPECT_EQ(client.send(), "Bearer t");
}

TEST(Bearer, WithoutAFileIsNeverSent) {
  Client client(credentials(Scheme::bearer));
  EXPECT_EQ(client.send(), "");
  EXPECT_FALSE(client.challenged({"Bearer"}));
}

// --- Digest ---

TEST(DigestAuthenticator, CountsTheUsesOfANonce) {
  Client client(credentials(Scheme::digest));
  EXPECT_EQ(client.send(), "");
  EXPECT_TRUE(client.challenged({"Digest realm=r, nonce=n1, qop=auth"}));
  EXPECT_EQ(client.next_use(), "n1/00000001");
  const std::string cnonce = client.sent("cnonce");
  EXPECT_GE(cnonce.size(), 16U);
  EXPECT_EQ(client.sent("username"), "Aladdin");
  EXPECT_EQ(client.sent("uri"), "/");
  EXPECT_EQ(client.next_use(), "n1/00000002");
  EXPECT_NE(client.sent("cnonce"), cnonce);
  EXPECT_EQ(client.next_use(), "n1/00000003");
}

// The whole way, checked against the formula.
TEST(DigestAuthenticator, AnswersRightly) {
  Client client(credentials(Scheme::digest));
  EXPECT_TRUE(client.challenged({"Digest realm=r, nonce=n1, qop=auth, algorithm=SHA-256"}));
  client.send();
  const std::string cnonce = client.sent("cnonce");
  const auto hash = [](std::initializer_list<std::string_view> parts) {
    return std::string(hash_joined(DigestHash::sha256, parts)->view());
  };
  EXPECT_EQ(client.sent("response"), hash({hash({"Aladdin", "r", "open sesame"}), "n1", "00000001",
                                           cnonce, "auth", hash({"GET", "/"})}));
}

TEST(DigestAuthenticator, AStaleNonceIsReplaced) {
  Client client(credentials(Scheme::digest));
  EXPECT_TRUE(client.challenged({"Digest realm=r, nonce=n1, qop=auth"}));
  EXPECT_EQ(client.next_use(), "n1/00000001");
  EXPECT_TRUE(client.challenged({"Digest realm=r, nonce=n2, qop=auth, stale=true"}));
  EXPECT_EQ(client.next_use(), "n2/00000001");
}

TEST(DigestAuthenticator, ARefusalIsOne) {
  Client client(credentials(Scheme::digest));
  EXPECT_TRUE(client.challenged({"Digest realm=r, nonce=n1, qop=auth"}));
  EXPECT_EQ(client.next_use(), "n1/00000001");
  EXPECT_FALSE(client.challenged({"Digest realm=r, nonce=n2, qop=auth"}));
  // But the next request uses the new nonce.
  EXPECT_EQ(client.next_use(), "n2/00000001");
  EXPECT_FALSE(client.challenged({"Digest realm=r, nonce=n3, qop=auth, stale=false"}));
  EXPECT_FALSE(client.challenged({"Digest realm=r, qop=auth"}));
  EXPECT_FALSE(client.challenged({"Basic realm=r"}));
  // What can't be used changes nothing.
  EXPECT_EQ(client.next_use(), "n3/00000001");
}

TEST(DigestAuthenticator, ANonceSaidAgainIsCountedOn) {
  Client client(credentials(Scheme::digest));
  EXPECT_TRUE(client.challenged({"Digest realm=r, nonce=n1, qop=auth"}));
  EXPECT_EQ(client.next_use(), "n1/00000001");
  // To another request, sent before the first challenge came.
  EXPECT_TRUE(client.challenged({"Digest realm=r, nonce=n1, qop=auth"}, ""));
  EXPECT_EQ(client.next_use(), "n1/00000002");
}

TEST(DigestAuthenticator, AnotherRealmIsNoRefusal) {
  Client client(credentials(Scheme::digest));
  EXPECT_TRUE(client.challenged({"Digest realm=\"a \\\"x\", nonce=n1, qop=auth"}));
  client.send();
  EXPECT_TRUE(client.challenged({"Digest realm=b, nonce=n2, qop=auth"}));
  EXPECT_EQ(client.next_use(), "n2/00000001");
  EXPECT_FALSE(client.challenged({"Digest realm=b, nonce=n3, qop=auth"}));
  EXPECT_TRUE(client.challenged({"Digest realm=\"a \\\"x\", nonce=n4, qop=auth"}));
  client.send();
  EXPECT_FALSE(client.challenged({"Digest realm=\"a \\\"x\", nonce=n5, qop=auth"}));
}

TEST(DigestAuthenticator, TheNextNonceIsTaken) {
  Client client(credentials(Scheme::digest));
  client.informed("nextnonce=early");
  EXPECT_EQ(client.send(), "");
  EXPECT_TRUE(client.challenged({"Digest realm=r, nonce=n1, qop=auth"}));
  EXPECT_EQ(client.next_use(), "n1/00000001");
  client.informed("nextnonce=\"n2\", qop=auth, rspauth=\"\"");
  EXPECT_EQ(client.next_use(), "n2/00000001");
  client.informed("nextnonce=\"n2\"");
  client.informed("qop=auth");
  client.informed("nextnonce=\"x\", nextnonce=\"y\"");
  client.informed("nextnonce=" + std::string(DigestChallenge::kMaxText + 1, 'x'));
  EXPECT_EQ(client.next_use(), "n2/00000002");
}

// RFC 7616 section 3.4.2: the key is of the first answer to a challenge.
TEST(DigestAuthenticator, ASessionKeepsItsKey) {
  Client client(credentials(Scheme::digest));
  EXPECT_TRUE(client.challenged({"Digest realm=r, nonce=n1, qop=auth, algorithm=MD5-sess"}));
  client.send();
  EXPECT_EQ(client.sent("algorithm"), "MD5-sess");
  const auto hash = [](std::initializer_list<std::string_view> parts) {
    return std::string(hash_joined(DigestHash::md5, parts)->view());
  };
  const std::string key =
      hash({hash({"Aladdin", "r", "open sesame"}), "n1", client.sent("cnonce")});
  client.informed("nextnonce=n2");
  EXPECT_EQ(client.next_use(), "n2/00000001");
  EXPECT_EQ(client.sent("response"),
            hash({key, "n2", "00000001", client.sent("cnonce"), "auth", hash({"GET", "/"})}));
}

TEST_F(WithFile, DigestIsTriedAgainWithAnotherPassword) {
  write("one");
  CredentialSettings settings = credentials(Scheme::digest);
  settings.password_file = path;
  Client client(settings);
  EXPECT_TRUE(client.challenged({"Digest realm=r, nonce=n1, qop=auth"}));
  client.send();
  EXPECT_FALSE(client.challenged({"Digest realm=r, nonce=n2, qop=auth"}));
  client.send();
  write("two");
  client.now += 1s;
  EXPECT_TRUE(client.challenged({"Digest realm=r, nonce=n3, qop=auth"}));
  client.send();
  EXPECT_FALSE(client.challenged({"Digest realm=r, nonce=n4, qop=auth"}));
}

TEST_F(WithFile, DigestWithoutItsPassword) {
  CredentialSettings settings = credentials(Scheme::digest);
  settings.password_file = path;
  Client client(settings);
  EXPECT_FALSE(client.challenged({"Digest realm=r, nonce=n1, qop=auth"}));
  EXPECT_EQ(client.send(), "");
  write("late");
  client.now += 1s;
  // The challenge was remembered.
  EXPECT_EQ(client.next_use(), "n1/00000001");
}

TEST(DigestAuthenticator, LongTextsAreRecognised) {
  Client client(credentials(Scheme::digest));
  const std::string realm(DigestChallenge::kMaxText, 'r');
  EXPECT_TRUE(client.challenged({"Digest nonce=n, qop=auth, realm=" + realm}));
  const std::string uri = "/" + std::string(20'000, 'u');
  const std::string sent(
      client.authenticator.authorization({.method = "GET", .uri = uri}, client.arena, client.now));
  EXPECT_GT(sent.size(), 20'000U);
  EXPECT_FALSE(client.challenged({"Digest nonce=m, qop=auth, realm=" + realm}, sent));
}

// --- The choice between them ---

TEST(Automatic, TakesTheStrongestOffered) {
  Client client(credentials(Scheme::automatic));
  EXPECT_EQ(client.send(), "");
  EXPECT_TRUE(client.challenged({"Negotiate", "Basic realm=r", "Digest realm=r, nonce=n, qop=auth",
                                 "Digest realm=r, nonce=m, qop=auth, algorithm=SHA-256"}));
  EXPECT_EQ(client.next_use(), "m/00000001");
  EXPECT_EQ(client.sent("algorithm"), "SHA-256");
}

TEST(Automatic, TakesBasicWhereThereIsNothingElse) {
  Client client(credentials(Scheme::automatic));
  EXPECT_FALSE(client.challenged({"Bearer", "NTLM"}));
  EXPECT_TRUE(client.challenged({"Digest realm=r, nonce=n, qop=auth-int", "Basic realm=r"}));
  EXPECT_EQ(client.send(), "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
  EXPECT_FALSE(client.challenged({"Basic realm=r"}));
  // Another scheme is another try.
  EXPECT_TRUE(client.challenged({"Digest realm=r, nonce=n, qop=auth"}));
  EXPECT_EQ(client.next_use(), "n/00000001");
  EXPECT_TRUE(client.challenged({"Basic realm=r"}));
  EXPECT_EQ(client.send(), "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
}

TEST(Authenticators, ServeProxiesAsWell) {
  Client client(credentials(Scheme::digest));
  FieldSection fields;
  fields.add(FieldId::proxy_authenticate, "Digest realm=r, nonce=n, qop=auth");
  EXPECT_FALSE(client.authenticator.challenged(fields, FieldId::www_authenticate, "", client.now));
  EXPECT_TRUE(client.authenticator.challenged(fields, FieldId::proxy_authenticate, "", client.now));
}

}  // namespace
}  // namespace penstock
