// A simulated origin server that knows its users by the connections they are logged in on.
#pragma once

#include <memory>
#include <string>

#include "async/scope.h"
#include "base/random.h"
#include "net/network.h"
#include "tests/simulation_ledger.h"
#include "tests/simulation_login.h"
#include "tests/simulation_wire.h"

namespace penstock::simulation {

// Probabilities, of each request where nothing else is said.
struct LoginOriginOptions {
  std::string scheme = "NTLM";  // of the logins of connections
  std::size_t max_body = 20'000;
  Duration max_thought = std::chrono::seconds(2);  // before it answers
  double close_announced = 0.03;                   // Connection: close
  double old = 0.05;             // answers as HTTP/1.0, with and without keep-alive
  double close_silently = 0.05;  // closes after the response or some time later, unannounced
  double cut = 0.02;             // closes or resets within the response, or before it
  Duration patience = std::chrono::minutes(10);

  [[nodiscard]] static LoginOriginOptions reliable(std::string scheme) {
    return {
        .scheme = std::move(scheme), .close_announced = 0, .old = 0, .close_silently = 0, .cut = 0};
  }
};

class LoginOrigin final : public AcceptHandler {
 public:
  // All must outlive it.
  LoginOrigin(Executor& executor, Ledger& ledger, LoginBook& book, Random random,
              const LoginOriginOptions& options)
      : ledger_(&ledger), book_(&book), random_(random), options_(options), scope_(executor) {}

  void on_accept(std::unique_ptr<ByteStream> stream, const Address& peer,
                 const Address& local) override;
  [[nodiscard]] std::size_t connections() const { return scope_.running(); }
  // From now on it does nothing unforeseen.
  void calm_down() { options_ = LoginOriginOptions::reliable(options_.scheme); }
  void stop() { scope_.cancel(); }

 private:
  struct Seen;  // a request that reached the origin
  struct Plan {
    std::string response;
    Duration thought{};
    bool closes = false;  // after the response
    bool cuts = false;    // within it
    bool resets = false;
  };

  Task<void> serve(std::unique_ptr<ByteStream> stream, Random random);
  // False when the connection is to be closed.
  Task<bool> serve_one(ByteStream& stream, Wire& wire, Visit& visit, Random& random);
  bool check(Seen& seen, Visit& visit);
  Task<bool> read_body(Wire& wire, Seen& seen);
  // The status, after what the request's login does to the connection.
  int log_in(Seen& seen, Visit& visit, Random& random);
  Plan make_plan(Seen& seen, Visit& visit, Random& random);
  Task<bool> answer(ByteStream& stream, Wire& wire, const Plan& plan);

  Ledger* ledger_;
  LoginBook* book_;
  Random random_;
  LoginOriginOptions options_;
  Scope scope_;
};

}  // namespace penstock::simulation
