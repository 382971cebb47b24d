// What filters keep for a client's connection.
#pragma once

#include <memory>
#include <vector>

#include "adapt/adaptation.h"

namespace penstock {

// Made for connections where a filter wants to hear of them; lives as long as the connection.
class AdaptedConnection {
 public:
  // `client` must outlive it.
  AdaptedConnection(std::shared_ptr<FilterSet> set, const ClientInfo& client)
      : set_(std::move(set)), client_(&client) {}
  AdaptedConnection(const AdaptedConnection&) = delete;
  AdaptedConnection& operator=(const AdaptedConnection&) = delete;

  // Tells the filters of the connection, whatever their conditions. False: one of them wants it
  // closed. One that fails, or takes longer than its time, has no say, unless nothing may pass
  // without it.
  Task<bool> begin();

  // What a filter has kept; null where that is nothing. By its place in the set, which is of that
  // set only.
  [[nodiscard]] const FilterSet& set() const { return *set_; }
  [[nodiscard]] FilterState* state_of(const Filter& filter) const;

 private:
  std::shared_ptr<FilterSet> set_;
  const ClientInfo* client_;
  std::vector<std::unique_ptr<FilterState>> states_;
};

}  // namespace penstock
