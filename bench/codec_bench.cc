// What the HTTP/1 codec costs: heads found, parsed, framed and written, chunked bodies decoded.
#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include <benchmark/benchmark.h>

#include "http1/chunk_decoder.h"
#include "http1/head_parser.h"
#include "http1/head_writer.h"
#include "message/framing.h"
#include "message/hop.h"

namespace penstock::http1 {
namespace {

constexpr std::string_view kRequest =
    "GET /articles/2024/index.html?page=2 HTTP/1.1\r\n"
    "Host: www.example.com\r\n"
    "User-Agent: curl/8.5.0\r\n"
    "Accept: */*\r\n"
    "Accept-Encoding: gzip, br\r\n"
    "Connection: keep-alive\r\n"
    "\r\n";

constexpr std::string_view kResponse =
    "HTTP/1.1 200 OK\r\n"
    "Date: Mon, 01 Jul 2024 12:00:00 GMT\r\n"
    "Server: origin\r\n"
    "Content-Type: text/html; charset=utf-8\r\n"
    "Content-Length: 1024\r\n"
    "ETag: \"5f3-61c\"\r\n"
    "Cache-Control: max-age=60\r\n"
    "Connection: keep-alive\r\n"
    "\r\n";

constexpr HeadLimits kLimits;

void ScanRequest(benchmark::State& state) {
  for (auto _ : state) {
    HeadScanner scanner(kLimits);
    benchmark::DoNotOptimize(scanner.scan(kRequest));
  }
}
BENCHMARK(ScanRequest);

void ParseRequest(benchmark::State& state) {
  for (auto _ : state) {
    RequestHead head;
    benchmark::DoNotOptimize(parse_request_head(kRequest, kLimits, head));
    benchmark::DoNotOptimize(request_framing(head));
  }
}
BENCHMARK(ParseRequest);

void ParseResponse(benchmark::State& state) {
  for (auto _ : state) {
    ResponseHead head;
    benchmark::DoNotOptimize(parse_response_head(kResponse, kLimits, head));
    benchmark::DoNotOptimize(response_framing(Method::get, head));
  }
}
BENCHMARK(ParseResponse);

// Both heads of an exchange found, parsed and framed.
void ScanAndParseBoth(benchmark::State& state) {
  for (auto _ : state) {
    HeadScanner request_scanner(kLimits);
    benchmark::DoNotOptimize(request_scanner.scan(kRequest));
    RequestHead request;
    benchmark::DoNotOptimize(parse_request_head(kRequest, kLimits, request));
    benchmark::DoNotOptimize(request_framing(request));
    HeadScanner response_scanner(kLimits, HeadKind::response);
    benchmark::DoNotOptimize(response_scanner.scan(kResponse));
    ResponseHead response;
    benchmark::DoNotOptimize(parse_response_head(kResponse, kLimits, response));
    benchmark::DoNotOptimize(response_framing(request.method, response));
  }
}
BENCHMARK(ScanAndParseBoth);

// Hop-by-hop fields removed, Via added, the head written: what forwarding adds to parsing.
void ForwardRequest(benchmark::State& state) {
  std::array<char, 4096> buffer;
  for (auto _ : state) {
    RequestHead head;
    benchmark::DoNotOptimize(parse_request_head(kRequest, kLimits, head));
    remove_hop_by_hop(head.fields, connection_options(head.fields));
    append_via(head.fields, head.version, "penstock");
    const WireFraming framing;
    benchmark::DoNotOptimize(wire_size_bound(head, framing));
    benchmark::DoNotOptimize(write_request_head(head, RequestForm::origin, framing, buffer));
    benchmark::ClobberMemory();
  }
}
BENCHMARK(ForwardRequest);

void WriteResponse(benchmark::State& state) {
  std::array<char, 4096> buffer;
  ResponseHead head;
  benchmark::DoNotOptimize(parse_response_head(kResponse, kLimits, head));
  const WireFraming framing{.body = {BodyKind::length, 1024}, .connection = {}};
  for (auto _ : state) {
    benchmark::DoNotOptimize(wire_size_bound(head, framing));
    benchmark::DoNotOptimize(write_response_head(head, framing, buffer));
    benchmark::ClobberMemory();
  }
}
BENCHMARK(WriteResponse);

// A body of 64 chunks of the given size.
void DecodeChunks(benchmark::State& state) {
  const auto size = static_cast<std::size_t>(state.range(0));
  std::array<char, kChunkHeadMax> line;
  std::string body;
  for (int i = 0; i < 64; ++i) {
    body.append(line.data(), write_chunk_head(size, line));
    body.append(size, 'x');
    body.append(kChunkEnd);
  }
  body.append(kLastChunk);
  const ChunkLimits limits;
  for (auto _ : state) {
    ChunkDecoder decoder(limits);
    std::string_view rest = body;
    for (;;) {
      const ChunkDecoder::Step step = decoder.next(rest);
      rest.remove_prefix(step.consumed);
      if (step.event != ChunkDecoder::Event::data) break;
    }
  }
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(body.size()));
}
BENCHMARK(DecodeChunks)->Arg(1)->Arg(64)->Arg(4096);

}  // namespace
}  // namespace penstock::http1
