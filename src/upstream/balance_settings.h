// What configuration sets in this room about the choice of a server in a group.
#pragma once

#include <cstdint>
#include <string>

namespace penstock {

// How a group chooses the server of a request. Each respects weights, but `first`.
enum class Balance : std::uint8_t {
  round_robin,        // one after the other, the turns of a server spread out evenly
  least_connections,  // the least load for its weight
  two_choices,        // the less loaded one of two drawn at random
  random,             // any
  hash,               // always the same one for the same key, see HashOn
  first,              // the first available one in the order of the configuration
};

// What of a request is the key for Balance::hash.
enum class HashOn : std::uint8_t {
  source,  // the client's address, without its port
  uri,     // path and query
  path,
  header,  // the value of one field
  cookie,  // the value of one cookie
  host,
};

struct BalanceSettings {
  Balance algorithm = Balance::round_robin;
  HashOn hash_on = HashOn::source;
  std::string hash_name;  // of the field or cookie; else empty
};

}  // namespace penstock
