#include "tests/simulation_ledger.h"

#include <algorithm>
#include <array>
#include <charconv>

namespace penstock::simulation {
namespace {

constexpr std::string_view kMark = "/token/";
constexpr std::size_t kDigits = 16;
constexpr std::size_t kViolationsKept = 50;
constexpr std::uint64_t kEndless = ~std::uint64_t{0};

std::uint64_t key_of(Token token, Body which) {
  return mix(token * 2 + (which == Body::request ? 0 : 1));
}

char byte_at(std::uint64_t key, std::uint64_t offset) {
  const std::uint64_t word = mix(key + offset / 8);
  return static_cast<char>(word >> (8 * (offset % 8)));
}

}  // namespace

std::string to_text(Token token) {
  std::array<char, kDigits> digits{};
  digits.fill('0');
  std::array<char, kDigits> text{};
  const auto end = std::to_chars(text.data(), text.data() + text.size(), token, 16).ptr;
  std::copy_backward(text.data(), end, digits.end());
  return {digits.data(), digits.size()};
}

Token find_token(std::string_view target) {
  const std::size_t at = target.find(kMark);
  if (at == std::string_view::npos) return 0;
  const std::string_view digits = target.substr(at + kMark.size());
  Token token = 0;
  const auto [end, error] =
      std::from_chars(digits.data(), digits.data() + digits.size(), token, 16);
  return error == std::errc{} && end == digits.data() + kDigits ? token : 0;
}

std::string make_body(Token token, Body which, std::size_t length) {
  return make_body(text_of(token, which, length));
}

BodyText text_of(Token token, Body which, std::uint64_t length) {
  return {{.key = key_of(token, which), .from = 0, .length = length}};
}

std::uint64_t length_of(const BodyText& text) {
  std::uint64_t sum = 0;
  for (const BodyPart& part : text) sum += part.length;
  return sum;
}

BodyText part_of(const BodyText& text, std::uint64_t from, std::uint64_t length) {
  BodyText result;
  for (const BodyPart& part : text) {
    const std::uint64_t skipped = std::min(from, part.length);
    const std::uint64_t taken = std::min(length, part.length - skipped);
    if (taken > 0) result.push_back({part.key, part.from + skipped, taken});
    from -= skipped;
    length -= taken;
  }
  return result;
}

std::string make_body(const BodyText& text) {
  std::string body;
  body.reserve(length_of(text));
  for (const BodyPart& part : text) {
    for (std::uint64_t i = 0; i < part.length; ++i) body += byte_at(part.key, part.from + i);
  }
  return body;
}

BodyCheck::BodyCheck(Token token, Body which) : text_(text_of(token, which, kEndless)) {}

void BodyCheck::feed(std::string_view bytes) {
  seen_ += bytes.size();
  for (const char byte : bytes) {
    while (part_ < text_.size() && at_ == text_[part_].length) {
      ++part_;
      at_ = 0;
    }
    const bool beyond = part_ == text_.size();
    if (beyond || byte != byte_at(text_[part_].key, text_[part_].from + at_)) right_ = false;
    ++at_;
  }
}

std::string_view to_string(Outcome outcome) {
  switch (outcome) {
    case Outcome::none:
      return "none";
    case Outcome::whole:
      return "whole";
    case Outcome::proxy_error:
      return "proxy_error";
    case Outcome::cut:
      return "cut";
    case Outcome::unanswered:
      return "unanswered";
    case Outcome::not_taken:
      return "not_taken";
    case Outcome::timed_out:
      return "timed_out";
    case Outcome::given_up:
      return "given_up";
    case Outcome::count_:
      break;
  }
  return "unknown";
}

Exchange& Ledger::open(Random& random) {
  Token token = 0;
  while (token == 0 || exchanges_.contains(token)) token = random.next();
  Exchange& exchange = exchanges_[token];
  exchange.token = token;
  return exchange;
}

Exchange* Ledger::find(Token token) {
  const auto found = exchanges_.find(token);
  return found == exchanges_.end() ? nullptr : &found->second;
}

void Ledger::end(Exchange& exchange, Outcome outcome, int status) {
  if (exchange.outcome != Outcome::none) violation(exchange.token, "ended twice");
  exchange.outcome = outcome;
  exchange.status = status;
}

void Ledger::violation(Token token, std::string what) {
  if (violations_.size() >= kViolationsKept) return;
  const Exchange* exchange = find(token);
  violations_.push_back(to_text(token) + " " + (exchange != nullptr ? exchange->method : "?") +
                        ": " + std::move(what));
}

Adapted* Ledger::find_adapted(std::string_view number) {
  std::uint64_t value = 0;
  const auto [end, error] =
      std::from_chars(number.data(), number.data() + number.size(), value, 16);
  if (error != std::errc{} || end != number.data() + number.size()) return nullptr;
  const auto found = adapted_.find(value);
  return found == adapted_.end() ? nullptr : &found->second;
}

bool Ledger::is_cut(const Adapted& adapted) {
  if (adapted.cut) return true;
  const Adapted* const other = find_adapted(adapted.part_of);
  return other != nullptr && is_cut(*other);
}

void Ledger::check_approvals(const Exchange& exchange, Body which, int attempt) {
  for (const Guard& guard : guards) {
    if (guard.which != which) continue;
    const bool approved = std::ranges::any_of(guard.services, [&](std::size_t service) {
      const Approval wanted{service, which, attempt};
      return std::ranges::find(exchange.approvals, wanted) != exchange.approvals.end();
    });
    if (!approved) {
      violation(exchange.token, std::string(which == Body::request ? "request" : "response") +
                                    " that no service has approved of");
    }
  }
}

void Ledger::finish() {
  for (const auto& [token, exchange] : exchanges_) {
    if (exchange.outcome == Outcome::none) violation(token, "has no outcome");
    const std::size_t most = exchange.idempotent() ? most_arrivals : 1;
    if (exchange.arrivals.size() > most) {
      violation(token, "reached origins " + std::to_string(exchange.arrivals.size()) + " times");
    }
    if (exchange.refused && !exchange.arrivals.empty()) {
      violation(token, "reached an origin, and its client was told that it may send it again");
    }
    if (exchange.outcome == Outcome::whole && exchange.arrivals.empty() && !exchange.satisfied) {
      violation(token, "was answered without reaching an origin");
    }
  }
}

std::size_t Ledger::count(Outcome outcome) const {
  return static_cast<std::size_t>(
      std::count_if(exchanges_.begin(), exchanges_.end(),
                    [outcome](const auto& entry) { return entry.second.outcome == outcome; }));
}

std::vector<std::string> Ledger::failures() const {
  std::vector<std::string> list;
  for (const auto& [token, exchange] : exchanges_) {
    if (exchange.outcome == Outcome::whole || exchange.outcome == Outcome::not_taken) continue;
    const bool refused = exchange.outcome == Outcome::proxy_error && exchange.arrivals.empty();
    const bool has_body = exchange.body_length > 0 || bodies_may_be_added;
    if (bodies_may_be_refused && refused && has_body) continue;
    std::string text = to_text(token) + " " + exchange.method;
    text += exchange.http2 ? " HTTP/2: " : exchange.version_1_0 ? " HTTP/1.0: " : " HTTP/1.1: ";
    text +=
        std::string(to_string(exchange.outcome)) + ", status " + std::to_string(exchange.status);
    text += ", " + std::to_string(exchange.body_length) + " bytes";
    if (!exchange.why.empty()) text += " (" + exchange.why + ")";
    for (const Arrival& arrival : exchange.arrivals) {
      text += "; origin: " + std::to_string(arrival.status) + ", " +
              std::to_string(arrival.body_length) + " bytes";
    }
    list.push_back(std::move(text));
  }
  return list;
}

std::string Ledger::summary() const {
  std::string text = std::to_string(exchanges()) + " exchanges:";
  for (std::uint8_t i = 0; i < static_cast<std::uint8_t>(Outcome::count_); ++i) {
    const auto outcome = static_cast<Outcome>(i);
    if (const std::size_t n = count(outcome); n > 0) {
      text += " " + std::string(to_string(outcome)) + " " + std::to_string(n);
    }
  }
  return text;
}

}  // namespace penstock::simulation
