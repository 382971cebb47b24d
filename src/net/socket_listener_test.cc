#include "net/socket_listener.h"

#include <chrono>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "net/loop_test.h"

namespace penstock {
namespace {

using namespace std::chrono_literals;

class ListenerTest : public LoopTest, public AcceptHandler {
 protected:
  struct Accepted {
    std::unique_ptr<ByteStream> stream;
    Address peer;
    Address local;
  };

  void on_accept(std::unique_ptr<ByteStream> stream, const Address& peer,
                 const Address& local) override {
    accepted.push_back({std::move(stream), peer, local});
    if (then) then();
  }

  static Fd open(const Address& address) {
    auto socket = open_listening_socket({.address = address});
    EXPECT_TRUE(socket) << address.to_string();
    return socket ? std::move(*socket) : Fd();
  }
  std::unique_ptr<SocketListener> listen(const Address& address) {
    return std::make_unique<SocketListener>(loop, open(address), *this);
  }
  // A blocking connection; it succeeds as soon as it is in the listener's queue.
  static Fd connect(const Address& to) {
    Fd socket(::socket(to.family(), SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_storage storage;
    const socklen_t length = to.to_sockaddr(storage);
    if (::connect(socket.get(), reinterpret_cast<sockaddr*>(&storage), length) != 0) return Fd();
    return socket;
  }
  void wait_for_accepted(std::size_t count) {
    run_until([&] { return accepted.size() >= count; });
    EXPECT_EQ(accepted.size(), count);
  }

  std::vector<Accepted> accepted;
  std::function<void()> then;
};

TEST_F(ListenerTest, AcceptsAndTellsTheAddresses) {
  for (const char* text : {"127.0.0.1:0", "[::1]:0"}) {
    accepted.clear();
    const auto listener = listen(*Address::parse(text));
    const Address address = listener->local_address();
    EXPECT_NE(address.port(), 0) << text;
    const Fd first = connect(address);
    const Fd second = connect(address);
    wait_for_accepted(2);
    EXPECT_EQ(accepted[0].peer, local_address_of(first));
    EXPECT_EQ(accepted[1].peer, local_address_of(second));
    EXPECT_EQ(accepted[0].local, address);
  }
}

TEST_F(ListenerTest, AWildcardTakesBothFamiliesAndTellsWhatWasConnectedTo) {
  const auto listener = listen(*Address::parse("*:0"));
  const std::uint16_t port = listener->local_address().port();
  const Fd v4 = connect(*Address::from_ip("127.0.0.2", port));
  const Fd v6 = connect(*Address::from_ip("::1", port));
  wait_for_accepted(2);
  EXPECT_EQ(accepted[0].local.host_text(), "127.0.0.2");
  EXPECT_EQ(accepted[1].local.host_text(), "::1");
  EXPECT_TRUE(accepted[0].peer.is_loopback());
}

TEST_F(ListenerTest, AcceptedSocketsSendWithoutDelay) {
  const auto listener = listen(*Address::parse("127.0.0.1:0"));
  const Fd client = connect(listener->local_address());
  wait_for_accepted(1);
  int on = 0;
  socklen_t length = sizeof on;
  getsockopt(accepted[0].stream->native_socket(), IPPROTO_TCP, TCP_NODELAY, &on, &length);
  EXPECT_NE(on, 0);
}

TEST_F(ListenerTest, PausedLeavesConnectionsInTheQueue) {
  const auto listener = listen(*Address::parse("127.0.0.1:0"));
  listener->pause();
  const Fd waiting = connect(listener->local_address());
  EXPECT_TRUE(waiting);
  const TimePoint start = now();
  loop.run_once(20ms);
  EXPECT_GE(now() - start, 20ms);  // nothing wakes the loop
  EXPECT_TRUE(accepted.empty());
  listener->resume();
  wait_for_accepted(1);
}

TEST_F(ListenerTest, MayBePausedFromTheHandler) {
  const auto listener = listen(*Address::parse("127.0.0.1:0"));
  then = [&] { listener->pause(); };
  const Fd clients[3] = {connect(listener->local_address()), connect(listener->local_address()),
                         connect(listener->local_address())};
  settle();
  EXPECT_EQ(accepted.size(), 1U);
  listener->resume();
  settle();
  EXPECT_EQ(accepted.size(), 2U);
}

TEST_F(ListenerTest, ManyAtOnce) {
  const auto listener = listen(*Address::parse("127.0.0.1:0"));
  std::vector<Fd> clients;
  for (int i = 0; i < 200; ++i) clients.push_back(connect(listener->local_address()));
  wait_for_accepted(200);
}

TEST_F(ListenerTest, ClosedWhenDestroyed) {
  auto listener = listen(*Address::parse("127.0.0.1:0"));
  const Address address = listener->local_address();
  listener.reset();
  EXPECT_FALSE(connect(address));
}

// Of a connection that netfilter has nothing to do with, the local address is all there is to know.
TEST_F(ListenerTest, WithoutNetfilterTheDestinationIsTheLocalAddress) {
  using Local = AcceptOptions::Local;
  for (const Local kind : {Local::socket, Local::netfilter}) {
    for (const char* text : {"127.0.0.1:0", "[::1]:0", "*:0"}) {
      SCOPED_TRACE(text);
      accepted.clear();
      const SocketListener listener(loop, open(*Address::parse(text)), *this, {.local = kind});
      Address to = listener.local_address();
      if (to.is_unspecified()) to = *Address::from_ip("127.0.0.2", to.port());
      const Fd client = connect(to);
      wait_for_accepted(1);
      EXPECT_EQ(accepted[0].local.to_string(), to.to_string());
    }
  }
}

TEST_F(ListenerTest, ATransparentOneTellsWhatItLacks) {
  const auto socket =
      open_listening_socket({.address = *Address::parse("192.0.2.1:0"), .transparent = true});
  // Who may do it can listen on anybody's address.
  if (socket) {
    EXPECT_EQ(local_address_of(*socket).host_text(), "192.0.2.1");
  } else {
    EXPECT_EQ(socket.error().cause, EPERM);
  }
}

TEST_F(ListenerTest, TakesUpSocketsThatOthersHaveOpened) {
  for (const char* text : {"127.0.0.1:0", "[::1]:0"}) {
    accepted.clear();
    const Address address = *Address::parse(text);
    Fd socket(::socket(address.family(), SOCK_STREAM, 0));
    sockaddr_storage storage;
    const socklen_t length = address.to_sockaddr(storage);
    ASSERT_EQ(::bind(socket.get(), reinterpret_cast<sockaddr*>(&storage), length), 0);
    EXPECT_EQ(adopt_listening_socket(socket, false).error().cause, EINVAL);  // not yet
    ASSERT_EQ(::listen(socket.get(), 8), 0);
    ASSERT_TRUE(adopt_listening_socket(socket, false));
    EXPECT_NE(::fcntl(socket.get(), F_GETFD) & FD_CLOEXEC, 0);
    const SocketListener listener(loop, std::move(socket), *this);
    const Fd client = connect(listener.local_address());
    wait_for_accepted(1);
    settle();  // accepting does not block when there is nothing
    int on = 0;
    socklen_t size = sizeof on;
    getsockopt(accepted[0].stream->native_socket(), IPPROTO_TCP, TCP_NODELAY, &on, &size);
    EXPECT_NE(on, 0);
  }
}

TEST_F(ListenerTest, OtherDescriptorsAreNotTakenUp) {
  const Fd file(::open("/dev/null", O_RDONLY));
  EXPECT_EQ(adopt_listening_socket(file, false).error().cause, ENOTSOCK);
  const Fd datagrams(::socket(AF_INET, SOCK_DGRAM, 0));
  EXPECT_EQ(adopt_listening_socket(datagrams, false).error().cause, EINVAL);
  const RawConnection connected = make_tcp_connection();
  EXPECT_EQ(adopt_listening_socket(connected.ours, false).error().cause, EINVAL);
}

// Two workers with a loop each.
class SharedListenerTest : public ListenerTest {
 protected:
  SharedListenerTest() {
    Fd socket = open(*Address::parse("127.0.0.1:0"));
    auto copy = duplicate(socket);
    first_.emplace(loop, std::move(socket), *this, AcceptOptions{.shared = true});
    second_.emplace(other_loop_, std::move(*copy), *this, AcceptOptions{.shared = true});
  }

  EventLoop other_loop_;
  std::optional<SocketListener> first_, second_;
};

TEST_F(SharedListenerTest, APausedOneLeavesConnectionsToTheOther) {
  for (int i = 0; i < 2; ++i) {
    first_->pause();
    const Fd client = connect(first_->local_address());
    settle();
    EXPECT_TRUE(accepted.empty());
    other_loop_.run_once(kLimit);
    EXPECT_EQ(accepted.size(), 1U);
    accepted.clear();
    first_->resume();
    second_->pause();
    const Fd another = connect(first_->local_address());
    other_loop_.run_once(Duration::zero());
    EXPECT_TRUE(accepted.empty());
    wait_for_accepted(1);
    accepted.clear();
    second_->resume();
  }
}

TEST_F(SharedListenerTest, ThereIsNoWakeUpAfterTheEnd) {
  const Address address = first_->local_address();
  first_.reset();  // the kernel's registration lasts as long as the socket has a descriptor
  const Fd client = connect(address);
  settle();
  EXPECT_TRUE(accepted.empty());
  other_loop_.run_once(kLimit);
  EXPECT_EQ(accepted.size(), 1U);
}

TEST_F(ListenerTest, HandsOverToTheOtherWorker) {
  AcceptSpread spread;
  std::atomic<std::size_t> connections = 0;
  spread.make_seats(2, connections, 100);
  EventLoop other_loop;
  spread.seat(0).sit_down(loop, *this);
  spread.seat(1).sit_down(other_loop, *this);
  const SocketListener listener(loop, open(*Address::parse("127.0.0.1:0")), *this,
                                {.seat = &spread.seat(0)});
  spread.seat(0).opened(now());
  const Fd client = connect(listener.local_address());
  run_until([&] { return spread.seat(1).load() == 1; });
  EXPECT_TRUE(accepted.empty());
  other_loop.run_once(kLimit);
  ASSERT_EQ(accepted.size(), 1U);
  EXPECT_EQ(accepted[0].peer, local_address_of(client));
  EXPECT_EQ(accepted[0].local, listener.local_address());
}

TEST_F(ListenerTest, WorkersShareAPort) {
  const Fd first = open(*Address::parse("127.0.0.1:0"));
  EXPECT_TRUE(open(local_address_of(first)));
}

// One turn without descriptors. Not more than that, as the sanitizers want some, too.
class ExhaustedListenerTest : public ListenerTest {
 protected:
  void one_turn_without_descriptors() {
    // Everything is in place, and has run once: the sanitizer needs descriptors of its own to look
    // at an object for the first time.
    const Fd first = connect(listener_->local_address());
    wait_for_accepted(1);
    accepted.clear();
    rlimit before{};
    ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
    const rlimit none{.rlim_cur = 0, .rlim_max = before.rlim_max};
    client_ = connect(listener_->local_address());
    ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
    loop.run_once(kLimit);
    ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
    EXPECT_TRUE(accepted.empty());
  }

  std::unique_ptr<SocketListener> listener_ = listen(*Address::parse("127.0.0.1:0"));
  Fd client_;
};

TEST_F(ExhaustedListenerTest, WaitsAMomentWithTheConnectionInTheQueue) {
  one_turn_without_descriptors();
  settle();
  EXPECT_TRUE(accepted.empty());
  int turns = 0;
  run_until([&] { return ++turns > 20 || !accepted.empty(); });  // sleeps, does not spin
  EXPECT_EQ(accepted.size(), 1U);
}

TEST_F(ExhaustedListenerTest, IsStillPausedAfterwards) {
  one_turn_without_descriptors();
  listener_->pause();
  const TimePoint later = now() + 120ms;
  run_until([&] { return now() > later; });
  EXPECT_TRUE(accepted.empty());
  listener_->resume();
  wait_for_accepted(1);
}

TEST_F(ExhaustedListenerTest, ResumingDoesNotCutTheMomentShort) {
  one_turn_without_descriptors();
  listener_->pause();
  listener_->resume();
  settle();
  EXPECT_TRUE(accepted.empty());
  wait_for_accepted(1);
}

class UnixListenerTest : public ListenerTest {
 protected:
  UnixListenerTest() {
    std::string pattern = testing::TempDir() + "penstock-XXXXXX";
    folder_ = ::mkdtemp(pattern.data());
    address_ = Address::unix_socket((folder_ / "socket").string());
  }
  ~UnixListenerTest() override { std::filesystem::remove_all(folder_); }

  std::filesystem::path folder_;
  Address address_;
};

TEST_F(UnixListenerTest, Accepts) {
  const auto listener = listen(address_);
  EXPECT_EQ(listener->local_address(), address_);
  const Fd client = connect(address_);
  wait_for_accepted(1);
  EXPECT_TRUE(accepted[0].peer.is_unix());
  EXPECT_EQ(accepted[0].local, address_);
}

TEST_F(UnixListenerTest, HasTheModeAskedFor) {
  const auto socket = open_listening_socket({.address = address_, .unix_mode = 0604});
  ASSERT_TRUE(socket);
  struct stat status{};
  ASSERT_EQ(::stat(address_.path().c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0604U);
}

TEST_F(UnixListenerTest, AStaleFileIsReplaced) {
  {
    const Fd gone = open(address_);
  }
  EXPECT_TRUE(std::filesystem::exists(address_.path()));
  EXPECT_TRUE(open(address_));
}

TEST_F(UnixListenerTest, ALiveOneIsNot) {
  const Fd live = open(address_);
  const auto second = open_listening_socket({.address = address_});
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().cause, EADDRINUSE);
  EXPECT_TRUE(connect(address_));
}

TEST_F(UnixListenerTest, NeitherIsAnOrdinaryFile) {
  std::ofstream(address_.path()) << "precious";
  const auto socket = open_listening_socket({.address = address_});
  ASSERT_FALSE(socket);
  EXPECT_EQ(socket.error().cause, EADDRINUSE);
  EXPECT_EQ(std::filesystem::file_size(address_.path()), 8U);
}

TEST_F(UnixListenerTest, WorkersShareDuplicates) {
  Fd socket = open(address_);
  auto copy = duplicate(socket);
  ASSERT_TRUE(copy);
  auto first = std::make_unique<SocketListener>(loop, std::move(socket), *this);
  const SocketListener second(loop, std::move(*copy), *this);
  const Fd client = connect(address_);
  wait_for_accepted(1);
  first.reset();  // the other one goes on
  const Fd another = connect(address_);
  wait_for_accepted(2);
}

TEST(OpenListeningSocket, FailsWithTheErrno) {
  const auto socket = open_listening_socket({.address = *Address::parse("192.0.2.1:0")});
  ASSERT_FALSE(socket);
  EXPECT_EQ(socket.error(), (Error{.kind = ErrorKind::unreachable, .cause = EADDRNOTAVAIL}));
}

}  // namespace
}  // namespace penstock
