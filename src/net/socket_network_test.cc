#include "net/socket_network.h"

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "net/loop_test.h"
#include "net/socket_listener.h"

namespace penstock {
namespace {

using namespace std::chrono_literals;
using Connected = std::optional<Result<std::unique_ptr<ByteStream>>>;

class NetworkTest : public LoopTest {
 protected:
  static Task<void> connect(SocketNetwork& network, Address to, TimePoint deadline,
                            Connected& result) {
    result = co_await network.connect(to, deadline);
  }
  void start(const Address& to, TimePoint deadline = kNever) {
    spawn(connect(network_, to, deadline, result_));
  }
  // A socket whose queue is full: Linux then ignores further attempts to connect.
  Address full_listener() {
    auto socket = open_listening_socket({.address = *Address::parse("127.0.0.1:0"), .backlog = 0});
    const Address address = local_address_of(*socket);
    held_.push_back(std::move(*socket));
    sockaddr_storage storage;
    const socklen_t length = address.to_sockaddr(storage);
    for (int i = 0; i < 4; ++i) {
      held_.emplace_back(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
      ::connect(held_.back().get(), reinterpret_cast<sockaddr*>(&storage), length);
    }
    return address;
  }

  SocketNetwork network_{loop};
  Connected result_;
  std::vector<Fd> held_;
};

TEST_F(NetworkTest, Connects) {
  const auto socket = open_listening_socket({.address = *Address::parse("127.0.0.1:0")});
  start(local_address_of(*socket), now() + kLimit);
  run();
  ASSERT_TRUE(*result_);
  const Fd accepted(::accept(socket->get(), nullptr, nullptr));
  EXPECT_EQ(::send(accepted.get(), "hello", 5, 0), 5);
  struct Reader {
    static Task<void> run(ByteStream& stream, InputBuffer& buffer) {
      EXPECT_TRUE(co_await read_some(stream, buffer, kNever));
    }
  };
  InputBuffer buffer;
  spawn(Reader::run(***result_, buffer));
  run();
  EXPECT_EQ(buffer.unread(), "hello");
}

TEST_F(NetworkTest, ConnectsToAUnixSocket) {
  std::string pattern = testing::TempDir() + "penstock-XXXXXX";
  const std::string folder = ::mkdtemp(pattern.data());
  const Address address = Address::unix_socket(folder + "/socket");
  start(address);
  EXPECT_EQ(result_->error(), (Error{ErrorKind::refused, Side::server, true, ENOENT}));
  const auto socket = open_listening_socket({.address = address});
  start(address);
  EXPECT_TRUE(*result_);
  ::unlink(address.path().c_str());
  ::rmdir(folder.c_str());
}

TEST_F(NetworkTest, RefusedIsTheServersAndMayBeTriedAgain) {
  Address address;
  {
    const auto closed = open_listening_socket({.address = *Address::parse("127.0.0.1:0")});
    address = local_address_of(*closed);
  }
  start(address, now() + kLimit);
  run();
  EXPECT_EQ(result_->error(), (Error{ErrorKind::refused, Side::server, true, ECONNREFUSED}));
}

TEST_F(NetworkTest, TimesOut) {
  const TimePoint deadline = now() + 30ms;
  start(full_listener(), deadline);
  run();
  EXPECT_EQ(result_->error(), (Error{ErrorKind::timed_out, Side::server, true, 0}));
  EXPECT_GE(now(), deadline);
}

TEST_F(NetworkTest, CanBeCancelled) {
  start(full_listener());
  settle();
  EXPECT_FALSE(result_);
  scope.cancel();
  run();
  EXPECT_EQ(result_->error().kind, ErrorKind::cancelled);
}

TEST_F(NetworkTest, AnAddressThatCannotBe) {
  start(Address());
  ASSERT_TRUE(result_);
  EXPECT_FALSE(*result_);
  start(*Address::parse("255.255.255.255:80"));
  run();
  EXPECT_FALSE(*result_);
}

}  // namespace
}  // namespace penstock
