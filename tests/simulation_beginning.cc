#include "tests/simulation_beginning.h"

#include <array>
#include <optional>
#include <utility>

#include "tls/accept.h"
#include "tls/certificates_test.h"
#include "tls/stream.h"

namespace penstock::simulation {
namespace {

constexpr std::string_view kHttp2Preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
constexpr std::string_view kSignature("\r\n\r\n\0\r\nQUIT\n", 12);
constexpr std::size_t kLongestLine = 107;  // of version 1

struct Files {
  Credentials authority = make_credentials({.common_name = "Sim CA", .authority = true});
  Credentials server = make_credentials(
      {.common_name = "server", .alternative_names = std::string("DNS:") + kTlsName}, &authority);
  TestFile authority_file{certificate_pem(authority)};
  TestFile certificate_file{certificate_pem(server)};
  TestFile key_file{key_pem(server)};

  static const Files& get() {
    static const Files made;
    return made;
  }
};

// ---- Headers of the PROXY protocol, without the product's own codec.

struct Place {
  std::array<std::uint8_t, 4> ip{};
  std::uint16_t port = 0;

  [[nodiscard]] std::string ip_text() const {
    std::string text;
    for (const std::uint8_t byte : ip) {
      text += (text.empty() ? "" : ".") + std::to_string(byte);
    }
    return text;
  }
  [[nodiscard]] std::string text() const { return ip_text() + ":" + std::to_string(port); }
};

std::string encode_header(const Place& source, ProxyHeader version) {
  const Place destination{.ip = {203, 0, 113, 255}, .port = 80};
  if (version == ProxyHeader::v1) {
    return "PROXY TCP4 " + source.ip_text() + " " + destination.ip_text() + " " +
           std::to_string(source.port) + " " + std::to_string(destination.port) + "\r\n";
  }
  std::string header(kSignature);
  header += std::string("\x21\x11\x00\x0c", 4);
  for (const Place& place : {source, destination}) header.append(place.ip.begin(), place.ip.end());
  for (const Place& place : {source, destination}) {
    header += static_cast<char>(place.port >> 8);
    header += static_cast<char>(place.port & 0xff);
  }
  return header;
}

struct Header {
  std::size_t length = 0;
  std::string client;
};
using Decoded = std::optional<Result<Header>>;  // nothing: more bytes are needed
std::unexpected<Error> malformed() { return fail(ErrorKind::protocol); }

Decoded decode_v1(std::string_view bytes) {
  const std::size_t end = bytes.find("\r\n");
  if (end == std::string_view::npos) {
    return bytes.size() < kLongestLine ? Decoded() : Decoded(malformed());
  }
  std::string_view line = bytes.substr(0, end);
  Header header{.length = end + 2, .client = {}};
  if (line.starts_with("PROXY UNKNOWN")) return header;
  std::array<std::string, 6> words;
  for (std::string& word : words) {
    const std::size_t space = std::min(line.find(' '), line.size());
    word = line.substr(0, space);
    line.remove_prefix(std::min(space + 1, line.size()));
  }
  if (words[0] != "PROXY" || words[1] != "TCP4" || words[5].empty() || !line.empty()) {
    return malformed();
  }
  header.client = words[2] + ":" + words[4];
  return header;
}

Decoded decode_v2(std::string_view bytes) {
  constexpr std::size_t kFixed = 16;
  if (bytes.size() < kFixed) return std::nullopt;
  if (!bytes.starts_with(kSignature)) return malformed();
  const auto byte = [bytes](std::size_t at) { return static_cast<std::uint8_t>(bytes[at]); };
  Header header{.length = kFixed + byte(14) * 256U + byte(15), .client = {}};
  if (bytes.size() < header.length) return std::nullopt;
  if (byte(12) == 0x20) return header;
  if (byte(12) != 0x21 || byte(13) != 0x11 || header.length < kFixed + 12) return malformed();
  const Place source{.ip = {byte(16), byte(17), byte(18), byte(19)},
                     .port = static_cast<std::uint16_t>(byte(24) * 256U + byte(25))};
  header.client = source.text();
  return header;
}

Task<Result<std::string>> take_header(ByteStream& stream, InputBuffer& input, ProxyHeader version,
                                      TimePoint deadline) {
  while (true) {
    const Decoded header =
        version == ProxyHeader::v1 ? decode_v1(input.unread()) : decode_v2(input.unread());
    if (header && !*header) co_return fail(header->error());
    if (header) {
      input.consume((*header)->length);
      co_return (*header)->client;
    }
    const Result<std::size_t> got = co_await read_some(stream, input, deadline);
    if (!got) co_return fail(got.error());
    if (*got == 0) co_return fail(ErrorKind::closed);
  }
}

Task<Result<bool>> look_for_http2(ByteStream& stream, InputBuffer& input, TimePoint deadline) {
  while (true) {
    const std::string_view bytes = input.unread();
    if (!bytes.starts_with(kHttp2Preface.substr(0, bytes.size()))) co_return false;
    if (bytes.size() >= kHttp2Preface.size()) co_return true;
    const Result<std::size_t> got = co_await read_some(stream, input, deadline);
    if (!got) co_return fail(got.error());
    if (*got == 0) co_return fail(ErrorKind::closed);
  }
}

}  // namespace

TlsServerSettings tls_server_settings() {
  const Files& files = Files::get();
  return {.certificates = {{.certificate = files.certificate_file.path(),
                            .key = files.key_file.path(),
                            .ocsp = {}}}};
}

TlsClientSettings tls_client_settings() {
  return {.ca_file = Files::get().authority_file.path(), .server_name = kTlsName};
}

Task<Result<Begun>> begin_connection(Network& network, Address to, Random& random,
                                     const Beginning& beginning, bool http2) {
  const TaskContext& context = co_await this_context();
  const TimePoint deadline = context.executor().now() + beginning.patience;
  auto connected = co_await network.connect(to, deadline);
  if (!connected) co_return fail(connected.error());
  Begun begun{.stream = std::move(*connected), .client = kClientHost};
  if (beginning.header != ProxyHeader::none) {
    const Place source{.ip = {203, 0, 113, static_cast<std::uint8_t>(random.between(1, 5))},
                       .port = static_cast<std::uint16_t>(random.between(1024, 65535))};
    begun.client = source.text();
    const std::string header = encode_header(source, beginning.header);
    std::array<iovec, 1> parts = {to_iovec(header)};
    const auto sent =
        co_await write_all(*begun.stream, parts, context.executor().now(), beginning.patience);
    if (!sent) co_return fail(sent.error());
  }
  const auto& tls = http2 ? beginning.tls_http2 : beginning.tls_http1;
  if (tls) {
    const TlsServer server{.host = kTlsName, .address = {}};
    auto secured = co_await connect_tls(std::move(begun.stream), *tls, server, deadline);
    if (!secured) co_return fail(secured.error());
    begun.stream = std::move(*secured);
  }
  co_return begun;
}

Task<Result<Taken>> take_connection(std::unique_ptr<ByteStream> stream, const Expected& expected,
                                    Ledger& ledger) {
  const TaskContext& context = co_await this_context();
  const TimePoint deadline = context.executor().now() + expected.patience;
  Taken taken{.stream = std::move(stream), .input = {}, .client = {}};
  if (expected.header != ProxyHeader::none) {
    auto client = co_await take_header(*taken.stream, taken.input, expected.header, deadline);
    if (!client) {
      if (client.error().kind == ErrorKind::protocol) ledger.violation(0, "malformed PROXY header");
      taken.input.consume(taken.input.size());
      co_return fail(client.error());
    }
    taken.client = std::move(*client);
  }
  if (expected.tls) {
    TlsClientFacts facts;
    auto secured = co_await accept_tls(std::move(taken.stream), std::move(taken.input),
                                       expected.tls, deadline, facts);
    if (!secured) co_return fail(secured.error());
    taken.stream = std::move(*secured);
    taken.input = {};
  }
  if (expected.http2) {
    const auto http2 = co_await look_for_http2(*taken.stream, taken.input, deadline);
    if (!http2) co_return fail(http2.error());
    taken.http2 = *http2;
  }
  co_return taken;
}

}  // namespace penstock::simulation
