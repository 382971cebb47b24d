// [listener.tls].
#include <array>
#include <utility>

#include "config/sections.h"
#include "config/values.h"

namespace penstock::config {
namespace {

constexpr std::array kVersions{
    std::pair{std::string_view("1.2"), TlsVersion::v1_2},
    std::pair{std::string_view("1.3"), TlsVersion::v1_3},
};
constexpr std::array kClientCertificates{
    std::pair{std::string_view("off"), ClientCertificates::off},
    std::pair{std::string_view("optional"), ClientCertificates::optional},
    std::pair{std::string_view("required"), ClientCertificates::required},
};

Complaint check_protocol(std::string_view text) {
  if (!text.empty() && text.size() < 256) return {};
  return "expected a protocol's name such as \"http/1.1\"";
}
constexpr TextRule kProtocol{.type = "protocol", .plural = "protocols", .check = &check_protocol};

constexpr std::array kCertificateKeys{
    key<TlsCertificateSettings, FileValue>(
        "certificate", "", "The certificate and its chain, its own first: a PEM file.",
        [](auto& c) { return std::tie(c.certificate); }),
    key<TlsCertificateSettings, FileValue>("key", R"("")",
                                           "Its key, a PEM file; when left out it is in the same "
                                           "file as the certificate.",
                                           [](auto& c) { return std::tie(c.key); }),
    key<TlsCertificateSettings, FileValue>(
        "ocsp", R"("")",
        "An OCSP response for it in DER, stapled to it while it is valid. Something outside keeps "
        "the file fresh.",
        [](auto& c) { return std::tie(c.ocsp); }),
};

// A table, or a list of them.
struct CertificatesValue {
  static std::string type() { return "table, or list of them"; }
  static std::optional<std::vector<TlsCertificateSettings>> read(const toml::node& node,
                                                                 Report& report) {
    std::vector<TlsCertificateSettings> out;
    const std::size_t errors = report.errors();
    const auto* list = node.as_array();
    if (list == nullptr) {
      read_table(node, kListenerCertificate, report, out.emplace_back());
    } else {
      for (const toml::node& element : *list) {
        read_table(element, kListenerCertificate, report, out.emplace_back());
      }
    }
    if (report.errors() > errors) return std::nullopt;
    if (out.empty()) {
      report.error(place_of(node), "TLS needs at least one certificate");
      return std::nullopt;
    }
    for (TlsCertificateSettings& certificate : out) {
      if (certificate.key.empty()) certificate.key = certificate.certificate;
    }
    return out;
  }
  static std::string show(const std::vector<TlsCertificateSettings>& value) {
    std::vector<std::string> out;
    for (const auto& entry : value) out.push_back(show_table(kListenerCertificate, entry));
    return fmt::format("[{}]", fmt::join(out, ", "));
  }
};

constexpr std::array kTlsKeys{
    key<TlsServerSettings, CertificatesValue>(
        "certificates", "",
        "One or several certificates, see `[[listener.tls.certificates]]`. A client gets the one "
        "for the name that it asks for, and of a kind that it knows; if there is none, the first.",
        [](auto& t) { return std::tie(t.certificates); }),
    key<TlsServerSettings, FlagValue>(
        "strict_names", "false",
        "Clients that ask for a name for which there is no certificate, or for none, are refused.",
        [](auto& t) { return std::tie(t.strict_names); }),
    key<TlsServerSettings, ChoiceValue<kClientCertificates>>(
        "client_certificates", R"("off")",
        "Whether clients are asked for a certificate. One that is shown has to be good, also where "
        "it is `\"optional\"`.",
        [](auto& t) { return std::tie(t.client_certificates); }),
    key<TlsServerSettings, FileValue>("client_ca", R"("")",
                                      "Who may have signed the clients' certificates, a PEM file.",
                                      [](auto& t) { return std::tie(t.client_ca); }),
    key<TlsServerSettings, TextsValue<kProtocol, true>>(
        "alpn", "[]",
        "Protocols to agree on by ALPN, the preferred one first. When left out: `h2` and "
        "`http/1.1` as the listener speaks them, and none where its `mode` is `\"tcp\"`.",
        [](auto& t) { return std::tie(t.alpn); }),
    key<TlsServerSettings, ChoiceValue<kVersions>>("min_version", R"("1.2")",
                                                   "The oldest version of TLS that is spoken.",
                                                   [](auto& t) { return std::tie(t.min_version); }),
    key<TlsServerSettings, DurationOrZeroValue>(
        "session_lifetime", R"("12h")", "How long a session can be resumed. `\"0s\"`: not at all.",
        [](auto& t) { return std::tie(t.session_lifetime); }),
};

void check_tls(const toml::table& table, Report& report, const TlsServerSettings& tls) {
  const bool asked = tls.client_certificates != ClientCertificates::off;
  if (asked && tls.client_ca.empty()) {
    report.error(place_in(table, "client_certificates"),
                 "whose certificates are good? Add client_ca = \"...\"");
  }
  if (!asked && !tls.client_ca.empty()) {
    report.error(place_in(table, "client_ca"),
                 "client_ca goes with client_certificates = \"optional\" or \"required\"");
  }
}

}  // namespace

constexpr Section<TlsCertificateSettings> kListenerCertificate{
    .name = "listener.tls.certificates",
    .title = "[[listener.tls.certificates]]",
    .keys = kCertificateKeys};
constexpr Section<TlsServerSettings> kListenerTls{
    .name = "listener.tls", .title = "[listener.tls]", .keys = kTlsKeys, .check = &check_tls};

}  // namespace penstock::config
