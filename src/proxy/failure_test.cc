#include "proxy/failure.h"

#include <array>
#include <set>
#include <string>
#include <string_view>

#include <gtest/gtest.h>

#include "net/network.h"
#include "proxy/error_page.h"

namespace penstock {
namespace {

// RFC 9209 section 2.3, all of them.
const std::set<std::string_view> kTypes = {"dns_timeout",
                                           "dns_error",
                                           "destination_not_found",
                                           "destination_unavailable",
                                           "destination_ip_prohibited",
                                           "destination_ip_unroutable",
                                           "connection_refused",
                                           "connection_terminated",
                                           "connection_timeout",
                                           "connection_read_timeout",
                                           "connection_write_timeout",
                                           "connection_limit_reached",
                                           "tls_protocol_error",
                                           "tls_certificate_error",
                                           "tls_alert_received",
                                           "http_request_error",
                                           "http_request_denied",
                                           "http_response_incomplete",
                                           "http_response_header_section_size",
                                           "http_response_header_size",
                                           "http_response_body_size",
                                           "http_response_trailer_section_size",
                                           "http_response_trailer_size",
                                           "http_response_transfer_coding",
                                           "http_response_content_coding",
                                           "http_response_timeout",
                                           "http_upgrade_failed",
                                           "http_protocol_error",
                                           "proxy_internal_response",
                                           "proxy_internal_error",
                                           "proxy_configuration_error",
                                           "proxy_loop_detected"};

std::string text_of(const Failure& failure) {
  return std::to_string(failure.status) + " " + std::string(failure.error);
}

struct Row {
  ErrorKind kind;
  const char* client;   // of the client's side, or in its head
  const char* resolve;  // else, by step
  const char* connect;
  const char* exchange;
};

constexpr const char* kCut = "400 http_request_error";
constexpr std::array kRows = {
    Row{ErrorKind::closed, kCut, "502 connection_terminated", "502 connection_terminated",
        "502 connection_terminated"},
    Row{ErrorKind::reset, kCut, "502 connection_terminated", "502 connection_terminated",
        "502 connection_terminated"},
    Row{ErrorKind::timed_out, "408 http_request_error", "504 dns_timeout", "504 connection_timeout",
        "504 http_response_timeout"},
    Row{ErrorKind::cancelled, kCut, "502 proxy_internal_error", "502 proxy_internal_error",
        "502 proxy_internal_error"},
    Row{ErrorKind::refused, kCut, "502 connection_refused", "502 connection_refused",
        "502 connection_refused"},
    Row{ErrorKind::unreachable, kCut, "502 destination_ip_unroutable",
        "502 destination_ip_unroutable", "502 destination_ip_unroutable"},
    Row{ErrorKind::resolve_failed, kCut, "502 dns_error", "502 dns_error", "502 dns_error"},
    Row{ErrorKind::protocol, "400 http_request_error", "502 http_protocol_error",
        "502 http_protocol_error", "502 http_protocol_error"},
    Row{ErrorKind::limit, "413 http_request_error", "502 http_protocol_error",
        "502 http_protocol_error", "502 http_protocol_error"},
    Row{ErrorKind::denied, kCut, "502 destination_ip_prohibited", "502 destination_ip_prohibited",
        "502 destination_ip_prohibited"},
    Row{ErrorKind::tls_protocol, kCut, "502 tls_protocol_error", "502 tls_protocol_error",
        "502 tls_protocol_error"},
    Row{ErrorKind::tls_certificate, kCut, "502 tls_certificate_error", "502 tls_certificate_error",
        "502 tls_certificate_error"},
    Row{ErrorKind::tls_alert, kCut, "502 tls_alert_received", "502 tls_alert_received",
        "502 tls_alert_received"},
    Row{ErrorKind::overloaded, "503 connection_limit_reached", "503 connection_limit_reached",
        "503 connection_limit_reached", "503 connection_limit_reached"},
    Row{ErrorKind::unavailable, kCut, "503 destination_unavailable", "503 destination_unavailable",
        "503 destination_unavailable"},
    Row{ErrorKind::adaptation, "502 proxy_internal_error", "502 proxy_internal_error",
        "502 proxy_internal_error", "502 proxy_internal_error"},
    Row{ErrorKind::io, kCut, "502 proxy_internal_error", "502 proxy_internal_error",
        "502 proxy_internal_error"},
};
static_assert(kRows.size() == static_cast<std::size_t>(ErrorKind::io) + 1);

TEST(FailureOf, EveryKindStepAndSide) {
  for (std::size_t i = 0; i < kRows.size(); ++i) {
    const Row& row = kRows[i];
    ASSERT_EQ(static_cast<std::size_t>(row.kind), i);
    for (const Side side : {Side::none, Side::client, Side::server}) {
      for (const Step step : {Step::head, Step::resolve, Step::connect, Step::exchange}) {
        const bool clients = side == Side::client || step == Step::head;
        const char* const expected = clients                 ? row.client
                                     : step == Step::resolve ? row.resolve
                                     : step == Step::connect ? row.connect
                                                             : row.exchange;
        const bool protocol = row.kind == ErrorKind::protocol;
        const int cause = protocol ? static_cast<int>(Refusal::bare_cr) : 0;
        const Failure failure = failure_of({.kind = row.kind, .side = side, .cause = cause}, step);
        EXPECT_EQ(text_of(failure), expected) << to_string(row.kind) << " " << to_string(side);
        EXPECT_TRUE(kTypes.contains(failure.error)) << failure.error;
        EXPECT_TRUE(failure.text.ends_with('.')) << failure.text;
      }
    }
  }
}

TEST(FailureOf, ResolvingTellsWhoseFaultItIs) {
  const auto text = [](ErrorKind kind, ResolveCause cause) {
    return failure_of({.kind = kind, .side = Side::server, .cause = static_cast<int>(cause)},
                      Step::resolve)
        .text;
  };
  EXPECT_EQ(text(ErrorKind::resolve_failed, ResolveCause::no_address),
            "The host name has no address.");
  EXPECT_EQ(text(ErrorKind::resolve_failed, ResolveCause::servers_failed),
            "The name servers failed to answer.");
}

// Without these words nobody knows what to repair.
TEST(FailureOf, TlsTellsWhatWasWrong) {
  const auto token = [](ErrorKind kind, int cause) {
    return failure_of({.kind = kind, .side = Side::server, .cause = cause}, Step::connect).token;
  };
  EXPECT_EQ(token(ErrorKind::tls_certificate, 10), "certificate has expired");
  EXPECT_EQ(token(ErrorKind::tls_certificate, 62), "hostname mismatch");
  EXPECT_EQ(token(ErrorKind::tls_alert, 40), "handshake failure");
  for (const ErrorKind kind :
       {ErrorKind::tls_certificate, ErrorKind::tls_alert, ErrorKind::tls_protocol}) {
    EXPECT_EQ(token(kind, 0), "");
  }
}

TEST(FailureOf, EveryRefusal) {
  for (int i = 1; i < static_cast<int>(Refusal::count_); ++i) {
    const RefusalInfo& why = info(static_cast<Refusal>(i));
    const Failure of_client =
        failure_of({.kind = ErrorKind::protocol, .side = Side::client, .cause = i}, Step::head);
    EXPECT_EQ(of_client.status, why.status);
    EXPECT_EQ(of_client.error, "http_request_error");
    EXPECT_EQ(of_client.token, why.token);
    EXPECT_EQ(of_client.section, why.section);
    const Failure of_server =
        failure_of({.kind = ErrorKind::protocol, .side = Side::server, .cause = i}, Step::exchange);
    EXPECT_EQ(of_server.status, 502);
    EXPECT_TRUE(kTypes.contains(of_server.error));
    EXPECT_EQ(of_server.token, why.token);
    const auto refusal = static_cast<Refusal>(i);
    const bool size = refusal == Refusal::head_too_large || refusal == Refusal::too_many_fields;
    EXPECT_EQ(of_server.error, size ? "http_response_header_section_size" : "http_protocol_error");
  }
}

// Nothing says of a request that is refused that it is acceptable.
TEST(FailureOf, ARequestWithoutAReason) {
  const Failure failure =
      failure_of({.kind = ErrorKind::protocol, .side = Side::client}, Step::exchange);
  EXPECT_EQ(text_of(failure), "400 http_request_error");
  EXPECT_EQ(failure.token, "malformed");
  EXPECT_EQ(failure.text, "The request can't be understood with certainty.");
}

TEST(FailureOf, OwnDecisions) {
  for (const Failure& failure : {kNotForThisListener, kSchemeNotSupported, kConnectNotHere,
                                 kConnectPortDenied, kTargetDenied, kLoop, kMisdirected,
                                 kExpectationUnknown, kBodyTooLarge, kUnexpectedUpgrade}) {
    EXPECT_TRUE(kTypes.contains(failure.error)) << failure.error;
    EXPECT_GE(failure.status, 400);
    EXPECT_LT(failure.status, 600);
    EXPECT_FALSE(failure.token.empty());
  }
}

TEST(ErrorPage, HtmlWhereItIsAskedFor) {
  struct Case {
    const char* accept;  // null: no such field
    bool html;
  };
  for (const Case& c :
       {Case{nullptr, false}, Case{"", false}, Case{"*/*", false}, Case{"text/*", false},
        Case{"text/plain", false}, Case{"application/json, text/htmlx", false},
        Case{"text/html", true}, Case{"TEXT/HTML;q=0.9", true},
        Case{"a/b, text/html;q=0.1, */*", true}, Case{"application/xhtml+xml", true}}) {
    RequestHead request;
    if (c.accept != nullptr) request.fields.add(FieldId::accept, c.accept);
    const ErrorPage page = make_error_page(kLoop, request, "us");
    EXPECT_EQ(page.head.fields.value(FieldId::content_type),
              c.html ? "text/html; charset=utf-8" : "text/plain; charset=utf-8")
        << (c.accept != nullptr ? c.accept : "none");
    EXPECT_EQ(page.body.starts_with("<!DOCTYPE html>"), c.html);
  }
}

TEST(ErrorPage, ExactText) {
  const Failure failure = failure_of(
      {.kind = ErrorKind::protocol, .cause = static_cast<int>(Refusal::bare_cr)}, Step::head);
  const ErrorPage page = make_error_page(failure, {}, "us");
  EXPECT_EQ(page.head.status, 400);
  EXPECT_EQ(page.head.reason, "Bad Request");
  EXPECT_EQ(page.body, "400 Bad Request\n" + std::string(failure.text) + "\nSee " +
                           std::string(failure.section) + ".\n");
  EXPECT_EQ(page.head.fields.value(FieldId::proxy_status),
            "us; error=http_request_error; details=\"" + std::string(failure.token) + ", " +
                std::string(failure.section) + "\"");
  EXPECT_EQ(page.head.fields.value(FieldId::cache_control), "no-store");
  EXPECT_FALSE(page.head.fields.has(FieldId::retry_after));
}

TEST(ErrorPage, WhatAStatusCallsFor) {
  EXPECT_NE(make_error_page(kConnectNotHere, {}, "us").head.fields.find("allow"), nullptr);
  EXPECT_EQ(make_error_page(kLoop, {}, "us").head.fields.find("allow"), nullptr);
  const Failure busy = failure_of({.kind = ErrorKind::overloaded}, Step::connect);
  const ErrorPage page = make_error_page(busy, {}, "us");
  EXPECT_EQ(page.head.fields.value(FieldId::retry_after), "1");
  EXPECT_EQ(page.head.fields.value(FieldId::proxy_status), "us; error=connection_limit_reached");
}

TEST(ErrorPage, NothingOfTheRequestIsRepeated) {
  RequestHead request;
  request.method_text = "CANARY";
  request.target_text = "/CANARY";
  request.target.path_and_query = "/CANARY";
  request.fields.add(FieldId::host, "CANARY");
  request.fields.add(FieldId::accept, "text/html, CANARY");
  request.fields.add(FieldId::other, "CANARY", "CANARY");
  const ErrorPage page = make_error_page(kMisdirected, request, "us");
  EXPECT_EQ(page.body.find("CANARY"), std::string::npos);
  for (const Field& field : page.head.fields) {
    EXPECT_EQ(field.value.find("CANARY"), std::string_view::npos) << field.name;
  }
}

}  // namespace
}  // namespace penstock
