#include "proxy/access_record.h"

#include <algorithm>
#include <chrono>
#include <memory>
#include <string>

#include <gtest/gtest.h>

#include "proxy/fake_exchange_test.h"

namespace penstock {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;

// 2024-02-29 12:00:00.042 UTC
constexpr std::chrono::system_clock::time_point kWall{milliseconds(1'709'208'000'042)};
constexpr TimePoint kStart{std::chrono::hours(1)};

class AccessRecordTest : public testing::Test {
 protected:
  AccessRecordTest() {
    RequestHead& request = exchange.request_;
    request.method = Method::get;
    request.method_text = "GET";
    request.target_text = "/path?q";
    request.fields.add(FieldId::host, "www.example");
    request.fields.add(FieldId::user_agent, "Agent/1.0");
    request.fields.add(FieldId::other, "Referer", "http://there/");
    exchange.fate_ = CloseReason::kept;
    exchange.traffic_ = {.started = kStart,
                         .head_complete = kStart + microseconds(10),
                         .response_started = kStart + microseconds(500),
                         .received = 11,
                         .sent = 222,
                         .content_sent = 99,
                         .requests_before = 1};
    record.status = 200;
    record.server = &server;
    record.server_reused = true;
    record.server_fate = CloseReason::said_close;
    record.request_sent = 77;
    record.acquired = kStart + microseconds(30);
    record.server_answered = kStart + microseconds(430);
    record.attempts = 2;
  }

