// What callbacks for a connection may use of the functions of the interface.
#pragma once

#include "module/call.h"

namespace penstock {

// There is no message yet, so most of them have nothing to work on.
class ConnectionFace : public CallFace {
 public:
  FieldSection* fields(int /*section*/, bool /*change*/) override { return nullptr; }
  int set_text(int /*text*/, penstock_str /*value*/) override { return PENSTOCK_NOT_NOW; }
  int set_number(int /*number*/, std::int64_t /*value*/) override { return PENSTOCK_NOT_NOW; }
  int content_write(const void* /*bytes*/, std::size_t /*size*/) override {
    return PENSTOCK_NOT_NOW;
  }
  int content_pass(std::size_t /*offset*/, std::size_t /*size*/) override {
    return PENSTOCK_NOT_NOW;
  }
  int content_hold(std::size_t /*offset*/, std::size_t /*size*/,
                   penstock_held** /*held*/) override {
    return PENSTOCK_NOT_NOW;
  }
  int content_emit(penstock_held* /*held*/) override { return PENSTOCK_NOT_NOW; }
  int content_drop(penstock_held* /*held*/) override { return PENSTOCK_NOT_NOW; }
  int content_length(std::uint64_t /*length*/) override { return PENSTOCK_NOT_NOW; }
  int answer(int /*status*/, const char* /*reason*/, const void* /*content*/,
             std::size_t /*size*/) override {
    return PENSTOCK_NOT_NOW;
  }
  int answer_stream(int /*status*/, const char* /*reason*/) override { return PENSTOCK_NOT_NOW; }
  penstock_waiter* waiter() override { return nullptr; }
  std::size_t address_count() override { return 0; }
  int address_at(std::size_t /*index*/, penstock_str& /*address*/) override {
    return PENSTOCK_NOT_NOW;
  }
  int address_set(const penstock_str* /*addresses*/, std::size_t /*count*/) override {
    return PENSTOCK_NOT_NOW;
  }
  int record_get(penstock_str /*name*/, penstock_str& /*value*/) override {
    return PENSTOCK_NOT_NOW;
  }
  int record_add(penstock_str /*name*/, penstock_str /*value*/) override {
    return PENSTOCK_NOT_NOW;
  }

 protected:
  ~ConnectionFace() = default;
};

}  // namespace penstock
