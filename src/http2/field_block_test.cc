#include "http2/field_block.h"

#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace penstock::http2 {
namespace {

using Lines = std::vector<std::pair<std::string, std::string>>;

Lines request(Lines more = {}) {
  Lines lines{{":method", "GET"},
              {":scheme", "https"},
              {":authority", "example.com"},
              {":path", "/path?query"}};
  lines.insert(lines.end(), more.begin(), more.end());
  return lines;
}
Lines without(Lines lines, std::string_view name) {
  std::erase_if(lines, [name](const auto& line) { return line.first == name; });
  return lines;
}
Lines with(Lines lines, std::string_view name, std::string_view value) {
  for (auto& line : lines) {
    if (line.first == name) line.second = value;
  }
  return lines;
}

FieldBlock block_of(FieldBlock::Kind kind, const Lines& lines, const FieldLimits& limits = {}) {
  FieldBlock block(kind);
  for (const auto& [name, value] : lines) EXPECT_TRUE(block.add(name, value, limits));
  return block;
}

struct Made {
  Refusal refusal;
  RequestHead head;
};
Made make(const Lines& lines, bool absolute = false, const FieldLimits& limits = {}) {
  FieldBlock block = block_of(FieldBlock::Kind::request, lines, limits);
  Made made{};
  made.refusal = make_request(block, absolute, made.head);
  return made;
}
Refusal refusal_of(const Lines& lines, bool absolute = false) {
  return make(lines, absolute).refusal;
}

TEST(FieldBlock, OriginForm) {
  const Made made = make(request({{"accept", "*/*"}, {"x-own", "Value"}}));
  ASSERT_EQ(made.refusal, Refusal::none);
  EXPECT_EQ(made.head.version, Version::http2);
  EXPECT_EQ(made.head.method, Method::get);
  EXPECT_EQ(made.head.target.form, TargetForm::origin);
  EXPECT_EQ(made.head.target.path_and_query, "/path?query");
  EXPECT_EQ(made.head.fields.value(FieldId::host), "example.com");
  EXPECT_EQ(made.head.fields.find(FieldId::accept)->name, "Accept");
  EXPECT_EQ(made.head.fields.find("x-own")->value, "Value");
  EXPECT_EQ(made.head.fields.size(), 3U);
}

TEST(FieldBlock, AbsoluteForm) {
  const Made made = make(request(), true);
  ASSERT_EQ(made.refusal, Refusal::none);
  EXPECT_EQ(made.head.target_text, "https://example.com/path?query");
  EXPECT_EQ(made.head.target.form, TargetForm::absolute);
  EXPECT_EQ(made.head.target.host.host, "example.com");
}

TEST(FieldBlock, Asterisk) {
  const Lines options = with(with(request(), ":method", "OPTIONS"), ":path", "*");
  EXPECT_EQ(make(options).head.target.form, TargetForm::asterisk);
  const Made absolute = make(options, true);
  EXPECT_EQ(absolute.refusal, Refusal::none);
  EXPECT_EQ(absolute.head.target.path_and_query, "*");
  EXPECT_EQ(refusal_of(with(request(), ":path", "*")), Refusal::target_malformed);
}

TEST(FieldBlock, Connect) {
  const Made made = make({{":method", "CONNECT"}, {":authority", "example.com:443"}}, true);
  ASSERT_EQ(made.refusal, Refusal::none);
  EXPECT_EQ(made.head.target.form, TargetForm::authority);
  EXPECT_EQ(made.head.target.host.port, 443);
  EXPECT_EQ(refusal_of({{":method", "CONNECT"}, {":authority", "example.com"}}),
            Refusal::target_malformed);
  EXPECT_EQ(refusal_of({{":method", "CONNECT"}}), Refusal::pseudo_field_malformed);
  EXPECT_EQ(refusal_of(with(request(), ":method", "CONNECT")), Refusal::pseudo_field_malformed);
}

TEST(FieldBlock, ExtendedConnect) {
  Lines lines = with(request(), ":method", "CONNECT");
  lines.emplace_back(":protocol", "websocket");
  const Made made = make(lines);
  ASSERT_EQ(made.refusal, Refusal::none);
  EXPECT_EQ(made.head.method, Method::get);
  EXPECT_EQ(made.head.fields.value(FieldId::upgrade), "websocket");
  EXPECT_EQ(made.head.fields.find("sec-websocket-key")->value.size(), 24U);
  EXPECT_EQ(refusal_of(with(lines, ":protocol", "connect-udp")), Refusal::protocol_unknown);
  EXPECT_EQ(refusal_of(with(lines, ":method", "GET")), Refusal::pseudo_field_malformed);
  EXPECT_EQ(refusal_of(without(lines, ":path")), Refusal::pseudo_field_malformed);
  EXPECT_EQ(refusal_of(without(lines, ":authority")), Refusal::pseudo_field_malformed);
}

TEST(FieldBlock, PseudoFields) {
  for (const std::string name : {":method", ":scheme", ":path"}) {
    EXPECT_EQ(refusal_of(without(request(), name)), Refusal::pseudo_field_malformed) << name;
    Lines twice = request();
    twice.insert(twice.begin(),
                 twice[0].first == name ? twice[0] : twice[name == ":scheme" ? 1 : 3]);
    EXPECT_EQ(refusal_of(twice), Refusal::pseudo_field_malformed) << name;
  }
  EXPECT_EQ(refusal_of(request({{":status", "200"}})), Refusal::pseudo_field_malformed);
  EXPECT_EQ(refusal_of(request({{":unknown", "x"}})), Refusal::pseudo_field_malformed);
  EXPECT_EQ(refusal_of(request({{":Path", "/"}})), Refusal::pseudo_field_malformed);
  Lines late{{"accept", "*/*"}};
  for (const auto& line : request()) late.push_back(line);
  EXPECT_EQ(refusal_of(late), Refusal::pseudo_field_malformed);
}

TEST(FieldBlock, Values) {
  EXPECT_EQ(refusal_of(with(request(), ":path", "")), Refusal::target_malformed);
  EXPECT_EQ(refusal_of(with(request(), ":path", "x")), Refusal::target_malformed);
  for (const std::string path : {"/ x", "/\r\nx", "/x#y", "/\x80", "/\t"}) {
    EXPECT_EQ(refusal_of(with(request(), ":path", path)), Refusal::target_malformed) << path;
    EXPECT_EQ(refusal_of(with(request(), ":path", path), true), Refusal::target_malformed) << path;
  }
  for (const std::string method : {"", "G T", "GET\r\n", "G:"}) {
    EXPECT_EQ(refusal_of(with(request(), ":method", method)), Refusal::method_invalid) << method;
  }
  EXPECT_EQ(refusal_of(with(request(), ":authority", "u@example.com")),
            Refusal::userinfo_in_target);
  for (const std::string authority : {"", "exa mple.com", "example.com/x", "example.com?x",
                                      "example.com:x", "example.com\r\n", "ex#ample.com"}) {
    EXPECT_EQ(refusal_of(with(request(), ":authority", authority)), Refusal::host_invalid);
    EXPECT_EQ(refusal_of(with(request(), ":authority", authority), true), Refusal::host_invalid);
  }
  for (const std::string scheme : {"", "ht tp", "http://x/", "gopher\r\n", "1"}) {
    EXPECT_EQ(refusal_of(with(request(), ":scheme", scheme)), Refusal::target_malformed) << scheme;
    EXPECT_EQ(refusal_of(with(request(), ":scheme", scheme), true), Refusal::target_malformed)
        << scheme;
  }
}

TEST(FieldBlock, Host) {
  EXPECT_EQ(refusal_of(request({{"host", "example.com"}})), Refusal::none);
  EXPECT_EQ(refusal_of(request({{"host", "EXAMPLE.com:443"}})), Refusal::none);
  EXPECT_EQ(make(request({{"host", "EXAMPLE.com:443"}})).head.fields.value(FieldId::host),
            "example.com");
  EXPECT_EQ(refusal_of(request({{"host", "example.com:80"}})), Refusal::authority_conflict);
  EXPECT_EQ(refusal_of(request({{"host", "other.example"}})), Refusal::authority_conflict);
  EXPECT_EQ(refusal_of(request({{"host", "example.com"}, {"host", "example.com"}})),
            Refusal::host_repeated);
  EXPECT_EQ(refusal_of(request({{"host", "a b"}})), Refusal::host_invalid);
  Lines only_host = without(request(), ":authority");
  EXPECT_EQ(refusal_of(only_host), Refusal::host_missing);
  only_host.emplace_back("host", "example.org");
  EXPECT_EQ(make(only_host, true).head.target_text, "https://example.org/path?query");
}

TEST(FieldBlock, ConnectionFields) {
  for (const std::string name :
       {"connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade"}) {
    EXPECT_EQ(refusal_of(request({{name, "x"}})), Refusal::connection_field) << name;
  }
  EXPECT_EQ(refusal_of(request({{"te", "gzip"}})), Refusal::connection_field);
  EXPECT_EQ(refusal_of(request({{"te", "trailers, gzip"}})), Refusal::connection_field);
  EXPECT_EQ(refusal_of(request({{"te", "trailers"}})), Refusal::none);
}

TEST(FieldBlock, NamesAndValues) {
  for (const std::string name : {"", "Accept", "x y", "x\n", "x:y", "\x80", "ACCEPT"}) {
    EXPECT_EQ(refusal_of(request({{name, "x"}})), Refusal::field_name_invalid) << name;
  }
  for (const std::string& value :
       {std::string("a\rb"), std::string("a\nb"), std::string("a\0b", 3), std::string(" a"),
        std::string("a "), std::string("a\t"), std::string("\x7f")}) {
    EXPECT_EQ(refusal_of(request({{"x", value}})), Refusal::field_value_invalid) << value;
  }
  EXPECT_EQ(refusal_of(request({{"x", ""}, {"y", "a\tb \xff"}})), Refusal::none);
}

TEST(FieldBlock, CookieCrumbs) {
  const Made made =
      make(request({{"cookie", "a=1"}, {"x", "y"}, {"cookie", "b=2"}, {"cookie", "c"}}));
  EXPECT_EQ(made.head.fields.count(FieldId::cookie), 1U);
  EXPECT_EQ(made.head.fields.value(FieldId::cookie), "a=1; b=2; c");
}

TEST(FieldBlock, Limits) {
  const FieldLimits limits{.bytes = 1000, .fields = 3, .path = 20};
  EXPECT_EQ(make(request({{"x", std::string(900, 'x')}}), false, limits).refusal,
            Refusal::head_too_large);
  EXPECT_EQ(make(request({{"a", ""}, {"b", ""}, {"c", ""}}), false, limits).refusal, Refusal::none);
  EXPECT_EQ(make(request({{"a", ""}, {"b", ""}, {"c", ""}, {"d", ""}}), false, limits).refusal,
            Refusal::too_many_fields);
  EXPECT_EQ(make(with(request(), ":path", "/" + std::string(20, 'x')), false, limits).refusal,
            Refusal::start_line_too_long);
  FieldBlock block(FieldBlock::Kind::trailers);
  EXPECT_TRUE(block.add("x", std::string(2000, 'x'), limits));
  EXPECT_EQ(block.refusal(), Refusal::trailer_too_large);
  EXPECT_FALSE(block.add("x", std::string(2000, 'x'), limits));
}

TEST(FieldBlock, Responses) {
  const auto made = [](const Lines& lines) {
    FieldBlock block = block_of(FieldBlock::Kind::response, lines);
    ResponseHead head;
    return std::pair(make_response(block, head), head.status);
  };
  EXPECT_EQ(made({{":status", "204"}}), std::pair(Refusal::none, 204));
  EXPECT_EQ(made({}).first, Refusal::pseudo_field_malformed);
  EXPECT_EQ(made({{":status", "101"}}).first, Refusal::status_code_invalid);
  for (const std::string status : {"", "20", "2000", "0x1", "099", "600", "-20"}) {
    EXPECT_EQ(made({{":status", status}}).first, Refusal::status_code_invalid) << status;
  }
  EXPECT_EQ(made({{":status", "200"}, {":status", "200"}}).first, Refusal::pseudo_field_malformed);
  EXPECT_EQ(made({{":status", "200"}, {":path", "/"}}).first, Refusal::pseudo_field_malformed);
  EXPECT_EQ(made({{":status", "200"}, {"connection", "x"}}).first, Refusal::connection_field);
}

TEST(FieldBlock, Trailers) {
  FieldBlock block = block_of(FieldBlock::Kind::trailers, {{"x", "y"}});
  EXPECT_EQ(block.refusal(), Refusal::none);
  EXPECT_TRUE(block.add(":status", "200", {}));
  EXPECT_EQ(block.refusal(), Refusal::pseudo_field_malformed);
}

TEST(FieldBlock, Framing) {
  const auto framing = [](const char* length, bool ended) {
    FieldSection fields;
    if (length != nullptr) fields.add(FieldId::content_length, length);
    return message_framing(fields, ended);
  };
  EXPECT_EQ(framing(nullptr, true).value(), Framing{});
  EXPECT_EQ(framing(nullptr, false).value().kind, BodyKind::chunked);
  EXPECT_EQ(framing("5", false).value(), (Framing{BodyKind::length, 5}));
  EXPECT_EQ(framing("0", true).value(), (Framing{BodyKind::length, 0}));
  EXPECT_EQ(framing("5", true).error(), Refusal::content_length_mismatch);
  EXPECT_EQ(framing("+5", false).error(), Refusal::content_length_invalid);
}

}  // namespace
}  // namespace penstock::http2
