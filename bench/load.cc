// The client side: a closed loop of connections, each with one request under way.
//
// It talks to bench/run over its standard streams, so that the proxies can be measured at defined
// moments: it sets the connections up (one exchange on each), warms up, prints "ready" and waits
// for a line; runs; prints its results as one line of JSON and waits again with all connections
// still open; and ends.
#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <iostream>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <getopt.h>
#include <sys/socket.h>
#include <unistd.h>

#include "framer.h"
#include "histogram.h"
#include "net.h"

namespace penstock::bench {
namespace {

using Clock = std::chrono::steady_clock;
using Seconds = std::chrono::duration<double>;

constexpr std::size_t kBufferSize = 256UZ * 1024;
constexpr std::size_t kSetupAtOnce = 64;
constexpr std::size_t kDropFrom = 16UZ * 1024;
constexpr Seconds kDrainTime{5};
constexpr std::uint64_t kErrorLimit = 1000;

struct Options {
  std::uint16_t port = 0;
  std::size_t connections = 64;
  double seconds = 1;
  double warmup = 0.2;
  std::string method = "GET";
  std::string target = "/size/1024";
  std::string host = "127.0.0.1";
  std::size_t body = 0;
  std::string tunnel;  // authority to CONNECT to first
  bool new_connections = false;
  unsigned sources = 1;
};

std::string make_request(const Options& options) {
  std::string request = options.method + ' ' + options.target +
                        " HTTP/1.1\r\nHost: " + options.host +
                        "\r\nUser-Agent: load\r\nAccept: */*\r\n";
  if (options.new_connections) request += "Connection: close\r\n";
  if (options.body > 0) request += "Content-Length: " + std::to_string(options.body) + "\r\n";
  return request + "\r\n" + std::string(options.body, 'x');
}

std::string make_connect(const std::string& authority) {
  return "CONNECT " + authority + " HTTP/1.1\r\nHost: " + authority + "\r\n\r\n";
}

struct Results {
  std::uint64_t requests = 0;
  std::uint64_t body_bytes = 0;
  std::uint64_t errors = 0;      // a wrong status, or a connection that ended in an exchange
  std::uint64_t reconnects = 0;  // connections the proxy closed though they were kept alive
  std::uint64_t stalled = 0;     // exchanges that did not end in time
  Histogram latency;
};

// A place for one connection at a time.
struct Client {
  enum class State { kUnused, kConnecting, kTunnel, kExchange, kIdle, kWaitEnd };

  State state = State::kUnused;
  Fd fd;
  Framer framer;
  std::string_view unsent;
  Clock::time_point started;
  bool at_end = false;  // the end of the stream is in sight: read until it comes
};

class Load {
 public:
  explicit Load(const Options& options)
      : options_(options),
        request_(make_request(options)),
        connect_(make_connect(options.tunnel)),
        clients_(options.connections) {}

  // One exchange on each connection, a limited number of them at a time.
  void set_up() {
    phase_ = Phase::kSetup;
    while (to_meet_ < std::min(clients_.size(), kSetupAtOnce)) meet_next();
    turn_until([this] { return active_ == 0; });
  }

  Seconds run(Seconds length) {
    results_ = {};
    phase_ = Phase::kRun;
    const Clock::time_point start = Clock::now();
    for (Client& client : clients_) begin(client);
    turn_until([&] { return Clock::now() - start >= length; });
    phase_ = Phase::kDrain;
    turn_until([&] { return active_ == 0 || Clock::now() - start >= length + kDrainTime; });
    results_.stalled = active_;
    return Clock::now() - start;
  }

  [[nodiscard]] const Results& results() const { return results_; }

 private:
  enum class Phase { kSetup, kRun, kDrain };
  using State = Client::State;

  void turn_until(const std::function<bool()>& done) {
    while (!done()) {
      for (const epoll_event& event : poller_.wait(50)) {
        auto& client = *static_cast<Client*>(event.data.ptr);
        if (client.fd) on_event(client, event.events);
      }
    }
  }

