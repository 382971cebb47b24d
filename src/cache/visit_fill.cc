// Filling the cache: whole responses, parts, and what becomes of them.
#include <algorithm>
#include <utility>

#include "cache/rfc9111/freshening.h"
#include "cache/rfc9111/ranges.h"
#include "cache/visit.h"
#include "message/status.h"

namespace penstock {
namespace {

constexpr int kOk = 200;

// Parts in their order, each reaching beyond the one before; what lies inside the new one goes.
void put_between(std::vector<StoredPart>& parts, const rfc9111::ByteSpan& span,
                 std::shared_ptr<Content> content) {
  std::erase_if(parts, [&span](const StoredPart& part) {
    return part.first >= span.first && part.first + part.content->size() <= span.end;
  });
  const auto behind = std::find_if(parts.begin(), parts.end(), [&span](const StoredPart& part) {
    return part.first > span.first;
  });
  parts.insert(behind, {.first = span.first, .content = std::move(content)});
}

std::optional<rfc9111::RangeSet> one_range(const rfc9111::RangeSpec& spec) {
  rfc9111::RangeSet set;
  set.add(spec);
  return set;
}

}  // namespace

// A part of a representation, alone or beside what is stored of it (RFC 9111 section 3.4).
CacheStep CacheVisit::store_part(ResponseHead& response, BodySource& body, const Judged& judged) {
  const auto sent = completes_ ? one_range(missing_) : rfc9111::range_of(asked_);
  const auto check = rfc9111::check_partial(response, sent);
  if (check.verdict != rfc9111::PartialVerdict::storable) return refuse("partial", false);
  const rfc9111::ByteSpan span = *check.range.span;
  if (span.size() > settings_.max_object) return refuse("too-large", false);
  if (!stored_) stored_ = worker_.cache->memory().find(key_, asked_.fields).response;

  auto content = std::make_shared<Content>(worker_.cache->account(), span.size());
  StoredResponseInput input{.status = kOk, .reason = reason_phrase(kOk)};
  const auto added = rfc9111::validators_of(response.fields);
  const bool fits = stored_ && !stored_->growing() &&
                    stored_->parts().size() < rfc9111::ByteSpans::kMaxSpans &&
                    rfc9111::may_combine(stored_->validators(), stored_->complete_length(), added,
                                         check.range.length);
  if (fits && stored_->whole()) return refuse("partial", false);
  if (!fits) {
    FieldSection fields;
    for (const Field& field : response.fields) {
      const bool of_part =
          field.id == FieldId::content_length || equals_ignoring_case(field.name, "Content-Range");
      if (!of_part) fields.add(field.id, field.name, field.value);
    }
    input.complete_length = check.range.length;
    input.parts.push_back({.first = span.first, .content = content});
    return begin_filling(fields, body, judged, std::move(input), std::move(content));
  }
  combined_ = completes_;
  input.parts.assign(stored_->parts().begin(), stored_->parts().end());
  put_between(input.parts, span, content);
  input.complete_length = check.range.length ? check.range.length : stored_->complete_length();
  auto merged = rfc9111::merge_fields(stored_->fields(), response.fields);
  return begin_filling(merged.fields, body, judged, std::move(input), std::move(content));
}

CacheStep CacheVisit::begin_filling(const FieldSection& fields, BodySource& body,
                                    const Judged& judged, StoredResponseInput input,
                                    std::shared_ptr<Content> content) {
  FieldSection kept;
  if (!describe(fields, judged, input, kept)) return refuse("vary-any", true);
  filled_ = std::make_shared<StoredResponse>(worker_.cache->account(), std::move(input));
  is_stored_ = true;
  why_ = {};
  if (fill_) fill_->become_known(filled_);
  filling_.emplace(static_cast<FillingOwner&>(*this), filled_, std::move(content), body, fill_,
                   worker_.gate, settings_.max_object);
  filling_->take_ready();
  // What the client asked for was kept from the origin, so it is answered here.
  const bool was_changed = validates_ || completes_;
  const bool has_wishes = asked_.fields.has(FieldId::if_none_match) ||
                          asked_.fields.has(FieldId::if_modified_since) ||
                          asked_.fields.has(FieldId::range);
  if (!combined_ && !(was_changed && has_wishes)) return CacheStep::forward;
  const rfc9111::ForwardReason forward = forward_;
  const bool taken = take(filled_, "miss");
  forward_ = forward;
  return taken ? CacheStep::answer : CacheStep::forward;
}

void CacheVisit::on_filled(bool complete) {
  is_stored_ = complete;
  if (complete) {
    const auto verdict = worker_.cache->invalidations().judge(*filled_);
    is_stored_ = verdict != Invalidations::Verdict::gone && worker_.cache->memory().put(filled_);
  }
  if (is_stored_) worker_.counters->count(CacheEvent::stored);
  let_go(Fill::Stage::go_alone);
}

BodySource& CacheVisit::body_of(BodySource& body, TaskContext& context) {
  if (!filling_) return body;
  filling_->begin(context);
  return filling_->body();
}

bool CacheVisit::worth_finishing() const {
  if (fill_ && fill_->followers() > 0) return true;
  if (!filling_ || !filling_->growing()) return false;
  const auto remaining = filling_->remaining();
  return remaining && *remaining <= settings_.finish;
}

Task<void> CacheVisit::finish(bool worth) {
  if (filling_) co_await filling_->finish(worth);
}

void CacheVisit::write_status(FieldSection& fields) const {
  if (!settings_.cache_status) return;
  rfc9111::CacheStatus status{.forward = forward_,
                              .forward_status = forward_status_,
                              .stored = is_stored_,
                              .collapsed = collapsed_,
                              .detail = why_};
  if (status.hit() && answer_.stored()) {
    const auto& stored = *answer_.stored();
    status.ttl = stored.reuse().lifetime - stored.age(worker_.now());
    status.detail = {};
  }
  if (status.detail == rfc9111::to_string(forward_)) status.detail = {};
  rfc9111::set_cache_status(fields, worker_.name, status);
}

}  // namespace penstock
