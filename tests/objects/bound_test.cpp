// max_idle: never above, and no object dropped while below.
//
// SPDX-License-Identifier: Apache-2.0
#include "support/object_pool.h"

#include <thread>

namespace {

using namespace pool_test;

TEST(ObjectPoolBound, PutBeyondTheBoundDestroysExactlyTheSurplus) {
    for (int bound : {1, 2, 3, 61, 62, 63, 124, 125, 200, 1000}) {
        Ledger ledger;
        pool_objects_options options = ledger.options();
        options.max_idle = static_cast<uint64_t>(bound);
        ObjectPoolUnderTest pool(options);
        std::vector<Item *> items = pool.get_some(bound + 10);
        for (int i = 0; i < bound + 10; i++) {
            pool.put(items[static_cast<size_t>(i)]);
            int kept = i < bound ? i + 1 : bound;
            ASSERT_EQ(ledger.alive(), bound + 10 - (i + 1 - kept));
            ASSERT_EQ(pool.idle(), static_cast<uint64_t>(kept));
        }
        EXPECT_EQ(pool.stats().dropped, 10u);
        pool.put(pool.get());
        EXPECT_EQ(pool.stats().dropped, 10u);
    }
}

TEST(ObjectPoolBound, KeepNoneDestroysEveryPut) {
    Ledger ledger;
    pool_objects_options options = ledger.options();
    options.max_idle = POOL_OBJECTS_KEEP_NONE;
    ObjectPoolUnderTest pool(options);
    pool.fill(3);
    EXPECT_EQ(ledger.destroyed(), 3);
    EXPECT_EQ(pool.try_get(), nullptr);
    EXPECT_EQ(pool.stats().dropped, 3u);
}

TEST(ObjectPoolBound, ABoundBeyondAnyMachineIsNone) {
    Ledger ledger;
    pool_objects_options options = ledger.options();
    options.max_idle = UINT64_MAX - 1;
    ObjectPoolUnderTest pool(options);
    pool.fill(1000);
    EXPECT_EQ(pool.stats().dropped, 0u);
}

TEST(ObjectPoolBound, RoomComesBackWithEveryWayOut) {
    Ledger ledger;
    pool_objects_options options = ledger.options();
    options.max_idle = 150;
    ObjectPoolUnderTest pool(options);
    for (int round = 0; round < 10; round++) {
        pool.fill(160);
        ASSERT_EQ(pool.idle(), 150u) << round;
        switch (round % 3) {
        case 0:
            ASSERT_EQ(pool_objects_shrink(pool, 20), POOL_OK);
            break;
        case 1:
            pool_objects_sweep(pool);
            break;
        default:
            pool_objects_sweep(pool);
            pool_objects_sweep(pool);
        }
    }
}

// How many objects are surely idle: each is counted after its put has returned without destroying
// any, and counted out before the get that may take it begins. So this is never above the truth,
// and if it is above the bound at any moment, so were the idle objects.
class SurelyIdle {
public:
    explicit SurelyIdle(uint64_t bound) : bound_(static_cast<int64_t>(bound)) {}

    Item *get(pool_objects *pool, Ledger *ledger) {
        count_--;
        Item *item = static_cast<Item *>(pool_objects_try_get(pool));
        if (item == nullptr) {
            count_++;
            item = ledger->make();
        }
        EXPECT_TRUE(item->taken());
        return item;
    }
    void put(pool_objects *pool, Item *item) {
        EXPECT_TRUE(item->given());
        dropped_here_ = false;
        EXPECT_EQ(pool_objects_put(pool, item), POOL_OK);
        if (!dropped_here_) {
            EXPECT_LE(++count_, bound_);
        }
    }
    int64_t count() const { return count_; }

    static void destroy(void *object, void *ctx) {
        dropped_here_ = true;
        Ledger::destroy(object, ctx);
    }

private:
    static thread_local bool dropped_here_;
    const int64_t bound_;
    std::atomic<int64_t> count_{0};
};
thread_local bool SurelyIdle::dropped_here_ = false;

TEST(ObjectPoolBound, HoldsAtEveryMomentBesideManyThreads) {
    constexpr int kThreads = 4;
    for (uint64_t bound : {uint64_t{1}, uint64_t{5}, uint64_t{130}}) {
        Ledger ledger;
        SurelyIdle surely(bound);
        pool_objects_options options = ledger.options();
        options.destroy = SurelyIdle::destroy;
        options.max_idle = bound;
        {
            ObjectPoolUnderTest pool(options);
            std::vector<std::thread> threads;
            for (int t = 0; t < kThreads; t++)
                threads.emplace_back([&, t] {
                    for (int i = 0; i < 2000; i++) {
                        std::vector<Item *> items;
                        for (int k = 0; k < (i + t) % 60; k++)
                            items.push_back(surely.get(pool, &ledger));
                        for (Item *item : items)
                            surely.put(pool, item);
                    }
                });
            for (std::thread &thread : threads)
                thread.join();
            EXPECT_EQ(surely.count(), static_cast<int64_t>(pool.idle()));
            // Nothing else is in use: now exactly `bound` fit, wherever they stand.
            pool.put_all(pool.get_some(static_cast<int>(bound) + 20));
            EXPECT_EQ(pool.idle(), bound);
        }
        EXPECT_EQ(ledger.alive(), 0);
    }
}

// Fewer objects exist than may be idle, so none may ever be dropped, whoever puts it where.
TEST(ObjectPoolBound, NothingIsDroppedWhileThePoolIsBelowItsBound) {
    constexpr int kThreads = 4, kEach = 3;
    Ledger ledger;
    pool_objects_options options = ledger.options();
    options.max_idle = kThreads * kEach;
    ObjectPoolUnderTest pool(options);
    std::vector<std::thread> threads;
    for (int t = 0; t < kThreads; t++)
        threads.emplace_back([&] {
            for (int i = 0; i < 3000; i++) {
                std::vector<Item *> items;
                for (int k = 0; k < kEach; k++)
                    if (Item *item = pool.get())
                        items.push_back(item);
                pool.put_all(items);
            }
        });
    for (std::thread &thread : threads)
        thread.join();
    EXPECT_EQ(ledger.destroyed(), 0);
    EXPECT_LE(ledger.created(), kThreads * kEach)
        << "a get that missed an idle object called the factory";
    EXPECT_EQ(pool.stats().dropped, 0u);
}

} // namespace
