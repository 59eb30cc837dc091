// The bounds on what is kept: exact over all classes and CPUs.
//
// SPDX-License-Identifier: Apache-2.0
#include "support/buffer_pool.h"
#include "support/two_cpus.h"

#include <random>
#include <thread>

namespace {

using namespace pool_test;

pool_buffers_options bounded(uint64_t buffers, uint64_t bytes) {
    pool_buffers_options options = POOL_BUFFERS_OPTIONS_INIT;
    options.max_idle = buffers;
    options.max_idle_bytes = bytes;
    return options;
}

TEST(BufferBound, CountsTheBuffersOfAllClasses) {
    BufferPoolUnderTest pool(bounded(10, 0));
    std::vector<Buffer> held;
    for (size_t size : {size_t{100}, size_t{5000}, size_t{70000}})
        for (Buffer buffer : pool.get_n(6, size))
            held.push_back(buffer);
    for (size_t i = 0; i < held.size(); i++) {
        pool.put(held[i]);
        EXPECT_EQ(pool.stats().idle, i < 10 ? i + 1 : 10);
    }
    EXPECT_EQ(pool.stats().dropped, 8u);
}

// Whatever the sizes: a put is dropped exactly if it does not fit.
TEST(BufferBound, CountsBytesAndDropsOnlyWhatDoesNotFit) {
    constexpr uint64_t kBound = 1000000;
    BufferPoolUnderTest pool(bounded(0, kBound));
    std::mt19937 random(7);
    std::vector<Buffer> held;
    uint64_t dropped = 0;
    for (int i = 0; i < 5000; i++) {
        if (held.empty() || (held.size() < 100 && random() % 2 != 0)) {
            held.push_back(pool.get(size_t{1} << (random() % 18)));
            continue;
        }
        std::swap(held[random() % held.size()], held.back());
        Buffer buffer = held.back();
        held.pop_back();
        uint64_t before = pool.stats().idle_bytes;
        pool.put(buffer);
        bool fits = before + buffer.capacity <= kBound;
        ASSERT_EQ(pool.stats().idle_bytes, fits ? before + buffer.capacity : before) << i;
        dropped += !fits;
    }
    pool.put_all(held);
    EXPECT_GT(dropped, 10u);
    pool.put_all(pool.get_n(20000, 64));
    EXPECT_LE(pool.stats().idle_bytes, kBound);
    EXPECT_GT(pool.stats().idle_bytes, kBound - 64);
}

TEST(BufferBound, BothBoundsHold) {
    BufferPoolUnderTest pool(bounded(4, 10000));
    pool.put_all(pool.get_n(8, 64));
    EXPECT_EQ(pool.stats().idle, 4u);
    EXPECT_EQ(pool_buffers_trim(pool, 0), POOL_OK);
    pool.put_all(pool.get_n(3, 4096));
    EXPECT_EQ(pool.stats().idle, 2u);
    EXPECT_EQ(pool.stats().idle_bytes, 8192u);
}

// Room that one class has freed but not given back is there for the others.
TEST(BufferBound, RoomMovesBetweenClasses) {
    BufferPoolUnderTest pool(bounded(0, 100000));
    std::vector<Buffer> small = pool.get_n(1500, 64);
    pool.put_all(small);
    EXPECT_EQ(pool.stats().idle_bytes, 96000u);
    small = pool.get_n(1500, 64);
    EXPECT_EQ(pool.stats().misses, 1500u);
    pool.put_all(pool.get_n(1, 98304));
    EXPECT_EQ(pool.stats().idle_bytes, 98304u);
    pool.put_all(small);
    EXPECT_EQ(pool.stats().idle_bytes, 98304u + 26 * 64);
}

TEST(BufferBound, RoomMovesBetweenCpus) {
    TwoCpus cpus(pool_config_cpu_mode());
    if (!cpus.available())
        GTEST_SKIP() << "needs two CPUs";
    BufferPoolUnderTest pool(bounded(0, 65536));
    std::vector<Buffer> small, large;
    cpus.on(0, [&] { small = pool.get_n(64, 1024); });
    cpus.on(0, [&] { pool.put_all(small); });
    cpus.on(0, [&] { small = pool.get_n(64, 1024); });
    cpus.on(1, [&] { large = pool.get_n(2, 32768); });
    cpus.on(1, [&] { pool.put_all(large); });
    EXPECT_EQ(pool.stats().idle_bytes, 65536u);
    cpus.on(0, [&] { pool.put_all(small); });
    EXPECT_EQ(pool.stats().idle_bytes, 65536u);
    EXPECT_EQ(pool.stats().dropped, 64u);
}

TEST(BufferBound, KeepNoneKeepsNone) {
    for (pool_buffers_options options :
         {bounded(POOL_BUFFERS_KEEP_NONE, 0), bounded(0, POOL_BUFFERS_KEEP_NONE)}) {
        BufferPoolUnderTest pool(options);
        pool.put_all(pool.get_n(3, 1000));
        EXPECT_EQ(pool.stats().idle, 0u);
        EXPECT_EQ(pool.stats().dropped, 3u);
        EXPECT_EQ(pool_buffers_prefill(pool, 1000, 3), POOL_OK);
        EXPECT_EQ(pool.stats().idle, 0u);
    }
}

TEST(BufferBound, HoldsAmongThreads) {
    constexpr uint64_t kBound = 300000;
    BufferPoolUnderTest pool(bounded(100, kBound));
    for (int round = 0; round < 20; round++) {
        std::vector<std::thread> threads;
        for (int t = 0; t < 4; t++)
            threads.emplace_back([&, t] {
                std::mt19937 random(static_cast<unsigned>(round * 4 + t));
                std::vector<Buffer> held;
                for (int i = 0; i < 300; i++) {
                    if (held.size() < 40 && random() % 5 < 3) {
                        held.push_back(pool.get(random() % 40000));
                    } else if (!held.empty()) {
                        pool.put(held.back());
                        held.pop_back();
                    }
                }
                pool.put_all(held);
            });
        for (std::thread &thread : threads)
            thread.join();
        pool_buffers_stats s = pool.stats();
        EXPECT_LE(s.idle, 100u);
        EXPECT_LE(s.idle_bytes, kBound);
        EXPECT_EQ(s.out, 0);
        EXPECT_EQ(s.out_bytes, 0);
    }
    // And not an empty promise: it is still possible to fill it.
    EXPECT_EQ(pool_buffers_trim(pool, 0), POOL_OK);
    pool.put_all(pool.get_n(200, 2048));
    EXPECT_EQ(pool.stats().idle, 100u);
}

} // namespace
