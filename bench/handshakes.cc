// A client that makes one TLS connection after the other, with one GET on each: what handshakes
// cost the server. Connections are made by one thread, one at a time, so that nothing but the
// server is ever in the way.
//
//   handshakes --port PORT --target /size/1024 --seconds 2 [--resume]
//
// Prints one line of JSON, as `load` does.
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "histogram.h"

namespace {

using Clock = std::chrono::steady_clock;

template <auto Free>
struct Freed {
  template <class T>
  void operator()(T* object) const {
    Free(object);
  }
};
using Context = std::unique_ptr<SSL_CTX, Freed<SSL_CTX_free>>;
using Ssl = std::unique_ptr<SSL, Freed<SSL_free>>;
using Session = std::unique_ptr<SSL_SESSION, Freed<SSL_SESSION_free>>;

struct Options {
  std::uint16_t port = 0;
  std::string target = "/";
  double seconds = 2;
  bool resume = false;
};

[[noreturn]] void fail(const char* what) {
  std::fprintf(stderr, "handshakes: %s: %s\n", what, std::strerror(errno));
  std::exit(1);
}

Options parse_options(int count, char** words) {
  Options options;
  for (int i = 1; i < count; ++i) {
    const std::string_view word = words[i];
    if (word == "--resume") {
      options.resume = true;
      continue;
    }
    if (i + 1 == count) fail("a value is missing");
    const char* const value = words[++i];
    if (word == "--port") options.port = static_cast<std::uint16_t>(std::atoi(value));
    if (word == "--target") options.target = value;
    if (word == "--seconds") options.seconds = std::atof(value);
  }
  return options;
}

// The newest session that a server gave.
Session& kept_session() {
  static Session session;
  return session;
}

int keep_session(SSL* /*ssl*/, SSL_SESSION* session) {
  kept_session().reset(session);
  return 1;
}

class Client {
 public:
  explicit Client(const Options& options)
      : options_(options), context_(SSL_CTX_new(TLS_client_method())) {
    SSL_CTX_set_session_cache_mode(context_.get(), SSL_SESS_CACHE_CLIENT);
    SSL_CTX_sess_set_new_cb(context_.get(), &keep_session);
    request_ =
        "GET " + options.target + " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
  }

  // One connection; false when it was not what it should have been.
  bool connect_once(std::uint64_t& body) {
    const int socket = open_socket();
    const Ssl ssl(SSL_new(context_.get()));
    SSL_set_fd(ssl.get(), socket);
    SSL_set_tlsext_host_name(ssl.get(), "localhost");
    Session session = std::move(kept_session());
    if (options_.resume && session) SSL_set_session(ssl.get(), session.get());
    const bool shaken = SSL_connect(ssl.get()) == 1;
    const bool expected = options_.resume && session != nullptr;
    bool good = shaken && (SSL_session_reused(ssl.get()) == 1) == expected;
    if (shaken) good = exchange(ssl.get(), body) && good;
    if (shaken) SSL_shutdown(ssl.get());
    close(socket);
    return good;
  }

 private:
  [[nodiscard]] int open_socket() const {
    const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const int on = 1;
    setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    // Closed by a reset: ports in TIME_WAIT would run out.
    const linger at_once{.l_onoff = 1, .l_linger = 0};
    setsockopt(socket, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(options_.port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::connect(socket, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
      fail("connect");
    }
    return socket;
  }

  // Up to the end of the connection, as the session tickets of TLS 1.3 come on the way.
  bool exchange(SSL* ssl, std::uint64_t& body) {
    if (SSL_write(ssl, request_.data(), static_cast<int>(request_.size())) <= 0) return false;
    std::string answer;
    char buffer[16384];
    for (int got = 0; (got = SSL_read(ssl, buffer, sizeof buffer)) > 0;) {
      answer.append(buffer, static_cast<std::size_t>(got));
    }
    const std::size_t end = answer.find("\r\n\r\n");
    if (!answer.starts_with("HTTP/1.1 200") || end == std::string::npos) return false;
    body += answer.size() - end - 4;
    return true;
  }

  Options options_;
  Context context_;
  std::string request_;
};

}  // namespace

int main(int count, char** words) {
  const Options options = parse_options(count, words);
  Client client(options);
  std::uint64_t warm = 0;
  for (int i = 0; i < 3; ++i) static_cast<void>(client.connect_once(warm));
  std::puts("ready");
  std::fflush(stdout);
  if (std::getchar() == EOF) return 1;
  penstock::bench::Histogram latencies;
  std::uint64_t connections = 0;
  std::uint64_t errors = 0;
  std::uint64_t body = 0;
  const auto begun = Clock::now();
  const auto end = begun + std::chrono::duration<double>(options.seconds);
  for (auto now = begun; now < end;) {
    if (client.connect_once(body)) {
      ++connections;
    } else {
      ++errors;
    }
    const auto after = Clock::now();
    latencies.add(after - now);
    now = after;
  }
  const double seconds = std::chrono::duration<double>(Clock::now() - begun).count();
  std::printf(
      "{\"requests\": %llu, \"seconds\": %.6f, \"p50_us\": %.1f, \"p99_us\": %.1f, \"errors\": "
      "%llu, "
      "\"reconnects\": 0, \"stalled\": 0, \"body_bytes\": %llu}\n",
      static_cast<unsigned long long>(connections), seconds, latencies.quantile_us(0.5),
      latencies.quantile_us(0.99), static_cast<unsigned long long>(errors),
      static_cast<unsigned long long>(body));
  std::fflush(stdout);
  while (std::getchar() != EOF) {
  }
}
