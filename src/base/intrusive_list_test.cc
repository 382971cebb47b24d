#include "base/intrusive_list.h"

#include <memory>
#include <vector>

#include <gtest/gtest.h>

namespace penstock {
namespace {

struct Item : ListNode {
  explicit Item(int n) : number(n) {}
  int number;
};

std::vector<int> numbers(IntrusiveList<Item>& list) {
  std::vector<int> result;
  list.for_each([&result](Item& item) { result.push_back(item.number); });
  return result;
}

TEST(IntrusiveList, KeepsOrder) {
  IntrusiveList<Item> list;
  EXPECT_TRUE(list.empty());
  Item one(1);
  Item two(2);
  Item three(3);
  list.push_back(two);
  list.push_back(three);
  list.push_front(one);
  EXPECT_EQ(numbers(list), (std::vector{1, 2, 3}));
  EXPECT_EQ(list.front().number, 1);
  EXPECT_EQ(list.back().number, 3);
  EXPECT_EQ(&list.pop_front(), &one);
  EXPECT_FALSE(one.linked());
  EXPECT_EQ(numbers(list), (std::vector{2, 3}));
}

TEST(IntrusiveList, ObjectsLeaveWhenUnlinkedOrDestroyed) {
  IntrusiveList<Item> list;
  Item one(1);
  auto two = std::make_unique<Item>(2);
  Item three(3);
  for (Item* item : {&one, two.get(), &three}) list.push_back(*item);
  two.reset();
  EXPECT_EQ(numbers(list), (std::vector{1, 3}));
  one.unlink();
  one.unlink();  // nothing happens
  EXPECT_EQ(numbers(list), (std::vector{3}));
  list.push_back(one);
  EXPECT_EQ(numbers(list), (std::vector{3, 1}));
}

TEST(IntrusiveList, MayLoseTheVisitedObject) {
  std::vector<std::unique_ptr<Item>> owned;
  IntrusiveList<Item> list;
  for (int i = 0; i < 6; ++i) list.push_back(*owned.emplace_back(std::make_unique<Item>(i)));
  list.for_each([&owned](Item& item) {
    if (item.number % 2 == 0) owned[static_cast<std::size_t>(item.number)].reset();
  });
  EXPECT_EQ(numbers(list), (std::vector{1, 3, 5}));
}

TEST(IntrusiveList, LeavesItsObjectsUnlinked) {
  Item one(1);
  {
    IntrusiveList<Item> list;
    list.push_back(one);
  }
  EXPECT_FALSE(one.linked());
  IntrusiveList<Item> other;
  other.push_back(one);
  EXPECT_TRUE(one.linked());
}

TEST(IntrusiveListDeathTest, AnObjectIsOnOneListOnly) {
  IntrusiveList<Item> list;
  IntrusiveList<Item> other;
  Item one(1);
  list.push_back(one);
  EXPECT_DEATH(other.push_back(one), "broken invariant");
}

}  // namespace
}  // namespace penstock
