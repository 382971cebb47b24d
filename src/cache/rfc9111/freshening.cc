#include "cache/rfc9111/freshening.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "cache/rfc9111/vary.h"
#include "message/framing.h"

namespace penstock::rfc9111 {
namespace {

bool is_named(const FieldSection& fields, FieldId id, std::string_view name) {
  bool found = false;
  for (const Field& field : fields) {
    if (field.id != id) continue;
    for_each_element(field.value, [&](std::string_view element) {
      found = found || equals_ignoring_case(element, name);
    });
  }
  return found;
}

bool same_name(const Field& a, const Field& b) {
  return a.id == b.id && (a.id != FieldId::other || equals_ignoring_case(a.name, b.name));
}

const Field* find_same(const FieldSection& fields, const Field& field) {
  return field.id == FieldId::other ? fields.find(field.name) : fields.find(field.id);
}

// Marks all for which `predicate` holds; true if there are any.
template <class Predicate>
bool mark_all(std::span<FreshenCandidate> candidates, Predicate predicate) {
  bool any = false;
  for (FreshenCandidate& one : candidates) {
    one.freshened = predicate(one.validators);
    any = any || one.freshened;
  }
  return any;
}

// Marks the most recent one for which it holds; true if there is one.
template <class Predicate>
bool mark_latest(std::span<FreshenCandidate> candidates, Predicate predicate) {
  FreshenCandidate* latest = nullptr;
  for (FreshenCandidate& one : candidates) {
    one.freshened = false;
    if (predicate(one.validators) && (latest == nullptr || one.date > latest->date)) latest = &one;
  }
  if (latest != nullptr) latest->freshened = true;
  return latest != nullptr;
}

Freshening freshened_by_tag(std::span<FreshenCandidate> candidates, const EntityTag& tag) {
  if (mark_all(candidates, [&](const Validators& one) {
        return one.etag && matches_strongly(*one.etag, tag);
      })) {
    return Freshening::strong;
  }
  if (mark_latest(candidates, [&](const Validators& one) {
        return one.etag && matches_weakly(*one.etag, tag);
      })) {
    return Freshening::weak;
  }
  return Freshening::none;
}

// Only those that the answer's tag, if it has one, says nothing about.
Freshening freshened_by_date(std::span<FreshenCandidate> candidates, const Validators& answer) {
  const auto same = [&](const Validators& one) {
    return !(one.etag && answer.etag) && one.last_modified == answer.last_modified;
  };
  if (answer.strong_last_modified() && mark_all(candidates, [&](const Validators& one) {
        return same(one) && one.strong_last_modified();
      })) {
    return Freshening::strong;
  }
  return mark_latest(candidates, same) ? Freshening::weak : Freshening::none;
}

bool names_another_tag(const FieldSection& stored, const FieldSection& answer) {
  const auto ours = validators_of(stored).etag;
  const auto theirs = validators_of(answer).etag;
  return ours && theirs && !matches_weakly(*ours, *theirs);
}

// Which fields of an answer come in the place of stored ones.
class Taking {
 public:
  Taking(const FieldSection& stored, const FieldSection& answer)
      : answer_(answer),
        stored_has_etag_(stored.has(FieldId::etag)),
        another_tag_(names_another_tag(stored, answer)) {}

  [[nodiscard]] bool takes(const Field& field) const {
    if (stays_as_stored(field)) return false;
    // A tag is that of the stored octets, if there is one; one that is weak here only, too.
    if (field.id == FieldId::etag) return !stored_has_etag_;
    if (field.id == FieldId::last_modified) return !another_tag_;
    return field.id != FieldId::other || !is_named(answer_, FieldId::connection, field.name);
  }

 private:
  const FieldSection& answer_;
  bool stored_has_etag_;
  bool another_tag_;
};

}  // namespace

std::string_view to_string(Freshening freshening) {
  switch (freshening) {
    case Freshening::strong:
      return "strong";
    case Freshening::weak:
      return "weak";
    case Freshening::asked:
      return "asked";
    case Freshening::contradicted:
      return "contradicted";
    case Freshening::none:
      return "none";
  }
  return {};
}

Freshening choose_freshened(std::span<FreshenCandidate> candidates, const Validators& answer,
                            bool client_tags_sent) {
  for (FreshenCandidate& one : candidates) one.freshened = false;
  Freshening by = Freshening::none;
  if (answer.etag) by = freshened_by_tag(candidates, *answer.etag);
  if (by == Freshening::none && answer.last_modified) by = freshened_by_date(candidates, answer);
  if (by != Freshening::none) return by;
  if (candidates.size() != 1 || client_tags_sent) return Freshening::none;
  candidates.front().freshened = true;
  return answer.empty() ? Freshening::asked : Freshening::contradicted;
}

HeadEffect effect_of_head(const Validators& stored, std::optional<std::uint64_t> stored_length,
                          const ResponseHead& answer) {
  if (answer.status != 200) return HeadEffect::none;
  const Validators now = validators_of(answer.fields);
  if (now.etag && (!stored.etag || stored.etag->text != now.etag->text)) {
    return HeadEffect::make_stale;
  }
  if (now.last_modified && stored.last_modified != now.last_modified) return HeadEffect::make_stale;
  if (now.empty() && !stored.empty()) return HeadEffect::make_stale;
  if (stored.etag && !now.etag) return HeadEffect::make_stale;
  const auto framing = content_length(answer.fields);
  if (!framing) return HeadEffect::make_stale;
  if (framing->kind == BodyKind::length) {
    const bool same =
        stored_length ? *stored_length == framing->length : same_strong_validator(stored, now);
    if (!same) return HeadEffect::make_stale;
  }
  return HeadEffect::update;
}

bool stays_as_stored(const Field& field) {
  if (is_hop_by_hop(field.id)) return true;
  if (field.id == FieldId::content_length || field.id == FieldId::content_encoding) return true;
  constexpr std::array<std::string_view, 5> kAboutOctets{"Content-Range", "Content-MD5", "Digest",
                                                         "Content-Digest", "Repr-Digest"};
  return std::ranges::any_of(
      kAboutOctets, [&](std::string_view name) { return equals_ignoring_case(field.name, name); });
}

MergedFields merge_fields(const FieldSection& stored, const FieldSection& answer) {
  const Taking taking(stored, answer);
  MergedFields merged;
  const auto add = [&](const Field& field) {
    merged.fields.add(field.id, field.name, field.value);
  };
  const auto replaced = [&](const Field& field) {
    const Field* const by = find_same(answer, field);
    return by != nullptr && taking.takes(*by);
  };
  for (const Field& field : stored) {
    if (!replaced(field)) {
      if (field.id != FieldId::age && field.id != FieldId::date) add(field);
    } else if (find_same(stored, field) == &field) {
      for (const Field& line : answer) {
        if (same_name(line, field)) add(line);
      }
    }
  }
  for (const Field& field : answer) {
    if (taking.takes(field) && find_same(stored, field) == nullptr) add(field);
  }
  merged.vary_changed =
      answer.has(FieldId::vary) && parse_vary(stored) != parse_vary(merged.fields);
  return merged;
}

}  // namespace penstock::rfc9111
