// The program of these tests: googletest, or the helper process that it starts.
#include "helper/helper_program_test.h"

#include <algorithm>
#include <bit>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <string>
#include <string_view>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "base/log.h"
#include "base/log_file.h"
#include "helper/helper_service.h"

namespace penstock {
namespace {

// What the process has got: open descriptors, blocked and ignored signals, its group.
std::string describe_process() {
  std::string text = "fds:";
  for (int fd = 0; fd < 1'000; ++fd) {
    if (::fcntl(fd, F_GETFD) >= 0) text += " " + std::to_string(fd);
  }
  std::ifstream status("/proc/thread-self/status");
  for (std::string line; std::getline(status, line);) {
    if (!line.starts_with("SigBlk") && !line.starts_with("SigIgn")) continue;
    // Those above are the C library's own.
    const auto signals = std::strtoull(line.c_str() + sizeof "SigBlk:", nullptr, 16);
    text += "\n" + line.substr(0, 7) + std::to_string(signals & 0x7fff'ffffU);
  }
  return text + (::getpgrp() == ::getpid() ? "\nown group" : "\nno group of its own");
}

// Writes nonsense over all that is shared, as a module that has lost its way.
void scribble() {
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    if (!line.contains("memfd:penstock")) continue;
    char* end = nullptr;
    const std::uintptr_t from = std::strtoull(line.c_str(), &end, 16);
    const std::uintptr_t to = std::strtoull(end + 1, nullptr, 16);
    std::memset(std::bit_cast<void*>(from), 0x5a, to - from);
  }
}

void flood(ReturnPath& path, unsigned count) {
  for (unsigned i = 0; i < count; ++i) {
    const std::string number = std::to_string(i);
    const std::string_view parts[] = {number};
    if (!path.send(Payload(parts))) return;
  }
}

void handle(HelperRequest& request) {
  const std::size_t space = std::min(request.bytes.find(' '), request.bytes.size());
  const std::string verb = request.bytes.substr(0, space);
  std::string text = request.bytes.substr(std::min(space + 1, request.bytes.size()));
  if (verb == "hang") {
    while (true) ::pause();
  }
  if (verb == "exit") std::_Exit(std::stoi(text));
  if (verb == "print") std::fprintf(stderr, "%s", text.c_str());
  if (verb == "tell" && !request.path->send(Payload("told " + text))) return;
  if (verb == "flood" || verb == "burst")
    flood(*request.path, static_cast<unsigned>(std::stoul(text)));
  if (verb == "die" || verb == "burst") ::raise(SIGKILL);
  if (verb == "describe") text = describe_process();
  if (verb == "scribble") {
    scribble();
    // Wakes the worker whatever the flags say now.
    const std::uint64_t one = 1;
    [[maybe_unused]] const auto written = ::write(HelperLink::kFirst + 1, &one, sizeof one);
    while (true) ::pause();
  }
  if (request.id != 0 && !request.path->reply(request.id, Payload(text))) return;
  if (verb == "last") ::raise(SIGKILL);
}

int serve(bool end_when_told) {
  auto service = HelperService::open();
  if (!service) {
    std::fprintf(stderr, "not started by a proxy: %s\n", to_string(service.error().kind).data());
    return 3;
  }
  (*service)->run([](HelperSeat& seat) {
    while (auto request = seat.receive()) handle(*request);
  });
  if (end_when_told) return 0;
  while (true) ::pause();
}

// A proxy whose helper's process id is printed; for a test of what its death leads to.
int be_a_proxy() {
  LogFile file("/dev/null");
  Log log(file, LogLevel::info);
  HelperProcess process({.name = "x", .arguments = helper_arguments()}, log);
  process.start();
  std::printf("%d\n", process.id());
  std::fflush(stdout);
  while (true) ::pause();
}

}  // namespace

int run_helper_program(const std::string& mode) {
  if (mode == "serve") return serve(true);
  if (mode == "stay") return serve(false);  // does not end when it is told to
  if (mode == "proxy") return be_a_proxy();
  if (mode == "fail") {
    std::fputs("cannot begin", stderr);  // without an end of the line
    return 7;
  }
  return 2;
}

}  // namespace penstock

int main(int argc, char** argv) {
  if (argc == 3 && std::string_view(argv[1]) == penstock::kHelperArgument) {
    return penstock::run_helper_program(argv[2]);
  }
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
