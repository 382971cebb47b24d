#include "upstream/pin_store.h"

#include <algorithm>
#include <chrono>
#include <utility>

namespace penstock {
namespace {

// Connections that one client connection is logged in on; the one unused for longest goes first.
constexpr std::size_t kMaxPins = 16;
// Destinations remembered, those included whose connection has ended.
constexpr std::size_t kMaxDestinations = 256;
// As long as the client stays: the server decides how long that is.
constexpr Duration kForLife = std::chrono::hours(24 * 365);

}  // namespace

PinStore::Pin& PinStore::pin_for(std::string_view destination) {
  const auto found = std::ranges::find(pins_, destination, &Pin::destination);
  if (found != pins_.end()) {
    std::rotate(found, found + 1, pins_.end());
    return pins_.back();
  }
  const auto held = [](const Pin& pin) { return pin.connection != nullptr; };
  if (std::ranges::count_if(pins_, held) >= static_cast<std::ptrdiff_t>(kMaxPins)) {
    Pin& oldest = *std::ranges::find_if(pins_, held);
    oldest.connection.reset();
    oldest.lost = true;
  }
  if (pins_.size() >= kMaxDestinations) pins_.erase(pins_.begin());
  return pins_.emplace_back(Pin{.destination = std::string(destination)});
}

std::unique_ptr<ServerConnection> PinStore::take(std::string_view destination, bool& lost) {
  lost = false;
  const auto found = std::ranges::find(pins_, destination, &Pin::destination);
  if (found == pins_.end()) return nullptr;
  auto connection = std::move(found->connection);
  if (connection) connection->become_busy();
  if (connection && !connection->dead()) return connection;
  found->lost = true;
  lost = true;
  return nullptr;
}

void PinStore::keep(std::string_view destination, std::unique_ptr<ServerConnection> connection) {
  Pin& pin = pin_for(destination);
  pin.connection = std::move(connection);
  pin.lost = false;
  pin.connection->become_idle(executor_->now(), kForLife, *this);
}

void PinStore::lose(std::string_view destination) { pin_for(destination).lost = true; }

void PinStore::on_idle_connection_dead() { on_lost_(); }

}  // namespace penstock
