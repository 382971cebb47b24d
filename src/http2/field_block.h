// The header and trailer sections of HTTP/2 as they come, and what they mean (RFC 9113 section 8).
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <string_view>

#include "message/fields.h"
#include "message/framing.h"
#include "message/head.h"
#include "message/refusal.h"

namespace penstock::http2 {

// How large a field section of the peer may be.
struct FieldLimits {
  std::size_t bytes = std::size_t{64} * 1024;  // names and values, and 32 for each line
  std::size_t fields = 200;                    // lines, without pseudo-fields
  std::size_t path = std::size_t{16} * 1024;   // bytes of :path
};

// One field section, filled line by line while it is decoded. What is wrong with it is remembered,
// the first fault only; the lines after that are counted and not kept, as HPACK needs them decoded.
// Names of the table in message/fields.h get its spelling, the others stay in lower case.
class FieldBlock {
 public:
  enum class Kind : std::uint8_t { request, response, trailers };

  FieldBlock() = default;
  explicit FieldBlock(Kind kind) : kind_(kind) {}

  // One line. False when more has come than even a section that is refused may have: the connection
  // is to be ended (an "HPACK bomb", or a section without end).
  [[nodiscard]] bool add(std::string_view name, std::string_view value, const FieldLimits& limits);

  [[nodiscard]] Kind kind() const { return kind_; }
  [[nodiscard]] Refusal refusal() const { return refusal_; }
  // What has come, as limits count it; about the memory that it takes.
  [[nodiscard]] std::size_t size() const { return static_cast<std::size_t>(bytes_); }
  [[nodiscard]] FieldSection& fields() { return fields_; }
  // Pseudo-fields; empty where there is none.
  [[nodiscard]] std::string_view method() const { return method_; }
  [[nodiscard]] std::string_view scheme() const { return scheme_; }
  [[nodiscard]] std::string_view authority() const { return authority_; }
  [[nodiscard]] std::string_view path() const { return path_; }
  [[nodiscard]] std::string_view protocol() const { return protocol_; }  // RFC 8441
  [[nodiscard]] int status() const { return status_; }
  // Of a request: its `priority` field (RFC 9218), if any.
  [[nodiscard]] std::string_view priority() const { return priority_; }

  enum Pseudo : std::uint8_t {
    kMethod = 1,
    kScheme = 2,
    kAuthority = 4,
    kPath = 8,
    kProtocol = 16,
    kStatus = 32
  };
  [[nodiscard]] bool has(Pseudo pseudo) const { return (present_ & pseudo) != 0; }

 private:
  [[nodiscard]] Refusal add_pseudo(std::string_view name, std::string_view value,
                                   const FieldLimits& limits);
  [[nodiscard]] Refusal add_regular(std::string_view name, std::string_view value,
                                    const FieldLimits& limits);
  [[nodiscard]] std::string_view keep_name(FieldId id, std::string_view name);

  Kind kind_ = Kind::request;
  Refusal refusal_ = Refusal::none;
  std::uint8_t present_ = 0;
  bool regular_seen_ = false;
  int status_ = 0;
  std::uint32_t lines_ = 0;
  std::uint64_t bytes_ = 0;
  std::string_view method_;
  std::string_view scheme_;
  std::string_view authority_;
  std::string_view path_;
  std::string_view protocol_;
  std::string_view priority_;
  FieldSection fields_;
};

// Makes a request head of a block (RFC 9113 section 8.3.1), which is used up. The result is
// Refusal::none, or why the request is malformed (section 8.1.1) or too large; then `head` holds
// what was understood. The version is http2. Host has the value of :authority; a Host that came has
// to name the same server. Cookie lines are joined to one (section 8.2.3).
//
// `absolute`: the target gets the absolute form, as a forward proxy expects it; else the origin
// form. CONNECT has the authority form.
//
// An extended CONNECT for `websocket` (RFC 8441) becomes what HTTP/1.1 has for it: GET with
// Upgrade, Connection, and a Sec-WebSocket-Key of ours. Other protocols are refused.
[[nodiscard]] Refusal make_request(FieldBlock& block, bool absolute, RequestHead& head);

// Makes a response head of a block (section 8.3.2), with the registered reason. 101 is malformed.
[[nodiscard]] Refusal make_response(FieldBlock& block, ResponseHead& head);

// Where a received message ends. `ended`: it was over with its header section. A message whose
// length is not said is `chunked`: it ends when its stream does. Refuses a Content-Length that is
// not valid, or not 0 where the message is over.
[[nodiscard]] std::expected<Framing, Refusal> message_framing(const FieldSection& fields,
                                                              bool ended);

}  // namespace penstock::http2
