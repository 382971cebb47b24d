#include "adapt/variables.h"

#include <memory>
#include <string>
#include <string_view>

#include <gtest/gtest.h>

#include "adapt/field_edits.h"

namespace penstock {
namespace {

class VariablesTest : public testing::Test {
 protected:
  VariablesTest() {
    listener.name = "edge";
    client.connection_id = 42;
    client.peer = Address::parse("192.0.2.9:1234").value();
    client.local = Address::parse("[2001:db8::1]:443").value();
    client.listener = &listener;
  }
  TlsClientFacts& tls() {
    const auto facts = std::make_shared<ConnectionFacts>();
    client.facts = facts;
    return facts->tls.emplace();
  }
  std::string expand(std::string_view text) {
    const TextTemplate made(text);
    return std::string(made.expand({.client = client, .request = 3}, arena));
  }

  ListenerSettings listener;
  ClientInfo client;
  Arena arena;
};

TEST_F(VariablesTest, Parts) {
  std::string_view rest = "a$${b}${c}$d${e";
  std::string seen;
  while (!rest.empty()) {
    const TextPart part = take_part(rest);
    seen += std::to_string(static_cast<int>(part.kind)) + ':' + std::string(part.text) + ' ';
  }
  EXPECT_EQ(seen, "0:a 0:$ 0:{b} 1:c 2:$ 0:d 3:${e ");
}

TEST_F(VariablesTest, WithoutTls) {
  EXPECT_EQ(expand("plain"), "plain");
  EXPECT_EQ(expand(""), "");
  EXPECT_EQ(expand("5$$ ${client_ip}:${client_port}"), "5$ 192.0.2.9:1234");
  EXPECT_EQ(expand("$$${scheme}$$"), "$http$");
  EXPECT_EQ(expand("${server_ip} ${server_port} ${listener}"), "2001:db8::1 443 edge");
  EXPECT_EQ(expand("${connection_id} ${request_id}"), "42 42-3");
  EXPECT_EQ(expand("[${tls_version}${tls_cipher}${tls_server_name}${tls_alpn}${tls_resumed}]"),
            "[]");
  EXPECT_EQ(expand("${tls_client_subject} ${tls_client_issuer}"), "");
}

TEST_F(VariablesTest, WithTls) {
  TlsClientFacts& facts = tls();
  facts = {.version = TlsVersion::v1_2,
           .cipher = "ECDHE-RSA-AES128-GCM-SHA256",
           .server_name = "www.example",
           .alpn = "h2",
           .resumed = true,
           .subject = "CN=alice,O=Example",
           .issuer = "CN=ca",
           .serial = "0A",
           .fingerprint = "abcd",
           .certificate = "MIIB"};
  EXPECT_EQ(expand("${scheme} ${tls_version} ${tls_cipher}"),
            "https TLSv1.2 ECDHE-RSA-AES128-GCM-SHA256");
  EXPECT_EQ(expand("${tls_server_name} ${tls_alpn} ${tls_resumed}"), "www.example h2 true");
  EXPECT_EQ(expand("${tls_client_subject};${tls_client_issuer};${tls_client_serial};"
                   "${tls_client_fingerprint};${tls_client_certificate}"),
            "CN=alice,O=Example;CN=ca;0A;abcd;MIIB");
}

// A certificate authority that signs anything, and clients that ask for anything, must not get
// lines of their own into a request.
TEST_F(VariablesTest, NothingThatBreaksALineGetsIn) {
  TlsClientFacts& facts = tls();
  facts.fingerprint = "x";
  facts.subject = std::string("CN=a\r\nX-Admin: 1\n") + '\0' + "\x7f\t\xc3\xa4";
  facts.server_name = "a\r\nHost: b";
  EXPECT_EQ(expand("${tls_client_subject}"), R"(CN=a\0D\0AX-Admin: 1\0A\00\7F\09\C3\A4)");
  EXPECT_EQ(expand("${tls_server_name}"), R"(a\0D\0AHost: b)");
  for (int byte = 0; byte < 256; ++byte) {
    facts.subject = std::string(1, static_cast<char>(byte));
    for (const char c : expand("${tls_client_subject}")) EXPECT_TRUE(c > ' ' && c < 0x7f);
  }
}

TEST_F(VariablesTest, OfAUnixSocket) {
  client.peer = client.local = Address::unix_socket("/run/x.sock");
  EXPECT_EQ(expand("${client_ip}${client_port}${server_ip}${server_port}"), "");
}

class RequestVariablesTest : public VariablesTest {
 protected:
  std::string expand(std::string_view text) {
    const TextTemplate made(text);
    return std::string(made.expand({.client = client,
                                    .head = &head,
                                    .host = host,
                                    .route = "inner",
                                    .status = status,
                                    .login = login,
                                    .notes = notes},
                                   arena));
  }
  void ask(std::string_view method, std::string_view target) {
    head.method_text = method;
    head.target = parse_target(method, target).value();
  }

