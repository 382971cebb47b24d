#include "adapt/substitute_body.h"

#include <algorithm>
#include <utility>

namespace penstock {
namespace {

// A millisecond or two, of expressions.
constexpr std::size_t kWorkATurn = 512 * 1024;
// Looked at together.
constexpr std::size_t kLargestPiece = 64 * 1024;
// How much of a piece is joined with what was held back, to begin with: mostly little is needed.
constexpr std::size_t kFirstJoin = 64;
// What is shorter is copied: a slice of its own costs a sender more.
constexpr std::size_t kWorthSharing = 1024;

}  // namespace

SubstituteBody::SubstituteBody(BodySource& source, std::shared_ptr<const SubstitutionRules> rules)
    : TransformBody(source, kWorkATurn), rules_(std::move(rules)), states_(rules_->size()) {
  look_at_active();
}

void SubstituteBody::look_at_active() {
  looks_behind_ = false;
  for (std::size_t i = 0; i < states_.size(); ++i) {
    looks_behind_ = looks_behind_ || (states_[i].active && (*rules_)[i].looks_behind());
  }
  undecided_.reset();
}

bool SubstituteBody::drained() const {
  return finished_ && next_run_ == runs_count_ && output_.pending() == 0;
}

Result<Slice> SubstituteBody::transform(Slice& input, Supply supply) {
  const bool ended = supply == Supply::ended;
  while (!turn_over()) {
    Slice slice = next_output();
    if (!slice.empty()) return slice;
    if (!get_text(input, ended)) break;
    proceed(ended && all_of_piece());
  }
  if (turn_over() || supply == Supply::more) return Slice();
  Slice slice = output_.take();
  if (slice.empty()) output_.rest();
  return slice;
}

// --- The text.

// A text with something in it to be searched; false when more input is needed for that.
bool SubstituteBody::get_text(Slice& input, bool ended) {
  if (finished_) return false;
  if (!searched_) return true;
  if (!all_of_piece()) {
    if (!go_in_place()) join(3 * joined_);
  } else if (!input.empty()) {
    keep_undecided();
    const std::size_t size = std::min(input.size(), kLargestPiece);
    piece_ = Slice(input.owner(), input.view().substr(0, size));
    input.remove_prefix(size);
    if (!go_in_place()) join(kFirstJoin);
  } else if (!ended) {
    keep_undecided();
    return false;
  }
  searched_ = false;
  undecided_.reset();
  return true;
}

void SubstituteBody::join(std::size_t bytes) {
  const std::string_view more = piece_.view().substr(joined_, bytes);
  joint_ += more;
  joined_ += more.size();
}

// From here on the piece itself can be the text.
bool SubstituteBody::go_in_place() {
  const std::size_t start = piece_start();
  const bool seen_behind = place_ > start || base_ + start == 0;
  if (emitted_ < start || (looks_behind_ && !seen_behind)) return false;
  base_ += start;
  emitted_ -= start;
  place_ -= start;
  joint_.clear();
  joined_ = 0;
  in_place_ = true;
  return true;
}

// Of a text that was searched, what the next one begins with.
void SubstituteBody::keep_undecided() {
  const std::size_t keep = looks_behind_ && emitted_ > 0 ? emitted_ - 1 : emitted_;
  if (in_place_) {
    joint_ = text().substr(keep);
  } else {
    joint_.erase(0, keep);
  }
  base_ += keep;
  emitted_ -= keep;
  place_ -= keep;
  piece_ = Slice();
  joined_ = 0;
  in_place_ = false;
}

// --- Matches.

// One match more, or all up to where it is not decided yet. `last`: nothing follows the text.
void SubstituteBody::proceed(bool last) {
  find_undecided(last);
  std::optional<Choice> choice;
  if (!choose(choice)) return;
  if (choice) return replace(*choice);
  place_ = std::max(place_, *undecided_);
  emit(std::min(place_, text().size()));
  searched_ = true;
  finished_ = last;
}

void SubstituteBody::find_undecided(bool last) {
  if (undecided_ && place_ <= *undecided_) return;
  undecided_ = last ? text().size() + 1 : text().size();
  if (last) return;
  for (std::size_t i = 0; i < states_.size(); ++i) {
    if (!states_[i].active) continue;
    undecided_ = std::min(*undecided_, (*rules_)[i].undecided_from(text(), place_));
  }
}

// The first match, and of several the one of the first rule. False when the search has to go on in
// another turn.
bool SubstituteBody::choose(std::optional<Choice>& choice) {
  std::size_t to = *undecided_;
  for (std::size_t i = 0; i < states_.size() && place_ < to; ++i) {
    RuleState& state = states_[i];
    if (!state.active) continue;
    if (!search(state, (*rules_)[i], to)) return false;
    if (!state.match || state.match->start - base_ >= to) continue;
    to = state.match->start - base_;
    choice = Choice{.rule = i, .match = {.start = to, .end = state.match->end - base_}};
  }
  return true;
}

// Finds the rule's first match from the place on, if it begins before `to`. False when the search
// has to go on in another turn.
bool SubstituteBody::search(RuleState& state, const CompiledRule& rule, std::size_t to) {
  const auto forbidden = [this](const TextMatch& match) {
    return match.empty() && match.start == no_empty_match_at_;
  };
  if (state.match && (state.match->start < base_ + place_ || forbidden(*state.match))) {
    if (forbidden(*state.match)) state.searched_to = state.match->start + 1;
    state.match.reset();
  }
  while (!state.match) {
    const std::uint64_t from = std::max(base_ + place_, state.searched_to) - base_;
    if (from >= to) return true;
    if (turn_over()) return false;
    const CompiledRule::Search found = rule.find(text(), from, to);
    spend(found.work);
    state.searched_to = base_ + found.searched_to;
    if (!found.match) continue;
    const TextMatch match{.start = base_ + found.match->start, .end = base_ + found.match->end};
    if (forbidden(match)) {
      state.searched_to = match.start + 1;
    } else {
      state.match = match;
    }
  }
  return true;
}

void SubstituteBody::replace(const Choice& choice) {
  const CompiledRule& rule = (*rules_)[choice.rule];
  const TextMatch& match = choice.match;
  emit(match.start);
  replacement_.clear();
  rule.append_replacement(text(), match, replacement_);
  add_run(Slice(replacement_), true);
  emitted_ = match.end;
  place_ = match.empty() ? match.end + 1 : match.end;
  if (!match.empty()) no_empty_match_at_ = base_ + match.end;
  ++replaced_;
  if (rule.once()) {
    states_[choice.rule].active = false;
    look_at_active();
  }
}

// --- What comes of it.

// The text up to there goes out as it is.
void SubstituteBody::emit(std::size_t to) {
  const std::size_t start = piece_start();
  if (emitted_ < start) {
    const std::size_t end = std::min(to, start);
    add_run(Slice(text().substr(emitted_, end - emitted_)), true);
    emitted_ = end;
  }
  if (emitted_ < to) {
    const std::string_view run = piece_.view().substr(emitted_ - start, to - emitted_);
    add_run(Slice(piece_.owner(), run), run.size() < kWorthSharing);
    emitted_ = to;
  }
}

void SubstituteBody::add_run(Slice slice, bool must_copy) {
  if (slice.empty()) return;
  runs_[runs_count_++] = {.slice = std::move(slice), .must_copy = must_copy};
}

// Puts the runs out, until there is a slice to be handed out.
Slice SubstituteBody::next_output() {
  for (; next_run_ < runs_count_; ++next_run_) {
    Run& run = runs_[next_run_];
    if (!run.must_copy) {
      if (output_.pending() > 0) return output_.take();
      ++next_run_;
      return std::exchange(run.slice, Slice());
    }
    while (!run.slice.empty()) {
      if (output_.full()) return output_.take();
      run.slice.remove_prefix(output_.copy(run.slice.view()));
    }
    run.slice = Slice();
  }
  runs_count_ = 0;
  next_run_ = 0;
  return {};
}

}  // namespace penstock
