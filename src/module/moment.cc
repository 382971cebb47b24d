#include "module/moment.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "adapt/text_answer.h"
#include "message/status.h"
#include "module/transaction.h"
#include "module/waiter.h"

namespace penstock {
namespace {

constexpr int kResetContent = 205;  // must not have content (RFC 9110 section 15.3.6)
constexpr std::size_t kMostAddresses = 64;

bool is_within(std::size_t offset, std::size_t size, std::size_t whole) {
  return offset <= whole && size <= whole - offset;
}

Slice part_of(const Slice& slice, std::size_t offset, std::size_t size) {
  return {slice.owner(), slice.view().substr(offset, size)};
}

// In memory of its own.
Slice copy_of(std::string_view bytes) {
  if (bytes.empty()) return {};
  SlabRef slab = SlabPool::take(SlabPool::fitting(bytes.size()));
  std::memcpy(slab->data(), bytes.data(), bytes.size());
  const std::string_view copied(slab->data(), bytes.size());
  return {std::move(slab), copied};
}

}  // namespace

// Hardly ever needed, and not to stand in the way of every call.
[[gnu::noinline]] void Moment::forget() {
  content = Slice();
  waiting.reset();
  texts_.clear();
}

[[gnu::noinline]] void Moment::drop_results() {
  written.clear();
  answered.reset();
}

bool Moment::may_change_head() const { return is_head(event) || head_held; }

FieldSection* Moment::fields(int section, bool change) {
  const bool of_request = event < ModuleEvent::response_head;
  switch (section) {
    case PENSTOCK_REQUEST:
      if (change && (!may_change_head() || !of_request)) return nullptr;
      return of_->request != nullptr ? &of_->request->fields : nullptr;
    case PENSTOCK_RESPONSE:
      if (change && (!may_change_head() || of_request)) return nullptr;
      return of_->response != nullptr ? &of_->response->fields : nullptr;
    case PENSTOCK_REQUEST_TRAILERS:
      return of_request ? trailers : nullptr;
    case PENSTOCK_RESPONSE_TRAILERS:
      return of_request ? nullptr : trailers;
    case PENSTOCK_ANSWER_FIELDS:
      return answered ? &answered->head.fields : nullptr;
    default:
      return nullptr;
  }
}

int Moment::content_write(const void* bytes, std::size_t size) {
  if (!may_write) return PENSTOCK_NOT_NOW;
  if (bytes == nullptr && size > 0) return PENSTOCK_INVALID;
  const SlabSize slab = SlabPool::fitting(std::min(size, kMediumSlab));
  copied_.append_to(written, 0, {static_cast<const char*>(bytes), size}, slab);
  return PENSTOCK_OK;
}

int Moment::content_pass(std::size_t offset, std::size_t size) {
  if (!may_write) return PENSTOCK_NOT_NOW;
  if (!is_within(offset, size, content.size())) return PENSTOCK_INVALID;
  if (size > 0) written.push_back(part_of(content, offset, size));
  return PENSTOCK_OK;
}

int Moment::content_hold(std::size_t offset, std::size_t size, penstock_held** held) {
  if (held == nullptr || !is_within(offset, size, content.size())) return PENSTOCK_INVALID;
  if (!may_write) return PENSTOCK_NOT_NOW;
  if (of_->held_bytes + cost_of_holding(size) > of_->caller().hold_limit()) return PENSTOCK_LIMIT;
  of_->held_bytes += cost_of_holding(size);
  // A few bytes are not to keep all the memory around them.
  Slice part = part_of(content, offset, size);
  *held = &of_->held.emplace_back(size < kSmallSlab ? copy_of(part.view()) : std::move(part));
  return PENSTOCK_OK;
}

int Moment::content_emit(penstock_held* held) {
  if (!may_write) return PENSTOCK_NOT_NOW;
  return release(held, true);
}

int Moment::content_drop(penstock_held* held) { return release(held, false); }

// Only what is held is looked at: the module may have it wrong.
int Moment::release(const penstock_held* held, bool write) {
  const auto at =
      std::ranges::find_if(of_->held, [held](const penstock_held& one) { return &one == held; });
  if (at == of_->held.end()) return PENSTOCK_INVALID;
  of_->held_bytes -= cost_of_holding(at->slice.size());
  if (write && !at->slice.empty()) written.push_back(std::move(at->slice));
  of_->held.erase(at);
  return PENSTOCK_OK;
}

int Moment::content_length(std::uint64_t wanted) {
  if (!may_change_head()) return PENSTOCK_NOT_NOW;
  length = wanted;
  return PENSTOCK_OK;
}

bool Moment::begin_answer(int status, const char* reason) {
  if (status < 200 || status > 599) return false;
  const std::string_view given = reason != nullptr ? reason : reason_phrase(status);
  const auto is_plain = [](char c) { return static_cast<unsigned char>(c) >= 0x20 && c != 0x7f; };
  if (!std::ranges::all_of(given, is_plain)) return false;
  answered = std::make_unique<FilterAnswer>();
  answered->head.status = status;
  answered->head.reason = answered->head.fields.keep(given);
  return true;
}

int Moment::answer(int status, const char* reason, const void* bytes, std::size_t size) {
  if (!may_change_head()) return PENSTOCK_NOT_NOW;
  if (bytes == nullptr && size > 0) return PENSTOCK_INVALID;
  if (status == kResetContent && size > 0) return PENSTOCK_INVALID;
  if (!begin_answer(status, reason)) return PENSTOCK_INVALID;
  answer_streams = false;
  answered->body = std::make_unique<AnswerText>(std::string(static_cast<const char*>(bytes), size));
  answered->framing = {.kind = BodyKind::length, .length = size};
  return PENSTOCK_OK;
}

int Moment::answer_stream(int status, const char* reason) {
  if (!may_change_head()) return PENSTOCK_NOT_NOW;
  if (of_->instance().callbacks().answer_body == nullptr) return PENSTOCK_UNSUPPORTED;
  if (status == kResetContent || !begin_answer(status, reason)) return PENSTOCK_INVALID;
  answer_streams = true;
  answered->framing = {.kind = BodyKind::chunked};
  return PENSTOCK_OK;
}

penstock_waiter* Moment::waiter() {
  if (event == ModuleEvent::logged || event == ModuleEvent::free) return nullptr;
  if (!waiting) waiting = std::make_shared<WaitPoint>();
  return make_waiter(of_->caller().gate(), waiting).release();
}

std::size_t Moment::address_count() { return choice != nullptr ? choice->addresses.size() : 0; }

int Moment::address_at(std::size_t index, penstock_str& address) {
  if (choice == nullptr) return PENSTOCK_NOT_NOW;
  if (index >= choice->addresses.size()) return PENSTOCK_NOT_FOUND;
  const std::string_view text = texts_.copy(choice->addresses[index].to_string());
  address = {text.data(), text.size()};
  return PENSTOCK_OK;
}

int Moment::address_set(const penstock_str* addresses, std::size_t count) {
  if (choice == nullptr) return PENSTOCK_NOT_NOW;
  if (count > kMostAddresses) return PENSTOCK_LIMIT;
  if (addresses == nullptr || count == 0) return PENSTOCK_INVALID;
  AddressList list;
  for (std::size_t i = 0; i < count; ++i) {
    const auto parsed = Address::parse({addresses[i].data, addresses[i].size});
    if (!parsed || parsed->is_unix() || parsed->port() == 0) return PENSTOCK_INVALID;
    list.push_back(*parsed);
  }
  choice->addresses = std::move(list);
  choice->addresses_changed = true;
  return PENSTOCK_OK;
}

int Moment::record_get(penstock_str name, penstock_str& value) {
  if (record == nullptr) return PENSTOCK_NOT_NOW;
  std::string found;
  if (!record->get({name.data, name.size}, found)) return PENSTOCK_NOT_FOUND;
  const std::string_view text = texts_.copy(found);
  value = {text.data(), text.size()};
  return PENSTOCK_OK;
}

int Moment::record_add(penstock_str name, penstock_str value) {
  if (event == ModuleEvent::free) return PENSTOCK_NOT_NOW;
  if (!is_record_name({name.data, name.size})) return PENSTOCK_INVALID;
  const bool added =
      of_->adaptation().add_record_field({name.data, name.size}, {value.data, value.size});
  return added ? PENSTOCK_OK : PENSTOCK_LIMIT;
}

}  // namespace penstock