  RequestHead head;
  std::string_view host = "www.example";
  int status = 0;
  std::string_view login = {};
  std::vector<Note> notes;
};

TEST_F(RequestVariablesTest, OfTheRequest) {
  const std::string_view all = "${method} ${host} ${path} ${query} ${path_and_query} ${route}";
  ask("GET", "/a/b?c=d?e");
  EXPECT_EQ(expand(all), "GET www.example /a/b c=d?e /a/b?c=d?e inner");
  ask("PUT", "http://www.example");
  EXPECT_EQ(expand(all), "PUT www.example /  / inner");
  ask("GET", "http://www.example?x");
  EXPECT_EQ(expand(all), "GET www.example / x /?x inner");
  ask("OPTIONS", "*");
  EXPECT_EQ(expand("${path}${query}"), "*");
  ask("CONNECT", "www.example:443");
  EXPECT_EQ(expand("[${path}${query}${path_and_query}]"), "[]");
  host = "2001:db8::1";
  EXPECT_EQ(expand("http://${host}/"), "http://[2001:db8::1]/");
}

TEST_F(RequestVariablesTest, OfTheUser) {
  EXPECT_EQ(expand("[${user}]"), "[]");
  login = "Basic YWxpY2U6c2VjcmV0";  // alice:secret
  EXPECT_EQ(expand("Local://${user}"), "Local://alice");
  login = "Basic bfxsbGVyOng=";  // in ISO-8859-1
  EXPECT_EQ(expand("${user}"), R"(m\FCller)");
}

TEST_F(RequestVariablesTest, OfFieldsAndNotes) {
  EXPECT_EQ(expand("[${field:X-Line}${noted:X-Attribute}]"), "[]");
  head.fields.add(FieldId::other, "x-line", "42");
  head.fields.add(FieldId::other, "X-Line", "43");
  head.fields.add(FieldId::host, "www.example");
  notes = {{.name = "X-Attribute", .text = "deny\x80"}};
  EXPECT_EQ(expand("${field:X-Line} ${field:host} ${noted:x-attribute}"),
            R"(42 www.example deny\80)");
}

TEST_F(RequestVariablesTest, WhetherTheySayAnything) {
  const auto says = [this](std::string_view text) {
    return TextTemplate(text).says_something({.client = client, .head = &head, .login = login});
  };
  EXPECT_TRUE(says("plain"));
  EXPECT_FALSE(says("Local://${user}"));
  EXPECT_TRUE(says("${user}${client_ip}"));
  login = "Basic YWxpY2U6c2VjcmV0";
  EXPECT_TRUE(says("Local://${user}"));
}

TEST_F(RequestVariablesTest, OfTheResponse) {
  EXPECT_EQ(expand("[${status}]"), "[]");
  status = 404;
  EXPECT_EQ(expand("[${status}]"), "[404]");
}

TEST_F(RequestVariablesTest, MarkupStaysText) {
  ask("GET", "/a\"'&|x");
  const TextTemplate made("<a title=\"${path}\">$$</a> ");
  const VariableContext context{.client = client, .head = &head};
  EXPECT_EQ(made.fill(context, Escaping::html), "<a title=\"/a&#34;&#39;&#38;|x\">$</a> ");
  EXPECT_EQ(made.fill(context, Escaping::none), "<a title=\"/a\"'&|x\">$</a> ");
  EXPECT_EQ(TextTemplate(" <b> ").fill(context, Escaping::html), " <b> ");
}

std::string lines_of(const FieldSection& fields) {
  std::string out;
  for (const Field& field : fields) out.append(field.name).append(": ").append(field.value) += '|';
  return out;
}

TEST_F(VariablesTest, WhatAClientSendsUnderANameThatIsSetGoes) {
  const FieldEdits edits{.remove = {},
                         .set = {{"X-Cert", "${tls_client_subject}"}, {"X-Ip", "${client_ip}"}},
                         .add = {{"X-More", "${tls_client_serial}"}, {"X-More", "is $$1"}}};
  const FieldEditor editor(edits);
  for (const bool shown : {false, true}) {
    if (shown) tls().subject = "CN=alice";
    FieldSection fields;
    fields.add(FieldId::other, "x-cert", "CN=admin");
    fields.add(FieldId::other, "A", "b");
    fields.add(FieldId::other, "X-CERT", "CN=root");
    fields.add(FieldId::other, "x-ip", "127.0.0.1");
    editor.apply({.client = client}, fields);
    EXPECT_EQ(lines_of(fields), shown ? "x-cert: CN=alice|A: b|x-ip: 192.0.2.9|X-More: is $1|"
                                      : "A: b|x-ip: 192.0.2.9|X-More: is $1|");
  }
}

// Servers that make variables of fields (CGI) know no hyphen.
TEST_F(VariablesTest, WhatAClientSendsUnderANameAlikeGoesToo) {
  const FieldEdits edits{.remove = {"X-Debug_Mode"},
                         .set = {{"X-Client-Cert", "${tls_client_subject}"}},
                         .add = {{"X-More", "1"}}};
  const FieldEditor editor(edits, NameMatch::alike);
  EXPECT_EQ(editor.claimed().size(), 2U);
  FieldSection fields;
  for (const char* name : {"X_Client_Cert", "x-client_cert", "X-Client-Certs", "X_More",
                           "X_Debug-Mode", "X-Client-Cert", "X_Client_Cert"}) {
    fields.add(FieldId::other, name, "CN=admin");
  }
  tls().subject = "CN=alice";
  editor.apply({.client = client}, fields);
  EXPECT_EQ(lines_of(fields),
            "X-Client-Certs: CN=admin|X_More: CN=admin|X-Client-Cert: CN=alice|X-More: 1|");
}

TEST_F(VariablesTest, PlainTextsMayBeEmpty) {
  const FieldEdits edits{.remove = {}, .set = {{"X-Empty", ""}}, .add = {}};
  const FieldEditor editor(edits);
  FieldSection fields;
  editor.apply({.client = client}, fields);
  EXPECT_EQ(lines_of(fields), "X-Empty: |");
}

}  // namespace
}  // namespace penstock
