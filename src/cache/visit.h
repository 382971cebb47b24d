// One request's dealings with the cache: what a transaction asks it.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "async/maybe_task.h"
#include "cache/answer.h"
#include "cache/cache.h"
#include "cache/filling.h"
#include "cache/key.h"
#include "cache/rfc9111/cache_status.h"
#include "cache/rfc9111/directives.h"
#include "cache/rfc9111/reuse.h"
#include "cache/rfc9111/storing.h"
#include "message/body.h"
#include "message/framing.h"
#include "message/head.h"

namespace penstock {

// The arithmetic of RFC 9111 is in whole seconds.
[[nodiscard]] inline std::chrono::seconds whole_seconds(Duration duration) {
  return std::chrono::duration_cast<std::chrono::seconds>(duration);
}
[[nodiscard]] inline std::optional<std::chrono::seconds> whole_seconds(
    const std::optional<Duration>& duration) {
  if (!duration) return std::nullopt;
  return whole_seconds(*duration);
}

// How a rule treats queries. Views into the rule.
[[nodiscard]] inline QueryRules query_rules(const CacheRule& rule) {
  return {.ignore = rule.ignore_query, .sort = rule.sort_query, .ignored = rule.ignored_parameters};
}

// How Surrogate-Control names this cache.
inline constexpr std::string_view kSurrogateToken = "penstock";

// What is asked. All of it must outlive the visit.
struct CacheQuestion {
  const RequestHead* request = nullptr;  // as the client, and filters before the cache, have it
  bool has_content = false;
  CacheKeyParts key;  // `more` is filled in by the rule
  const CacheRule* rule = nullptr;
  bool refreshes = false;  // what is stored is to be validated, though it may be used
};

// What comes next.
enum class CacheStep : std::uint8_t {
  forward,      // the request goes to the origin
  answer,       // answer() is what the client gets
  unavailable,  // only-if-cached, and there is nothing: 504
};

// Asked first; then, where the request went to the origin, told what came of it. Belongs to one
// thread and one transaction, and stays where it is.
//
// A visit may lead a fill: others wait for the response that this one fetches. It lets them go
// where it ends without one.
class CacheVisit final : private FillingOwner {
 public:
  CacheVisit(const CacheWorker& worker, const CacheQuestion& question);
  ~CacheVisit();
  CacheVisit(const CacheVisit&) = delete;
  CacheVisit& operator=(const CacheVisit&) = delete;

  // Looks for a response that may be the answer (RFC 9111 section 4). Suspends while another
  // request for the same is under way, no longer than collapse_wait.
  MaybeTask<CacheStep> ask();
  // After `forward`: adds to the request what makes it validate what is stored, or ask for what is
  // missing of it, and tells that Surrogate-Control is understood, if it is.
  void prepare(RequestHead& request);
  // The request is about to be sent.
  void note_sent() { times_.request_time = worker_.now(); }

  // The response's head is there, filters before the cache have had their say. `forward`: it goes
  // on to the client, its body that of body_of(); `answer`: the client gets answer(), and the
  // response's own body has been taken over, or is not wanted (see drops_response()).
  [[nodiscard]] CacheStep receive(ResponseHead& response, BodySource& body, const Framing& framing);
  // What holds for the response, other than was known when it was asked; null: nothing.
  void use_rule(const CacheRule* rule);
  // There is no response. True: answer() is what the client gets, stale as it is.
  [[nodiscard]] bool rescue();
  // After receive() gave `forward`: the body to send on, which may also fill the cache. Tasks that
  // it takes belong to the context.
  [[nodiscard]] BodySource& body_of(BodySource& body, TaskContext& context);
  // After receive() gave `answer`: nothing of the response's body is read. Else it is read by the
  // tasks that this begins in the context, whoever gets it.
  [[nodiscard]] bool drops_response() const { return !filling_; }
  void begin_reading(TaskContext& context) { filling_->pump(context); }

  [[nodiscard]] CacheAnswer& answer() { return answer_; }
  // The stored response is to be validated in the background; true once for one that should do it.
  [[nodiscard]] bool wants_refresh() const { return wants_refresh_; }

