#include "app/fetch_command.h"

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <utility>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "base/quantity.h"
#include "base/text.h"
#include "base/wording.h"
#include "message/characters.h"
#include "message/fields.h"
#include "message/target.h"

namespace penstock {
namespace {

using std::unexpected;

constexpr std::uint16_t kSocksPort = 1080;
constexpr std::uint16_t kDnsPort = 53;

std::unexpected<std::string> wrong(std::string_view option, std::string_view text,
                                   std::string_view why) {
  return unexpected(fmt::format("{} {}: {}", option, penstock::quoted(text), why));
}

// A URL as it may be shown: what could be a login is left out.
std::string showable(std::string_view url) {
  const std::size_t mark = url.find("://");
  const std::size_t begin = mark == url.npos ? 0 : mark + 3;
  const std::size_t at = url.rfind('@');
  if (at == url.npos || at < begin) return std::string(url);
  return fmt::format("{}...{}", url.substr(0, begin), url.substr(at));
}

// What the client itself writes, or what would change how the message is framed.
bool is_ours_alone(FieldId id) { return is_hop_by_hop(id) || id == FieldId::content_length; }

std::optional<Address> address_of(std::string_view text, std::uint16_t port) {
  if (text.starts_with('[') && text.ends_with(']')) text = text.substr(1, text.size() - 2);
  return Address::from_ip(text, port);
}

// Whether a URL does, which is valid.
bool names_port(std::string_view url) {
  std::string_view authority = url.substr(url.find("://") + 3);
  authority = authority.substr(0, std::min(authority.find_first_of("/?#"), authority.size()));
  authority.remove_prefix(authority.rfind('@') + 1);
  const auto parts = parse_authority(authority);
  return parts && parts->port != 0;
}

// As the resolver takes it; none for what is no address of a name server.
std::optional<std::string> name_server(std::string_view text) {
  auto address = address_of(text, kDnsPort);
  if (!address) address = Address::parse(text);
  if (!address || address->is_unix() || address->is_unspecified()) return std::nullopt;
  return address->to_string();
}

}  // namespace

std::expected<FetchField, std::string> parse_fetch_field(std::string_view text) {
  const std::size_t colon = text.find(':');
  if (colon == std::string_view::npos) return wrong("--header", text, R"(expected "Name: value")");
  const std::string_view name = text.substr(0, colon);
  const std::string_view value = trim_whitespace(text.substr(colon + 1));
  if (!is_token(name)) return wrong("--header", text, "the name is not one of a field");
  if (!is_field_value(value)) return wrong("--header", text, "the value has a control character");
  const FieldId id = field_id(name);
  if (is_ours_alone(id)) {
    return wrong("--header", text, "this field is about the connection or the framing, not yours");
  }
  if (id == FieldId::host && !value.empty() && !parse_authority(value)) {
    return wrong("--header", text, "the value is no host");
  }
  return FetchField{.name = std::string(name), .value = std::string(value)};
}

std::expected<FetchHost, std::string> parse_fetch_host(std::string_view text) {
  const auto form = [text] {
    return wrong("--resolve", text, R"(expected "host:port:address[,address...]")");
  };
  const std::size_t first = text.find(':');
  const std::size_t second = first == text.npos ? text.npos : text.find(':', first + 1);
  if (second == text.npos) return form();
  const auto authority = parse_authority(text.substr(0, second));
  if (!authority || authority->port == 0) return form();
  FetchHost out{.host = to_lower(authority->host), .port = authority->port, .addresses = {}};
  std::string_view rest = text.substr(second + 1);
  while (true) {
    const std::size_t comma = std::min(rest.find(','), rest.size());
    const auto address = address_of(rest.substr(0, comma), out.port);
    if (!address) return wrong("--resolve", rest.substr(0, comma), "not an IP address");
    out.addresses.push_back(*address);
    if (comma == rest.size()) return out;
    rest.remove_prefix(comma + 1);
  }
}

std::expected<std::optional<PeerSettings>, std::string> parse_fetch_peer(std::string_view text) {
  if (text == "direct") return std::nullopt;
  const std::size_t mark = text.find("://");
  const std::string scheme = to_lower(text.substr(0, std::min(mark, text.size())));
  const bool socks = scheme == "socks5";
  if (mark == text.npos || (!socks && scheme != "http" && scheme != "https")) {
    return wrong("--peer", showable(text),
                 R"(expected http://, https:// or socks5:// and a host, or direct)");
  }
  // Else it is as in a URL.
  const std::string as_url =
      (scheme == "https" ? "https" : "http") + std::string(text.substr(mark));
  const auto url = parse_url(as_url);
  if (!url) return wrong("--peer", showable(text), url.error());
  if (url->path != "/") return wrong("--peer", showable(text), "a peer has no path");
  const std::uint16_t port = socks && !names_port(text) ? kSocksPort : url->port;
  const bool ipv6 = url->host.contains(':');
  PeerSettings peer{
      .kind = socks ? PeerKind::socks5 : PeerKind::http,
      .address = fmt::format("{}{}{}:{}", ipv6 ? "[" : "", url->host, ipv6 ? "]" : "", port)};
  peer.name = fmt::format("{}://{}", scheme, peer.address);
  // Nothing else is known of it than what this request finds out.
  peer.ejection.failures = 0;
  if (url->secure) peer.tls.emplace();
  if (url->login) {
    peer.login = CredentialSettings{.user = url->login->user, .password = url->login->password};
  }
  return peer;
}

// The options' values as they are on the command line.
struct FetchOptions::Words {
  std::vector<std::string> urls, fields, peers, hosts, dns;
  std::string method, user, auth = "auto", connect_timeout = "5s", max_time;
  std::optional<std::string> data, data_file;
  FetchCommand command;

