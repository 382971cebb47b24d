// A simulated HTTP/2 client: one connection with several streams at a time, and every byte of each
// checked. The framing is the product's own (src/http2), which has its own tests; what the streams
// carry goes through the ledger.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "async/event.h"
#include "async/scope.h"
#include "base/random.h"
#include "http2/connection.h"
#include "net/network.h"
#include "tests/simulation_client.h"
#include "tests/simulation_ledger.h"

namespace penstock::simulation {

// Now and then it resets a stream, stops reading from one for a while (whose window then closes),
// or leaves altogether.
class Http2Client final : private http2::ConnectionUser {
 public:
  Http2Client(Network& network, Ledger& ledger, Random random, const ClientOptions& options)
      : network_(&network), ledger_(&ledger), random_(random), options_(options) {}

  // To be awaited once. Ends when the connection is closed.
  Task<void> run(Address to);

 private:
  struct Request;

  void on_request(std::unique_ptr<http2::Stream> stream) override;
  void on_change() override { changed_.set(); }

  void draw_settings();
  static Task<void> run_connection(Http2Client& self);
  static Task<void> send_requests(Http2Client& self);
  // False when there is to be no further request.
  Task<bool> wait_for_room(std::size_t most);
  Task<void> part();
  static Task<void> leave_soon(Http2Client& self);

  std::unique_ptr<Request> make_request();
  static void add_noise(Request& request, Ledger& ledger);
  void add_body(Request& request);
  // One request from its beginning to its end.
  static Task<void> exchange(Http2Client& self, std::unique_ptr<Request> request);
  static Task<void> upload(Request& request);
  static Task<void> abort_soon(Request& request);
  Task<void> receive(Request& request);
  // Without a result: there is no final response; that is in the ledger.
  Task<bool> receive_head(Request& request, ResponseHead& head);
  Task<Result<void>> receive_body(Request& request, BodyCheck& check);
  void end_without_response(Request& request, const Error& error);
  Outcome outcome_of(const Request& request, const Error& error, bool begun) const;

  Network* network_;
  Ledger* ledger_;
  Random random_;
  ClientOptions options_;
  http2::ConnectionSettings settings_;
  std::unique_ptr<ByteStream> stream_;
  std::string client_address_;
  InputBuffer input_;
  std::optional<http2::Connection> connection_;
  Scope* scope_ = nullptr;
  std::size_t running_ = 0;  // requests
  Event changed_;            // of what can be sent, or of running_
  bool left_ = false;
};

}  // namespace penstock::simulation
