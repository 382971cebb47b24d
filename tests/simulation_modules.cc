#include "tests/simulation_modules.h"

#include <algorithm>
#include <chrono>
#include <deque>
#include <optional>
#include <utility>

#include "tests/module_host.h"
#include "tests/module_recorder.h"

namespace penstock::simulation {
namespace {

using module_test::ModuleHost;
using module_test::Recorder;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr Duration kLongestWait = milliseconds(300);
constexpr std::size_t kMostHeld = 64 * 1024;
constexpr char kEscape = '#';

// What a module of the simulation is made with; its `data`.
struct Mischief {
  SimWorld* world;
  std::uint64_t seed;
  double failures = 0;   // probability, at each call
  bool escapes = false;  // the one that does on requests; the other one undoes it
  std::size_t open = 0;  // transactions that have something to be freed
};

Random random_of(const Mischief& mischief, std::uint64_t transaction) {
  return Random(mix(mischief.seed ^ mix(transaction)));
}

// A waiter to be resumed some time later, whatever has happened by then.
void resume_later(const Mischief& mischief, const penstock_call& call, Random& random) {
  penstock_waiter* const waiter = call.api->waiter(const_cast<penstock_call*>(&call));
  if (random.chance(0.3)) return call.api->resume(waiter);
  const TimePoint when = mischief.world->now() + random.between(Duration{}, kLongestWait);
  mischief.world->call_at(when, [api = call.api, waiter] { api->resume(waiter); });
}

// -- One that lets all pass as it is, in its own way. -----------------------------------

struct Meddling {
  struct Direction {
    int at_head = PENSTOCK_CONTINUE;
    std::deque<penstock_held*> held;
    std::size_t bytes = 0;  // that are held
  };
  explicit Meddling(Random r) : random(r) {}
  Random random;
  Direction request;
  Direction response;
};

Mischief& mischief_of(const penstock_call* call) { return *static_cast<Mischief*>(call->data); }

Meddling& meddling_of(penstock_call* call) {
  if (call->opaque == nullptr) {
    Mischief& mischief = mischief_of(call);
    ++mischief.open;
    call->opaque = std::make_unique<Meddling>(random_of(mischief, call->transaction)).release();
  }
  return *static_cast<Meddling*>(call->opaque);
}

// Whether it waits this time; only once for each event.
bool waits(penstock_call* call, Random& random) {
  if (call->resumed != 0 || !random.chance(0.1)) return false;
  resume_later(mischief_of(call), *call, random);
  return true;
}

int meddle_at_head(penstock_call* call, Meddling::Direction& direction, int length_number) {
  Random& random = meddling_of(call).random;
  if (waits(call, random)) return PENSTOCK_WAIT;
  if (random.chance(mischief_of(call).failures)) return PENSTOCK_ERROR;
  constexpr std::array<int, 8> kReturns = {
      PENSTOCK_CONTINUE, PENSTOCK_CONTINUE,  PENSTOCK_CHANGED,      PENSTOCK_CHANGED,
      PENSTOCK_CHANGED,  PENSTOCK_HOLD_HEAD, PENSTOCK_SKIP_CONTENT, PENSTOCK_DONE};
  direction.at_head = random.pick(kReturns);
  // What it holds of the request would be lost.
  if (!meddling_of(call).request.held.empty()) direction.at_head = PENSTOCK_CHANGED;
  std::int64_t length = -1;
  call->api->get_number(call, length_number, &length);
  if (length > 0 && random.chance(0.5)) {
    call->api->content_length(call, static_cast<std::uint64_t>(length));
  }
  return direction.at_head;
}

void emit_oldest(penstock_call* call, Meddling::Direction& direction) {
  EXPECT_EQ(call->api->content_emit(call, direction.held.front()), PENSTOCK_OK);
  direction.held.pop_front();
}

void emit_all(penstock_call* call, Meddling::Direction& direction) {
  while (!direction.held.empty()) emit_oldest(call, direction);
  direction.bytes = 0;
}

// Hands on a piece in parts: held, passed or copied.
void hand_on(penstock_call* call, Meddling::Direction& direction, std::string_view bytes,
             Random& random) {
  std::size_t at = 0;
  while (at < bytes.size()) {
    const std::size_t size = std::min<std::size_t>(bytes.size() - at, random.skewed(1, 40'000));
    penstock_held* held = nullptr;
    if (direction.bytes < kMostHeld && random.chance(0.5) &&
        call->api->content_hold(call, at, size, &held) == PENSTOCK_OK) {
      direction.held.push_back(held);
      direction.bytes += size;
    } else {
      emit_all(call, direction);
      if (random.chance(0.5)) {
        EXPECT_EQ(call->api->content_pass(call, at, size), PENSTOCK_OK);
      } else {
        EXPECT_EQ(call->api->content_write(call, bytes.data() + at, size), PENSTOCK_OK);
      }
    }
    at += size;
  }
  if (random.chance(0.3)) emit_all(call, direction);
}

int meddle_with_content(penstock_call* call, Meddling::Direction& direction,
                        std::string_view bytes) {
  Random& random = meddling_of(call).random;
  EXPECT_FALSE(bytes.empty());
  if (waits(call, random)) return PENSTOCK_WAIT;
  if (random.chance(mischief_of(call).failures)) return PENSTOCK_ERROR;
  if (direction.at_head == PENSTOCK_CONTINUE) return PENSTOCK_CONTINUE;
  if (random.chance(0.05)) {
    emit_all(call, direction);
    return PENSTOCK_SKIP_CONTENT;
  }
  if (random.chance(0.3)) {
    emit_all(call, direction);
    return PENSTOCK_CONTINUE;
  }
  hand_on(call, direction, bytes, random);
  return PENSTOCK_CHANGED;
}

int meddle_at_end(penstock_call* call, Meddling::Direction& direction) {
  Random& random = meddling_of(call).random;
  if (waits(call, random)) return PENSTOCK_WAIT;
  emit_all(call, direction);
  return PENSTOCK_CONTINUE;
}

int meddle_anywhere(penstock_call* call) {
  Random& random = meddling_of(call).random;
  if (waits(call, random)) return PENSTOCK_WAIT;
  return random.chance(mischief_of(call).failures) ? PENSTOCK_ERROR : PENSTOCK_CONTINUE;
}

const penstock_module& meddler() {
  static const penstock_module kModule = [] {
    penstock_module made{};
    made.abi = PENSTOCK_ABI;
    made.size = sizeof made;
    made.name = "meddler";
    made.version = "1";
    made.summary = "Lets all pass as it is, in its own way.";
    made.request_head = [](penstock_call* call) {
      return meddle_at_head(call, meddling_of(call).request, PENSTOCK_REQUEST_LENGTH);
    };
    made.request_body = [](penstock_call* call, const char* bytes, std::size_t size) {
      return meddle_with_content(call, meddling_of(call).request, {bytes, size});
    };
    made.request_complete = [](penstock_call* call) {
      return meddle_at_end(call, meddling_of(call).request);
    };
    made.cache_lookup = &meddle_anywhere;
    made.before_connect = &meddle_anywhere;
    made.response_head = [](penstock_call* call) {
      return meddle_at_head(call, meddling_of(call).response, PENSTOCK_RESPONSE_LENGTH);
    };
    made.response_body = [](penstock_call* call, const char* bytes, std::size_t size) {
      return meddle_with_content(call, meddling_of(call).response, {bytes, size});
    };
    made.response_complete = [](penstock_call* call) {
      return meddle_at_end(call, meddling_of(call).response);
    };
    made.free = [](penstock_call* call) {
      --mischief_of(call).open;
      const std::unique_ptr<Meddling> last(static_cast<Meddling*>(call->opaque));
    };
    return made;
  }();
  return kModule;
}

// -- A pair: one puts bytes between, the other one takes them out again. ----------------

struct Escaping {
  explicit Escaping(Random r) : random(r) {}
  Random random;
  bool in_escape[2] = {false, false};  // of the request, the response
};

Escaping& escaping_of(penstock_call* call) {
  if (call->opaque == nullptr) {
    Mischief& mischief = mischief_of(call);
    ++mischief.open;
    call->opaque = std::make_unique<Escaping>(random_of(mischief, call->transaction)).release();
  }
  return *static_cast<Escaping*>(call->opaque);
}

int escape_at_head(penstock_call* call) {
  Random& random = escaping_of(call).random;
  if (waits(call, random)) return PENSTOCK_WAIT;
  return random.chance(0.2) ? PENSTOCK_HOLD_HEAD : PENSTOCK_CHANGED;
}

// Puts an escape before some of the bytes, and before each that looks like one.
int escape(penstock_call* call, std::string_view bytes) {
  Random& random = escaping_of(call).random;
  std::size_t begin = 0;
  std::size_t next = 0;
  while (true) {
    next += random.skewed(0, 5'000);
    const std::size_t escape = std::min(bytes.find(kEscape, begin), next);
    if (escape >= bytes.size()) break;
    call->api->content_pass(call, begin, escape - begin);
    call->api->content_write(call, &kEscape, 1);
    call->api->content_pass(call, escape, 1);
    begin = next = escape + 1;
  }
  call->api->content_pass(call, begin, bytes.size() - begin);
  return PENSTOCK_CHANGED;
}

int unescape(penstock_call* call, std::string_view bytes, bool& in_escape) {
  std::size_t begin = 0;
  while (begin < bytes.size()) {
    const std::size_t from = begin + (std::exchange(in_escape, false) ? 1 : 0);
    const std::size_t escape = std::min(bytes.find(kEscape, from), bytes.size());
    call->api->content_pass(call, begin, escape - begin);
    if (escape == bytes.size()) break;
    in_escape = true;
    begin = escape + 1;
  }
  return PENSTOCK_CHANGED;
}

int escape_or_not(penstock_call* call, std::string_view bytes, bool request) {
  Escaping& escaping = escaping_of(call);
  if (waits(call, escaping.random)) return PENSTOCK_WAIT;
  const bool escapes = mischief_of(call).escapes == request;
  return escapes ? escape(call, bytes) : unescape(call, bytes, escaping.in_escape[request ? 0 : 1]);
}

const penstock_module& escaper() {
  static const penstock_module kModule = [] {
    penstock_module made{};
    made.abi = PENSTOCK_ABI;
    made.size = sizeof made;
    made.name = "escaper";
    made.version = "1";
    made.summary = "Puts bytes into content, or takes them out of it.";
    made.request_head = &escape_at_head;
    made.request_body = [](penstock_call* call, const char* bytes, std::size_t size) {
      return escape_or_not(call, {bytes, size}, true);
    };
    made.response_head = &escape_at_head;
    made.response_body = [](penstock_call* call, const char* bytes, std::size_t size) {
      return escape_or_not(call, {bytes, size}, false);
    };
    made.free = [](penstock_call* call) {
      --mischief_of(call).open;
      const std::unique_ptr<Escaping> last(static_cast<Escaping*>(call->opaque));
    };
    return made;
  }();
  return kModule;
}

}  // namespace

struct Modules::Made {
  Made(SimWorld& world, Log* log) : host(world, log) {}
  ModuleHost host;
  std::deque<Mischief> mischief;
  std::vector<std::string> complaints;
  std::deque<Recorder> recorders;
};

Modules::Modules(SimWorld& world, Random random, bool reliable, Log* log)
    : made_(std::make_unique<Made>(world, log)) {
  const FilterSettings patient{.timeout = std::chrono::hours(1)};
  const auto add_recorder = [&](FilterSide at) {
    Recorder& recorder = made_->recorders.emplace_back();
    recorder.write_nothing_down();
    recorder.complain_to(made_->complaints);
    FilterSettings settings = patient;
    settings.at = at;
    made_->host.add(recorder.module(), &recorder, settings);
    text_ += " recorder";
  };
  const auto add_meddler = [&] {
    Mischief& mischief = made_->mischief.emplace_back(&world, random.next());
    FilterSettings settings = patient;
    settings.at = random.chance(0.5) ? FilterSide::client : FilterSide::server;
    if (!reliable && random.chance(0.5)) {
      mischief.failures = 0.01;
      settings.timeout = seconds(1);
      constexpr std::array<FailurePolicy, 3> kPolicies = {
          FailurePolicy::open, FailurePolicy::closed, FailurePolicy::skip};
      settings.on_failure = random.pick(kPolicies);
    }
    const std::uint64_t most = random.chance(0.3) ? random.skewed(1, kMostHeld) : 4 * kMostHeld;
    made_->host.add(meddler(), &mischief, settings, most);
    text_ += mischief.failures > 0 ? " failing-meddler" : " meddler";
  };
  const auto add_escaper = [&](FilterSide at) {
    Mischief& mischief = made_->mischief.emplace_back(&world, random.next());
    mischief.escapes = at == FilterSide::client;
    FilterSettings settings = patient;
    settings.at = at;
    made_->host.add(escaper(), &mischief, settings);
    text_ += " escaper";
  };
  // Those of the pair around the others of their side, or not; the order of two that do not
  // disturb each other makes no difference.
  const bool pair = random.chance(0.5);
  if (random.chance(0.5)) add_recorder(FilterSide::client);
  if (pair) add_escaper(FilterSide::client);
  while (random.chance(0.6)) add_meddler();
  if (random.chance(0.5)) add_recorder(FilterSide::server);
  if (pair) add_escaper(FilterSide::server);
  if (text_.empty()) add_meddler();
}

Modules::~Modules() = default;

std::shared_ptr<FilterSet> Modules::make_set(unsigned worker) {
  return made_->host.make_set(worker);
}

std::vector<std::string> Modules::problems() const {
  std::vector<std::string> found = made_->complaints;
  for (const Recorder& recorder : made_->recorders) {
    if (recorder.open() > 0) found.emplace_back("transactions of modules are left");
  }
  for (const Mischief& mischief : made_->mischief) {
    if (mischief.open > 0) found.emplace_back("what modules have left was not freed");
  }
  return found;
}

}  // namespace penstock::simulation
