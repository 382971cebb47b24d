// An ICAP service as one worker sees it: what it says of itself, whether it works, and the
// connections to its servers (RFC 3507 section 4.10).
#pragma once

#include <cstdint>
#include <expected>
#include <memory>
#include <string_view>

#include "async/event.h"
#include "async/scope.h"
#include "base/log.h"
#include "icap/exchange.h"
#include "icap/options.h"
#include "icap/request_fields.h"
#include "icap/service_share.h"
#include "icap/service_uri.h"
#include "icap/settings.h"
#include "upstream/group.h"

namespace penstock::icap {

// The settings of the group of servers that a service is; its name ("icap:NAME") is none that a
// configuration can give a group. The service's URL has been checked.
[[nodiscard]] UpstreamGroupSettings group_settings_of(const ServiceSettings& service);

// Belongs to one thread.
class Service {
 public:
  // All must outlive it. `group` is made of group_settings_of(), and started by who made it. `log`
  // may be null.
  Service(ServiceShare& share, ServerGroup& group, ServerPool& pool, Log* log);
  ~Service();
  Service(const Service&) = delete;
  Service& operator=(const Service&) = delete;

  [[nodiscard]] const ServiceSettings& settings() const { return share_->settings(); }
  [[nodiscard]] const ServiceUri& uri() const { return share_->uri(); }
  [[nodiscard]] ServiceShare& share() { return *share_; }
  // Of exchanges with it: those of its settings.
  [[nodiscard]] const ExchangeLimits& exchange_limits() const { return limits_; }
  [[nodiscard]] const FieldTexts& field_texts() const { return field_texts_; }

  // Begins what goes on beside the messages, in the scope, whose tasks it must outlive: what the
  // service says of itself is asked for at once and ahead of its expiry, and whether it works
  // again. To be called before all else.
  void start(Scope& scope);

  // What it says of itself, where that is known and it works; else null: then options().
  [[nodiscard]] std::shared_ptr<const Options> known_options() {
    if (share_->down()) return nullptr;
    refresh();
    return options_;
  }
  // What it says of itself: at once where that is known, else when it has answered. A service that
  // does not answer OPTIONS with sense is used with tolerated_options(); one that names no methods
  // takes both. Fails with `down` where it is known not to work, and where nothing is known and
  // nobody asks any more, as the scope given to start() is cancelled; else with `timed_out` or
  // `cancelled`.
  Task<std::expected<std::shared_ptr<const Options>, Failure>> options();
  // A connection to one of its servers, to another one where connecting fails; a new one if
  // `fresh`. Waits for one where all that the servers bear are in use, or does what settings say
  // for that. Fails with `connection`, `timed_out`, `overloaded` or `cancelled`; note_failure() is
  // the caller's. To be called after options().
  Task<std::expected<Lease, Failure>> connect(Choice& choice, bool fresh);

  // What came of each connect() and each exchange; `choice` is that of the connection. A failure
  // that is the service's counts for its breaker, and against the server among others: not what may
  // be due to the one message (most of 4xx, an adapted head that is refused), or else who sends
  // such messages could switch the service off. An answer's ISTag that is another one, and a 404 or
  // 405, make OPTIONS be asked for soon.
  void note_answer(const IcapResponse& response, const Choice& choice);
  void note_failure(const Failure& failure, const Choice& choice);
  // Says in the log which quirks are tolerated, each once an hour.
  void note_quirks(Quirks quirks);

 private:
  class Bell;
  using Answer = std::expected<Options, Failure>;

  static Task<void> keep_asking(Service& service);
  Task<void> look_up();
  Task<Answer> ask(Choice& choice, bool fresh);
  void end_lookup(Answer answer);
  void on_change();
  // Takes over what is new of the share's options.
  void refresh();
  void bound_connections(const Options& options);

  Task<Result<Lease>> acquire(Choice& choice, bool fresh);
  Task<std::expected<Lease, Failure>> connect_beyond_bound(Choice& choice);
  [[nodiscard]] bool all_in_use() const;
  [[nodiscard]] std::shared_ptr<NextHop> least_loaded(const Choice& choice) const;
  void note_server(const Choice& choice, bool failed, bool bad_response, std::string_view why);
  void say(ServiceEvent event, const Failure& why);
  [[nodiscard]] TimePoint now() const;

  ServiceShare* share_;
  ServerGroup* group_;
  ServerPool* pool_;
  Log* log_;
  ExchangeLimits limits_;
  FieldTexts field_texts_;
  std::shared_ptr<Bell> bell_;
  // A copy of the worker's own, so that counting who holds it is between no threads.
  std::shared_ptr<const Options> options_;
  std::uint64_t generation_ = 0;
  bool asking_ = false;  // keep_asking() runs
  Event wake_;           // it is to look again
  Event changed_;        // wakes the messages that wait
};

}  // namespace penstock::icap
