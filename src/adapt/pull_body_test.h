// For tests: bodies in pieces, and all that comes out of a body.
#pragma once

#include <cstddef>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "async/virtual_time_test.h"
#include "message/body.h"
#include "message/timed_body_test.h"

namespace penstock {

// The text in pieces of so many bytes, all ready at once.
inline std::vector<BodyPiece> in_pieces(std::string_view text, std::size_t size) {
  std::vector<BodyPiece> pieces;
  for (; !text.empty(); text.remove_prefix(std::min(size, text.size()))) {
    pieces.push_back({.text = std::string(text.substr(0, size))});
  }
  return pieces;
}

// The same in pieces of 1 to `most` bytes, of which some have to be waited for.
template <class Random>
std::vector<BodyPiece> in_random_pieces(std::string_view text, std::size_t most, Random& random) {
  std::vector<BodyPiece> pieces;
  while (!text.empty()) {
    const std::size_t size = std::min<std::size_t>(1 + random() % most, text.size());
    pieces.push_back({.text = std::string(text.substr(0, size)),
                      .after = random() % 3 == 0 ? std::chrono::seconds(1) : Duration{}});
    text.remove_prefix(size);
  }
  return pieces;
}

// What came out of a body so far.
struct PulledBody {
  std::string text;
  std::vector<Slice> slices;
  std::optional<Error> error;
  bool ended = false;

  void add(Slice slice) {
    text += slice.view();
    slices.push_back(std::move(slice));
  }
};

// Pulls as a sender of messages does: what is ready first, then what has to be waited for.
inline Task<void> pull_body(BodySource& body, PulledBody& into) {
  while (true) {
    for (Slice slice = body.take_ready(); !slice.empty(); slice = body.take_ready()) {
      into.add(std::move(slice));
    }
    if (body.at_end()) break;
    auto slice = co_await body.next();
    if (!slice) {
      into.error = slice.error();
      co_return;
    }
    if (!slice->empty()) into.add(*std::move(slice));
  }
  into.ended = true;
}

// All that comes out of a body, however long it takes.
inline PulledBody pull_all(BodySource& body) {
  VirtualTime time;
  PulledBody pulled;
  time.spawn(pull_body(body, pulled));
  time.advance(std::chrono::hours(1000));
  return pulled;
}

// Text that looks like something: words that come again and again.
inline std::string sample_text(std::size_t size, unsigned seed = 1) {
  std::mt19937 random(seed);
  std::string text;
  while (text.size() < size) {
    text += "<p>word" + std::to_string(random() % 500) + " and " + std::to_string(random());
    text += "</p>\n";
  }
  text.resize(size);
  return text;
}

// Bytes without any order.
inline std::string noise(std::size_t size, unsigned seed = 1) {
  std::mt19937 random(seed);
  std::string text(size, '\0');
  for (char& c : text) c = static_cast<char>(random());
  return text;
}

}  // namespace penstock
