// What a pool counts, by class and in histograms.
//
// SPDX-License-Identifier: Apache-2.0
#include "support/buffer_pool.h"

#include <thread>

namespace {

using namespace pool_test;

std::vector<uint64_t> histogram(pool_buffers *pool, pool_buffers_sizes kind, size_t n = 48) {
    std::vector<uint64_t> counts(n, 77);
    EXPECT_EQ(pool_buffers_get_histogram(pool, kind, counts.data(), n), POOL_OK);
    return counts;
}

TEST(BufferStats, CountWhatWasAskedForAndWhatWasWasted) {
    BufferPoolUnderTest pool;
    for (int i = 0; i < 100000; i++)
        pool.put(pool.get(900)); // of 1024
    Buffer out = pool.get(5000); // of 5120
    pool_buffers_stats s = pool.stats();
    EXPECT_EQ(s.requested, 900u * 100000 + 5000);
    EXPECT_EQ(s.waste, 124u * 100000 + 120);
    EXPECT_EQ(s.largest, 5000u);
    EXPECT_EQ(s.out_bytes, 5120);
    pool_buffers_class_stats c = pool.stats_of(1024);
    EXPECT_EQ(c.gets, 100000u);
    EXPECT_EQ(c.misses, 1u);
    EXPECT_EQ(c.puts, 100000u);
    EXPECT_EQ(c.idle, 1u);
    EXPECT_EQ(c.largest, 900u);
    EXPECT_EQ(c.requested, 900u * 100000);
    pool.put(out);
    out = pool.get(30000000);
    s = pool.stats();
    EXPECT_EQ(s.largest, 30000000u);
    EXPECT_EQ(s.out_bytes, 30000000);
    EXPECT_EQ(s.requested, 900u * 100000 + 5000 + 30000000);
    pool.put(out);
}

// Every new record takes the slow path, so none is missed, on whatever CPU.
TEST(BufferStats, TheLargestIsExact) {
    BufferPoolUnderTest pool;
    std::vector<std::thread> threads;
    for (size_t t = 0; t < 4; t++)
        threads.emplace_back([&, t] {
            for (size_t size = 513 + t; size <= 637; size += 4)
                for (int i = 0; i < 50; i++)
                    pool.put(pool.get(size));
        });
    for (std::thread &thread : threads)
        thread.join();
    EXPECT_EQ(pool.stats_of(640).largest, 637u);
}

// One get in a thousand stands for the others.
TEST(BufferStats, TheWasteIsEstimatedWell) {
    BufferPoolUnderTest pool;
    uint64_t requested = 0;
    uint32_t random = 1;
    for (int i = 0; i < 2000000; i++) {
        random ^= random << 13, random ^= random >> 17, random ^= random << 5;
        size_t size = 1025 + random % 256;
        requested += size;
        pool_buffers_put(pool, pool_buffers_get(pool, size));
    }
    double estimate = static_cast<double>(pool.stats().requested);
    EXPECT_NEAR(estimate / static_cast<double>(requested), 1.0, 0.02);
}

TEST(BufferStats, HistogramsCountByPowersOfTwo) {
    BufferPoolUnderTest pool;
    for (size_t size : {size_t{64}, size_t{65}, size_t{1000}, size_t{1024}, size_t{1025}})
        pool.put(pool.get(size));
    pool.put(pool.get(size_t{3} << 20));
    pool.put(pool.get(size_t{32} << 20)); // above the classes
    Buffer out = pool.get(2000);
    std::vector<uint64_t> requested = histogram(pool, POOL_BUFFERS_REQUESTED);
    EXPECT_EQ(requested[6], 1u);
    EXPECT_EQ(requested[7], 1u);
    EXPECT_EQ(requested[10], 2u);
    EXPECT_EQ(requested[11], 2u);
    EXPECT_EQ(requested[22], 1u);
    EXPECT_EQ(requested[25], 1u);
    std::vector<uint64_t> returned = histogram(pool, POOL_BUFFERS_RETURNED);
    EXPECT_EQ(returned[11], 1u);
    EXPECT_EQ(returned[22], 1u);
    EXPECT_EQ(returned[25], 1u);
    requested = histogram(pool, POOL_BUFFERS_REQUESTED, 8);
    EXPECT_EQ(requested[7], 7u) << "the last takes all that is larger";
    pool.put(out);

    for (size_t length : {size_t{1}, size_t{64}, size_t{100}, size_t{5000}}) {
        pool_buf buf;
        pool_buf_get(pool, 9, &buf);
        pool_buf_resize(&buf, length);
        pool_buf_put(&buf);
    }
    std::vector<uint64_t> lengths = histogram(pool, POOL_BUFFERS_LENGTHS);
    EXPECT_EQ(lengths[6], 2u) << "what is below 64 bytes counts as 64";
    EXPECT_EQ(lengths[7], 1u);
    EXPECT_EQ(lengths[13], 1u);
    EXPECT_EQ(pool_buffers_get_histogram(pool, 3, lengths.data(), 48), POOL_EINVAL);
    EXPECT_EQ(pool_buffers_get_histogram(pool, 0, nullptr, 48), POOL_EINVAL);
    EXPECT_EQ(pool_buffers_get_histogram(pool, 0, lengths.data(), 0), POOL_EINVAL);
}

TEST(BufferStats, ClassesAreAscendingAndComplete) {
    BufferPoolUnderTest pool(sizes(1000, 5000, POOL_BUFFERS_DOUBLING));
    pool_buffers_class_stats s = {};
    s.size = sizeof s;
    for (uint64_t i = 0; i < 4; i++) {
        EXPECT_EQ(pool_buffers_get_class_stats(pool, i, &s), POOL_OK);
        EXPECT_EQ(s.capacity, i < 3 ? 1000u << i : 5000u);
    }
    EXPECT_EQ(pool_buffers_get_class_stats(pool, 4, &s), POOL_EINVAL);
    EXPECT_EQ(pool_buffers_capacity(pool, 0), 1000u);
    EXPECT_EQ(pool_buffers_capacity(pool, 1001), 2000u);
    EXPECT_EQ(pool_buffers_capacity(pool, 4001), 5000u);
    EXPECT_EQ(pool_buffers_capacity(pool, 5001), 5001u);
    EXPECT_EQ(pool_buffers_capacity(pool, SIZE_MAX), 0u);
}

TEST(BufferStats, WhatIsMadeAheadIsAHit) {
    BufferPoolUnderTest pool;
    EXPECT_EQ(pool_buffers_try_get(pool, 1000).data, nullptr);
    EXPECT_EQ(pool_last_error_status(), POOL_EAGAIN);
    EXPECT_EQ(pool_buffers_try_get(pool, 20 << 20).data, nullptr);
    EXPECT_EQ(pool_last_error_status(), POOL_EAGAIN);
    EXPECT_EQ(pool_buffers_prefill(pool, 1000, 3), POOL_OK);
    EXPECT_EQ(pool_buffers_prefill(pool, 20 << 20, 3), POOL_EINVAL) << "never kept";
    EXPECT_EQ(pool.stats().idle, 3u);
    EXPECT_EQ(pool.stats().gets, 0u);
    for (int i = 0; i < 3; i++) {
        pool_buffer buffer = pool_buffers_try_get(pool, 1000);
        EXPECT_NE(buffer.data, nullptr);
        EXPECT_EQ(buffer.capacity, 1024u);
        pool.put({static_cast<unsigned char *>(buffer.data), buffer.capacity});
    }
    EXPECT_EQ(pool.stats().hits, 3u);
    EXPECT_EQ(pool.stats().misses, 0u);
}

} // namespace
