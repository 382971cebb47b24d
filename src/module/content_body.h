// A message's content on its way through a module, and content that a module makes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "adapt/content_fields.h"
#include "adapt/filter.h"
#include "module/transaction.h"

namespace penstock {

// Shows each piece to the module before it passes. Does not ask for the next one before the module
// is done with this one. A failure of the module ends it, or lets the rest pass as it is, as the
// filter's policy has it.
class ContentBody final : public OwnBody {
 public:
  // All must outlive it. `may_change`: the module has said so, else what it writes is its failure.
  ContentBody(ModuleTransaction& transaction, BodySource& source, AdaptPoint point,
              bool may_change);

  // The content is going to be that long; if it is not, the module has failed.
  void promise(std::uint64_t length) {
    promised_ = length;
    check_promise();
  }

  Slice take_ready() override;
  Task<Result<Slice>> next() override;
  [[nodiscard]] bool at_end() const override;
  [[nodiscard]] std::optional<std::uint64_t> remaining() const override;
  // Without what they say of bytes that are other ones now.
  [[nodiscard]] FieldSection* trailers() override {
    FieldSection* const trailers = source_->trailers();
    if (changed_) note_changed_trailers(trailers);
    return trailers;
  }
  [[nodiscard]] Run run(std::uint64_t at_least) override;
  void moved(std::uint64_t bytes, bool ended) override { source_->moved(bytes, ended); }

  // What has come of looking at content while the head is held back.
  enum class Seen : std::uint8_t {
    enough,   // the head may go, and the content after it
    answer,   // the module gives an answer, which has been begun
    refused,  // it has failed, and nothing may pass; or the transaction was cancelled
  };
  // For a head that is held back: pulls until there is content to pass on, or all has been seen. A
  // body that breaks is for whoever pulls it afterwards to find out.
  Task<Seen> prime(AdaptedMessage& message);

 private:
  enum class Phase : std::uint8_t {
    looking,    // pieces are shown to the module
    waiting,    // it takes time over the present one
    completed,  // it has seen all
    passing,    // it wants no more, or has failed: all passes
    failed,
  };
  [[nodiscard]] Slice take_written();
  [[nodiscard]] bool has_ready() const { return !first_.empty() || next_ < ready_.size(); }
  [[nodiscard]] bool waits_for_end() const;
  // Each shows a piece, or the end, to the module. `passing` afterwards: see above.
  void show(Slice slice);
  void show_end();
  void go_on_without();
  // False: cancelled.
  Task<bool> wait();
  Task<void> work();
  [[nodiscard]] Side side() const { return is_request(point_) ? Side::client : Side::server; }
  void begin(ModuleEvent event);
  void settle(int returned);
  void give_up(std::string_view reason);
  void fail_with(std::string_view reason);
  void write_piece(Slice slice);
  Slice pass(Slice slice);
  void check_promise();

  ModuleTransaction* transaction_;
  Moment* moment_;
  BodySource* source_;
  AdaptPoint point_;
  ModuleEvent body_event_;
  ModuleEvent complete_event_;
  bool may_change_;
  bool changed_ = false;
  std::optional<std::uint64_t> promised_;
  std::uint64_t made_ = 0;          // bytes that were put into `ready_`, or passed
  AdaptedMessage* held_ = nullptr;  // the one whose head is held back
  bool answered_ = false;
  Phase phase_ = Phase::looking;
  // The module has a piece, or the end, and takes time over it.
  bool working_ = false;
  Event done_;
  Result<int> returned_ = 0;
  // To be handed out, `first_` first.
  Slice first_;
  Slices ready_;
  std::size_t next_ = 0;
  std::optional<Error> error_;
};

// The content of an answer that a module streams: asked for as the client takes it.
class AnswerBody final : public OwnBody {
 public:
  // Must outlive it.
  explicit AnswerBody(ModuleTransaction& transaction) : transaction_(&transaction) {}

  Slice take_ready() override;
  Task<Result<Slice>> next() override;
  [[nodiscard]] bool at_end() const override { return ended_ && next_ == ready_.size(); }
  [[nodiscard]] std::optional<std::uint64_t> remaining() const override { return std::nullopt; }

 private:
  ModuleTransaction* transaction_;
  bool ended_ = false;
  Slices ready_;
  std::size_t next_ = 0;
};

}  // namespace penstock
