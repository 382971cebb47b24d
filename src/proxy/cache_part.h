// What the transactions of one worker need of the cache.
#pragma once

#include <string_view>
#include <utility>
#include <vector>

#include "adapt/conditions.h"
#include "async/context.h"
#include "base/intrusive_list.h"
#include "cache/cache.h"
#include "cache/settings.h"
#include "cache/visit.h"
#include "net/address_prefix.h"
#include "proxy/settings.h"

namespace penstock {

// The rules of the configuration. Does not change; threads may share it.
class CacheRules {
 public:
  explicit CacheRules(const std::vector<CacheRuleSettings>& settings);
  // The first whose conditions the request meets; null where there is none. Rules with conditions
  // of the response are left out.
  [[nodiscard]] const CacheRule* for_request(const RequestFacts& request) const;
  // The first of all whose conditions are met.
  [[nodiscard]] const CacheRule* for_response(const RequestFacts& request,
                                              const MessageFacts& response) const;
  // There are some with conditions of the response.
  [[nodiscard]] bool need_response() const { return need_response_; }

 private:
  struct Entry {
    Conditions conditions;
    const CacheRule* rule;
  };
  std::vector<Entry> entries_;
  bool need_response_ = false;
};

// The context of a transaction that fetches what others wait for, or what is worth being stored. A
// client that leaves ends it only where that is not so.
class FetchContext final : public TaskContext, public ListNode {
 public:
  // `visit` must outlive it.
  FetchContext(TaskContext& outer, const CacheVisit& visit);
  // The client has gone, and it went on.
  [[nodiscard]] bool abandoned() const { return abandoned_; }

 private:
  class Outer final : public CancelHook {
   public:
    explicit Outer(FetchContext& of) : of_(&of) {}

   private:
    void on_cancel() override { of_->on_outer_cancel(); }
    FetchContext* of_;
  };
  void on_outer_cancel();

  const CacheVisit& visit_;
  Outer hook_{*this};
  bool abandoned_ = false;
};

class BackgroundFetches;

// Belongs to one worker.
struct CachePart {
  CachePart(CacheWorker of, const CacheRules* by) : worker(std::move(of)), rules(by) {
    static_cast<void>(purgers.add(worker.cache->settings().purge_from));
  }

  CacheWorker worker;
  const CacheRules* rules = nullptr;
  AddressPrefixes purgers;  // clients that may purge; empty: PURGE is a method as any other
  IntrusiveList<FetchContext> fetches;
  BackgroundFetches* background = nullptr;
  bool ending = false;  // no fetch goes on without its client any more

  // The worker ends: what still goes on is broken off.
  void cancel();
};

}  // namespace penstock
