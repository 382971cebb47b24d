// Who sends the requests that modules make themselves.
#pragma once

#include <cstdint>
#include <functional>

#include "module/services.h"

namespace penstock {

// On the server side of one worker; for that worker's thread only. What a module asks for is its
// administrator's wish: what a forward proxy may not reach is not kept from it.
class SubrequestRunner {
 public:
  using Done = std::function<void(SubrequestResult)>;
  // Begins one; `done` is called exactly once, not from inside this. `owner` is a name for cancel()
  // and is not looked into.
  virtual void start(const void* owner, SubrequestJob job, Done done) = 0;
  // Ends all of that owner soon, with the error "cancelled".
  virtual void cancel(const void* owner) = 0;

 protected:
  ~SubrequestRunner() = default;
};

}  // namespace penstock