  [[nodiscard]] std::expected<void, std::string> set_request(FetchCommand& to) const;
  [[nodiscard]] std::expected<void, std::string> set_urls(FetchCommand& to) const;
  [[nodiscard]] std::expected<void, std::string> set_way(FetchCommand& to) const;
  [[nodiscard]] std::expected<void, std::string> set_limits(FetchCommand& to) const;
};

std::expected<void, std::string> FetchOptions::Words::set_request(FetchCommand& to) const {
  to.data = data;
  to.data_file = data_file.value_or("");
  if (data_file && data_file->empty()) return unexpected("--data-file: the file's name is empty");
  if (data && data_file) return unexpected("--data and --data-file exclude each other");
  if (to.no_content && to.has_body()) return unexpected("--head goes without a body");
  to.method = method;
  if (method.empty()) to.method = to.no_content ? "HEAD" : to.has_body() ? "POST" : "GET";
  if (!is_token(to.method)) return wrong("--method", method, "not a method's name");
  if (to.method == "CONNECT") return wrong("--method", method, "a tunnel is not to be had");
  // RFC 9110 section 9.3.8.
  if (to.method == "TRACE" && to.has_body()) return wrong("--method", method, "it takes no body");
  if (to.no_content && to.method != "HEAD") return wrong("--method", method, "--head says HEAD");
  if (to.data_file == "-" && urls.size() > 1) {
    return unexpected("--data-file -: stdin can be sent to one URL only");
  }
  for (const std::string& text : fields) {
    auto field = parse_fetch_field(text);
    if (!field) return unexpected(std::move(field.error()));
    to.fields.push_back(std::move(*field));
  }
  return {};
}

std::expected<void, std::string> FetchOptions::Words::set_urls(FetchCommand& to) const {
  std::optional<Login> login;
  if (!user.empty()) {
    const std::size_t colon = user.find(':');
    if (colon == std::string::npos || colon == 0) {
      return unexpected("--user: expected name:password");
    }
    login = Login{.user = user.substr(0, colon), .password = user.substr(colon + 1)};
    const auto control = [](char c) { return has_class(c, characters::kControl); };
    if (std::ranges::any_of(user, control)) return unexpected("--user: it has a control character");
  }
  using Scheme = CredentialSettings::Scheme;
  to.auth = auth == "basic" ? Scheme::basic : auth == "digest" ? Scheme::digest : Scheme::automatic;
  for (const std::string& text : urls) {
    auto url = parse_url(text);
    if (!url) {
      // A hint is of use only for what has no login.
      const bool bare = !text.contains('@') && !text.contains("://") && parse_url("http://" + text);
      const std::string hint =
          bare ? fmt::format("; did you mean {}?", penstock::quoted("http://" + text)) : "";
      return wrong("URL", showable(text), url.error() + hint);
    }
    if (!url->login) url->login = login;
    const auto other = std::ranges::find_if(
        to.urls, [&](const Url& earlier) { return earlier.origin() == url->origin(); });
    if (other != to.urls.end() && other->login != url->login) {
      return unexpected(fmt::format("two logins for {}", url->origin()));
    }
    to.urls.push_back(std::move(*url));
  }
  return {};
}

std::expected<void, std::string> FetchOptions::Words::set_way(FetchCommand& to) const {
  for (const std::string& text : hosts) {
    auto host = parse_fetch_host(text);
    if (!host) return unexpected(std::move(host.error()));
    to.hosts.push_back(std::move(*host));
  }
  for (const std::string& text : dns) {
    auto server = name_server(text);
    if (!server) return wrong("--dns", text, "expected the IP address of a name server");
    to.dns.push_back(std::move(*server));
  }
  for (const std::string& text : peers) {
    auto peer = parse_fetch_peer(text);
    if (!peer) return unexpected(std::move(peer.error()));
    const auto twice = [&peer](const std::optional<PeerSettings>& other) {
      return other && *peer && other->name == (*peer)->name;
    };
    if (std::ranges::any_of(to.peers, twice)) {
      return wrong("--peer", (*peer)->name, "it is there already");
    }
    if (*peer && (*peer)->tls) (*peer)->tls->ca_file = to.tls.ca_file;
    to.peers.push_back(std::move(*peer));
  }
  if (to.tls.certificate.empty() != to.tls.key.empty()) {
    return unexpected("--cert and --key go together");
  }
  return {};
}

std::expected<void, std::string> FetchOptions::Words::set_limits(FetchCommand& to) const {
  const auto read = [](std::string_view option, const std::string& text,
                       Duration& into) -> std::expected<void, std::string> {
    if (text.empty()) return {};
    const auto duration = parse_duration(text);
    if (!duration) return unexpected(fmt::format("{}: {}", option, duration.error()));
    into = *duration;
    return {};
  };
  const auto connect = read("--connect-timeout", connect_timeout, to.connect_timeout);
  return connect ? read("--max-time", max_time, to.max_time) : connect;
}

FetchOptions::FetchOptions(CLI::App& app) : words_(std::make_unique<Words>()) {
  Words& words = *words_;
  FetchCommand& command = words.command;
  auto* const fetch = app.add_subcommand("fetch", "Get URLs: a small HTTP client");
  command_ = fetch;
  fetch->get_formatter()->column_width(34);
  const auto one = [&](const char* names, auto& value, const char* type, const char* help) {
    return fetch->add_option(names, value, help)->type_name(type);
  };
  const auto many = [&](const char* names, auto& value, const char* type, const char* help) {
    one(names, value, type, help)->allow_extra_args(false);
  };
  one("urls", words.urls, "URL", "Fetched one after the other")->required()->option_text("URL...");
  one("-X,--method", words.method, "NAME", "Method; else GET, or POST with a body");
  many("-H,--header", words.fields, "FIELD", "\"Name: value\"; \"Name:\" leaves ours out");
  one("-d,--data", words.data, "TEXT", "The request's body");
  one("--data-file", words.data_file, "FILE", "Where the body is; - is stdin");
  one("-o,--output", command.output, "FILE", "Where the content goes; else stdout");
  fetch->add_flag("-i,--include", command.include, "Put out the response's head too");
  fetch->add_flag("-I,--head", command.no_content, "Only the head, by HEAD");
  fetch->add_flag("-v,--verbose", command.verbose, "Say what happens, on stderr");
  fetch->add_flag("-s,--silent", command.silent, "Say nothing of failures");
  fetch->add_flag("-L,--location", command.follow, "Follow redirects, at most 10");
  fetch->add_flag("--fail", command.fail, "Exit with 22 on a status of 400 or more");
  many("--peer", words.peers, "URL", "Proxy to go through, or direct; more are tried in turn");
  many("--resolve", words.hosts, "HOST:PORT:IP", "Where that host is");
  many("--dns", words.dns, "IP", "Name server to ask");
  one("--user", words.user, "NAME:PASSWORD", "Login at the servers of the URLs");
  one("--auth", words.auth, "SCHEME", "How: basic, digest or auto")
      ->check(CLI::IsMember({"basic", "digest", "auto"}));
  fetch->add_flag("--http2", command.http2, "Speak HTTP/2")->excludes("--peer");
  fetch->add_flag("--insecure", command.tls.insecure, "Take any certificate of a server");
  one("--cacert", command.tls.ca_file, "FILE", "Certificates to trust; else the system's");
  one("--cert", command.tls.certificate, "FILE", "Our certificate, with its chain");
  one("--key", command.tls.key, "FILE", "Its key");
  one("--connect-timeout", words.connect_timeout, "TIME", "Time to connect, such as 5s");
  one("--max-time", words.max_time, "TIME", "Time for a URL as a whole");
  one("--retry", command.retries, "COUNT", "Tries again, where that is safe")
      ->check(CLI::Range(10));
}

FetchOptions::~FetchOptions() = default;

bool FetchOptions::given() const { return command_->parsed(); }

std::expected<FetchCommand, std::string> FetchOptions::command() const {
  FetchCommand command = words_->command;
  if (command.no_content) command.include = true;
  command.tls.alpn = {"http/1.1"};
  std::expected<void, std::string> set = words_->set_request(command);
  if (set) set = words_->set_urls(command);
  if (set) set = words_->set_way(command);
  if (set) set = words_->set_limits(command);
  if (!set) return unexpected(std::move(set.error()));
  return command;
}

}  // namespace penstock
