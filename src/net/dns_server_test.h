// For tests: messages of the DNS, and a name server on loopback that answers as it is told.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include "base/text.h"
#include "net/address.h"
#include "net/dns_message.h"
#include "net/event_loop.h"
#include "net/fd.h"

namespace penstock::dns {

inline std::string number16(unsigned value) {
  return {static_cast<char>(value >> 8 & 0xff), static_cast<char>(value & 0xff)};
}
inline std::string number32(std::uint32_t value) {
  return number16(value >> 16) + number16(value & 0xffff);
}
// "a.example" as labels; "" or "." is the root.
inline std::string labels(std::string_view name) {
  std::string text;
  while (!name.empty() && name != ".") {
    const std::string_view label = name.substr(0, name.find('.'));
    text += static_cast<char>(label.size());
    text += label;
    name.remove_prefix(std::min(label.size() + 1, name.size()));
  }
  return text + '\0';
}

// A record of the name that was asked for, whose text begins behind the head.
inline std::string record(unsigned type, std::uint32_t ttl, std::string_view data) {
  std::string text = "\xc0\x0c" + number16(type) + number16(1) + number32(ttl);
  return text + number16(static_cast<unsigned>(data.size())) + std::string(data);
}
inline std::string a(std::string_view ip, std::uint32_t ttl = 60) {
  std::array<char, 4> bytes{};
  EXPECT_EQ(inet_pton(AF_INET, std::string(ip).c_str(), bytes.data()), 1) << ip;
  return record(1, ttl, {bytes.data(), bytes.size()});
}
inline std::string aaaa(std::string_view ip, std::uint32_t ttl = 60) {
  std::array<char, 16> bytes{};
  EXPECT_EQ(inet_pton(AF_INET6, std::string(ip).c_str(), bytes.data()), 1) << ip;
  return record(28, ttl, {bytes.data(), bytes.size()});
}
inline std::string cname(std::string_view target, std::uint32_t ttl = 60) {
  return record(5, ttl, labels(target));
}
inline std::string srv(const ServiceTarget& target, std::uint32_t ttl = 60) {
  const std::string numbers =
      number16(target.priority) + number16(target.weight) + number16(target.port);
  return record(33, ttl, numbers + labels(target.host));
}
inline std::string soa(std::uint32_t ttl, std::uint32_t minimum) {
  std::string data = labels("ns.example") + labels("admin.example");
  for (int i = 0; i < 4; ++i) data += number32(1);
  return record(6, ttl, data + number32(minimum));
}

// What the server makes of a question. Without records: there is nothing of that type.
struct Reply {
  std::vector<std::string> records;
  std::vector<std::string> authority;
  unsigned rcode = 0;  // 2: SERVFAIL, 3: NXDOMAIN, 5: REFUSED
  int lost = 0;        // so many first questions are not answered
  bool silent = false;
  bool held = false;  // until release()
  bool garbage = false;
};

// The whole message, in answer to a question (its section of the message).
inline std::string message(std::string_view id, std::string_view question, const Reply& reply) {
  std::string text = std::string(id) + number16(0x8180 | reply.rcode) + number16(1);
  text += number16(static_cast<unsigned>(reply.records.size()));
  text += number16(static_cast<unsigned>(reply.authority.size())) + number16(0);
  text += question;
  for (const std::string& each : reply.records) text += each;
  for (const std::string& each : reply.authority) text += each;
  if (reply.garbage) text.resize(text.size() - 3);
  return text;
}

// Answers NXDOMAIN where it has not been told otherwise.
class Server final : EventSource {
 public:
  explicit Server(EventLoop& loop)
      : loop_(&loop), socket_(::socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)) {
    sockaddr_storage storage;
    socklen_t length = Address::parse("127.0.0.1:0")->to_sockaddr(storage);
    auto* const address = reinterpret_cast<sockaddr*>(&storage);
    EXPECT_EQ(::bind(socket_.get(), address, length), 0);
    EXPECT_EQ(::getsockname(socket_.get(), address, &length), 0);
    address_ = Address::from_sockaddr(address, length);
    EXPECT_EQ(loop.add(socket_.get(), EPOLLIN, *this), 0);
  }
  ~Server() { loop_->remove(socket_.get()); }
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  [[nodiscard]] std::string address() const { return address_.to_string(); }
  void set(std::string_view name, DnsType type, Reply reply) {
    replies_[{std::string(name), number_of(type)}] = std::move(reply);
  }
  // How often it was asked.
  [[nodiscard]] int asked(std::string_view name, DnsType type) const {
    const auto found = asked_.find({std::string(name), number_of(type)});
    return found == asked_.end() ? 0 : found->second;
  }
  [[nodiscard]] int asked() const { return total_; }
  [[nodiscard]] std::size_t held() const { return held_.size(); }
  void release() {
    for (const auto& [to, text] : std::exchange(held_, {})) send(to, text);
  }

 private:
  using Key = std::pair<std::string, std::uint16_t>;

  void on_events(std::uint32_t /*events*/) override {
    std::array<char, 1024> buffer;
    while (true) {
      sockaddr_storage from{};
      socklen_t length = sizeof from;
      const ssize_t n = ::recvfrom(socket_.get(), buffer.data(), buffer.size(), 0,
                                   reinterpret_cast<sockaddr*>(&from), &length);
      if (n < 0) return;
      on_question(Address::from_sockaddr(reinterpret_cast<sockaddr*>(&from), length),
                  {buffer.data(), static_cast<std::size_t>(n)});
    }
  }

  void on_question(const Address& from, std::string_view text) {
    constexpr std::size_t kHead = 12;
    std::string name;
    std::size_t at = kHead;
    for (; text.at(at) != 0; at += 1 + static_cast<std::size_t>(text[at])) {
      if (!name.empty()) name += '.';
      name += text.substr(at + 1, static_cast<std::size_t>(text[at]));
    }
    const auto type = static_cast<std::uint16_t>(text.at(at + 2));
    const Key key{to_lower(name), type};
    ++asked_[key];
    ++total_;
    const auto found = replies_.find(key);
    Reply unknown{.rcode = 3};
    Reply& reply = found == replies_.end() ? unknown : found->second;
    if (reply.silent || reply.lost-- > 0) return;
    const std::string answer =
        message(text.substr(0, 2), text.substr(kHead, at + 5 - kHead), reply);
    if (reply.held) {
      held_.emplace_back(from, answer);
    } else {
      send(from, answer);
    }
  }

  void send(const Address& to, std::string_view text) const {
    sockaddr_storage storage;
    const socklen_t length = to.to_sockaddr(storage);
    ::sendto(socket_.get(), text.data(), text.size(), 0, reinterpret_cast<sockaddr*>(&storage),
             length);
  }

  EventLoop* loop_;
  Fd socket_;
  Address address_;
  std::map<Key, Reply> replies_;
  std::map<Key, int> asked_;
  int total_ = 0;
  std::vector<std::pair<Address, std::string>> held_;
};

}  // namespace penstock::dns
