#include "helper/thread_channel.h"

#include <algorithm>
#include <bit>
#include <utility>

#include "base/random.h"

namespace penstock {
namespace {

// Of messages that a worker has not looked at yet; replies are bounded by its calls.
constexpr std::size_t kMaxUnread = std::size_t{16} * 1024 * 1024;

}  // namespace

// What threads have for a worker. Kept by the channel, by what is under way, and by the functions
// that are posted to the worker.
class ThreadReturnPath final : public ReturnPath,
                               public std::enable_shared_from_this<ThreadReturnPath> {
 public:
  ThreadReturnPath(ThreadChannel& channel, Network& network)
      : channel_(&channel), network_(&network) {}

  Result<void> reply(std::uint64_t id, Payload payload) override {
    return put(id, std::move(payload));
  }
  Result<void> send(Payload payload) override { return put(0, std::move(payload)); }

  // On the channel's thread: it is about to go.
  void detach() {
    const std::lock_guard lock(mutex_);
    channel_ = nullptr;
    network_ = nullptr;
  }

 private:
  struct Item {
    std::uint64_t id;
    std::string bytes;
  };

  Result<void> put(std::uint64_t id, Payload payload) {
    if (payload.size() > kMaxChannelMessage) return fail(ErrorKind::limit);
    std::string bytes = payload.take();
    const std::lock_guard lock(mutex_);
    if (network_ == nullptr) return fail(ErrorKind::closed);
    if (id == 0) {
      if (unread_ + bytes.size() > kMaxUnread) return fail(ErrorKind::overloaded);
      unread_ += bytes.size();
    }
    items_.push_back({.id = id, .bytes = std::move(bytes)});
    // One call for all that comes until it runs. The lock keeps the network in place.
    if (items_.size() == 1) network_->call([self = shared_from_this()] { self->hand_over(); });
    return {};
  }

  // On the channel's thread.
  void hand_over() {
    std::vector<Item> items;
    {
      const std::lock_guard lock(mutex_);
      if (channel_ == nullptr) return;
      items.swap(items_);
      unread_ = 0;
    }
    for (Item& item : items) channel_->deliver(item.id, std::move(item.bytes));
  }

  ThreadChannel* channel_;  // changed on the channel's thread only
  std::mutex mutex_;
  Network* network_;
  std::vector<Item> items_;
  std::size_t unread_ = 0;
};

// --- the threads

class HelperThreads::Seat final : public HelperSeat {
 public:
  explicit Seat(HelperThreads& threads) : threads_(&threads) {}
  Seat(const Seat&) = delete;
  Seat& operator=(const Seat&) = delete;
  ~Seat() override {
    const std::lock_guard lock(threads_->mutex_);
    if (under_way_) threads_->finish(*under_way_);
  }
  std::optional<HelperRequest> receive() override { return threads_->next(under_way_); }

