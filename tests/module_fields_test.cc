// What modules are told of a transaction, and what they may change of heads.
#include <chrono>
#include <string>
#include <vector>

#include "tests/module_world.h"

namespace penstock::module_test {
namespace {

using enum ModuleEvent;
using std::chrono::seconds;
using Then = ServerStep::Then;

bool has(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

class ModuleFields : public ModuleTest {
 protected:
  // What the events tell, for modules that only ask.
  template <class F>
  void ask_at(ModuleEvent event, F f) {
    recorder.on(event, [f](const Call& call) {
      f(call);
      return PENSTOCK_CONTINUE;
    });
  }
  const ServerScript kAnswers{4, {.until = kEnd, .answer = kOk}};

  Recorder recorder;
};

// -- Fields. ----------------------------------------------------------------------------

TEST_F(ModuleFields, FieldsAsTheyCame) {
  const ScriptedServer origin(network, "10.0.0.1:80", {kAnswers});
  add(recorder);
  ask_at(request_head, [](const Call& call) {
    EXPECT_EQ(call.field(PENSTOCK_REQUEST, "HOST"), "a");
    EXPECT_EQ(call.field(PENSTOCK_REQUEST, "x-list"), "1");
    EXPECT_EQ(call.field(PENSTOCK_REQUEST, "X-List", 1), "2");
    EXPECT_EQ(call.field(PENSTOCK_REQUEST, "X-List", 2), "");
    EXPECT_EQ(call.api().field_count(call.raw(), PENSTOCK_REQUEST), 3U);
    penstock_field field{};
    EXPECT_EQ(call.api().field_at(call.raw(), PENSTOCK_REQUEST, 2, &field), PENSTOCK_OK);
    EXPECT_EQ(string_of(field.name) + "=" + string_of(field.value), "X-List=2");
    EXPECT_EQ(call.api().field_at(call.raw(), PENSTOCK_REQUEST, 3, &field), PENSTOCK_NOT_FOUND);
    for (const int section : {+PENSTOCK_RESPONSE, +PENSTOCK_REQUEST_TRAILERS,
                              +PENSTOCK_RESPONSE_TRAILERS, +PENSTOCK_ANSWER_FIELDS, 99, -1}) {
      penstock_str value{};
      EXPECT_EQ(call.api().field_get(call.raw(), section, str("Host"), 0, &value),
                PENSTOCK_NOT_NOW);
      EXPECT_EQ(call.api().field_count(call.raw(), section), 0U);
      EXPECT_EQ(call.api().field_at(call.raw(), section, 0, &field), PENSTOCK_NOT_NOW);
    }
    penstock_str value{};
    EXPECT_EQ(call.api().field_get(call.raw(), PENSTOCK_REQUEST, str("None"), 0, &value),
              PENSTOCK_NOT_FOUND);
  });
  ask("GET / HTTP/1.1\r\nHost: a\r\nX-List: 1\r\nX-List: 2\r\n\r\n");
  EXPECT_EQ(recorder.transactions(), 1U);
}

TEST_F(ModuleFields, FieldsSetAddedRemoved) {
  const ScriptedServer origin(
      network, "10.0.0.1:80",
      {{{.until = kEnd,
         .answer = "HTTP/1.1 200 OK\r\nServer: s\r\nX-A: 1\r\nX-A: 2\r\nContent-Length: 2\r\n\r\n"
                   "ok"}}});
  add(recorder);
  ask_at(request_head, [](const Call& call) {
    EXPECT_EQ(call.set(PENSTOCK_REQUEST, "Cookie", "  a=b\t"), PENSTOCK_OK);
    EXPECT_EQ(call.field(PENSTOCK_REQUEST, "cookie"), "a=b");
    EXPECT_EQ(call.set(PENSTOCK_REQUEST, "X-Own", "1"), PENSTOCK_OK);
    EXPECT_EQ(call.add(PENSTOCK_REQUEST, "x-own", "2"), PENSTOCK_OK);
    EXPECT_EQ(call.remove(PENSTOCK_REQUEST, "User-Agent"), 1);
    EXPECT_EQ(call.remove(PENSTOCK_REQUEST, "User-Agent"), 0);
    EXPECT_EQ(call.set(PENSTOCK_REQUEST, "X-Empty", ""), PENSTOCK_OK);
  });
  ask_at(response_head, [](const Call& call) {
    EXPECT_EQ(call.field(PENSTOCK_RESPONSE, "X-A", 1), "2");
    EXPECT_EQ(call.remove(PENSTOCK_RESPONSE, "x-a"), 2);
    EXPECT_EQ(call.set(PENSTOCK_RESPONSE, "Server", "us"), PENSTOCK_OK);
    EXPECT_EQ(call.set(PENSTOCK_REQUEST, "X-Late", "us"), PENSTOCK_NOT_NOW);
    EXPECT_EQ(call.field(PENSTOCK_REQUEST, "x-own"), "1");
  });
  const std::string answer = ask("GET / HTTP/1.1\r\nHost: a\r\nUser-Agent: me\r\n\r\n");
  EXPECT_TRUE(has(origin.received(0), "\r\nCookie: a=b\r\nX-Own: 1\r\nx-own: 2\r\nX-Empty: \r\n"))
      << origin.received(0);
  EXPECT_FALSE(has(origin.received(0), "User-Agent"));
  EXPECT_TRUE(has(answer, "\r\nServer: us\r\n")) << answer;
  EXPECT_FALSE(has(answer, "X-A"));
}

TEST_F(ModuleFields, FieldsThatAreNotTheirs) {
  const ScriptedServer origin(network, "10.0.0.1:80", {kAnswers});
  add(recorder);
  const auto check = [](const Call& call) {
    const int section = call.event == request_head ? PENSTOCK_REQUEST : PENSTOCK_RESPONSE;
    const std::string long_name(257, 'a');
    for (const std::string_view name : std::initializer_list<std::string_view>{
             "Connection", "keep-alive", "Transfer-Encoding", "TE", "Trailer", "Upgrade",
             "Proxy-Authorization", "Proxy-Connection", "content-length", "Content-Length", "Host",
             "", "X A", "X:", ":path", "X\r\n", "X\xc3\xa4", std::string_view("X\0", 2),
             long_name}) {
      EXPECT_EQ(call.set(section, name, "1"), PENSTOCK_INVALID) << name;
      EXPECT_EQ(call.add(section, name, "1"), PENSTOCK_INVALID) << name;
      EXPECT_EQ(call.remove(section, name), PENSTOCK_INVALID) << name;
    }
    const std::string long_value(64 * 1024 + 1, 'a');
    for (const std::string_view value :
         {std::string_view("a\r\nX-Evil: 1"), std::string_view("a\nb"), std::string_view("a\rb"),
          std::string_view("a\0b", 3), std::string_view("\x7f"), std::string_view("\x01"),
          std::string_view(long_value)}) {
      EXPECT_EQ(call.set(section, "X-A", value), PENSTOCK_INVALID);
      EXPECT_EQ(call.add(section, "X-A", value), PENSTOCK_INVALID);
    }
    EXPECT_EQ(call.set(section, "X-Utf", "\xc3\xa4\t~"), PENSTOCK_OK);
  };
  ask_at(request_head, check);
  ask_at(response_head, check);
  ask(kGet);
  EXPECT_FALSE(has(origin.received(0), "Evil"));
  EXPECT_EQ(recorder.transactions(), 1U);
}

TEST_F(ModuleFields, NoMoreFieldsThanThereMayBe) {
  const ScriptedServer origin(network, "10.0.0.1:80", {kAnswers});
  add(recorder);
  int added = 0;
  ask_at(response_head, [&added](const Call& call) {
    while (call.add(PENSTOCK_RESPONSE, "X-A", "1") == PENSTOCK_OK && added < 5000) ++added;
    EXPECT_EQ(call.add(PENSTOCK_RESPONSE, "X-A", "1"), PENSTOCK_LIMIT);
    call.remove(PENSTOCK_RESPONSE, "X-A");
  });
  EXPECT_TRUE(ask(kGet).ends_with("ok"));
  EXPECT_GT(added, 900);
  EXPECT_LE(added, 1000);
}

// -- Texts and numbers. -----------------------------------------------------------------

TEST_F(ModuleFields, WhatIsKnownOfATransaction) {
  listener.name = "front";
  settings.routes[0].name = "main";
  const ScriptedServer origin(network, "10.0.0.1:80", {{{.until = "hello", .answer = kOk}}});
  add(recorder);
  ask_at(request_head, [](const Call& call) {
    // All of them at once: what one call has given is not gone with the next.
    penstock_str url{};
    penstock_str ip{};
    penstock_str path{};
    EXPECT_EQ(call.api().get_text(call.raw(), PENSTOCK_URL, &url), PENSTOCK_OK);
    EXPECT_EQ(call.api().get_text(call.raw(), PENSTOCK_CLIENT_IP, &ip), PENSTOCK_OK);
    EXPECT_EQ(call.api().get_text(call.raw(), PENSTOCK_PATH, &path), PENSTOCK_OK);
    EXPECT_EQ(string_of(url), "http://a:81/x?y=z");
    EXPECT_EQ(string_of(ip), "192.0.2.77");
    EXPECT_EQ(string_of(path), "/x?y=z");
    EXPECT_EQ(call.text(PENSTOCK_METHOD), "POST");
    EXPECT_EQ(call.text(PENSTOCK_SCHEME), "http");
    EXPECT_EQ(call.text(PENSTOCK_HOST), "a:81");
    EXPECT_EQ(call.text(PENSTOCK_VERSION), "HTTP/1.1");
    EXPECT_EQ(call.text(PENSTOCK_REASON), "NOT_NOW");
    EXPECT_EQ(call.text(PENSTOCK_LISTENER), "front");
    EXPECT_EQ(call.text(PENSTOCK_ROUTE), "main");
    EXPECT_EQ(call.text(PENSTOCK_UPSTREAM), "NOT_NOW");
    EXPECT_EQ(call.text(PENSTOCK_SERVER_ADDRESS), "NOT_NOW");
    EXPECT_EQ(call.text(PENSTOCK_TLS_VERSION), "");
    EXPECT_EQ(call.text(PENSTOCK_TLS_CLIENT_SUBJECT), "");
    EXPECT_EQ(call.text(PENSTOCK_CACHE_RESULT), "NOT_NOW");
    EXPECT_EQ(call.text(1000), "NOT_FOUND");
    EXPECT_EQ(call.text(-1), "NOT_FOUND");
    EXPECT_EQ(call.number(PENSTOCK_STATUS), PENSTOCK_NOT_NOW);
    EXPECT_EQ(call.number(PENSTOCK_REQUEST_LENGTH), 5);
    EXPECT_EQ(call.number(PENSTOCK_RESPONSE_LENGTH), PENSTOCK_NOT_NOW);
    EXPECT_GT(call.number(PENSTOCK_CLIENT_PORT), 0);
    EXPECT_EQ(call.number(PENSTOCK_TARGET_PORT), PENSTOCK_NOT_NOW);
    EXPECT_EQ(call.number(PENSTOCK_REQUEST_NUMBER), 1);
    EXPECT_EQ(call.number(PENSTOCK_INTERCEPTED), 0);
    EXPECT_EQ(call.number(PENSTOCK_NO_TRANSFORM), 1);
    EXPECT_EQ(call.number(1000), PENSTOCK_NOT_FOUND);
    EXPECT_EQ(call.raw()->client->sa_family, AF_INET);
    EXPECT_GE(call.raw()->client_size, sizeof(sockaddr_in));
  });
  ask_at(cache_lookup, [](const Call& call) {
    EXPECT_EQ(call.text(PENSTOCK_CACHE_RESULT), "none");
    EXPECT_EQ(call.text(PENSTOCK_URL), "http://a:81/x?y=z");
  });
  ask_at(before_connect, [](const Call& call) {
    EXPECT_EQ(call.text(PENSTOCK_UPSTREAM), "origins");
    EXPECT_EQ(call.text(PENSTOCK_SERVER), "");
    EXPECT_EQ(call.api().address_count(call.raw()), 0U);
  });
  ask_at(response_head, [](const Call& call) {
    EXPECT_EQ(call.text(PENSTOCK_METHOD), "POST");
    EXPECT_EQ(call.text(PENSTOCK_REASON), "OK");
    EXPECT_EQ(call.text(PENSTOCK_SERVER_ADDRESS), "10.0.0.1:80");
    EXPECT_EQ(call.text(PENSTOCK_CACHE_RESULT), "none");
    EXPECT_EQ(call.number(PENSTOCK_STATUS), 200);
    EXPECT_EQ(call.number(PENSTOCK_RESPONSE_LENGTH), 2);
    EXPECT_EQ(call.number(PENSTOCK_REQUEST_LENGTH), 5);
    EXPECT_EQ(call.number(PENSTOCK_NO_TRANSFORM), 0);
  });
  ask_at(logged, [](const Call& call) {
    EXPECT_EQ(call.text(PENSTOCK_URL), "http://a:81/x?y=z");
    EXPECT_EQ(call.number(PENSTOCK_STATUS), 200);
    EXPECT_EQ(call.text(PENSTOCK_SERVER_ADDRESS), "10.0.0.1:80");
  });
  ask("POST /x?y=z HTTP/1.1\r\nHost: a:81\r\nCache-Control: max-age=1, no-transform\r\n"
      "Content-Length: 5\r\n\r\nhello");
  EXPECT_EQ(recorder.transactions(), 1U);
}

TEST_F(ModuleFields, StatusAndReason) {
  const ScriptedServer origin(network, "10.0.0.1:80", {kAnswers});
  add(recorder);
  ask_at(request_head, [](const Call& call) {
    EXPECT_EQ(call.set_number(PENSTOCK_STATUS, 404), PENSTOCK_NOT_NOW);
    EXPECT_EQ(call.set_text(PENSTOCK_REASON, "x"), PENSTOCK_NOT_NOW);
    EXPECT_EQ(call.set_number(PENSTOCK_CLIENT_PORT, 1), PENSTOCK_NOT_NOW);
    EXPECT_EQ(call.set_text(PENSTOCK_CLIENT_IP, "::1"), PENSTOCK_NOT_NOW);
  });
  ask_at(response_head, [](const Call& call) {
    for (const int status : {100, 199, 600, -1, 204, 304}) {
      EXPECT_EQ(call.set_number(PENSTOCK_STATUS, status), PENSTOCK_INVALID) << status;
    }
    EXPECT_EQ(call.set_text(PENSTOCK_REASON, "a\r\nb"), PENSTOCK_INVALID);
    EXPECT_EQ(call.set_number(PENSTOCK_STATUS, 404), PENSTOCK_OK);
    EXPECT_EQ(call.set_text(PENSTOCK_REASON, "Gone fishing"), PENSTOCK_OK);
    EXPECT_EQ(call.set_text(PENSTOCK_PATH, "/late"), PENSTOCK_NOT_NOW);
    EXPECT_EQ(call.set_text(PENSTOCK_METHOD, "PUT"), PENSTOCK_NOT_NOW);
  });
  EXPECT_TRUE(ask(kGet).starts_with("HTTP/1.1 404 Gone fishing\r\n"));
}

// -- The record. ------------------------------------------------------------------------

TEST_F(ModuleFields, TheRecord) {
  const ScriptedServer origin(network, "10.0.0.1:80", {kAnswers});
  const std::string path = testing::TempDir() + "module_choice_record";
  std::remove(path.c_str());
  std::optional<LogFile> file(path);
  log_file = &*file;
  add(recorder);
  const auto add_field = [](const Call& call, std::string_view name, std::string_view value) {
    return call.api().record_add(call.raw(), str(name), str(value));
  };
  ask_at(request_head, [add_field](const Call& call) {
    EXPECT_EQ(add_field(call, "user", "a \"quoted\"\r\n one"), PENSTOCK_OK);
    for (const char* bad : {"", "a b", "a-b", "a\"b", "\xc3\xa4"}) {
      EXPECT_EQ(add_field(call, bad, "1"), PENSTOCK_INVALID) << bad;
    }
    EXPECT_EQ(add_field(call, std::string(65, 'a'), "1"), PENSTOCK_INVALID);
    EXPECT_EQ(add_field(call, "long", std::string(4096, 'a')), PENSTOCK_LIMIT);
    penstock_str value{};
    EXPECT_EQ(call.api().record_get(call.raw(), str("status"), &value), PENSTOCK_NOT_NOW);
  });
  ask_at(logged, [add_field](const Call& call) {
    const auto get = [&call](const char* name) {
      penstock_str value{};
      const int result = call.api().record_get(call.raw(), str(name), &value);
      return result == PENSTOCK_OK ? value : str(result == PENSTOCK_NOT_FOUND ? "none" : "bad");
    };
    const penstock_str status = get("status");
    const penstock_str user = get("user");
    EXPECT_EQ(string_of(get("nothing")), "none");
    EXPECT_EQ(string_of(status), "200");
    EXPECT_EQ(string_of(user), "a \"quoted\"\r\n one");
    for (int i = 0; i < 15; ++i) {
      EXPECT_EQ(add_field(call, "n" + std::to_string(i), "1"), PENSTOCK_OK);
    }
    EXPECT_EQ(add_field(call, "n15", "1"), PENSTOCK_LIMIT);
  });
  EXPECT_TRUE(ask(kGet).ends_with("ok"));
  stop();
  file.reset();
  std::string line(10'000, '\0');
  std::FILE* const read = std::fopen(path.c_str(), "r");
  ASSERT_NE(read, nullptr);
  line.resize(std::fread(line.data(), 1, line.size(), read));
  std::fclose(read);
  EXPECT_TRUE(has(line, R"("user":"a \"quoted\"\u000d\u000a one")")) << line;
  EXPECT_TRUE(has(line, R"("n14":"1")")) << line;
  EXPECT_FALSE(has(line, "n15")) << line;
}

}  // namespace
}  // namespace penstock::module_test
