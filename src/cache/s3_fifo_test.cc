#include "cache/s3_fifo.h"

#include <deque>
#include <set>
#include <vector>

#include <gtest/gtest.h>

namespace penstock {
namespace {

class S3FifoTest : public testing::Test {
 protected:
  EvictionNode& insert(std::uint64_t fingerprint, std::uint64_t charge = 10) {
    EvictionNode& node = nodes_.emplace_back();
    node.fingerprint = fingerprint;
    node.charge = charge;
    queue.insert(node);
    return node;
  }
  void use(EvictionNode& node, int times) {
    for (int i = 0; i < times; ++i) node.touch();
  }
  std::uint64_t evict() {
    EvictionNode* const gone = queue.evict();
    return gone != nullptr ? gone->fingerprint : 0;
  }
  std::deque<EvictionNode> nodes_;
  S3Fifo queue;
};

TEST_F(S3FifoTest, WhatIsNotUsedGoesInItsOrder) {
  for (std::uint64_t i = 1; i <= 3; ++i) insert(i);
  EXPECT_EQ(queue.count(), 3U);
  EXPECT_EQ(queue.bytes(), 30U);
  EXPECT_EQ(evict(), 1U);
  EXPECT_EQ(evict(), 2U);
  EXPECT_EQ(evict(), 3U);
  EXPECT_EQ(evict(), 0U);
  EXPECT_EQ(queue.bytes(), 0U);
}

TEST_F(S3FifoTest, WhatIsUsedAgainStays) {
  use(insert(1), 2);
  insert(2);
  EXPECT_EQ(evict(), 2U);
  EXPECT_EQ(queue.count(), 1U);
}

TEST_F(S3FifoTest, OneUseAloneDoesNotKeepIt) {
  use(insert(1), 1);
  use(insert(2), 2);
  EXPECT_EQ(evict(), 1U);
}

TEST_F(S3FifoTest, WhatComesBackEntersTheMainQueue) {
  insert(1);
  EXPECT_EQ(evict(), 1U);
  insert(1);  // remembered
  for (std::uint64_t i = 10; i < 20; ++i) insert(i);
  for (std::uint64_t i = 10; i < 20; ++i) EXPECT_EQ(evict(), i);
  EXPECT_EQ(evict(), 1U);
}

// A scan through ten times as much as fits leaves what is in use alone.
TEST_F(S3FifoTest, ScanLeavesWhatIsInUse) {
  for (std::uint64_t i = 1; i <= 50; ++i) use(insert(i), 3);
  std::set<std::uint64_t> gone;
  for (std::uint64_t i = 1000; i < 1500; ++i) {
    insert(i);
    if (queue.bytes() > 600) gone.insert(evict());
  }
  for (std::uint64_t i = 1; i <= 50; ++i) EXPECT_FALSE(gone.contains(i)) << i;
}

TEST_F(S3FifoTest, UsesInTheMainQueueAreUsedUp) {
  use(insert(1), 3);
  use(insert(2), 2);
  // Both get into the main queue, where the uses before do not count.
  EXPECT_EQ(evict(), 1U);
  EXPECT_EQ(evict(), 2U);
}

TEST_F(S3FifoTest, PinnedOnesNeverGo) {
  insert(1).pinned = true;
  insert(2);
  EXPECT_EQ(evict(), 2U);
  EXPECT_EQ(evict(), 0U);
  EXPECT_EQ(queue.count(), 1U);
}

TEST_F(S3FifoTest, CountsBytesToTheLast) {
  EvictionNode& one = insert(1, 100);
  EvictionNode& two = insert(2, 50);
  queue.recharge(one, 70);
  EXPECT_EQ(queue.bytes(), 120U);
  queue.remove(two);
  EXPECT_EQ(queue.bytes(), 70U);
  use(one, 3);
  EXPECT_EQ(evict(), 1U);
  EXPECT_EQ(queue.bytes(), 0U);
}

}  // namespace
}  // namespace penstock
