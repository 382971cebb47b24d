// The filters of a configuration, and what they do to one transaction.
#pragma once

#include <algorithm>
#include <cstdint>
#include <list>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "adapt/conditions.h"
#include "adapt/filter.h"
#include "adapt/note.h"
#include "adapt/settings.h"
#include "async/scope.h"
#include "base/log.h"

namespace penstock {

// A filter, with when it is asked and what becomes of its failures.
struct FilterPlace {
  std::unique_ptr<Filter> filter;
  const FilterSettings* settings;  // outlives it
  Conditions conditions{settings->conditions};
  Conditions unless{settings->unless};
  // Each message has to be looked at.
  bool choosy = conditions.need_message() || unless.need_message();
  // What the filter is asked about; with conditions of the response, nothing that comes before it.
  Interests interests = filter->interests() & ~(conditions.need_response() ? kBeforeResponse : 0);

  [[nodiscard]] bool is_meant(const RequestFacts& request) const {
    return conditions.match_request(request) && !unless.name_request(request);
  }
  [[nodiscard]] bool is_meant(const MessageFacts& message) const {
    return conditions.match_message(message) && !unless.name_message(message);
  }
};

// The filters of one worker, in the order in which they work. Transactions share it: it goes with
// the last one, when another configuration has taken its place.
class FilterSet {
 public:
  // `owner`: what the settings of the places belong to. `worker`: its number, which makes ids of
  // transactions unique. `log` may be null. Both it and the executor must outlive this.
  FilterSet(std::shared_ptr<const void> owner, std::vector<FilterPlace> places, unsigned worker,
            const Executor& executor, Log* log);

  [[nodiscard]] bool empty() const { return places_.empty(); }
  [[nodiscard]] std::span<const FilterPlace> places() const { return places_; }
  // One of them wants to hear of connections.
  [[nodiscard]] bool wants_connections() const { return wants_connections_; }
  [[nodiscard]] std::uint64_t next_id() { return ++last_id_; }
  [[nodiscard]] std::uint64_t last_id() const { return last_id_; }
  // No id up to this one is given again. 0: none was.
  void continue_after(std::uint64_t id) { last_id_ = std::max(last_id_, id); }
  // Of all who use what it belongs to it is the last.
  [[nodiscard]] bool is_last_user() const { return owner_.use_count() <= 1; }
  // Says in the log that a filter has failed; not more often than once a second for each, with how
  // many there were.
  void report(const FilterPlace& place, std::string_view where, std::string_view reason);

 private:
  struct Failures {
    TimePoint quiet_until{};
    std::uint64_t unsaid = 0;
  };
  std::shared_ptr<const void> owner_;
  std::vector<FilterPlace> places_;
  std::vector<Failures> failures_;
  bool wants_connections_ = false;
  const Executor* executor_;
  std::uint64_t last_id_;
  Log* log_;
};

// What came of asking all filters of a point.
enum class AdaptResult : std::uint8_t {
  go_on,
  answer,   // take_answer() is what the client gets
  refused,  // a filter failed that must not: the client gets an error response of failure_status();
            // or the transaction was cancelled meanwhile
};

// Whether a field of that name can be added to the access log: up to 64 letters, digits, "_".
[[nodiscard]] bool is_record_name(std::string_view name);

// The filters that have a say in one transaction, and what they keep for it. Bodies that they put
// around others live here: it must outlive who pulls them.
class Adaptation : public Pooled {
 public:
  // The filters whose conditions the request meets; null where there are none. `host` and `path` as
  // routes see them. All must outlive it.
  [[nodiscard]] static std::unique_ptr<Adaptation> begin(const std::shared_ptr<FilterSet>& set,
                                                         const TransactionFacts& facts,
                                                         const RequestHead& request,
                                                         std::string_view host,
                                                         std::string_view path);
  Adaptation(std::shared_ptr<FilterSet> set, const TransactionFacts& facts)
      : set_(std::move(set)), facts_(facts) {}
  Adaptation(const Adaptation&) = delete;
  Adaptation& operator=(const Adaptation&) = delete;
  ~Adaptation();

