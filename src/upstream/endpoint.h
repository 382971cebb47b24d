// What the connections to one place have in common: where they lead, how long they are kept, and
// those of them that nobody uses at present.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "async/event.h"
#include "async/task.h"
#include "base/error.h"
#include "base/intrusive_list.h"
#include "net/address.h"
#include "upstream/hop_share.h"
#include "upstream/passage.h"
#include "upstream/room.h"
#include "upstream/server_connection.h"
#include "upstream/settings.h"

namespace penstock {

class Http2Session;

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
  // Connections to that address may be used.
  [[nodiscard]] bool leads_to(const Address& address) const;
  // No connection to it is kept any more.
  void retire();
  // Where requests wait for a connection to it; must stay until retire().
  void set_room(WaitingRoom& room) { room_ = &room; }
  // Whether a connection that is no longer in use may stay open: not if there are more than the
  // server may have, if only requests of other workers wait for its place, or if it is their turn.
  // One that waits here is called.
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

  // --- Connections that requests share: those of HTTP/2.

  // Requests may share connections to it: HTTP/2 is spoken, or may be.
  [[nodiscard]] bool shares() const {
    return passage_.http == HttpChoice::http2 ||
           (passage_.http == HttpChoice::negotiate && !speaks_http1_);
  }
  // What the last connection spoke that was to negotiate it.
  void note_version(bool http2) { speaks_http1_ = !http2; }
  // One that has room for a request more; null if there is none.
  [[nodiscard]] std::shared_ptr<Http2Session> session_with_room(TimePoint now) const;
  void add(std::shared_ptr<Http2Session> session) { sessions_.push_back(std::move(session)); }
  void remove(const Http2Session& session);
  [[nodiscard]] bool has(const Http2Session& session) const;
  [[nodiscard]] std::size_t session_count() const { return sessions_.size(); }
  // They take no further request, and end with their last one.
  void end_sessions();
  // As may_stay(), of one that nobody uses any more.
  [[nodiscard]] bool session_may_stay(TimePoint now) const;
  // Ends one that is unused; false: there is none.
  bool end_unused_session();
  // One has room: somebody who waits is called.
  void on_room_in_session();

  // A connection is being opened for whoever waits for it. The place of one more of them is taken
  // with begin_opening().
  void begin_opening() { ++opening_; }
  void end_opening(const Result<void>& outcome);
  // True where those that are being opened are likely to have room for one more who waits.
  [[nodiscard]] bool worth_waiting() const { return waiting_ < opening_ * likely_room_; }
  // The last one opened took so many requests at a time.
  void note_room(std::size_t room) { likely_room_ = room > 0 ? room : 1; }
  // Until one has been opened, or all have failed that were being opened: then why, or cancelled.
  Task<Result<void>> wait_for_opening();

 private:
  [[nodiscard]] bool usable(const ServerConnection& connection, TimePoint now) const;

  const PoolSettings* settings_;
  std::shared_ptr<HopShare> share_;
  Passage passage_;
  AddressList addresses_;
  std::vector<std::unique_ptr<ServerConnection>> idle_;  // used last on top
  WaitingRoom* room_ = nullptr;
  bool retired_ = false;
  std::vector<std::shared_ptr<Http2Session>> sessions_;
  bool speaks_http1_ = false;
  std::size_t opening_ = 0;
  std::size_t waiting_ = 0;
  std::size_t likely_room_ = 100;  // as servers should take at least (RFC 9113 section 6.5.2)
  std::uint64_t opened_ = 0;       // connections, so far
  Result<void> last_opening_{};
  Event opening_ended_;
};

}  // namespace penstock
