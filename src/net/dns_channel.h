// Questions to name servers, by c-ares on the event loop.
//
// Asked record by record (ares_query) and not by ares_getaddrinfo(), so that the whole reply is
// seen: how long nothing is to be remembered (SOA), the time to live of each link of a chain of
// aliases, SRV records. The search list is walked here, as ares_getaddrinfo() does.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include <ares.h>

#include "async/timer.h"
#include "net/dns_message.h"
#include "net/event_loop.h"
#include "net/settings.h"

namespace penstock {

// A set of name servers, as they were configured when it was made. Retries, the change to the next
// server and to TCP are the business of c-ares. Belongs to one thread.
class DnsChannel final : private Timer {
 public:
  using Done = std::function<void(DnsAnswer)>;

  // `resolv_conf`: the file with servers (unless the settings name some), search list and options.
  DnsChannel(EventLoop& loop, const DnsSettings& settings, std::string resolv_conf);
  // Questions under way end as failed.
  ~DnsChannel() override;
  DnsChannel(const DnsChannel&) = delete;
  DnsChannel& operator=(const DnsChannel&) = delete;

  // Calls `done` once: in this call, or later from the loop; it may ask again. It must not destroy
  // the channel.
  void ask(const std::string& name, DnsType type, Done done);
  [[nodiscard]] std::size_t under_way() const { return under_way_; }

 private:
  struct Question;
  struct Socket;

  void read_search_list();
  [[nodiscard]] std::vector<std::string> candidates(const std::string& name) const;
  void ask_next(std::unique_ptr<Question> question);
  static void on_reply(void* kept, int status, int timeouts, unsigned char* reply, int size);
  void finish(std::unique_ptr<Question> question, DnsAnswer answer);
  static void on_socket_state(void* self, ares_socket_t fd, int readable, int writable);
  void process(ares_socket_t readable, ares_socket_t writable);
  void on_timer() override;
  void arm_timer();

  EventLoop* loop_;
  ares_channel channel_ = nullptr;  // null: there are no servers to be asked
  std::vector<std::string> search_list_;
  std::size_t dots_ = 1;  // a name with so many dots is tried as it is first
  std::size_t under_way_ = 0;
  std::unordered_map<ares_socket_t, std::unique_ptr<Socket>> sockets_;
};

}  // namespace penstock
