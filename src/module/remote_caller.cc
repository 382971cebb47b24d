#include "module/remote_caller.h"

#include <algorithm>
#include <array>
#include <utility>

#include <fmt/format.h>

#include "async/wait.h"
#include "module/connection.h"
#include "module/remote_transaction.h"

namespace penstock {
namespace {

// More of what nobody answers is dropped: it waits for a helper that takes nothing.
constexpr std::size_t kMostUnsent = 1'000'000;
constexpr std::size_t kMostUnsentBytes = std::size_t{16} * 1024 * 1024;  // of what may be left out
constexpr unsigned kBitsOfNumbers = 48;  // below the number of the worker

bool has_facts(ModuleEvent event) {
  switch (event) {
    case ModuleEvent::request_body:
    case ModuleEvent::request_complete:
    case ModuleEvent::response_body:
    case ModuleEvent::response_complete:
    case ModuleEvent::answer_body:
      return false;
    default:
      return true;
  }
}

// The head of the response is part of what the callback may look at.
bool shows_response(const ModuleTransaction& transaction, const Moment& moment) {
  return moment.event >= ModuleEvent::response_head && transaction.response != nullptr;
}

void put_client(WireWriter& out, const ClientInfo& client) {
  socklen_t size = 0;
  const sockaddr* const address = client.peer.as_sockaddr(size);
  out.put_text({reinterpret_cast<const char*>(address), size});
}

void put_section(WireWriter& out, const FieldSection* fields) {
  out.put(static_cast<std::uint8_t>(fields != nullptr ? 1 : 0));
  if (fields != nullptr) out.put_fields(*fields);
}

penstock_str str_of(std::string_view text) { return {text.data(), text.size()}; }

}  // namespace

class RemoteCaller::Waiting {
 public:
  explicit Waiting(RemoteCaller& of) : of_(&of), id_(++of.last_wait_id_) {
    of.waiting_.emplace(id_, this);
  }
  ~Waiting() { of_->waiting_.erase(id_); }
  Waiting(const Waiting&) = delete;
  Waiting& operator=(const Waiting&) = delete;

  [[nodiscard]] std::uint64_t id() const { return id_; }
  Event resumed;
  bool lost = false;  // the helper has died

