// Any bytes as a SOCKS5 proxy's answers: the outcome does not depend on the split, no more is
// consumed than there is, and what is said is what the protocol has.
//
// The first byte of the input chooses target and login, the rest is what the proxy says.
#include "upstream/socks5.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/check.h"

namespace {

using namespace penstock;
using Turn = Socks5Handshake::Turn;

constexpr std::array<std::string_view, 4> kHosts = {"example.test", "192.0.2.1", "2001:db8::1",
                                                    "not a host"};
constexpr ProxyLogin kLogin{"user", "password"};
// The longest dialogue: two bytes, two bytes, a reply with a name of 255 bytes.
constexpr std::size_t kMaxConsumed = 2 + 2 + 4 + 1 + 255 + 2;

struct Outcome {
  Turn turn = Turn::failed;
  PeerFailure failure = PeerFailure::none;
  std::size_t consumed = 0;
  std::vector<std::string> said;
  friend bool operator==(const Outcome&, const Outcome&) = default;
};

// The answers come up to `first`, and then `step` bytes at a time.
Outcome shake(std::uint8_t choice, std::string_view answers, std::size_t first, std::size_t step) {
  const TunnelTarget target{kHosts[choice % kHosts.size()], 443};
  Socks5Handshake handshake(target, (choice & 0x80) != 0 ? &kLogin : nullptr);
  Outcome outcome;
  std::size_t end = std::min(first, answers.size());
  while (true) {
    if (handshake.turn() == Turn::send) {
      outcome.said.emplace_back(handshake.message());
      handshake.sent();
    }
    if (handshake.turn() != Turn::receive) break;
    const std::string_view unread = answers.substr(outcome.consumed, end - outcome.consumed);
    const std::string exact(unread);  // so that reading too far is seen
    const std::size_t consumed = handshake.receive(exact);
    PENSTOCK_CHECK(consumed <= exact.size());
    outcome.consumed += consumed;
    if (consumed > 0 || handshake.turn() != Turn::receive) continue;
    if (end == answers.size()) break;
    end = std::min(end + step, answers.size());
  }
  outcome.turn = handshake.turn();
  outcome.failure = handshake.failure();
  return outcome;
}

void check(const Outcome& outcome, bool with_login) {
  PENSTOCK_CHECK((outcome.failure != PeerFailure::none) == (outcome.turn == Turn::failed));
  PENSTOCK_CHECK(outcome.consumed <= kMaxConsumed);
  PENSTOCK_CHECK(outcome.said.size() <= (with_login ? 3U : 2U));
  const bool unusable = outcome.failure == PeerFailure::target_unusable;
  PENSTOCK_CHECK(outcome.said.empty() == unusable);
  for (const std::string& message : outcome.said) {
    PENSTOCK_CHECK(message.front() == 5 || (with_login && message.front() == 1));
  }
  if (outcome.turn != Turn::done) return;
  PENSTOCK_CHECK(outcome.said.back().starts_with(std::string_view("\5\1\0", 3)));
  PENSTOCK_CHECK(outcome.said.back().ends_with("\x01\xbb"));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::uint8_t choice = data[0];
  const std::string_view answers(reinterpret_cast<const char*>(data + 1), size - 1);
  const Outcome whole = shake(choice, answers, answers.size(), 1);
  check(whole, (choice & 0x80) != 0);
  for (const std::size_t step : {1U, 2U, 7U}) {
    PENSTOCK_CHECK(shake(choice, answers, step, step) == whole);
  }
  // What follows the dialogue makes no difference.
  for (std::size_t cut = 0; cut < std::min(answers.size(), kMaxConsumed); ++cut) {
    PENSTOCK_CHECK(shake(choice, answers, cut, answers.size()) == whole);
  }
  return 0;
}
