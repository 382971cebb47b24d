// One request to an ICAP server and its answer: the message goes there, and what the server makes
// of it comes back, at the same time (RFC 3507 sections 4.5 to 4.9).
#pragma once

#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <string_view>

#include "adapt/filter.h"
#include "async/event.h"
#include "async/scope.h"
#include "http1/body_reader.h"
#include "http1/message_writer.h"
#include "icap/adapted_head.h"
#include "icap/problem.h"
#include "icap/quirks.h"
#include "icap/request_head.h"
#include "icap/response_head.h"
#include "icap/virgin_body.h"
#include "upstream/lease.h"

namespace penstock::icap {

struct ExchangeLimits {
  // The longest time in which neither side gets on.
  Duration stall = std::chrono::seconds(30);
  // That in which the server, when it has all it is to get for now, says nothing; zero: as above.
  Duration answer = Duration::zero();
  http1::HeadLimits icap_head{.head = std::size_t{64} * 1024, .start_line = 0, .fields = 200};
  http1::HeadLimits http_head;
  http1::ChunkLimits chunks{.keep_last_extensions = true};
};

// What the server has made of the message.
enum class Verdict : std::uint8_t {
  unmodified,  // it stays as it was: 204, or what comes to the same
  adapted      // there is an adapted head, and perhaps content
};

// Why there is no verdict, or why adapted content breaks off.
enum class Fault : std::uint8_t {
  unsendable,    // the message can't be put into a request
  source,        // the message itself broke off
  cancelled,     // nobody wants it any more
  connection,    // the connection could not be had, or broke
  timed_out,     // nothing moved for too long
  malformed,     // an answer that can't be understood
  status,        // a status that is none of those
  not_kept,      // the message is to stay as it was, and is not there any more
  wrong_length,  // content is not as long as its head says
  down,          // the service is known not to work
  overloaded,    // no connection is free, and none may be opened
  too_large,     // the message is larger than the service is to get
  no_method,     // it does not offer what is asked of it
  too_late       // it is to be another message, and part of it is with the client already
};

struct Failure {
  Fault fault = Fault::connection;
  Problem problem = Problem::none;  // of `malformed` and `unsendable`, where there is more to say
  int status = 0;                   // of `status`
  Error error{};                    // of `connection` and `source`
  // A connection that had served others was at its end, and nothing of an answer had come: another
  // one may be tried.
  bool was_stale = false;
  // There was an adapted head, and something of the content it announces: what the server has begun
  // to say is not to be passed over.
  bool had_begun = false;
};

// In words, for logs: "the answer ends too early". Static text.
[[nodiscard]] std::string_view to_string(const Failure& failure);

// Told when adapted content breaks off.
class ExchangeOwner {
 public:
  virtual void on_broken(const Failure& failure) = 0;

 protected:
  ~ExchangeOwner() = default;
};

// Sends a message and reads the answer; then it is the adapted content, pulled from the connection.
// Three parts run side by side: what is sent is pulled from the virgin body, what is received is
// pulled by who gets it, and the verdict alone couples them (see docs/architecture.md). Belongs to
// one thread. While its writer runs it must not be destroyed: see see_writer_off().
class Exchange final : public OwnBody {
 public:
  // All must outlive it. `virgin`: the content, at its beginning; null where there is none.
  // `owner`: may be null.
  Exchange(Lease lease, VirginBody* virgin, const ExchangeLimits& limits, Executor& executor,
           ExchangeOwner* owner);
  ~Exchange() override;

  // Up to the verdict; an adapted head is there then, and the first of its content, if there is
  // any. `request.has_body` says whether there is content. After a failure abandon() is to be
  // awaited. What `request` points to must stay until then. To be called once.
  Task<std::expected<Verdict, Failure>> ask(const IcapRequest& request);
  // After `unmodified`: ends the writer, and gives the connection back if its state allows that.
  // The virgin body is then at its beginning again; false: it could not be kept, after all.
  Task<bool> leave();
  // After a failure: ends the writer and closes the connection. The virgin body is where it was.
  Task<void> abandon();
  // The writer still runs, as content is adapted while it is sent.
  [[nodiscard]] bool is_writing() const { return writing_.running() > 0; }
  // Waits for the end of the writer, and ends it when cancelled itself.
  static Task<void> see_writer_off(Exchange& exchange);

