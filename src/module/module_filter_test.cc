#include "module/module_filter.h"

#include <memory>

#include <gtest/gtest.h>

#include "adapt/adaptation.h"
#include "async/executor.h"
#include "message/text_body.h"
#include "module/idle_services.h"
#include "module/inline_caller.h"
#include "module/loader.h"

namespace penstock {
namespace {

int go_on(penstock_call* /*call*/) { return PENSTOCK_CONTINUE; }
int look(penstock_call* /*call*/, const char* /*bytes*/, std::size_t /*size*/) {
  return PENSTOCK_CONTINUE;
}

penstock_module module_without_callbacks() {
  penstock_module made{};
  made.abi = PENSTOCK_ABI;
  made.size = sizeof made;
  made.name = "test";
  made.version = "1";
  made.summary = "Does nothing.";
  return made;
}

class ModuleFilterTest : public testing::Test {
 protected:
  std::unique_ptr<ModuleFilter> make(const penstock_module& module,
                                     FilterSide side = FilterSide::client) {
    auto instance = std::make_shared<ModuleInstance>();
    instance->module = loader_.add(module).value();
    instance->services = std::make_unique<IdleServices>();
    return std::make_unique<ModuleFilter>(
        std::make_unique<InlineCaller>(std::move(instance), 0, nullptr, nullptr), side);
  }
  // Whether the module sees what a message of that kind contains.
  bool wraps(const penstock_module& module, AdaptPoint point) {
    FilterSettings settings;
    std::vector<FilterPlace> places;
    places.push_back({.filter = make(module), .settings = &settings});
    auto set = std::make_shared<FilterSet>(nullptr, std::move(places), 0, executor_, nullptr);
    ClientInfo client;
    client.peer = Address::parse("192.0.2.1:1").value();
    RequestHead request;
    ResponseHead response;
    TextBody body("text");
    const auto adaptation = Adaptation::begin(set, {.client = &client}, request, "", "/");
    AdaptedMessage& message =
        adaptation->begin_message(point, request, is_request(point) ? nullptr : &response, body,
                                  {.kind = BodyKind::length, .length = 4});
    const auto result = adaptation->run(message);
    EXPECT_TRUE(result.ready());
    return &message.body() != &body;
  }

 private:
  Executor executor_;
  ModuleLoader loader_{module_api()};
};

TEST_F(ModuleFilterTest, WantsToHearOfWhatItsModuleHasCallbacksFor) {
  penstock_module module = module_without_callbacks();
  EXPECT_EQ(make(module)->interests(), 0U);
  module.request_complete = &go_on;
  EXPECT_EQ(make(module)->interests(), interest(AdaptPoint::client_request));
  EXPECT_EQ(make(module, FilterSide::server)->interests(), interest(AdaptPoint::server_request));
  module.response_body = &look;
  EXPECT_EQ(make(module)->interests(),
            interest(AdaptPoint::client_request) | interest(AdaptPoint::client_response));
  EXPECT_EQ(make(module, FilterSide::server)->interests(),
            interest(AdaptPoint::server_request) | interest(AdaptPoint::server_response));
  module = module_without_callbacks();
  module.cache_lookup = &go_on;
  EXPECT_EQ(make(module)->interests(), kLookupInterest);
  module.before_connect = &go_on;
  EXPECT_EQ(make(module)->interests(), kLookupInterest | kConnectInterest);
  module.logged = &go_on;
  module.connection = &go_on;
  EXPECT_EQ(make(module)->interests(),
            kLookupInterest | kConnectInterest | kLogInterest | kConnectionInterest);
}

// Else bytes could not be moved past it inside the kernel.
TEST_F(ModuleFilterTest, IsNotInTheWayOfContentThatItsModuleDoesNotLookAt) {
  penstock_module module = module_without_callbacks();
  module.request_head = module.response_head = &go_on;
  module.request_body = &look;
  EXPECT_TRUE(wraps(module, AdaptPoint::client_request));
  EXPECT_FALSE(wraps(module, AdaptPoint::client_response));
  module.request_body = nullptr;
  module.response_complete = &go_on;
  EXPECT_FALSE(wraps(module, AdaptPoint::client_request));
  EXPECT_TRUE(wraps(module, AdaptPoint::client_response));
  module.response_head = [](penstock_call* /*call*/) -> int { return PENSTOCK_SKIP_CONTENT; };
  EXPECT_FALSE(wraps(module, AdaptPoint::client_response));
  module.response_head = [](penstock_call* /*call*/) -> int { return PENSTOCK_DONE; };
  EXPECT_FALSE(wraps(module, AdaptPoint::client_response));
}

}  // namespace
}  // namespace penstock
