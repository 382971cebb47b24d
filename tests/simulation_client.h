// A simulated HTTP/1 client: one connection that sends random requests and checks every byte of
// what comes back.
#pragma once

#include <deque>
#include <memory>
#include <string>

#include "async/event.h"
#include "async/scope.h"
#include "base/random.h"
#include "net/network.h"
#include "tests/simulation_beginning.h"
#include "tests/simulation_ledger.h"
#include "tests/simulation_wire.h"

namespace penstock::simulation {

struct ClientOptions {
  std::string host = "origin.example";  // in Host, and in the targets of a forward proxy
  bool absolute_form = false;           // targets as a forward proxy gets them
  std::size_t max_requests = 10;        // of one connection
  std::size_t max_depth = 4;            // of pipelining
  std::size_t max_body = 200 * 1024;
  Duration patience = std::chrono::minutes(5);
  double leave = 0.02;       // probability, for each request, of leaving in its midst
  Beginning beginning = {};  // of connections
  double http2 = 0;          // probability, for each client, that it speaks HTTP/2
};

// Sends requests on one connection, up to max_depth ahead of their responses, and reads the
// responses beside that. Everything goes into the ledger.
class Client {
 public:
  Client(Network& network, Ledger& ledger, Random random, const ClientOptions& options)
      : network_(&network), ledger_(&ledger), random_(random), options_(options) {}

  // To be awaited once. Ends when the connection is closed.
  Task<void> run(Address to);

 private:
  // A request on its way to being answered.
  struct Request {
    Exchange* exchange = nullptr;
    std::string head;
    std::string body;  // framed
    bool expects_continue = false;
    bool closes = false;  // the client says it is the last one
    bool version_1_0_kept = false;
    bool sent = false;
    std::string bound_to;   // the origin that its cookie stands for; empty: it has none
    bool answered = false;  // finally: no need to wait for 100 any more
    Event go_on;            // 100 or a final response has come
  };
  enum class After : std::uint8_t { go_on, stop };

  std::shared_ptr<Request> make_request(bool last);
  void add_body(Request& request);
  void add_noise(Request& request);
  Task<void> send_requests();
  // False when the connection is of no use any more.
  Task<bool> send(std::shared_ptr<Request> request);
  Task<bool> leave_in_the_midst(std::shared_ptr<Request> request);
  Task<void> read_responses();
  Task<After> read_response(std::shared_ptr<Request> request);
  Task<After> read_final(std::shared_ptr<Request> request, Head head);
  Task<After> look_for_surplus();
  void end_unfinished();
  Outcome outcome_of(const Error& error, bool begun) const;

  Network* network_;
  Ledger* ledger_;
  Random random_;
  ClientOptions options_;
  std::unique_ptr<ByteStream> stream_;
  std::string client_address_;
  std::unique_ptr<Wire> wire_;
  Scope* scope_ = nullptr;
  std::deque<std::shared_ptr<Request>> waiting_;  // for their responses, in order
  Event changed_;                                 // of waiting_, or sending has ended
  bool sending_ended_ = false;
  bool left_ = false;
  bool end_announced_ = false;  // by a response
};

}  // namespace penstock::simulation