  [[nodiscard]] const TransactionFacts& facts() const { return facts_; }
  [[nodiscard]] bool wants(Interests some) const { return (interests_ & some) != 0; }
  // One of the filters wants to see responses that the proxy makes itself.
  [[nodiscard]] bool wants_own_responses() const;

  // The message, or choice, that filters are asked about next; stays until the next one.
  AdaptedMessage& begin_message(AdaptPoint point, RequestHead& request, ResponseHead* response,
                                BodySource& body, const Framing& framing) {
    return message_.emplace(*this, point, request, response, body, framing);
  }
  ConnectChoice& begin_choice() { return choice_.emplace(); }

  // Asks the filters, in their order, about a message at its point. Suspends as long as they do,
  // each for no longer than its time.
  MaybeTask<AdaptResult> run(AdaptedMessage& message);
  MaybeTask<AdaptResult> run_lookup(const AdaptedMessage& message, std::string_view result);
  MaybeTask<AdaptResult> run_connect(const AdaptedMessage& message, ConnectChoice& choice);
  void run_logged(RequestHead& request, ResponseHead* response, const RecordView& record);

  // The name of the route that takes the request now, and the host it is for: after a filter has
  // led it elsewhere. Conditions of filters that work on what goes to the server are about these.
  // Both must outlive this.
  void note_target(const RequestHead& request, std::string_view route, std::string_view host);
  // The server that the request was sent to; null: to none yet. Must outlive this.
  void note_server(const Address& server) { server_ = &server; }
  [[nodiscard]] const Address* server_address() const { return server_; }

  // After AdaptResult::answer. Lives as long as this.
  [[nodiscard]] FilterAnswer& answer() { return extra_->answers.back(); }
  // Of the filter that was not to fail, in a head or in content.
  [[nodiscard]] int failure_status() const { return failure_status_; }
  // The name of the filter that answered, or else of the last one that failed; empty: none has.
  [[nodiscard]] std::string_view decided_by() const { return decided_by_; }

  // For filters: adds a field to the transaction's line of the JSON access log. False: there are
  // too many, or is_record_name() says no.
  bool add_record_field(std::string_view name, std::string_view value);
  [[nodiscard]] std::span<const std::pair<std::string, std::string>> record_fields() const {
    if (!extra_) return {};
    return extra_->record_fields;
  }

  // For filters: adds an element, which is JSON, to a list of that name in that line. False: as
  // above.
  bool add_record_item(std::string_view name, std::string_view json);
  // Names, and elements with commas between them.
  [[nodiscard]] std::span<const std::pair<std::string, std::string>> record_lists() const {
    if (!extra_) return {};
    return extra_->record_lists;
  }

  // For filters: what one of them leaves for those that come after it in the transaction, by name;
  // a name that is there gets the new text. Few and small, or it is not kept.
  void leave_note(Note note);
  [[nodiscard]] std::span<const Note> notes() const {
    if (!extra_) return {};
    return extra_->notes;
  }

  // For filters: the Accept-Encoding that responses to the client go by, where that of the request
  // was changed for the server's sake. Must live as long as the request.
  void keep_accepted_codings(std::string_view accepted) { accepted_codings_ = accepted; }
  [[nodiscard]] std::optional<std::string_view> accepted_codings() const {
    return accepted_codings_;
  }

