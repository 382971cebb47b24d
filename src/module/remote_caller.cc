#include "module/remote_caller.h"

#include <array>
#include <utility>

#include "async/wait.h"
#include "module/connection.h"
#include "module/remote_transaction.h"

namespace penstock {
namespace {

// More of what nobody answers is dropped: it waits for a helper that takes nothing.
constexpr std::size_t kMostUnsent = 100'000;

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
                           std::shared_ptr<WorkerGate> gate, std::unique_ptr<Channel> channel)
    : instance_(std::move(instance)),
      hold_limit_(hold_limit),
      gate_(std::move(gate)),
      channel_(std::move(channel)) {
  channel_->set_sink(this);
}

void RemoteCaller::serve_helper() {
  helper_requests_ = std::make_unique<HelperRequests>(
      *instance_->services, gate_, [this](std::string bytes) { tell(std::move(bytes), 0); });
}

RemoteCaller::~RemoteCaller() {
  tell_waiting();
  channel_->set_sink(nullptr);
}

// Read by RemoteHost::handle_call() and RemoteTransaction::read().
std::string RemoteCaller::write_call(WireKind kind, ModuleTransaction& transaction, Moment& moment,
                                     bool resumed, std::uint64_t wait_id) {
  WireWriter out;
  const TransactionFacts& facts = transaction.facts();
  const bool first = !transaction.called;
  transaction.called = true;
  out.put(kind).put(facts.id).put(static_cast<std::uint8_t>(first ? 1 : 0));
  out.put(facts.client->connection_id);
  out.put(moment.event).put(facts.id).put(facts.client->connection_id);
  out.put(static_cast<std::uint8_t>(resumed ? 1 : 0)).put(wait_id);
  out.put(static_cast<std::uint8_t>(moment.head_held ? 1 : 0));
  out.put(static_cast<std::uint8_t>(moment.may_write ? 1 : 0));
  if (first) {
    put_client(out, *facts.client);
  } else {
    out.put_text({});
  }
  const bool with_facts = first || has_facts(moment.event);
  out.put(static_cast<std::uint8_t>(with_facts ? 1 : 0));
  if (with_facts) put_facts(out, moment);
  const bool request = first || moment.event == ModuleEvent::request_head;
  put_section(out,
              request && transaction.request != nullptr ? &transaction.request->fields : nullptr);
  const bool response = moment.event == ModuleEvent::response_head ||
                        (moment.event >= ModuleEvent::response_head && first);
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
  tell(write_call(WireKind::note, transaction, moment, false, 0), transaction.facts().id);
  return PENSTOCK_CONTINUE;
}

Task<int> RemoteCaller::finish(ModuleTransaction& transaction, Moment& moment) {
  const std::uint64_t affinity = transaction.facts().id;
  tell_waiting();
  bool resumed = false;
  while (true) {
    Waiting waiting(*this);
    const bool was_called = transaction.called;
    failure_ = "error";
    Payload payload(write_call(WireKind::call, transaction, moment, resumed, waiting.id()));
    const Result<std::string> result = co_await channel_->call(std::move(payload), affinity);
    if (!result) {
      failure_ = result.error().kind == ErrorKind::reset ? std::string_view("helper_died")
                                                         : to_string(result.error().kind);
      // Died: what it knew of the transaction is gone. Else: nothing was sent.
      if (result.error().kind == ErrorKind::reset) {
        transaction.leave();
      } else if (result.error().kind != ErrorKind::cancelled) {
        transaction.called = was_called;
      }
      co_return PENSTOCK_ERROR;
    }
    const int returned = apply(*result, transaction, moment);
    if (returned != PENSTOCK_WAIT) co_return returned;
    const bool woken = co_await waiting.resumed.wait();
    if (!woken) co_return PENSTOCK_ERROR;
    if (waiting.lost) {
      failure_ = "helper_died";
      transaction.leave();
      co_return PENSTOCK_ERROR;
    }
    resumed = true;
  }
}

int RemoteCaller::apply(std::string_view result, ModuleTransaction& transaction, Moment& moment) {
  WireReader in(result);
  const auto returned = in.take<std::int32_t>();
  ModuleCall& call = transaction.call_for(moment, false);
  while (in.good() && !in.at_end()) {
    if (!apply_edit(in.take<WireEdit>(), in, call)) {
      failure_ = "edit_refused";
      return PENSTOCK_ERROR;
    }
  }
  if (in.good()) return returned;
  failure_ = "protocol";
  return PENSTOCK_ERROR;
}

// By the functions that inline callbacks use, which check all of it.
bool RemoteCaller::apply_edit(WireEdit edit, WireReader& in, ModuleCall& call) {
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

void RemoteCaller::free(ModuleTransaction& transaction) {
  if (!transaction.called) return;
  WireWriter out;
  tell(out.put(WireKind::free).put(transaction.facts().id).take(), transaction.facts().id);
}

Task<bool> RemoteCaller::begin(ModuleConnection& connection) {
  if (instance_->callbacks().connection == nullptr) co_return true;
  WireWriter out;
  const std::uint64_t id = connection.client().connection_id;
  out.put(WireKind::connection).put(id);
  put_client(out, connection.client());
  put_facts(out, connection);
  // So that what follows of this connection comes after it: ids of transactions are others.
  Payload payload(out.take());
  const Result<std::string> result = co_await channel_->call(std::move(payload), 0);
  if (!result) co_return true;
  WireReader in(*result);
  const auto returned = in.take<std::int32_t>();
  connection.set_opaque(&connection);  // there is something to free, over there
  co_return !in.good() || returned >= 0;
}

void RemoteCaller::free(ModuleConnection& connection) {
  if (connection.opaque() == nullptr) return;
  WireWriter out;
  tell(out.put(WireKind::connection_free).put(connection.client().connection_id).take(), 0);
}

void RemoteCaller::tell(std::string message, std::uint64_t affinity) {
  tell_waiting();
  if (unsent_.empty() && channel_->send(Payload(message), affinity)) return;
  // A helper that is started anew knows nothing that could be freed.
  if (!channel_->up() || unsent_.size() >= kMostUnsent) return;
  unsent_.push_back({std::move(message), affinity});
}

void RemoteCaller::tell_waiting() {
  while (!unsent_.empty()) {
    if (!channel_->send(Payload(unsent_.front().bytes), unsent_.front().affinity)) return;
    unsent_.pop_front();
  }
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
  unsent_.clear();
  for (const auto& [id, waiting] : waiting_) {
    waiting->lost = true;
    waiting->resumed.set();
  }
}

}  // namespace penstock
