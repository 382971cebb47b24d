// `penstock fetch`: what was asked for, as plain values, and its options.
#pragma once

#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "message/url.h"
#include "net/address.h"
#include "upstream/credential_settings.h"
#include "upstream/settings.h"

namespace CLI {
class App;
}

namespace penstock {

// A field for the request; without a value, ours of that name is left out.
struct FetchField {
  std::string name;
  std::string value;
};

// --resolve: where a host is for requests to that port.
struct FetchHost {
  std::string host;  // in lower case
  std::uint16_t port = 0;
  AddressList addresses;  // with the port
};

struct FetchCommand {
  std::vector<Url> urls;  // at least one; with the login to use, if any
  std::string method;     // a token
  std::vector<FetchField> fields;
  std::optional<std::string> data;  // the body
  std::string data_file;            // or where it is, "-" for stdin; else empty
  std::string output;               // where the responses go; empty: stdout
  bool include = false;             // with their heads
  bool no_content = false;          // only those; the method is HEAD
  bool verbose = false;
  bool silent = false;
  bool follow = false;  // redirects
  bool fail = false;    // a status of 400 or more is a failure
  bool http2 = false;   // is what is spoken, and servers have to
  std::vector<FetchHost> hosts;
  std::vector<std::string> dns;                    // name servers; empty: the system's
  std::vector<std::optional<PeerSettings>> peers;  // tried in that order; none for directly
  CredentialSettings::Scheme auth = CredentialSettings::Scheme::automatic;
  TlsClientSettings tls;  // to servers
  Duration connect_timeout = std::chrono::seconds(5);
  Duration max_time = Duration::zero();  // of a URL, with all redirects; zero: no limit
  std::uint32_t retries = 0;

  [[nodiscard]] bool has_body() const { return data.has_value() || !data_file.empty(); }
};

// "Name: value", or "Name:" to leave ours out. The error is a sentence.
[[nodiscard]] std::expected<FetchField, std::string> parse_fetch_field(std::string_view text);
// "host:port:address[,address...]"; IPv6 addresses with or without brackets.
[[nodiscard]] std::expected<FetchHost, std::string> parse_fetch_host(std::string_view text);
// "http://[user:password@]host[:port]", https, socks5; "direct" is none.
[[nodiscard]] std::expected<std::optional<PeerSettings>, std::string> parse_fetch_peer(
    std::string_view text);

// The options of the command, for the command line's parser.
class FetchOptions {
 public:
  // Adds the command; must stay until `app` has parsed.
  explicit FetchOptions(CLI::App& app);
  ~FetchOptions();
  FetchOptions(const FetchOptions&) = delete;
  FetchOptions& operator=(const FetchOptions&) = delete;

  // The command was given.
  [[nodiscard]] bool given() const;
  // What it comes to, or what is wrong with it: a sentence.
  [[nodiscard]] std::expected<FetchCommand, std::string> command() const;

 private:
  struct Words;
  std::unique_ptr<Words> words_;
  const CLI::App* command_;
};

}  // namespace penstock
