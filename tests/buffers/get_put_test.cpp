// SPDX-License-Identifier: Apache-2.0
#include "support/allocator.h"
#include "support/buffer_pool.h"

#include <atomic>
#include <set>
#include <thread>
#include <vector>

namespace {

using namespace pool_test;

TEST(BufferPool, ServesEachRequestFromTheSmallestClassThatHoldsIt) {
    BufferPoolUnderTest pool(sizes(512, 5000, POOL_BUFFERS_DOUBLING));
    for (auto [wanted, got] : std::vector<std::pair<size_t, size_t>>{{0, 512},
                                                                     {1, 512},
                                                                     {512, 512},
                                                                     {513, 1024},
                                                                     {4096, 4096},
                                                                     {4097, 5000},
                                                                     {5000, 5000}}) {
        Buffer buffer = pool.get(wanted);
        EXPECT_EQ(buffer.capacity, got) << wanted;
        pool.put(buffer);
    }
    EXPECT_EQ(pool.stats().classes, 5u);
}

TEST(BufferPool, GivesOutAgainWhatWasPutBack) {
    BufferPoolUnderTest pool(sizes(512, 4096));
    Buffer first = pool.get(1000);
    pool.put(first);
    EXPECT_EQ(pool.stats().idle, 1u);
    EXPECT_EQ(pool.stats().idle_bytes, 1024u);
    Buffer again = pool.get(900);
    EXPECT_EQ(again.data, first.data);
    Buffer other = pool.get(900);
    EXPECT_NE(other.data, first.data);
    pool.put(again);
    pool.put(other);
    pool_buffers_stats s = pool.stats();
    EXPECT_EQ(s.gets, 3u);
    EXPECT_EQ(s.hits, 1u);
    EXPECT_EQ(s.misses, 2u);
    EXPECT_EQ(s.puts, 3u);
    EXPECT_EQ(s.out, 0);
}

TEST(BufferPool, ServesWhatIsAboveTheLargestClassAndKeepsNoneOfIt) {
    BufferPoolUnderTest pool(sizes(512, 4096));
    Buffer buffer = pool.get(5000);
    EXPECT_EQ(buffer.capacity, 5000u);
    EXPECT_EQ(pool.stats().out, 1);
    pool.put(buffer);
    pool_buffers_stats s = pool.stats();
    EXPECT_EQ(s.oversize, 1u);
    EXPECT_EQ(s.misses, 1u);
    EXPECT_EQ(s.dropped, 1u);
    EXPECT_EQ(s.idle, 0u);
    EXPECT_EQ(s.out, 0);
}

TEST(BufferPool, RefusesACapacityThatNoBufferHas) {
    BufferPoolUnderTest pool(sizes(512, 4096));
    Buffer buffer = pool.get(600);
    EXPECT_EQ(pool_buffers_put(pool, {buffer.data, 600}), POOL_EINVAL);
    EXPECT_NE(strstr(pool_last_error(), "600"), nullptr);
    for (size_t capacity : {size_t{0}, size_t{1}, SIZE_MAX})
        EXPECT_EQ(pool_buffers_put(pool, {buffer.data, capacity}), POOL_EINVAL) << capacity;
    EXPECT_EQ(pool.stats().puts, 0u);
    pool.put(buffer);
}

TEST(BufferPool, AlignsEveryBuffer) {
    for (uint64_t alignment : {uint64_t{1}, uint64_t{16}, uint64_t{64}, uint64_t{4096}}) {
        pool_buffers_options options = sizes(100, 3000);
        options.alignment = alignment;
        BufferPoolUnderTest pool(options);
        for (size_t bytes : {size_t{1}, size_t{150}, size_t{3000}, size_t{9999}}) {
            Buffer buffer = pool.get(bytes);
            EXPECT_EQ(reinterpret_cast<uintptr_t>(buffer.data) % alignment, 0u);
            pool.put(buffer);
        }
    }
}

TEST(BufferPool, FreesWhatNobodyWantedForTwoSweeps) {
    AccountingAllocator account;
    pool_allocator allocator = account.allocator();
    pool_buffers_options options = sizes(4096, 4096);
    options.allocator = &allocator;
    BufferPoolUnderTest pool(options);
    std::vector<Buffer> buffers;
    for (int i = 0; i < 300; i++)
        buffers.push_back(pool.get(1));
    size_t out = account.bytes();
    for (Buffer buffer : buffers)
        pool.put(buffer);
    EXPECT_EQ(pool_buffers_sweep(pool), POOL_OK);
    EXPECT_EQ(pool.stats().idle, 300u);
    Buffer wanted = pool.get(1);
    EXPECT_EQ(pool_buffers_sweep(pool), POOL_OK);
    EXPECT_LT(pool.stats().idle, 10u);
    EXPECT_LT(account.bytes() + 280 * 4096, out);
    pool.put(wanted);
}

TEST(BufferPool, SweepsByItself) {
    pool_buffers_options options = sizes(512, 512);
    options.sweep_period = 1000000;
    options.flags = POOL_BUFFERS_SWEEPER;
    BufferPoolUnderTest pool(options);
    pool.put(pool.get(1));
    while (pool.stats_meanwhile().idle != 0)
        std::this_thread::yield();
}

TEST(BufferPool, EveryAllocationMayFail) {
    AccountingAllocator account;
    pool_allocator allocator = account.allocator();
    pool_buffers_options options = sizes(512, 2048);
    options.allocator = &allocator;
    for (int n = 1;; n++) {
        account.fail_at(n, false);
        pool_buffers *pool = nullptr;
        pool_status status = pool_buffers_create(&options, &pool);
        if (status == POOL_OK) {
            for (size_t bytes : {size_t{1}, size_t{700}, size_t{1500}, size_t{9000}}) {
                pool_buffer buffer = pool_buffers_get(pool, bytes);
                if (buffer.data == nullptr) {
                    EXPECT_EQ(pool_last_error_status(), POOL_ENOMEM);
                } else {
                    EXPECT_EQ(pool_buffers_put(pool, buffer), POOL_OK);
                }
            }
            EXPECT_EQ(pool_buffers_sweep(pool), POOL_OK);
            EXPECT_EQ(pool_buffers_destroy(pool), POOL_OK);
        } else {
            EXPECT_EQ(status, POOL_ENOMEM);
            EXPECT_EQ(pool, nullptr);
        }
        EXPECT_EQ(account.bytes(), 0u) << "leaked when allocation " << n << " failed";
        if (account.calls() < n)
            break;
    }
}

TEST(BufferPool, NeverHandsABufferToTwoThreads) {
    BufferPoolUnderTest pool(sizes(512, 4096));
    std::atomic<int> torn{0};
    std::vector<std::thread> threads;
    for (int t = 1; t <= 4; t++)
        threads.emplace_back([&, t] {
            Buffer held[8];
            for (int i = 0; i < 4000; i++) {
                Buffer &slot = held[i % 8];
                if (slot.data != nullptr) {
                    for (size_t at = 0; at < slot.capacity; at += 64)
                        torn += slot.data[at] != t;
                    pool.put(slot);
                }
                slot = pool.get(static_cast<size_t>(i * 37 % 4096));
                memset(slot.data, t, slot.capacity);
            }
            for (Buffer buffer : held)
                pool.put(buffer);
        });
    for (std::thread &thread : threads)
        thread.join();
    EXPECT_EQ(torn, 0);
    pool_buffers_stats s = pool.stats();
    EXPECT_EQ(s.out, 0);
    EXPECT_EQ(s.gets, 16000u);
}

// ---- large buffers ----

constexpr size_t kKib = 1024;

TEST(BufferBorrowing, AnIdleBufferOfALargerClassComesBeforeANewOne) {
    BufferPoolUnderTest pool;
    Buffer large = pool.get(1024 * kKib);
    pool.put(large);
    for (bool may_allocate : {true, false}) {
        pool_buffer lent = may_allocate ? pool_buffers_get(pool, 300 * kKib)
                                        : pool_buffers_try_get(pool, 300 * kKib);
        EXPECT_EQ(lent.data, large.data);
        EXPECT_EQ(lent.capacity, 1024 * kKib);
        EXPECT_EQ(pool.stats_of(1024 * kKib).out, 1);
        EXPECT_EQ(pool_buffers_put(pool, lent), POOL_OK);
    }
    EXPECT_EQ(pool.stats().misses, 1u);
    EXPECT_EQ(pool.stats_of(1024 * kKib).idle, 1u);
    EXPECT_LT(pool.stats_of(1024 * kKib).requested, 2 * 1024 * kKib) << "not all was asked for";
}

TEST(BufferBorrowing, TheSmallestThatIsIdleIsLent) {
    BufferPoolUnderTest pool;
    pool.put_all({pool.get(1024 * kKib), pool.get(400 * kKib), pool.get(700 * kKib)});
    Buffer lent = pool.get(300 * kKib);
    EXPECT_EQ(lent.capacity, 448 * kKib);
    pool.put(lent);
    EXPECT_EQ(pool.stats().misses, 3u);
}

TEST(BufferBorrowing, OneOfMoreThanFourTimesTheSizeStays) {
    BufferPoolUnderTest pool;
    pool.put(pool.get(2048 * kKib));
    Buffer own = pool.get(448 * kKib);
    EXPECT_EQ(own.capacity, 448 * kKib);
    Buffer lent = pool.get(512 * kKib);
    EXPECT_EQ(lent.capacity, 2048 * kKib);
    pool.put_all({own, lent});
}

TEST(BufferBorrowing, SmallBuffersAreNeverMuchLargerThanAskedFor) {
    BufferPoolUnderTest pool;
    pool.put(pool.get(256 * kKib));
    Buffer own = pool.get(224 * kKib);
    EXPECT_EQ(own.capacity, 224 * kKib);
    pool.put(own);
}

TEST(BufferBorrowing, NotInOtherSchemes) {
    BufferPoolUnderTest pool(sizes(kKib, 2048 * kKib, POOL_BUFFERS_DOUBLING));
    pool.put(pool.get(2048 * kKib));
    Buffer own = pool.get(1024 * kKib);
    EXPECT_EQ(own.capacity, 1024 * kKib);
    pool.put(own);
}

} // namespace
