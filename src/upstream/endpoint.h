// What the connections to one place have in common: where they lead, how long they are kept, and
// those of them that nobody uses at present.
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "base/intrusive_list.h"
#include "net/address.h"
#include "upstream/hop_share.h"
#include "upstream/passage.h"
#include "upstream/room.h"
#include "upstream/server_connection.h"
#include "upstream/settings.h"

namespace penstock {

// Connections are alike, and may stand in for each other, exactly if they are of one endpoint.
// Belongs to one thread and is shared by its connections.
class Endpoint final : public ListNode {
 public:
  // `settings` must outlive it. `share`: of a configured server; null for a target of a request.
  Endpoint(const PoolSettings& settings, std::shared_ptr<HopShare> share, Passage passage = {})
      : settings_(&settings), share_(std::move(share)), passage_(std::move(passage)) {}

  [[nodiscard]] const PoolSettings& settings() const { return *settings_; }
  [[nodiscard]] const std::shared_ptr<HopShare>& share() const { return share_; }
  // What its connections go through beyond the socket.
  [[nodiscard]] const Passage& passage() const { return passage_; }

  // The server's addresses, to be tried in this order. Connections to addresses that are no longer
  // among them take no further request; the others stay.
  [[nodiscard]] const AddressList& addresses() const { return addresses_; }
  void set_addresses(AddressList addresses) { addresses_ = std::move(addresses); }
  // No connection to it is kept any more.
  void retire() {
    retired_ = true;
    room_ = nullptr;
  }
  // Where requests wait for a connection to it; must stay until retire().
  void set_room(WaitingRoom& room) { room_ = &room; }
  // Whether a connection that is no longer in use may stay open: not if only requests of other
  // workers wait for its place, or if it is their turn. One that waits here is called.
  [[nodiscard]] bool may_stay(TimePoint now) const;

  // The most recently used of the idle connections that may take a request now.
  std::unique_ptr<ServerConnection> take_idle(TimePoint now);
  // False when it is not worth keeping or there is no room; then it is closed.
  bool keep(std::unique_ptr<ServerConnection> connection, TimePoint now,
            ServerConnection::Watcher& watcher);
  [[nodiscard]] std::size_t idle_count() const { return idle_.size(); }
  // Closes those that may take no request any more, or all; their number.
  std::size_t sweep(TimePoint now);
  std::size_t close_all();
  // Closes the one that was unused for longest.
  std::size_t close_oldest();

 private:
  [[nodiscard]] bool usable(const ServerConnection& connection, TimePoint now) const;

  const PoolSettings* settings_;
  std::shared_ptr<HopShare> share_;
  Passage passage_;
  AddressList addresses_;
  std::vector<std::unique_ptr<ServerConnection>> idle_;  // used last on top
  WaitingRoom* room_ = nullptr;
  bool retired_ = false;
};

}  // namespace penstock
