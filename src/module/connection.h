// What an instance of a module keeps for a client's connection.
#pragma once

#include <string>
#include <string_view>

#include "adapt/filter.h"
#include "module/call.h"
#include "module/transaction.h"
#include "server/client_info.h"

namespace penstock {

// What is known of a connection under one of the numbers of get_text(); empty where nothing is.
[[nodiscard]] std::string_view connection_text(const ClientInfo& client, int text);

// Lives as long as the connection; the functions that its two callbacks may use. There is no
// message yet, so most of them have nothing to work on.
class ModuleConnection final : public FilterState, public CallFace {
 public:
  // Both must outlive it.
  ModuleConnection(ModuleCaller& caller, const ClientInfo& client);
  ~ModuleConnection() override;
  ModuleConnection(const ModuleConnection&) = delete;
  ModuleConnection& operator=(const ModuleConnection&) = delete;

  [[nodiscard]] const ClientInfo& client() const { return *client_; }
  [[nodiscard]] ModuleCall& call() { return call_; }
  [[nodiscard]] void* opaque() const { return call_.opaque; }
  void set_opaque(void* opaque) { call_.opaque = opaque; }

  FieldSection* fields(int /*section*/, bool /*change*/) override { return nullptr; }
  int get_text(int text, penstock_str& value) override;
  int set_text(int /*text*/, penstock_str /*value*/) override { return PENSTOCK_NOT_NOW; }
  int get_number(int number, std::int64_t& value) override;
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

 private:
  ModuleCaller* caller_;
  const ClientInfo* client_;
  ModuleCall call_;
  std::string scratch_;
};

}  // namespace penstock
