#include "upstream/choice_key.h"

#include <string_view>

#include "base/hash.h"
#include "base/random.h"
#include "base/text.h"
#include "upstream/sticky.h"

namespace penstock {
namespace {

// Host in lower case is the same host.
std::uint64_t host_key(std::string_view host) {
  std::uint64_t key = host.size();
  for (const char c : host) key = mix(key ^ static_cast<unsigned char>(to_lower(c)));
  return key;
}

std::uint64_t source_key(const Address* client) {
  if (client == nullptr || client->is_unix()) return 0;
  Address host = *client;
  host.set_port(0);
  return mix(host.hash());
}

}  // namespace

std::uint64_t choice_key(const BalanceSettings& settings, const RequestHead& request,
                         const Address* client) {
  const std::string_view target = request.target.path_and_query;
  switch (settings.hash_on) {
    case HashOn::source:
      break;
    case HashOn::uri:
      return hash_key(target);
    case HashOn::path:
      return hash_key(target.substr(0, target.find('?')));
    case HashOn::host:
      return host_key(request.fields.value(FieldId::host));
    case HashOn::header:
      if (const Field* field = request.fields.find(settings.hash_name))
        return hash_key(field->value);
      break;
    case HashOn::cookie:
      if (const auto value = find_cookie(request.fields, settings.hash_name))
        return hash_key(*value);
      break;
  }
  return source_key(client);
}

std::uint64_t choice_key(const BalanceSettings& settings, std::string_view host,
                         const Address& client) {
  return settings.hash_on == HashOn::host && !host.empty() ? host_key(host) : source_key(&client);
}

}  // namespace penstock
