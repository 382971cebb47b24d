// The callbacks of a module, as the proxy names them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace penstock {

// Those of struct penstock_module that are called for something that happens, and those that a
// module has handed to the functions of struct penstock_api.
enum class ModuleEvent : std::uint8_t {
  connection,
  connection_free,
  request_head,
  request_body,
  request_complete,
  cache_lookup,
  before_connect,
  response_head,
  response_body,
  response_complete,
  answer_body,
  logged,
  free,
  timer,            // of penstock_module, or of timer_start()
  watch,            // of watch_start()
  blocking_done,    // `done` of run_blocking()
  subrequest_done,  // `done` of subrequest()
};

// Those up to the end of a transaction have numbers below this.
inline constexpr std::size_t kTransactionEvents = static_cast<std::size_t>(ModuleEvent::free) + 1;

// "request_head"; the name of the member of struct penstock_module, where it is one.
[[nodiscard]] std::string_view to_string(ModuleEvent event);

}  // namespace penstock
