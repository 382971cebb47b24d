// What the functions of the module interface do for one callback, wherever it runs.
#pragma once

#include <cstddef>
#include <cstdint>

#include "message/fields.h"
#include "penstock/module.h"

namespace penstock {

// What a piece of content that a module holds counts for: it has memory of its own.
[[nodiscard]] constexpr std::size_t cost_of_holding(std::size_t size) {
  constexpr std::size_t kLeast = 4096;
  return size < kLeast ? kLeast : size;
}

// Behind the functions of struct penstock_api that take a call. Two kinds: one that works on the
// transaction itself, for callbacks on the worker's thread (inline_call.h), and one that works on a
// copy and writes down the changes, for callbacks elsewhere (remote_call.h). Results as the
// functions of the interface have them. Belongs to the thread of the callback.
class CallFace {
 public:
  // The section, null where it is not there in this event. `change`: it is about to be changed;
  // null as well where that is not possible any more.
  virtual FieldSection* fields(int section, bool change) = 0;
  // Told of each change that was made to a section.
  enum class Edit : std::uint8_t { set, add, remove };
  virtual void on_edit(int /*section*/, Edit /*edit*/, penstock_str /*name*/,
                       penstock_str /*value*/) {}

  virtual int get_text(int text, penstock_str& value) = 0;
  virtual int set_text(int text, penstock_str value) = 0;
  virtual int get_number(int number, std::int64_t& value) = 0;
  virtual int set_number(int number, std::int64_t value) = 0;

  virtual int content_write(const void* bytes, std::size_t size) = 0;
  virtual int content_pass(std::size_t offset, std::size_t size) = 0;
  virtual int content_hold(std::size_t offset, std::size_t size, penstock_held** held) = 0;
  virtual int content_emit(penstock_held* held) = 0;
  virtual int content_drop(penstock_held* held) = 0;
  virtual int content_length(std::uint64_t length) = 0;

  virtual int answer(int status, const char* reason, const void* content, std::size_t size) = 0;
  virtual int answer_stream(int status, const char* reason) = 0;

  virtual penstock_waiter* waiter() = 0;

  virtual std::size_t address_count() = 0;
  virtual int address_at(std::size_t index, penstock_str& address) = 0;
  virtual int address_set(const penstock_str* addresses, std::size_t count) = 0;

  virtual int record_get(penstock_str name, penstock_str& value) = 0;
  virtual int record_add(penstock_str name, penstock_str value) = 0;

 protected:
  ~CallFace() = default;
};

// A penstock_call as the proxy makes it: what C code gets a pointer to.
struct ModuleCall : penstock_call {
  CallFace* face = nullptr;
};

// The functions that modules call; the same table for all of them.
[[nodiscard]] const penstock_api& module_api();

}  // namespace penstock
