// What a TlsServerContext has made of its files. Replaced as a whole when they change.
#pragma once

#include <ctime>
#include <expected>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/hash.h"
#include "tls/client_facts.h"
#include "tls/openssl.h"
#include "tls/server_context.h"
#include "tls/server_names.h"
#include "tls/settings.h"
#include "tls/ticket_keys.h"

namespace penstock {

// Never changes; shared by all threads. A connection keeps it alive as long as its handshake.
struct TlsServerState {
  // Something that is wrong from some time on.
  struct Expiry {
    std::time_t when;
    std::string sentence;
  };

  WallClock clock = nullptr;
  bool strict_names = false;
  std::string alpn;                     // in the form of the wire
  std::shared_ptr<TlsTicketKeys> keys;  // of all states
  HashKey session_scope;                // sessions of one are not resumed in another
  Duration session_lifetime{};
  TlsServerNames names;
  std::vector<std::string> warnings;
  std::vector<Expiry> expiries;
  SslContextPtr context;

  // The error is a sentence.
  static std::expected<std::shared_ptr<const TlsServerState>, std::string> build(
      const TlsServerSettings& settings, std::shared_ptr<TlsTicketKeys> keys, WallClock clock);
};

// What a connection needs until its handshake is over; owned by its SSL.
struct TlsAccepting {
  std::shared_ptr<const TlsServerState> state;
  const TlsServerNames::Choice* choice = nullptr;
  TlsClientFacts* facts = nullptr;

  static void attach(SSL* ssl, std::unique_ptr<TlsAccepting> accepting);
  static void drop(SSL* ssl);
  // Null once the handshake is over.
  static TlsAccepting* of(const SSL* ssl);
};

// Makes OpenSSL ask the TlsAccepting of a connection what to do.
void set_server_callbacks(SSL_CTX* context, const TlsServerState& state);
// Gives a connection these certificates instead of what it has. False if one is not acceptable.
[[nodiscard]] bool use_certificates(SSL* ssl, const TlsServerNames::Choice& choice);

}  // namespace penstock
