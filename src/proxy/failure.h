// What a client is told when there is no response of a server to give: status, Proxy-Status
// (RFC 9209), and an explanation.
#pragma once

#include <string>
#include <string_view>

#include "base/error.h"
#include "message/refusal.h"

namespace penstock {

// At which step of a transaction an error happened: the same error means different things. Past the
// head they are those of DeliveryStep.
enum class Step : std::uint8_t { head, resolve, connect, exchange };

// Views are of static text.
struct Failure {
  int status = 500;
  std::string_view error;    // a Proxy Error Type of RFC 9209 section 2.3
  std::string_view text;     // a sentence for people
  std::string_view section;  // the rule that was broken, e.g. "RFC 9112 6.3"; may be empty
  std::string_view token;    // the refusal's short name; may be empty
};

[[nodiscard]] Failure failure_of(const Error& error, Step step);

// Decisions of our own.
inline constexpr Failure kNotForThisListener{
    400, "http_request_error",
    "This is a forward proxy: it takes requests for absolute URIs (http://host/path) and CONNECT. "
    "Configure your client to use it as its proxy.",
    "RFC 9112 3.2.2", "origin_form"};
inline constexpr Failure kSchemeNotSupported{
    501, "http_request_error", "Only http:// URIs can be fetched; for https use CONNECT.", "",
    "scheme"};
inline constexpr Failure kConnectNotHere{
    405, "http_request_denied", "CONNECT is not available here.", "RFC 9110 9.3.6", "connect"};
inline constexpr Failure kConnectPortDenied{
    403, "http_request_denied", "CONNECT to this port is not allowed.", "", "connect_port"};
inline constexpr Failure kTargetDenied{
    403, "destination_ip_prohibited",
    "The target's address is local to the proxy, and may not be reached through it.", "",
    "local_target"};
inline constexpr Failure kLoop{508, "proxy_loop_detected",
                               "The request has come back to this proxy.", "RFC 9110 7.6.3",
                               "loop"};
inline constexpr Failure kConnectIntercepted{
    405, "http_request_denied", "CONNECT is not available here: connections are intercepted.",
    "RFC 9110 9.3.6", "connect_intercepted"};
inline constexpr Failure kInterceptedLoop{
    508, "proxy_loop_detected",
    "This connection was not on its way to another server, but to the proxy itself.", "",
    "intercepted_loop"};
inline constexpr Failure kMisdirected{421, "destination_not_found",
                                      "No route is configured for this host and path.",
                                      "RFC 9110 15.5.20", "no_route"};
inline constexpr Failure kExpectationUnknown{417, "http_request_error",
                                             "The only expectation there is, is 100-continue.",
                                             "RFC 9110 10.1.1", "expectation"};
inline constexpr Failure kBodyTooLarge{413, "http_request_error",
                                       "The request's content is larger than allowed.", "",
                                       "body_too_large"};
inline constexpr Failure kFilterFailed{502, "proxy_internal_error",
                                       "A filter of the proxy failed, and nothing may pass without "
                                       "it.",
                                       "", "filter_failed"};
inline constexpr Failure kNoSuchUpstream{502, "proxy_configuration_error",
                                         "A filter chose servers that are not configured.", "",
                                         "filter_chose_nothing"};
inline constexpr Failure kNotStored{504, "http_request_denied",
                                    "The request wants what is stored here (only-if-cached), and "
                                    "nothing is that may be used.",
                                    "RFC 9111 5.2.1.7", "not_stored"};
inline constexpr Failure kPurgeDenied{
    403, "http_request_denied", "This client may not purge what is stored here.", "", "purge"};
inline constexpr Failure kUnexpectedUpgrade{502, "http_protocol_error",
                                            "The server switched to a protocol nobody asked for.",
                                            "RFC 9110 15.2.2", "upgrade"};

}  // namespace penstock
