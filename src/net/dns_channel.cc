#include "net/dns_channel.h"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <span>
#include <utility>

namespace penstock {
namespace {

constexpr int kClassIn = 1;

// ares_library_init() is to be called once a process; this object's life is the library's.
struct AresLibrary {
  AresLibrary() { ares_library_init(ARES_LIB_INIT_ALL); }
};

DnsAnswer nothing(DnsOutcome outcome) {
  DnsAnswer answer;
  answer.outcome = outcome;
  return answer;
}

// The replies that c-ares passes on are to our question, by their id and text.
DnsAnswer answer_of(int status, std::span<const std::uint8_t> reply, DnsType type) {
  switch (status) {
    case ARES_SUCCESS:
      return read_dns_answer(reply, type);
    case ARES_ENODATA:
    case ARES_ENOTFOUND: {
      DnsAnswer answer = read_dns_answer(reply, type);
      if (answer.outcome == DnsOutcome::none) return answer;
      return nothing(DnsOutcome::none);
    }
    case ARES_EBADNAME:  // no name at all: a label is empty or too long
      return nothing(DnsOutcome::none);
    case ARES_ETIMEOUT:
      return nothing(DnsOutcome::timed_out);
    default:
      return nothing(DnsOutcome::failed);
  }
}

}  // namespace

struct DnsChannel::Question {
  DnsChannel* channel;
  DnsType type;
  Done done;
  std::vector<std::string> names;  // to try in turn
  std::size_t next = 0;
};

// A socket of c-ares on the loop.
struct DnsChannel::Socket final : EventSource {
  Socket(DnsChannel& owner, ares_socket_t socket) : channel(&owner), fd(socket) {}
  void on_events(std::uint32_t events) override {
    const bool in = (events & (EPOLLIN | EPOLLERR | EPOLLHUP)) != 0;
    const bool out = (events & EPOLLOUT) != 0;
    channel->process(in ? fd : ARES_SOCKET_BAD, out ? fd : ARES_SOCKET_BAD);
  }
  DnsChannel* channel;
  ares_socket_t fd;
  bool on_loop = false;
};

DnsChannel::DnsChannel(EventLoop& loop, const DnsSettings& settings, std::string resolv_conf)
    : loop_(&loop) {
  static const AresLibrary library;
  using Milliseconds = std::chrono::duration<int, std::milli>;
  ares_options options{};
  options.sock_state_cb = &DnsChannel::on_socket_state;
  options.sock_state_cb_data = this;
  options.timeout = std::max(std::chrono::duration_cast<Milliseconds>(settings.timeout).count(), 1);
  options.tries = static_cast<int>(std::max(settings.tries, 1U));
  options.resolvconf_path = resolv_conf.data();
  const int mask =
      ARES_OPT_SOCK_STATE_CB | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_RESOLVCONF;
  if (ares_init_options(&channel_, &options, mask) != ARES_SUCCESS) {
    channel_ = nullptr;
    return;
  }
  read_search_list();
  std::string servers;
  for (const std::string& server : settings.servers) servers.append(server).append(",");
  if (servers.empty()) return;
  servers.pop_back();
  if (ares_set_servers_ports_csv(channel_, servers.c_str()) == ARES_SUCCESS) return;
  ares_destroy(channel_);
  channel_ = nullptr;
}

DnsChannel::~DnsChannel() {
  if (channel_ != nullptr) ares_destroy(channel_);
}

void DnsChannel::read_search_list() {
  ares_options options{};
  int mask = 0;
  if (ares_save_options(channel_, &options, &mask) == ARES_SUCCESS) {
    search_list_.assign(options.domains, options.domains + options.ndomains);
    dots_ = static_cast<std::size_t>(std::max(options.ndots, 0));
  }
  ares_destroy_options(&options);
}

// As resolv.conf(5) says it of "search" and "ndots".
std::vector<std::string> DnsChannel::candidates(const std::string& name) const {
  std::vector<std::string> names;
  if (!name.ends_with('.')) {
    for (const std::string& domain : search_list_) {
      // "search ." means that there is none.
      if (domain.empty() || domain == ".") continue;
      names.push_back(name);
      names.back().append(".").append(domain);
    }
  }
  const bool has_dots = std::cmp_greater_equal(std::ranges::count(name, '.'), dots_);
  const bool first = has_dots || name.ends_with('.');
  names.insert(first ? names.begin() : names.end(), name);
  return names;
}

void DnsChannel::ask(const std::string& name, DnsType type, Done done) {
  auto question = std::make_unique<Question>(this, type, std::move(done), candidates(name));
  ++under_way_;
  if (channel_ == nullptr) return finish(std::move(question), nothing(DnsOutcome::failed));
  ask_next(std::move(question));
  arm_timer();
}

void DnsChannel::ask_next(std::unique_ptr<Question> question) {
  // c-ares keeps the pointer until it calls on_reply(), which it does in any case.
  Question* const kept = question.release();
  const std::string& name = kept->names[kept->next++];
  ares_query(channel_, name.c_str(), kClassIn, number_of(kept->type), &DnsChannel::on_reply, kept);
}

void DnsChannel::on_reply(void* kept, int status, int /*timeouts*/, unsigned char* reply,
                          int size) {
  std::unique_ptr<Question> question(static_cast<Question*>(kept));
  DnsChannel& channel = *question->channel;
  // Only a name that does not exist leads on to the next: else one family's address could be found
  // under another name than the other's.
  if (status == ARES_ENOTFOUND && question->next < question->names.size()) {
    return channel.ask_next(std::move(question));
  }
  const std::size_t length = reply == nullptr ? 0 : static_cast<std::size_t>(size);
  DnsAnswer answer = answer_of(status, {reply, length}, question->type);
  channel.finish(std::move(question), std::move(answer));
}

void DnsChannel::finish(std::unique_ptr<Question> question, DnsAnswer answer) {
  --under_way_;
  question->done(std::move(answer));
}

void DnsChannel::on_socket_state(void* self, ares_socket_t fd, int readable, int writable) {
  auto& channel = *static_cast<DnsChannel*>(self);
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

void DnsChannel::process(ares_socket_t readable, ares_socket_t writable) {
  ares_process_fd(channel_, readable, writable);
  arm_timer();
}

void DnsChannel::on_timer() { process(ARES_SOCKET_BAD, ARES_SOCKET_BAD); }

void DnsChannel::arm_timer() {
  timeval next{};
  if (ares_timeout(channel_, nullptr, &next) == nullptr) return disarm();
  const Duration wait = std::chrono::seconds(next.tv_sec) + std::chrono::microseconds(next.tv_usec);
  loop_->executor().timers().arm(*this, loop_->executor().now() + wait);
}

}  // namespace penstock
