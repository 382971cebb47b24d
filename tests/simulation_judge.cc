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

const Arrival& arrival_of(const Exchange& exchange, const Head& head) {
  return exchange.arrivals[static_cast<std::size_t>(to_number(head.value("x-attempt")))];
}

// Whether the head is that of an origin's response to this very request.
bool check_head(Ledger& ledger, const Exchange& exchange, const Head& head) {
  if (head.value("x-token") != to_text(exchange.token)) {
    ledger.violation(exchange.token, "answered with a response to " + head.value("x-token"));
    return false;
  }
  const int attempt = to_number(head.value("x-attempt"));
  if (attempt < 0 || static_cast<std::size_t>(attempt) >= exchange.arrivals.size()) {
    ledger.violation(exchange.token, "no such attempt: " + head.value("x-attempt"));
    return false;
  }
  if (arrival_of(exchange, head).status != to_number(head.line[1])) {
    ledger.violation(exchange.token, "status changed to " + head.line[1]);
  }
  if (ledger.through_proxy() && head.count("x-response-hop") > 0) {
    ledger.violation(exchange.token, "hop-by-hop field of the response passed on");
  }
  return true;
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

Outcome judge_response(Ledger& ledger, const Exchange& exchange, const std::string& bound_to,
                       const Head& head, const BodyCheck& body, bool complete) {
  const int status = to_number(head.line[1]);
  if (head.count("proxy-status") > 0 && head.count("x-token") == 0) {
    if (std::ranges::find(kProxyStatuses, status) == kProxyStatuses.end()) {
      ledger.violation(exchange.token, "proxy error with status " + head.line[1]);
    }
    return complete ? Outcome::proxy_error : Outcome::cut;
  }
  if (!check_head(ledger, exchange, head)) return complete ? Outcome::whole : Outcome::cut;
  check_cookie(ledger, exchange, bound_to, head);
  if (!body.right()) ledger.violation(exchange.token, "response body is not its own");
  if (!complete) return Outcome::cut;
  const Arrival& arrival = arrival_of(exchange, head);
  if (arrival.cut) ledger.violation(exchange.token, "cut response looks complete");
  if (!has_no_body(exchange, status) && body.seen() != arrival.body_length) {
    ledger.violation(exchange.token, "complete body of " + std::to_string(body.seen()) + " for " +
                                         std::to_string(arrival.body_length) + " bytes");
  }
  const std::string length = head.value("content-length");
  if (exchange.method == "HEAD" && !length.empty() && status != 204 && status != 304 &&
      length != std::to_string(arrival.body_length)) {
    ledger.violation(exchange.token, "HEAD tells of " + length + " bytes");
  }
  const std::string trailer = head.value("x-trailer-token");
  if (!trailer.empty() && trailer != to_text(exchange.token)) {
    ledger.violation(exchange.token, "another response's trailer");
  }
  return Outcome::whole;
}

Exchange* judge_request(Ledger& ledger, const Head& head, const std::string& client) {
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
  if (!client.empty() && !is_client(*exchange, client)) {
    wrong("is of " + exchange->client + ", on a connection for " + client);
  }
  if (!ledger.through_proxy()) return exchange;
  if (head.count("x-hop") > 0) wrong("hop-by-hop field of the request passed on");
  if (head.value("cookie").find(kStickyCookie) != std::string::npos) {
    wrong("the proxy's own cookie passed on");
  }
  if (head.line[1].front() != '/') wrong("target not in origin form: " + head.line[1]);
  return exchange;
}

void judge_request_body(Ledger& ledger, const Exchange& exchange, const BodyCheck& body,
                        const std::string& trailer) {
  if (body.seen() != exchange.body_length) {
    ledger.violation(exchange.token, "complete request body of " + std::to_string(body.seen()) +
                                         " for " + std::to_string(exchange.body_length) + " bytes");
  }
  if (!trailer.empty() && trailer != to_text(exchange.token)) {
    ledger.violation(exchange.token, "another request's trailer");
  }
}

}  // namespace penstock::simulation
