#include "tls/server_names.h"

#include <algorithm>

#include "base/check.h"

namespace penstock {
namespace {

// "*.example" for "a.example"; empty if there is no label behind the first.
std::string wildcard_for(std::string_view name) {
  const std::size_t dot = name.find('.');
  if (dot == 0 || dot == std::string_view::npos || dot + 1 == name.size()) return {};
  return "*" + std::string(name.substr(dot));
}

}  // namespace

void TlsServerNames::add(Choice& choice, const std::shared_ptr<const TlsIdentity>& identity) {
  const auto same_type = [&](const auto& other) { return other->key_type == identity->key_type; };
  if (std::ranges::none_of(choice, same_type)) choice.push_back(identity);
}

TlsServerNames::TlsServerNames(std::span<const std::shared_ptr<const TlsIdentity>> identities) {
  PENSTOCK_CHECK(!identities.empty());
  for (const auto& identity : identities) {
    for (const std::string& name : identity->names) add(names_[name], identity);
  }
  // A name of its own may lack a type of key that the wildcard has.
  for (auto& [name, choice] : names_) {
    if (name.starts_with('*')) continue;
    const auto wildcard = names_.find(wildcard_for(name));
    if (wildcard == names_.end()) continue;
    for (const auto& identity : wildcard->second) add(choice, identity);
  }
  const auto& first = identities.front();
  fallback_ = {first};
  if (first->names.empty()) return;
  for (const auto& identity : names_.at(first->names.front())) add(fallback_, identity);
}

const TlsServerNames::Choice* TlsServerNames::find(std::string_view name) const {
  auto found = names_.find(name);
  if (found == names_.end()) found = names_.find(wildcard_for(name));
  return found != names_.end() ? &found->second : nullptr;
}

}  // namespace penstock
