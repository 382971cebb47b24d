#include "tls/server_context.h"

#include <algorithm>
#include <ctime>
#include <utility>

#include <openssl/err.h>

#include "tls/server_state.h"

namespace penstock {
namespace {

// Files are looked at that often at most.
constexpr Duration kLook = std::chrono::seconds(1);

}  // namespace

TlsServerContext::TlsServerContext(TlsServerSettings settings, WallClock clock)
    : settings_(std::move(settings)),
      clock_(clock),
      keys_(std::make_shared<TlsTicketKeys>(settings_.session_lifetime)) {
  std::vector<std::string> paths;
  for (const TlsCertificateSettings& files : settings_.certificates) {
    paths.insert(paths.end(), {files.certificate, files.key, files.ocsp});
  }
  if (settings_.client_certificates != ClientCertificates::off)
    paths.push_back(settings_.client_ca);
  std::ranges::sort(paths);
  const auto repeated = std::ranges::unique(paths);
  paths.erase(repeated.begin(), repeated.end());
  for (const std::string& path : paths) {
    watches_.emplace_back(path, kLook).look(TimePoint::min());
  }
}

TlsServerContext::~TlsServerContext() = default;

std::expected<std::shared_ptr<TlsServerContext>, std::string> TlsServerContext::create(
    TlsServerSettings settings, WallClock clock) {
  std::shared_ptr<TlsServerContext> context(new TlsServerContext(std::move(settings), clock));
  context->looked_at_ = clock();
  auto state = TlsServerState::build(context->settings_, context->keys_, clock);
  if (!state) return std::unexpected(std::move(state.error()));
  context->state_ = std::move(*state);
  return context;
}

std::shared_ptr<const TlsServerState> TlsServerContext::state() const {
  const std::lock_guard lock(mutex_);
  return state_;
}

std::vector<std::string> TlsServerContext::warnings() const { return state()->warnings; }

Result<SslPtr> TlsServerContext::open() const {
  auto accepting = std::make_unique<TlsAccepting>();
  accepting->state = state();
  SslPtr ssl(SSL_new(accepting->state->context.get()));
  if (!ssl) {
    ERR_clear_error();
    return fail(ErrorKind::overloaded);
  }
  SSL_set_accept_state(ssl.get());
  TlsAccepting::attach(ssl.get(), std::move(accepting));
  return ssl;
}

// ---- Changes.

bool TlsServerContext::files_changed(TimePoint now) {
  bool changed = false;
  for (FileWatch& watch : watches_) changed |= watch.changed(now);
  return changed;
}

std::vector<TlsNews> TlsServerContext::refresh(TimePoint now) {
  std::vector<TlsNews> news;
  keys_->rotate(now);
  if (files_changed(now)) {
    if (!stale_) stale_ = now;
    next_try_ = now;
  }
  if (stale_ && now >= next_try_) reload(now, news);
  const std::time_t clock = clock_();
  for (const TlsServerState::Expiry& expiry : state_->expiries) {
    if (expiry.when >= looked_at_ && expiry.when < clock) {
      news.push_back({.sentence = expiry.sentence, .warning = true});
    }
  }
  looked_at_ = clock;
  return news;
}

void TlsServerContext::reload(TimePoint now, std::vector<TlsNews>& news) {
  auto built = TlsServerState::build(settings_, keys_, clock_);
  if (!built) {
    next_try_ = now + kPatience;
    if (now - *stale_ < kPatience || built.error() == last_problem_) return;
    last_problem_ = built.error();
    news.push_back(
        {.sentence = built.error() + "; the files read before stay in use", .warning = true});
    return;
  }
  std::shared_ptr<const TlsServerState> state = std::move(*built);
  news.push_back({.sentence = "TLS certificates were read anew"});
  for (const std::string& warning : state->warnings) {
    news.push_back({.sentence = warning, .warning = true});
  }
  {
    const std::lock_guard lock(mutex_);
    state_.swap(state);
  }
  stale_.reset();
  last_problem_.clear();
}

// ---- For accept_tls().

void set_tls_facts(SSL* ssl, TlsClientFacts* facts) {
  if (TlsAccepting* const accepting = TlsAccepting::of(ssl)) accepting->facts = facts;
}

void end_tls_accept(SSL* ssl) { TlsAccepting::drop(ssl); }

}  // namespace penstock
