// An ICAP service as one worker sees it: what it says of itself, whether it works, and the
// connections to its servers (RFC 3507 section 4.10).
#pragma once

#include <cstdint>
#include <expected>
#include <memory>
#include <string_view>

#include "async/scope.h"
#include "base/log.h"
#include "icap/exchange.h"
#include "icap/options.h"
#include "icap/service_share.h"
#include "icap/service_uri.h"
#include "icap/settings.h"
#include "upstream/group.h"

namespace penstock::icap {

// The settings of the group of servers that a service is; its name is none that a configuration can
// give a group.
[[nodiscard]] UpstreamGroupSettings group_settings_of(const ServiceSettings& service);

// Belongs to one thread.
class Service {
 public:
  // All must outlive it. `log` may be null.
  Service(ServiceShare& share, ServerGroup& group, ServerPool& pool, Log* log);

  [[nodiscard]] const ServiceSettings& settings() const { return share_->settings(); }
  [[nodiscard]] const ServiceUri& uri() const { return share_->uri(); }
  [[nodiscard]] const ExchangeLimits& exchange_limits() const { return limits_; }

  // Begins what goes on beside the messages, in the scope: what the service says of itself is asked
  // for ahead of its expiry, and whether it works again. To be called before all else.
  void start(Scope& scope);

  // What it says of itself: at once where that is known, else when it has answered. A service that
  // does not answer OPTIONS with sense is used with what the settings say (no preview, no 204
  // outside of one). Fails with `down` where it is known not to work.
  Task<std::expected<std::shared_ptr<const Options>, Failure>> options();
  // A connection; a new one if `fresh`. Fails with `connection`, `timed_out`, `overloaded` or
  // `cancelled`. To be called after options().
  Task<std::expected<Lease, Failure>> connect(Choice& choice, bool fresh);

  // What came of an exchange: a failure that is the service's counts for its breaker; an answer's
  // ISTag that is another one, and a 404 or 405, make OPTIONS be asked for soon.
  void note_answer(const IcapResponse& response);
  void note_failure(const Failure& failure);
  // Says in the log which quirks are tolerated, each once an hour.
  void note_quirks(Quirks quirks);

 private:
  ServiceShare* share_;
  ServerGroup* group_;
  ServerPool* pool_;
  Log* log_;
  Scope* scope_ = nullptr;
  ExchangeLimits limits_;  // with the timeout of the settings
};

}  // namespace penstock::icap
