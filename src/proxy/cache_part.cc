#include "proxy/cache_part.h"

namespace penstock {

CacheRules::CacheRules(const std::vector<CacheRuleSettings>& settings) {
  entries_.reserve(settings.size());
  for (const CacheRuleSettings& one : settings) {
    entries_.push_back({.conditions = Conditions(one.conditions), .rule = &one.rule});
    need_response_ = need_response_ || entries_.back().conditions.need_message();
  }
}

const CacheRule* CacheRules::for_request(const RequestFacts& request) const {
  for (const Entry& entry : entries_) {
    if (!entry.conditions.need_message() && entry.conditions.match_request(request)) {
      return entry.rule;
    }
  }
  return nullptr;
}

const CacheRule* CacheRules::for_response(const RequestFacts& request,
                                          const MessageFacts& response) const {
  for (const Entry& entry : entries_) {
    if (entry.conditions.match_request(request) && entry.conditions.match_message(response)) {
      return entry.rule;
    }
  }
  return nullptr;
}

FetchContext::FetchContext(TaskContext& outer, const CacheVisit& visit)
    : TaskContext(outer.executor()), visit_(visit) {
  if (outer.cancelled()) {
    cancel();
  } else {
    outer.add(hook_);
  }
}

void FetchContext::on_outer_cancel() {
  if (visit_.worth_finishing()) {
    abandoned_ = true;
  } else {
    cancel();
  }
}

void CachePart::cancel() {
  ending = true;
  fetches.for_each([](FetchContext& fetch) { fetch.cancel(); });
}

}  // namespace penstock
