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
  // Who the user is, and in which groups: names, and texts with variables (adapt/variables.h). What
  // is empty then, or has variables of which none says anything, is left out.
  std::string user = "X-Authenticated-User";
  std::string user_is = "${user}";
  std::string groups = "X-Authenticated-Groups";
  std::string groups_are;
  UserCoding user_coding = UserCoding::plain;  // of both
  // Further fields, with variables.
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

// What a client is given while a service takes its time over a response that is kept.
struct TrickleSettings {
  enum class From : std::uint8_t {
    nothing,    // it waits
    beginning,  // little by little, from the beginning on
    all         // as it comes, but for the last of it
  };
  From from = From::nothing;
  Duration after = std::chrono::seconds(10);
  std::uint64_t rate = 1024;       // of `beginning`: bytes a second
  std::uint64_t held = 16 * 1024;  // of `all`: the bytes at the end that are not given
};

// An [icap.NAME].
struct ServiceSettings {
  std::string name;
  std::string url;                   // "icap://host:1344/path", "icaps://..."
  std::vector<std::string> servers;  // "host:port", to connect to; empty: what the URL names
  bool reqmod = true;                // requests are sent to it,
  bool respmod = true;               // and responses, as far as it offers that
  Duration timeout = std::chrono::seconds(30);  // the longest time in which nothing moves
  Duration answer_timeout = Duration::zero();   // in which it says nothing; zero: that one
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
  std::vector<std::string> share;  // fields of its answers that later services are told
  // Those that are logged, and that rules and texts may use; those of `share` are, too.
  std::vector<std::string> note{"X-Infection-Found", "X-Violations-Found", "X-Virus-ID",
                                "X-Response-Info",   "X-Response-Desc",    "X-Attribute"};
  std::vector<std::string> pass;  // those that are set in the message itself
  TrickleSettings trickle;
  std::optional<TlsClientSettings> tls;  // of icaps
};

struct IcapSettings {
  std::vector<ServiceSettings> services;
};

}  // namespace penstock::icap
