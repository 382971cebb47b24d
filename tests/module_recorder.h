// For tests: a module that writes down what it is called for, does what the test wants, and holds
// the proxy to what include/penstock/module.h promises.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "module/event.h"
#include "penstock/module.h"

namespace penstock::module_test {

inline penstock_str str(std::string_view text) { return {text.data(), text.size()}; }
inline std::string string_of(penstock_str text) { return {text.data, text.size}; }

// A callback's call, with the functions of the interface at hand.
class Call {
 public:
  Call(penstock_call* raw, ModuleEvent event, std::string_view content)
      : content(content), event(event), raw_(raw) {}

  // Of a _body event.
  const std::string_view content;
  const ModuleEvent event;

  [[nodiscard]] penstock_call* raw() const { return raw_; }
  [[nodiscard]] const penstock_api& api() const { return *raw_->api; }
  [[nodiscard]] bool resumed() const { return raw_->resumed != 0; }

  // Empty: it is not there, or not now.
  [[nodiscard]] std::string field(int section, std::string_view name, std::size_t index = 0) const;
  int set(int section, std::string_view name, std::string_view value) const {
    return api().field_set(raw_, section, str(name), str(value));
  }
  int add(int section, std::string_view name, std::string_view value) const {
    return api().field_add(raw_, section, str(name), str(value));
  }
  int remove(int section, std::string_view name) const {
    return api().field_remove(raw_, section, str(name));
  }
  // "NOT_NOW" and so on where there is none.
  [[nodiscard]] std::string text(int which) const;
  int set_text(int which, std::string_view value) const {
    return api().set_text(raw_, which, str(value));
  }
  // The failure where there is none.
  [[nodiscard]] std::int64_t number(int which) const;
  int set_number(int which, std::int64_t value) const {
    return api().set_number(raw_, which, value);
  }
  int write(std::string_view text) const {
    return api().content_write(raw_, text.data(), text.size());
  }
  int pass(std::size_t offset, std::size_t size) const {
    return api().content_pass(raw_, offset, size);
  }
  // Null where it is refused.
  [[nodiscard]] penstock_held* hold(std::size_t offset, std::size_t size) const;
  int emit(penstock_held* held) const { return api().content_emit(raw_, held); }
  int drop(penstock_held* held) const { return api().content_drop(raw_, held); }
  int length(std::uint64_t length) const { return api().content_length(raw_, length); }
  int answer(int status, std::string_view text, const char* reason = nullptr) const {
    return api().answer(raw_, status, reason, text.data(), text.size());
  }
  int answer_stream(int status, const char* reason = nullptr) const {
    return api().answer_stream(raw_, status, reason);
  }
  // To be resumed once.
  [[nodiscard]] penstock_waiter* waiter() const { return api().waiter(raw_); }
  void resume(penstock_waiter* waiter) const { api().resume(waiter); }

 private:
  penstock_call* raw_;
};

// "NOT_NOW", "OK".
[[nodiscard]] std::string result_name(int result);

// All of the instances of one module: instances are made with `module()` and this as their data.
// Callbacks may come from several threads. What it finds wrong is a failure of the running test.
class Recorder {
 public:
  // Which callbacks the module has: all of them, or some.
  Recorder();
  explicit Recorder(const std::vector<ModuleEvent>& events);
  // All of its transactions must have ended.
  ~Recorder();
  Recorder(const Recorder&) = delete;
  Recorder& operator=(const Recorder&) = delete;

  [[nodiscard]] const penstock_module& module() const { return module_; }

  // What an event does, and returns; without it PENSTOCK_CONTINUE.
  using Act = std::function<int(const Call& call)>;
  void on(ModuleEvent event, Act act) { acts_[index(event)] = std::move(act); }
  // It gets an object of its own in each transaction, in `opaque`, replaced by another one now and
  // then. Without: `opaque` stays null, so that `free` must not come.
  void leave_opaque_null() { keeps_ = false; }
  // It fails, and is left out of the rest of a transaction for that: `logged` need not come.
  void may_be_left_out() { left_out_ = true; }
  // What it finds wrong goes there instead of failing the test; must outlive it.
  void complain_to(std::vector<std::string>& complaints) { complaints_ = &complaints; }
  // Nothing about single calls is kept: for many transactions.
  void write_nothing_down() { writes_ = false; }

  // The events of the i-th transaction, in their order: "request_head request_body:5 ...", with
  // what was returned where that was not PENSTOCK_CONTINUE: "request_head=DONE".
  [[nodiscard]] std::string events(std::size_t i) const;
  [[nodiscard]] std::string only_events() const;
  // Content as the module was shown it.
  [[nodiscard]] const std::string& request_content(std::size_t i) const;
  [[nodiscard]] const std::string& response_content(std::size_t i) const;
  [[nodiscard]] std::size_t transactions() const { return order_.size(); }
  // Transactions that were called for and have not been freed.
  [[nodiscard]] std::size_t open() const { return open_; }
  [[nodiscard]] std::uint64_t calls() const { return calls_; }
  [[nodiscard]] std::uint64_t id(std::size_t i) const { return order_.at(i); }

 private:
  struct Object {
    std::uint64_t transaction;
    std::uint64_t mark;
  };
  // What is left of one direction's events.
  struct Direction {
    int stage = 0;         // 1: head, 2: content, 3: complete
    bool skipped = false;  // PENSTOCK_SKIP_CONTENT
    std::optional<ModuleEvent> waiting;
  };
  struct Life {
    std::string events;
    std::string request_content;
    std::string response_content;
    Object* object = nullptr;
    const sockaddr* client = nullptr;
    std::uint64_t connection = 0;
    Direction request;
    Direction response;
    int calls = 0;
    bool connected = false;
    bool done = false;
    bool logged = false;
    bool freed = false;
  };
  static constexpr std::size_t kEvents = 13;
  [[nodiscard]] static std::size_t index(ModuleEvent event) {
    return static_cast<std::size_t>(event);
  }
  template <ModuleEvent event>
  static int callback(penstock_call* call);
  template <ModuleEvent event>
  static int body_callback(penstock_call* call, const char* bytes, std::size_t size);
  static void free_callback(penstock_call* call);
  void set_callbacks(const std::vector<ModuleEvent>& events);

  int called(penstock_call* call, ModuleEvent event, std::string_view content);
  void freed(penstock_call* call);
  void check_call(const penstock_call* call, Life& life, ModuleEvent event);
  void check_order(Life& life, ModuleEvent event, bool resumed);
  void note_result(Life& life, ModuleEvent event, int result);
  void renew_object(penstock_call* call, Life& life);
  [[nodiscard]] const Life& life(std::size_t i) const;
  static Direction* direction_of(Life& life, ModuleEvent event);
  void complain(const Life& life, ModuleEvent event, std::string_view what) const;

  penstock_module module_{};
  std::array<Act, kEvents> acts_;
  bool keeps_ = true;
  bool writes_ = true;
  bool left_out_ = false;
  std::vector<std::string>* complaints_ = nullptr;
  mutable std::mutex mutex_;
  std::map<std::uint64_t, std::unique_ptr<Life>> lives_;
  std::vector<std::uint64_t> order_;
  std::size_t open_ = 0;
  std::size_t objects_ = 0;
  std::uint64_t marks_ = 0;
  std::uint64_t calls_ = 0;
};

}  // namespace penstock::module_test
