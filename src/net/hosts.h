// Names that need no name server: configured ones, those of the hosts file, and localhost.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/error.h"
#include "base/file_watch.h"
#include "net/network.h"
#include "net/settings.h"

namespace penstock {

// Belongs to one thread.
class Hosts {
 public:
  // `file` is in the form of hosts(5); empty: none. Of it at most 16 MiB are read.
  Hosts(const DnsSettings& settings, std::string file);

  // The answer where the name (lower case) is known here; resolve_failed for one that is known to
  // have no address. A dot at its end does not matter. The configured names go before the file, a
  // change of which is noticed within a second, and that before localhost (RFC 6761 section 6.3).
  // Names below onion are not for name servers (RFC 7686): they have no address.
  [[nodiscard]] std::optional<Result<Resolution>> find(std::string_view name, std::uint16_t port,
                                                       TimePoint now);

 private:
  struct TextHash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const {
      return std::hash<std::string_view>{}(text);
    }
  };
  using Table = std::unordered_map<std::string, AddressList, TextHash, std::equal_to<>>;

  void read_file();
  static void add_line(Table& table, std::string_view line);
  // Puts the addresses of each name in the order to try them.
  static void settle(Table& table);

  Table configured_;
  Table from_file_;
  FileWatch file_;
};

}  // namespace penstock
