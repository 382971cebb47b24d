#include "adapt/client_user.h"

#include <algorithm>

#include "message/base64.h"
#include "message/characters.h"
#include "message/fields.h"

namespace penstock {
namespace {

constexpr std::string_view kBasic = "Basic";
bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }

}  // namespace

std::string user_of(std::string_view proxy_authorization) {
  const std::size_t space = proxy_authorization.find(' ');
  if (space == std::string_view::npos) return {};
  if (!equals_ignoring_case(proxy_authorization.substr(0, space), kBasic)) return {};
  auto login = from_base64(trim_whitespace(proxy_authorization.substr(space)));
  if (!login || !login->contains(':')) return {};
  login->resize(login->find(':'));
  if (std::ranges::any_of(*login, is_control)) return {};
  return std::move(*login);
}

}  // namespace penstock
