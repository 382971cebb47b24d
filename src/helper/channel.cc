#include "helper/channel.h"

#include "base/check.h"

namespace penstock {
namespace {

constexpr std::uint64_t kPlaceBits = 32;

}  // namespace

std::size_t Payload::size() const {
  if (is_string_) return bytes_.size();
  std::size_t size = 0;
  for (const std::string_view part : parts_) size += part.size();
  return size;
}

std::span<const std::string_view> Payload::parts() {
  if (!is_string_) return parts_;
  view_ = bytes_;
  return {&view_, 1};
}

std::string Payload::take() {
  if (is_string_) return std::move(bytes_);
  std::string all;
  all.reserve(size());
  for (const std::string_view part : parts_) all += part;
  return all;
}

bool ChannelCall::start(std::coroutine_handle<> caller, TaskContext& context) {
  if (context.cancelled()) {
    result_ = fail(ErrorKind::cancelled);
    return false;
  }
  if (payload_.size() > kMaxChannelMessage) {
    result_ = fail(ErrorKind::limit);
    return false;
  }
  id_ = channel_->enter(*this);
  if (id_ == 0) {
    result_ = fail(ErrorKind::overloaded);
    return false;
  }
  if (const auto sent = channel_->submit(id_, affinity_, payload_); !sent) {
    channel_->leave(id_);
    result_ = fail(sent.error());
    return false;
  }
  caller_ = caller;
  executor_ = &context.executor();
  context.add(*this);
  return true;
}

void ChannelCall::finish(Result<std::string> result) {
  unlink();
  result_ = std::move(result);
  executor_->post(caller_);
}

void ChannelCall::on_cancel() {
  channel_->leave(id_);
  channel_->withdraw(id_, affinity_);
  finish(fail(ErrorKind::cancelled));
}

Channel::~Channel() { PENSTOCK_CHECK(under_way_ == 0); }

Result<void> Channel::send(Payload payload, std::uint64_t affinity) {
  if (payload.size() > kMaxChannelMessage) return fail(ErrorKind::limit);
  return submit(0, affinity, payload);
}

std::uint64_t Channel::enter(ChannelCall& call) {
  if (under_way_ >= max_calls_) return 0;
  if (first_free_ == 0) {
    slots_.emplace_back();
    first_free_ = static_cast<std::uint32_t>(slots_.size());
  }
  const std::uint32_t place = first_free_;
  Slot& slot = slots_[place - 1];
  first_free_ = slot.next_free;
  slot.call = &call;
  ++slot.generation;
  ++under_way_;
  return std::uint64_t{slot.generation} << kPlaceBits | place;
}

ChannelCall* Channel::leave(std::uint64_t id) {
  const auto place = static_cast<std::uint32_t>(id);
  if (place == 0 || place > slots_.size()) return nullptr;
  Slot& slot = slots_[place - 1];
  if (slot.call == nullptr || slot.generation != id >> kPlaceBits) return nullptr;
  slot.next_free = first_free_;
  first_free_ = place;
  --under_way_;
  return std::exchange(slot.call, nullptr);
}

void Channel::deliver(std::uint64_t id, std::string bytes) {
  if (id == 0) {
    if (sink_ != nullptr) sink_->on_message(bytes);
    return;
  }
  if (ChannelCall* const call = leave(id)) call->finish(std::move(bytes));
}

void Channel::fail_all(Error error) {
  // What finishes is only posted, so that no new call begins meanwhile.
  for (const Slot& slot : slots_) {
    if (slot.call == nullptr) continue;
    ChannelCall& call = *slot.call;
    leave(call.id_);
    call.finish(fail(error));
  }
}

}  // namespace penstock
