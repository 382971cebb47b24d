#include "message/method.h"

#include <array>
#include <cstddef>

namespace penstock {
namespace {

constexpr std::array<std::string_view, static_cast<std::size_t>(Method::other) + 1> kNames = {
    "GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH", ""};

// `method` when the token is its name, else `other`.
Method if_named(std::string_view token, Method method) {
  return token == kNames[static_cast<std::size_t>(method)] ? method : Method::other;
}

}  // namespace

Method method_of(std::string_view token) {
  switch (token.size()) {
    case 3:
      return if_named(token, token[0] == 'G' ? Method::get : Method::put);
    case 4:
      return if_named(token, token[0] == 'P' ? Method::post : Method::head);
    case 5:
      return if_named(token, token[0] == 'P' ? Method::patch : Method::trace);
    case 6:
      return if_named(token, Method::delete_);
    case 7:
      return if_named(token, token[0] == 'C' ? Method::connect : Method::options);
    default:
      return Method::other;
  }
}

std::string_view to_string(Method method) { return kNames[static_cast<std::size_t>(method)]; }

bool is_safe(Method method) {
  switch (method) {
    case Method::get:
    case Method::head:
    case Method::options:
    case Method::trace:
      return true;
    default:
      return false;
  }
}

bool is_idempotent(Method method) {
  return is_safe(method) || method == Method::put || method == Method::delete_;
}

}  // namespace penstock