 private:
  RemoteCaller* of_;
  std::uint64_t id_;
};

RemoteCaller::RemoteCaller(std::shared_ptr<ModuleInstance> instance, std::uint64_t hold_limit,
                           unsigned worker, std::shared_ptr<WorkerGate> gate,
                           std::unique_ptr<Channel> channel)
    : ModuleCaller(std::move(instance), hold_limit, std::move(gate)),
      channel_(std::move(channel)),
      last_number_(std::uint64_t{worker} << kBitsOfNumbers) {
  channel_->set_sink(this);
}

void RemoteCaller::serve_helper() {
  helper_requests_ = std::make_unique<HelperRequests>(
      *instance().services, gate(), [this](std::string bytes) { tell(std::move(bytes), 0); });
}

RemoteCaller::~RemoteCaller() {
  tell_waiting();
  channel_->set_sink(nullptr);
}

ModuleConnection* RemoteCaller::known_connection(const ModuleTransaction& transaction) const {
  ModuleConnection* const connection = transaction.connection();
  const bool known =
      connection != nullptr && connection->known_as != 0 && connection->helper == helper_;
  return known ? connection : nullptr;
}

void RemoteCaller::note_called(ModuleTransaction& transaction) {
  if (transaction.called) return;
  transaction.called = true;
  transaction.helper = helper_;
  if (transaction.known_as == 0) transaction.known_as = ++last_number_;
  if (ModuleConnection* const connection = known_connection(transaction)) {
    ++connection->transactions;
  }
}

void RemoteCaller::note_not_called(ModuleTransaction& transaction) {
  transaction.called = false;
  if (ModuleConnection* const connection = known_connection(transaction)) {
    --connection->transactions;
  }
}

// Read by RemoteHost::handle_call() and RemoteTransaction::read().
std::string RemoteCaller::write_call(WireKind kind, ModuleTransaction& transaction, Moment& moment,
                                     bool resumed, std::uint64_t wait_id) {
  WireWriter out;
  const TransactionFacts& facts = transaction.facts();
  const ModuleConnection* const connection = known_connection(transaction);
  const bool first = !transaction.told_request;
  const bool with_response = shows_response(transaction, moment) && !transaction.told_response;
  const bool logged = moment.event == ModuleEvent::logged;
  out.put(kind).put(transaction.known_as).put(static_cast<std::uint8_t>(first ? 1 : 0));
  out.put(connection != nullptr ? connection->known_as : 0);
  out.put(moment.event).put(facts.id).put(facts.client->connection_id);
  out.put(static_cast<std::uint8_t>(resumed ? 1 : 0)).put(wait_id);
  out.put(static_cast<std::uint8_t>(moment.head_held ? 1 : 0));
  out.put(static_cast<std::uint8_t>(moment.may_write ? 1 : 0));
  if (first) {
    put_client(out, *facts.client);
  } else {
    out.put_text({});
  }
  const bool with_facts = first || with_response || has_facts(moment.event);
  out.put(static_cast<std::uint8_t>(with_facts ? 1 : 0));
  if (with_facts) put_facts(out, moment);
  const bool request = first || logged || moment.event == ModuleEvent::request_head;
  put_section(out,
              request && transaction.request != nullptr ? &transaction.request->fields : nullptr);
  const bool response = with_response || logged || moment.event == ModuleEvent::response_head;
  put_section(
      out, response && transaction.response != nullptr ? &transaction.response->fields : nullptr);
  put_section(out, moment.trailers);
  const auto addresses = moment.choice != nullptr ? moment.choice->addresses.size() : 0;
  out.put(static_cast<std::uint32_t>(addresses));
  for (std::size_t i = 0; i < addresses; ++i) {
    out.put_text(moment.choice->addresses[i].to_string());
  }
  out.put_text(moment.record != nullptr ? moment.record->line() : std::string_view());
  out.put_text(moment.content.view());
  return out.take();
}

std::optional<int> RemoteCaller::start(ModuleTransaction& transaction, Moment& moment) {
  if (moment.event != ModuleEvent::logged) return std::nullopt;
  if (is_lost(transaction)) return PENSTOCK_CONTINUE;
  note_called(transaction);
  tell_if_there_is_room(write_call(WireKind::note, transaction, moment, false, 0),
                        transaction.known_as);
  return PENSTOCK_CONTINUE;
}

Task<int> RemoteCaller::finish(ModuleTransaction& transaction, Moment& moment) {
  tell_waiting();
  bool resumed = false;
  while (true) {
    if (is_lost(transaction)) co_return lose(transaction);
    Waiting waiting(*this);
    const Result<int> returned = co_await call(transaction, moment, resumed, waiting);
    if (!returned) {
      if (returned.error().kind == ErrorKind::reset) co_return lose(transaction);
      failure_ = to_string(returned.error().kind);
      co_return PENSTOCK_ERROR;
    }
    if (*returned != PENSTOCK_WAIT) co_return *returned;
    const bool woken = co_await waiting.resumed.wait();
    failure_ = "cancelled";
    if (!woken) co_return PENSTOCK_ERROR;
    if (waiting.lost) co_return lose(transaction);
    // It has said in the other direction that it wants nothing more.
    if (transaction.left) co_return PENSTOCK_CONTINUE;
    resumed = true;
  }
}

Task<Result<int>> RemoteCaller::call(ModuleTransaction& transaction, Moment& moment, bool resumed,
                                     Waiting& waiting) {
  const bool was_called = transaction.called;
  note_called(transaction);
  const bool with_response = shows_response(transaction, moment);
  Payload payload(write_call(WireKind::call, transaction, moment, resumed, waiting.id()));
  const Result<std::string> result =
      co_await channel_->call(std::move(payload), transaction.known_as);
  if (!result) {
    // After a cancellation it is open whether the helper has got to know of it.
    const ErrorKind kind = result.error().kind;
    const bool sent = kind == ErrorKind::reset || kind == ErrorKind::cancelled;
    if (!sent && !was_called) note_not_called(transaction);
    co_return fail(result.error());
  }
  transaction.told_request = true;
  if (with_response) transaction.told_response = true;
  co_return apply(*result, transaction, moment);
}

// What the helper knew of the transaction is gone.
int RemoteCaller::lose(ModuleTransaction& transaction) {
  failure_ = "helper_died";
  transaction.drop();
  return PENSTOCK_ERROR;
}

int RemoteCaller::apply(std::string_view result, ModuleTransaction& transaction, Moment& moment) {
  failure_ = "error";
  WireReader in(result);
  const auto returned = in.take<std::int32_t>();
  ModuleCall& call = transaction.call_for(moment, false);
  while (in.good() && !in.at_end()) {
    if (!apply_edit(in.take<WireEdit>(), in, transaction, call)) {
      failure_ = "edit_refused";
      return PENSTOCK_ERROR;
    }
  }
  if (in.good()) return returned;
  failure_ = "protocol";
  return PENSTOCK_ERROR;
}

// By the functions that inline callbacks use, which check all of it.
bool RemoteCaller::apply_edit(WireEdit edit, WireReader& in, ModuleTransaction& transaction,
                              ModuleCall& call) {
  const penstock_api& api = module_api();
  switch (edit) {
    case WireEdit::field_set:
    case WireEdit::field_add:
    case WireEdit::field_remove: {
      const auto section = in.take<std::int32_t>();
      const penstock_str name = str_of(in.take_text());
      const penstock_str value = str_of(in.take_text());
      if (!in.good()) return false;
      if (edit == WireEdit::field_set) return api.field_set(&call, section, name, value) >= 0;
      if (edit == WireEdit::field_add) return api.field_add(&call, section, name, value) >= 0;
      return api.field_remove(&call, section, name) >= 0;
    }
    case WireEdit::set_text: {
      const auto text = in.take<std::int32_t>();
      return api.set_text(&call, text, str_of(in.take_text())) >= 0;
    }
    case WireEdit::set_number: {
      const auto number = in.take<std::int32_t>();
      return api.set_number(&call, number, in.take<std::int64_t>()) >= 0;
    }
    case WireEdit::write: {
      const std::string_view bytes = in.take_text();
      return api.content_write(&call, bytes.data(), bytes.size()) >= 0;
    }
    case WireEdit::pass: {
      const auto offset = in.take<std::uint64_t>();
      return api.content_pass(&call, offset, in.take<std::uint64_t>()) >= 0;
    }
    case WireEdit::hold:
    case WireEdit::emit:
    case WireEdit::drop:
      return apply_hold(edit, in, transaction, call);
    case WireEdit::length:
      return api.content_length(&call, in.take<std::uint64_t>()) >= 0;
    case WireEdit::answer:
    case WireEdit::answer_stream: {
      const auto status = in.take<std::int32_t>();
      const bool has_reason = in.take<std::uint8_t>() != 0;
      const std::string reason(in.take_text());
      const char* const given = has_reason ? reason.c_str() : nullptr;
      if (edit == WireEdit::answer_stream) return api.answer_stream(&call, status, given) >= 0;
      const std::string_view content = in.take_text();
      return in.good() && api.answer(&call, status, given, content.data(), content.size()) >= 0;
    }
    case WireEdit::addresses: {
      std::array<penstock_str, 64> list{};
      const auto count = in.take<std::uint32_t>();
      if (count > list.size()) return false;
      for (std::uint32_t i = 0; i < count; ++i) list[i] = str_of(in.take_text());
      return in.good() && api.address_set(&call, list.data(), count) >= 0;
    }
    case WireEdit::record_add: {
      const penstock_str name = str_of(in.take_text());
      // Too many are no failure, here as inline.
      static_cast<void>(api.record_add(&call, name, str_of(in.take_text())));
      return true;
    }
  }
  return false;
}

// Content that is held stays here.
bool RemoteCaller::apply_hold(WireEdit edit, WireReader& in, ModuleTransaction& transaction,
                              ModuleCall& call) {
  const penstock_api& api = module_api();
  auto& held = transaction.held_by_number;
  const auto number = in.take<std::uint64_t>();
  if (edit == WireEdit::hold) {
    const auto offset = in.take<std::uint64_t>();
    const auto size = in.take<std::uint64_t>();
    penstock_held* one = nullptr;
    if (!in.good() || api.content_hold(&call, offset, size, &one) < 0) return false;
    held.emplace_back(number, one);
    return true;
  }
  const auto at = std::ranges::find(held, number, [](const auto& pair) { return pair.first; });
  if (at == held.end()) return false;
  const auto release = edit == WireEdit::emit ? api.content_emit : api.content_drop;
  const int released = release(&call, at->second);
  held.erase(at);
  return released >= 0;
}

void RemoteCaller::free(ModuleTransaction& transaction) {
  if (!transaction.called || is_lost(transaction)) return;
  const ModuleConnection* const connection = known_connection(transaction);
  WireWriter out;
  out.put(WireKind::free).put(transaction.known_as);
  out.put(connection != nullptr ? connection->known_as : 0);
  tell(out.take(), transaction.known_as);
}

Task<Result<bool>> RemoteCaller::begin(ModuleConnection& connection) {
  if (instance().callbacks().connection == nullptr) co_return true;
  connection.known_as = ++last_number_;
  connection.helper = helper_;
  WireWriter out;
  out.put(WireKind::connection).put(connection.known_as).put(connection.client().connection_id);
  put_client(out, connection.client());
  put_facts(out, connection);
  Payload payload(out.take());
  const Result<std::string> result =
      co_await channel_->call(std::move(payload), connection.known_as);
  if (!result) {
    const ErrorKind kind = result.error().kind;
    // After a cancellation it may be known over there.
    if (kind != ErrorKind::cancelled) connection.known_as = 0;
    co_return fail(result.error());
  }
  WireReader in(*result);
  const auto returned = in.take<std::int32_t>();
  if (!in.good()) co_return fail(ErrorKind::protocol);
  co_return returned == PENSTOCK_CONTINUE || returned == PENSTOCK_DONE;
}

void RemoteCaller::free(ModuleConnection& connection) {
  if (connection.known_as == 0 || connection.helper != helper_) return;
  WireWriter out;
  out.put(WireKind::connection_free).put(connection.known_as).put(connection.transactions);
  tell(out.take(), connection.known_as);
}

void RemoteCaller::tell(std::string message, std::uint64_t affinity) {
  tell_waiting();
  if (unsent_.empty() && channel_->send(Payload(message), affinity)) return;
  // A helper that is started anew knows nothing that could be freed.
  if (!channel_->up() || unsent_.size() >= kMostUnsent) return;
  unsent_bytes_ += message.size();
  unsent_.push_back({std::move(message), affinity});
}

void RemoteCaller::tell_if_there_is_room(std::string message, std::uint64_t affinity) {
  if (unsent_bytes_ + message.size() <= kMostUnsentBytes) {
    return tell(std::move(message), affinity);
  }
  if (left_out_++ == 0) {
    instance().services->log(PENSTOCK_LOG_WARNING,
                             "does not keep up: it is not told of all transactions that end");
  }
  tell_waiting();
}

void RemoteCaller::tell_waiting() {
  while (!unsent_.empty()) {
    const Message& first = unsent_.front();
    if (!channel_->send(Payload(first.bytes), first.affinity)) return;
    unsent_bytes_ -= first.bytes.size();
    unsent_.pop_front();
  }
  if (left_out_ == 0) return;
  const std::string text = fmt::format("keeps up again; {} transactions were left out", left_out_);
  left_out_ = 0;
  instance().services->log(PENSTOCK_LOG_WARNING, text);
}

void RemoteCaller::on_message(std::string_view bytes) {
  WireReader in(bytes);
  if (in.take<WireKind>() == WireKind::resumed) {
    const auto at = waiting_.find(in.take<std::uint64_t>());
    if (at != waiting_.end()) at->second->resumed.set();
  } else if (helper_requests_) {
    helper_requests_->on_message(bytes);
  }
  tell_waiting();
}

void RemoteCaller::on_down() {
  ++helper_;
  unsent_.clear();
  unsent_bytes_ = 0;
  for (const auto& [id, waiting] : waiting_) {
    waiting->lost = true;
    waiting->resumed.set();
  }
}

}  // namespace penstock
