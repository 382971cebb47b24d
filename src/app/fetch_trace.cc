#include "app/fetch_trace.h"

#include <cstddef>
#include <cstdio>
#include <string>
#include <utility>

#include "http1/head_reader.h"
#include "tls/stream.h"

namespace penstock {
namespace {

double milliseconds(Duration duration) {
  return std::chrono::duration<double, std::milli>(duration).count();
}

// Of a login only its scheme is told.
std::string telling(const Field& field) {
  const bool secret =
      field.id == FieldId::authorization || field.id == FieldId::proxy_authorization;
  if (!secret) return fmt::format("{}: {}\n", field.name, field.value);
  return fmt::format("{}: {} ...\n", field.name, field.value.substr(0, field.value.find(' ')));
}

std::string lines_of(const FieldSection& fields) {
  std::string lines;
  for (const Field& field : fields) lines += telling(field);
  return lines;
}

// A head as it is written, of its login only the scheme.
std::string lines_of_head(std::string_view head) {
  std::string lines;
  while (!head.empty() && !head.starts_with("\r\n")) {
    const std::size_t end = head.find("\r\n");
    const std::string_view line = head.substr(0, end);
    head.remove_prefix(end + 2);
    const std::size_t colon = std::min(line.find(": "), line.size());
    const std::string_view name = line.substr(0, colon);
    if (lines.empty() || colon == line.size()) {
      lines += fmt::format("{}\n", line);
    } else {
      lines += telling({.id = field_id(name), .name = name, .value = line.substr(colon + 2)});
    }
  }
  return lines;
}

}  // namespace

void FetchTrace::write(std::string_view mark, std::string_view lines) {
  std::string text;
  while (!lines.empty()) {
    const std::size_t end = std::min(lines.find('\n'), lines.size());
    text += fmt::format("{}{}\n", mark, lines.substr(0, end));
    lines.remove_prefix(std::min(end + 1, lines.size()));
  }
  static_cast<void>(std::fwrite(text.data(), 1, text.size(), stderr));
}

void FetchTrace::begin() {
  begun_ = executor_->now();
  connecting_ = connected_ = {};
  resolve_ = connect_ = secure_ = head_ = {};
}

void FetchTrace::resolving(std::string_view host) {
  resolving_ = executor_->now();
  note("resolving {}", host);
}

void FetchTrace::resolved(const AddressList& addresses) {
  resolve_ += executor_->now() - resolving_;
  std::string texts;
  for (const Address& address : addresses) {
    texts += fmt::format("{}{}", texts.empty() ? "" : ", ", address.host_text());
  }
  note("addresses: {}", texts);
}

void FetchTrace::not_resolved(const Error& error) {
  resolve_ += executor_->now() - resolving_;
  note("no addresses: {}", to_string(error.kind));
}

void FetchTrace::connecting(const Address& address) {
  // Several attempts may run beside each other.
  if (connecting_ == TimePoint()) connecting_ = executor_->now();
  note("connecting to {}", address.to_string());
}

void FetchTrace::connected(const Address& address) {
  connected_ = executor_->now();
  connect_ += connected_ - std::exchange(connecting_, TimePoint());
  note("connected to {}", address.to_string());
}

void FetchTrace::tell_tls(const ByteStream& stream) {
  const auto* const tls = dynamic_cast<const TlsStream*>(&stream);
  if (tls == nullptr) return;
  note("TLS {}, {}, ALPN {}, {}", tls->version() == TlsVersion::v1_3 ? "1.3" : "1.2", tls->cipher(),
       tls->alpn().empty() ? "none" : tls->alpn(),
       tls->resumed() ? "session resumed" : "new session");
}

void FetchTrace::acquired(Lease& lease, std::string_view peer) {
  if (!enabled_) return;
  if (!peer.empty()) note("through the peer {}", peer);
  if (lease.reused()) {
    note("connection to {} reused", lease.address().to_string());
    return;
  }
  secure_ = executor_->now() - connected_;
  tell_tls(lease.transport());
  note("new connection to {}", lease.address().to_string());
}

void FetchTrace::sending(const Lease& lease, const ServerRequest& request) {
  if (!enabled_) return;
  const auto form =
      lease.leads_to_proxy() ? http1::RequestForm::absolute : http1::RequestForm::origin;
  const http1::WireFraming framing{.body = request.framing, .connection = request.connection};
  const auto head = http1::serialise(*request.head, form, framing);
  if (!head) return;
  std::string lines = lines_of_head(head->view());
  // There it has no such line; it is shown in the same way.
  const std::size_t version = lines.find("HTTP/1.1\n");
  if (lease.http2() && version < lines.find('\n')) lines.replace(version, 8, "HTTP/2");
  write("> ", lines);
}

void FetchTrace::received(const ResponseHead& head) {
  if (!enabled_) return;
  head_ = executor_->now() - begun_;
  write("< ", fmt::format("{} {} {}\n{}", to_string(head.version), head.status, head.reason,
                          lines_of(head.fields)));
}

void FetchTrace::trailers(const FieldSection& fields) {
  if (enabled_) write("< ", lines_of(fields));
}

void FetchTrace::end() {
  note("ms: resolve {:.1f}, connect {:.1f}, tls {:.1f}, head {:.1f}, total {:.1f}",
       milliseconds(resolve_), milliseconds(connect_), milliseconds(secure_), milliseconds(head_),
       milliseconds(executor_->now() - begun_));
}

}  // namespace penstock
