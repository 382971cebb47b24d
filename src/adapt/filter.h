// The filter: the one way in which messages are looked at, changed and answered on their way.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "async/maybe_task.h"
#include "async/task.h"
#include "base/frame_pool.h"
#include "message/body.h"
#include "message/framing.h"
#include "message/head.h"
#include "net/address.h"
#include "server/client_info.h"

namespace penstock {

// Where a message can be adapted. Without a cache the two of a request follow each other, and so do
// those of a response.
enum class AdaptPoint : std::uint8_t {
  client_request,   // as the client sent it, before the cache is asked
  server_request,   // as it is going to be sent to a server
  server_response,  // as the server sent it, before it is stored
  client_response,  // as it is going to be sent to the client
};
[[nodiscard]] constexpr bool is_request(AdaptPoint point) {
  return point <= AdaptPoint::server_request;
}
// "client_request", ...
[[nodiscard]] std::string_view to_string(AdaptPoint point);

// What a filter wants to be asked about: the points, by their bits, and the moments below.
using Interests = std::uint32_t;
[[nodiscard]] constexpr Interests interest(AdaptPoint point) {
  return Interests{1} << static_cast<unsigned>(point);
}
inline constexpr Interests kConnectInterest = 1U << 4;     // a server is about to be chosen
inline constexpr Interests kLogInterest = 1U << 5;         // the transaction is over
inline constexpr Interests kLookupInterest = 1U << 6;      // the cache has been asked
inline constexpr Interests kConnectionInterest = 1U << 7;  // a client's connection begins
// All that comes before the response of a transaction.
inline constexpr Interests kBeforeResponse = interest(AdaptPoint::client_request) |
                                             interest(AdaptPoint::server_request) |
                                             kLookupInterest | kConnectInterest;

class AdaptedConnection;

// Who has the client that a request comes from.
class ContentOwner {
 public:
  // A filter is about to take content of the request before that goes anywhere. A client that waits
  // to hear whether content is welcome is told so (Expect: 100-continue, RFC 9110 section 10.1.1),
  // and the request does not ask anybody else. Suspends while that is sent.
  virtual Task<void> on_content_wanted() = 0;

 protected:
  ~ContentOwner() = default;
};

// What does not change during a transaction. Views and pointers outlive it.
struct TransactionFacts {
  std::uint64_t id = 0;       // unique while the process runs
  std::uint64_t request = 0;  // its number on the connection, from 1
  const ClientInfo* client = nullptr;
  const AdaptedConnection* connection = nullptr;  // null where no filter cares for connections
  std::string_view route = {};                    // its name
  Framing request_framing = {};                   // as the client sent it
  ContentOwner* owner = nullptr;                  // null: nobody needs to be told
  std::string_view login = {};                    // the client's Proxy-Authorization
  bool recorded = false;                          // an access log is written
  std::string_view host = {};                     // that the request is for, without port
};

// Memory of the thread's pool for what lives as long as a transaction and is made for many of them.
class Pooled {
 public:
  static void* operator new(std::size_t size) { return pool_allocate(size); }
  static void operator delete(void* block, std::size_t size) noexcept { pool_free(block, size); }

 protected:
  ~Pooled() = default;
};

// A body that stands in for another one, or comes from nowhere.
class OwnBody : public BodySource, public Pooled {
 private:
  friend class OwnBodies;
  std::unique_ptr<OwnBody> under_;
};

// Bodies in the order in which they were put around each other, of which the outermost goes first.
class OwnBodies {
 public:
  OwnBodies() = default;
  OwnBodies(const OwnBodies&) = delete;
  OwnBodies& operator=(const OwnBodies&) = delete;
  ~OwnBodies() { clear(); }

  void push(std::unique_ptr<OwnBody> body) {
    body->under_ = std::move(top_);
    top_ = std::move(body);
  }
  void clear() {
    while (top_) top_ = std::move(top_->under_);
  }

 private:
  std::unique_ptr<OwnBody> top_;
};

// A response that is given in place of a server's.
struct FilterAnswer {
  ResponseHead head;  // end-to-end fields only
  std::unique_ptr<OwnBody> body;
  Framing framing;  // what is known of the body beforehand
};

// What a filter keeps for one transaction, from one call to the next; destroyed with it, on its
// thread.
class FilterState : public Pooled {
 public:
  virtual ~FilterState() = default;
  // The filter has nothing more to do with the transaction: it is asked for nothing, and its bodies
  // let content pass. Set by Adaptation.
  bool left = false;
  // For a failure, and not because it wanted to.
  bool dropped = false;
};

class Adaptation;

// A message at one of the points. Valid while the filters of that point are asked.
class AdaptedMessage {
 public:
  AdaptedMessage(Adaptation& adaptation, AdaptPoint point, RequestHead& request,
                 ResponseHead* response, BodySource& body, const Framing& framing)
      : adaptation_(&adaptation),
        point_(point),
        request_(&request),
        response_(response),
        body_(&body),
        framing_(framing) {}

