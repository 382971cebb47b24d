// What a module for C++ has outside of transactions. Part of penstock/module.hpp, which is what to
// include and where to begin reading.
#ifndef PENSTOCK_MODULE_INSTANCE_HPP
#define PENSTOCK_MODULE_INSTANCE_HPP

#include <chrono>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "penstock/module_call.hpp"

namespace penstock {

// -- Outside of transactions ------------------------------------------------------------------

// A counter, or a gauge. To be copied freely; valid as long as the instance; from any thread.
class Metric {
 public:
  Metric() = default;
  Metric(const penstock_api* api, penstock_metric* metric) : api_(api), metric_(metric) {}
  void add(std::int64_t n = 1) const {
    if (metric_ != nullptr) api_->metric_add(metric_, n);
  }
  void set(std::int64_t n) const {
    if (metric_ != nullptr) api_->metric_set(metric_, n);
  }

 private:
  const penstock_api* api_ = nullptr;
  penstock_metric* metric_ = nullptr;
};

// A log file of the module's own. Valid as long as the instance; from any thread.
class LogFile {
 public:
  LogFile() = default;
  LogFile(const penstock_api* api, penstock_log_file* file) : api_(api), file_(file) {}
  void write(std::string_view line) const { api_->log_file_write(file_, str(line)); }

 private:
  const penstock_api* api_ = nullptr;
  penstock_log_file* file_ = nullptr;
};

using CacheDone = std::function<void(const penstock_cache_object&)>;

namespace detail {
using CacheAsk = int (*)(penstock_instance*, penstock_str, penstock_cache_done, void*);
int ask_cache(const penstock_api* api, penstock_instance* instance, CacheAsk ask,
              std::string_view url, CacheDone done, bool many);
}  // namespace detail

// One [module.NAME] of the configuration. Begins before the first transaction and ends after the
// last one.
class Instance : public Events {
 public:
  explicit Instance(const Config& config) : instance_(config.instance()), api_(config.api()) {}

  // A client's connection is about to be served: PENSTOCK_CONTINUE, or PENSTOCK_ERROR, which closes
  // it. What is left in call.raw()->opaque is the later calls' connection_opaque;
  // connection_free gets it at the end.
  virtual int connection(Call& /*call*/) { return PENSTOCK_CONTINUE; }
  virtual void connection_free(Call& /*call*/) {}

  // The shared object has been loaded, or is about to be unloaded: static functions of these names
  // in a module's class take the place of these.
  static int load(const penstock_api* /*api*/) { return PENSTOCK_OK; }
  static void unload() {}

  [[nodiscard]] penstock_instance* instance() const { return instance_; }
  [[nodiscard]] const penstock_api& api() const { return *api_; }
  [[nodiscard]] std::string_view name() const { return view(api_->instance_name(instance_)); }
  void log(int level, const std::string& text) const { api_->log(instance_, level, text.c_str()); }
  // Names: letters, digits, "_".
  [[nodiscard]] Metric metric(const char* name, const char* help) const {
    return {api_, api_->metric(instance_, name, help)};
  }
  // Throws Error where the file cannot be opened.
  [[nodiscard]] LogFile log_file(const std::string& path) const {
    penstock_log_file* const file = api_->log_file_open(instance_, path.c_str());
    if (file == nullptr) throw Error(PENSTOCK_FAILED, path + " cannot be opened");
    return {api_, file};
  }

  // These give PENSTOCK_OK, or why nothing has begun; `done` is then not called. It runs on a
  // thread of the proxy, and may still do so when what it was for is over: what it needs it must
  // own or share; the instance outlives it.
  [[nodiscard]] int subrequest(const Subrequest& request,
                               std::function<void(const Subresponse&)> done = {}) const {
    return detail::send(api_, instance_, request, std::move(done));
  }
  [[nodiscard]] int run_blocking(std::function<void()> work,
                                 std::function<void()> done = {}) const {
    return detail::run_blocking(api_, instance_, std::move(work), std::move(done));
  }

