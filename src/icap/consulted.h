// What came of a message at one service, for the log and for counters.
#pragma once

#include <cstdint>
#include <string>

#include "base/time.h"
#include "icap/exchange.h"
#include "icap/request_head.h"
#include "icap/settings.h"

namespace penstock::icap {

// How it went, in the words of the log.
enum class Outcome : std::uint8_t {
  skipped,     // it was not sent: the service does not want it, or it is too large
  unmodified,  // it stays as it was
  adapted,     // another one has taken its place
  satisfied,   // the request was answered
  bypassed,    // the service failed, or was overloaded, and the message goes on as it was
  failed       // the service failed, and another one is asked or the message does not go on
};
inline constexpr std::size_t kOutcomes = 6;
[[nodiscard]] std::string_view to_string(Outcome outcome);

class ServiceCounters;

struct Consulted {
  const ServiceSettings* service = nullptr;
  ServiceCounters* counters = nullptr;  // of the service
  IcapMethod method = IcapMethod::options;
  Outcome outcome = Outcome::failed;
  Failure failure;  // of `bypassed` and `failed`, of the last try
  bool has_failure = false;
  int status = 0;                  // of the ICAP answer; 0: there was none
  bool reused = false;             // the connection had served others
  std::uint32_t repeats = 0;       // how often it was sent again
  TimePoint begun{};               // it was about to be sent
  TimePoint connected{};           // there was a connection, the last time
  TimePoint decided{};             // the verdict was here
  std::uint64_t sent = 0;          // bytes, heads and content with its chunks
  std::uint64_t received = 0;      // bytes of heads and content
  const Exchange* body = nullptr;  // where content is still to come: how it ended
  // Of the answer's fields those that are to be noted, as members of a JSON object.
  std::string fields;

  // Takes over what the exchange says so far.
  void look_at(const Exchange& exchange);
  // The same at the end of all, and that content broke off.
  void close();
};

// As an element of the access log's list.
[[nodiscard]] std::string to_json(const Consulted& consulted);
// Appends `"name":"value"`, with a comma before it where there is one already.
void append_member(std::string& json, std::string_view name, std::string_view value);

}  // namespace penstock::icap
