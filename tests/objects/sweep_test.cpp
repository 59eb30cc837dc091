// Ageing: sweeps by call, by period and by memory pressure; shrink.
//
// SPDX-License-Identifier: Apache-2.0
#include "platform/pressure.h"
#include "support/object_pool.h"
#include "sync/gate.h"

#include <cstring>
#include <thread>

namespace {

using namespace pool_test;

TEST(ObjectPoolSweep, TheSecondSweepDestroysWhatNobodyTookInBetween) {
    constexpr int kMany = 500; // slab and depot
    Ledger ledger;
    ObjectPoolUnderTest pool(ledger.options());
    pool.fill(kMany);
    ASSERT_EQ(pool_objects_sweep(pool), POOL_OK);
    EXPECT_EQ(ledger.destroyed(), 0);
    EXPECT_EQ(pool.idle(), static_cast<uint64_t>(kMany));
    ASSERT_EQ(pool_objects_sweep(pool), POOL_OK);
    EXPECT_EQ(ledger.destroyed(), kMany);
    pool_objects_stats stats = pool.stats();
    EXPECT_EQ(stats.idle, 0u);
    EXPECT_EQ(stats.swept, static_cast<uint64_t>(kMany));
    EXPECT_EQ(stats.sweeps, 2u);
    EXPECT_EQ(stats.dropped, 0u);
}

TEST(ObjectPoolSweep, WhatIsTakenInBetweenIsRescued) {
    Ledger ledger;
    ObjectPoolUnderTest pool(ledger.options());
    pool.fill(10);
    pool_objects_sweep(pool);
    Item *rescued = pool.get();
    EXPECT_EQ(ledger.created(), 10) << "a victim is taken before the factory is asked";
    EXPECT_EQ(pool.stats().hits_victim, 1u);
    pool.put(rescued);
    pool_objects_sweep(pool);
    EXPECT_EQ(rescued->destroyed, 0);
    // One get moves one object at first, so that what nobody wants is not kept alive.
    EXPECT_EQ(ledger.destroyed(), 9);
    pool_objects_sweep(pool);
    EXPECT_EQ(rescued->destroyed, 1);
}

TEST(ObjectPoolSweep, EveryVictimIsFoundByGets) {
    constexpr int kMany = 400;
    Ledger ledger;
    ObjectPoolUnderTest pool(ledger.options());
    pool.fill(kMany);
    pool_objects_sweep(pool);
    std::vector<Item *> items = pool.get_some(kMany);
    EXPECT_EQ(ledger.created(), kMany);
    EXPECT_EQ(pool.idle(), 0u);
    pool.put_all(items);
}

TEST(ObjectPoolSweep, ObjectsThatAreOutAreNotTouched) {
    Ledger ledger;
    ObjectPoolUnderTest pool(ledger.options());
    Item *item = pool.get();
    for (int i = 0; i < 4; i++)
        pool_objects_sweep(pool);
    EXPECT_EQ(item->destroyed, 0);
    pool.put(item);
}

TEST(ObjectPoolSweep, AnEmptyPoolIsSweptWithoutAFence) {
    Ledger ledger;
    ObjectPoolUnderTest pool(ledger.options());
    pool.fill(3);
    pool_objects_sweep(pool);
    pool_objects_sweep(pool);
    uint64_t fences = pool.stats().fences;
    pool_objects_sweep(pool);
    pool_objects_sweep(pool);
    EXPECT_EQ(pool.stats().fences, fences);
}

TEST(ObjectPoolSweep, ASteadyUserKeepsItsObjectsAlive) {
    Ledger ledger;
    ObjectPoolUnderTest pool(ledger.options());
    pool.fill(4);
    for (int i = 0; i < 20; i++) {
        pool.put_all(pool.get_some(4));
        pool_objects_sweep(pool);
    }
    EXPECT_EQ(ledger.created(), 4);
    EXPECT_EQ(ledger.destroyed(), 0);
}

TEST(ObjectPoolSweep, ASweptPoolKeepsUpToItsBoundAgain) {
    Ledger ledger;
    pool_objects_options options = ledger.options();
    options.max_idle = 300;
    ObjectPoolUnderTest pool(options);
    for (int round = 0; round < 3; round++) {
        pool.fill(300);
        EXPECT_EQ(pool.idle(), 300u) << "room was lost in round " << round;
        pool_objects_sweep(pool);
        EXPECT_EQ(pool.idle(), 300u);
        pool_objects_sweep(pool);
        EXPECT_EQ(pool.idle(), 0u);
    }
    EXPECT_EQ(pool.stats().dropped, 0u);
}

TEST(ObjectPoolSweep, ShrinkDestroysDownToWhatIsToBeKept) {
    Ledger ledger;
    ObjectPoolUnderTest pool(ledger.options());
    pool.fill(500);
    EXPECT_EQ(pool_objects_shrink(pool, 500), POOL_OK);
    EXPECT_EQ(pool_objects_shrink(pool, SIZE_MAX), POOL_OK);
    EXPECT_EQ(ledger.destroyed(), 0);
    EXPECT_EQ(pool_objects_shrink(pool, 123), POOL_OK);
    EXPECT_EQ(pool.idle(), 123u);
    EXPECT_EQ(ledger.destroyed(), 377);
    EXPECT_EQ(pool_objects_shrink(pool, 0), POOL_OK);
    EXPECT_EQ(pool.idle(), 0u);
    EXPECT_EQ(pool.stats().swept, 0u) << "a shrink is no sweep";
}

TEST(ObjectPoolSweep, ShrinkBeginsWithTheOldestGeneration) {
    Ledger ledger;
    ObjectPoolUnderTest pool(ledger.options());
    std::vector<Item *> old = pool.get_some(20);
    std::vector<Item *> young = pool.get_some(20);
    pool.put_all(old);
    pool_objects_sweep(pool);
    pool.put_all(young);
    EXPECT_EQ(pool_objects_shrink(pool, 20), POOL_OK);
    for (Item *item : old)
        EXPECT_EQ(item->destroyed, 1);
    for (Item *item : young)
        EXPECT_EQ(item->destroyed, 0);
}

TEST(ObjectPoolSweep, APeriodSweepsInTheBackground) {
    Ledger ledger;
    pool_objects_options options = ledger.options();
    options.sweep_period = kMillisecond;
    ObjectPoolUnderTest pool(options);
    pool.fill(50);
    eventually([&] { return ledger.alive() == 0; });
    eventually([&] { return stats_of(pool).swept == 50; });
    pool.fill(1);
    eventually([&] { return ledger.alive() == 0; });
}

TEST(ObjectPoolSweep, SeveralPoolsShareTheSweeperAndEndInAnyOrder) {
    Ledger ledger;
    pool_objects_options options = ledger.options();
    options.sweep_period = kMillisecond;
    std::vector<pool_objects *> pools(4);
    for (pool_objects *&pool : pools) {
        ASSERT_EQ(pool_objects_create(&options, &pool), POOL_OK);
        ASSERT_EQ(pool_objects_prefill(pool, 3), POOL_OK);
    }
    EXPECT_EQ(pool_objects_destroy(pools[1]), POOL_OK);
    EXPECT_EQ(pool_objects_destroy(pools[3]), POOL_OK);
    eventually([&] { return ledger.alive() == 0; });
    EXPECT_EQ(pool_objects_destroy(pools[0]), POOL_OK);
    EXPECT_EQ(pool_objects_destroy(pools[2]), POOL_OK);
    // The last one has stopped the thread; the next starts another.
    ObjectPoolUnderTest pool(options);
    pool.fill(5);
    eventually([&] { return ledger.alive() == 0; });
}

TEST(ObjectPoolSweep, TheReplaceableClockDecidesWhenAPeriodHasPassed) {
    static std::atomic<int64_t> now;
    now = 1000 * kSecond;
    pool_config_set_clock([](void *) -> int64_t { return now; }, nullptr);
    {
        Ledger ledger;
        pool_objects_options options = ledger.options();
        options.sweep_period = kMillisecond;
        ObjectPoolUnderTest standing(options);
        standing.fill(5);
        // A real period passes, in which this clock stands still, and a pool on pressure or with a
        // period of its own would be swept: only the clock can tell.
        options.sweep_period = 3600 * kSecond;
        ObjectPoolUnderTest waker(options); // wakes the sweeper, which looks at the clock again
        EXPECT_EQ(standing.stats().sweeps, 0u);
        for (uint64_t sweeps = 1; sweeps <= 2; sweeps++) {
            now += kMillisecond;
            eventually([&] { return stats_of(standing).sweeps >= sweeps; });
        }
        EXPECT_EQ(standing.stats().sweeps, 2u);
        EXPECT_EQ(waker.stats().sweeps, 0u);
        EXPECT_EQ(ledger.alive(), 0);
    }
    pool_config_set_clock(nullptr, nullptr);
}

TEST(ObjectPoolSweep, AVeryLongPeriodIsNoneInEffect) {
    Ledger ledger;
    pool_objects_options options = ledger.options();
    options.sweep_period = INT64_MAX;
    ObjectPoolUnderTest pool(options);
    options.sweep_period = kMillisecond;
    ObjectPoolUnderTest swept(options);
    pool.fill(1);
    eventually([&] { return stats_of(swept).sweeps >= 3; });
    EXPECT_EQ(pool.stats().sweeps, 0u);
}

TEST(ObjectPoolSweep, MemoryPressureIsWatchedWhereTheKernelReportsIt) {
    bool possible;
    {
        pool::PressureWatch watch;
        possible = watch.start() == POOL_OK;
        watch.close();
    }
    Ledger ledger;
    int freed = 0;
    static int *counter;
    counter = &freed;
    pool_objects_options options = ledger.options();
    options.flags = POOL_OBJECTS_SWEEP_ON_PRESSURE;
    options.ctx_free = [](void *) { ++*counter; };
    pool_objects *pool = nullptr;
    pool_status status = pool_objects_create(&options, &pool);
    EXPECT_EQ(status, possible ? POOL_OK : POOL_ENOTSUP);
    if (!possible) {
        EXPECT_EQ(pool, nullptr);
        EXPECT_NE(strstr(pool_last_error(), "memory pressure"), nullptr);
    }
    EXPECT_EQ(pool_objects_destroy(pool), POOL_OK);
    EXPECT_EQ(freed, 1);
}

TEST(ObjectPoolSweep, SweepsBesideTrafficLoseNothing) {
    Ledger ledger;
    {
        pool_objects_options options = ledger.options();
        ObjectPoolUnderTest pool(options);
        std::atomic<bool> stop{false};
        std::thread sweeper([&] {
            while (!stop) {
                EXPECT_EQ(pool_objects_sweep(pool), POOL_OK);
                EXPECT_EQ(pool_objects_shrink(pool, 5), POOL_OK);
            }
        });
        auto play = [&] {
            for (int i = 0; i < 2000; i++)
                pool.put_all(pool.get_some(1 + i % 7));
        };
        std::thread other(play);
        play();
        other.join();
        stop = true;
        sweeper.join();
        EXPECT_EQ(pool.stats().out, 0);
    }
    EXPECT_EQ(ledger.alive(), 0);
}

} // namespace
