#include "app/service_manager.h"

#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "net/fd.h"

namespace penstock {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// What a service that gets so many descriptors, and these variables, takes for its own, as
// "name:descriptor " each; its own process, as descriptors 3 and up are needed.
std::string taken(int count, const char* pid, const char* fds, const char* names) {
  int pipe_ends[2];
  EXPECT_EQ(::pipe(pipe_ends), 0);
  const Fd from(pipe_ends[0]);
  Fd to(pipe_ends[1]);
  const pid_t child = ::fork();
  if (child == 0) {
    const int report = ::fcntl(to.get(), F_DUPFD, 100);
    const int null = ::open("/dev/null", O_RDONLY);
    const int kept = ::fcntl(null, F_DUPFD, 101);
    for (int fd = 3; fd < 100; ++fd) ::close(fd);
    for (int i = 0; i < count; ++i) ::dup2(kept, 3 + i);
    ::setenv("LISTEN_PID", pid != nullptr ? pid : std::to_string(::getpid()).c_str(), 1);
    ::setenv("LISTEN_FDS", fds, 1);
    if (names != nullptr) ::setenv("LISTEN_FDNAMES", names, 1);
    std::string text;
    for (const PassedSocket& one : take_passed_sockets()) {
      const bool closed_on_exec = (::fcntl(one.socket.get(), F_GETFD) & FD_CLOEXEC) != 0;
      text += one.name + ":" + std::to_string(one.socket.get()) + (closed_on_exec ? " " : "! ");
    }
    for (const char* name : {"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"}) {
      if (std::getenv(name) != nullptr) text += "still there: " + std::string(name);
    }
    [[maybe_unused]] const auto written = ::write(report, text.data(), text.size());
    ::_exit(0);
  }
  to.reset();
  std::string text(4096, '\0');
  const ssize_t length = ::read(from.get(), text.data(), text.size());
  text.resize(length > 0 ? static_cast<std::size_t>(length) : 0);
  EXPECT_EQ(::waitpid(child, nullptr, 0), child);
  return text;
}

TEST(PassedSockets, HaveTheirNames) {
  EXPECT_EQ(taken(3, nullptr, "3", "web:tls:web"), "web:3 tls:4 web:5 ");
}

TEST(PassedSockets, WithoutANameAreUnknown) {
  EXPECT_EQ(taken(2, nullptr, "2", nullptr), "unknown:3 unknown:4 ");
  EXPECT_EQ(taken(2, nullptr, "2", "web"), "web:3 unknown:4 ");
  EXPECT_EQ(taken(2, nullptr, "2", ":web"), "unknown:3 web:4 ");
}

TEST(PassedSockets, MeantForAnotherProcessAreNotOurs) {
  EXPECT_EQ(taken(1, "1", "1", "web"), "");
  EXPECT_EQ(taken(1, "", "1", "web"), "");
}

TEST(PassedSockets, NonsenseIsNone) {
  for (const char* count : {"", "x", "-1", "1x", "99999999999"}) {
    EXPECT_EQ(taken(1, nullptr, count, "web"), "") << count;
  }
}

TEST(PassedSockets, OnlyThoseThatAreOpen) { EXPECT_EQ(taken(1, nullptr, "3", "a:b:c"), "a:3 "); }

class NotifyTest : public testing::Test {
 protected:
  ~NotifyTest() override { ::unsetenv("NOTIFY_SOCKET"); }
  // `name`: as in NOTIFY_SOCKET.
  static Fd listen_at(const std::string& name) {
    Fd socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    name.copy(address.sun_path, sizeof address.sun_path);
    if (name[0] == '@') address.sun_path[0] = '\0';
    EXPECT_EQ(::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address),
                     static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size())),
              0);
    ::setenv("NOTIFY_SOCKET", name.c_str(), 1);
    return socket;
  }
  static std::string receive(const Fd& socket) {
    std::string text(100, '\0');
    const ssize_t length = ::recv(socket.get(), text.data(), text.size(), 0);
    text.resize(length > 0 ? static_cast<std::size_t>(length) : 0);
    return text;
  }
};

TEST_F(NotifyTest, TellsTheManager) {
  const std::string path = testing::TempDir() + "penstock-notify-" + std::to_string(::getpid());
  const Fd manager = listen_at(path);
  notify_service_manager("READY=1");
  EXPECT_EQ(receive(manager), "READY=1");
  std::filesystem::remove(path);
}

TEST_F(NotifyTest, AlsoInTheAbstractNamespace) {
  const Fd manager = listen_at("@penstock-notify-" + std::to_string(::getpid()));
  notify_service_manager("STOPPING=1");
  EXPECT_EQ(receive(manager), "STOPPING=1");
}

TEST_F(NotifyTest, NobodyThereIsNoHarm) {
  notify_service_manager("READY=1");
  for (const std::string& name : {std::string(), std::string("/"), std::string("relative"),
                                  std::string("/no/such"), "/" + std::string(200, 'x')}) {
    ::setenv("NOTIFY_SOCKET", name.c_str(), 1);
    notify_service_manager("READY=1");
  }
}

}  // namespace
}  // namespace penstock
