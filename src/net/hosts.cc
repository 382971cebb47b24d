#include "net/hosts.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <utility>

#include <fcntl.h>
#include <unistd.h>

#include "base/text.h"
#include "net/address_order.h"
#include "net/fd.h"

namespace penstock {
namespace {

constexpr std::size_t kMaxFile = std::size_t{16} * 1024 * 1024;
constexpr Duration kLookEvery = std::chrono::seconds(1);

// At most kMaxFile bytes; empty when it cannot be read.
std::string read_all(const std::string& path) {
  std::string text;
  const Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) return text;
  std::array<char, 16'384> buffer;
  while (text.size() < kMaxFile) {
    const ssize_t n = ::read(file.get(), buffer.data(), buffer.size());
    if (n <= 0) break;
    text.append(buffer.data(), static_cast<std::size_t>(n));
  }
  return text;
}

std::string_view next_word(std::string_view& line) {
  constexpr std::string_view kBlank = " \t\r\f\v";
  line.remove_prefix(std::min(line.find_first_not_of(kBlank), line.size()));
  const std::string_view word = line.substr(0, line.find_first_of(kBlank));
  line.remove_prefix(word.size());
  return word;
}

bool is_or_is_below(std::string_view name, std::string_view domain) {
  if (!name.ends_with(domain)) return false;
  name.remove_suffix(domain.size());
  return name.empty() || name.ends_with('.');
}

Result<Resolution> answer(const AddressList& addresses, std::uint16_t port, TimePoint expires) {
  if (addresses.empty()) return fail(ErrorKind::resolve_failed);
  Resolution resolution{.addresses = addresses, .expires = expires};
  for (Address& address : resolution.addresses) address.set_port(port);
  return resolution;
}

}  // namespace

Hosts::Hosts(const DnsSettings& settings, std::string file) : file_(std::move(file), kLookEvery) {
  for (const auto& [name, ips] : settings.hosts) {
    AddressList& addresses = configured_[to_lower(name)];
    for (const std::string& ip : ips) {
      if (auto address = Address::from_ip(ip, 0)) addresses.push_back(std::move(*address));
    }
  }
  settle(configured_);
}

std::optional<Result<Resolution>> Hosts::find(std::string_view name, std::uint16_t port,
                                              TimePoint now) {
  if (name.ends_with('.')) name.remove_suffix(1);
  if (const auto found = configured_.find(name); found != configured_.end()) {
    return answer(found->second, port, kNever);
  }
  if (file_.changed(now)) read_file();
  if (const auto found = from_file_.find(name); found != from_file_.end()) {
    return answer(found->second, port, now + kLookEvery);
  }
  if (is_or_is_below(name, "localhost")) {
    return answer({*Address::from_ip("::1", 0), *Address::from_ip("127.0.0.1", 0)}, port, kNever);
  }
  if (is_or_is_below(name, "onion")) return fail(ErrorKind::resolve_failed);
  return std::nullopt;
}

void Hosts::read_file() {
  const std::string text = read_all(file_.path());
  Table table;
  for (std::string_view rest = text; !rest.empty();) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(line.size() + 1, rest.size()));
    add_line(table, line.substr(0, line.find('#')));
  }
  settle(table);
  from_file_ = std::move(table);
}

void Hosts::add_line(Table& table, std::string_view line) {
  const auto address = Address::from_ip(next_word(line), 0);
  if (!address) return;
  for (std::string_view name = next_word(line); !name.empty(); name = next_word(line)) {
    if (name.ends_with('.')) name.remove_suffix(1);
    AddressList& addresses = table[to_lower(name)];
    if (std::ranges::find(addresses, *address) == addresses.end()) addresses.push_back(*address);
  }
}

void Hosts::settle(Table& table) {
  for (auto& [name, addresses] : table) {
    if (addresses.size() > 1) addresses = order_to_try(addresses);
  }
}

}  // namespace penstock