  // The cache, as in module.h: PENSTOCK_OK, or why nothing has begun (PENSTOCK_NO_CACHE). `done` is
  // called once; `each` for each object, and a last time with a result that is not PENSTOCK_OK.
  [[nodiscard]] int cache_query(std::string_view url, CacheDone done) const {
    return detail::ask_cache(api_, instance_, api_->cache_query, url, std::move(done), false);
  }
  [[nodiscard]] int cache_read(std::string_view url, CacheDone done) const {
    return detail::ask_cache(api_, instance_, api_->cache_read, url, std::move(done), false);
  }
  [[nodiscard]] int cache_fetch(std::string_view url, CacheDone done) const {
    return detail::ask_cache(api_, instance_, api_->cache_fetch, url, std::move(done), false);
  }
  [[nodiscard]] int cache_validate(std::string_view url, CacheDone done) const {
    return detail::ask_cache(api_, instance_, api_->cache_validate, url, std::move(done), false);
  }
  [[nodiscard]] int cache_enumerate(std::string_view prefix, CacheDone each) const {
    return detail::ask_cache(api_, instance_, api_->cache_enumerate, prefix, std::move(each), true);
  }
  [[nodiscard]] int cache_prefetch(std::string_view url) const {
    return api_->cache_prefetch(instance_, str(url));
  }
  [[nodiscard]] int cache_expire(std::string_view url) const {
    return api_->cache_expire(instance_, str(url));
  }
  [[nodiscard]] int cache_remove(std::string_view url) const {
    return api_->cache_remove(instance_, str(url));
  }
  [[nodiscard]] int cache_pin(std::string_view url, bool pinned) const {
    return api_->cache_pin(instance_, str(url), pinned ? 1 : 0);
  }

