// Content on its way to the client and into the cache.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "async/event.h"
#include "async/scope.h"
#include "async/task.h"
#include "cache/content.h"
#include "cache/fill.h"
#include "cache/stored_body.h"
#include "message/body.h"

namespace penstock {

// Who has a response filled.
class FillingOwner {
 public:
  // The content is complete, or has failed: it is no longer than it was, and never will be.
  virtual void on_filled(bool complete) = 0;

 protected:
  ~FillingOwner() = default;
};

// Fills a stored response with the content of the one that comes from the origin. As long as only
// its own client reads it, what that takes is stored on the way: the client's pace is the origin's.
// Once others read it too, or its client has gone, it is pulled as fast as it comes, and the client
// reads what is stored. Belongs to one thread.
class Filling {
 public:
  // `source` and `owner` must outlive this. `into`: the part of `response` that grows, up to
  // `limit` bytes. `fill`: null where nobody else waits for it.
  Filling(FillingOwner& owner, std::shared_ptr<StoredResponse> response,
          std::shared_ptr<Content> into, BodySource& source, std::shared_ptr<Fill> fill,
          std::shared_ptr<WorkerGate> gate, std::uint64_t limit);
  // finish() was awaited, if begin() or pump() was called.
  ~Filling();
  Filling(const Filling&) = delete;
  Filling& operator=(const Filling&) = delete;

  // All that is there already: a small response is complete before a byte of it is sent.
  void take_ready();
  // For the client: what comes from the origin, passed on as it is.
  [[nodiscard]] BodySource& body() { return tee_; }
  // The client is about to read body(): from now on others are noticed that read along. The tasks
  // that it takes belong to the context.
  void begin(TaskContext& context);
  // It is pulled from now on, whoever reads it. body() is not for the client then.
  void pump(TaskContext& context);
  // Bytes that are still to come, where that is known.
  [[nodiscard]] std::optional<std::uint64_t> remaining() const { return source_.remaining(); }
  [[nodiscard]] bool growing() const { return into_->state() == Content::State::growing; }
  [[nodiscard]] const std::shared_ptr<StoredResponse>& response() const { return response_; }
  // Waits for the end of it if it is `worth` that, else gives up what is not complete.
  Task<void> finish(bool worth);

 private:
  class Tee final : public BodySource {
   public:
    explicit Tee(Filling& filling) : filling_(&filling) {}
    Slice take_ready() override;
    Task<Result<Slice>> next() override;
    [[nodiscard]] bool at_end() const override;
    [[nodiscard]] std::optional<std::uint64_t> remaining() const override;
    [[nodiscard]] FieldSection* trailers() override { return filling_->source_.trailers(); }

   private:
    Filling* filling_;
  };

  void keep(const Slice& slice);
  void note_end();
  void end(bool complete);
  Task<void> run_pump();
  Task<void> watch();
  [[nodiscard]] StoredBody& stored_body();

  FillingOwner& owner_;
  std::shared_ptr<StoredResponse> response_;
  std::shared_ptr<Content> into_;
  BodySource& source_;
  std::shared_ptr<Fill> fill_;
  std::shared_ptr<WorkerGate> gate_;
  const std::uint64_t limit_;
  Tee tee_{*this};
  Slice first_;               // taken before the client asked
  std::uint64_t passed_ = 0;  // to the client
  bool pulling_ = false;      // the tee waits for the source
  bool pumped_ = false;
  Event pulled_;
  std::optional<StoredBody> stored_body_;
  std::optional<Scope> scope_;
};

}  // namespace penstock
