// When a filter has a say: its conditions, compiled once and asked for each message.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "adapt/settings.h"
#include "message/match.h"
#include "net/address_prefix.h"
#include "server/client_info.h"

namespace penstock {

// The conditions of one filter. Of each list one has to match; an empty list is no condition. Does
// not change, so that threads may share it; asking allocates nothing, unless a path is spelled in
// an unusual way.
class Conditions {
 public:
  // The texts are those that the configuration has found good.
  explicit Conditions(const FilterConditions& conditions);

  // Whether the client and its request are meant. `route` is the name of the route that takes it,
  // empty where that has none or there is no route; `host` comes without port; `path_and_query` is
  // compared as a route's path is (message/match.h), and also as plain_path(): a filter is not got
  // round by another spelling; methods are case-sensitive.
  [[nodiscard]] bool matches_request(const ClientInfo& client, std::string_view route,
                                     std::string_view host, std::string_view path_and_query,
                                     std::string_view method) const;
  // Whether the response is meant. `content_type` is the field's value, empty where there is none;
  // its parameters make no difference.
  [[nodiscard]] bool matches_response(int status, std::string_view content_type) const;

  // There are conditions of the response: the filter is not asked about requests.
  [[nodiscard]] bool needs_response() const {
    return !statuses_.empty() || !content_types_.empty();
  }
  // There are no conditions at all: every message is meant.
  [[nodiscard]] bool empty() const { return !of_request_ && !needs_response(); }

 private:
  [[nodiscard]] bool has_plain_path(std::string_view path_and_query) const;

  std::vector<std::string> listeners_;
  std::vector<std::string> routes_;
  std::vector<HostPattern> hosts_;
  std::vector<std::string> paths_;
  std::vector<std::string> methods_;
  AddressPrefixes clients_;
  bool of_request_ = false;
  std::vector<StatusRange> statuses_;
  std::vector<std::string> content_types_;
};

}  // namespace penstock
