// vitess's bucketpool: what a program that used it may rely on here.
//
// SPDX-License-Identifier: Apache-2.0
//
//     p := bucketpool.New(1024, 16384)     options.scheme = POOL_BUFFERS_DOUBLING, min_size, max_size
//     b := p.Get(n)                        pool_buffers_get(pool, n)
//     p.Put(b)                             pool_buffers_put(pool, buffer)
#include "support/buffer_pool.h"

#include <algorithm>
#include <gtest/gtest.h>
#include <vector>

namespace {

using namespace pool_test;

std::vector<size_t> buckets(uint64_t min, uint64_t max) {
    BufferPoolUnderTest pool(sizes(min, max, POOL_BUFFERS_DOUBLING));
    std::vector<size_t> capacities;
    for (size_t i = 0; i < pool.stats().classes; i++)
        capacities.push_back(pool.class_stats(i).capacity);
    return capacities;
}

TEST(Bucketpool, HasItsBuckets) {
    using Sizes = std::vector<size_t>;
    EXPECT_EQ(buckets(1024, 16384), (Sizes{1024, 2048, 4096, 8192, 16384}));
    EXPECT_EQ(buckets(1024, 15000), (Sizes{1024, 2048, 4096, 8192, 15000}));
    EXPECT_EQ(buckets(1024, 2000), (Sizes{1024, 2000}));
    EXPECT_EQ(buckets(1024, 1024), (Sizes{1024}));
    EXPECT_EQ(buckets(3, 10), (Sizes{3, 6, 10}));
}

TEST(Bucketpool, MaxBelowMinIsAnError) {
    pool_buffers_options options = sizes(16384, 1024, POOL_BUFFERS_DOUBLING);
    pool_buffers *pool;
    EXPECT_EQ(pool_buffers_create(&options, &pool), POOL_EINVAL);
}

// Every size up to the largest has the smallest bucket that holds it.
TEST(Bucketpool, ServesFromTheSmallestBucketThatHoldsIt) {
    for (uint64_t min = 1; min < 70; min += 7) {
        for (uint64_t max = min; max < 700; max += 29) {
            BufferPoolUnderTest pool(sizes(min, max, POOL_BUFFERS_DOUBLING));
            std::vector<size_t> capacities = buckets(min, max);
            for (size_t size = 1; size <= max; size++) {
                size_t expected = *std::lower_bound(capacities.begin(), capacities.end(), size);
                Buffer buffer = pool.get(size);
                ASSERT_EQ(buffer.capacity, expected) << min << " to " << max << ": " << size;
                pool.put(buffer);
            }
        }
    }
}

TEST(Bucketpool, OutOfRangeIsServedAndDropped) {
    BufferPoolUnderTest pool(sizes(1024, 16384, POOL_BUFFERS_DOUBLING));
    Buffer buffer = pool.get(16385);
    EXPECT_EQ(buffer.capacity, 16385u) << "of exactly that size";
    pool.put(buffer);
    EXPECT_EQ(pool.stats().idle, 0u);
    buffer = pool.get(0);
    EXPECT_EQ(buffer.capacity, 1024u);
    pool.put(buffer);
}

// There a foreign slice with room for 1,500 bytes went into the bucket of 2,048, and a later get
// sliced behind its end.
TEST(Bucketpool, ABufferOfNoBucketPoisonsNone) {
    BufferPoolUnderTest pool(sizes(1024, 16384, POOL_BUFFERS_DOUBLING));
    Buffer buffer = pool.get(2048);
    for (size_t capacity : {size_t{1500}, size_t{2047}, size_t{0}})
        EXPECT_EQ(pool_buffers_put(pool, {buffer.data, capacity}), POOL_EINVAL) << capacity;
    EXPECT_EQ(pool.stats().idle, 0u);
    pool.put(buffer);
}

TEST(Bucketpool, ContentsAreNotCleared) {
    BufferPoolUnderTest pool(sizes(1024, 16384, POOL_BUFFERS_DOUBLING));
    Buffer buffer = pool.get(1024);
    pool.put(buffer);
    pool_buffer again = pool_buffers_get(pool, 1000);
    EXPECT_EQ(again.data, buffer.data);
    EXPECT_EQ(static_cast<unsigned char *>(again.data)[1023], 0xa5);
    EXPECT_EQ(pool_buffers_put(pool, again), POOL_OK);
}

} // namespace
