// What a simulated ICAP service is like, and what it does about one message.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.h"
#include "icap/settings.h"
#include "net/address.h"
#include "tests/simulation_judge.h"
#include "tests/simulation_ledger.h"
#include "tests/simulation_wire.h"
#include "tls/server_context.h"

namespace penstock::simulation {

// A service: what the proxy is told of it, and what it says of itself.
struct IcapService {
  std::size_t number = 0;
  icap::ServiceSettings settings;
  std::vector<Address> servers;
  bool tls = false;
  bool reliable = true;  // it does nothing wrong
  // OPTIONS
  bool reqmod = true;
  bool respmod = true;
  std::optional<std::uint64_t> preview;
  bool allow_204 = true;
  bool allow_206 = true;
  std::uint64_t max_connections = 0;  // 0: it does not say
  std::uint64_t ttl = 0;              // seconds; 0: it does not say
};

// How many times a server stops in reading one message.
inline constexpr int kMostDawdles = 20;

// A message that was sent to a service.
struct IcapMessage {
  Head icap;
  Head request;
  Head response;
  Head trailers;
  bool respmod = false;
  bool has_body = false;
  std::optional<std::uint64_t> preview;
  bool allow_204 = false;
  bool allow_206 = false;
  Exchange* exchange = nullptr;
  int attempt = 0;  // of a response: which of the origins' it is
  Due due;
  std::optional<BodyCheck> check;
  bool read = false;    // to its end
  bool broken = false;  // its end will not come

  [[nodiscard]] Body which() const { return respmod ? Body::response : Body::request; }
  [[nodiscard]] const Head& head() const { return respmod ? response : request; }
  [[nodiscard]] bool may_have_body() const {
    return !respmod || !has_no_body(*exchange, due.status);
  }
};

struct IcapPlan {
  enum class Verdict : std::uint8_t {
    unmodified,
    echo,       // adapted, to what it was
    adapted,    // other content
    partial,    // other content, then that of the original from some byte on
    satisfied,  // a response to a request
    error       // a status that is none of those, or nonsense
  } verdict = Verdict::unmodified;
  enum class When : std::uint8_t { at_preview, early, late } when = When::late;
  enum class Moment : std::uint8_t { none, heads, preview, told_to_go_on } fails_at = Moment::none;
  enum class Stop : std::uint8_t { none, close, reset, silence } stop = Stop::none;
  // Content of another length than is told.
  enum class Lie : std::uint8_t { none, shorter, longer, wrong_offset } lie = Lie::none;
  Duration thought{};
  bool closes = false;  // after the answer, as that says
  bool stops_in_answer = false;
  bool stray_continue = false;

  // The answer, once it is written.
  std::string text;
  std::size_t heads_end = 0;                // behind the heads
  std::size_t stop_at = std::string::npos;  // send only so much of it
  bool wrong = false;                       // it must not be understood
  bool length_told = false;
  bool streams = false;  // only the heads are written: the content goes out as it comes in
  std::uint64_t number = 0;
  std::optional<Adapted> adapted;
};
[[nodiscard]] std::string to_string(IcapPlan::Verdict verdict);

[[nodiscard]] IcapPlan draw_plan(const IcapService& service, const IcapMessage& message,
                                 Random& random, bool too_many);
// Writes what the plan says. `incarnation`: of the server, for its ISTag.
void write_answer(IcapPlan& plan, std::uint64_t incarnation, const IcapMessage& message,
                  Random& random);
[[nodiscard]] std::string options_answer(const IcapService& service, std::uint64_t incarnation);
[[nodiscard]] std::string icap_error(int status);
[[nodiscard]] std::string garbage(Random& random);
[[nodiscard]] std::string chunk_of(std::string_view bytes);
[[nodiscard]] std::shared_ptr<const TlsServerContext> icap_tls();

}  // namespace penstock::simulation
