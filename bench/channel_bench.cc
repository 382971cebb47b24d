// What a call costs that is handled beside the worker: on threads, and in a helper process; one at
// a time, and many under way at once. Requests and replies of 200 bytes.
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include <benchmark/benchmark.h>

#include "async/scope.h"
#include "base/log.h"
#include "base/log_file.h"
#include "helper/helper_process.h"
#include "helper/helper_service.h"
#include "helper/process_channel.h"
#include "helper/ring.h"
#include "helper/thread_channel.h"
#include "net/event_loop.h"
#include "net/socket_network.h"

namespace penstock {
namespace {

constexpr std::string_view kHelperArgument = "--as-helper";
constexpr int kCallsATask = 100;

void echo(HelperSeat& seat) {
  while (auto request = seat.receive()) {
    if (!request->path->reply(request->id, Payload(std::move(request->bytes)))) return;
  }
}

Task<void> call_some(Channel& channel, std::uint64_t affinity) {
  const std::string text(100, 'x');
  const std::string_view parts[] = {text, text};
  for (int i = 0; i < kCallsATask; ++i) {
    auto reply = co_await channel.call(Payload(parts), affinity);
    benchmark::DoNotOptimize(reply);
  }
}

void run_calls(benchmark::State& state, EventLoop& loop, Channel& channel) {
  Scope scope(loop.executor());
  const auto tasks = static_cast<unsigned>(state.range(0));
  for (auto _ : state) {
    for (unsigned i = 0; i < tasks; ++i) scope.spawn(call_some(channel, i + 1));
    while (scope.running() > 0) loop.run_once(std::chrono::seconds(1));
  }
  state.SetItemsProcessed(state.iterations() * tasks * kCallsATask);
}

void thread_calls(benchmark::State& state) {
  EventLoop loop;
  SocketNetwork network(loop);
  HelperThreads threads({.threads = 1}, echo);
  ThreadChannel channel(threads, network, 10'000);
  run_calls(state, loop, channel);
}
BENCHMARK(thread_calls)->Arg(1)->Arg(8)->Arg(64)->UseRealTime();

void process_calls(benchmark::State& state) {
  EventLoop loop;
  LogFile log_file("/dev/null");
  Log log(log_file, LogLevel::error);
  HelperProcess process(
      {.name = "bench", .arguments = {"channel_bench", std::string(kHelperArgument)}, .shape = {}},
      log);
  process.start();
  ProcessChannel channel(process, 0, loop, 10'000);
  run_calls(state, loop, channel);
}
BENCHMARK(process_calls)->Arg(1)->Arg(8)->Arg(64)->UseRealTime();

// Without anyone to wake.
void ring_message(benchmark::State& state) {
  auto memory = SharedMemory::create(Ring::memory(std::size_t{64} * 1024));
  const Ring ring = Ring::in(memory->bytes());
  RingWriter writer(ring, {});
  RingReader reader(ring, {});
  const std::string text(200, 'x');
  const std::string_view parts[] = {text};
  RingMessage message;
  for (auto _ : state) {
    auto written = writer.write(1, parts);
    auto read = reader.read(message);
    benchmark::DoNotOptimize(written);
    benchmark::DoNotOptimize(read);
  }
}
BENCHMARK(ring_message);

}  // namespace
}  // namespace penstock

int main(int argc, char** argv) {
  if (argc == 2 && argv[1] == penstock::kHelperArgument) {
    auto service = penstock::HelperService::open();
    if (!service) return 1;
    (*service)->run(penstock::echo);
    return 0;
  }
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
