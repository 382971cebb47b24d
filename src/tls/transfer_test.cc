// Large amounts both ways on a network that is awkward, with many seeds.
#include <algorithm>
#include <array>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "async/sleep.h"
#include "base/slab.h"
#include "tls/tls_test.h"

namespace penstock {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;

std::string make_bytes(std::size_t size, Random& random) {
  std::string bytes(size, '\0');
  for (char& byte : bytes) byte = static_cast<char>(random.next());
  return bytes;
}

// In writes of all sizes and numbers of parts, then the end.
Task<Result<void>> send_in_pieces(ByteStream& stream, std::string_view bytes, Random random) {
  while (!bytes.empty()) {
    std::vector<iovec> parts;
    const std::uint64_t count = random.between(1, 5);
    std::size_t size = 0;
    for (std::uint64_t i = 0; i < count; ++i) {
      const std::string_view part = bytes.substr(0, random.skewed(1, 100'000) - 1);
      parts.push_back(to_iovec(part));
      bytes.remove_prefix(part.size());
      size += part.size();
    }
    WriteOp op(stream, parts, kNever, Duration::zero());
    std::uint64_t counter = 0;
    op.count_into(counter);
    const auto sent = co_await op;
    if (!sent) co_return fail(sent.error());
    EXPECT_EQ(*sent, size);
    EXPECT_EQ(counter, size);
  }
  stream.shutdown_write();
  co_return Result<void>{};
}

// To the end, with reads of all sizes that are given up now and then, and looks between them.
Task<Result<void>> receive_impatiently(ByteStream& stream, std::string& into, Random random) {
  const TaskContext& context = co_await this_context();
  Watcher watcher;
  while (true) {
    if (random.chance(0.1)) stream.observe(random.chance(0.5) ? &watcher : nullptr);
    if (random.chance(0.1)) static_cast<void>(stream.has_pending_input());
    if (random.chance(0.1)) static_cast<void>(stream.ask_pending_input());
    InputBuffer buffer;
    if (random.chance(0.5)) buffer.expect(random.skewed(1, 200'000));
    const Duration patience =
        random.chance(0.3) ? random.between(Duration(1), milliseconds(5)) : Duration::zero();
    const TimePoint deadline = deadline_after(context.executor().now(), patience);
    const auto got = co_await read_some(stream, buffer, deadline);
    into += buffer.unread();
    buffer.consume(buffer.size());
    if (!got && got.error().kind == ErrorKind::timed_out) continue;
    if (got && *got > 0) continue;
    stream.observe(nullptr);
    if (!got) co_return fail(got.error());
    co_return Result<void>{};
  }
}

Task<Result<void>> serve(TlsServerEnd& server, ByteStream& below, std::string_view bytes,
                         Random random) {
  while (!bytes.empty()) {
    if (random.chance(0.1)) {
      SSL_key_update(server.ssl(),
                     random.chance(0.5) ? SSL_KEY_UPDATE_REQUESTED : SSL_KEY_UPDATE_NOT_REQUESTED);
    }
    if (random.chance(0.05)) SSL_new_session_ticket(server.ssl());
    const std::string_view piece = bytes.substr(0, random.skewed(1, 50'000));
    bytes.remove_prefix(piece.size());
    const auto sent = co_await server.write(piece);
    if (!sent) co_return sent;
  }
  SSL_shutdown(server.ssl());
  const auto sent = co_await server.flush();
  below.shutdown_write();
  co_return sent;
}

Task<Result<void>> hear_all(TlsServerEnd& server, std::string& into) {
  while (true) {
    const auto got = co_await server.read(into);
    if (!got) co_return fail(got.error());
    if (*got == 0) co_return Result<void>{};
  }
}

// One world for each seed.
class TransferWorld : public TlsTest {
 public:
  explicit TransferWorld(std::uint64_t seed) : TlsTest(seed), random(world.random().fork()) {}
  void TestBody() override {}

  // `whole`: nothing is lost on the way. Else what arrives is at least the beginning, and an end
  // is one only if all has arrived.
  void transfer(const Faults& faults, int version, bool whole) {
    const std::uint64_t seed = world.seed();
    world.set_faults(faults);
    use_version(version);
    begin();
    settle_long();
    ASSERT_TRUE(!whole || (connected && *connected)) << seed;
    if (!connected || !*connected) return hang_up();
    near = std::move(**connected);
    const std::string up = make_bytes(random.skewed(1, 400'000), random);
    const std::string down = make_bytes(random.skewed(1, 400'000), random);
    std::string heard;
    std::string got;
    std::array<std::optional<Result<void>>, 4> results;
    scope.spawn(keep(send_in_pieces(*near, up, random.fork()), results[0]));
    scope.spawn(keep(receive_impatiently(*near, got, random.fork()), results[1]));
    scope.spawn(keep(serve(*far, *far_below, down, random.fork()), results[2]));
    scope.spawn(keep(hear_all(*far, heard), results[3]));
    settle_long();
    for (const auto& result : results)
      EXPECT_TRUE(!whole || (result && *result))
          << seed << " " << (&result - results.data())
          << (result ? to_string(result->error().kind) : "none") << " " << got.size() << "/"
          << down.size() << " " << heard.size() << "/" << up.size();
    const bool got_end = results[1] && *results[1];
    const bool heard_end = results[3] && *results[3];
    EXPECT_TRUE(heard_end ? heard == up : up.starts_with(heard)) << seed;
    EXPECT_TRUE(got_end ? got == down : down.starts_with(got)) << seed;
    hang_up();
    EXPECT_EQ(SlabPool::bytes_in_use(), 0U);
  }

  // TLS in TLS, with TlsStream at all ends.
  void transfer_nested() {
    const std::uint64_t seed = world.seed();
    world.set_faults(Faults::rough());
    StreamPair pair = make_stream_pair(world);
    for (int layer = 0; layer < 2; ++layer) {
      SslPtr ssl(SSL_new(server_context.get()));
      SSL_set_accept_state(ssl.get());
      auto accepting =
          std::make_unique<TlsStream>(std::move(pair.accepting), std::move(ssl), world.executor());
      connected.reset();
      accepted.reset();
      scope.spawn(keep(accepting->handshake(kNever), accepted));
      scope.spawn(
          keep(connect_tls(std::move(pair.connecting), *client(), {kHost, {}}, kNever), connected));
      settle_long();
      ASSERT_TRUE(accepted && *accepted && connected && *connected) << seed;
      pair = {std::move(**connected), std::move(accepting)};
    }
    const std::string up = make_bytes(random.skewed(1, 200'000), random);
    const std::string down = make_bytes(random.skewed(1, 200'000), random);
    std::string heard;
    std::string got;
    std::array<std::optional<Result<void>>, 4> results;
    scope.spawn(keep(send_in_pieces(*pair.connecting, up, random.fork()), results[0]));
    scope.spawn(keep(receive_impatiently(*pair.connecting, got, random.fork()), results[1]));
    scope.spawn(keep(send_in_pieces(*pair.accepting, down, random.fork()), results[2]));
    scope.spawn(keep(receive_impatiently(*pair.accepting, heard, random.fork()), results[3]));
    settle_long();
    for (const auto& result : results) EXPECT_TRUE(result && *result) << seed;
    EXPECT_TRUE(heard == up) << seed;
    EXPECT_TRUE(got == down) << seed;
    pair = {};
    hang_up();
  }

 private:
  void settle_long() { EXPECT_EQ(world.run_until_idle({.time = hours(1000)}), SimOutcome::idle); }
  Random random;
};

TEST(TlsTransfer, EveryByteArrives) {
  for (std::uint64_t seed = 1; seed <= 200 && !testing::Test::HasFailure(); ++seed) {
    TransferWorld one(seed);
    one.transfer(Faults::rough(), seed % 2 == 0 ? TLS1_3_VERSION : TLS1_2_VERSION, true);
  }
}

TEST(TlsTransfer, WhatBreaksIsNotTakenForTheEnd) {
  Faults faults = Faults::rough();
  faults.reset = 0.4;
  faults.stall = 0.2;
  faults.lose_unread = 0.3;
  for (std::uint64_t seed = 1; seed <= 200 && !testing::Test::HasFailure(); ++seed) {
    TransferWorld one(seed);
    one.transfer(faults, seed % 2 == 0 ? TLS1_3_VERSION : TLS1_2_VERSION, false);
  }
}

TEST(TlsTransfer, InsideAnother) {
  for (std::uint64_t seed = 1; seed <= 50 && !testing::Test::HasFailure(); ++seed) {
    TransferWorld one(seed);
    one.transfer_nested();
  }
}

}  // namespace
}  // namespace penstock
