// What is known of names, and until when: answers, failures, and who waits for a question.
//
// Without I/O and without a clock of its own: whoever asks the name servers says what they answered
// and what time it is.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "async/event.h"
#include "base/error.h"
#include "base/intrusive_list.h"
#include "base/time.h"
#include "net/dns_message.h"
#include "net/network.h"
#include "net/settings.h"

namespace penstock {

// What is known of one name and type.
struct DnsRecord {
  DnsAnswer answer;  // the last one that was found or none
  bool answered = false;
  TimePoint answered_at{};
  TimePoint expires{};

  bool asking = false;
  TimePoint asked_at{};  // when the last question began
  // After a failure: what it was, and when to ask again at the earliest.
  DnsOutcome failure = DnsOutcome::found;
  TimePoint not_before{};

  // The answer, for someone who came at `since`: one that expired while he waited is good for him,
  // and so is one that was not to be kept at all.
  [[nodiscard]] bool fresh(TimePoint since) const {
    return answered && (expires > since || answered_at >= since);
  }
  [[nodiscard]] bool fresh_found(TimePoint since) const {
    return fresh(since) && answer.outcome == DnsOutcome::found;
  }
};

// A name. Whoever waits for an answer holds it, so that he gets it though the name may be forgotten
// meanwhile.
struct DnsName : ListNode {
  explicit DnsName(std::string_view text) : name(text) {}
  [[nodiscard]] DnsRecord& record(DnsType type) { return records[static_cast<std::size_t>(type)]; }
  [[nodiscard]] const DnsRecord& record(DnsType type) const {
    return records[static_cast<std::size_t>(type)];
  }
  [[nodiscard]] bool asking() const;

  const std::string name;
  std::array<DnsRecord, kDnsTypes> records;
  Event changed;  // set for a moment with each answer
};

// Belongs to one thread.
class DnsCache {
 public:
  explicit DnsCache(const DnsSettings& settings) : settings_(settings) {}

  [[nodiscard]] const DnsSettings& settings() const { return settings_; }
  [[nodiscard]] std::size_t size() const { return names_.size(); }

  // The name (lower case), remembered from now on; the one that was not used for the longest time
  // makes room. Null where all that are remembered are being asked for.
  std::shared_ptr<DnsName> use(std::string_view name);

  // Whether to ask: nothing is known, or it has expired, or is about to (the last tenth of its
  // time); and no question is under way, nor has one failed a moment ago.
  [[nodiscard]] bool is_due(const DnsRecord& record, TimePoint now) const;
  void begin(DnsName& name, DnsType type, TimePoint now);
  void finish(DnsName& name, DnsType type, DnsAnswer answer, TimePoint now);

  // Until when someone who came at `since` has to wait, kNever for "until it changes"; nothing when
  // what there is will do:
  // - both questions have ended;
  // - one family has addresses, and the other had 50 ms more (RFC 8305 section 3);
  // - there are old addresses, and the name servers had 1.8 s to confirm them (RFC 8767 section 5),
  //   or failed to do so the last time.
  [[nodiscard]] std::optional<TimePoint> wait_for_addresses(const DnsName& name, TimePoint since,
                                                            TimePoint now) const;
  [[nodiscard]] std::optional<TimePoint> wait_for_service(const DnsName& name, TimePoint since,
                                                          TimePoint now) const;

  // What there is for someone who came at `since`, or why there is nothing; as Network::resolve().
  [[nodiscard]] Result<Resolution> addresses(const DnsName& name, std::uint16_t port,
                                             TimePoint since, TimePoint now) const;
  [[nodiscard]] Result<ServiceResolution> service(const DnsName& name, TimePoint since,
                                                  TimePoint now) const;

 private:
  // Found, expired, and still good while the name servers fail.
  [[nodiscard]] bool is_stale(const DnsRecord& record, TimePoint now) const;
  [[nodiscard]] Duration life_of(const DnsAnswer& answer) const;
  void make_room();

  const DnsSettings settings_;
  std::unordered_map<std::string_view, std::shared_ptr<DnsName>> names_;  // keys are in the values
  IntrusiveList<DnsName> by_use_;  // the last used at the end
};

}  // namespace penstock
