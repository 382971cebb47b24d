// One HTTP/2 connection of a simulated origin: checks the requests of its streams and answers each
// as chance will have it. As with Http2Client, the framing is the product's own.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "async/scope.h"
#include "base/random.h"
#include "http2/connection.h"
#include "tests/simulation_beginning.h"
#include "tests/simulation_body.h"
#include "tests/simulation_ledger.h"
#include "tests/simulation_origin.h"

namespace penstock::simulation {

class Http2Service final : private http2::ConnectionUser {
 public:
  // All but the random numbers must outlive it.
  Http2Service(Taken& taken, Ledger& ledger, Random random, const OriginOptions& options,
               const std::string& name, TaskContext& context);

  // Until the connection ends.
  Task<void> run();

 private:
  struct Seen;  // a request that reached the origin
  enum class Stop : std::uint8_t { none, reset_stream, stall, close, reset };
  // What it is going to do about it.
  struct Plan {
    Duration thought{};
    int hints = 0;  // 1xx responses
    bool early = false;
    bool length_told = false;
    bool trailer = false;
    bool goes_away = false;  // with this response: GOAWAY
    Stop stop = Stop::none;
    bool without_head = false;  // where it stops
    std::size_t stop_at = 0;
  };

  void on_request(std::unique_ptr<http2::Stream> stream) override;
  static Task<void> run_connection(Http2Service& self);
  static Task<void> answer(Http2Service& self, std::unique_ptr<http2::Stream> stream,
                           Random random);
  Task<void> answer_check(http2::Stream& stream, Random& random);
  bool take(Seen& seen);
  Plan make_plan(Seen& seen, Random& random);
  static Task<void> read_body(Http2Service& self, Seen& seen);
  Task<void> respond(Seen& seen, const Plan& plan);
  ResponseHead make_head(const Seen& seen, const Plan& plan) const;
  void break_off(http2::Stream& stream, Stop how, Random& random);

  Taken* taken_;
  Ledger* ledger_;
  Random random_;
  const OriginOptions* options_;
  const std::string* name_;
  http2::ConnectionSettings settings_;
  ChildContext context_;  // of the connection: cancelled where it breaks off
  std::optional<http2::Connection> connection_;
  Scope* requests_ = nullptr;
};

}  // namespace penstock::simulation
