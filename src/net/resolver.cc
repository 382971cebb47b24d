#include "net/resolver.h"

#include <algorithm>
#include <chrono>
#include <unordered_map>

#include <ares.h>
#include <netdb.h>

#include "async/event.h"
#include "async/wait.h"
#include "base/text.h"

namespace penstock {
namespace {

constexpr Duration kFailureKept = std::chrono::seconds(5);
constexpr Duration kShortestLife = std::chrono::seconds(1);
constexpr Duration kLongestLife = std::chrono::hours(1);
constexpr std::size_t kMaxNames = 10'000;

// ares_library_init() is to be called once a process; this object's life is the library's.
struct AresLibrary {
  AresLibrary() { ares_library_init(ARES_LIB_INIT_ALL); }
};

}  // namespace

// One c-ares channel, its sockets on the loop, and the names it has found.
class Resolver::Channel final : private Timer {
 public:
  explicit Channel(EventLoop& loop) : loop_(&loop) {
    static const AresLibrary library;
    ares_options options{};
    options.sock_state_cb = &Channel::on_socket_state;
    options.sock_state_cb_data = this;
    std::string lookups = "fb";  // the hosts file first
    options.lookups = lookups.data();
    options.timeout = 2000;
    options.tries = 3;
    const int mask =
        ARES_OPT_SOCK_STATE_CB | ARES_OPT_LOOKUPS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES;
    if (ares_init_options(&channel_, &options, mask) != ARES_SUCCESS) channel_ = nullptr;
  }
  ~Channel() override {
    if (channel_ != nullptr) ares_destroy(channel_);
  }
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;

  struct Entry {
    AddressList addresses;  // empty: there are none
    TimePoint expires{};
    std::unique_ptr<Event> answered;  // while the question is being asked
  };

  // The answer if it is known and fresh, else the entry with the question under way. Whoever waits
  // holds the entry, so that it has its answer though the name may be forgotten meanwhile.
  std::shared_ptr<Entry> look_up(const std::string& host) {
    std::shared_ptr<Entry>& known = entries_[host];
    if (!known) known = std::make_shared<Entry>();
    const std::shared_ptr<Entry> entry = known;
    if (entry->answered || entry->expires > loop_->executor().now()) return entry;
    entry->answered = std::make_unique<Event>();
    ask(host, entry);
    return entry;
  }
  void make_room() {
    if (entries_.size() < kMaxNames) return;
    const TimePoint now = loop_->executor().now();
    std::erase_if(entries_, [now](const auto& item) {
      return !item.second->answered && item.second->expires <= now;
    });
    if (entries_.size() < kMaxNames) return;
    std::erase_if(entries_, [](const auto& item) { return !item.second->answered; });
  }

 private:
  struct Question {
    Channel* channel;
    std::shared_ptr<Entry> entry;
  };
  // A socket of c-ares on the loop.
  struct Socket final : EventSource {
    Socket(Channel& owner, ares_socket_t socket) : channel(&owner), fd(socket) {}
    void on_events(std::uint32_t events) override {
      const bool in = (events & (EPOLLIN | EPOLLERR | EPOLLHUP)) != 0;
      const bool out = (events & EPOLLOUT) != 0;
      channel->process(in ? fd : ARES_SOCKET_BAD, out ? fd : ARES_SOCKET_BAD);
    }
    Channel* channel;
    ares_socket_t fd;
    bool on_loop = false;
  };

  void ask(const std::string& host, const std::shared_ptr<Entry>& entry) {
    if (channel_ == nullptr) return answer(*entry, {}, kFailureKept);
    ares_addrinfo_hints hints{};
    hints.ai_family = AF_UNSPEC;
    hints.ai_socktype = SOCK_STREAM;
    ares_getaddrinfo(channel_, host.c_str(), nullptr, &hints, &Channel::on_answer,
                     new Question{this, entry});
    arm_timer();
  }

  static void on_answer(void* argument, int status, int /*timeouts*/, ares_addrinfo* result) {
    const std::unique_ptr<Question> question(static_cast<Question*>(argument));
    const std::unique_ptr<ares_addrinfo, decltype(&ares_freeaddrinfo)> owned(result,
                                                                             &ares_freeaddrinfo);
    if (status == ARES_EDESTRUCTION) return;
    AddressList addresses;
    Duration life = kLongestLife;
    if (status == ARES_SUCCESS && result != nullptr) {
      for (const ares_addrinfo_node* node = result->nodes; node != nullptr; node = node->ai_next) {
        addresses.push_back(Address::from_sockaddr(node->ai_addr, node->ai_addrlen));
        life = std::min<Duration>(life, std::chrono::seconds(node->ai_ttl));
      }
    }
    if (addresses.empty()) life = kFailureKept;
    question->channel->answer(*question->entry, std::move(addresses),
                              std::max(life, kShortestLife));
  }

  void answer(Entry& entry, AddressList addresses, Duration life) {
    entry.addresses = std::move(addresses);
    entry.expires = loop_->executor().now() + life;
    // The waiters hold no reference to the event past this call.
    if (entry.answered) std::exchange(entry.answered, nullptr)->set();
  }

  static void on_socket_state(void* self, ares_socket_t fd, int readable, int writable) {
    auto& channel = *static_cast<Channel*>(self);
    auto& slot = channel.sockets_[fd];
    const std::uint32_t events = (readable != 0 ? EPOLLIN : 0U) | (writable != 0 ? EPOLLOUT : 0U);
    if (events == 0) {
      if (slot && slot->on_loop) channel.loop_->remove(fd);
      // The object may be the source of the event being handled: it is kept for later use.
      if (slot) slot->on_loop = false;
      return;
    }
    if (!slot) slot = std::make_unique<Socket>(channel, fd);
    if (slot->on_loop) {
      channel.loop_->modify(fd, events, *slot);
    } else {
      slot->on_loop = channel.loop_->add(fd, events, *slot) == 0;
    }
  }

  void process(ares_socket_t readable, ares_socket_t writable) {
    ares_process_fd(channel_, readable, writable);
    arm_timer();
  }

  void on_timer() override { process(ARES_SOCKET_BAD, ARES_SOCKET_BAD); }

  void arm_timer() {
    timeval next{};
    if (ares_timeout(channel_, nullptr, &next) == nullptr) return disarm();
    const Duration wait =
        std::chrono::seconds(next.tv_sec) + std::chrono::microseconds(next.tv_usec);
    loop_->executor().timers().arm(*this, loop_->executor().now() + wait);
  }

  EventLoop* loop_;
  ares_channel channel_ = nullptr;
  std::unordered_map<ares_socket_t, std::unique_ptr<Socket>> sockets_;
  std::unordered_map<std::string, std::shared_ptr<Entry>> entries_;
};

Resolver::Resolver(EventLoop& loop) : channel_(std::make_unique<Channel>(loop)) {}
Resolver::~Resolver() = default;

Task<Result<AddressList>> Resolver::resolve(std::string_view host, std::uint16_t port,
                                            TimePoint deadline) {
  if (auto literal = Address::from_ip(host, port)) {
    co_return AddressList{std::move(*literal)};
  }
  const std::string name = to_lower(host);
  channel_->make_room();
  const auto entry = channel_->look_up(name);
  if (Event* pending = entry->answered.get()) {
    const Result<void> waited = co_await wait_until(*pending, deadline);
    if (!waited) co_return fail(waited.error());
  }
  AddressList addresses = entry->addresses;
  if (addresses.empty()) co_return fail(ErrorKind::resolve_failed);
  for (Address& address : addresses) address.set_port(port);
  co_return addresses;
}

}  // namespace penstock
