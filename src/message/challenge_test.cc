#include "message/challenge.h"

#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

namespace penstock {
namespace {

FieldSection section(const std::vector<std::string_view>& lines,
                     FieldId id = FieldId::www_authenticate) {
  FieldSection fields;
  for (const std::string_view line : lines) fields.add(id, line);
  return fields;
}

std::string text_of(const AuthParameters& parameters) {
  std::string text;
  for (const AuthParameter& parameter : parameters) {
    if (!text.empty()) text += ' ';
    text.append(parameter.name).append("=[").append(parameter.value).append("]");
  }
  return text;
}

// "Scheme:token68" or "Scheme name=[value] ...", with "|" between challenges.
std::string read(const std::vector<std::string_view>& lines) {
  const FieldSection fields = section(lines);
  Arena arena;
  std::string text;
  for (const Challenge& challenge : parse_challenges(fields, FieldId::www_authenticate, arena)) {
    if (!text.empty()) text += "|";
    text.append(challenge.scheme);
    if (!challenge.token68.empty()) text.append(":").append(challenge.token68);
    if (!challenge.parameters.empty()) text.append(" ").append(text_of(challenge.parameters));
  }
  return text;
}

std::string read_info(const std::vector<std::string_view>& lines) {
  const FieldSection fields = section(lines, FieldId::authentication_info);
  Arena arena;
  return text_of(parse_auth_info(fields, FieldId::authentication_info, arena));
}

TEST(Challenges, AsServersSendThem) {
  // IIS.
  EXPECT_EQ(read({"Negotiate", "NTLM"}), "Negotiate|NTLM");
  EXPECT_EQ(read({"NTLM TlRMTVNTUAACAAAADAAMADgAAAAFgokC=="}),
            "NTLM:TlRMTVNTUAACAAAADAAMADgAAAAFgokC==");
  EXPECT_EQ(read({"Bearer", "Negotiate", "Basic realm=\"ews.example\""}),
            "Bearer|Negotiate|Basic realm=[ews.example]");
  // A KDC's answer with data.
  EXPECT_EQ(read({"Negotiate oYG2MIGzoAMKAQChCwYJKoZIgvcSAQICooGeBIGbYIGY/+s="}),
            "Negotiate:oYG2MIGzoAMKAQChCwYJKoZIgvcSAQICooGeBIGbYIGY/+s=");
  EXPECT_EQ(read({"Kerberos YIIF+w=="}), "Kerberos:YIIF+w==");
  // Apache.
  EXPECT_EQ(read({"Digest realm=\"Private Area\", nonce=\"vNFvR8TmBQA=c8e5c9a4a9\", "
                  "algorithm=MD5, domain=\"/ /b\", qop=\"auth\"",
                  "Basic realm=\"Private Area\""}),
            "Digest realm=[Private Area] nonce=[vNFvR8TmBQA=c8e5c9a4a9] algorithm=[MD5] "
            "domain=[/ /b] qop=[auth]|Basic realm=[Private Area]");
  // nginx.
  EXPECT_EQ(read({"Basic realm=\"closed site\""}), "Basic realm=[closed site]");
  // Squid.
  EXPECT_EQ(read({"Digest realm=\"Squid\", nonce=\"cafe\", qop=\"auth\", algorithm=MD5, "
                  "stale=false",
                  "Basic realm=\"Squid proxy-caching web server\""}),
            "Digest realm=[Squid] nonce=[cafe] qop=[auth] algorithm=[MD5] stale=[false]|"
            "Basic realm=[Squid proxy-caching web server]");
  // OAuth (RFC 6750 section 3), and a registry of container images.
  EXPECT_EQ(read({"Bearer realm=\"example\", error=\"invalid_token\", "
                  "error_description=\"The token, alas, expired\""}),
            "Bearer realm=[example] error=[invalid_token] "
            "error_description=[The token, alas, expired]");
  EXPECT_EQ(read({"Bearer realm=\"https://auth.example/token\",service=\"registry\","
                  "scope=\"repository:a/b:pull,push\""}),
            "Bearer realm=[https://auth.example/token] service=[registry] "
            "scope=[repository:a/b:pull,push]");
  // HTTP/1.0 proxies of old, and those who don't quote.
  EXPECT_EQ(read({"BASIC realm=proxy"}), "BASIC realm=[proxy]");
  EXPECT_EQ(read({"Digest realm=cam, nonce=ab/+c==, domain=/x;y, qop=auth"}),
            "Digest realm=[cam] nonce=[ab/+c==] domain=[/x;y] qop=[auth]");
}

// RFC 9110 section 11.6.1.
TEST(Challenges, SeveralOnALine) {
  EXPECT_EQ(read({"Basic realm=\"simple\", Newauth realm=\"apps\", type=1, "
                  "title=\"Login to \\\"apps\\\"\""}),
            "Basic realm=[simple]|Newauth realm=[apps] type=[1] title=[Login to \"apps\"]");
  EXPECT_EQ(read({"Negotiate, NTLM,Basic realm=\"a\""}), "Negotiate|NTLM|Basic realm=[a]");
  EXPECT_EQ(read({"Negotiate abc==, NTLM def=,Basic realm=a"}),
            "Negotiate:abc==|NTLM:def=|Basic realm=[a]");
  EXPECT_EQ(read({"Digest a=1, b=2, Digest a=3, Basic"}), "Digest a=[1] b=[2]|Digest a=[3]|Basic");
  // Lines are one list, wherever it was cut (RFC 9110 section 5.3).
  EXPECT_EQ(read({"Digest a=1", "b=2, NTLM", "Basic c=3"}), "Digest a=[1] b=[2]|NTLM|Basic c=[3]");
}

TEST(Challenges, WhiteSpaceAndEmptyElements) {
  EXPECT_EQ(read({",, Basic \t realm \t=\t \"a\" \t, , charset = UTF-8 ,,NTLM , "}),
            "Basic realm=[a] charset=[UTF-8]|NTLM");
  EXPECT_EQ(read({"Basic , realm=\"a\""}), "Basic realm=[a]");
  EXPECT_EQ(read({"Basic realm=\"\""}), "Basic realm=[]");
  EXPECT_EQ(read({}), "");
  EXPECT_EQ(read({"", " ", ",", "\t,"}), "");
}

TEST(Challenges, QuotedStrings) {
  EXPECT_EQ(read({R"(Basic realm="a, NTLM, b=\"c\", \\", x=y)"}),
            R"(Basic realm=[a, NTLM, b="c", \] x=[y])");
  EXPECT_EQ(read({R"(Basic realm="\a\b\c")"}), "Basic realm=[abc]");
  EXPECT_EQ(read({"Basic realm=\"\xc3\xa4\t\xff\""}), "Basic realm=[\xc3\xa4\t\xff]");
}

TEST(Challenges, TextWithoutEscapesIsNotCopied) {
  const std::string line = R"(Basic realm="plain", other="with \" in it")";
  const FieldSection fields = section({line});
  Arena arena;
  const auto challenges = parse_challenges(fields, FieldId::www_authenticate, arena);
  ASSERT_EQ(challenges.size(), 1U);
  EXPECT_TRUE(challenges[0].is("bAsIc"));
  EXPECT_FALSE(challenges[0].is("Basi"));
  const AuthParameter* const realm = challenges[0].find("REALM");
  ASSERT_NE(realm, nullptr);
  EXPECT_EQ(realm->value.data(), line.data() + 13);
  EXPECT_EQ(challenges[0].find("other")->value, "with \" in it");
  EXPECT_EQ(challenges[0].find("real"), nullptr);
}

TEST(Challenges, AMistakeCostsTheChallengeItIsIn) {
  // Twice the same parameter.
  EXPECT_EQ(read({"Digest nonce=a, qop=auth, NONCE=b, Basic realm=c"}), "Basic realm=[c]");
  EXPECT_EQ(read({"NTLM, Digest a=1, a=1"}), "NTLM");
  // Both forms.
  EXPECT_EQ(read({"Negotiate abc=, realm=x, Basic realm=c"}), "Basic realm=[c]");
  // No comma between.
  EXPECT_EQ(read({"Basic realm=\"a\" charset=UTF-8, NTLM"}), "NTLM");
  EXPECT_EQ(read({"NTLM Negotiate x, Basic"}), "Basic");
  // Something else.
  EXPECT_EQ(read({"Digest a=1, ???, b=2, NTLM"}), "NTLM");
  EXPECT_EQ(read({"Digest a=1, b=, NTLM"}), "NTLM");
  EXPECT_EQ(read({"Digest a=1, b=\"x\"y, NTLM"}), "NTLM");
  EXPECT_EQ(read({"Digest a=x\"y\", NTLM"}), "NTLM");
  EXPECT_EQ(read({"Digest/x, NTLM"}), "NTLM");
  EXPECT_EQ(read({"=x, NTLM"}), "NTLM");
  EXPECT_EQ(read({"a=b, NTLM"}), "NTLM");
  // A comma in a quoted string is none, even in what is skipped.
  EXPECT_EQ(read({"Digest a=1 \", NTLM, \\\", Basic\", Bearer"}), "Bearer");
  // A quoted string that is not closed takes the rest of its line.
  EXPECT_EQ(read({"NTLM, Basic realm=\"a, Bearer", "Negotiate"}), "NTLM|Negotiate");
  EXPECT_EQ(read({"Basic realm=\"", "Basic realm=\"\\", "Basic realm=\"\\\"", "NTLM"}), "NTLM");
}

// What is read here is written into requests of ours.
TEST(Challenges, ControlBytesAreNeverPartOfAValue) {
  EXPECT_EQ(read({"Basic realm=\"a\r\nb\", NTLM"}), "NTLM");
  EXPECT_EQ(read({"Basic realm=\"a\\\nb\", NTLM"}), "NTLM");
  EXPECT_EQ(read({"Basic realm=a\nb, NTLM"}), "NTLM");
  EXPECT_EQ(read({"Basic\n, NTLM"}), "NTLM");
}

TEST(Challenges, Limits) {
  std::string many;
  for (std::size_t i = 0; i < 100; ++i) many += "S" + std::to_string(i) + ", ";
  const FieldSection schemes = section({many});
  Arena arena;
  const auto challenges = parse_challenges(schemes, FieldId::www_authenticate, arena);
  ASSERT_EQ(challenges.size(), kMaxChallenges);
  EXPECT_EQ(challenges.back().scheme, "S15");

  std::string parameters = "Digest a=1";
  for (std::size_t i = 1; i < kMaxAuthParameters; ++i)
    parameters += ", p" + std::to_string(i) + "=1";
  EXPECT_EQ(read({parameters + ", NTLM"}).substr(0, 10), "Digest a=[");
  EXPECT_EQ(read({parameters + ", z=1, NTLM"}), "NTLM");

  const std::string long_line = "X realm=\"" + std::string(kMaxChallengeText - 10, 'x') + "\"";
  ASSERT_EQ(long_line.size(), kMaxChallengeText);
  EXPECT_EQ(read({long_line, "NTLM"}).substr(0, 2), "X ");
  EXPECT_EQ(read({"NTLM", long_line, "Basic"}), "NTLM");
  EXPECT_EQ(parse_challenges(long_line, arena).size(), 1U);
  EXPECT_EQ(parse_challenges(long_line + " ", arena).size(), 0U);
}

TEST(Challenges, CredentialsHaveTheSameForm) {
  Arena arena;
  const auto digest = parse_challenges(
      R"(Digest username="Mufasa", realm="a", uri="/?a=b,c", nc=00000001, qop=auth)", arena);
  ASSERT_EQ(digest.size(), 1U);
  EXPECT_EQ(digest[0].find("uri")->value, "/?a=b,c");
  EXPECT_EQ(parse_challenges("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==", arena)[0].token68,
            "QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
}

// RFC 7616 section 3.5, RFC 7615.
TEST(AuthInfo, IsAllOrNothing) {
  EXPECT_EQ(read_info({"nextnonce=\"a=b, c\", qop=auth, nc=00000001"}),
            "nextnonce=[a=b, c] qop=[auth] nc=[00000001]");
  EXPECT_EQ(read_info({"a=1,", " , b = \"2\""}), "a=[1] b=[2]");
  EXPECT_EQ(read_info({""}), "");
  EXPECT_EQ(read_info({}), "");
  for (const std::string_view bad :
       {"nextnonce=a, NEXTNONCE=b", "nextnonce=a b=c", "nextnonce", "nextnonce=", "=", "a=1, ?",
        "a=\"1", "Digest nextnonce=a", "a=1, b=\"\n\""}) {
    EXPECT_EQ(read_info({bad}), "") << bad;
  }
  // A mistake on one line is one of the list.
  EXPECT_EQ(read_info({"a=1", "?"}), "");
  EXPECT_EQ(read_info({"?", "a=1"}), "");
}

TEST(Scheme, OfCredentials) {
  EXPECT_EQ(scheme_of("Basic abc"), "Basic");
  EXPECT_EQ(scheme_of("NTLM"), "NTLM");
  EXPECT_EQ(scheme_of("Bearer\tx"), "Bearer");
  EXPECT_EQ(scheme_of(""), "");
  EXPECT_EQ(scheme_of(" Basic"), "");
  EXPECT_EQ(scheme_of("Ba,sic x"), "");
}

TEST(Scheme, ThoseThatBindTheConnection) {
  for (const std::string_view bound : {"NTLM", "ntlm", "Negotiate", "NEGOTIATE", "Kerberos"}) {
    EXPECT_TRUE(is_connection_bound(bound)) << bound;
  }
  for (const std::string_view free : {"", "Basic", "Digest", "Bearer", "NTLM2", "Negotiat"}) {
    EXPECT_FALSE(is_connection_bound(free)) << free;
  }
}

TEST(AppendQuoted, EscapesWhatItMust) {
  std::string text = "x=";
  append_quoted(text, R"(a"b\c, d)");
  EXPECT_EQ(text, R"(x="a\"b\\c, d")");
}

}  // namespace
}  // namespace penstock
