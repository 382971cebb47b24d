// For the tests of visits: requests that go through a cache to an origin that the test plays.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "cache/cache_test.h"
#include "cache/visit.h"
#include "message/timed_body_test.h"

namespace penstock {

// One request on its way.
class Journey {
 public:
  Journey(CacheWorld& world, std::string_view path, const Lines& fields = {},
          std::string_view method = "GET", const CacheRule* rule = nullptr)
      : world_(world), path_(path), request(rfc9111::make_request(fields, method)) {
    visit.emplace(
        world.worker,
        CacheQuestion{.request = &request,
                      .key = {.scheme = "http", .host = "a.example", .path_and_query = path_},
                      .rule = rule});
  }

  // Asks the cache. What it says, where it says it at once.
  Journey& ask() {
    world_.time.spawn(run_ask(*this));
    return *this;
  }
  // The request as it goes to the origin.
  FieldSection& to_origin() {
    visit->prepare(request);
    return request.fields;
  }
  // The origin answers; the content comes at once, or in pieces.
  Journey& respond(int status, const Lines& fields, std::vector<BodyPiece> pieces,
                   bool length_known = true) {
    response = rfc9111::make_response(status, fields);
    source.emplace(std::move(pieces));
    const Framing framing = length_known
                                ? Framing{.kind = BodyKind::length, .length = *source->remaining()}
                                : Framing{.kind = BodyKind::chunked};
    received = visit->receive(response, *source, framing);
    if (received == CacheStep::forward) {
      body = &visit->body_of(*source, world_.time.scope.context());
    } else {
      body = &visit->answer().body();
      if (!visit->drops_response()) visit->begin_reading(world_.time.scope.context());
    }
    return *this;
  }
  Journey& respond(int status, const Lines& fields, std::string_view content) {
    std::vector<BodyPiece> pieces;
    if (!content.empty()) pieces.push_back({.text = std::string(content)});
    return respond(status, fields, std::move(pieces));
  }
  // The client reads all of it; then the visit ends.
  std::string take_all() {
    if (step == CacheStep::answer) body = &visit->answer().body();
    world_.time.spawn(run_read(*this));
    return text;
  }
  void finish(bool worth = false) {
    world_.time.spawn(run_finish(*this, worth));
    visit.reset();
  }
  // All of that: what the client gets.
  std::string answered() {
    std::string all = take_all();
    finish();
    return all;
  }
  [[nodiscard]] int status() {
    const bool stored = step == CacheStep::answer || received == CacheStep::answer;
    return stored ? visit->answer().head().status : response.status;
  }
  [[nodiscard]] std::string_view field(std::string_view name) {
    const bool stored = step == CacheStep::answer || received == CacheStep::answer;
    const FieldSection& fields = stored ? visit->answer().head().fields : response.fields;
    const Field* const found = fields.find(name);
    return found != nullptr ? found->value : std::string_view();
  }
  std::string cache_status() {
    FieldSection fields;
    visit->write_status(fields);
    return std::string(fields.find("Cache-Status")->value);
  }

  std::optional<CacheStep> step;      // once it has been told
  std::optional<CacheStep> received;  // what came of the response
  std::optional<CacheVisit> visit;
  ResponseHead response;
  std::optional<TimedBody> source;
  BodySource* body = nullptr;
  std::string text;
  bool read_to_end = false;

 private:
  static Task<void> run_ask(Journey& self) { self.step = co_await self.visit->ask(); }
  static Task<void> run_read(Journey& self) {
    while (!self.body->at_end()) {
      const auto slice = co_await self.body->next();
      if (!slice) co_return;
      self.text += slice->view();
    }
    self.read_to_end = true;
  }
  static Task<void> run_finish(Journey& self, bool worth) { co_await self.visit->finish(worth); }

  CacheWorld& world_;
  std::string path_;

 public:
  RequestHead request;
};

class VisitTest : public testing::Test {
 protected:
  ~VisitTest() override { EXPECT_EQ(world().time.scope.running(), 0U); }

  // To be changed before the first use.
  CacheSettings settings = CacheWorld::enough();
  CacheWorld& world() {
    if (!world_) world_.emplace(settings);
    return *world_;
  }
  // Fetches it into the cache.
  void store(std::string_view path, const Lines& fields, std::string_view content,
             const Lines& request = {}) {
    Journey first(world(), path, request);
    ASSERT_EQ(first.ask().step, CacheStep::forward);
    first.respond(200, fields, content);
    EXPECT_EQ(first.answered(), content);
  }
  // What a request is told.
  std::optional<CacheStep> ask(std::string_view path, const Lines& request = {}) {
    Journey journey(world(), path, request);
    return journey.ask().step;
  }

 private:
  std::optional<CacheWorld> world_;
};

}  // namespace penstock
