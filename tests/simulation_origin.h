// A simulated origin server: checks the requests that reach it and answers each as chance will have
// it. HTTP/1 is here, HTTP/2 in simulation_http2_origin.h.
#pragma once

#include <memory>
#include <string>

#include "async/scope.h"
#include "base/random.h"
#include "net/network.h"
#include "tests/simulation_beginning.h"
#include "tests/simulation_ledger.h"
#include "tests/simulation_wire.h"

namespace penstock::simulation {

// Probabilities, of each request where nothing else is said.
struct OriginOptions {
  std::size_t max_body = 200 * 1024;
  Duration max_thought = std::chrono::seconds(2);  // before it answers
  double early = 0.1;                              // answers before it has read the request's body
  double close_announced = 0.1;                    // Connection: close
  double close_silently = 0.1;  // closes after the response, or some time later, unannounced
  double cut = 0.03;            // stops within the response and closes, or resets
  double stall = 0.005;         // stops within the response and does nothing any more
  double unwell = 0.2;          // of each check of its health
  double refuse = 0.02;         // HTTP/2: REFUSED_STREAM
  double linger = 0.5;  // reads on for a while after its last response (RFC 9112 section 9.6)
  Duration patience = std::chrono::minutes(10);

  // Without failures and unannounced closes.
  [[nodiscard]] static OriginOptions reliable() {
    return {.close_silently = 0, .cut = 0, .stall = 0, .unwell = 0, .refuse = 0, .linger = 1};
  }
  Expected expected = {};  // before any HTTP
};

[[nodiscard]] int draw_status(Random& random);

class Origin final : public AcceptHandler {
 public:
  // `name`: what its responses say that they come from.
  Origin(Executor& executor, Ledger& ledger, Random random, const OriginOptions& options,
         std::string name = {})
      : ledger_(&ledger),
        random_(random),
        name_(std::move(name)),
        options_(options),
        scope_(executor) {}

  void on_accept(std::unique_ptr<ByteStream> stream, const Address& peer,
                 const Address& local) override;
  [[nodiscard]] std::size_t connections() const { return scope_.running(); }
  void stop() { scope_.cancel(); }

 private:
  // What it is going to do about one request.
  struct Plan {
    std::string interim;  // 1xx responses
    std::string response;
    Duration thought{};
    bool early = false;
    bool closes = false;      // after the response
    std::size_t stop_at = 0;  // send only so much of the response...
    enum class Stop : std::uint8_t { none, close, reset, stall } stop = Stop::none;
  };
  struct Seen;  // a request that reached the origin

  Task<void> serve(std::unique_ptr<ByteStream> stream, Random random);
  // False when the connection is to be closed.
  Task<bool> serve_one(ByteStream& stream, Wire& wire, Random& random, const std::string& client);
  Task<void> answer_check(Wire& wire, Random& random);
  bool check(Seen& seen, const std::string& client);
  Plan make_plan(Seen& seen, Random& random);
  void add_response(Plan& plan, Seen& seen, Random& random);
  void add_stop(Plan& plan, Seen& seen, Random& random, bool until_close);
  Task<void> read_body(Wire& wire, Seen& seen);
  Task<bool> answer(ByteStream& stream, Wire& wire, const Plan& plan);

  Ledger* ledger_;
  Random random_;
  std::string name_;
  OriginOptions options_;
  Scope scope_;
};

}  // namespace penstock::simulation
