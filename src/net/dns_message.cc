#include "net/dns_message.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <string>
#include <utility>

#include <netinet/in.h>

namespace penstock {
namespace {

constexpr std::uint16_t kClassIn = 1;
constexpr std::uint16_t kCname = 5;
constexpr std::uint16_t kSoa = 6;
constexpr std::uint16_t kDname = 39;

// A label that is a pointer to the rest of the name.
bool is_pointer(std::uint8_t length) { return length >= 0xc0; }
constexpr std::uint8_t kLongestLabel = 63;
constexpr std::size_t kLongestName = 253;

// Numbers of a message in turn. What is behind its end reads as zero, and makes it bad.
class Reader {
 public:
  explicit Reader(std::span<const std::uint8_t> bytes) : bytes_(bytes) {}

  [[nodiscard]] bool bad() const { return bad_; }
  [[nodiscard]] std::size_t place() const { return at_; }
  void move_to(std::size_t place) {
    if (place > bytes_.size()) bad_ = true;
    at_ = std::min(place, bytes_.size());
  }
  void skip(std::size_t n) { move_to(at_ + n); }
  std::uint8_t u8() {
    if (at_ < bytes_.size()) return bytes_[at_++];
    bad_ = true;
    return 0;
  }
  std::uint16_t u16() {
    const unsigned high = u8();
    return static_cast<std::uint16_t>(high << 8 | u8());
  }
  std::uint32_t u32() {
    const std::uint32_t high = u16();
    return high << 16 | u16();
  }
  // The next n bytes; fewer, and bad, when the message ends before.
  std::span<const std::uint8_t> take(std::size_t n) {
    const std::size_t begin = at_;
    skip(n);
    return bytes_.subspan(begin, at_ - begin);
  }
  void spoil() { bad_ = true; }

  void skip_name() {
    while (!bad_) {
      const std::uint8_t length = u8();
      if (length == 0) return;
      if (is_pointer(length)) return skip(1);
      if (length > kLongestLabel) return spoil();
      skip(length);
    }
  }

