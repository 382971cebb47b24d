// What a service says of itself in its answer to OPTIONS (RFC 3507 section 4.10.2).
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "icap/problem.h"
#include "icap/quirks.h"
#include "icap/response_head.h"

namespace penstock::icap {

// How a message is to be sent to a service.
enum class Transfer : std::uint8_t {
  preview,  // its beginning first
  ignore,   // not at all
  complete  // as a whole
};

// The lists Transfer-Preview, Transfer-Ignore and Transfer-Complete.
class TransferLists {
 public:
  // An element of a list: a file's extension in any case, or "*" for all that no list names.
  struct Element {
    std::string_view extension;
    Transfer transfer;
  };
  TransferLists() = default;
  // Where elements contradict each other the more careful one counts: complete before preview
  // before ignore.
  explicit TransferLists(std::span<const Element> elements);

  // No list named anything.
  [[nodiscard]] bool empty() const { return extensions_.empty() && !other_; }
  // The same extension, or "*", is in different lists.
  [[nodiscard]] bool contradictory() const { return contradictory_; }
  // What is said by "*".
  [[nodiscard]] std::optional<Transfer> other() const { return other_; }
  // What is said of the extension of the last segment of a path, the query left out. Nothing where
  // neither it nor "*" is in a list.
  [[nodiscard]] std::optional<Transfer> find(std::string_view path_and_query) const;

 private:
  struct Entry {
    std::string extension;  // in lower case
    Transfer transfer;
  };
  std::vector<Entry> extensions_;  // sorted, each once
  std::optional<Transfer> other_;
  bool contradictory_ = false;
};

// The answer as a value of its own: it needs no bytes of the answer. Its size is bounded by that of
// the head it came from.
struct Options {
  // Methods
  bool reqmod = false;
  bool respmod = false;
  // The most bytes a preview may have. None: the service did not ask for previews, and must get
  // none.
  std::optional<std::uint64_t> preview;
  // Allow: what the service may answer
  bool allow_204 = false;
  bool allow_206 = false;
  // Connections that the service can bear, idle ones included; above 0.
  std::optional<std::uint64_t> max_connections;
  // How long all this holds; at most kMaxOptionsTtl. None: it does not say.
  std::optional<Duration> ttl;
  std::string istag;       // without quotes
  std::string service_id;  // Service-ID
  std::string service;     // what the service calls itself
  // X-Include: names of the fields of the ICAP request that the service wants, the first
  // kMaxIncluded of them.
  std::vector<std::string> include;
  TransferLists transfer;
  // A body follows the head (opt-body): chunked, of no use to us, to be skipped.
  bool has_body = false;
  bool close = false;  // Connection: close
  Quirks quirks;       // those of the head among them

  // Whether the service wants that field, such as "X-Client-IP".
  [[nodiscard]] bool includes(std::string_view name) const;
  // How a message with that target is to be sent. Without any list as a whole; where there are some
  // and none speaks of it (the RFC wants all to be covered) it is a preview. `preview` is said only
  // if one was announced, `complete` takes its place otherwise.
  [[nodiscard]] Transfer transfer_for(std::string_view path_and_query) const;
};

inline constexpr Duration kMaxOptionsTtl = std::chrono::hours(24 * 365);
inline constexpr std::size_t kMaxIncluded = 64;

// Fails where the status is not 200. Values that are no numbers count as absent, and are noted
// among the quirks, as is the absence of Methods.
[[nodiscard]] std::expected<Options, Problem> parse_options(const IcapResponse& response);

}  // namespace penstock::icap
