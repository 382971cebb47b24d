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

// What a body consists of where it is not that of its sender any more: parts of such bytes.
struct BodyPart {
  std::uint64_t key;
  std::uint64_t from;
  std::uint64_t length;
};
using BodyText = std::vector<BodyPart>;
[[nodiscard]] BodyText text_of(Token token, Body which, std::uint64_t length);
[[nodiscard]] std::uint64_t length_of(const BodyText& text);
// So many of its bytes from that one on, or as many as there are.
[[nodiscard]] BodyText part_of(const BodyText& text, std::uint64_t from, std::uint64_t length);
[[nodiscard]] std::string make_body(const BodyText& text);

// Compares a body with what it should be, as it comes.
class BodyCheck {
 public:
  BodyCheck(Token token, Body which);
  explicit BodyCheck(BodyText text) : text_(std::move(text)) {}
  void feed(std::string_view bytes);
  [[nodiscard]] std::uint64_t seen() const { return seen_; }
  [[nodiscard]] bool right() const { return right_; }

 private:
  BodyText text_;
  std::size_t part_ = 0;  // that the next byte belongs to
  std::uint64_t at_ = 0;  // where in it
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

// What a service on the way has made of a message. Its number is the key of the bytes it made up.
struct Adapted {
  Token token = 0;
  Body which = Body::request;
  BodyText text;
  int status = 0;          // of a response
  bool satisfies = false;  // a response that was given to a request
  bool cut = true;         // its content was not sent to its end
  // The number of the one that it has a part of, which is as whole as that; empty: of none.
  std::string part_of = {};
};
// The field with that number.
inline constexpr std::string_view kAdaptedField = "x-adapted";

// A service has let a message pass, as it was or adapted.
struct Approval {
  std::size_t service;
  Body which;
  int attempt;  // of a response: which of the origins' it was
  friend bool operator==(const Approval&, const Approval&) = default;
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
  std::vector<Approval> approvals;
  bool satisfied = false;  // a service has sent a response to it

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
  // Services may give bodies to requests that have none.
  bool bodies_may_be_added = false;
  // A new exchange with a token of its own.
  Exchange& open(Random& random);
  // Null for a token nobody sent.
  [[nodiscard]] Exchange* find(Token token);
  void end(Exchange& exchange, Outcome outcome, int status = 0);
  // Something that must never happen.
  void violation(Token token, std::string what);

  // What services make of messages, by its number.
  void adapt(std::uint64_t number, Adapted adapted) { adapted_[number] = std::move(adapted); }
  // Null: nobody has made that.
  [[nodiscard]] Adapted* find_adapted(std::string_view number);
  [[nodiscard]] bool is_cut(const Adapted& adapted);
  // Messages that must not go on without the approval of one of these services each.
  struct Guard {
    Body which;
    std::vector<std::size_t> services;
  };
  std::vector<Guard> guards;
  // Looks for approvals that a message lacks that has gone on.
  void check_approvals(const Exchange& exchange, Body which, int attempt);

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
  std::map<std::uint64_t, Adapted> adapted_;
  std::vector<std::string> violations_;
};

}  // namespace penstock::simulation