  void meet_next() {
    if (to_meet_ < clients_.size()) begin(clients_[to_meet_++]);
  }

  void begin(Client& client) {
    ++active_;
    if (client.fd) {
      client.started = Clock::now();
      return start_exchange(client);
    }
    open(client);
  }

  void open(Client& client) {
    client.started = Clock::now();
    client.at_end = false;
    client.state = State::kConnecting;
    const unsigned source = options_.sources > 1 ? 1 + next_source_++ % options_.sources : 0;
    client.fd = connect_to(options_.port, source);
    poller_.add(client.fd.get(), &client, kConnectionEvents);
  }

  void on_event(Client& client, std::uint32_t events) {
    if ((events & kEndEvents) != 0) client.at_end = true;
    if ((events & EPOLLOUT) != 0) {
      if (client.state == State::kConnecting) connected(client);
      if (client.fd && !client.unsent.empty()) send(client);
    }
    if (client.fd && (events & (EPOLLIN | kEndEvents)) != 0) receive(client);
  }

  void connected(Client& client) {
    if (options_.tunnel.empty()) return start_exchange(client);
    client.state = State::kTunnel;
    client.framer.next(true);
    client.unsent = connect_;
  }

  void start_exchange(Client& client) {
    client.state = State::kExchange;
    client.framer.next();
    client.unsent = request_;
    send(client);
  }

  void send(Client& client) {
    const ssize_t n = ::send(client.fd.get(), client.unsent.data(), client.unsent.size(), 0);
    if (n < 0 && errno == EAGAIN) return;
    if (n < 0) return ended(client);
    client.unsent.remove_prefix(static_cast<std::size_t>(n));
  }

  void receive(Client& client) {
    while (client.fd) {
      // The kernel drops the bytes of a long body for us, without copying them.
      const std::size_t left = client.framer.body_left();
      const bool drop = left >= kDropFrom;
      const std::size_t wanted = drop ? left : buffer_.size();
      const ssize_t n = recv(client.fd.get(), buffer_.data(), wanted, drop ? MSG_TRUNC : 0);
      if (n < 0 && errno == EAGAIN) return;
      if (n <= 0) return ended(client);
      const auto size = static_cast<std::size_t>(n);
      if (drop) {
        client.framer.skip(size);
      } else if (!take(client, {buffer_.data(), size})) {
        return ended(client);
      }
      if (client.framer.done()) message_done(client);
      if (size < wanted && !client.at_end) return;
    }
  }

  // False when the proxy says something it should not.
  bool take(Client& client, std::string_view data) {
    const bool expected = client.state == State::kTunnel || client.state == State::kExchange;
    if (!expected) return false;
    Framer& framer = client.framer;
    const bool in_head = framer.in_head();
    if (in_head) data.remove_prefix(framer.feed(data));
    if (in_head && !framer.in_head() && framer.status() != "200") return false;
    return framer.in_head() || framer.feed(data) == data.size();
  }

  void message_done(Client& client) {
    if (client.state == State::kTunnel) return start_exchange(client);
    if (client.state != State::kExchange) return;
    const Clock::time_point now = Clock::now();
    ++results_.requests;
    results_.body_bytes += client.framer.body_bytes();
    results_.latency.add(now - client.started);
    if (options_.new_connections) {
      client.state = State::kWaitEnd;  // The proxy closes first and keeps the TIME_WAIT.
    } else if (phase_ == Phase::kRun) {
      client.started = now;
      start_exchange(client);
    } else {
      client.state = State::kIdle;
      inactive();
    }
  }

  void inactive() {
    --active_;
    if (phase_ == Phase::kSetup) meet_next();
  }

  // The connection ended, as it should or not.
  void ended(Client& client) {
    const State state = client.state;
    client.fd.reset();
    client.unsent = {};
    client.state = State::kUnused;
    if (state == State::kIdle) {
      ++results_.reconnects;
      return;
    }
    if (state != State::kWaitEnd && ++results_.errors > kErrorLimit) {
      std::fputs("too many errors\n", stderr);
      std::exit(1);
    }
    if (phase_ == Phase::kRun) {
      open(client);
    } else {
      inactive();
    }
  }

