// What has to be true of every message, whichever version of HTTP it came by. What is not goes to
// the ledger.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/random.h"
#include "tests/simulation_ledger.h"
#include "tests/simulation_wire.h"

namespace penstock::simulation {

// -1 when it is not a number.
[[nodiscard]] int to_number(std::string_view text);

[[nodiscard]] std::string draw_method(Random& random);
[[nodiscard]] bool draw_has_body(const std::string& method, Random& random);
[[nodiscard]] bool has_no_body(const Exchange& exchange, int status);

// What a message has to be, as its head says: what its sender made, or what a service made of it.
struct Due {
  BodyText text;
  int status = 0;          // of a response
  bool satisfies = false;  // a response that a service gave
  bool cut = false;        // it was not sent to its end: it must not look complete
};
// Nothing: it is none of that exchange; that has gone to the ledger.
[[nodiscard]] std::optional<Due> expect_request(Ledger& ledger, const Exchange& exchange,
                                                const Head& head);
[[nodiscard]] std::optional<Due> expect_response(Ledger& ledger, const Exchange& exchange,
                                                 const Head& head);
// Compares content with what it has to be, as the head says.
[[nodiscard]] BodyCheck check_body(Ledger& ledger, Token token, Body which, const Head& head);

// For clients: what a final response is, after its head and body came, `complete` or not. The
// second word of the head's line is the status. `bound_to`: the origin that the request's cookie
// stands for; empty: it had none.
[[nodiscard]] Outcome judge_response(Ledger& ledger, const Exchange& exchange,
                                     const std::string& bound_to, const Head& head,
                                     const BodyCheck& body, bool complete);

// For all who get requests: the exchange that one is of; null when nobody sent it.
[[nodiscard]] Exchange* find_exchange(Ledger& ledger, const Head& head);
// For origins: the exchange that a request is of; null when nobody sent it. The first two words of
// the head's line are the method and the target. `client`: whom the connection is for, as its
// PROXY header says; empty: there was none.
[[nodiscard]] Exchange* judge_request(Ledger& ledger, const Head& head, const std::string& client);
// For who gets requests: whether its body, which has come to its end, is what it has to be.
void judge_request_body(Ledger& ledger, const Exchange& exchange, const BodyCheck& body,
                        const Head& head);

}  // namespace penstock::simulation
