#include "upstream/digest.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

namespace penstock {
namespace {

std::optional<DigestChallenge> choose(std::string_view line, std::string_view realm = {}) {
  Arena text;
  return choose_digest_challenge(parse_challenges(line, text), realm);
}

// The response and the name that credentials for this challenge carry.
struct Answer {
  std::string response;
  std::string user;
};

Answer answer(std::string_view line, const DigestInput& input) {
  const auto challenge = choose(line);
  if (!challenge) return {"none", ""};
  const std::string value = digest_credentials(*challenge, input);
  Arena text;
  const auto read = parse_challenges(value, text);
  if (read.size() != 1) return {"broken", value};
  const AuthParameter* const user = read[0].find("username");
  return {std::string(read[0].find("response")->value),
          user != nullptr ? std::string(user->value) : ""};
}

// --- Vectors of the RFCs ---

constexpr std::string_view k7616Nonce = "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v";
constexpr std::string_view k7616Opaque = "FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS";

std::string rfc7616_challenge(std::string_view algorithm) {
  return "Digest realm=\"http-auth@example.org\", qop=\"auth, auth-int\", algorithm=" +
         std::string(algorithm) + ", nonce=\"" + std::string(k7616Nonce) + "\", opaque=\"" +
         std::string(k7616Opaque) + "\"";
}

constexpr DigestInput k7616Input{.user = "Mufasa",
                                 .password = "Circle of Life",
                                 .method = "GET",
                                 .uri = "/dir/index.html",
                                 .cnonce = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"};

// RFC 7616 section 3.9.1.
TEST(Digest, Rfc7616) {
  const auto challenge = choose(rfc7616_challenge("MD5"));
  ASSERT_TRUE(challenge);
  EXPECT_EQ(digest_credentials(*challenge, k7616Input),
            "Digest username=\"Mufasa\", realm=\"http-auth@example.org\", "
            "nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\", uri=\"/dir/index.html\", "
            "algorithm=MD5, qop=auth, nc=00000001, "
            "cnonce=\"f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ\", "
            "response=\"8ca523f5e9506fed4657c9700eebdbec\", "
            "opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\"");
  EXPECT_EQ(answer(rfc7616_challenge("SHA-256"), k7616Input).response,
            "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1");
}

// RFC 7616 section 3.9.2, with the values of erratum 4897: those printed are of SHA-512, cut off.
TEST(Digest, Rfc7616WithSha512256AndUserhash) {
  const std::string_view challenge =
      "Digest realm=\"api@example.org\", qop=\"auth\", algorithm=SHA-512-256, "
      "nonce=\"5TsQWLVdgBdmrQ0XsxbDODV+57QdFR34I9HAbC/RVvkK\", "
      "opaque=\"HRPCssKJSGjCrkzDg8OhwpzCiGPChXYjwrI2QmXDnsOS\", charset=UTF-8, userhash=true";
  const DigestInput input{.user = "J\xc3\xa4s\xc3\xb8n Doe",
                          .password = "Secret, or not?",
                          .method = "GET",
                          .uri = "/doe.json",
                          .cnonce = "NTg6RKcb9boFIAS3KrFK9BGeh+iDa/sm6jUMp2wds69v"};
  const Answer got = answer(challenge, input);
  EXPECT_EQ(got.response, "3798d4131c277846293534c3edc11bd8a5e4cdcbff78b05db9d95eeb1cec68a5");
  EXPECT_EQ(got.user, "793263caabb707a56211940d90411ea4a575adeccb7e360aeb624ed06ece9b0b");
  EXPECT_TRUE(digest_credentials(*choose(challenge), input).ends_with(", userhash=true"));
}

// RFC 2617 section 3.5, and RFC 2069 section 2.4 with its erratum 749.
TEST(Digest, OlderRfcs) {
  constexpr std::string_view kNonce = "nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\", ";
  const std::string challenge = "Digest realm=\"testrealm@host.com\", " + std::string(kNonce) +
                                "opaque=\"5ccc069c403ebaf9f0171e9517f40e41\"";
  DigestInput input{.user = "Mufasa",
                    .password = "Circle Of Life",
                    .method = "GET",
                    .uri = "/dir/index.html",
                    .cnonce = "0a4f113b"};
  EXPECT_EQ(answer(challenge + ", qop=\"auth,auth-int\"", input).response,
            "6629fae49393a05397450978507c4ef1");
  input.password = "CircleOfLife";
  EXPECT_EQ(answer(challenge, input).response, "1949323746fe6a43ef61f9606e7febea");
  EXPECT_EQ(digest_credentials(*choose(challenge), input),
            "Digest username=\"Mufasa\", realm=\"testrealm@host.com\", "
            "nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\", uri=\"/dir/index.html\", "
            "response=\"1949323746fe6a43ef61f9606e7febea\", "
            "opaque=\"5ccc069c403ebaf9f0171e9517f40e41\"");
}

// What curl 7.88 (and once Python's requests) answered to these challenges.
TEST(Digest, AsOtherClientsDo) {
  const std::string head = "Digest realm=\"Test Realm\", nonce=\"abc/123==\", ";
  const auto input = [](std::string_view uri, std::string_view cnonce) {
    DigestInput result{
        .user = "ali\"ce", .password = "pass:wo rd", .method = "GET", .uri = uri, .cnonce = cnonce};
    result.session_nonce = "abc/123==";
    result.session_cnonce = cnonce;
    return result;
  };
  EXPECT_EQ(answer("Digest realm=\"Test Realm\", nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\", "
                   "qop=\"auth\"",
                   input("/a/b?case=0&x=1,2", "ZDA2ZmEzYjJkM2UyZDFiNWVlMmZlNjY1Y2JkZThiNWM="))
                .response,
            "0950a86b257fea1169033f3f8779cc9b");
  EXPECT_EQ(answer(head + "algorithm=MD5-sess, qop=\"auth,auth-int\"",
                   input("/a/b?case=1&x=1,2", "NDNmNWZhNzJkODhiOGU4ZGQ0YWYxN2M4NTRmZjFiZGY="))
                .response,
            "3d297ec04d4f86fb3b2a59c7a6b8a822");
  EXPECT_EQ(answer(head + "algorithm=SHA-256, qop=\"auth\"",
                   input("/a/b?case=2&x=1,2", "ZTc5ZWRlNGQyN2QwZGMwYWQ5ZjgyODA5NGRlOTlkMjI="))
                .response,
            "e126bb1ef7dddcee09670dc7542631e1904707fe42e7e9419fe1856ed3c576bf");
  EXPECT_EQ(answer(head + "algorithm=SHA-256-sess, qop=\"auth\"",
                   input("/a/b?case=3&x=1,2", "Y2U0MjI0MjFhNjg3MzliYmNjN2NiNTgwNzFjMDkxZTc="))
                .response,
            "220f6276f99b4d3f488202d447138231af025a55973ce4c2390324bf46022e13");
  EXPECT_EQ(answer(head + "opaque=\"\"", input("/a/b?case=4&x=1,2", "")).response,
            "552b0229faa499ae94805bdd8b6d2072");
  const Answer hashed =
      answer(head + "algorithm=SHA-256, qop=\"auth\", userhash=true",
             input("/a/b?case=5&x=1,2", "NThkYzVkOWRlNGM5NzRjNjM2YjZiMzc5ZTJjZjkzOTU="));
  EXPECT_EQ(hashed.response, "cec8f4a71ce9c41889ab6058e87a1f7a1be445853997a456ccc330e6533e253c");
  EXPECT_EQ(hashed.user, "51ce7bc67ef96275e30762bd5862f5875e8ce09c13d7aadbe62eaf3afce7d86f");
  DigestInput alice = input("/a/b?case=2&x=1,2", "273d30e8f54079b3");
  alice.user = "alice";
  EXPECT_EQ(answer(head + "algorithm=SHA-256, qop=\"auth\"", alice).response,
            "9eb1f16ce50ec395ea77c8c6d3a310bf5bc12c6fcf4f647e0cb02afbd3d1a217");
}

// --- Challenges ---

TEST(DigestChallenge, IsReadWhole) {
  const auto challenge =
      choose(R"(dIGEST REALM="a \"b\"", Nonce="n", opaque="", stale=TRUE, algorithm=md5-SESS, )"
             R"(qop="auth-int , auth", charset="utf-8", userhash="true", domain="/", other=x)");
  ASSERT_TRUE(challenge);
  EXPECT_EQ(challenge->realm, "a \"b\"");
  EXPECT_EQ(challenge->nonce, "n");
  EXPECT_EQ(challenge->opaque, "");
  EXPECT_TRUE(challenge->stale && challenge->session && challenge->utf8 && challenge->userhash);
  EXPECT_TRUE(challenge->names_algorithm && challenge->qop_auth);
  const auto bare = choose("Digest realm=\"\", nonce=x, stale=yes, userhash=false, charset=latin1");
  ASSERT_TRUE(bare);
  EXPECT_FALSE(bare->stale || bare->session || bare->utf8 || bare->userhash);
  EXPECT_FALSE(bare->names_algorithm || bare->qop_auth || bare->opaque);
}

TEST(DigestChallenge, WhatCannotBeAnswered) {
  const std::string long_text(DigestChallenge::kMaxText + 1, 'x');
  for (const std::string& line : {
           std::string("Basic realm=a, nonce=b"),
           std::string("Digest realm=a"),
           std::string("Digest nonce=b"),
           std::string("Digest realm=a, nonce=b, algorithm=SHA-1"),
           std::string("Digest realm=a, nonce=b, algorithm=-sess"),
           std::string("Digest realm=a, nonce=b, qop=auth-int"),
           std::string("Digest realm=a, nonce=b, qop=authx"),
           std::string("Digest realm=a, nonce=b, algorithm=MD5-sess"),
           std::string("Digest realm=a, nonce=b, algorithm=SHA-256"),
           "Digest realm=a, nonce=" + long_text,
           "Digest nonce=a, realm=" + long_text,
           "Digest realm=a, nonce=b, opaque=" + long_text,
       }) {
    EXPECT_FALSE(choose(line)) << line;
  }
  EXPECT_TRUE(choose("Digest realm=a, nonce=b, qop=\"\""));
}

TEST(DigestChallenge, TheBestOfSeveral) {
  const std::string all =
      "Digest realm=r, nonce=1, qop=auth, "
      "Digest realm=r, nonce=2, qop=auth, algorithm=SHA-256-sess, "
      "Digest realm=r, nonce=3, qop=auth, algorithm=SHA-512-256, Basic realm=s, "
      "Digest realm=r, nonce=4, qop=auth, algorithm=SHA-256, "
      "Digest realm=r, nonce=5, qop=auth, algorithm=SHA-256, "
      "Digest realm=s, nonce=6, qop=auth";
  EXPECT_EQ(choose(all)->nonce, "4");
  EXPECT_EQ(choose(all, "s")->nonce, "6");
  EXPECT_FALSE(choose(all, "R"));
  EXPECT_EQ(choose("Digest realm=r, nonce=1, Digest realm=r, nonce=2, qop=auth, "
                   "algorithm=SHA-512-256")
                ->nonce,
            "2");
}

// --- How credentials are written ---

TEST(DigestCredentials, QuotesAreEscaped) {
  const auto challenge = choose(R"(Digest realm="r \"\\ x", nonce="n\"", qop=auth)");
  ASSERT_TRUE(challenge);
  const std::string value = digest_credentials(*challenge, {.user = R"(DOM\user")",
                                                            .password = "p",
                                                            .method = "GET",
                                                            .uri = R"(/"\)",
                                                            .cnonce = "c",
                                                            .count = 0xabc});
  EXPECT_TRUE(value.starts_with(R"(Digest username="DOM\\user\"", realm="r \"\\ x", )"
                                R"(nonce="n\"", uri="/\"\\", qop=auth, nc=00000abc, )"))
      << value;
}

