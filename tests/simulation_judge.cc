#include "tests/simulation_judge.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "tests/simulation_features.h"

namespace penstock::simulation {
namespace {

constexpr std::array<std::string_view, 8> kMethods = {"GET",  "GET",    "GET", "HEAD",
                                                      "POST", "DELETE", "PUT", "OPTIONS"};
// Statuses a proxy may answer with by itself.
constexpr std::array<int, 11> kProxyStatuses = {400, 408, 413, 414, 417, 431,
                                                500, 501, 502, 503, 504};

// What a service has made of a message of that exchange; null when that is something else.
const Adapted* adapted_of(Ledger& ledger, Token token, Body which, const Head& head) {
  const std::string number = head.value(kAdaptedField);
  const Adapted* const adapted = ledger.find_adapted(number);
  if (adapted != nullptr && adapted->token == token && adapted->which == which) return adapted;
  ledger.violation(token, "is not what a service made of it: " + number);
  return nullptr;
}

// Null where there is no such attempt; that has gone to the ledger.
const Arrival* arrival_of(Ledger& ledger, const Exchange& exchange, const Head& head) {
  const int attempt = to_number(head.value("x-attempt"));
  if (attempt >= 0 && static_cast<std::size_t>(attempt) < exchange.arrivals.size()) {
    return &exchange.arrivals[static_cast<std::size_t>(attempt)];
  }
  ledger.violation(exchange.token, "no such attempt: " + head.value("x-attempt"));
  return nullptr;
}

void check_head(Ledger& ledger, const Exchange& exchange, const Due& expected, const Head& head) {
  if (expected.status != to_number(head.line[1])) {
    ledger.violation(exchange.token, "status changed to " + head.line[1]);
  }
  if (ledger.through_proxy() && head.count("x-response-hop") > 0) {
    ledger.violation(exchange.token, "hop-by-hop field of the response passed on");
  }
  if (!expected.satisfies) {
    ledger.check_approvals(exchange, Body::response, to_number(head.value("x-attempt")));
  } else if (!exchange.arrivals.empty()) {
    ledger.violation(exchange.token, "a service has answered it, and it reached an origin");
  }
}

void check_cookie(Ledger& ledger, const Exchange& exchange, const std::string& bound_to,
                  const Head& head) {
  const std::string origin = head.value("x-origin");
  if (ledger.cookies_hold && !bound_to.empty() && origin != bound_to) {
    ledger.violation(exchange.token, "is bound to " + bound_to + ", and answered by " + origin);
  }
  const std::string set = head.value("set-cookie");
  if (set.empty()) return;
  ledger.cookies.emplace_back(set.substr(0, set.find(';')), origin);
}

// Whether the client that an origin was told of is the one who asked: its port is only known where
// the client has named it itself.
bool is_client(const Exchange& exchange, const std::string& told) {
  if (exchange.client.find(':') != std::string::npos) return told == exchange.client;
  return told.starts_with(exchange.client + ":");
}

}  // namespace

int to_number(std::string_view text) {
  int number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc{} && end == text.data() + text.size() ? number : -1;
}

std::string draw_method(Random& random) { return std::string(random.pick(kMethods)); }

bool draw_has_body(const std::string& method, Random& random) {
  return method == "POST" || method == "PUT" || (method != "HEAD" && random.chance(0.1));
}

bool has_no_body(const Exchange& exchange, int status) {
  return exchange.method == "HEAD" || status == 204 || status == 304;
}

std::optional<Due> expect_request(Ledger& ledger, const Exchange& exchange, const Head& head) {
  if (head.count(kAdaptedField) == 0) {
    return Due{.text = text_of(exchange.token, Body::request, exchange.body_length)};
  }
  const Adapted* const adapted = adapted_of(ledger, exchange.token, Body::request, head);
  if (adapted == nullptr) return std::nullopt;
  return Due{.text = adapted->text, .cut = ledger.is_cut(*adapted)};
}

std::optional<Due> expect_response(Ledger& ledger, const Exchange& exchange, const Head& head) {
  if (head.value("x-token") != to_text(exchange.token)) {
    ledger.violation(exchange.token, "answered with a response to " + head.value("x-token"));
    return std::nullopt;
  }
  if (head.count(kAdaptedField) > 0) {
    const Adapted* const adapted = adapted_of(ledger, exchange.token, Body::response, head);
    if (adapted == nullptr) return std::nullopt;
    return Due{adapted->text, adapted->status, adapted->satisfies, ledger.is_cut(*adapted)};
  }
  const Arrival* const arrival = arrival_of(ledger, exchange, head);
  if (arrival == nullptr) return std::nullopt;
  return Due{.text = text_of(exchange.token, Body::response, arrival->body_length),
             .status = arrival->status,
             .cut = arrival->cut};
}

BodyCheck check_body(Ledger& ledger, Token token, Body which, const Head& head) {
  const Adapted* const adapted = ledger.find_adapted(head.value(kAdaptedField));
  return adapted != nullptr ? BodyCheck(adapted->text) : BodyCheck(token, which);
}

Outcome judge_response(Ledger& ledger, const Exchange& exchange, const std::string& bound_to,
                       const Head& head, const BodyCheck& body, bool complete) {
  const int status = to_number(head.line[1]);
  if (head.count("proxy-status") > 0 && head.count("x-token") == 0) {
    if (std::ranges::find(kProxyStatuses, status) == kProxyStatuses.end()) {
      ledger.violation(exchange.token, "proxy error with status " + head.line[1]);
    }
    return complete ? Outcome::proxy_error : Outcome::cut;
  }
  const auto expected = expect_response(ledger, exchange, head);
  if (!expected) return complete ? Outcome::whole : Outcome::cut;
  check_head(ledger, exchange, *expected, head);
  if (!expected->satisfies) check_cookie(ledger, exchange, bound_to, head);
  if (!body.right()) ledger.violation(exchange.token, "response body is not its own");
  if (!complete) return Outcome::cut;
  if (expected->cut) ledger.violation(exchange.token, "cut response looks complete");
  const std::uint64_t whole = length_of(expected->text);
  if (!has_no_body(exchange, status) && body.seen() != whole) {
    ledger.violation(exchange.token, "complete body of " + std::to_string(body.seen()) + " for " +
                                         std::to_string(whole) + " bytes");
  }
  const std::string length = head.value("content-length");
  if (exchange.method == "HEAD" && !length.empty() && status != 204 && status != 304 &&
      length != std::to_string(whole)) {
    ledger.violation(exchange.token, "HEAD tells of " + length + " bytes");
  }
  const std::string trailer = head.value("x-trailer-token");
  if (!trailer.empty() && trailer != to_text(exchange.token)) {
    ledger.violation(exchange.token, "another response's trailer");
  }
  return Outcome::whole;
}

Exchange* find_exchange(Ledger& ledger, const Head& head) {
  const Token token = find_token(head.line[1]);
  const auto wrong = [&ledger, token](std::string what) {
    ledger.violation(token, std::move(what));
  };
  Exchange* const exchange = ledger.find(token);
  if (exchange == nullptr) {
    wrong("a request nobody sent: " + head.line[0] + " " + head.line[1]);
    return nullptr;
  }
  if (head.line[0] != exchange->method) wrong("method changed to " + head.line[0]);
  if (head.count("host") != 1) {
    wrong("request with " + std::to_string(head.count("host")) + " Host");
  }
  if (head.value("x-request-token") != to_text(token)) wrong("another request's fields");
  if (ledger.through_proxy() && head.count("x-hop") > 0) {
    wrong("hop-by-hop field of the request passed on");
  }
  return exchange;
}

Exchange* judge_request(Ledger& ledger, const Head& head, const std::string& client) {
  Exchange* const exchange = find_exchange(ledger, head);
  if (exchange == nullptr) return nullptr;
  const auto wrong = [&ledger, exchange](std::string what) {
    ledger.violation(exchange->token, std::move(what));
  };
  if (!client.empty() && !is_client(*exchange, client)) {
    wrong("is of " + exchange->client + ", on a connection for " + client);
  }
  if (!ledger.through_proxy()) return exchange;
  ledger.check_approvals(*exchange, Body::request, 0);
  if (head.value("cookie").find(kStickyCookie) != std::string::npos) {
    wrong("the proxy's own cookie passed on");
  }
  if (head.line[1].front() != '/') wrong("target not in origin form: " + head.line[1]);
  return exchange;
}

void judge_request_body(Ledger& ledger, const Exchange& exchange, const BodyCheck& body,
                        const Head& head) {
  const auto expected = expect_request(ledger, exchange, head);
  if (!expected) return;
  if (expected->cut) ledger.violation(exchange.token, "cut request looks complete");
  const std::uint64_t whole = length_of(expected->text);
  if (body.seen() != whole) {
    ledger.violation(exchange.token, "complete request body of " + std::to_string(body.seen()) +
                                         " for " + std::to_string(whole) + " bytes");
  }
  const std::string trailer = head.value("x-trailer-token");
  if (!trailer.empty() && trailer != to_text(exchange.token)) {
    ledger.violation(exchange.token, "another request's trailer");
  }
}

}  // namespace penstock::simulation
