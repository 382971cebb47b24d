// Sending a request somewhere else than its client asked for.
#pragma once

#include <string>
#include <string_view>

#include "message/head.h"

namespace penstock {

// Each makes one part of the request another one, checked as if the client had sent it; texts are
// copied. False: that cannot be such a part, or the request has none (CONNECT, "*"), and nothing is
// changed. `target_text` stays as it came, for the log.
//
// Path and query: "/app?x=1".
bool set_path(RequestHead& head, std::string_view path_and_query);
// The host, with a port or without: target and Host field.
bool set_authority(RequestHead& head, std::string_view authority);
// The method. Nothing can be made CONNECT or HEAD, or be made of them: how the client takes the
// response depends on these.
bool set_method(RequestHead& head, std::string_view method);

// Whether they would be, for a request that has such a part.
[[nodiscard]] bool is_path(std::string_view path_and_query);
[[nodiscard]] bool is_authority(std::string_view authority);
[[nodiscard]] bool can_become(std::string_view method, std::string_view wanted);

// The host that the request is for, without port, and its path and query, as conditions see them;
// views of the head.
[[nodiscard]] std::string_view host_of(const RequestHead& head);
[[nodiscard]] std::string_view path_of(const RequestHead& head);

// Scheme, authority, path and query in one. `secure`: how the client came, for a target that does
// not say.
[[nodiscard]] std::string url_of(const RequestHead& head, bool secure);

}  // namespace penstock
