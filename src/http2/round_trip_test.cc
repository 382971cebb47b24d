// Two connections against each other on networks that are rough, and on some where everything goes
// wrong: no byte is lost, changed or mixed up, and nothing is left over.
#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "async/scope.h"
#include "async/sleep.h"
#include "http2/connection.h"
#include "message/text_body.h"
#include "sim/stream.h"
#include "sim/world.h"

namespace penstock::http2 {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// Content that says whose it is.
std::string content_of(std::size_t number, std::size_t size) {
  std::string text;
  const std::string piece = "<" + std::to_string(number) + ">";
  while (text.size() < size) text += piece;
  text.resize(size);
  return text;
}

// Sends back what it gets, as it comes.
class EchoSide final : public ConnectionUser {
 public:
  explicit EchoSide(Executor& executor) : scope(executor) {}
  void on_request(std::unique_ptr<Stream> stream) override {
    scope.spawn(serve(std::move(stream)));
  }
  Scope scope;

 private:
  static Task<void> serve(std::unique_ptr<Stream> stream) {
    RequestHead request;
    EXPECT_EQ(make_request(stream->head(), false, request), Refusal::none);
    const auto framing = message_framing(request.fields, stream->head_was_all());
    stream->expect(framing.value());
    ResponseHead head;
    head.status = 200;
    head.fields.add(FieldId::other, "path", request.target_text);
    if (!stream->send_response(head, false)) co_return;
    static_cast<void>(co_await stream->send_body(*stream, {.kind = BodyKind::chunked}));
  }
};

class AskingSide final : public ConnectionUser {
 public:
  AskingSide(SimWorld& of, Connection*& through)
      : world(&of), connection(&through), scope(of.executor()) {}
  void on_request(std::unique_ptr<Stream> /*stream*/) override { ADD_FAILURE(); }

  SimWorld* world;
  Connection** connection;
  Scope scope;
  std::size_t complete = 0;
  std::size_t failed = 0;
  bool may_fail = false;

  static Task<void> ask(AskingSide& self, std::size_t number, std::size_t size, Duration wait,
                        bool give_up) {
    static_cast<void>(co_await sleep_until(self.world->now() + wait));
    if (*self.connection == nullptr || (*self.connection)->room() == 0) {
      ++self.failed;
      co_return;
    }
    std::unique_ptr<Stream> stream = (*self.connection)->open();
    const std::string content = content_of(number, size);
    const std::string path = "/" + std::to_string(number);
    RequestHead head;
    head.method = Method::post;
    head.method_text = "POST";
    head.fields.add(FieldId::host, "example.com");
    const bool done = stream->send_request(head, {.path = path}, false).has_value() &&
                      co_await exchange(self, *stream, content, path, give_up);
    ++(done ? self.complete : self.failed);
    EXPECT_TRUE(done || self.may_fail || give_up);
  }

 private:
  static Task<void> upload(Stream& stream, BodySource& body) {
    static_cast<void>(co_await stream.send_body(body, {.kind = BodyKind::chunked}));
  }
  static Task<bool> exchange(AskingSide& self, Stream& stream, const std::string& content,
                             const std::string& path, bool give_up) {
    Scope uploads(co_await this_context());
    TextBody body(content);
    uploads.spawn(upload(stream, body));
    const bool done = co_await download(self, stream, content, path, give_up);
    uploads.cancel();
    co_await uploads.join();
    co_return done;
  }
  static Task<bool> download(AskingSide& self, Stream& stream, const std::string& content,
                             const std::string& path, bool give_up) {
    ResponseHead head;
    const auto got = co_await stream.receive_response(head, self.world->now() + seconds(100));
    if (!got) co_return false;
    EXPECT_EQ(head.fields.find("path")->value, path);
    std::size_t at = 0;
    while (!stream.at_end()) {
      if (give_up && at > content.size() / 2) co_return false;
      const auto slice = co_await stream.next();
      if (!slice) co_return false;
      EXPECT_EQ(slice->view(), std::string_view(content).substr(at, slice->size()));
      at += slice->size();
      if (self.world->random().chance(0.2)) {
        static_cast<void>(co_await sleep_until(self.world->now() + milliseconds(20)));
      }
    }
    EXPECT_EQ(at, content.size());
    co_return at == content.size();
  }
};

Task<void> run(Connection& connection) { static_cast<void>(co_await connection.run()); }

void round_trip(std::uint64_t seed, const Faults& faults, bool may_fail) {
  const std::size_t held = SlabPool::bytes_in_use();
  SimWorld world(seed, faults);
  {
    StreamPair pair = make_stream_pair(world);
    InputBuffer server_input;
    InputBuffer client_input;
    ConnectionSettings server_settings{
        .http2 = {.max_streams = 20, .stream_window = 20'000, .connection_window = 50'000}};
    ConnectionSettings client_settings = server_settings;
    client_settings.role = Role::client;
    Connection* open = nullptr;
    EchoSide echo(world.executor());
    AskingSide asking(world, open);
    asking.may_fail = may_fail;
    Connection server(*pair.accepting, server_input, server_settings, world.executor(), echo);
    Connection client(*pair.connecting, client_input, client_settings, world.executor(), asking);
    open = &client;
    Scope connections(world.executor());
    connections.spawn(run(server));
    connections.spawn(run(client));
    Random& random = world.random();
    for (std::size_t i = 0; i < 15; ++i) {
      const std::size_t size = random.skewed(1, 200'000);
      const bool give_up = random.chance(0.2);
      asking.scope.spawn(
          AskingSide::ask(asking, i, size, random.between(Duration{}, seconds(1)), give_up));
    }
    world.run_for(seconds(600));
    EXPECT_EQ(asking.complete + asking.failed, 15U);
    client.shut_down();
    world.run_for(seconds(10));
    server.shut_down();
    world.run_for(seconds(200));
    EXPECT_EQ(connections.running(), 0U) << seed;
    EXPECT_EQ(asking.scope.running(), 0U) << seed;
    EXPECT_EQ(echo.scope.running(), 0U) << seed;
  }
  EXPECT_EQ(SlabPool::bytes_in_use(), held) << seed;
}

TEST(Http2RoundTrip, OrdinaryNetwork) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) round_trip(seed, {}, false);
}
TEST(Http2RoundTrip, RoughNetwork) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) round_trip(seed, Faults::rough(), false);
}
TEST(Http2RoundTrip, EverythingGoesWrong) {
  for (std::uint64_t seed = 1; seed <= 40; ++seed) round_trip(seed, Faults::hostile(), true);
}

}  // namespace
}  // namespace penstock::http2
