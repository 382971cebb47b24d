#include "net/resolver.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <optional>
#include <utility>

#include "async/wait.h"
#include "base/text.h"
#include "net/address_order.h"

namespace penstock {
namespace {

// A name in lower case, in place: looking one up that is known allocates nothing.
class LowerName {
 public:
  explicit LowerName(std::string_view name) : size_(name.size()) {
    if (name.size() > text_.size()) return;
    valid_ = !name.empty();
    std::ranges::transform(name, text_.begin(), [this](char c) {
      // What c-ares would take for an escape, and what is in no name of a host.
      if (c <= ' ' || c > '~' || c == '\\') valid_ = false;
      return to_lower(c);
    });
  }
  // Whether it can be asked for at all; of the rest the name servers decide.
  [[nodiscard]] bool valid() const { return valid_; }
  [[nodiscard]] std::string_view text() const { return {text_.data(), size_}; }

 private:
  std::array<char, 254> text_;  // 253 characters and a dot at the end
  std::size_t size_;
  bool valid_ = false;
};

Result<Resolution> literal(Address address) {
  return Resolution{.addresses = {std::move(address)}, .expires = kNever};
}

bool is_cancelled(const Result<void>& waited) {
  return !waited && waited.error().kind == ErrorKind::cancelled;
}

}  // namespace

Resolver::Resolver(EventLoop& loop, const DnsSettings& settings, const ResolverFiles& files)
    : loop_(&loop),
      cache_(std::make_shared<DnsCache>(settings)),
      hosts_(settings, settings.hosts_file ? files.hosts : std::string()),
      client_(loop, cache_->settings(), FileWatch(files.resolv_conf, files.look_every)) {}

Resolver::~Resolver() = default;

std::optional<Result<Resolution>> Resolver::find_host(std::string_view host, std::uint16_t port) {
  if (auto address = Address::from_ip(host, port)) return literal(std::move(*address));
  const LowerName name(host);
  if (!name.valid()) return fail(ErrorKind::resolve_failed);
  return hosts_.find(name.text(), port, loop_->executor().now());
}

std::shared_ptr<DnsName> Resolver::look_up(std::string_view host, bool service) {
  std::shared_ptr<DnsName> name = cache_->use(LowerName(host).text());
  if (!name) return name;
  if (service) {
    ask_if_due(name, DnsType::srv);
  } else {
    ask_if_due(name, DnsType::aaaa);
    ask_if_due(name, DnsType::a);
  }
  return name;
}

void Resolver::ask_if_due(const std::shared_ptr<DnsName>& name, DnsType type) {
  const TimePoint now = loop_->executor().now();
  if (!cache_->is_due(name->record(type), now)) return;
  if (client_.under_way() >= cache_->settings().max_questions) return;
  cache_->begin(*name, type, now);
  client_.ask(name->name, type, [loop = loop_, cache = cache_, name, type](DnsAnswer answer) {
    answer.reachable = sort_by_preference(answer.addresses);
    cache->finish(*name, type, std::move(answer), loop->executor().now());
  });
}

Task<Result<Resolution>> Resolver::resolve(std::string_view host, std::uint16_t port,
                                           TimePoint deadline) {
  if (auto known = find_host(host, port)) co_return std::move(*known);
  Executor& executor = loop_->executor();
  const TimePoint since = executor.now();
  const std::shared_ptr<DnsCache> cache = cache_;
  const std::shared_ptr<DnsName> name = look_up(host, false);
  if (!name) co_return fail(ErrorKind::overloaded);
  // From the first wait on the resolver may be gone.
  while (executor.now() < deadline) {
    const auto until = cache->wait_for_addresses(*name, since, executor.now());
    if (!until) break;
    const Result<void> waited = co_await wait_until(name->changed, std::min(deadline, *until));
    if (is_cancelled(waited)) co_return fail(waited.error());
  }
  co_return cache->addresses(*name, port, since, executor.now());
}

Task<Result<ServiceResolution>> Resolver::resolve_service(std::string_view service,
                                                          TimePoint deadline) {
  if (!LowerName(service).valid()) co_return fail(ErrorKind::resolve_failed);
  Executor& executor = loop_->executor();
  const TimePoint since = executor.now();
  const std::shared_ptr<DnsCache> cache = cache_;
  const std::shared_ptr<DnsName> name = look_up(service, true);
  if (!name) co_return fail(ErrorKind::overloaded);
  while (executor.now() < deadline) {
    const auto until = cache->wait_for_service(*name, since, executor.now());
    if (!until) break;
    const Result<void> waited = co_await wait_until(name->changed, std::min(deadline, *until));
    if (is_cancelled(waited)) co_return fail(waited.error());
  }
  co_return cache->service(*name, since, executor.now());
}

}  // namespace penstock
