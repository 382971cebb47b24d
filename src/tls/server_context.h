// What all TLS connections of one listener share: certificates, keys of sessions, rules.
#pragma once

#include <chrono>
#include <ctime>
#include <expected>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/file_watch.h"
#include "base/time.h"
#include "tls/client_facts.h"
#include "tls/openssl.h"
#include "tls/settings.h"
#include "tls/ticket_keys.h"

namespace penstock {

struct TlsServerState;

// Seconds since 1970, as certificates mean them.
using WallClock = std::time_t (*)();
inline std::time_t wall_clock() { return std::time(nullptr); }

// What the log is to say of files that have changed, or of time that has passed.
struct TlsNews {
  std::string sentence;
  bool warning = false;  // something is wrong, and somebody has to see to it

  friend bool operator==(const TlsNews&, const TlsNews&) = default;
};

// Made once, then used by all threads; one of them calls refresh(). Connections may outlive it.
//
// - TLS 1.2 with forward secrecy and AEAD ciphers only, and TLS 1.3; no compression, no early data,
//   no renegotiation: a client that asks for it is refused (RFC 5746 section 4.5).
// - A client's name (SNI, RFC 6066 section 3) chooses the certificates, the signatures it knows one
//   of these (ECDSA, RSA).
// - Protocols (ALPN, RFC 7301): ours are preferred in their order. A client that offers some, but
//   none of ours, is refused with no_application_protocol; one that offers none is not.
// - Sessions are resumed by tickets, the server keeps nothing. Not under another name, not when the
//   clients' authorities have changed, not when the client's certificate has expired meanwhile, and
//   never longer than the lifetime after the full handshake, by however many tickets.
class TlsServerContext final {
 public:
  // Two tickets are sent in a full handshake of TLS 1.3, so that a client that opens two
  // connections at once can resume both; one where a session was resumed.
  static constexpr int kTickets = 2;
  // How long what is found in changed files has to stay wrong before refresh() says so: a
  // certificate and its key are seldom replaced at the same moment.
  static constexpr Duration kPatience = std::chrono::seconds(5);

  // Reads the files. The error is a sentence that names what is wrong and in which file.
  static std::expected<std::shared_ptr<TlsServerContext>, std::string> create(
      TlsServerSettings settings, WallClock clock = wall_clock);
  ~TlsServerContext();

  [[nodiscard]] const TlsServerSettings& settings() const { return settings_; }
  // Sentences on what is odd with the files as they are now, but does not keep us from serving:
  // certificates that have expired, OCSP responses that can't be used.
  [[nodiscard]] std::vector<std::string> warnings() const;

  // A connection that is ready for its handshake. Any thread.
  [[nodiscard]] Result<SslPtr> open() const;

  // To be called about once a second, always by the same thread, which may have to wait for the
  // disk. Makes new keys for tickets when it is time; reads the files anew when one has changed.
  // Connections go on as they are. Files that are wrong change nothing. Tells that new
  // files are in use, what is wrong with them, what has expired.
  [[nodiscard]] std::vector<TlsNews> refresh(TimePoint now);

 private:
  TlsServerContext(TlsServerSettings settings, WallClock clock);
  [[nodiscard]] std::shared_ptr<const TlsServerState> state() const;
  [[nodiscard]] bool files_changed(TimePoint now);
  void reload(TimePoint now, std::vector<TlsNews>& news);

  TlsServerSettings settings_;
  WallClock clock_;
  std::shared_ptr<TlsTicketKeys> keys_;
  mutable std::mutex mutex_;  // held only to copy or swap the pointer
  std::shared_ptr<const TlsServerState> state_;
  // Of the thread that calls refresh().
  std::vector<FileWatch> watches_;
  std::time_t looked_at_ = 0;       // the wall clock, at the last refresh()
  std::optional<TimePoint> stale_;  // since when the files are others than those in use
  TimePoint next_try_{};
  std::string last_problem_;  // that was told
};

// What the server learns in the handshakes of a connection goes to `facts`, until told otherwise
// (null). For accept_tls().
void set_tls_facts(SSL* ssl, TlsClientFacts* facts);
// Once the handshake is over: lets go of what only it needs.
void end_tls_accept(SSL* ssl);

}  // namespace penstock
