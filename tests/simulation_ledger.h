// What the clients and origins of a simulation know of each other's exchanges: who sent what, what
// came of it, and what must never have happened.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/random.h"

namespace penstock::simulation {

// Marks one exchange; part of its target, of its fields, and the key of its bodies.
using Token = std::uint64_t;
[[nodiscard]] std::string to_text(Token token);
// 0 when there is none in it.
[[nodiscard]] Token find_token(std::string_view target);

// The bodies of an exchange: pseudo-random bytes that no other body has.
enum class Body : std::uint8_t { request, response };
[[nodiscard]] std::string make_body(Token token, Body which, std::size_t length);

// Compares a body with what it should be, as it comes.
class BodyCheck {
 public:
  BodyCheck(Token token, Body which);
  void feed(std::string_view bytes);
  [[nodiscard]] std::uint64_t seen() const { return seen_; }
  [[nodiscard]] bool right() const { return right_; }

 private:
  std::uint64_t key_;
  std::uint64_t seen_ = 0;
  bool right_ = true;
};

// What came of an exchange, as its client saw it.
enum class Outcome : std::uint8_t {
  none,         // not known yet; not allowed at the end
  whole,        // the origin's response, complete
  proxy_error,  // a complete response of the proxy itself (Proxy-Status)
  cut,          // a response that was visibly cut
  unanswered,   // the connection ended before the response began
  not_taken,    // unanswered, after a response that announced the end of the connection
  timed_out,    // nothing came for as long as the client was patient
  given_up,     // the client left, or did not send the whole request
  count_        // how many there are
};
[[nodiscard]] std::string_view to_string(Outcome outcome);

// What an origin did about a request that reached it.
struct Arrival {
  int status = 0;                 // of the final response
  std::uint64_t body_length = 0;  // of the response; for HEAD, of the body it does not have
  bool cut = false;               // the response was not sent to its end
  bool request_whole = false;     // the request was read to its end
};

struct Exchange {
  Token token = 0;
  std::string method;
  std::string client;  // its address, with a port where it names that to the proxy
  bool version_1_0 = false;
  bool http2 = false;
  std::uint64_t body_length = 0;
  Outcome outcome = Outcome::none;
  int status = 0;
  std::string why;       // for people: what its client heard in place of a response
  bool refused = false;  // the client was told that nothing was done about it
  std::vector<Arrival> arrivals;

  [[nodiscard]] bool idempotent() const { return method != "POST"; }
};

class Ledger {
 public:
  // `through_proxy`: what lies between must behave as a proxy has to.
  explicit Ledger(bool through_proxy) : through_proxy_(through_proxy) {}

  [[nodiscard]] bool through_proxy() const { return through_proxy_; }

  // Cookies ("name=value") that the proxy has set, for any client to send, and the origin that
  // the response came from. Whether such a cookie has to lead to that origin.
  std::vector<std::pair<std::string, std::string>> cookies;
  bool cookies_hold = false;
  // How often a request may reach origins that is safe to repeat.
  std::size_t most_arrivals = 1;
  // Origins may say that they did not take a request when its body can't be sent again: HTTP/2,
  // with GOAWAY. Then an error of the proxy is no failure.
  bool bodies_may_be_refused = false;
  // A new exchange with a token of its own.
  Exchange& open(Random& random);
  // Null for a token nobody sent.
  [[nodiscard]] Exchange* find(Token token);
  void end(Exchange& exchange, Outcome outcome, int status = 0);
  // Something that must never happen.
  void violation(Token token, std::string what);

  // To be called when all is over: looks for exchanges without an outcome, and for requests that
  // were repeated although they must not be.
  void finish();
  [[nodiscard]] const std::vector<std::string>& violations() const { return violations_; }
  [[nodiscard]] std::size_t exchanges() const { return exchanges_.size(); }
  [[nodiscard]] std::size_t count(Outcome outcome) const;
  // Each exchange that neither succeeded nor was left out for a good reason.
  [[nodiscard]] std::vector<std::string> failures() const;
  // "480 exchanges: whole 465 cut 12 ...".
  [[nodiscard]] std::string summary() const;

 private:
  bool through_proxy_;
  std::map<Token, Exchange> exchanges_;
  std::vector<std::string> violations_;
};

}  // namespace penstock::simulation
