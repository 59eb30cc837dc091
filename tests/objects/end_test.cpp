// Destroy and release, with objects idle and with objects out.
//
// SPDX-License-Identifier: Apache-2.0
#include "support/object_pool.h"
#include "sync/gate.h"

#include <cstring>
#include <thread>

namespace {

using namespace pool_test;

// Options whose ctx_free is counted; the callbacks' ctx is the ledger.
struct Ends {
    Ledger ledger;
    int freed = 0;

    pool_objects_options options() {
        pool_objects_options options = POOL_OBJECTS_OPTIONS_INIT;
        options.create = [](void *ctx) -> void * { return self(ctx)->ledger.make(); };
        options.destroy = [](void *object, void *ctx) {
            EXPECT_EQ(self(ctx)->freed, 0) << "a callback after ctx_free";
            Ledger::destroy(object, &self(ctx)->ledger);
        };
        options.ctx = this;
        options.ctx_free = [](void *ctx) { self(ctx)->freed++; };
        return options;
    }
    static Ends *self(void *ctx) { return static_cast<Ends *>(ctx); }
};

TEST(ObjectPoolDestroy, DestroysEveryIdleObjectAndFreesTheContext) {
    Ends ends;
    {
        ObjectPoolUnderTest pool(ends.options());
        pool.fill(500);
        pool_objects_sweep(pool);
        pool.fill(20);
        EXPECT_EQ(ends.freed, 0);
    }
    EXPECT_EQ(ends.ledger.alive(), 0);
    EXPECT_EQ(ends.freed, 1);
}

TEST(ObjectPoolDestroy, EveryLaterCallSaysThatThePoolHasEnded) {
    Ends ends;
    ObjectPoolUnderTest owner(ends.options());
    Item *item = owner.get();
    pool_objects *pool = owner.leave();
    ASSERT_EQ(pool_objects_destroy(pool), POOL_OK);

    void *objects[2] = {};
    pool_objects_stats stats;
    stats.size = sizeof stats;
    pool_cpu_mode mode = 77;
    EXPECT_EQ(pool_objects_get(pool), nullptr);
    EXPECT_EQ(pool_last_error_status(), POOL_ECLOSED);
    EXPECT_STREQ(pool_last_error(), "the pool has ended");
    EXPECT_EQ(pool_objects_try_get(pool), nullptr);
    EXPECT_EQ(pool_objects_get_n(pool, objects, 2), 0u);
    EXPECT_EQ(pool_last_error_status(), POOL_ECLOSED);
    EXPECT_EQ(pool_objects_prefill(pool, 1), POOL_ECLOSED);
    EXPECT_EQ(pool_objects_set_create(pool, nullptr, nullptr), POOL_ECLOSED);
    EXPECT_EQ(pool_objects_sweep(pool), POOL_ECLOSED);
    EXPECT_EQ(pool_objects_shrink(pool, 0), POOL_ECLOSED);
    EXPECT_EQ(pool_objects_get_stats(pool, &stats), POOL_ECLOSED);
    EXPECT_EQ(pool_objects_get_cpu_mode(pool, &mode), POOL_ECLOSED);
    EXPECT_EQ(mode, 77);
    EXPECT_STREQ(pool_objects_name(pool), "");
    EXPECT_EQ(pool_objects_destroy(pool), POOL_ECLOSED);
    EXPECT_EQ(pool_objects_release(pool), POOL_ECLOSED);
    EXPECT_EQ(pool_objects_put(pool, nullptr), POOL_OK) << "NULL is ignored, here too";
    EXPECT_EQ(ends.freed, 1);
    EXPECT_EQ(ends.ledger.created(), 1);

    item->given();
    EXPECT_EQ(pool_objects_put(pool, item), POOL_ECLOSED);
    EXPECT_EQ(item->destroyed, 0) << "the object stays its holder's";
    void *again = item;
    EXPECT_EQ(pool_objects_put_n(pool, &again, 1), POOL_ECLOSED);
    EXPECT_EQ(item->destroyed, 0);
}

TEST(ObjectPoolDestroy, ALatePutIsAnErrorEvenAfterManyOtherPools) {
    Ends ends;
    ObjectPoolUnderTest owner(ends.options());
    Item *item = owner.get();
    pool_objects *dead = owner.leave();
    ASSERT_EQ(pool_objects_destroy(dead), POOL_OK);
    for (int i = 0; i < 300; i++) {
        pool_objects *other = nullptr;
        ASSERT_EQ(pool_objects_create(nullptr, &other), POOL_OK);
        EXPECT_NE(other, dead) << "the handle was used again while an object is out";
        ASSERT_EQ(pool_objects_destroy(other), POOL_OK);
    }
    item->given();
    EXPECT_EQ(pool_objects_put(dead, item), POOL_ECLOSED);
    EXPECT_EQ(item->destroyed, 0);
}

TEST(ObjectPoolDestroy, HandlesAreUsedAgainInTheEnd) {
    std::vector<pool_objects *> seen;
    bool again = false;
    for (int i = 0; i < 300 && !again; i++) {
        pool_objects *pool = nullptr;
        ASSERT_EQ(pool_objects_create(nullptr, &pool), POOL_OK);
        for (pool_objects *before : seen)
            again = again || before == pool;
        seen.push_back(pool);
        ASSERT_EQ(pool_objects_destroy(pool), POOL_OK);
    }
    EXPECT_TRUE(again) << "a program that makes and ends pools for ever grows for ever";
}

TEST(ObjectPoolDestroy, AReusedHandleIsANewPool) {
    for (int i = 0; i < 200; i++) {
        Ends ends;
        {
            pool_objects_options options = ends.options();
            options.max_idle = 3;
            options.name = i % 2 == 0 ? "even" : "odd";
            ObjectPoolUnderTest pool(options);
            ASSERT_STREQ(pool_objects_name(pool), options.name);
            ASSERT_EQ(pool.stats().gets, 0u);
            pool.fill(5);
            ASSERT_EQ(ends.ledger.destroyed(), 2);
        }
        ASSERT_EQ(ends.ledger.alive(), 0);
        ASSERT_EQ(ends.freed, 1);
    }
}

TEST(ObjectPoolDestroy, WaitsForABackgroundSweepUnderWay) {
    struct Slow {
        Gate entered, go_on;
        std::atomic<bool> done{false};
        static void destroy(void *, void *ctx) {
            auto *self = static_cast<Slow *>(ctx);
            self->entered.open();
            self->go_on.wait();
            self->done = true;
        }
    } slow;
    pool_objects_options options = POOL_OBJECTS_OPTIONS_INIT;
    options.destroy = Slow::destroy;
    options.ctx = &slow;
    options.sweep_period = kMillisecond;
    ObjectPoolUnderTest owner(options);
    int object = 0;
    ASSERT_EQ(pool_objects_put(owner, &object), POOL_OK);
    slow.entered.wait();
    pool_objects *pool = owner.leave();
    std::atomic<bool> ended{false};
    std::thread destroyer([&] {
        EXPECT_EQ(pool_objects_destroy(pool), POOL_OK);
        EXPECT_TRUE(slow.done);
        ended = true;
    });
    EXPECT_FALSE(ended);
    slow.go_on.open();
    destroyer.join();
}

TEST(ObjectPoolDestroy, WhatDestroyCallbacksPutBackIsDestroyedToo) {
    struct Nested {
        Ledger ledger;
        pool_objects *pool = nullptr;
        int extra = 3;
        static void destroy(void *object, void *ctx) {
            auto *self = static_cast<Nested *>(ctx);
            Ledger::destroy(object, &self->ledger);
            if (self->extra-- > 0) {
                EXPECT_EQ(pool_objects_put(self->pool, self->ledger.make()), POOL_OK);
            }
        }
    };
    for (bool release : {false, true}) {
        Nested nested;
        int freed = 0;
        static int *counter;
        counter = &freed;
        pool_objects_options options = POOL_OBJECTS_OPTIONS_INIT;
        options.destroy = Nested::destroy;
        options.ctx = &nested;
        options.ctx_free = [](void *) { ++*counter; };
        ASSERT_EQ(pool_objects_create(&options, &nested.pool), POOL_OK);
        ASSERT_EQ(pool_objects_put(nested.pool, nested.ledger.make()), POOL_OK);
        EXPECT_EQ(release ? pool_objects_release(nested.pool) : pool_objects_destroy(nested.pool),
                  POOL_OK);
        EXPECT_EQ(nested.ledger.created(), 4);
        EXPECT_EQ(nested.ledger.alive(), 0) << (release ? "release" : "destroy");
        EXPECT_EQ(freed, 1) << (release ? "release" : "destroy");
    }
}

TEST(ObjectPoolRelease, EndsAtOnceIfNothingIsOut) {
    Ends ends;
    ObjectPoolUnderTest owner(ends.options());
    owner.fill(10);
    pool_objects *pool = owner.leave();
    EXPECT_EQ(pool_objects_release(pool), POOL_OK);
    EXPECT_EQ(ends.ledger.alive(), 0);
    EXPECT_EQ(ends.freed, 1);
    EXPECT_EQ(pool_objects_release(pool), POOL_ECLOSED);
    EXPECT_EQ(pool_objects_destroy(pool), POOL_ECLOSED);
}

TEST(ObjectPoolRelease, ThePoolLivesOnUntilTheLastObjectIsBack) {
    Ends ends;
    ObjectPoolUnderTest owner(ends.options());
    std::vector<Item *> items = owner.get_some(5);
    owner.put(items.back());
    items.pop_back();
    pool_objects *pool = owner.leave();
    EXPECT_EQ(pool_objects_release(pool), POOL_OK);
    EXPECT_EQ(ends.ledger.destroyed(), 1) << "the idle one, now";
    EXPECT_EQ(pool_objects_get(pool), nullptr);
    EXPECT_EQ(pool_last_error_status(), POOL_ECLOSED);
    EXPECT_EQ(pool_objects_sweep(pool), POOL_ECLOSED);
    for (Item *item : items) {
        EXPECT_EQ(ends.freed, 0);
        item->given();
        EXPECT_EQ(pool_objects_put(pool, item), POOL_OK);
        EXPECT_EQ(item->destroyed, 1) << "destroyed then";
    }
    EXPECT_EQ(ends.freed, 1);
    EXPECT_EQ(ends.ledger.alive(), 0);
    int foreign = 0;
    EXPECT_EQ(pool_objects_put(pool, &foreign), POOL_ECLOSED) << "now it has ended";
}

TEST(ObjectPoolRelease, AResetCallbackIsNotAskedAnyMore) {
    Ends ends;
    pool_objects_options options = ends.options();
    options.reset = Ledger::reset;
    ObjectPoolUnderTest owner(options);
    Item *item = owner.get();
    pool_objects *pool = owner.leave();
    EXPECT_EQ(pool_objects_release(pool), POOL_OK);
    item->given();
    EXPECT_EQ(pool_objects_put(pool, item), POOL_OK);
    EXPECT_EQ(item->resets, 0);
    EXPECT_EQ(item->destroyed, 1);
}

TEST(ObjectPoolRelease, PutsMayRunBesideIt) {
    constexpr int kThreads = 3, kEach = 20;
    for (int round = 0; round < 300; round++) {
        Ends ends;
        pool_objects_options options = ends.options();
        const uint64_t kBounds[] = {0, POOL_OBJECTS_KEEP_NONE, 10}; // kept, or dropped by the puts
        options.max_idle = kBounds[round % 3];
        ObjectPoolUnderTest owner(options);
        std::vector<std::vector<Item *>> items;
        for (int t = 0; t < kThreads; t++)
            items.push_back(owner.get_some(kEach));
        pool_objects *pool = owner.leave();
        std::atomic<int> ready{0};
        std::vector<std::thread> threads;
        for (int t = 0; t < kThreads; t++)
            threads.emplace_back([&, t] {
                ready++;
                while (ready < kThreads)
                    std::this_thread::yield();
                for (Item *item : items[static_cast<size_t>(t)]) {
                    item->given();
                    EXPECT_EQ(pool_objects_put(pool, item), POOL_OK);
                }
            });
        while (ready < kThreads)
            std::this_thread::yield();
        EXPECT_EQ(pool_objects_release(pool), POOL_OK);
        for (std::thread &thread : threads)
            thread.join();
        ASSERT_EQ(ends.ledger.alive(), 0) << "an object was lost in round " << round;
        ASSERT_EQ(ends.freed, 1) << "the pool did not end in round " << round;
    }
}

} // namespace