 private:
  penstock_instance* instance_;
  const penstock_api* api_;
};

namespace detail {

// Calls what may throw, for callbacks that have nobody to tell but the log.
template <class F>
void guarded(const penstock_api* api, penstock_instance* instance, const F& f) noexcept {
  try {
    f();
  } catch (const std::exception& error) {
    api->log(instance, PENSTOCK_LOG_ERROR, error.what());
  } catch (...) {
    api->log(instance, PENSTOCK_LOG_ERROR, "an exception of an unknown type");
  }
}

struct SendState {
  const penstock_api* api;
  std::function<void(const Subresponse&)> done;
};

inline Subresponse copy_of(const penstock_subresponse& raw) {
  Subresponse out{raw.status, std::string(view(raw.error)), {}, std::string(view(raw.content))};
  for (std::size_t i = 0; i < raw.field_count; ++i) {
    out.fields.emplace_back(view(raw.fields[i].name), view(raw.fields[i].value));
  }
  return out;
}

inline int send(const penstock_api* api, penstock_instance* instance, const Subrequest& request,
                std::function<void(const Subresponse&)> done) {
  std::vector<penstock_field> fields;
  fields.reserve(request.fields.size());
  for (const auto& [name, value] : request.fields) fields.push_back({str(name), str(value)});
  const penstock_subrequest raw{
      sizeof(raw),          str(request.method),
      str(request.url),     str(request.upstream),
      fields.data(),        fields.size(),
      str(request.content), static_cast<std::uint64_t>(request.timeout.count()),
      request.max_content};
  auto state = std::make_unique<SendState>(SendState{api, std::move(done)});
  const auto finish = [](penstock_instance* owner, void* data,
                         const penstock_subresponse* response) {
    const std::unique_ptr<SendState> mine(static_cast<SendState*>(data));
    guarded(mine->api, owner, [&] {
      if (mine->done) mine->done(copy_of(*response));
    });
  };
  SendState* const given = state.release();  // to `finish`
  const int code = api->subrequest(instance, &raw, finish, given);
  if (code < 0) state.reset(given);
  return code;
}

struct WorkState {
  const penstock_api* api;
  penstock_instance* instance;
  std::function<void()> work;
  std::function<void()> done;
};

inline int run_blocking(const penstock_api* api, penstock_instance* instance,
                        std::function<void()> work, std::function<void()> done) {
  auto state =
      std::make_unique<WorkState>(WorkState{api, instance, std::move(work), std::move(done)});
  const auto begin = [](void* data) {
    const auto* const mine = static_cast<WorkState*>(data);
    guarded(mine->api, mine->instance, mine->work);
  };
  const auto finish = [](penstock_instance* owner, void* data) {
    const std::unique_ptr<WorkState> mine(static_cast<WorkState*>(data));
    guarded(mine->api, owner, [&] {
      if (mine->done) mine->done();
    });
  };
  WorkState* const given = state.release();  // to `finish`
  const int code = api->run_blocking(instance, begin, finish, given);
  if (code < 0) state.reset(given);
  return code;
}

struct CacheState {
  const penstock_api* api;
  CacheDone done;
  bool many;
};

inline int ask_cache(const penstock_api* api, penstock_instance* instance, CacheAsk ask,
                     std::string_view url, CacheDone done, bool many) {
  auto state = std::make_unique<CacheState>(CacheState{api, std::move(done), many});
  const auto tell = [](penstock_instance* owner, void* data, const penstock_cache_object* object) {
    auto* const asked = static_cast<CacheState*>(data);
    guarded(asked->api, owner, [&] { asked->done(*object); });
    const bool is_last = !asked->many || object->result != PENSTOCK_OK;
    const std::unique_ptr<CacheState> ends(is_last ? asked : nullptr);
  };
  CacheState* const given = state.release();  // to `tell`
  const int code = ask(instance, str(url), tell, given);
  if (code < 0) state.reset(given);
  return code;
}

}  // namespace detail

// Calls a function again and again, from one thread of the proxy, as long as this object lives.
// Make it a member of the Instance, the last one: what the function uses must end after it.
class Timer {
 public:
  Timer(const Instance& owner, std::chrono::milliseconds period, std::function<void()> f)
      : state_(std::make_unique<State>(State{&owner.api(), nullptr, std::move(f)})) {
    const auto fire = [](penstock_instance* instance, void* data) {
      const auto* const state = static_cast<State*>(data);
      detail::guarded(state->api, instance, state->f);
    };
    state_->timer = owner.api().timer_start(
        owner.instance(), static_cast<std::uint64_t>(period.count()), fire, state_.get());
    if (state_->timer == nullptr) throw Error(PENSTOCK_FAILED, "no timer");
  }
  Timer(Timer&&) noexcept = default;
  Timer& operator=(Timer&& other) noexcept {
    stop();
    state_ = std::move(other.state_);
    return *this;
  }
  ~Timer() { stop(); }

 private:
  struct State {
    const penstock_api* api;
    penstock_timer* timer;
    std::function<void()> f;
  };
  void stop() const {
    if (state_) state_->api->timer_stop(state_->timer);
  }
  std::unique_ptr<State> state_;
};

// Calls a function with the poll(2) events that a descriptor has, as long as this object lives. The
// descriptor is the module's, and must be closed after it.
class Watch {
 public:
  Watch(const Instance& owner, int descriptor, short events, std::function<void(short)> f)
      : state_(std::make_unique<State>(State{&owner.api(), nullptr, std::move(f)})) {
    const auto fire = [](penstock_instance* instance, void* data, short happened) {
      const auto* const state = static_cast<State*>(data);
      detail::guarded(state->api, instance, [&] { state->f(happened); });
    };
    state_->watch =
        owner.api().watch_start(owner.instance(), descriptor, events, fire, state_.get());
    if (state_->watch == nullptr) throw Error(PENSTOCK_FAILED, "the descriptor cannot be watched");
  }
  Watch(Watch&&) noexcept = default;
  Watch& operator=(Watch&& other) noexcept {
    stop();
    state_ = std::move(other.state_);
    return *this;
  }
  ~Watch() { stop(); }

 private:
  struct State {
    const penstock_api* api;
    penstock_watch* watch;
    std::function<void(short)> f;
  };
  void stop() const {
    if (state_) state_->api->watch_stop(state_->watch);
  }
  std::unique_ptr<State> state_;
};

}  // namespace penstock

#endif  // PENSTOCK_MODULE_INSTANCE_HPP
