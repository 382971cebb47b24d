#include "tests/module_recorder.h"

#include <algorithm>

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace penstock::module_test {
namespace {

using enum ModuleEvent;

std::string returned_name(int returned) {
  switch (returned) {
    case PENSTOCK_CONTINUE:
      return "CONTINUE";
    case PENSTOCK_CHANGED:
      return "CHANGED";
    case PENSTOCK_ANSWER:
      return "ANSWER";
    case PENSTOCK_WAIT:
      return "WAIT";
    case PENSTOCK_DONE:
      return "DONE";
    case PENSTOCK_END:
      return "END";
    case PENSTOCK_SKIP_CONTENT:
      return "SKIP_CONTENT";
    case PENSTOCK_HOLD_HEAD:
      return "HOLD_HEAD";
    case PENSTOCK_ERROR:
      return "ERROR";
    default:
      return std::to_string(returned);
  }
}

int stage_of(ModuleEvent event) {
  switch (event) {
    case request_head:
    case response_head:
      return 1;
    case request_body:
    case response_body:
      return 2;
    case request_complete:
    case response_complete:
      return 3;
    default:
      return 0;
  }
}

}  // namespace

std::string result_name(int result) {
  switch (result) {
    case PENSTOCK_OK:
      return "OK";
    case PENSTOCK_NOT_FOUND:
      return "NOT_FOUND";
    case PENSTOCK_NOT_NOW:
      return "NOT_NOW";
    case PENSTOCK_INVALID:
      return "INVALID";
    case PENSTOCK_LIMIT:
      return "LIMIT";
    case PENSTOCK_UNSUPPORTED:
      return "UNSUPPORTED";
    case PENSTOCK_NO_CACHE:
      return "NO_CACHE";
    case PENSTOCK_FAILED:
      return "FAILED";
    default:
      return std::to_string(result);
  }
}

std::string Call::field(int section, std::string_view name, std::size_t index) const {
  penstock_str value{};
  return api().field_get(raw_, section, str(name), index, &value) == PENSTOCK_OK ? string_of(value)
                                                                                 : std::string();
}

std::string Call::text(int which) const {
  penstock_str value{};
  const int result = api().get_text(raw_, which, &value);
  return result == PENSTOCK_OK ? string_of(value) : result_name(result);
}

std::int64_t Call::number(int which) const {
  std::int64_t value = 0;
  const int result = api().get_number(raw_, which, &value);
  return result == PENSTOCK_OK ? value : result;
}

penstock_held* Call::hold(std::size_t offset, std::size_t size) const {
  penstock_held* held = nullptr;
  return api().content_hold(raw_, offset, size, &held) == PENSTOCK_OK ? held : nullptr;
}

Recorder::Recorder() {
  set_callbacks({request_head, request_body, request_complete, cache_lookup, before_connect,
                 response_head, response_body, response_complete, answer_body, logged,
                 ModuleEvent::free});
}

Recorder::Recorder(const std::vector<ModuleEvent>& events) { set_callbacks(events); }

Recorder::~Recorder() {
  if (keeps_ || module_.logged != nullptr) {
    EXPECT_EQ(open_, 0U) << "transactions that have not ended";
  }
  EXPECT_EQ(objects_, 0U) << "opaque objects that were not freed";
  for (const auto& [id, life] : lives_) {
    if (module_.logged != nullptr && !left_out_ && !life->done && life->calls > 0 &&
        !life->logged) {
      complain(*life, logged, "never came");
    }
  }
}

template <ModuleEvent event>
int Recorder::callback(penstock_call* call) {
  return static_cast<Recorder*>(call->data)->called(call, event, {});
}

template <ModuleEvent event>
int Recorder::body_callback(penstock_call* call, const char* bytes, std::size_t size) {
  return static_cast<Recorder*>(call->data)->called(call, event, {bytes, size});
}

void Recorder::free_callback(penstock_call* call) {
  static_cast<Recorder*>(call->data)->freed(call);
}

void Recorder::set_callbacks(const std::vector<ModuleEvent>& events) {
  module_.abi = PENSTOCK_ABI;
  module_.size = sizeof module_;
  module_.name = "recorder";
  module_.version = "1";
  module_.summary = "Writes down what it is called for.";
  const auto has = [&events](ModuleEvent event) {
    return std::ranges::find(events, event) != events.end();
  };
  if (has(request_head)) module_.request_head = &callback<request_head>;
  if (has(request_body)) module_.request_body = &body_callback<request_body>;
  if (has(request_complete)) module_.request_complete = &callback<request_complete>;
  if (has(cache_lookup)) module_.cache_lookup = &callback<cache_lookup>;
  if (has(before_connect)) module_.before_connect = &callback<before_connect>;
  if (has(response_head)) module_.response_head = &callback<response_head>;
  if (has(response_body)) module_.response_body = &body_callback<response_body>;
  if (has(response_complete)) module_.response_complete = &callback<response_complete>;
  if (has(answer_body)) module_.answer_body = &callback<answer_body>;
  if (has(logged)) module_.logged = &callback<logged>;
  // Without it nothing can be kept.
  keeps_ = has(ModuleEvent::free);
  if (keeps_) module_.free = &free_callback;
}

int Recorder::called(penstock_call* call, ModuleEvent event, std::string_view content) {
  Life* life = nullptr;
  {
    const std::lock_guard lock(mutex_);
    ++calls_;
    auto& place = lives_[call->transaction];
    if (!place) {
      place = std::make_unique<Life>();
      place->client = call->client;
      place->connection = call->connection;
      if (writes_) order_.push_back(call->transaction);
      ++open_;
    }
    life = place.get();
    check_call(call, *life, event);
    check_order(*life, event, call->resumed != 0);
    if (stage_of(event) == 2 && content.empty()) complain(*life, event, "without content");
    if (writes_) {
      if (!life->events.empty()) life->events += ' ';
      life->events += to_string(event);
      if (call->resumed != 0) life->events += "(resumed)";
      if (stage_of(event) == 2) life->events += fmt::format(":{}", content.size());
      if (event == request_body && call->resumed == 0) life->request_content += content;
      if (event == response_body && call->resumed == 0) life->response_content += content;
    }
    renew_object(call, *life);
  }
  const Act& act = acts_[index(event)];
  const Call wrapped(call, event, content);
  const int result = act ? act(wrapped) : PENSTOCK_CONTINUE;
  const std::lock_guard lock(mutex_);
  note_result(*life, event, result);
  return result;
}

void Recorder::check_call(const penstock_call* call, Life& life, ModuleEvent event) {
  if (life.freed) complain(life, event, "after free");
  if (life.done) complain(life, event, "after DONE");
  if (life.logged) complain(life, event, "after logged");
  if (call->size < sizeof(penstock_call)) complain(life, event, "with a short structure");
  if (call->transaction == 0) complain(life, event, "without an id");
  if (call->opaque != life.object) complain(life, event, "with an opaque that it has not left");
  if (life.object != nullptr && life.object->transaction != call->transaction) {
    complain(life, event, "with the opaque of another transaction");
  }
  if (call->client == nullptr || call->client != life.client) {
    complain(life, event, "with another client");
  }
  if (call->connection != life.connection) complain(life, event, "with another connection");
  if (call->data != this) complain(life, event, "with other data");
}

Recorder::Direction* Recorder::direction_of(Life& life, ModuleEvent event) {
  if (event <= before_connect) return &life.request;
  return event <= answer_body ? &life.response : nullptr;
}

void Recorder::check_order(Life& life, ModuleEvent event, bool resumed) {
  Direction* const direction = direction_of(life, event);
  if (direction == nullptr) {
    if (resumed) complain(life, event, "resumed");
    return;
  }
  if (resumed != (direction->waiting == event)) {
    complain(life, event, resumed ? "resumed without having waited" : "not as resumed");
  }
  direction->waiting.reset();
  if (resumed) return;
  if (event == before_connect) {
    if (life.connected) complain(life, event, "twice");
    if (life.response.stage > 0) complain(life, event, "after the response's head");
    life.connected = true;
  }
  const int stage = stage_of(event);
  if (stage == 0) return;
  if (stage < direction->stage || (stage != 2 && stage == direction->stage)) {
    complain(life, event, "out of order");
  }
  if (stage > 1 && direction->skipped) complain(life, event, "after SKIP_CONTENT");
  const bool headless =
      event < response_head ? module_.request_head == nullptr : module_.response_head == nullptr;
  if (stage > 1 && direction->stage == 0 && !headless) complain(life, event, "before the head");
  direction->stage = stage;
}

void Recorder::note_result(Life& life, ModuleEvent event, int result) {
  if (result == PENSTOCK_DONE) life.done = true;
  if (event == logged) life.logged = true;
  Direction* const direction = direction_of(life, event);
  if (stage_of(event) > 0 && result == PENSTOCK_SKIP_CONTENT) direction->skipped = true;
  if (direction != nullptr && result == PENSTOCK_WAIT) direction->waiting = event;
  if (writes_ && result != PENSTOCK_CONTINUE) life.events += "=" + returned_name(result);
  // The last that is called for, where nothing is kept.
  if (!keeps_ && (event == logged || result == PENSTOCK_DONE)) --open_;
}

// Every third call leaves another object than it found.
void Recorder::renew_object(penstock_call* call, Life& life) {
  ++life.calls;
  if (!keeps_ || (life.object != nullptr && life.calls % 3 != 0)) return;
  if (life.object == nullptr) ++objects_;
  const std::unique_ptr<Object> old(life.object);
  life.object = std::make_unique<Object>(call->transaction, ++marks_).release();
  call->opaque = life.object;
}

void Recorder::freed(penstock_call* call) {
  const std::lock_guard lock(mutex_);
  ++calls_;
  const auto found = lives_.find(call->transaction);
  if (found == lives_.end() || call->opaque == nullptr) {
    ADD_FAILURE() << "free without anything to free";
    return;
  }
  Life& life = *found->second;
  if (life.freed) complain(life, ModuleEvent::free, "twice");
  if (call->opaque != life.object) complain(life, ModuleEvent::free, "with another opaque");
  if (module_.logged != nullptr && !left_out_ && !life.logged && !life.done) {
    complain(life, ModuleEvent::free, "before logged");
  }
  if (writes_) life.events += " free";
  life.freed = true;
  const std::unique_ptr<Object> last(std::exchange(life.object, nullptr));
  --objects_;
  --open_;
  if (!writes_) lives_.erase(found);
}

const Recorder::Life& Recorder::life(std::size_t i) const { return *lives_.at(order_.at(i)); }

std::string Recorder::events(std::size_t i) const {
  return i < order_.size() ? life(i).events : "nothing";
}

std::string Recorder::only_events() const {
  EXPECT_EQ(order_.size(), 1U);
  return events(0);
}

const std::string& Recorder::request_content(std::size_t i) const {
  return life(i).request_content;
}

const std::string& Recorder::response_content(std::size_t i) const {
  return life(i).response_content;
}

void Recorder::complain(const Life& life, ModuleEvent event, std::string_view what) const {
  const std::string text = fmt::format("{} {}; so far: {}", to_string(event), what, life.events);
  if (complaints_ != nullptr) {
    complaints_->push_back(text);
  } else {
    ADD_FAILURE() << text;
  }
}

}  // namespace penstock::module_test
