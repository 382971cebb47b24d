#include "cache/memory_store.h"

#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "cache/cache_test.h"

namespace penstock {
namespace {

std::string text_of(const std::shared_ptr<StoredResponse>& response) {
  return std::string(response->parts().front().content->at(0));
}

class MemoryStoreTest : public testing::Test {
 protected:
  // What a request with these fields finds; empty: nothing.
  std::string find(std::string_view path, const Lines& request = {}) {
    const auto found = store.find(world.key(path), rfc9111::make_fields(request));
    return found.response ? text_of(found.response) : std::string();
  }
  void declare(Invalidation::What what, std::string text, bool soft = false) {
    world.cache.invalidations().declare(
        {.what = what, .soft = soft, .text = std::move(text), .expression = {}});
  }
  CacheWorld world;
  MemoryStore& store = world.cache.memory();
};

TEST_F(MemoryStoreTest, FindsWhatIsThere) {
  EXPECT_EQ(find("/a"), "");
  store.put(world.stored("/a", "one"));
  store.put(world.stored("/b", "two"));
  EXPECT_EQ(find("/a"), "one");
  EXPECT_EQ(find("/b"), "two");
  EXPECT_EQ(find("/c"), "");
  EXPECT_EQ(store.numbers().objects, 2U);
}

TEST_F(MemoryStoreTest, OnesOfDifferentOwnersAreApart) {
  store.put(world.stored("/a", "one"));
  EXPECT_FALSE(store.find(world.key("/a", "another"), FieldSection()).response);
}

TEST_F(MemoryStoreTest, NewOneTakesThePlaceOfTheOldOne) {
  store.put(world.stored("/a", "one"));
  store.put(world.stored("/a", "two"));
  EXPECT_EQ(find("/a"), "two");
  EXPECT_EQ(store.numbers().objects, 1U);
}

TEST_F(MemoryStoreTest, VariantsAreSelectedByTheRequest) {
  store.put(world.stored("/a", "one", {}, "foo:1\n"));
  store.put(world.stored("/a", "two", {}, "foo:2\n"));
  EXPECT_EQ(find("/a", {{"Foo", "1"}}), "one");
  EXPECT_EQ(find("/a", {{"Foo", "2"}}), "two");
  const auto none = store.find(world.key("/a"), rfc9111::make_fields({{"Foo", "3"}}));
  EXPECT_FALSE(none.response);
  EXPECT_TRUE(none.other_variants);
  EXPECT_EQ(store.variants(world.key("/a")).size(), 2U);
}

TEST_F(MemoryStoreTest, OfSeveralThatAreSelectedTheLatestIs) {
  store.put(world.stored("/a", "by foo", {}, "foo:1\n"));
  world.pass(std::chrono::seconds(1));
  store.put(world.stored("/a", "by bar", {}, "bar:2\n"));
  EXPECT_EQ(find("/a", {{"Foo", "1"}, {"Bar", "2"}}), "by bar");
}

TEST_F(MemoryStoreTest, VariantsOfOneUriAreBounded) {
  CacheSettings settings = CacheWorld::enough();
  settings.max_variants = 2;
  CacheWorld small(settings);
  for (const char* const number : {"1", "2", "3"}) {
    small.cache.memory().put(small.stored("/a", number, {}, "foo:" + std::string(number) + "\n"));
  }
  EXPECT_EQ(small.cache.memory().variants(small.key("/a")).size(), 2U);
  EXPECT_FALSE(
      small.cache.memory().find(small.key("/a"), rfc9111::make_fields({{"Foo", "1"}})).response);
}

TEST_F(MemoryStoreTest, ReplacesOnlyWhatIsStillThere) {
  const auto before = world.stored("/a", "one");
  EXPECT_FALSE(store.replace(*before, world.stored("/a", "two")));
  EXPECT_EQ(find("/a"), "");
  store.put(before);
  EXPECT_TRUE(store.replace(*before, world.stored("/a", "two")));
  EXPECT_EQ(find("/a"), "two");
  EXPECT_FALSE(store.replace(*before, world.stored("/a", "three")));
  EXPECT_EQ(find("/a"), "two");
}

TEST_F(MemoryStoreTest, RemovesOnlyThatOne) {
  const auto before = world.stored("/a", "one");
  store.put(before);
  store.put(world.stored("/a", "two"));
  store.remove(*before);
  EXPECT_EQ(find("/a"), "two");
  store.remove(*store.find(world.key("/a"), FieldSection()).response);
  EXPECT_EQ(find("/a"), "");
  EXPECT_EQ(store.numbers().objects, 0U);
  EXPECT_EQ(store.numbers().bytes, 0U);
}

TEST_F(MemoryStoreTest, AllMemoryIsCountedAndGivenBack) {
  const auto account = world.cache.account();
  {
    CacheWorld other;
    auto& memory = other.cache.memory();
    const auto counted = other.cache.account();
    for (int i = 0; i < 100; ++i) {
      memory.put(other.stored("/" + std::to_string(i), std::string(1000, 'x')));
    }
    EXPECT_GE(counted->used(), 100U * 1000U);
    EXPECT_EQ(memory.numbers().objects, 100U);
    memory.for_each([&](const std::shared_ptr<StoredResponse>& response) {
      memory.remove(*response);
      return true;
    });
    EXPECT_EQ(memory.numbers().objects, 0U);
    EXPECT_EQ(memory.numbers().bytes, 0U);
    EXPECT_EQ(counted->used(), 0U);
  }
  EXPECT_EQ(account->used(), 0U);
}

TEST_F(MemoryStoreTest, MakesRoomForWhatComes) {
  CacheSettings settings;
  settings.memory = 1 << 20;
  CacheWorld small(settings);
  std::size_t evicted = 0;
  small.cache.memory().set_evicted([&](const std::shared_ptr<StoredResponse>&) { ++evicted; });
  for (int i = 0; i < 1000; ++i) {
    small.cache.memory().put(small.stored("/" + std::to_string(i), std::string(10'000, 'x')));
    EXPECT_LE(small.cache.account()->used(), settings.memory);
  }
  const auto numbers = small.cache.memory().numbers();
  EXPECT_EQ(numbers.evictions, evicted);
  EXPECT_EQ(numbers.objects, 1000 - evicted);
  EXPECT_GT(numbers.objects, 80U);
}

// What is still being sent counts, but half of the memory stays for what is stored.
TEST_F(MemoryStoreTest, WhatIsHeldDoesNotEmptyTheStore) {
  CacheSettings settings;
  settings.memory = 1 << 20;
  CacheWorld small(settings);
  const auto held = small.stored("/held", std::string(2 << 20, 'x'));
  for (int i = 0; i < 200; ++i) {
    small.cache.memory().put(small.stored("/" + std::to_string(i), std::string(10'000, 'x')));
  }
  EXPECT_GT(small.cache.memory().numbers().objects, 40U);
}

TEST_F(MemoryStoreTest, OneHostHasItsBounds) {
  CacheSettings settings = CacheWorld::enough();
  settings.host_objects = 2;
  settings.host_memory = 10'000;
  CacheWorld small(settings);
  MemoryStore& bounded = small.cache.memory();
  EXPECT_TRUE(bounded.put(small.stored("/1", "one")));
  EXPECT_FALSE(bounded.put(small.stored("/large", std::string(10'000, 'x'))));
  EXPECT_TRUE(bounded.put(small.stored("/2", "two")));
  EXPECT_FALSE(bounded.put(small.stored("/3", "three")));
  EXPECT_TRUE(bounded.put(small.stored("/2", "new")));
  EXPECT_EQ(bounded.numbers().objects, 2U);
  // One that is now too large goes.
  EXPECT_FALSE(bounded.put(small.stored("/2", std::string(10'000, 'x'))));
  EXPECT_EQ(bounded.numbers().objects, 1U);
  EXPECT_TRUE(bounded.put(small.stored("/3", "three")));
  bounded.remove(*bounded.find(small.key("/3"), FieldSection()).response);
  EXPECT_TRUE(bounded.put(small.stored("/4", "four")));
}

TEST_F(MemoryStoreTest, PinnedOnesStay) {
  CacheSettings settings;
  settings.memory = 1 << 20;
  CacheWorld small(settings);
  small.cache.memory().put(small.stored("/kept", "pinned"));
  small.cache.memory().pin(small.key("/kept"), true);
  for (int i = 0; i < 1000; ++i) {
    small.cache.memory().put(small.stored("/" + std::to_string(i), std::string(10'000, 'x')));
  }
  EXPECT_TRUE(small.cache.memory().find(small.key("/kept"), FieldSection()).response);
}

TEST_F(MemoryStoreTest, WhatIsDeclaredInvalidIsNotFound) {
  struct Case {
    Invalidation::What what;
    std::string text;
  };
  for (const Case& c : {Case{Invalidation::What::everything, ""},
                        Case{Invalidation::What::uri, "http://a.example/x/1"},
                        Case{Invalidation::What::uri_prefix, "http://a.example/x/"},
                        Case{Invalidation::What::host, "a.example"}}) {
    store.put(world.stored("/x/1", "one"));
    EXPECT_EQ(find("/x/1"), "one");
    declare(c.what, c.text);
    EXPECT_EQ(find("/x/1"), "") << c.text;
    // What is stored afterwards is not subject to it.
    store.put(world.stored("/x/1", "two"));
    EXPECT_EQ(find("/x/1"), "two") << c.text;
  }
}

TEST_F(MemoryStoreTest, WhatIsNotMeantStays) {
  store.put(world.stored("/x/1", "one"));
  declare(Invalidation::What::uri, "http://a.example/x/2");
  declare(Invalidation::What::uri_prefix, "http://a.example/y");
  declare(Invalidation::What::host, "b.example");
  declare(Invalidation::What::tag, "x");
  EXPECT_EQ(find("/x/1"), "one");
}

TEST_F(MemoryStoreTest, SoftOnesAreFoundAndStale) {
  store.put(world.stored("/a", "one"));
  declare(Invalidation::What::uri, "http://a.example/a", true);
  const auto found = store.find(world.key("/a"), FieldSection());
  ASSERT_TRUE(found.response);
  EXPECT_TRUE(found.response->made_stale());
}

TEST_F(MemoryStoreTest, BansAreAskedOnceForEach) {
  int asked = 0;
  store.put(world.stored("/a", "one"));
  world.cache.invalidations().declare({.what = Invalidation::What::ban,
                                       .soft = false,
                                       .text = "status == 404",
                                       .expression = [&asked](const StoredResponse& response) {
                                         ++asked;
                                         return response.status() == 404;
                                       }});
  EXPECT_EQ(find("/a"), "one");
  EXPECT_EQ(find("/a"), "one");
  EXPECT_EQ(asked, 1);
}

TEST_F(MemoryStoreTest, SweepingTakesOutWhatIsOfNoUse) {
  store.put(world.stored("/gone", "one"));
  declare(Invalidation::What::uri, "http://a.example/gone");
  store.put(world.stored("/old", "two"));
  store.put(world.stored("/validated", "three", {{"ETag", "\"x\""}}));
  world.pass(std::chrono::hours(1));
  for (int i = 0; i < 64; ++i) world.cache.sweep(world.worker.now());
  EXPECT_EQ(store.numbers().objects, 1U);
  EXPECT_EQ(find("/validated"), "three");
}

TEST_F(MemoryStoreTest, InvalidationsAreForgottenOnceAllHasBeenLookedAt) {
  const auto under_way = world.stored("/later", "one");
  store.put(world.stored("/here", "two"));
  declare(Invalidation::What::uri, "http://a.example/x");
  declare(Invalidation::What::uri_prefix, "http://a.example/y");
  for (int i = 0; i < 15; ++i) world.cache.sweep(world.worker.now());
  EXPECT_EQ(world.cache.invalidations().size(), 2U);
  declare(Invalidation::What::tag, "z");  // not in this round
  world.cache.sweep(world.worker.now());
  EXPECT_EQ(world.cache.invalidations().size(), 1U);
  EXPECT_EQ(find("/here"), "two");
  // Whether one that was forgotten concerned this one nobody knows.
  EXPECT_EQ(world.cache.invalidations().judge(*under_way), Invalidations::Verdict::gone);
}

TEST_F(MemoryStoreTest, IsSharedByThreads) {
  CacheSettings settings;
  settings.memory = 1 << 20;
  CacheWorld small(settings);
  MemoryStore& shared = small.cache.memory();
  std::vector<std::shared_ptr<StoredResponse>> all;
  for (int i = 0; i < 400; ++i) {
    all.push_back(small.stored("/" + std::to_string(i % 100), std::string(5000, 'x')));
  }
  const auto work = [&](std::size_t from) {
    for (std::size_t i = 0; i < 3000; ++i) {
      const auto& response = all[(from + i * 7) % all.size()];
      switch (i % 5) {
        case 0:
          shared.put(response);
          break;
        case 1:
          shared.remove(*response);
          break;
        default: {
          const CacheKey key{.text = response->key(), .hash = response->key_hash()};
          const auto found = shared.find(key, FieldSection());
          if (found.response) EXPECT_EQ(found.response->key(), response->key());
        }
      }
    }
  };
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < 4; ++i) threads.emplace_back(work, i * 100);
  for (std::thread& thread : threads) thread.join();
  EXPECT_LE(shared.numbers().objects, 100U);
}

}  // namespace
}  // namespace penstock