 private:
  std::span<const std::uint8_t> bytes_;
  std::size_t at_ = 0;
  bool bad_ = false;
};

bool is_plain(std::uint8_t c) { return c > ' ' && c < 0x7f && c != '.' && c != '\\'; }

// The host name at a place of the message, "." for the root. Nothing when it is no such name.
std::optional<std::string> host_at(std::span<const std::uint8_t> message, std::size_t place) {
  constexpr int kMaxPointers = 16;
  std::string name;
  Reader reader(message);
  reader.move_to(place);
  for (int pointers = 0; pointers <= kMaxPointers;) {
    const std::uint8_t length = reader.u8();
    if (is_pointer(length)) {
      const std::size_t high = length & 0x3fU;
      reader.move_to(high << 8 | reader.u8());
      ++pointers;
      continue;
    }
    if (reader.bad() || length > kLongestLabel) return std::nullopt;
    if (length == 0) return name.empty() ? "." : name;
    const auto label = reader.take(length);
    if (reader.bad() || !std::ranges::all_of(label, is_plain)) return std::nullopt;
    if (!name.empty()) name += '.';
    name.append(label.begin(), label.end());
    if (name.size() > kLongestName) return std::nullopt;
  }
  return std::nullopt;
}

struct Record {
  std::uint16_t type = 0;
  std::uint16_t of_class = 0;
  Duration ttl{};
  std::size_t place = 0;  // of its data
  std::size_t size = 0;
};

// Leaves the reader behind the record.
Record read_record(Reader& reader) {
  Record record;
  reader.skip_name();
  record.type = reader.u16();
  record.of_class = reader.u16();
  const std::uint32_t ttl = reader.u32();
  // RFC 2181 section 8: with the highest bit set it means zero.
  record.ttl = std::chrono::seconds(ttl > 0x7fff'ffffU ? 0 : ttl);
  record.size = reader.u16();
  record.place = reader.place();
  reader.skip(record.size);
  return record;
}

std::optional<Address> read_address(std::span<const std::uint8_t> data, DnsType type) {
  if (type == DnsType::a && data.size() == 4) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    std::memcpy(&address.sin_addr, data.data(), data.size());
    return Address::from_sockaddr(reinterpret_cast<const sockaddr*>(&address), sizeof address);
  }
  if (type == DnsType::aaaa && data.size() == 16) {
    sockaddr_in6 address{};
    address.sin6_family = AF_INET6;
    std::memcpy(&address.sin6_addr, data.data(), data.size());
    return Address::from_sockaddr(reinterpret_cast<const sockaddr*>(&address), sizeof address);
  }
  return std::nullopt;
}

std::optional<ServiceTarget> read_target(std::span<const std::uint8_t> message,
                                         const Record& record) {
  constexpr std::size_t kNumbers = 6;  // bytes before the name
  if (record.size <= kNumbers) return std::nullopt;
  Reader reader(message);
  reader.move_to(record.place);
  ServiceTarget target;
  target.priority = reader.u16();
  target.weight = reader.u16();
  target.port = reader.u16();
  auto host = host_at(message, reader.place());
  if (!host) return std::nullopt;
  target.host = std::move(*host);
  return target;
}

// False when the record is not as its type says.
bool add_record(DnsAnswer& answer, std::span<const std::uint8_t> message, const Record& record,
                DnsType type) {
  if (type == DnsType::srv) {
    auto target = read_target(message, record);
    if (!target) return false;
    if (answer.targets.size() < kMaxDnsRecords) answer.targets.push_back(std::move(*target));
    return true;
  }
  auto address = read_address(message.subspan(record.place, record.size), type);
  if (!address) return false;
  if (answer.addresses.size() < kMaxDnsRecords) answer.addresses.push_back(std::move(*address));
  return true;
}

// RFC 2308 section 5: the smaller one of the SOA record's time to live and its last field.
Duration negative_ttl(std::span<const std::uint8_t> message, const Record& record) {
  constexpr std::size_t kMinimum = 4;
  if (record.size < kMinimum) return {};
  Reader reader(message);
  reader.move_to(record.place + record.size - kMinimum);
  return std::min<Duration>(record.ttl, std::chrono::seconds(reader.u32()));
}

// Only a target of its own says that there is no such service (RFC 2782).
void settle_targets(DnsAnswer& answer) {
  std::erase_if(answer.targets, [](const ServiceTarget& target) { return target.host == "."; });
  std::ranges::sort(answer.targets, {}, &ServiceTarget::priority);
  if (answer.targets.empty()) answer.outcome = DnsOutcome::none;
}

}  // namespace

DnsAnswer read_dns_answer(std::span<const std::uint8_t> message, DnsType type) {
  constexpr std::size_t kIdAndFlags = 4;
  Reader reader(message);
  reader.skip(kIdAndFlags);
  const unsigned questions = reader.u16();
  const unsigned answers = reader.u16();
  const unsigned authorities = reader.u16();
  reader.skip(2);
  for (unsigned i = 0; i < questions && !reader.bad(); ++i) {
    reader.skip_name();
    reader.skip(4);
  }
  DnsAnswer answer;
  for (unsigned i = 0; i < answers && !reader.bad(); ++i) {
    const Record record = read_record(reader);
    const bool wanted = record.type == number_of(type);
    if (reader.bad() || record.of_class != kClassIn) continue;
    if (!wanted && record.type != kCname && record.type != kDname) continue;
    if (wanted && !add_record(answer, message, record, type)) return {};
    if (wanted) answer.outcome = DnsOutcome::found;
    answer.ttl = std::min(answer.ttl.value_or(record.ttl), record.ttl);
  }
  if (answer.outcome != DnsOutcome::found) answer.ttl.reset();
  for (unsigned i = 0; i < authorities && !reader.bad() && answer.outcome != DnsOutcome::found;
       ++i) {
    const Record record = read_record(reader);
    if (reader.bad() || record.type != kSoa || record.of_class != kClassIn) continue;
    answer.ttl = negative_ttl(message, record);
  }
  if (reader.bad()) return {};
  if (answer.outcome != DnsOutcome::found) answer.outcome = DnsOutcome::none;
  if (type == DnsType::srv) settle_targets(answer);
  return answer;
}

}  // namespace penstock
