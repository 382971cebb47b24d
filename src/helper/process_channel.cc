#include "helper/process_channel.h"

#include <utility>

#include "base/check.h"
#include "base/random.h"

namespace penstock {
namespace {

// What may wait of a lane when its ring is full, besides the message that passes this bound.
constexpr std::size_t kMaxBacklog = std::size_t{16} * 1024 * 1024;
// Messages and bytes of a lane that are read before the loop's other work has its turn.
constexpr int kMessagesATurn = 256;
constexpr std::size_t kBytesATurn = std::size_t{1024} * 1024;

static_assert(kMaxChannelMessage <= kMaxRingMessage);

}  // namespace

ProcessChannel::ProcessChannel(HelperProcess& process, unsigned worker, EventLoop& loop,
                               std::size_t max_calls)
    : Channel(max_calls),
      process_(&process),
      worker_(worker),
      loop_(&loop),
      self_(std::make_shared<ProcessChannel*>(this)) {
  if (auto link = process_->listen(*this)) attach(std::move(link));
}

ProcessChannel::~ProcessChannel() {
  process_->forget(*this);
  *self_ = nullptr;
  if (link_) loop_->remove(link_->bell(worker_));
}

void ProcessChannel::on_link(const std::shared_ptr<HelperLink>& link) {
  loop_->call([self = self_, link] {
    if (*self != nullptr) (*self)->change_link(link);
  });
}

void ProcessChannel::change_link(std::shared_ptr<HelperLink> link) {
  if (link_) detach();
  if (link) attach(std::move(link));
}

void ProcessChannel::attach(std::shared_ptr<HelperLink> link) {
  const int bell = link->bell(worker_);
  // Edge-triggered, so that its counter need not be read. Without room in epoll there is no helper
  // for us; that is as rare as it sounds, and the next one may do better.
  if (loop_->add(bell, EPOLLIN | EPOLLET, *this) != 0) return;
  for (unsigned lane = 0; lane < link->shape().lanes; ++lane) {
    // The helper sleeps in its rings: waking it there can't block us.
    lanes_.push_back({.requests = RingWriter(link->requests(worker_, lane), {}),
                      .replies = RingReader(link->replies(worker_, lane), {})});
  }
  link_ = std::move(link);
  broken_ = false;
  if (sink() != nullptr) sink()->on_up();
  look_at_lanes();
}

void ProcessChannel::detach() {
  // What it has answered counts: what the rings hold, no more, as some child of it may still write.
  const std::size_t size = link_->shape().ring_bytes;
  const std::size_t turns = size / kRingPrefix / kMessagesATurn + size / kBytesATurn + 1;
  for (Lane& lane : lanes_) {
    for (std::size_t i = 0; i < turns && !broken_; ++i) {
      if (read_replies(lane) != Progress::more) break;
    }
  }
  loop_->remove(link_->bell(worker_));
  lanes_.clear();
  link_.reset();
  fail_all({.kind = ErrorKind::reset});
  if (sink() != nullptr) sink()->on_down();
}

Result<void> ProcessChannel::submit(std::uint64_t id, std::uint64_t affinity, Payload& payload) {
  if (!link_ || broken_) return fail(ErrorKind::unavailable);
  const std::uint64_t number = affinity != 0 ? mix(affinity) : next_lane_++;
  RingWriter& requests = lanes_[number % lanes_.size()].requests;
  if (requests.waiting() >= kMaxBacklog) return fail(ErrorKind::overloaded);
  const auto written = requests.write(id, payload.parts());
  if (written) return {};
  // `closed`: it is being stopped.
  if (written.error().kind == ErrorKind::protocol) fail_for_good();
  return fail(ErrorKind::unavailable);
}

void ProcessChannel::on_events(std::uint32_t /*events*/) { look_at_lanes(); }

void ProcessChannel::look_at_lanes() {
  bool more = false;
  for (Lane& lane : lanes_) {
    if (broken_) return;
    if (lane.requests.waiting() > 0) {
      const auto flushed = lane.requests.flush();
      if (!flushed && flushed.error().kind == ErrorKind::protocol) return fail_for_good();
    }
    if (read_replies(lane) == Progress::more) more = true;
  }
  if (more) go_on_later();
}

ProcessChannel::Progress ProcessChannel::read_replies(Lane& lane) {
  std::size_t bytes = 0;
  for (int i = 0; i < kMessagesATurn && bytes < kBytesATurn; ++i) {
    RingMessage message;
    const auto got = lane.replies.read(message);
    if (!got) {
      fail_for_good();
      return Progress::broken;
    }
    if (!*got) return Progress::all_read;
    bytes += message.bytes.size();
    deliver(message.tag, std::move(message.bytes));
  }
  return Progress::more;
}

void ProcessChannel::go_on_later() {
  loop_->call([self = self_] {
    if (*self != nullptr) (*self)->look_at_lanes();
  });
}

void ProcessChannel::fail_for_good() {
  broken_ = true;
  process_->kill(*link_, "broke the rules of the memory it shares");
}

}  // namespace penstock