  // Where others wait for what is fetched, or little is missing: it is worth being finished though
  // the client has gone.
  [[nodiscard]] bool worth_finishing() const;
  // Waits until the content is complete, if it is being stored and `worth` it; else gives it up.
  // To be awaited before the response's body goes away.
  Task<void> finish(bool worth);

  // Appends Cache-Status, as it stands now.
  void write_status(FieldSection& fields) const;
  // For the log: "hit", "stale", "validated", "miss", "bypass", "collapsed".
  [[nodiscard]] std::string_view result() const { return result_; }
  // And why: a token.
  [[nodiscard]] std::string_view why() const { return why_; }

 private:
  [[nodiscard]] bool may_be_asked();
  void make_key();
  [[nodiscard]] CacheStep look();
  [[nodiscard]] CacheStep judge(std::shared_ptr<StoredResponse> stored);
  [[nodiscard]] bool take(const std::shared_ptr<StoredResponse>& stored, std::string_view result);
  [[nodiscard]] bool may_collapse() const;
  MaybeTask<CacheStep> lead_or_follow();
  Task<CacheStep> follow(std::shared_ptr<Fill> fill);
  [[nodiscard]] std::uint64_t fill_hash(const StoredResponse* coming) const;
  void keep_request();
  void announce_surrogate(FieldSection& fields) const;

  void invalidate(const ResponseHead& response);
  [[nodiscard]] CacheStep receive_not_modified(const ResponseHead& response);
  [[nodiscard]] bool serve_stale(rfc9111::OriginFailure failure);
  void receive_head_response(const ResponseHead& response);
  [[nodiscard]] CacheStep store(ResponseHead& response, BodySource& body, const Framing& framing);
  struct Judged;
  [[nodiscard]] CacheStep store_part(ResponseHead& response, BodySource& body,
                                     const Judged& judged);
  [[nodiscard]] CacheStep begin_filling(const FieldSection& fields, BodySource& body,
                                        const Judged& judged, StoredResponseInput input,
                                        std::shared_ptr<Content> content);
  [[nodiscard]] Judged judge_storing(const ResponseHead& response);
  [[nodiscard]] bool describe(const FieldSection& fields, const Judged& judged,
                              StoredResponseInput& input, FieldSection& kept);
  void collect_tags(const FieldSection& fields, StoredResponseInput& input) const;
  void on_filled(bool complete) override;
  void let_go(Fill::Stage stage);
  [[nodiscard]] CacheStep refuse(std::string_view why, bool for_all);
  [[nodiscard]] rfc9111::Lifetime lifetime_of(const ResponseHead& response,
                                              const rfc9111::Directives& directives, bool targeted);
  [[nodiscard]] rfc9111::ReusePolicy policy_of(const rfc9111::Directives& directives,
                                               const rfc9111::Lifetime& lifetime) const;
  [[nodiscard]] rfc9111::ReuseOptions reuse_options() const;

  const CacheWorker& worker_;
  const CacheSettings& settings_;
  const CacheQuestion question_;
  const RequestHead& request_;
  const CacheRule* rule_;
  Arena arena_;
  CacheKey key_;
  rfc9111::Directives wanted_;  // by the request
  rfc9111::Times times_;
  std::uint64_t last_invalidation_ = 0;  // before the request: later ones concern its response
  // The request as it was when the cache was asked: by that a response is selected later.
  RequestHead asked_;
  bool kept_ = false;
  std::shared_ptr<StoredResponse> stored_;  // that is there, but may not be used as it is
  bool validates_ = false;                  // the request asks whether that is still valid
  bool completes_ = false;                  // the request asks for what is missing of it
  rfc9111::RangeSpec missing_;
  std::shared_ptr<Fill> fill_;  // that this one leads
  std::uint64_t fill_hash_ = 0;
  std::shared_ptr<Fill> followed_;
  CacheAnswer answer_;
  std::optional<Filling> filling_;
  std::shared_ptr<StoredResponse> filled_;
  bool combined_ = false;   // of what was stored and what comes
  bool asked_for_ = false;  // the cache has a say in the response
  bool wants_refresh_ = false;
  bool is_stored_ = false;
  bool collapsed_ = false;
  rfc9111::ForwardReason forward_ = rfc9111::ForwardReason::bypass;
  int forward_status_ = 0;
  std::string_view result_ = "bypass";
  std::string_view why_;
};

}  // namespace penstock
