// When a filter has a say: its conditions, compiled once and asked for each message.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "adapt/note.h"
#include "adapt/settings.h"
#include "message/match.h"
#include "net/address_prefix.h"
#include "server/client_info.h"

namespace penstock {

// What conditions look at. All of it must outlive the call.
struct RequestFacts {
  const ClientInfo& client;
  std::string_view route;  // the name of the route that takes it; empty: that has none, or there is
                           // no route
  std::string_view host;   // without port
  // Compared as a route's path is (message/match.h), and also as plain_path(): a filter is not got
  // round by another spelling.
  std::string_view path_and_query;
  std::string_view method;      // case-sensitive
  std::string_view login = {};  // the client's Proxy-Authorization
};
struct MessageFacts {
  int status = 0;                            // of a response; 0: it is a request
  std::string_view content_type = {};        // the field's value; parameters make no difference
  std::optional<std::uint64_t> length = {};  // of the content, where it is known
  std::span<const Note> notes = {};
};

// The conditions of one filter. Of each list one has to match; an empty list is no condition. Does
// not change, so that threads may share it; asking allocates nothing, unless a path is spelled in
// an unusual way or users are asked for.
class Conditions {
 public:
  // The texts are those that the configuration has found good.
  explicit Conditions(const FilterConditions& conditions);

  // Whether all conditions of clients and requests are met, or of the message.
  [[nodiscard]] bool match_request(const RequestFacts& request) const {
    return each_of_request(request, [](bool met) { return met; });
  }
  [[nodiscard]] bool match_message(const MessageFacts& message) const {
    return each_of_message(message, [](bool met) { return met; });
  }
  // Whether one of them is met. Those of responses are not met by requests.
  [[nodiscard]] bool name_request(const RequestFacts& request) const {
    return !each_of_request(request, [](bool met) { return !met; });
  }
  [[nodiscard]] bool name_message(const MessageFacts& message) const {
    return !each_of_message(message, [](bool met) { return !met; });
  }

  // There are conditions of the response: the filter is not asked about requests.
  [[nodiscard]] bool need_response() const { return !statuses_.empty() || !content_types_.empty(); }
  // There are some of the message itself.
  [[nodiscard]] bool need_message() const {
    return need_response() || !noted_.empty() || size_over_ != 0;
  }

 private:
  // Tells `visit` of each condition that there is whether it is met, until that returns false.
  template <class Visit>
  bool each_of_request(const RequestFacts& request, Visit visit) const {
    if (!of_request_) return true;
    return (listeners_.empty() || visit(has_listener(request.client))) &&
           (routes_.empty() || visit(is_listed(routes_, request.route))) &&
           (methods_.empty() || visit(is_listed(methods_, request.method))) &&
           (hosts_.empty() || visit(has_host(request.host))) &&
           (paths_.empty() || visit(has_path(request.path_and_query))) &&
           (clients_.empty() || visit(clients_.contains(request.client.peer))) &&
           (users_.empty() || visit(has_user(request.login)));
  }
  template <class Visit>
  bool each_of_message(const MessageFacts& message, Visit visit) const {
    return (statuses_.empty() || visit(has_status(message.status))) &&
           (content_types_.empty() ||
            visit(message.status != 0 && has_type(message.content_type))) &&
           (noted_.empty() || visit(has_note(message.notes))) &&
           (size_over_ == 0 || visit(message.length.value_or(0) > size_over_));
  }
  [[nodiscard]] static bool is_listed(const std::vector<std::string>& texts, std::string_view text);
  [[nodiscard]] bool has_listener(const ClientInfo& client) const;
  [[nodiscard]] bool has_host(std::string_view host) const;
  [[nodiscard]] bool has_path(std::string_view path_and_query) const;
  [[nodiscard]] bool has_plain_path(std::string_view path_and_query) const;
  [[nodiscard]] bool has_user(std::string_view login) const;
  [[nodiscard]] bool has_status(int status) const;
  [[nodiscard]] bool has_type(std::string_view content_type) const;
  [[nodiscard]] bool has_note(std::span<const Note> notes) const;

  std::vector<std::string> listeners_;
  std::vector<std::string> routes_;
  std::vector<HostPattern> hosts_;
  std::vector<std::string> paths_;
  std::vector<std::string> methods_;
  AddressPrefixes clients_;
  std::vector<std::string> users_;
  bool of_request_ = false;
  std::vector<StatusRange> statuses_;
  std::vector<std::string> content_types_;
  std::vector<std::pair<std::string, std::string>> noted_;
  std::uint64_t size_over_ = 0;
};

}  // namespace penstock
