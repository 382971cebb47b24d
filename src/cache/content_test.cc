#include "cache/content.h"

#include <string>
#include <thread>

#include <gtest/gtest.h>

#include "cache/cache_test.h"
#include "cache/stored_body.h"

namespace penstock {
namespace {

std::string text_of(const Content& content) {
  std::string text;
  while (true) {
    const std::string_view piece = content.at(text.size());
    if (piece.empty()) return text;
    text += piece;
  }
}

std::string pattern(std::size_t size) {
  std::string text(size, '\0');
  for (std::size_t i = 0; i < size; ++i) text[i] = static_cast<char>('a' + (i * 7 + i / 251) % 26);
  return text;
}

TEST(Content, HasWhatWasAppended) {
  for (const std::size_t size : {0UL, 1UL, 4096UL, 4097UL, 100'000UL, 262'144UL, 1'000'000UL}) {
    for (const bool known : {true, false}) {
      const auto account = std::make_shared<MemoryAccount>(1 << 30);
      const std::string text = pattern(size);
      {
        Content content(account, known ? std::optional<std::uint64_t>(size) : std::nullopt);
        for (std::size_t at = 0; at < size; at += 10'000) {
          ASSERT_TRUE(content.append(std::string_view(text).substr(at, 10'000)));
        }
        EXPECT_EQ(content.state(), Content::State::growing);
        ASSERT_TRUE(content.finish());
        EXPECT_EQ(content.state(), Content::State::complete);
        EXPECT_EQ(content.length(), size);
        EXPECT_EQ(text_of(content), text) << size << known;
        EXPECT_EQ(account->used(), content.memory());
        EXPECT_GE(content.memory(), size);
      }
      EXPECT_EQ(account->used(), 0U);
    }
  }
}

TEST(Content, SmallOneOfUnknownLengthTakesNoMoreThanItNeeds) {
  const auto account = std::make_shared<MemoryAccount>(1 << 30);
  Content content(account, std::nullopt);
  ASSERT_TRUE(content.append(pattern(3000)));
  ASSERT_TRUE(content.append(pattern(2000)));
  EXPECT_GT(account->used(), 5000U);
  ASSERT_TRUE(content.finish());
  EXPECT_EQ(account->used(), 5000U);
  EXPECT_EQ(content.at(0).size(), 5000U);
}

TEST(Content, StaysInItsPlaceOnceSomebodyReadsIt) {
  const auto account = std::make_shared<MemoryAccount>(1 << 30);
  Content content(account, std::nullopt);
  ASSERT_TRUE(content.append("abc"));
  const std::string_view seen = content.at(0);
  ASSERT_TRUE(content.append(pattern(9000)));
  ASSERT_TRUE(content.finish());
  EXPECT_EQ(seen, "abc");
  EXPECT_EQ(content.at(0).data(), seen.data());
}

TEST(Content, ThatIsNotAsLongAsItShouldBeFails) {
  const auto account = std::make_shared<MemoryAccount>(1 << 30);
  Content shorter(account, 10);
  ASSERT_TRUE(shorter.append("123"));
  EXPECT_FALSE(shorter.finish());
  EXPECT_EQ(shorter.state(), Content::State::failed);
  Content longer(account, 2);
  EXPECT_FALSE(longer.append("123"));
  EXPECT_EQ(longer.state(), Content::State::failed);
  Content complete(account, "x");
  complete.fail();
  EXPECT_EQ(complete.state(), Content::State::complete);
}

TEST(Content, IsReadByOneThreadWhileAnotherFillsIt) {
  const auto account = std::make_shared<MemoryAccount>(1 << 30);
  const std::string text = pattern(2'000'000);
  Content content(account, std::nullopt);
  std::thread filler([&] {
    for (std::size_t at = 0; at < text.size(); at += 1234) {
      ASSERT_TRUE(content.append(std::string_view(text).substr(at, 1234)));
    }
    ASSERT_TRUE(content.finish());
  });
  std::string seen;
  while (true) {
    const bool complete = content.state() == Content::State::complete;
    const std::string_view piece = content.at(seen.size());
    seen += piece;
    if (complete && piece.empty()) break;
  }
  filler.join();
  EXPECT_EQ(seen, text);
}

// --- StoredBody ---

class StoredBodyTest : public testing::Test {
 protected:
  // With these parts.
  std::shared_ptr<StoredResponse> response(std::vector<StoredPart> parts,
                                           std::optional<std::uint64_t> length = {}) {
    const FieldSection none;
    StoredResponseInput input{.key = "http://a/", .fields = &none};
    input.parts = std::move(parts);
    input.complete_length = length;
    return std::make_shared<StoredResponse>(world.cache.account(), std::move(input));
  }
  std::shared_ptr<Content> content(std::string_view text) {
    return std::make_shared<Content>(world.cache.account(), text);
  }
  static Task<void> read_all(BodySource& body, std::string& text, Result<void>& end) {
    while (!body.at_end()) {
      auto slice = co_await body.next();
      if (!slice) {
        end = fail(slice.error());
        co_return;
      }
      text += slice->view();
    }
  }
  CacheWorld world;
};

TEST_F(StoredBodyTest, HandsOutTheBytesWhereTheyLie) {
  const auto bytes = content("0123456789");
  const auto of = response({{.first = 0, .content = bytes}});
  StoredBody body(of, nullptr);
  EXPECT_EQ(body.remaining(), 10U);
  Slice slice = body.take_ready();
  EXPECT_EQ(slice.data(), bytes->at(0).data());
  EXPECT_EQ(slice.view(), "0123456789");
  EXPECT_TRUE(body.at_end());
}

TEST_F(StoredBodyTest, SlicesKeepTheResponse) {
  std::weak_ptr<StoredResponse> watched;
  Slice slice;
  {
    auto of = response({{.first = 0, .content = content("abc")}});
    watched = of;
    StoredBody body(std::move(of), nullptr);
    slice = body.take_ready();
  }
  EXPECT_EQ(slice.view(), "abc");
  EXPECT_FALSE(watched.expired());
  slice = Slice();
  EXPECT_TRUE(watched.expired());
}

TEST_F(StoredBodyTest, Ranges) {
  const auto of = response({{.first = 0, .content = content("0123456789")}});
  StoredBody middle(of, nullptr, 3, 4);
  EXPECT_EQ(middle.remaining(), 4U);
  EXPECT_EQ(all_of(middle), "3456");
  StoredBody rest(of, nullptr, 7);
  EXPECT_EQ(all_of(rest), "789");
}

TEST_F(StoredBodyTest, GoesFromPartToPart) {
  const auto of = response({{.first = 0, .content = content("01234")},
                            {.first = 3, .content = content("345678")},
                            {.first = 9, .content = content("9")}},
                           10);
  StoredBody all(of, nullptr);
  EXPECT_EQ(all_of(all), "0123456789");
  StoredBody some(of, nullptr, 2, 6);
  EXPECT_EQ(all_of(some), "234567");
  StoredBody last(of, nullptr, 9, 1);
  EXPECT_EQ(all_of(last), "9");
}

TEST_F(StoredBodyTest, OfNothing) {
  const auto of = response({{.first = 0, .content = content("")}});
  StoredBody body(of, nullptr);
  EXPECT_TRUE(body.at_end());
  EXPECT_TRUE(body.take_ready().empty());
  EXPECT_EQ(body.remaining(), 0U);
}

TEST_F(StoredBodyTest, WaitsForWhatIsStillComing) {
  const auto bytes = std::make_shared<Content>(world.cache.account(), std::nullopt);
  const auto of = response({{.first = 0, .content = bytes}});
  StoredBody body(of, world.worker.gate);
  std::string text;
  Result<void> end;
  world.time.spawn(read_all(body, text, end));
  EXPECT_EQ(text, "");
  ASSERT_TRUE(bytes->append("one "));
  world.time.run();
  EXPECT_EQ(text, "one ");
  ASSERT_TRUE(bytes->append("two"));
  ASSERT_TRUE(bytes->finish());
  world.time.run();
  EXPECT_EQ(text, "one two");
  EXPECT_TRUE(end);
  EXPECT_EQ(world.time.scope.running(), 0U);
}

TEST_F(StoredBodyTest, FailsWithItsContent) {
  const auto bytes = std::make_shared<Content>(world.cache.account(), 10);
  const auto of = response({{.first = 0, .content = bytes}});
  StoredBody body(of, world.worker.gate);
  std::string text;
  Result<void> end;
  world.time.spawn(read_all(body, text, end));
  ASSERT_TRUE(bytes->append("123"));
  bytes->fail();
  world.time.run();
  EXPECT_EQ(text, "123");
  ASSERT_FALSE(end);
  EXPECT_EQ(end.error().kind, ErrorKind::closed);
  EXPECT_EQ(end.error().side, Side::server);
}

TEST_F(StoredBodyTest, IsNotWaitedForByOneWhoIsCancelled) {
  const auto bytes = std::make_shared<Content>(world.cache.account(), std::nullopt);
  const auto of = response({{.first = 0, .content = bytes}});
  StoredBody body(of, world.worker.gate);
  std::string text;
  Result<void> end;
  world.time.spawn(read_all(body, text, end));
  world.time.scope.cancel();
  world.time.run();
  ASSERT_FALSE(end);
  EXPECT_EQ(end.error().kind, ErrorKind::cancelled);
  ASSERT_TRUE(bytes->append("later"));  // wakes nobody
}

}  // namespace
}  // namespace penstock
