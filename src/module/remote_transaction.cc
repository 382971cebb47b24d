#include "module/remote_transaction.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "adapt/json_member.h"
#include "adapt/retarget.h"
#include "message/target.h"
#include "module/waiter.h"
#include "net/address.h"

namespace penstock {
namespace {

constexpr std::size_t kMostAddresses = 64;
constexpr int kResetContent = 205;  // must not have any (RFC 9110 section 15.3.6)

std::string_view view_of(penstock_str text) { return {text.data, text.size}; }
penstock_str str_of(std::string_view text) { return {text.data(), text.size()}; }

// Tells the worker by a message; the transaction may be gone by then.
class RemoteWaiter final : public penstock_waiter {
 public:
  RemoteWaiter(std::shared_ptr<ReturnPath> path, std::uint64_t id)
      : path_(std::move(path)), id_(id) {}
  void resume() override {
    WireWriter out;
    out.put(WireKind::resumed).put(id_);
    // The worker is gone, then nobody waits.
    static_cast<void>(path_->send(Payload(out.take())));
  }

 private:
  std::shared_ptr<ReturnPath> path_;
  std::uint64_t id_;
};

}  // namespace

// Content that was kept back, by the worker; the pointer that C code holds is a name only.
struct RemoteTransaction::Held {
  std::uint64_t number;
  std::size_t size;
  [[nodiscard]] penstock_held* name() { return reinterpret_cast<penstock_held*>(this); }
};

void put_facts(WireWriter& out, CallFace& face) {
  for (std::size_t i = 0; i < RemoteFacts::kTexts; ++i) {
    penstock_str value{};
    const bool there = face.get_text(static_cast<int>(i), value) == PENSTOCK_OK;
    out.put(static_cast<std::uint8_t>(there ? 1 : 0));
    if (there) out.put_text(view_of(value));
  }
  for (std::size_t i = 0; i < RemoteFacts::kNumbers; ++i) {
    std::int64_t value = 0;
    const bool there = face.get_number(static_cast<int>(i), value) == PENSTOCK_OK;
    out.put(static_cast<std::uint8_t>(there ? 1 : 0));
    if (there) out.put(value);
  }
}

bool take_facts(WireReader& in, RemoteFacts& facts) {
  for (auto& text : facts.texts) {
    text.reset();
    if (in.take<std::uint8_t>() != 0) text = std::string(in.take_text());
  }
  for (auto& number : facts.numbers) {
    number.reset();
    if (in.take<std::uint8_t>() != 0) number = in.take<std::int64_t>();
  }
  return in.good();
}

RemoteTransaction::RemoteTransaction(ModuleInstance& instance, std::uint64_t hold_limit)
    : instance_(&instance), hold_limit_(hold_limit) {
  call_.size = sizeof(penstock_call);
  call_.api = &module_api();
  call_.instance = instance_;
  call_.data = instance.data;
  call_.opaque = nullptr;
  call_.connection_opaque = nullptr;
  call_.transaction = 0;
  call_.connection = 0;
  call_.client = reinterpret_cast<const sockaddr*>(&client_);
  call_.client_size = 0;
  call_.resumed = 0;
  call_.face = this;
}

RemoteTransaction::~RemoteTransaction() = default;

// Written by RemoteCaller::write_call().
bool RemoteTransaction::read(WireReader& in) {
  event_ = in.take<ModuleEvent>();
  call_.transaction = in.take<std::uint64_t>();
  call_.connection = in.take<std::uint64_t>();
  call_.resumed = in.take<std::uint8_t>();
  wait_id_ = in.take<std::uint64_t>();
  is_head_event_ = event_ == ModuleEvent::request_head || event_ == ModuleEvent::response_head;
  of_request_ = event_ < ModuleEvent::response_head;
  head_held_ = in.take<std::uint8_t>() != 0;
  may_write_ = in.take<std::uint8_t>() != 0;
  has_choice_ = event_ == ModuleEvent::before_connect;
  const std::string_view client = in.take_text();
  if (!client.empty() && client.size() <= sizeof client_) {
    std::memcpy(&client_, client.data(), client.size());
    call_.client_size = static_cast<socklen_t>(client.size());
  }
  if (in.take<std::uint8_t>() != 0 && !take_facts(in, facts_)) return false;
  if (in.take<std::uint8_t>() != 0) in.take_fields(request_);
  if (in.take<std::uint8_t>() != 0) in.take_fields(response_ ? *response_ : response_.emplace());
  trailers_.reset();
  if (in.take<std::uint8_t>() != 0) in.take_fields(trailers_.emplace());
  addresses_.clear();
  const auto addresses = in.take<std::uint32_t>();
  for (std::uint32_t i = 0; in.good() && i < addresses; ++i) {
    addresses_.emplace_back(in.take_text());
  }
  record_ = in.take_text();
  content_ = in.take_text();
  return in.good();
}

int RemoteTransaction::run() {
  const penstock_module& module = instance_->callbacks();
  const auto call = [this](int (*callback)(penstock_call*)) {
    return callback != nullptr ? callback(&call_) : static_cast<int>(PENSTOCK_CONTINUE);
  };
  switch (event_) {
    case ModuleEvent::request_head:
      return call(module.request_head);
    case ModuleEvent::request_body:
      return module.request_body(&call_, content_.data(), content_.size());
    case ModuleEvent::request_complete:
      return call(module.request_complete);
    case ModuleEvent::cache_lookup:
      return call(module.cache_lookup);
    case ModuleEvent::before_connect:
      return call(module.before_connect);
    case ModuleEvent::response_head:
      return call(module.response_head);
    case ModuleEvent::response_body:
      return module.response_body(&call_, content_.data(), content_.size());
    case ModuleEvent::response_complete:
      return call(module.response_complete);
    case ModuleEvent::answer_body:
      return call(module.answer_body);
    case ModuleEvent::logged:
      return call(module.logged);
    default:
      return PENSTOCK_ERROR;
  }
}

std::optional<std::string> RemoteTransaction::handle(WireReader& in,
                                                     const std::shared_ptr<ReturnPath>& path,
                                                     void* connection_opaque) {
  if (!read(in)) return std::nullopt;
  const bool has_body = event_ == ModuleEvent::request_body || event_ == ModuleEvent::response_body;
  const auto body = event_ == ModuleEvent::request_body ? instance_->callbacks().request_body
                                                        : instance_->callbacks().response_body;
  if (has_body && body == nullptr) return std::nullopt;
  path_ = path;
  call_.connection_opaque = connection_opaque;
  edits_ = WireWriter();
  edits_.put(std::int32_t{0});
  const std::int32_t result = run();
  std::memcpy(edits_.bytes().data(), &result, sizeof result);
  content_ = {};
  record_ = {};
  path_.reset();
  return edits_.take();
}

void RemoteTransaction::free() {
  event_ = ModuleEvent::free;
  is_head_event_ = head_held_ = may_write_ = has_choice_ = false;
  if (call_.opaque != nullptr && instance_->callbacks().free != nullptr) {
    instance_->callbacks().free(&call_);
  }
}

FieldSection* RemoteTransaction::fields(int section, bool change) {
  switch (section) {
    case PENSTOCK_REQUEST:
      return change && (!may_change_head() || !of_request_) ? nullptr : &request_;
    case PENSTOCK_RESPONSE:
      if (change && (!may_change_head() || of_request_)) return nullptr;
      return response_ ? &*response_ : nullptr;
    case PENSTOCK_REQUEST_TRAILERS:
      return of_request_ && trailers_ ? &*trailers_ : nullptr;
    case PENSTOCK_RESPONSE_TRAILERS:
      return !of_request_ && trailers_ ? &*trailers_ : nullptr;
    case PENSTOCK_ANSWER_FIELDS:
      return answer_fields_ ? &*answer_fields_ : nullptr;
    default:
      return nullptr;
  }
}

void RemoteTransaction::on_edit(int section, Edit done, penstock_str name, penstock_str value) {
  const WireEdit kind = done == Edit::set   ? WireEdit::field_set
                        : done == Edit::add ? WireEdit::field_add
                                            : WireEdit::field_remove;
  edit(kind)
      .put(static_cast<std::int32_t>(section))
      .put_text(view_of(name))
      .put_text(view_of(value));
}

int RemoteTransaction::get_text(int text, penstock_str& value) {
  if (text < 0 || static_cast<std::size_t>(text) >= facts_.texts.size()) return PENSTOCK_NOT_FOUND;
  const auto& found = facts_.texts[static_cast<std::size_t>(text)];
  if (!found) return PENSTOCK_NOT_NOW;
  value = str_of(*found);
  return PENSTOCK_OK;
}

bool RemoteTransaction::has_parts() const {
  const auto& path = facts_.texts[PENSTOCK_PATH];
  return path && path->starts_with('/');
}

// By the rules that Moment::set_text() goes by.
bool RemoteTransaction::can_be(int text, std::string_view value) const {
  switch (text) {
    case PENSTOCK_METHOD:
      return facts_.texts[PENSTOCK_METHOD] && can_become(*facts_.texts[PENSTOCK_METHOD], value);
    case PENSTOCK_HOST:
      return has_parts() && is_authority(value);
    case PENSTOCK_PATH:
      return has_parts() && is_path(value);
    case PENSTOCK_TARGET_HOST: {
      const bool bare_v6 = value.contains(':') && !value.starts_with('[');
      const auto parsed =
          parse_authority(bare_v6 ? "[" + std::string(value) + "]" : std::string(value));
      return parsed && parsed->port == 0;
    }
    default:
      return std::ranges::all_of(
          value, [](char c) { return static_cast<unsigned char>(c) >= 0x20 && c != 0x7f; });
  }
}

int RemoteTransaction::set_text(int text, penstock_str value) {
  const bool of_head = text == PENSTOCK_METHOD || text == PENSTOCK_HOST || text == PENSTOCK_PATH;
  const bool of_choice =
      text == PENSTOCK_UPSTREAM || text == PENSTOCK_SERVER || text == PENSTOCK_TARGET_HOST;
  const bool of_response = text == PENSTOCK_REASON && may_change_head() && !of_request_;
  const bool of_request = of_head && of_request_ && may_change_head();
  const bool now = of_request || (of_choice && has_choice_) || of_response;
  if (!now) return PENSTOCK_NOT_NOW;
  if (!can_be(text, view_of(value))) return PENSTOCK_INVALID;
  facts_.texts[static_cast<std::size_t>(text)] = std::string(view_of(value));
  if (of_request) {
    facts_.texts[PENSTOCK_URL] = facts_.texts[PENSTOCK_SCHEME].value_or("") + "://" +
                                 facts_.texts[PENSTOCK_HOST].value_or("") +
                                 facts_.texts[PENSTOCK_PATH].value_or("");
  }
  edit(WireEdit::set_text).put(static_cast<std::int32_t>(text)).put_text(view_of(value));
  return PENSTOCK_OK;
}

int RemoteTransaction::get_number(int number, std::int64_t& value) {
  if (number < 0 || static_cast<std::size_t>(number) >= facts_.numbers.size()) {
    return PENSTOCK_NOT_FOUND;
  }
  const auto& found = facts_.numbers[static_cast<std::size_t>(number)];
  if (!found) return PENSTOCK_NOT_NOW;
  value = *found;
  return PENSTOCK_OK;
}

int RemoteTransaction::set_number(int number, std::int64_t value) {
  const bool status = number == PENSTOCK_STATUS && may_change_head() && !of_request_;
  const bool port = number == PENSTOCK_TARGET_PORT && has_choice_;
  if (!status && !port) return PENSTOCK_NOT_NOW;
  const auto has_none = [](std::int64_t code) { return code == 204 || code == 304; };
  const std::int64_t present = facts_.numbers[PENSTOCK_STATUS].value_or(0);
  if (status && (value < 200 || value > 599 || has_none(value) != has_none(present))) {
    return PENSTOCK_INVALID;
  }
  if (port && (value < 1 || value > 65535)) return PENSTOCK_INVALID;
  facts_.numbers[static_cast<std::size_t>(number)] = value;
  edit(WireEdit::set_number).put(static_cast<std::int32_t>(number)).put(value);
  return PENSTOCK_OK;
}

int RemoteTransaction::content_write(const void* bytes, std::size_t size) {
  if (!may_write_) return PENSTOCK_NOT_NOW;
  if (bytes == nullptr && size > 0) return PENSTOCK_INVALID;
  // The whole result has to fit a message.
  if (edits_.bytes().size() + size > kMaxChannelMessage - 64 * 1024) return PENSTOCK_LIMIT;
  edit(WireEdit::write).put_text({static_cast<const char*>(bytes), size});
  return PENSTOCK_OK;
}

int RemoteTransaction::content_pass(std::size_t offset, std::size_t size) {
  if (!may_write_) return PENSTOCK_NOT_NOW;
  if (offset > content_.size() || size > content_.size() - offset) return PENSTOCK_INVALID;
  edit(WireEdit::pass)
      .put(static_cast<std::uint64_t>(offset))
      .put(static_cast<std::uint64_t>(size));
  return PENSTOCK_OK;
}

int RemoteTransaction::content_hold(std::size_t offset, std::size_t size, penstock_held** held) {
  if (held == nullptr || offset > content_.size() || size > content_.size() - offset) {
    return PENSTOCK_INVALID;
  }
  if (!may_write_) return PENSTOCK_NOT_NOW;
  if (held_bytes_ + cost_of_holding(size) > hold_limit_) return PENSTOCK_LIMIT;
  held_bytes_ += cost_of_holding(size);
  held_.push_back(std::make_unique<Held>(++last_held_, size));
  edit(WireEdit::hold)
      .put(last_held_)
      .put(static_cast<std::uint64_t>(offset))
      .put(static_cast<std::uint64_t>(size));
  *held = held_.back()->name();
  return PENSTOCK_OK;
}

int RemoteTransaction::content_emit(penstock_held* held) {
  return may_write_ ? release(held, WireEdit::emit) : PENSTOCK_NOT_NOW;
}

int RemoteTransaction::content_drop(penstock_held* held) { return release(held, WireEdit::drop); }

int RemoteTransaction::release(const penstock_held* held, WireEdit how) {
  const auto at =
      std::ranges::find_if(held_, [held](const auto& one) { return one->name() == held; });
  if (at == held_.end()) return PENSTOCK_INVALID;
  edit(how).put((*at)->number);
  held_bytes_ -= cost_of_holding((*at)->size);
  held_.erase(at);
  return PENSTOCK_OK;
}

int RemoteTransaction::content_length(std::uint64_t length) {
  if (!may_change_head()) return PENSTOCK_NOT_NOW;
  edit(WireEdit::length).put(length);
  return PENSTOCK_OK;
}

int RemoteTransaction::answer(int status, const char* reason, const void* content,
                              std::size_t size) {
  if (!may_change_head()) return PENSTOCK_NOT_NOW;
  if (status < 200 || status > 599 || (content == nullptr && size > 0)) return PENSTOCK_INVALID;
  if (status == kResetContent && size > 0) return PENSTOCK_INVALID;
  if (edits_.bytes().size() + size > kMaxChannelMessage - 64 * 1024) return PENSTOCK_LIMIT;
  edit(WireEdit::answer).put(static_cast<std::int32_t>(status));
  edits_.put(static_cast<std::uint8_t>(reason != nullptr ? 1 : 0));
  edits_.put_text(reason != nullptr ? reason : "");
  edits_.put_text({static_cast<const char*>(content), size});
  answer_fields_.emplace();
  return PENSTOCK_OK;
}

int RemoteTransaction::answer_stream(int status, const char* reason) {
  if (!may_change_head()) return PENSTOCK_NOT_NOW;
  if (instance_->callbacks().answer_body == nullptr) return PENSTOCK_UNSUPPORTED;
  if (status < 200 || status > 599 || status == kResetContent) return PENSTOCK_INVALID;
  edit(WireEdit::answer_stream).put(static_cast<std::int32_t>(status));
  edits_.put(static_cast<std::uint8_t>(reason != nullptr ? 1 : 0));
  edits_.put_text(reason != nullptr ? reason : "");
  answer_fields_.emplace();
  return PENSTOCK_OK;
}

penstock_waiter* RemoteTransaction::waiter() {
  if (event_ == ModuleEvent::logged || event_ == ModuleEvent::free) return nullptr;
  return std::make_unique<RemoteWaiter>(path_, wait_id_).release();
}

std::size_t RemoteTransaction::address_count() { return has_choice_ ? addresses_.size() : 0; }

int RemoteTransaction::address_at(std::size_t index, penstock_str& address) {
  if (!has_choice_) return PENSTOCK_NOT_NOW;
  if (index >= addresses_.size()) return PENSTOCK_NOT_FOUND;
  address = str_of(addresses_[index]);
  return PENSTOCK_OK;
}

int RemoteTransaction::address_set(const penstock_str* addresses, std::size_t count) {
  if (!has_choice_) return PENSTOCK_NOT_NOW;
  if (count > kMostAddresses) return PENSTOCK_LIMIT;
  if (addresses == nullptr || count == 0) return PENSTOCK_INVALID;
  std::vector<std::string> list;
  for (std::size_t i = 0; i < count; ++i) {
    const auto parsed = Address::parse(view_of(addresses[i]));
    if (!parsed || parsed->is_unix() || parsed->port() == 0) return PENSTOCK_INVALID;
    list.emplace_back(view_of(addresses[i]));
  }
  addresses_ = std::move(list);
  edit(WireEdit::addresses).put(static_cast<std::uint32_t>(count));
  for (const std::string& address : addresses_) edits_.put_text(address);
  return PENSTOCK_OK;
}

int RemoteTransaction::record_get(penstock_str name, penstock_str& value) {
  if (event_ != ModuleEvent::logged) return PENSTOCK_NOT_NOW;
  if (!find_json_member(record_, view_of(name), scratch_)) return PENSTOCK_NOT_FOUND;
  value = str_of(scratch_);
  return PENSTOCK_OK;
}

// Of the last event nothing comes back any more.
int RemoteTransaction::record_add(penstock_str name, penstock_str value) {
  if (event_ == ModuleEvent::logged) return PENSTOCK_UNSUPPORTED;
  edit(WireEdit::record_add).put_text(view_of(name)).put_text(view_of(value));
  return PENSTOCK_OK;
}

}  // namespace penstock