  const Options options_;
  const std::string request_;
  const std::string connect_;
  Poller poller_;
  std::vector<Client> clients_;
  Phase phase_ = Phase::kSetup;
  std::size_t to_meet_ = 0;  // clients before this one were set up
  std::size_t active_ = 0;   // clients with something under way
  unsigned next_source_ = 0;
  Results results_;
  std::array<char, kBufferSize> buffer_{};
};

template <class Number>
Number parse(std::string_view text) {
  Number number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size()) {
    std::fprintf(stderr, "not a number: %.*s\n", static_cast<int>(text.size()), text.data());
    std::exit(2);
  }
  return number;
}

Options parse_options(int argc, char** argv) {
  Options options;
  const std::map<std::string, std::function<void(const char*)>> setters{
      {"port", [&](const char* v) { options.port = parse_port(v); }},
      {"connections", [&](const char* v) { options.connections = parse<std::size_t>(v); }},
      {"seconds", [&](const char* v) { options.seconds = parse<double>(v); }},
      {"warmup", [&](const char* v) { options.warmup = parse<double>(v); }},
      {"method", [&](const char* v) { options.method = v; }},
      {"target", [&](const char* v) { options.target = v; }},
      {"host", [&](const char* v) { options.host = v; }},
      {"body", [&](const char* v) { options.body = parse<std::size_t>(v); }},
      {"tunnel", [&](const char* v) { options.tunnel = v; }},
      {"new-connections", [&](const char*) { options.new_connections = true; }},
      {"sources", [&](const char* v) { options.sources = parse<unsigned>(v); }},
  };
  std::vector<option> known;
  known.reserve(setters.size() + 1);
  for (const auto& [name, setter] : setters) {
    known.push_back(
        {name.c_str(), name == "new-connections" ? no_argument : required_argument, nullptr, 0});
  }
  known.push_back({});
  int index = 0;
  while (getopt_long(argc, argv, "", known.data(), &index) == 0) {
    setters.at(known[static_cast<std::size_t>(index)].name)(optarg);
  }
  if (options.port == 0 || optind != argc) {
    std::fputs("usage: load --port PORT [options; see parse_options()]\n", stderr);
    std::exit(2);
  }
  return options;
}

void wait_for_line() {
  std::string line;
  if (!std::getline(std::cin, line)) std::exit(1);
}

void print(const Results& results, Seconds elapsed) {
  std::printf(
      "{\"requests\": %llu, \"seconds\": %.6f, \"body_bytes\": %llu, \"errors\": %llu, "
      "\"reconnects\": %llu, \"stalled\": %llu, \"p50_us\": %.1f, \"p99_us\": %.1f}\n",
      static_cast<unsigned long long>(results.requests), elapsed.count(),
      static_cast<unsigned long long>(results.body_bytes),
      static_cast<unsigned long long>(results.errors),
      static_cast<unsigned long long>(results.reconnects),
      static_cast<unsigned long long>(results.stalled), results.latency.quantile_us(0.50),
      results.latency.quantile_us(0.99));
  std::fflush(stdout);
}

void measure(const Options& options) {
  const auto load = std::make_unique<Load>(options);
  load->set_up();
  if (options.warmup > 0) load->run(Seconds(options.warmup));
  if (load->results().stalled > 0) {
    std::fputs("the proxy does not answer\n", stderr);
    std::exit(1);
  }
  std::puts("ready");
  std::fflush(stdout);
  wait_for_line();
  const Seconds elapsed = load->run(Seconds(options.seconds));
  print(load->results(), elapsed);
  wait_for_line();
}

}  // namespace
}  // namespace penstock::bench

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);
  const penstock::bench::Options options = penstock::bench::parse_options(argc, argv);
  // Whatever happens, it does not hang.
  constexpr unsigned kMargin = 60;
  alarm(kMargin + static_cast<unsigned>(options.seconds + options.warmup));
  penstock::bench::measure(options);
}
