// The pool's own memory: a user's allocator, and one that fails.
//
// SPDX-License-Identifier: Apache-2.0
#include "support/allocator.h"
#include "support/object_pool.h"

#include <thread>

namespace {

using namespace pool_test;

TEST(ObjectPoolMemory, AllOfItComesFromTheAllocatorAndGoesBack) {
    AccountingAllocator memory;
    pool_allocator allocator = memory.allocator();
    Ledger ledger;
    pool_objects_options options = ledger.options();
    options.allocator = &allocator;
    {
        ObjectPoolUnderTest pool(options);
        allocator = {}; // it was copied
        uint64_t base = pool.stats().bytes - memory.bytes();
        pool.fill(1000);
        EXPECT_GT(memory.bytes(), 1000 * sizeof(void *) / 2);
        EXPECT_EQ(pool.stats().bytes, base + memory.bytes());
        pool_objects_sweep(pool);
        pool.fill(100);
        pool_objects_sweep(pool);
        pool_objects_shrink(pool, 3);
        EXPECT_EQ(pool.stats().bytes, base + memory.bytes());
    }
    EXPECT_EQ(memory.bytes(), 0u);
    EXPECT_EQ(ledger.alive(), 0);
}

TEST(ObjectPoolMemory, SweepsGiveMagazinesBack) {
    AccountingAllocator memory;
    pool_allocator allocator = memory.allocator();
    Ledger ledger;
    pool_objects_options options = ledger.options();
    options.allocator = &allocator;
    ObjectPoolUnderTest pool(options);
    pool.fill(3000);
    size_t full = memory.bytes();
    for (int i = 0; i < 4; i++)
        pool_objects_sweep(pool);
    EXPECT_EQ(pool.idle(), 0u);
    EXPECT_LT(memory.bytes(), full / 2);
}

TEST(ObjectPoolMemory, SeveralThreadsGiveItBackToo) {
    AccountingAllocator memory;
    pool_allocator allocator = memory.allocator();
    Ledger ledger;
    pool_objects_options options = ledger.options();
    options.allocator = &allocator;
    ObjectPoolUnderTest pool(options);
    std::vector<std::thread> threads;
    for (int t = 0; t < 3; t++)
        threads.emplace_back([&] {
            for (int i = 0; i < 20; i++)
                pool.put_all(pool.get_some(200));
        });
    for (std::thread &thread : threads)
        thread.join();
}

// A life of a pool, in which the n-th allocation fails. Every call must say what it did: POOL_OK or
// POOL_ENOMEM, every object must be accounted for, and nothing may be lost.
void live_with(AccountingAllocator &memory, uint64_t max_idle) {
    pool_allocator allocator = memory.allocator();
    Ledger ledger;
    static int freed;
    freed = 0;
    pool_objects_options options = ledger.options();
    options.allocator = &allocator;
    options.max_idle = max_idle;
    options.ctx_free = [](void *) { freed++; };
    pool_objects *pool = nullptr;
    pool_status status = pool_objects_create(&options, &pool);
    if (status != POOL_OK) {
        EXPECT_EQ(status, POOL_ENOMEM);
        EXPECT_EQ(pool, nullptr);
        EXPECT_EQ(freed, 1);
        EXPECT_STRNE(pool_last_error(), "");
        return;
    }
    status = pool_objects_prefill(pool, 150);
    EXPECT_TRUE(status == POOL_OK || status == POOL_ENOMEM) << status;
    expect_balanced(stats_of(pool));
    EXPECT_EQ(stats_of(pool).out, 0);
    std::vector<Item *> items;
    auto get = [&](int n) {
        for (int i = 0; i < n; i++) {
            items.push_back(static_cast<Item *>(pool_objects_get(pool)));
            ASSERT_NE(items.back(), nullptr) << "a get needs no memory of the pool";
            EXPECT_TRUE(items.back()->taken());
        }
    };
    auto put = [&](size_t n) {
        for (; n > 0 && !items.empty(); n--) {
            EXPECT_TRUE(items.back()->given());
            EXPECT_EQ(pool_objects_put(pool, items.back()), POOL_OK);
            items.pop_back();
        }
    };
    get(400);
    put(400);
    expect_balanced(stats_of(pool));
    EXPECT_EQ(pool_objects_sweep(pool), POOL_OK);
    get(150);
    put(75);
    EXPECT_EQ(pool_objects_sweep(pool), POOL_OK);
    get(200);
    put(300);
    EXPECT_EQ(pool_objects_shrink(pool, 10), POOL_OK);
    EXPECT_LE(stats_of(pool).idle, 10u);
    put(items.size());
    pool_objects_stats stats = stats_of(pool);
    expect_balanced(stats);
    EXPECT_EQ(stats.out, 0);
    EXPECT_EQ(static_cast<uint64_t>(ledger.alive()), stats.idle);
    EXPECT_EQ(pool_objects_destroy(pool), POOL_OK);
    EXPECT_EQ(ledger.alive(), 0);
    EXPECT_EQ(freed, 1);
}

TEST(ObjectPoolMemory, TheNthAllocationMayFailWhicheverItIs) {
    for (uint64_t max_idle : {uint64_t{0}, uint64_t{300}}) {
        for (bool all : {false, true}) {
            for (int n = 1;; n++) {
                AccountingAllocator memory;
                memory.fail_at(n, all);
                live_with(memory, max_idle);
                ASSERT_FALSE(testing::Test::HasFailure())
                    << "allocation " << n << (all ? " and all behind it" : "") << ", max_idle "
                    << max_idle;
                if (memory.calls() < n)
                    break;
                ASSERT_LT(n, 1000);
            }
        }
    }
}

TEST(ObjectPoolMemory, AnAllocatorThatThrowsHasNoMemory) {
    pool_allocator allocator = {sizeof allocator, [](size_t, size_t, void *) -> void * { throw 1; },
                                [](void *, size_t, size_t, void *) {}, nullptr};
    pool_objects_options options = POOL_OBJECTS_OPTIONS_INIT;
    options.allocator = &allocator;
    pool_objects *pool = reinterpret_cast<pool_objects *>(&allocator);
    EXPECT_EQ(pool_objects_create(&options, &pool), POOL_ENOMEM);
    EXPECT_EQ(pool, nullptr);
}

} // namespace
