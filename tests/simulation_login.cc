#include "tests/simulation_login.h"

#include <algorithm>
#include <charconv>

namespace penstock::simulation {

Visit& LoginBook::open_visit() {
  Visit& visit = visits_[++last_visit_];
  visit.id = last_visit_;
  return visit;
}

void LoginBook::note_request(Visit& visit, std::uint64_t client, bool with_login, Token token) {
  if (visit.owner != 0 && visit.owner != client) {
    ledger_->violation(token, "client connection " + std::to_string(client) +
                                  " on a connection that is logged in by " +
                                  std::to_string(visit.owner) + " as " + visit.user);
  }
  if (with_login) visit.owner = client;
}

void LoginBook::audit(TimePoint now, Duration grace) {
  for (const auto& [id, visit] : visits_) {
    const auto end = ended_.find(visit.owner);
    if (end == ended_.end() || now - end->second < grace) continue;
    ledger_->violation(0, "connection " + std::to_string(id) + " outlives its client connection " +
                              std::to_string(visit.owner));
  }
}

std::size_t LoginBook::owned_visits() const {
  return static_cast<std::size_t>(
      std::ranges::count_if(visits_, [](const auto& entry) { return entry.second.owner != 0; }));
}

std::string LoginBook::summary() const {
  return std::to_string(logins) + " logins, " + std::to_string(served) + " served, " +
         std::to_string(ended_by_server) + " ended by servers, " + std::to_string(lost) +
         " told as lost";
}

std::string to_text(std::string_view scheme, const Login& login) {
  constexpr std::string_view kSteps = "-13K";
  return std::string(scheme) + ' ' + kSteps[static_cast<std::size_t>(login.step)] + '.' +
         login.user + '.' + std::to_string(login.nonce);
}

Login parse_login(std::string_view scheme, std::string_view credentials) {
  if (!credentials.starts_with(scheme) || credentials.size() < scheme.size() + 3) return {};
  const std::string_view token = credentials.substr(scheme.size() + 1);
  const std::size_t dot = token.rfind('.');
  if (dot < 2 || dot == std::string_view::npos) return {};
  Login login{.step = token[0] == '1'   ? LoginStep::ask
                      : token[0] == '3' ? LoginStep::answer
                                        : LoginStep::at_once,
              .user = std::string(token.substr(2, dot - 2))};
  std::from_chars(token.data() + dot + 1, token.data() + token.size(), login.nonce);
  return login;
}

}  // namespace penstock::simulation