  [[nodiscard]] AdaptPoint point() const { return point_; }
  [[nodiscard]] Adaptation& adaptation() const { return *adaptation_; }
  [[nodiscard]] const TransactionFacts& facts() const;
  // The request; at a response point, too, where changes have no effect any more.
  [[nodiscard]] RequestHead& request() const { return *request_; }
  // Null at a request point.
  [[nodiscard]] ResponseHead* response() const { return response_; }
  // The fields of the message itself.
  [[nodiscard]] FieldSection& fields() const {
    return response_ != nullptr ? response_->fields : request_->fields;
  }
  // The content as the filters before have left it; a filter that wraps it pulls it from here.
  [[nodiscard]] BodySource& body() const { return *body_; }
  [[nodiscard]] const Framing& framing() const { return framing_; }
  // False where there is no content and none is meant to be: a GET, a response to HEAD, a 304.
  [[nodiscard]] bool has_content() const { return framing_.has_body(); }

  // `body`, which may pull from body(), takes its place. It has the same length, if that is known.
  void wrap(std::unique_ptr<OwnBody> body);
  // The same with content of another length: unknown, or that of `length`. Content-Length in the
  // head, which only describes, is set right or removed.
  void replace(std::unique_ptr<OwnBody> body, std::optional<std::uint64_t> length);
  // No content any more: `nothing`, which is at its end, takes its place. `may_have_content`: a
  // message of that kind may have some, so that a response says that it is empty.
  void empty(std::unique_ptr<OwnBody> nothing, bool may_have_content);
  // For messages without content whose head describes one (a response to HEAD): it would be
  // changed.
  void content_would_change();
  // The answer to give, for a filter that returns FilterOutcome::answer.
  void answer_with(FilterAnswer answer);
  // The request goes somewhere else than it was routed to: target or Host was changed.
  void retarget() { retargeted_ = true; }
  // A response that the proxy makes itself: not all filters want to see those.
  void set_own() { own_ = true; }
  [[nodiscard]] bool own() const { return own_; }
  [[nodiscard]] bool retargeted() const { return retargeted_; }

 private:
  Adaptation* adaptation_;
  AdaptPoint point_;
  bool retargeted_ = false;
  bool own_ = false;
  RequestHead* request_;
  ResponseHead* response_;
  BodySource* body_;
  Framing framing_;
};

// Where a request is about to go, for filters that choose.
struct ConnectChoice {
  std::string_view upstream = {};  // name of the group of servers; empty: the target itself
  std::string_view server = {};    // of the group: the one to prefer
  std::string_view host = {};      // the target, where there is no group
  std::uint16_t port = 0;
  AddressList addresses = {};  // its addresses, where they are known and tried directly
  // Set by who changes them. Texts must live as long as the request.
  bool upstream_changed = false;
  bool server_changed = false;
  bool target_changed = false;
  bool addresses_changed = false;
};

// A finished transaction.
struct LoggedMessages {
  Adaptation& adaptation;
  RequestHead& request;
  ResponseHead* response;  // of the server; null where there was none
};

// Its access record.
class RecordView {
 public:
  // The field of that name in the JSON access log, as text; false where there is none.
  virtual bool get(std::string_view name, std::string& value) const = 0;
  // All of it, as that log has it.
  [[nodiscard]] virtual std::string_view line() const = 0;

 protected:
  ~RecordView() = default;
};

// What a filter has come to.
struct FilterOutcome {
  enum class Kind : std::uint8_t {
    go_on,
    answer,  // the client gets what AdaptedMessage::answer_with() was given
    leave,   // and has nothing more to do with this transaction
    failed,  // what happens then is the configuration's choice
    look,    // it has to see content before it can say: look() is to be awaited
    refuse,  // Adaptation::fail_content() was told of a failure that lets nothing pass
  };
  Kind kind = Kind::go_on;
  std::string_view reason = {};  // of a failure: a short name, static text
  int status = 0;                // of a failure, where the configuration has none: 0: the usual one
};

// A filter as one worker has it. Asked about each transaction for which its conditions hold.
// Belongs to one thread.
class Filter {
 public:
  virtual ~Filter() = default;

  // Does not change.
  [[nodiscard]] virtual Interests interests() const = 0;

  // Looks at the head of a message, changes it, wraps its body. Nothing: it can't be done at once,
  // and finish() has to be awaited. `state`: of this filter in this transaction, null at first.
  virtual std::optional<FilterOutcome> start(AdaptedMessage& message,
                                             std::unique_ptr<FilterState>& state) = 0;
  // Goes on with what start() could not do at once. Is cancelled when the filter's time is over.
  virtual Task<FilterOutcome> finish(AdaptedMessage& message, std::unique_ptr<FilterState>& state);
  // Pulls content of the message, for who has come to `look`. Peers take what time they need for
  // it, so it has to bound by itself what the filter takes.
  virtual Task<FilterOutcome> look(AdaptedMessage& message, std::unique_ptr<FilterState>& state);

  // A client's connection is about to be served. False: it is to be closed. `state`: of this filter
  // and this connection, which lives as long as that.
  virtual Task<Result<bool>> on_connection(const ClientInfo& client,
                                           std::unique_ptr<FilterState>& state);

  // The cache has been asked; `result` is what came of it.
  virtual MaybeTask<FilterOutcome> on_lookup(const AdaptedMessage& message, std::string_view result,
                                             std::unique_ptr<FilterState>& state);
  // A server is about to be chosen. Is cancelled when the filter's time is over.
  virtual MaybeTask<FilterOutcome> on_connect(const AdaptedMessage& message, ConnectChoice& choice,
                                              std::unique_ptr<FilterState>& state);
  // The transaction is over.
  virtual void on_logged(const LoggedMessages& messages, const RecordView& record,
                         std::unique_ptr<FilterState>& state);
};

}  // namespace penstock
