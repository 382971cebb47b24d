// What a service has made of a message, put in its place.
#pragma once

#include <memory>
#include <vector>

#include "adapt/filter.h"
#include "icap/exchange.h"

namespace penstock::icap {

// Heads, and parts of them, that views may point into as long as the transaction lives.
struct ReplacedHeads {
  std::vector<FieldSection> fields;
  std::vector<ResponseHead> responses;
  std::vector<Slice> bytes;
};

// Puts the adapted head and content, of an exchange whose verdict is `adapted`, in the place of the
// message's; a response to a request is the answer to it. Fails where a request was made one that
// it can't become: another method for HEAD or CONNECT, or another place for CONNECT, and where
// CONNECT is answered with a 2xx; then nothing is changed, and the exchange is still the caller's.
// `replaced` must live as long as the transaction.
[[nodiscard]] std::expected<FilterOutcome, Failure> adopt(std::unique_ptr<Exchange>& exchange,
                                                          AdaptedMessage& message,
                                                          ReplacedHeads& replaced);

// Takes away what asks whether content is welcome (Expect: 100-continue, RFC 9110 section 10.1.1).
void drop_expectation(const AdaptedMessage& message);

}  // namespace penstock::icap