 private:
  HelperThreads* threads_;
  std::optional<Key> under_way_;
};

std::size_t HelperThreads::KeyHash::operator()(const Key& key) const {
  const auto path = std::bit_cast<std::uintptr_t>(key.path);
  return mix(mix(path) + key.number * 2 + (key.alone ? 1 : 0));
}

HelperThreads::HelperThreads(const HelperThreadsSettings& settings, Work work)
    : settings_(settings), work_(std::move(work)) {
  for (unsigned i = 0; i < std::max(1U, settings_.threads); ++i) {
    threads_.emplace_back([this] { run(); });
  }
}

HelperThreads::~HelperThreads() {
  close();
  for (std::thread& thread : threads_) thread.join();
}

void HelperThreads::close() {
  const std::lock_guard lock(mutex_);
  closed_ = true;
  changed_.notify_all();
}

void HelperThreads::run() {
  Seat seat(*this);
  work_(seat);
}

void HelperThreads::queue(Strand& strand, const Key& key) {
  if (strand.queued || strand.busy || strand.waiting.empty()) return;
  strand.queued = true;
  ready_.push_back(key);
  changed_.notify_one();
}

Result<void> HelperThreads::add(HelperRequest request, std::uint64_t affinity) {
  const auto& path = static_cast<const ThreadReturnPath&>(*request.path);
  // Made before the lock is taken.
  std::list<HelperRequest> node;
  const std::size_t size = request.bytes.size();
  const std::uint64_t id = request.id;
  node.push_back(std::move(request));

  const std::lock_guard lock(mutex_);
  if (closed_) return fail(ErrorKind::unavailable);
  if (waiting_ >= settings_.max_waiting || waiting_bytes_ + size > settings_.max_waiting_bytes) {
    return fail(ErrorKind::overloaded);
  }
  Key key{.path = &path, .number = affinity};
  if (affinity == 0 && id != 0) key = {.path = &path, .number = id, .alone = true};
  if (affinity == 0 && id == 0) key = {.path = nullptr, .number = ++last_alone_, .alone = true};
  Strand& strand = strands_[key];
  strand.waiting.splice(strand.waiting.end(), node);
  ++waiting_;
  waiting_bytes_ += size;
  queue(strand, key);
  return {};
}

void HelperThreads::withdraw(const ThreadReturnPath& path, std::uint64_t id,
                             std::uint64_t affinity) {
  const Key key{.path = &path, .number = affinity != 0 ? affinity : id, .alone = affinity == 0};
  std::list<HelperRequest> node;  // ends after the lock
  const std::lock_guard lock(mutex_);
  const auto found = strands_.find(key);
  if (found == strands_.end()) return;
  auto& waiting = found->second.waiting;
  const auto request =
      std::ranges::find_if(waiting, [id](const HelperRequest& one) { return one.id == id; });
  if (request == waiting.end()) return;
  --waiting_;
  waiting_bytes_ -= request->bytes.size();
  node.splice(node.end(), waiting, request);
  // If nothing is left, whoever finds it queued, or finishes, removes the strand.
}

void HelperThreads::finish(const Key& key) {
  const auto found = strands_.find(key);
  found->second.busy = false;
  if (found->second.waiting.empty()) {
    strands_.erase(found);
  } else {
    queue(found->second, key);
  }
}

std::optional<HelperRequest> HelperThreads::take_ready(std::optional<Key>& taken) {
  while (!ready_.empty()) {
    const Key key = ready_.front();
    ready_.pop_front();
    const auto found = strands_.find(key);
    Strand& strand = found->second;
    strand.queued = false;
    if (strand.waiting.empty()) {  // withdrawn
      strands_.erase(found);
      continue;
    }
    HelperRequest request = std::move(strand.waiting.front());
    strand.waiting.pop_front();
    --waiting_;
    waiting_bytes_ -= request.bytes.size();
    strand.busy = true;
    taken = key;
    return request;
  }
  return std::nullopt;
}

std::optional<HelperRequest> HelperThreads::next(std::optional<Key>& done) {
  std::unique_lock lock(mutex_);
  if (done) finish(*std::exchange(done, std::nullopt));
  while (true) {
    if (auto request = take_ready(done)) return request;
    // What waits behind something under way is taken by the thread that is at it.
    if (closed_) return std::nullopt;
    changed_.wait(lock);
  }
}

// --- a worker's side

ThreadChannel::ThreadChannel(HelperThreads& threads, Network& network, std::size_t max_calls)
    : Channel(max_calls),
      threads_(&threads),
      path_(std::make_shared<ThreadReturnPath>(*this, network)) {}

ThreadChannel::~ThreadChannel() { path_->detach(); }

Result<void> ThreadChannel::submit(std::uint64_t id, std::uint64_t affinity, Payload& payload) {
  return threads_->add({.id = id, .bytes = payload.take(), .path = path_}, affinity);
}

void ThreadChannel::withdraw(std::uint64_t id, std::uint64_t affinity) {
  threads_->withdraw(*path_, id, affinity);
}

}  // namespace penstock
