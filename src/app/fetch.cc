#include "app/fetch.h"

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <expected>
#include <list>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "app/exit_code.h"
#include "app/fetch_network.h"
#include "app/fetch_output.h"
#include "app/fetch_request.h"
#include "app/fetch_settings.h"
#include "app/fetch_trace.h"
#include "app/fetch_transfer.h"
#include "async/scope.h"
#include "async/sleep.h"
#include "base/quantity.h"
#include "net/event_loop.h"
#include "net/socket_network.h"
#include "upstream/server_side.h"

namespace penstock {
namespace {

constexpr int kMaxRedirects = 10;

// All that lives as long as the command.
class Fetcher {
 public:
  Fetcher(const FetchCommand& command, const UpstreamSettings& settings, UpstreamShare& share,
          FetchOutput& output)
      : command_(command),
        output_(output),
        trace_(command.verbose, loop_.executor()),
        sockets_(loop_, fetch_dns_settings(command)),
        network_(sockets_, command.hosts, trace_),
        servers_(network_, settings, share, std::random_device()()) {
    auto peer = settings.peers.begin();
    for (const std::optional<PeerSettings>& choice : command.peers) {
      peers_.push_back(choice ? servers_.peer((peer++)->name) : nullptr);
    }
  }

  int run() {
    Scope scope(loop_.executor());
    scope.spawn(fetch_all());
    while (scope.running() > 0) loop_.run_once(std::chrono::seconds(60));
    return code_;
  }

 private:
  Task<void> fetch_all();
  Task<void> fetch_within_limit(const Url& url);
  Task<FetchTransfer::Answer> fetch(FetchRequest request);
  void report(const FetchTransfer::Answer& answer, const Url& url);

  const FetchCommand& command_;
  FetchOutput& output_;
  EventLoop loop_;
  FetchTrace trace_;
  SocketNetwork sockets_;
  FetchNetwork network_;
  ServerSide servers_;
  std::vector<Peer*> peers_;
  int code_ = kExitOk;
};

Task<void> Fetcher::fetch_all() {
  servers_.start(false);
  for (const Url& url : command_.urls) co_await fetch_within_limit(url);
  co_await servers_.stop();
}

Task<void> Fetcher::fetch_within_limit(const Url& url) {
  ChildContext context(co_await this_context());
  const TimePoint end = deadline_after(loop_.executor().now(), command_.max_time);
  const CancelAt limit(context, end);
  Task<FetchTransfer::Answer> fetching = fetch(first_request(command_, url));
  FetchTransfer::Answer answer = co_await std::move(fetching).in(context);
  if (!answer && limit.fired()) {
    const std::string time = format_duration(command_.max_time);
    answer = std::unexpected(fmt::format("not done within {}", time));
  }
  report(answer, url);
}

// With all redirects.
Task<FetchTransfer::Answer> Fetcher::fetch(FetchRequest request) {
  const FetchParts parts{.command = command_,
                         .loop = loop_,
                         .servers = servers_,
                         .peers = peers_,
                         .trace = trace_,
                         .output = output_};
  for (int redirects = 0;; ++redirects) {
    FetchTransfer transfer(parts, request);
    FetchTransfer::Answer answer = co_await transfer.run();
    if (!answer || answer->location.empty()) co_return answer;
    if (redirects == kMaxRedirects) {
      co_return std::unexpected(fmt::format("more than {} redirects", kMaxRedirects));
    }
    auto next = redirected(request, answer->status, answer->location);
    if (!next) co_return std::unexpected(std::move(next.error()));
    if (next->has_body && command_.data_file == "-") {
      co_return std::unexpected("the redirect wants what came from stdin again");
    }
    request = std::move(*next);
    trace_.note("redirected to {}", request.url.text());
  }
}

void Fetcher::report(const FetchTransfer::Answer& answer, const Url& url) {
  const bool bad_status = answer && command_.fail && answer->status >= 400;
  if (answer && !bad_status) return;
  // A failure counts for more than a status.
  if (!answer || code_ == kExitOk) code_ = answer ? kExitBadStatus : kExitFailed;
  if (command_.silent) return;
  const std::string why = answer ? fmt::format("the status is {}", answer->status) : answer.error();
  fmt::print(stderr, "penstock: {}: {}\n", url.text(), why);
}

int give_up(const FetchCommand& command, std::string_view why) {
  if (!command.silent) fmt::print(stderr, "penstock: {}\n", why);
  return kExitFailed;
}

}  // namespace

int fetch_command(const FetchCommand& command) {
  // A reader of stdout that is gone is an error like others.
  std::signal(SIGPIPE, SIG_IGN);
  auto output = FetchOutput::open(command.output);
  if (!output) return give_up(command, output.error());
  const UpstreamSettings settings = fetch_upstream_settings(command);
  UpstreamShare share(settings);
  if (!share.problem().empty()) return give_up(command, share.problem());
  Fetcher fetcher(command, settings, share, *output);
  return fetcher.run();
}

}  // namespace penstock
