#include "module/event.h"

namespace penstock {

std::string_view to_string(ModuleEvent event) {
  switch (event) {
    case ModuleEvent::connection:
      return "connection";
    case ModuleEvent::connection_free:
      return "connection_free";
    case ModuleEvent::request_head:
      return "request_head";
    case ModuleEvent::request_body:
      return "request_body";
    case ModuleEvent::request_complete:
      return "request_complete";
    case ModuleEvent::cache_lookup:
      return "cache_lookup";
    case ModuleEvent::before_connect:
      return "before_connect";
    case ModuleEvent::response_head:
      return "response_head";
    case ModuleEvent::response_body:
      return "response_body";
    case ModuleEvent::response_complete:
      return "response_complete";
    case ModuleEvent::answer_body:
      return "answer_body";
    case ModuleEvent::logged:
      return "logged";
    case ModuleEvent::free:
      return "free";
    case ModuleEvent::timer:
      return "timer";
    case ModuleEvent::watch:
      return "watch";
    case ModuleEvent::blocking_done:
      return "blocking_done";
    case ModuleEvent::subrequest_done:
      return "subrequest_done";
  }
  return "unknown";
}

}  // namespace penstock
