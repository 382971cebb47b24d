#include "upstream/pin_store.h"

#include <algorithm>
#include <chrono>
#include <utility>

namespace penstock {
namespace {

// Destinations one client connection is logged in at; the one unused for longest goes first.
constexpr std::size_t kMaxPins = 16;
// As long as the client stays: the server decides how long that is.
constexpr Duration kForLife = std::chrono::hours(24 * 365);

}  // namespace

PinStore::Pin& PinStore::pin_for(std::string_view destination) {
  const auto found = std::ranges::find(pins_, destination, &Pin::destination);
  if (found != pins_.end()) {
    std::rotate(found, found + 1, pins_.end());
    return pins_.back();
  }
  if (pins_.size() >= kMaxPins) pins_.erase(pins_.begin());
  return pins_.emplace_back(Pin{.destination = std::string(destination)});
}

PinStore::Taken PinStore::take(std::string_view destination) {
  const auto found = std::ranges::find(pins_, destination, &Pin::destination);
  if (found == pins_.end()) return {};
  auto connection = std::move(found->connection);
  if (connection) connection->become_busy();
  if (connection && !connection->dead()) {
    return {.connection = std::move(connection), .hop = found->hop};
  }
  found->lost = true;
  return {.lost = true};
}

void PinStore::keep(std::string_view destination, std::unique_ptr<ServerConnection> connection,
                    std::shared_ptr<NextHop> hop) {
  Pin& pin = pin_for(destination);
  pin.hop = std::move(hop);
  pin.connection = std::move(connection);
  pin.lost = false;
  pin.connection->become_idle(executor_->now(), kForLife, *this);
}

void PinStore::lose(std::string_view destination) { pin_for(destination).lost = true; }

void PinStore::on_idle_connection_dead() { on_lost_(); }

}  // namespace penstock
