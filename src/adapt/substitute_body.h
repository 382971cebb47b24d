// A body in which text is replaced while it is pulled.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "adapt/slab_writer.h"
#include "adapt/substitution_rules.h"
#include "adapt/transform_body.h"

namespace penstock {

// The bytes of another body, with what the rules say replaced; see SubstitutionRules for what that
// is. It does not depend on how the source is cut into slices.
//
// What cannot be part of a match is handed out at once; held back are only bytes at the end of what
// there is that may be the beginning of one, and at most the longest match. (Where an expression
// uses \C, or is very large, it is always so many.) Longer runs of bytes that are not changed are
// slices of the source's slices; what is short is copied together. It has no errors of its own.
class SubstituteBody final : public TransformBody {
 public:
  // `source` must outlive it.
  SubstituteBody(BodySource& source, std::shared_ptr<const SubstitutionRules> rules);

  // How many times something was replaced so far.
  [[nodiscard]] std::uint64_t replaced() const { return replaced_; }

 private:
  // What is known of the matches of one rule; places are counted from the beginning of the body.
  struct RuleState {
    bool active = true;
    std::uint64_t searched_to = 0;  // no match begins before that, other than the one
    std::optional<TextMatch> match;
  };
  // Bytes to be handed out, or to be copied.
  struct Run {
    Slice slice;
    bool must_copy = false;
  };
  struct Choice {
    std::size_t rule = 0;
    TextMatch match;
  };

  Result<Slice> transform(Slice& input, Supply supply) override;
  [[nodiscard]] bool drained() const override;

  [[nodiscard]] std::string_view text() const {
    return in_place_ ? piece_.view() : std::string_view(joint_);
  }
  // Where the piece begins in the text.
  [[nodiscard]] std::size_t piece_start() const { return in_place_ ? 0 : joint_.size() - joined_; }
  [[nodiscard]] bool all_of_piece() const { return in_place_ || joined_ == piece_.size(); }
  bool get_text(Slice& input, bool ended);
  void join(std::size_t bytes);
  bool go_in_place();
  void keep_undecided();

  void proceed(bool last);
  void find_undecided(bool last);
  bool choose(std::optional<Choice>& choice);
  bool search(RuleState& state, const CompiledRule& rule, std::size_t to);
  void replace(const Choice& choice);
  void look_at_active();
  void emit(std::size_t to);
  void add_run(Slice slice, bool must_copy);
  Slice next_output();

  std::shared_ptr<const SubstitutionRules> rules_;
  std::vector<RuleState> states_;
  bool looks_behind_ = false;  // one of the active rules does
  std::uint64_t replaced_ = 0;

  // The text is the piece, or what is left of the text before (with a byte more, for those that
  // look behind) joined with the beginning of the piece.
  Slice piece_;
  bool in_place_ = false;
  std::string joint_;
  std::size_t joined_ = 0;  // bytes of the piece in it
  std::uint64_t base_ = 0;  // place in the body of the text's first byte
  // In the text:
  std::size_t emitted_ = 0;  // up to here it was handed out or replaced
  std::size_t place_ = 0;    // the next one to be tried
  // The first one that cannot be tried yet; nothing while that is to be found out.
  std::optional<std::size_t> undecided_;
  std::uint64_t no_empty_match_at_ = std::numeric_limits<std::uint64_t>::max();
  bool searched_ = true;  // all up to `undecided_` is done
  bool finished_ = false;

  std::array<Run, 3> runs_;  // in order, those that are empty left out
  std::size_t runs_count_ = 0;
  std::size_t next_run_ = 0;
  std::string replacement_;
  SlabWriter output_;
};

}  // namespace penstock