  // For bodies of filters: the filter whose state that is has failed over content. The error to end
  // the body with; nothing where the filter's policy lets the content pass as it is from here on,
  // which needs that nothing of it was `changed`.
  std::optional<Error> fail_content(const FilterState& state, AdaptPoint point,
                                    std::string_view reason, bool changed);
  // For bodies of filters without a state: that filter, one of the transaction's, has ended content
  // with an error, whatever its policy. It is said in the log, and decided_by() names it.
  void note_failure(const Filter& filter, AdaptPoint point, std::string_view reason);
  // For filters: that one has nothing more to do with the transaction; or it has failed and is left
  // out, whatever its policy.
  void leave(const FilterState& state);
  void drop(const FilterState& state);
  // For bodies of filters: starts a task that who pulls the body waits for, and that has to go on
  // when it stops waiting: a request whose upload was broken off may be sent again. What the task
  // uses must live as long as this.
  void start_work(Executor& executor, Task<void> task);
  // Ends what was started so. To be awaited, where something was, before this is destroyed, and
  // before the connection goes that a message which filters pull comes from. More may be started
  // after that.
  [[nodiscard]] bool has_work() const { return extra_ && extra_->work; }
  Task<void> end_work();
  // How long that filter may take for one piece of content.
  [[nodiscard]] Duration time_limit(const FilterState& state) const;

 private:
  friend class AdaptedMessage;
  struct Slot {
    const FilterPlace* place;
    bool meant;  // by the request conditions
    bool left = false;
    std::unique_ptr<FilterState> state = nullptr;
    [[nodiscard]] bool is_asked(Interests about) const {
      return meant && !left && (place->interests & about) != 0;
    }
    [[nodiscard]] bool is_asked(const AdaptedMessage& message) const {
      return is_asked(interest(message.point())) &&
             (!message.own() || place->settings->own_responses);
    }
  };
  [[nodiscard]] const Slot* slot_of(const FilterState& state) const;
  Slot* slot_of(const FilterState& state);
  // A filter has led the request elsewhere: the conditions of those that come after it are asked
  // again; `since`: the place of that filter.
  void look_again(const RequestHead& request, std::string_view host, std::size_t since);
  static void leave(Slot& slot);
  static void drop(Slot& slot);
  // What a filter's outcome means for the transaction.
  AdaptResult settle(Slot& slot, const FilterOutcome& outcome, std::string_view where,
                     bool cancelled);
  [[nodiscard]] bool is_meant(const FilterPlace& place, const AdaptedMessage& message) const;
  // What the filter has to say at once; nothing: it takes time.
  std::optional<FilterOutcome> start(Slot& slot, AdaptedMessage& message);
  // The rest of run(), from a filter that takes time.
  Task<AdaptResult> finish(AdaptedMessage& message, std::size_t at, bool looks);
  // Goes on with the filters from `at` on; `ask(slot)` asks one.
  template <class Ask>
  MaybeTask<AdaptResult> ask_from(std::size_t at, Interests about, std::string_view where, Ask ask);
  template <class Ask>
  Task<AdaptResult> wait_for(MaybeTask<FilterOutcome> slow, std::size_t at, Interests about,
                             std::string_view where, Ask ask);
  static Task<FilterOutcome> in_time(Task<FilterOutcome> work, Duration limit);
  // What most transactions have nothing of. It is apart so that the rest is small: as many as there
  // are transactions under way compete for the processor's cache.
  struct Extra : Pooled {
    std::list<FilterAnswer> answers;  // the last one counts
    std::vector<std::pair<std::string, std::string>> record_fields;
    std::vector<std::pair<std::string, std::string>> record_lists;
    std::size_t record_bytes = 0;
    std::vector<Note> notes;
    std::optional<Scope> work;
  };
  Extra& extra() {
    if (!extra_) extra_ = std::make_unique<Extra>();
    return *extra_;
  }

  std::shared_ptr<FilterSet> set_;
  TransactionFacts facts_;
  Interests interests_ = 0;
  std::vector<Slot, PoolAllocator<Slot>> slots_;
  OwnBodies bodies_;
  std::unique_ptr<Extra> extra_;
  const Address* server_ = nullptr;
  int failure_status_ = 0;
  std::string_view decided_by_;
  std::optional<std::string_view> accepted_codings_;
  std::optional<AdaptedMessage> message_;
  std::optional<ConnectChoice> choice_;
};

inline const TransactionFacts& AdaptedMessage::facts() const { return adaptation_->facts(); }

}  // namespace penstock
