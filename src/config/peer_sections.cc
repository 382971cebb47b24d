// [[peer]], [[credentials]] and what they have in common: logins.
#include <algorithm>
#include <array>
#include <utility>

#include "config/sections.h"
#include "config/values.h"

namespace penstock::config {
namespace {

using Scheme = CredentialSettings::Scheme;

constexpr std::array kPeerKinds{
    std::pair{std::string_view("http"), PeerKind::http},
    std::pair{std::string_view("socks5"), PeerKind::socks5},
};
constexpr std::array kLoginSchemes{
    std::pair{std::string_view("automatic"), Scheme::automatic},
    std::pair{std::string_view("basic"), Scheme::basic},
    std::pair{std::string_view("digest"), Scheme::digest},
};
constexpr std::array kCredentialSchemes{
    std::pair{std::string_view("automatic"), Scheme::automatic},
    std::pair{std::string_view("basic"), Scheme::basic},
    std::pair{std::string_view("digest"), Scheme::digest},
    std::pair{std::string_view("bearer"), Scheme::bearer},
};

bool has_control(std::string_view text) {
  return std::ranges::any_of(
      text, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
}

Complaint check_peer_name(std::string_view text) {
  if (text.empty()) return "expected a name, found an empty text";
  if (text == "direct") return "\"direct\" stands for no peer: choose another name";
  return has_control(text) ? "a name cannot contain control characters" : Complaint{};
}

Complaint check_user(std::string_view text) {
  if (text.empty()) return "expected a user name, found an empty text";
  return has_control(text) ? "a user name cannot contain control characters" : Complaint{};
}

Complaint check_realm(std::string_view text) {
  return has_control(text) ? "a realm cannot contain control characters" : Complaint{};
}

constexpr TextRule kPeerName{.type = "name", .plural = {}, .check = &check_peer_name};
constexpr TextRule kPeerAddress{.type = "address", .plural = {}, .check = &check_peer_address};
constexpr TextRule kUser{.type = "user name", .plural = {}, .check = &check_user};
constexpr TextRule kRealm{.type = "realm", .plural = {}, .check = &check_realm};
constexpr TextRule kOrigin{
    .type = "[scheme://]host[:port]", .plural = {}, .check = &check_origin_pattern};

// One of `password` and `password_file`, and a user name that the scheme can carry.
void check_secret(const toml::table& table, Report& report, const CredentialSettings& login) {
  const bool both = table.contains("password") && table.contains("password_file");
  if (both) {
    report.error(place_in(table, "password_file"), "there is a password, too: leave out one");
  } else if (!table.contains("password") && login.password_file.empty()) {
    report.error(place_of(table),
                 fmt::format("the user {} lacks a password or password_file", quoted(login.user)));
  }
  if (login.user.find(':') == std::string::npos) return;
  if (login.scheme == Scheme::basic) {
    report.error(place_in(table, "user"),
                 "a user name cannot contain \":\" in Basic, which separates it from the password");
  } else if (login.scheme == Scheme::automatic) {
    report.warning(place_in(table, "user"), "with \":\" in the user name only Digest is answered");
  }
}

constexpr std::string_view kPasswordMeaning = "The password, in the clear.";
constexpr std::string_view kPasswordFileMeaning =
    "A file whose first line is the password, in place of it. Read again when it changes.";
constexpr std::string_view kSchemeMeaning =
    "`\"automatic\"`: the strongest that is offered, Digest before Basic; neither is sent unasked.";

constexpr std::array kLoginKeys{
    key<CredentialSettings, TextValue<kUser>>("user", "", "The user name.",
                                              [](auto& l) { return std::tie(l.user); }),
    key<CredentialSettings, SecretValue>("password", R"("")", kPasswordMeaning,
                                         [](auto& l) { return std::tie(l.password); }),
    key<CredentialSettings, FileValue>("password_file", R"("")", kPasswordFileMeaning,
                                       [](auto& l) { return std::tie(l.password_file); }),
    key<CredentialSettings, ChoiceValue<kLoginSchemes>>("scheme", R"("automatic")", kSchemeMeaning,
                                                        [](auto& l) { return std::tie(l.scheme); }),
};

constexpr std::array kPeerKeys{
    key<PeerSettings, TextValue<kPeerName>>("name", "", "What routes call it; not `direct`.",
                                            [](auto& p) { return std::tie(p.name); }),
    key<PeerSettings, TextValue<kPeerAddress>>(
        "address", "",
        "A host name or IP address with a port, an IPv6 address in brackets, or `unix:` and an "
        "absolute path.",
        [](auto& p) { return std::tie(p.address); }),
    key<PeerSettings, ChoiceValue<kPeerKinds>>("type", R"("http")",
                                               "An HTTP proxy, or a SOCKS server of version 5.",
                                               [](auto& p) { return std::tie(p.kind); }),
    table_key<PeerSettings, kPeerTls>(
        "tls",
        "TLS to the peer, spoken where this table is there, even if it is empty; see "
        "`[peer.tls]`. HTTP only.",
        [](auto& p) { return std::tie(p.tls); }),
    table_key<PeerSettings, kPeerLogin>("login", "How to log in at the peer; see `[peer.login]`.",
                                        [](auto& p) { return std::tie(p.login); }),
    key<PeerSettings, FlagValue>(
        "pass_login", "false",
        "Passes on to the peer the `Proxy-Authorization` that clients send. HTTP only.",
        [](auto& p) { return std::tie(p.pass_login); }),
    key<PeerSettings, CountValue<1, 256>>(
        "weight", "1", "Its share of the hosts, where `via_order` is `\"host\"`.",
        [](auto& p) { return std::tie(p.weight); }),
    key<PeerSettings, CountValue<0, 10'000'000>>(
        "max_connections", "0",
        "Connections to it at a time, over all workers; requests beyond wait in the queue. `0`: no "
        "limit.",
        [](auto& p) { return std::tie(p.max_connections); }),
    table_key<PeerSettings, kPeerPool>("pool", "How connections are kept; see `[peer.pool]`.",
                                       [](auto& p) { return std::tie(p.pool); }),
    table_key<PeerSettings, kPeerQueue>("queue",
                                        "Requests that wait for a connection; see `[peer.queue]`.",
                                        [](auto& p) { return std::tie(p.queue); }),
    table_key<PeerSettings, kPeerEjection>(
        "ejection", "When a peer that fails is left alone; see `[peer.ejection]`.",
        [](auto& p) { return std::tie(p.ejection); }),
    table_key<PeerSettings, kPeerCheck>("check", "Health checks; see `[peer.check]`.",
                                        [](auto& p) { return std::tie(p.check); }),
};

void check_socks(const toml::table& table, Report& report, const PeerSettings& peer) {
  if (peer.tls)
    report.error(place_in(table, "tls"), "TLS is spoken to peers of type \"http\" only");
  if (peer.pass_login) {
    report.error(place_in(table, "pass_login"),
                 "what clients log in with is HTTP's: a SOCKS server has no use for it");
  }
  if (peer.check.kind == CheckKind::http) {
    report.error(place_in(table, "check"),
                 "a SOCKS server does not answer HTTP: check it with type = \"tcp\"");
  }
  if (!peer.login) return;
  constexpr std::size_t kMost = 255;  // RFC 1929
  const toml::table& login = *table.get_as<toml::table>("login");
  if (login.contains("scheme")) {
    report.error(place_in(login, "scheme"), "a SOCKS server knows a single way of logging in");
  }
  if (peer.login->user.size() > kMost) {
    report.error(place_in(login, "user"),
                 fmt::format("SOCKS has room for a user name of {} bytes", kMost));
  }
  if (peer.login->password.size() > kMost) {
    report.error(place_in(login, "password"),
                 fmt::format("SOCKS has room for a password of {} bytes", kMost));
  }
}

void check_peer(const toml::table& table, Report& report, const PeerSettings& peer) {
  if (peer.kind == PeerKind::socks5) check_socks(table, report, peer);
  if (peer.login && peer.pass_login) {
    report.error(place_in(table, "pass_login"),
                 "a request has room for one login: leave out login or pass_login");
  }
}

constexpr std::array kCredentialKeys{
    key<OriginCredentialSettings, TextValue<kOrigin>>(
        "host", "",
        "The servers they are for. Without `http://` or `https://` either may be spoken; "
        "`*.example.com` is every host below `example.com`; without a port it is the scheme's "
        "default, and `*` is any.",
        [](auto& c) { return std::tie(c.host); }),
    key<OriginCredentialSettings, ChoiceValue<kCredentialSchemes>>(
        "scheme", R"("automatic")",
        "`\"automatic\"`: the strongest that is offered, Digest before Basic; neither is sent "
        "unasked. `\"bearer\"`: a token.",
        [](auto& c) { return std::tie(c.credentials.scheme); }),
    key<OriginCredentialSettings, OptionalTextValue<kUser>>(
        "user", R"("")", "The user name; required but for tokens.",
        [](auto& c) { return std::tie(c.credentials.user); }),
    key<OriginCredentialSettings, SecretValue>(
        "password", R"("")", kPasswordMeaning,
        [](auto& c) { return std::tie(c.credentials.password); }),
    key<OriginCredentialSettings, FileValue>(
        "password_file", R"("")", kPasswordFileMeaning,
        [](auto& c) { return std::tie(c.credentials.password_file); }),
    key<OriginCredentialSettings, FileValue>(
        "token_file", R"("")",
        "A file whose first line is the token of `scheme = \"bearer\"`. Read again when it "
        "changes.",
        [](auto& c) { return std::tie(c.credentials.token_file); }),
    key<OriginCredentialSettings, OptionalTextValue<kRealm>>(
        "realm", R"("")",
        "Only challenges for this realm are answered; when left out those for any.",
        [](auto& c) { return std::tie(c.credentials.realm); }),
    key<OriginCredentialSettings, FlagValue>(
        "preemptive", "true",
        "Basic and Bearer are sent with each request, without waiting for a challenge; not where "
        "there is a `realm`.",
        [](auto& c) { return std::tie(c.credentials.preemptive); }),
};

void check_bearer(const toml::table& table, Report& report, const CredentialSettings& bearer) {
  if (bearer.token_file.empty()) {
    report.error(place_in(table, "token_file"), "scheme = \"bearer\" needs a token_file");
  }
  for (const std::string_view name : {"user", "password", "password_file"}) {
    if (!table.contains(name)) continue;
    report.error(place_in(table, name),
                 fmt::format("{} does not go with scheme = \"bearer\"", name));
  }
}

void check_credentials(const toml::table& table, Report& report,
                       const OriginCredentialSettings& entry) {
  const CredentialSettings& credentials = entry.credentials;
  if (credentials.scheme == Scheme::bearer) {
    check_bearer(table, report, credentials);
  } else {
    if (table.contains("token_file")) {
      report.error(place_in(table, "token_file"), "a token needs scheme = \"bearer\"");
    } else if (credentials.user.empty()) {
      report.error(place_in(table, "user"), "[[credentials]] lacks user");
    } else {
      check_secret(table, report, credentials);
    }
  }
  if (!table.contains("preemptive") || !credentials.preemptive) return;
  if (!credentials.realm.empty()) {
    report.warning(place_in(table, "preemptive"),
                   "with a realm nothing is sent unasked: only a challenge names it");
  } else if (credentials.scheme == Scheme::automatic || credentials.scheme == Scheme::digest) {
    report.warning(place_in(table, "preemptive"),
                   "only \"basic\" and \"bearer\" can be sent without a challenge");
  }
}

}  // namespace

constexpr Section<CredentialSettings> kPeerLogin{
    .name = "peer.login", .title = "[peer.login]", .keys = kLoginKeys, .check = &check_secret};
constexpr Section<PeerSettings> kPeer{
    .name = "peer", .title = "[[peer]]", .keys = kPeerKeys, .check = &check_peer};
constexpr Section<OriginCredentialSettings> kCredentials{.name = "credentials",
                                                         .title = "[[credentials]]",
                                                         .keys = kCredentialKeys,
                                                         .check = &check_credentials};

}  // namespace penstock::config
