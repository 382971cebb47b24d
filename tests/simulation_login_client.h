// A simulated user of origins that log connections in: each of its client connections logs in by
// itself, and checks as whom each response was made.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "async/scope.h"
#include "base/random.h"
#include "net/network.h"
#include "tests/simulation_ledger.h"
#include "tests/simulation_login.h"
#include "tests/simulation_wire.h"

namespace penstock::simulation {

struct LoginClientOptions {
  LoginKind kind = LoginKind::anonymous;
  std::string user;                // empty for an anonymous one
  std::string scheme = "NTLM";     // of the logins of connections
  std::vector<std::string> hosts;  // those it talks to, on one connection
  bool absolute_form = false;      // targets as a forward proxy gets them
  std::size_t max_steps = 8;       // of one connection: handshakes, and batches of requests
  std::size_t max_depth = 4;       // of pipelining
  std::size_t max_body = 5000;
  double leave = 0.03;  // probability, for each step, of leaving in its midst
  Duration patience = std::chrono::minutes(5);
};

// One client connection.
class LoginClient {
 public:
  LoginClient(Network& network, Ledger& ledger, LoginBook& book, Random random,
              const LoginClientOptions& options);

  // To be awaited once. Ends when the connection is closed.
  Task<void> run(Address to);
  // Requests that were answered as they should be.
  [[nodiscard]] std::size_t successes() const { return successes_; }

 private:
  // What is known of the connection's login at a host.
  struct Site {
    std::string host;
    bool bound = false;       // a login was sent, and answered
    bool logged_in = false;   // it succeeded
    std::uint64_t visit = 0;  // the origin's connection that it was on
  };
  struct Request {
    Exchange* exchange = nullptr;
    Site* site = nullptr;
    std::string text;
    Login login;
    bool for_users = false;
  };
  using Batch = std::vector<Request>;

  Request make_request(Site& site, const Login& login, bool last);
  // Each is false when the connection is of no use any more.
  Task<bool> take_step();
  Task<bool> handshake(Site& site);
  Task<bool> exchange(Batch batch);
  Task<bool> leave_in_the_midst(Batch batch);
  static Task<void> send(LoginClient& self, std::string text);
  Task<bool> read_response(Request& request);
  Task<bool> read_final(Request& request, Head head);

  void judge(Request& request, const Head& head);
  void judge_proxy_error(const Request& request, const Head& head);
  void note_answer(Request& request, int status, std::uint64_t visit);
  void wrong(const Request& request, const std::string& what);
  void end_unfinished(const Batch& batch);

  Network* network_;
  Ledger* ledger_;
  LoginBook* book_;
  Random random_;
  LoginClientOptions options_;
  std::uint64_t id_;
  std::vector<Site> sites_;
  std::unique_ptr<ByteStream> stream_;
  std::unique_ptr<Wire> wire_;
  std::uint64_t nonce_ = 0;  // of the last challenge
  bool end_announced_ = false;
  bool left_ = false;
  std::size_t successes_ = 0;
};

}  // namespace penstock::simulation
