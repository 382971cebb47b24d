#include "proxy/rewrite.h"

#include <algorithm>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "adapt/field_edits.h"
#include "proxy/fake_exchange_test.h"

namespace penstock {
namespace {

// "Name: value|Name: value"
void add_lines(FieldSection& fields, std::string_view lines) {
  while (!lines.empty()) {
    const std::string_view line = lines.substr(0, lines.find('|'));
    lines.remove_prefix(std::min(lines.size(), line.size() + 1));
    const std::size_t colon = line.find(": ");
    const std::string_view name = line.substr(0, colon);
    fields.add(field_id(name), name, line.substr(colon + 2));
  }
}

std::string lines_of(const FieldSection& fields) {
  std::string text;
  for (const Field& field : fields) {
    if (!text.empty()) text += '|';
    text.append(field.name).append(": ").append(field.value);
  }
  return text;
}

constexpr Framing kNoBody{};
constexpr Framing kLength{.kind = BodyKind::length, .length = 5};
constexpr Framing kChunked{.kind = BodyKind::chunked};

struct RequestCase {
  const char* name;
  const char* fields;
  const char* expected;  // without Via, which is always last
  const char* connection = "";
  const char* upgrade = "";
  Framing framing = kNoBody;
  Version version = Version::http11;
};

constexpr RequestCase kRequestCases[] = {
    {"nothing to do", "Host: h|Accept: x", "Host: h|Accept: x"},
    {"host replaced in its place", "A: b|Host: other|C: d", "A: b|Host: h|C: d"},
    {"host added", "A: b", "A: b|Host: h"},
    {"well-known ones go",
     "Host: h|Keep-Alive: 5|Proxy-Connection: close|Proxy-Authorization: secret|Connection: close",
     "Host: h"},
    {"named by Connection", "Host: h|Connection: x-a, X-B|X-A: 1|x-b: 2|X-C: 3", "Host: h|X-C: 3"},
    {"end-to-end fields stay", "Host: h|Connection: Cookie, host, close|Cookie: 1",
     "Host: h|Cookie: 1"},
    {"content-length is the codec's", "Host: h|Content-Length: 5", "Host: h", "", "", kLength},
    {"te trailers", "Host: h|TE: trailers|Connection: TE", "Host: h|TE: trailers", "te"},
    {"te among others", "Host: h|TE: gzip;q=0.5, trailers|Connection: TE", "Host: h|TE: trailers",
     "te"},
    {"te of codings only", "Host: h|TE: gzip|Connection: TE", "Host: h"},
    {"upgrade", "Host: h|Upgrade: websocket|Connection: Upgrade", "Host: h|Upgrade: websocket",
     "upgrade", "websocket"},
    {"upgrade and te", "Host: h|Upgrade: x|TE: trailers|Connection: Upgrade, TE",
     "Host: h|TE: trailers|Upgrade: x", "te, upgrade", "x"},
    {"upgrade not in Connection", "Host: h|Upgrade: websocket", "Host: h"},
    {"upgrade from 1.0", "Host: h|Upgrade: x|Connection: upgrade", "Host: h", "", "", kNoBody,
     Version::http10},
    {"upgrade with a body", "Host: h|Upgrade: x|Connection: upgrade", "Host: h", "", "", kLength},
    {"h2c", "Host: h|Upgrade: h2c|HTTP2-Settings: x|Connection: Upgrade, HTTP2-Settings",
     "Host: h"},
    {"h2c among others", "Host: h|Upgrade: websocket, H2C|Connection: Upgrade", "Host: h"},
    {"expect with a body", "Host: h|Expect: 100-continue", "Host: h|Expect: 100-continue", "", "",
     kLength},
    {"expect without a body", "Host: h|Expect: 100-continue", "Host: h"},
    {"expect from 1.0", "Host: h|Expect: 100-continue", "Host: h", "", "", kLength,
     Version::http10},
    {"trailer of chunks", "Host: h|Trailer: Sum", "Host: h|Trailer: Sum", "", "", kChunked},
    {"trailer without chunks", "Host: h|Trailer: Sum", "Host: h", "", "", kLength},
    {"transfer-encoding", "Host: h|Transfer-Encoding: chunked", "Host: h", "", "", kChunked},
    {"via is added to", "Host: h|Via: 1.0 x", "Host: h|Via: 1.0 x"},
};

TEST(PrepareRequest, Fields) {
  for (const RequestCase& c : kRequestCases) {
    SCOPED_TRACE(c.name);
    RequestHead head;
    head.version = c.version;
    add_lines(head.fields, c.fields);
    const RequestHop hop = take_hop(head, c.framing);
    prepare_request(head, c.framing, "h", "us", hop);
    const char* via = c.version == Version::http11 ? "|Via: 1.1 us" : "|Via: 1.0 us";
    EXPECT_EQ(lines_of(head.fields), c.expected + std::string(via));
    EXPECT_EQ(hop.connection, c.connection);
    EXPECT_EQ(hop.upgrade, c.upgrade);
    EXPECT_EQ(hop.trailers, std::string_view(c.connection).starts_with("te"));
  }
}

TEST(PrepareResponse, Fields) {
  struct Case {
    const char* name;
    const char* fields;
    const char* expected;
    Framing framing = kNoBody;
    Version version = Version::http11;
  };
  for (const Case& c : {
           Case{"nothing to do", "Server: x|Date: y", "Server: x|Date: y|Via: 1.1 us"},
           Case{"from 1.0", "Server: x", "Server: x|Via: 1.0 us", kNoBody, Version::http10},
           Case{"hop by hop",
                "Connection: close, X-A|Keep-Alive: 5|X-A: 1|Upgrade: h2c|Proxy-Authenticate: b",
                "Via: 1.1 us"},
           Case{"trailer", "Trailer: Sum", "Trailer: Sum|Via: 1.1 us", kChunked},
           Case{"trailer without chunks", "Trailer: Sum", "Via: 1.1 us", kLength},
           Case{"cookies stay several", "Set-Cookie: a|Set-Cookie: b|Connection: Set-Cookie",
                "Set-Cookie: a|Set-Cookie: b|Via: 1.1 us"},
       }) {
    SCOPED_TRACE(c.name);
    ResponseHead head;
    head.version = c.version;
    add_lines(head.fields, c.fields);
    prepare_response(head, c.framing, "us");
    EXPECT_EQ(lines_of(head.fields), c.expected);
  }
}

TEST(ForwardingFields, AsConfigured) {
  struct Case {
    const char* name;
    const char* peer;
    const char* fields;
    const char* host;
    bool x_forwarded;
    bool forwarded;
    const char* expected;
  };
  const char* const v4 = "192.0.2.9:1234";
  const char* const v6 = "[2001:db8::9]:1234";
  for (const Case& c : {
           Case{"none", v4, "A: b", "h", false, false, "A: b"},
           Case{"x", v4, "", "h:81", true, false,
                "X-Forwarded-For: 192.0.2.9|X-Forwarded-Proto: http|X-Forwarded-Host: h:81"},
           Case{"x of IPv6", v6, "", "h", true, false,
                "X-Forwarded-For: 2001:db8::9|X-Forwarded-Proto: http|X-Forwarded-Host: h"},
           Case{"x appended", v4, "X-Forwarded-For: 1.1.1.1", "h", true, false,
                "X-Forwarded-For: 1.1.1.1|X-Forwarded-For: 192.0.2.9|X-Forwarded-Proto: "
                "http|X-Forwarded-Host: h"},
           Case{"x replaced", v4, "X-Forwarded-Proto: https|X-Forwarded-Host: evil", "h", true,
                false, "X-Forwarded-Proto: http|X-Forwarded-Host: h|X-Forwarded-For: 192.0.2.9"},
           Case{"x without host", v4, "", "", true, false,
                "X-Forwarded-For: 192.0.2.9|X-Forwarded-Proto: http"},
           Case{"forwarded", v4, "", "h:81", false, true,
                "Forwarded: for=192.0.2.9;host=\"h:81\";proto=http"},
           Case{"forwarded of IPv6", v6, "Forwarded: for=x", "", false, true,
                "Forwarded: for=x|Forwarded: for=\"[2001:db8::9]\";proto=http"},
           Case{"unix", "unix:/x", "", "h", true, true,
                "X-Forwarded-For: unknown|X-Forwarded-Proto: http|X-Forwarded-Host: h|Forwarded: "
                "for=unknown;host=\"h\";proto=http"},
       }) {
    SCOPED_TRACE(c.name);
    const ClientInfo client{.peer = Address::parse(c.peer).value()};
    const FakeExchange exchange(client);
    RequestHead head;
    add_lines(head.fields, c.fields);
    add_forwarding_fields(head, exchange, c.host,
                          {.x_forwarded = c.x_forwarded, .forwarded = c.forwarded});
    EXPECT_EQ(lines_of(head.fields), c.expected);
  }
}

// What a client claims about itself must not survive where the field is not a list.
TEST(ForwardingFields, HostOfTheClientIsNotBelievedWhenThereIsNone) {
  const ClientInfo client{.peer = Address::parse("192.0.2.9:1").value()};
  const FakeExchange exchange(client);
  RequestHead head;
  add_lines(head.fields, "X-Forwarded-Proto: https|X-Forwarded-Proto: https");
  add_forwarding_fields(head, exchange, "h", {});
  EXPECT_EQ(head.fields.count(FieldId::x_forwarded_proto), 1U);
}

TEST(ForwardingFields, TellHowTheClientCame) {
  ClientInfo client{.peer = Address::parse("192.0.2.9:1").value()};
  const auto facts = std::make_shared<ConnectionFacts>();
  facts->tls.emplace();
  client.facts = facts;
  const FakeExchange exchange(client);
  RequestHead head;
  add_lines(head.fields, "X-Forwarded-Proto: http");
  add_forwarding_fields(head, exchange, "h", {.forwarded = true});
  EXPECT_EQ(lines_of(head.fields),
            "X-Forwarded-Proto: https|X-Forwarded-For: 192.0.2.9|X-Forwarded-Host: h|"
            "Forwarded: for=192.0.2.9;host=\"h\";proto=https");
  facts->tls.reset();
  for (const bool at_sender : {false, true}) {
    facts->tls_at_sender = at_sender;
    add_forwarding_fields(head, exchange, "h", {});
    EXPECT_EQ(head.fields.value(FieldId::x_forwarded_proto), at_sender ? "https" : "http");
  }
}

TEST(FieldEdits, RemoveThenSetThenAdd) {
  const FieldEdits edits{.remove = {"server", "X-Old"},
                         .set = {{"Cache-Control", "no-store"}, {"X-Old", "new"}},
                         .add = {{"X-Old", "more"}, {"Via", "x"}}};
  FieldSection fields;
  add_lines(fields, "Server: s|Cache-Control: a|Cache-Control: b|x-old: 1|Keep: k|X-OLD: 2");
  const ClientInfo client;
  const VariableContext context{.client = client};
  const FieldEditor editor(edits);  // stays as long as the fields it gave
  editor.apply(context, fields);
  EXPECT_EQ(lines_of(fields), "Cache-Control: no-store|Keep: k|X-Old: new|X-Old: more|Via: x");
  EXPECT_TRUE(fields.has(FieldId::via));
  const FieldEdits none;
  const FieldEditor idle(none);
  idle.apply(context, fields);
  EXPECT_EQ(fields.size(), 5U);
}

}  // namespace
}  // namespace penstock