  // The head of the ICAP answer; of use after ask().
  [[nodiscard]] const IcapResponse& response() const { return response_; }
  // After `adapted`. May be moved from.
  [[nodiscard]] AdaptedHead& head() { return *head_; }
  // Whether content comes with it; if not, this is at its end.
  [[nodiscard]] bool has_content() const { return body_.has_value(); }
  // How long it is going to be, where the head says so.
  [[nodiscard]] std::optional<std::uint64_t> length() const { return length_; }
  [[nodiscard]] Quirks quirks() const { return quirks_; }
  // Why the content broke off, where it did.
  [[nodiscard]] const std::optional<Failure>& failure() const { return failure_; }
  [[nodiscard]] std::uint64_t bytes_sent() const { return outgoing_.sent; }
  // Of heads and adapted content.
  [[nodiscard]] std::uint64_t bytes_received() const;
  [[nodiscard]] bool reused() const { return reused_; }

  // The adapted content, with what follows of the original (206). Errors are of kind `adaptation`,
  // or those of the virgin body where that breaks.
  Slice take_ready() override;
  Task<Result<Slice>> next() override;
  [[nodiscard]] bool at_end() const override { return phase_ == Phase::ended; }
  [[nodiscard]] std::optional<std::uint64_t> remaining() const override;
  [[nodiscard]] FieldSection* trailers() override;

 private:
  enum class Writer : std::uint8_t { idle, sending, paused, done, failed };
  enum class Phase : std::uint8_t { adapted, original, ended, failed };

  using Step = std::expected<void, Failure>;
  static Task<void> write(Exchange& exchange, Slice heads, std::optional<std::uint64_t> preview);
  Task<Result<void>> send(Slice heads, std::optional<std::uint64_t> preview);
  Task<std::expected<Verdict, Failure>> read_verdict(const IcapRequest& request);
  Task<Step> read_final_head(const IcapRequest& request);
  Task<Step> read_head();
  // Some bytes more into the connection's input.
  Task<Step> read_more();
  // When the server has had its time, as it is now.
  [[nodiscard]] TimePoint patience() const;
  // A 100 has come. False: one too many.
  bool take_continue(const IcapRequest& request);
  [[nodiscard]] std::expected<Verdict, Failure> keep_virgin() const;
  Task<std::expected<Verdict, Failure>> take_adapted(const IcapRequest& request);
  Task<Step> read_adapted_head(const IcapRequest& request);
  // Adapted content that is here, or as soon as it is; empty at the end of what the server sends.
  Slice take_adapted_content();
  Task<std::expected<Slice, Failure>> next_adapted_content();
  [[nodiscard]] Failure failure_of(const Error& error) const;
  // What the server sends has ended; the original may follow.
  Task<Step> end_adapted_content();
  // All content has been handed out.
  Step end_content();
  // Content that is about to be handed out; not if it is more than there must be.
  Slice pass(Slice slice);
  std::unexpected<Error> break_off(const Failure& failure);
  // Gives the connection back where it can be used again, and nothing of it is in use.
  void settle();

  std::optional<Lease> lease_;
  VirginBody* virgin_;
  const ExchangeLimits* limits_;
  Executor* executor_;
  ExchangeOwner* owner_;
  Side side_ = Side::server;  // whose message it is
  const bool reused_;
  http1::Outgoing outgoing_;
  Scope writing_;
  std::optional<ChildContext> reading_;  // cancelled when the message breaks off
  Writer writer_ = Writer::idle;
  Event go_on_;  // after a preview: the server wants the rest
  Event writer_ended_;
  std::optional<Error> source_error_;
  TimePoint reads_since_{};  // that somebody waits for what the server writes
  bool answered_ = false;    // a byte of an answer has come
  bool skips_ = false;       // content that the message must not have
  int strays_ = 0;           // 100s that nobody asked for
  std::uint64_t heads_ = 0;  // bytes of heads that have come

  IcapResponse response_;
  std::optional<AdaptedHead> head_;
  std::optional<http1::BodyReader> body_;
  std::optional<std::uint64_t> length_;
  std::uint64_t received_ = 0;  // content handed out
  Slice first_;                 // content that has been read ahead
  Phase phase_ = Phase::ended;
  std::optional<Failure> failure_;
  Quirks quirks_;
};

}  // namespace penstock::icap
