#include "cache/answer.h"

#include <charconv>
#include <utility>

#include "base/random.h"
#include "cache/rfc9111/conditions.h"
#include "message/status.h"

namespace penstock {
namespace {

constexpr int kPartialContent = 206;
constexpr int kRangeNotSatisfiable = 416;

rfc9111::ByteSpans spans_of(const StoredResponse& stored) {
  rfc9111::ByteSpans spans;
  for (const StoredPart& part : stored.parts()) {
    const std::uint64_t size = part.content->length().value_or(part.content->size());
    static_cast<void>(spans.add({part.first, part.first + size}));
  }
  return spans;
}

}  // namespace

bool CacheAnswer::make(std::shared_ptr<StoredResponse> stored, const RequestHead& request,
                       std::chrono::sys_seconds now, const std::shared_ptr<WorkerGate>& gate) {
  stored_ = std::move(stored);
  head_.fields.clear();
  const bool plain = !request.fields.has(FieldId::range) &&
                     !request.fields.has(FieldId::if_none_match) &&
                     !request.fields.has(FieldId::if_modified_since);
  if (plain && stored_->whole()) {
    take_all(gate);
  } else {
    const auto verdict =
        rfc9111::evaluate_conditions(request, {.status = stored_->status(),
                                               .validators = stored_->validators(),
                                               .received = stored_->times().response_time});
    if (verdict.verdict == rfc9111::Precondition::not_modified) {
      take_not_modified();
    } else {
      std::optional<rfc9111::RangeSet> ranges;
      if (stored_->status() == 200 && !verdict.ignore_range) ranges = rfc9111::range_of(request);
      if (!ranges && stored_->whole()) {
        take_all(gate);
      } else {
        const rfc9111::ByteSpans spans = spans_of(*stored_);
        const auto length = stored_->complete_length();
        auto decision = rfc9111::decide_range(ranges, {.spans = spans, .length = length});
        switch (decision.answer) {
          case rfc9111::RangeAnswer::whole:
            take_all(gate);
            break;
          case rfc9111::RangeAnswer::single:
            take_range(decision.spans.front(), gate);
            break;
          case rfc9111::RangeAnswer::multipart:
            take_ranges(std::move(decision.spans), gate);
            break;
          case rfc9111::RangeAnswer::unsatisfiable:
            take_unsatisfiable(length.value_or(0));
            break;
          case rfc9111::RangeAnswer::bytes_missing:
            missing_ = decision.missing;
            return false;
        }
      }
    }
  }
  char text[24];
  const auto age = stored_->age(now).count();
  const auto end = std::to_chars(std::begin(text), std::end(text), age).ptr;
  head_.fields.set(FieldId::age, head_.fields.keep({text, static_cast<std::size_t>(end - text)}));
  return true;
}

void CacheAnswer::set_status(int status) {
  head_.status = status;
  head_.reason = status == stored_->status() ? stored_->reason() : reason_phrase(status);
}

void CacheAnswer::copy_fields() {
  for (const Field& field : stored_->fields()) head_.fields.add(field.id, field.name, field.value);
}

void CacheAnswer::take_all(const std::shared_ptr<WorkerGate>& gate) {
  set_status(stored_->status());
  copy_fields();
  content_.emplace(stored_, gate);
  body_ = &*content_;
  const auto length = content_->remaining();
  if (never_has_content(head_.status)) {
    framing_ = {};
  } else if (length) {
    framing_ = {.kind = BodyKind::length, .length = *length};
    // For HEAD, where no framing tells it.
    if (!head_.fields.has(FieldId::content_length)) set_content_length(head_.fields, *length);
  } else {
    framing_ = {.kind = BodyKind::chunked};
  }
}

void CacheAnswer::take_not_modified() {
  rfc9111::make_not_modified(stored_->fields(), head_);
  head_.reason = reason_phrase(head_.status);
  framing_ = {};
  body_ = &none_;
}

void CacheAnswer::take_range(const rfc9111::ByteSpan& span,
                             const std::shared_ptr<WorkerGate>& gate) {
  set_status(kPartialContent);
  copy_fields();
  const std::string range =
      rfc9111::content_range_text({.span = span, .length = stored_->complete_length()});
  head_.fields.set("Content-Range", head_.fields.keep(range));
  set_content_length(head_.fields, span.size());
  content_.emplace(stored_, gate, span.first, span.size());
  body_ = &*content_;
  framing_ = {.kind = BodyKind::length, .length = span.size()};
}

void CacheAnswer::take_ranges(std::vector<rfc9111::ByteSpan> spans,
                              const std::shared_ptr<WorkerGate>& gate) {
  static thread_local Random random(
      hash_key(stored_->key()) ^
      static_cast<std::uint64_t>(stored_->times().response_time.time_since_epoch().count()));
  set_status(kPartialContent);
  copy_fields();
  ranges_.emplace(stored_, gate, std::move(spans), stored_->fields().value(FieldId::content_type),
                  stored_->complete_length().value_or(0),
                  std::array<std::uint64_t, 2>{random.next(), random.next()});
  head_.fields.remove("Content-Range");
  head_.fields.set(FieldId::content_type, head_.fields.keep(ranges_->content_type()));
  set_content_length(head_.fields, ranges_->size());
  body_ = &*ranges_;
  framing_ = {.kind = BodyKind::length, .length = ranges_->size()};
}

void CacheAnswer::take_unsatisfiable(std::uint64_t length) {
  set_status(kRangeNotSatisfiable);
  for (const Field& field : stored_->fields()) {
    if (field.id == FieldId::date || field.id == FieldId::via) {
      head_.fields.add(field.id, field.name, field.value);
    }
  }
  head_.fields.add(FieldId::other, "Content-Range",
                   head_.fields.keep(rfc9111::content_range_text({.span = {}, .length = length})));
  set_content_length(head_.fields, 0);
  framing_ = {.kind = BodyKind::length, .length = 0};
  body_ = &none_;
}

}  // namespace penstock
