// What configuration sets in this room: ICAP services.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/time.h"
#include "icap/keep_limits.h"
#include "tls/settings.h"
#include "upstream/settings.h"

namespace penstock::icap {

// What becomes of a message when all connections that the servers bear are in use.
enum class OverloadPolicy : std::uint8_t {
  wait,    // for one, as long as the queue says; then it is a failure
  bypass,  // it goes on as if the service had nothing to say
  refuse,  // it is a failure at once
  force    // one more connection is opened
};

// What becomes of a message that is too large for a service.
enum class SizePolicy : std::uint8_t {
  bypass,  // it goes on as if the service had nothing to say
  block    // it is a failure
};

// How the value of a field that says who the user is, is written.
enum class UserCoding : std::uint8_t { plain, base64 };

// What a service is told of who asks. Empty names: not at all.
struct IcapFieldSettings {
  std::string client_ip = "X-Client-IP";
  std::string client_port;
  std::string server_ip = "X-Server-IP";
  std::string user = "X-Authenticated-User";
  UserCoding user_coding = UserCoding::plain;
  // The fields as they are.
  std::vector<std::pair<std::string, std::string>> set;
  // The client's Proxy-Authorization, and the server's Proxy-Authenticate, are passed on.
  bool proxy_logins = false;
};

// When a service that fails is left alone.
struct IcapBreakerSettings {
  std::uint32_t failures = 10;  // within `window`; 0: never
  Duration window = std::chrono::seconds(10);
  Duration retry_after = std::chrono::seconds(1);  // the first pause; doubled each time
  Duration max_retry_after = std::chrono::seconds(60);
};

// An [icap.NAME].
struct ServiceSettings {
  std::string name;
  std::string url;                   // "icap://host:1344/path", "icaps://..."
  std::vector<std::string> servers;  // "host:port", to connect to; empty: what the URL names
  bool reqmod = true;                // requests are sent to it,
  bool respmod = true;               // and responses, as far as it offers that
  Duration timeout = std::chrono::seconds(30);  // the longest time in which nothing moves
  Duration total_timeout = Duration::zero();    // of an exchange up to the adapted head; zero: none
  std::uint64_t preview = 4096;                 // bytes at most
  bool previews = true;
  bool allow_204 = true;  // outside of previews
  bool allow_206 = true;
  KeepLimits keep;
  std::uint64_t size_limit = 0;  // bytes of content that is sent to it; 0: any number
  SizePolicy over_size = SizePolicy::bypass;
  std::uint32_t max_connections = 0;  // to each server, all workers together; 0: as OPTIONS says
  OverloadPolicy on_overload = OverloadPolicy::wait;
  PoolSettings pool = {.idle = std::chrono::seconds(30), .max_idle = 8};
  QueueSettings queue = {.length = 100};
  std::uint32_t repeat = 0;  // how often a message is sent again after a failure, if it is whole
  Duration options_ttl = std::chrono::seconds(60);  // where OPTIONS does not say
  IcapBreakerSettings breaker;
  IcapFieldSettings fields;
  std::vector<std::string> share;        // fields of its answers that later services are told
  std::optional<TlsClientSettings> tls;  // of icaps
};

struct IcapSettings {
  std::vector<ServiceSettings> services;
};

}  // namespace penstock::icap