  std::string line(AccessLogFormat format) {
    std::string out;
    format_access_line(out, format, exchange, record, kStart + microseconds(12'345), kWall);
    return out;
  }

  ClientInfo client{.connection_id = 7, .peer = Address::parse("192.0.2.9:1234").value()};
  Address server = Address::parse("10.0.0.1:8080").value();
  FakeExchange exchange{client};
  AccessRecord record;
};

TEST_F(AccessRecordTest, Json) {
  EXPECT_EQ(
      line(AccessLogFormat::json),
      R"({"time":"2024-02-29T12:00:00.042Z","connection":7,"request":2,"client":"192.0.2.9:1234",)"
      R"("method":"GET","target":"/path?q","host":"www.example","version":"HTTP/1.1","status":200,)"
      R"("bytes_in":11,"bytes_out":222,"body_out":99,"bytes_to_server":77,"head_us":10,)"
      R"("acquire_us":20,"wait_us":400,"first_byte_us":500,"total_us":12345,)"
      R"("server":"10.0.0.1:8080","server_reused":true,"client_reused":true,"attempts":2,)"
      R"("client_close":"kept","server_close":"said_close"})"
      "\n");
}

TEST_F(AccessRecordTest, JsonOfWhatTheConnectionTells) {
  ListenerSettings listener{.name = "edge"};
  client.listener = &listener;
  EXPECT_NE(line(AccessLogFormat::json)
                .find(R"("client":"192.0.2.9:1234","listener":"edge","method":"GET")"),
            std::string::npos);
  const auto facts = std::make_shared<ConnectionFacts>();
  facts->sender = Address::parse("10.1.1.1:5").value();
  facts->tls = TlsClientFacts{.version = TlsVersion::v1_3,
                              .cipher = "TLS_AES_128_GCM_SHA256",
                              .server_name = "www.example",
                              .alpn = "h2"};
  client.facts = facts;
  EXPECT_NE(line(AccessLogFormat::json)
                .find(R"("listener":"edge","sender":"10.1.1.1:5","tls_version":"TLSv1.3",)"
                      R"("tls_cipher":"TLS_AES_128_GCM_SHA256","tls_server_name":"www.example",)"
                      R"("tls_alpn":"h2","tls_resumed":false,"method":)"),
            std::string::npos)
      << line(AccessLogFormat::json);
  facts->tls->resumed = true;
  facts->tls->subject = "CN=a\"\n";
  facts->tls->fingerprint = "ab12";
  EXPECT_NE(line(AccessLogFormat::json)
                .find(R"("tls_resumed":true,"tls_client_subject":"CN=a\"\u000a",)"
                      R"("tls_client_fingerprint":"ab12","method":)"),
            std::string::npos)
      << line(AccessLogFormat::json);
}

TEST_F(AccessRecordTest, JsonOfAFailureBeforeAnyServer) {
  exchange.traffic_ = {.started = kStart, .head_complete = kStart};
  exchange.fate_ = CloseReason::refused_message;
  exchange.request_ = RequestHead{};
  exchange.request_.version = Version::http10;
  record = AccessRecord{};
  record.status = 400;
  record.error = "http_request_error";
  record.detail = "bare-cr";
  EXPECT_EQ(
      line(AccessLogFormat::json),
      R"({"time":"2024-02-29T12:00:00.042Z","connection":7,"request":1,"client":"192.0.2.9:1234",)"
      R"("method":"","target":"","host":"","version":"HTTP/1.0","status":400,)"
      R"("bytes_in":0,"bytes_out":0,"body_out":0,"bytes_to_server":0,"head_us":0,)"
      R"("acquire_us":0,"wait_us":0,"first_byte_us":0,"total_us":12345,)"
      R"("server_reused":false,"client_reused":false,"attempts":0,)"
      R"("client_close":"refused_message","server_close":"not_opened",)"
      R"("error":"http_request_error","detail":"bare-cr"})"
      "\n");
}

TEST_F(AccessRecordTest, TextFormats) {
  EXPECT_EQ(line(AccessLogFormat::common),
            "192.0.2.9 - - [29/Feb/2024:12:00:00 +0000] \"GET /path?q HTTP/1.1\" 200 99\n");
  EXPECT_EQ(line(AccessLogFormat::combined),
            "192.0.2.9 - - [29/Feb/2024:12:00:00 +0000] \"GET /path?q HTTP/1.1\" 200 99 "
            "\"http://there/\" \"Agent/1.0\"\n");
  EXPECT_EQ(line(AccessLogFormat::squid),
            "1709208000.042     12 192.0.2.9 TCP_MISS/200 222 GET /path?q - "
            "HIER_DIRECT/10.0.0.1 -\n");
}

TEST_F(AccessRecordTest, WhatTheCacheDid) {
  struct Case {
    std::string_view cache;
    int status;
    std::string_view squid;
  };
  for (const Case& c :
       {Case{"hit", 200, "TCP_MEM_HIT/200"}, Case{"hit", 304, "TCP_INM_HIT/304"},
        Case{"stale", 200, "TCP_STALE_HIT/200"}, Case{"collapsed", 200, "TCP_CF_HIT/200"},
        Case{"validated", 200, "TCP_REFRESH_UNMODIFIED/200"}, Case{"miss", 200, "TCP_MISS/200"},
        Case{"bypass", 200, "TCP_MISS/200"}}) {
    record.cache = c.cache;
    record.status = c.status;
    EXPECT_NE(line(AccessLogFormat::squid).find(c.squid), std::string::npos) << c.squid;
  }
  record.cache_detail = "rule";
  EXPECT_NE(line(AccessLogFormat::json).find(R"("cache":"bypass","cache_detail":"rule"})"),
            std::string::npos);
}

TEST_F(AccessRecordTest, TextFormatsWithLittleToSay) {
  exchange.request_ = RequestHead{};
  record.server = nullptr;
  record.status = 0;
  EXPECT_EQ(line(AccessLogFormat::combined),
            "192.0.2.9 - - [29/Feb/2024:12:00:00 +0000] \"- - HTTP/1.1\" 0 99 \"-\" \"-\"\n");
  EXPECT_EQ(line(AccessLogFormat::squid),
            "1709208000.042     12 192.0.2.9 TCP_MISS/0 222 - - - HIER_NONE/- -\n");
}

TEST_F(AccessRecordTest, OriginalDestinationInSquidsFormat) {
  client.intercepted = true;
  record.group = {};
  EXPECT_NE(line(AccessLogFormat::squid).find(" - ORIGINAL_DST/10.0.0.1 -\n"), std::string::npos);
  record.group = "app";
  EXPECT_NE(line(AccessLogFormat::squid).find(" - HIER_DIRECT/10.0.0.1 -\n"), std::string::npos);
}

TEST_F(AccessRecordTest, Tunnels) {
  exchange.request_.method = Method::connect;
  exchange.request_.method_text = "CONNECT";
  exchange.request_.target_text = "a:443";
  record.tunnel_up = 1000;
  record.tunnel_down = 2000;
  EXPECT_EQ(line(AccessLogFormat::squid),
            "1709208000.042     12 192.0.2.9 TCP_TUNNEL/200 2222 CONNECT a:443 - "
            "HIER_DIRECT/10.0.0.1 -\n");
  const std::string json = line(AccessLogFormat::json);
  EXPECT_NE(json.find(R"("bytes_in":1011,"bytes_out":2222,)"), std::string::npos) << json;
  EXPECT_NE(line(AccessLogFormat::common).find("\" 200 2099\n"), std::string::npos);
}

TEST_F(AccessRecordTest, LinesAreAppended) {
  std::string out = "before\n";
  format_access_line(out, AccessLogFormat::common, exchange, record, kStart, kWall);
  EXPECT_TRUE(out.starts_with("before\n192.0.2.9"));
}

// A flat object of strings, numbers and booleans, in ASCII: what a strict reader takes.
bool is_json_line(std::string_view text) {
  if (!text.starts_with('{') || !text.ends_with("}\n")) return false;
  text = text.substr(1, text.size() - 3);
  bool in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c < 0x20 || c == 0x7f) return false;
    if (in_string && c == '\\') {
      const std::string_view escape = text.substr(i + 1, 5);
      if (escape.starts_with('"') || escape.starts_with('\\')) {
        ++i;
      } else if (escape.size() == 5 && escape.starts_with("u00") &&
                 escape.find_first_not_of("0123456789abcdef", 1) == std::string_view::npos) {
        i += 5;
      } else {
        return false;
      }
    } else if (c == '"') {
      in_string = !in_string;
    } else if (!in_string &&
               std::string_view("truefalse0123456789,:").find(c) == std::string_view::npos) {
      return false;
    }
  }
  return !in_string;
}

