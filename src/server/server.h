// The connections of one listener on one worker.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "async/scope.h"
#include "async/timer.h"
#include "base/log.h"
#include "net/accept_spread.h"
#include "net/network.h"
#include "server/connection.h"
#include "server/entrance.h"
#include "server/http2_connection.h"
#include "server/settings.h"
#include "server/stream_handler.h"

namespace penstock {

// What the workers share of a listener.
struct ListenerShare {
  const ListenerSettings* settings;
  Entrance entrance = {};
  std::atomic<std::size_t> connections = 0;  // those on their way to another worker included
  AcceptSpread spread = {};                  // without seats, workers keep what they accept
};

// What is done with connections: requests of HTTP, and the bytes of a tcp listener.
struct Handlers {
  Handler* http = nullptr;
  StreamHandler* streams = nullptr;  // null: there is no tcp listener
};

// Lines of the log a second about connections that came to nothing, from each worker of a listener:
// those who make such connections can do so at any rate. Further ones are counted.
inline constexpr std::uint32_t kMaxToldASecond = 100;

// Takes up accepted connections, leads them through the listener's entrance and serves them, as
// many as the listener allows; at the bound it stops accepting, so that new clients wait in the
// kernel's queue.
class Server final : public AcceptHandler, private Timer {
 public:
  // All must outlive it. `log`: where connections that do not get through the entrance are told;
  // null: nowhere.
  Server(Executor& executor, const ServerSettings& settings, ListenerShare& share,
         Handlers handlers, Log* log = nullptr);
  ~Server() override = default;

  // One that feeds it, to be paused at the bound.
  void add_listener(Listener& listener);
  // Where others see how many connections there are here; must outlive it.
  void set_seat(AcceptSeat& seat) { seat_ = &seat; }
  // They are gone.
  void forget_listeners() { listeners_.clear(); }
  void on_accept(std::unique_ptr<ByteStream> stream, const Address& peer,
                 const Address& local) override;

  // Stops taking up connections and ends those that wait between two requests; the others end after
  // the response under way.
  void drain();
  // Breaks off all that is left.
  void cancel() { scope_.cancel(); }
  // Suspends until the last connection has ended.
  [[nodiscard]] Scope::Join drained() { return scope_.join(); }
  [[nodiscard]] std::size_t connections() const { return scope_.running(); }

 private:
  // One of the listener's connections, counted for as long as it is there. Move-only.
  class Place {
   public:
    explicit Place(Server& of) : of_(&of) {}
    Place(Place&& other) noexcept : of_(std::exchange(other.of_, nullptr)) {}
    Place& operator=(Place&&) = delete;
    ~Place() {
      if (of_ != nullptr) of_->give_back_place();
    }

   private:
    Server* of_;
  };

  Place take_place();
  void give_back_place();
  // The stages of a connection: each begins the next one and ends, so that its frame is gone while
  // the connection waits for requests.
  static Task<void> enter(Server& server, Arrival arrival, Place place);
  void begin(Arrival arrival, Place place);
  static Task<void> serve_http1(Server& server, std::unique_ptr<ClientConnection> connection,
                                Place place);
  // After HTTP/1. Not inlined, or what it needs would be part of the frame before.
  [[gnu::noinline]] void go_on(const Result<ConnectionEnd>& end, ClientConnection& connection,
                               Place place);
  class Http2Client;
  static Task<void> serve_http2(Server& server, std::unique_ptr<Http2Client> client, Place place);
  static Task<void> serve_stream(Server& server, Arrival arrival, Place place);
  void begin_http1(std::unique_ptr<ByteStream> stream, InputBuffer input, ClientInfo client,
                   Place place);
  void begin_http2(std::unique_ptr<ByteStream> stream, InputBuffer input, ClientInfo client,
                   Place place);
  void tell(const ClientInfo& client, std::string_view what);
  [[nodiscard]] bool may_tell();
  void on_timer() override;

  Executor* executor_;
  const ServerSettings* settings_;
  ListenerShare* share_;
  Handlers handlers_;
  Log* log_;
  std::vector<Listener*> listeners_;
  AcceptSeat* seat_ = nullptr;
  bool only_local_;
  bool draining_ = false;
  bool paused_ = false;
  // Of tell(): this second's lines, and how many were left out.
  TimePoint telling_since_{};
  std::uint32_t told_ = 0;
  std::uint64_t untold_ = 0;
  IntrusiveList<ServedConnection> connections_;
  Scope scope_;
};

}  // namespace penstock
