// The least that the C++ wrapper makes a module of, and the events that the other probe leaves out.
#include <string>
#include <string_view>

#include "penstock/module.hpp"

namespace {

int loads = 0;

class Bare : public penstock::Instance {
 public:
  using Instance::Instance;

  static int load(const penstock_api* api) {
    ++loads;
    return api->abi == PENSTOCK_ABI ? PENSTOCK_OK : PENSTOCK_ERROR;
  }
  static void unload() { --loads; }

  int connection(penstock::Call& call) override {
    call.raw()->opaque = this;
    return PENSTOCK_CONTINUE;
  }
  void connection_free(penstock::Call& call) override { call.raw()->opaque = nullptr; }

  int request_head(penstock::Call& call) override {
    if (call.path() == "/count") return call.answer(200, std::to_string(loads));
    return call.answer_stream(200);
  }
  int answer_body(penstock::Call& call) override {
    call.write("streamed");
    return PENSTOCK_END;
  }
};

constexpr penstock_module kModule = penstock::module<Bare>("bare_probe", "1.0", "Nothing much.");
static_assert(kModule.load != nullptr && kModule.unload != nullptr);
static_assert(kModule.connection != nullptr && kModule.connection_free != nullptr);
static_assert(kModule.free == nullptr && kModule.settings == nullptr);
static_assert(kModule.request_body == nullptr && kModule.response_body == nullptr);

}  // namespace

PENSTOCK_MODULE(kModule);
