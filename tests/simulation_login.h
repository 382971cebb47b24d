// Logins of connections in a simulation: who has logged in where, and what must never be seen.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "base/time.h"
#include "tests/simulation_ledger.h"

namespace penstock::simulation {

// How a simulated user is known to the origins.
enum class LoginKind : std::uint8_t {
  anonymous,   // not at all
  basic,       // by a field in each request
  connection,  // by a handshake that logs the connection in (NTLM, Negotiate)
};

// A connection as an origin sees it.
struct Visit {
  std::uint64_t id = 0;
  std::uint64_t owner = 0;  // the client connection that has sent a login on it; 0: none has
  std::string user;         // logged in as; empty: nobody
  std::uint64_t nonce = 0;  // of the challenge that was given last; 0: none
};

// What clients and origins know of each other's logins. Requests say which client connection they
// are of, and responses on which of the origin's connections they were made.
class LoginBook {
 public:
  explicit LoginBook(Ledger& ledger) : ledger_(&ledger) {}

  // Client connections: their number, and that they have ended.
  [[nodiscard]] std::uint64_t open_client() { return ++clients_; }
  void end_client(std::uint64_t client, TimePoint now) { ended_[client] = now; }
  // Connections of origins. The reference is valid until the visit ends.
  [[nodiscard]] Visit& open_visit();
  void end_visit(std::uint64_t id) { visits_.erase(id); }

  // A request of that client connection came on it, perhaps with a login: a connection that has
  // seen one is nobody else's from then on.
  void note_request(Visit& visit, std::uint64_t client, bool with_login, Token token);
  // Looks for connections whose owner has ended for longer than `grace`.
  void audit(TimePoint now, Duration grace);
  // Connections that nobody owns, and that somebody does.
  [[nodiscard]] std::size_t free_visits() const { return visits_.size() - owned_visits(); }
  [[nodiscard]] std::size_t owned_visits() const;

  // For the sums at the end.
  std::uint64_t logins = 0;           // handshakes that succeeded
  std::uint64_t served = 0;           // requests answered as the user's, without a login of theirs
  std::uint64_t lost = 0;             // requests answered with login_lost
  std::uint64_t ended_by_server = 0;  // logged-in connections that origins have ended
  [[nodiscard]] std::string summary() const;

 private:
  Ledger* ledger_;
  std::uint64_t clients_ = 0;
  std::uint64_t last_visit_ = 0;
  std::map<std::uint64_t, TimePoint> ended_;
  std::map<std::uint64_t, Visit> visits_;
};

// The credentials of a handshake, as both sides write them: "SCHEME STEP.USER.NONCE".
enum class LoginStep : std::uint8_t {
  none,
  ask,     // the first leg: a challenge is wanted
  answer,  // the third one: user and nonce
  at_once  // all in one, as with a ticket
};
struct Login {
  LoginStep step = LoginStep::none;
  std::string user;
  std::uint64_t nonce = 0;
};
[[nodiscard]] std::string to_text(std::string_view scheme, const Login& login);
// `none` for what is not of that scheme.
[[nodiscard]] Login parse_login(std::string_view scheme, std::string_view credentials);

}  // namespace penstock::simulation
