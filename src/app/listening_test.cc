#include "app/listening.h"

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

namespace penstock {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::StartsWith;
using Listeners = std::vector<ListenerSettings>;

class ListeningTest : public testing::Test {
 protected:
  ListeningTest() {
    std::string pattern = testing::TempDir() + "penstock-XXXXXX";
    folder_ = ::mkdtemp(pattern.data());
  }
  ~ListeningTest() override { std::filesystem::remove_all(folder_); }

  [[nodiscard]] std::string unix_address() const { return "unix:" + path(); }
  [[nodiscard]] std::string path() const { return (folder_ / "socket").string(); }

  static Listening open(const Listeners& listeners, unsigned workers = 1,
                        std::vector<PassedSocket> passed = {}) {
    auto opened = open_listeners(listeners, workers, std::move(passed));
    if (!opened) ADD_FAILURE() << opened.error();
    return opened ? std::move(*opened) : Listening{};
  }
  static std::string problem(const Listeners& listeners, std::vector<PassedSocket> passed = {}) {
    auto opened = open_listeners(listeners, 1, std::move(passed));
    return opened ? "no problem" : opened.error();
  }
  static bool connects(const Address& address) {
    const Fd socket(::socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_storage storage;
    const socklen_t length = address.to_sockaddr(storage);
    return ::connect(socket.get(), reinterpret_cast<const sockaddr*>(&storage), length) == 0;
  }
  static Fd socket_at(const std::string& address) {
    return std::move(*open_listening_socket({.address = *Address::parse(address)}));
  }

  std::filesystem::path folder_;
};

TEST_F(ListeningTest, EveryWorkerGetsASocketForEachAddress) {
  const Listening opened =
      open({{.addresses = {"127.0.0.1:0", unix_address()}}, {.addresses = {"[::1]:0"}}}, 3);
  ASSERT_THAT(opened.sockets, SizeIs(3));
  for (const auto& row : opened.sockets) {
    ASSERT_THAT(row, SizeIs(3));
    for (std::size_t i = 0; i < row.size(); ++i) {
      EXPECT_EQ(row[i].listener, i / 2);
      EXPECT_EQ(local_address_of(row[i].socket), opened.addresses[i]);
      EXPECT_EQ(row[i].options.shared, i == 1);
      EXPECT_EQ(row[i].options.local, AcceptOptions::Local::listener);
    }
  }
  for (const Address& address : opened.addresses) EXPECT_TRUE(connects(address));
}

TEST_F(ListeningTest, OneWorkerSharesNothing) {
  const Listening opened = open({{.addresses = {unix_address()}}});
  EXPECT_FALSE(opened.sockets[0][0].options.shared);
}

TEST_F(ListeningTest, TellsWhatItListensOn) {
  const Listening opened =
      open({{.name = "inside", .addresses = {"127.0.0.1:0"}, .mode = ListenerMode::reverse},
            {.addresses = {unix_address()},
             .mode = ListenerMode::tcp,
             .proxy_protocol_from = {"unix"},
             .tls = TlsServerSettings{}},
            {.addresses = {"127.0.0.2:0"}, .interception = Interception::redirect}});
  EXPECT_THAT(
      opened.lines,
      ElementsAre("listening on " + opened.addresses[0].to_string() + " (reverse, \"inside\")",
                  "listening on " + unix_address() + " (tcp, tls, PROXY protocol)",
                  "listening on " + opened.addresses[2].to_string() + " (forward, redirect)"));
  EXPECT_EQ(opened.sockets[0][2].options.local, AcceptOptions::Local::netfilter);
}

TEST_F(ListeningTest, SaysWhatIsTaken) {
  const Fd taken = socket_at("127.0.0.1:0");
  const std::string address = local_address_of(taken).to_string();
  EXPECT_EQ(problem({{.name = "x", .addresses = {"127.0.0.1:0", address}}}),
            "listener \"x\": can't listen on " + address +
                ": Address already in use; another process or listener has it");
  const Fd unix_taken = socket_at(unix_address());
  EXPECT_THAT(problem({{.addresses = {unix_address()}}}),
              StartsWith("can't listen on " + unix_address() + ": Address already in use; "));
}

TEST_F(ListeningTest, SaysWhatCannotBe) {
  EXPECT_EQ(problem({{.addresses = {"192.0.2.1:80"}}}),
            "can't listen on 192.0.2.1:80: Cannot assign requested address; no interface of this "
            "machine has this address");
  EXPECT_EQ(problem({{.addresses = {"unix:/no/such/socket"}}}),
            "can't listen on unix:/no/such/socket: No such file or directory; its folder does not "
            "exist");
}

// As somebody who may not.
TEST_F(ListeningTest, SaysWhatIsNotAllowed) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can become somebody else";
  const int status = [&] {
    const pid_t child = ::fork();
    if (child == 0) {
      if (::setresuid(65534, 65534, 65534) != 0) ::_exit(9);
      int wrong = 0;
      const std::string transparent =
          problem({{.addresses = {"127.0.0.1:0"}, .interception = Interception::tproxy}});
      wrong |= transparent.find(
                   "Operation not permitted; intercept = \"tproxy\" needs root, "
                   "CAP_NET_ADMIN or CAP_NET_RAW") == std::string::npos
                   ? 1
                   : 0;
      const std::string folder = problem({{.addresses = {"unix:/penstock-test.sock"}}});
      wrong |= folder.find("Permission denied; its folder must be writable") == std::string::npos
                   ? 2
                   : 0;
      ::_exit(wrong);
    }
    int result = 0;
    ::waitpid(child, &result, 0);
    return WEXITSTATUS(result);
  }();
  EXPECT_EQ(status, 0);
}

TEST_F(ListeningTest, ASocketsFileGoesWhenListeningEnds) {
  {
    const Listening opened = open({{.addresses = {unix_address()}, .unix_mode = 0604}}, 2);
    struct stat status{};
    ASSERT_EQ(::stat(path().c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777U, 0604U);
  }
  EXPECT_FALSE(std::filesystem::exists(path()));
}

TEST_F(ListeningTest, TheFileOfAnotherStays) {
  Fd other;
  {
    const Listening opened = open({{.addresses = {unix_address()}}});
    std::filesystem::remove(path());
    other = socket_at(unix_address());
  }
  EXPECT_TRUE(connects(*Address::parse(unix_address())));
}

TEST_F(ListeningTest, NothingIsLeftOfAFailure) {
  EXPECT_THAT(problem({{.addresses = {unix_address(), "192.0.2.1:80"}}}), HasSubstr("192.0.2.1"));
  EXPECT_FALSE(std::filesystem::exists(path()));
}

template <class... More>
std::vector<PassedSocket> passed(std::string name, Fd socket, More... more) {
  std::vector<PassedSocket> out;
  if constexpr (sizeof...(more) > 0) out = passed(std::move(more)...);
  out.insert(out.begin(), PassedSocket{std::move(name), std::move(socket)});
  return out;
}

TEST_F(ListeningTest, PassedSocketsAreSharedByAllWorkers) {
  const Listening opened =
      open({{.addresses = {"systemd:web"}}}, 2,
           passed("web", socket_at("127.0.0.1:0"), "web", socket_at(unix_address())));
  ASSERT_THAT(opened.sockets, SizeIs(2));
  for (const auto& row : opened.sockets) {
    ASSERT_THAT(row, SizeIs(2));
    EXPECT_TRUE(row[0].options.shared);
    EXPECT_EQ(local_address_of(row[0].socket), opened.addresses[0]);
    EXPECT_EQ(local_address_of(row[1].socket), opened.addresses[1]);
  }
  EXPECT_EQ(opened.lines[0],
            "listening on " + opened.addresses[0].to_string() + " (forward, systemd:web)");
  EXPECT_THAT(opened.warnings, IsEmpty());
  EXPECT_THAT(opened.files, IsEmpty());  // its file is systemd's
}

TEST_F(ListeningTest, PassedSocketsThatNobodyWantsAreToldOf) {
  const Listening opened =
      open({{.addresses = {"systemd:web"}}}, 1,
           passed("web", socket_at("127.0.0.1:0"), "old", socket_at(unix_address())));
  ASSERT_THAT(opened.warnings, SizeIs(1));
  EXPECT_EQ(opened.warnings[0], "nobody wants the socket \"old\" (" + unix_address() +
                                    ") that the service manager passed: no listener has address "
                                    "= \"systemd:old\"");
  EXPECT_FALSE(connects(*Address::parse(unix_address())));
}

TEST_F(ListeningTest, SaysWhatPassedSocketsAreMissing) {
  const Listeners wanted{{.name = "x", .addresses = {"systemd:web"}}};
  EXPECT_EQ(problem(wanted),
            "listener \"x\": can't listen on systemd:web: the service manager passed no sockets");
  EXPECT_EQ(problem(wanted, passed("wbe", socket_at("127.0.0.1:0"))),
            "listener \"x\": can't listen on systemd:web: the service manager passed only "
            "\"wbe\"");
}

TEST_F(ListeningTest, SaysWhyAPassedSocketIsNotGood) {
  const Listeners wanted{{.addresses = {"systemd:web"}}};
  EXPECT_EQ(problem(wanted, passed("web", Fd(::open("/dev/null", O_RDONLY)))),
            "can't listen on systemd:web: it is no socket");
  EXPECT_EQ(problem(wanted, passed("web", Fd(::socket(AF_INET, SOCK_DGRAM, 0)))),
            "can't listen on systemd:web: it does not listen for streams (ListenStream= with "
            "Accept=no)");
  EXPECT_EQ(problem({{.addresses = {"systemd:web"}, .interception = Interception::redirect}},
                    passed("web", socket_at(unix_address()))),
            "systemd:web is a unix socket, and connections to these are never intercepted");
}

}  // namespace
}  // namespace penstock