TEST_F(AccessRecordTest, HostileInputIsEscaped) {
  std::string every_byte;
  for (int byte = 0; byte < 256; ++byte) every_byte += static_cast<char>(byte);
  for (const std::string& evil :
       {every_byte, std::string("\",\"status\":999,\"x\":\""), std::string("\\"),
        std::string("\\\""), std::string("\r\n{\"time\":1}"), std::string("\xff\xfe\xc3\x28"),
        std::string("\x1b[31m\x7f"), std::string(1, '\0')}) {
    exchange.request_.method_text = evil;
    exchange.request_.target_text = evil;
    exchange.request_.fields.clear();
    exchange.request_.fields.add(FieldId::host, evil);
    exchange.request_.fields.add(FieldId::user_agent, evil);
    exchange.request_.fields.add(FieldId::other, "Referer", evil);
    const std::string json = line(AccessLogFormat::json);
    EXPECT_TRUE(is_json_line(json)) << json;
    EXPECT_EQ(json.find("\"status\":999"), std::string::npos);
    for (const AccessLogFormat format :
         {AccessLogFormat::common, AccessLogFormat::combined, AccessLogFormat::squid}) {
      const std::string text = line(format);
      EXPECT_EQ(text.find('\n'), text.size() - 1) << text;
      EXPECT_EQ(std::count(text.begin(), text.end(), '"'), format == AccessLogFormat::common ? 2
                                                           : format == AccessLogFormat::combined
                                                               ? 6
                                                               : 0);
      for (const char c : text.substr(0, text.size() - 1)) EXPECT_TRUE(c >= 0x20 && c < 0x7f);
    }
  }
}

TEST_F(AccessRecordTest, ExactEscapes) {
  exchange.request_.target_text = "/\"\\\x01\xe4";
  EXPECT_NE(line(AccessLogFormat::json).find(R"("target":"/\"\\\u0001\u00e4")"), std::string::npos);
  EXPECT_NE(line(AccessLogFormat::common).find(R"(GET /\x22\x5c\x01\xe4 HTTP)"), std::string::npos);
}

}  // namespace
}  // namespace penstock