TEST(DigestCredentials, UsersThatAreNotAscii) {
  const DigestInput input{
      .user = "J\xc3\xa4s n%", .password = "p", .method = "GET", .uri = "/", .cnonce = "c"};
  const auto utf8 = choose("Digest realm=r, nonce=n, qop=auth, charset=UTF-8");
  EXPECT_TRUE(digest_credentials(*utf8, input)
                  .starts_with("Digest username*=UTF-8''J%C3%A4s%20n%25, realm="));
  const auto other = choose("Digest realm=r, nonce=n, qop=auth");
  EXPECT_TRUE(
      digest_credentials(*other, input).starts_with("Digest username=\"J\xc3\xa4s n%\", realm="));
}

TEST(DigestCredentials, NoControlCharacters) {
  const auto challenge = choose("Digest realm=r, nonce=n, qop=auth");
  DigestInput input{.user = "a", .password = "p", .method = "GET", .uri = "/", .cnonce = "c"};
  EXPECT_NE(digest_credentials(*challenge, input), "");
  input.user = "a\r\nX: y";
  EXPECT_EQ(digest_credentials(*challenge, input), "");
  input.user = "a";
  input.uri = "/\n";
  EXPECT_EQ(digest_credentials(*challenge, input), "");
}

}  // namespace
}  // namespace penstock
