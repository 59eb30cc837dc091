// Taking and giving back, one object at a time.
//
// SPDX-License-Identifier: Apache-2.0
#include "support/object_pool.h"

#include <cstring>
#include <thread>

namespace {

using namespace pool_test;

TEST(ObjectPool, CreatesOnlyWhatIsNotThere) {
    Ledger ledger;
    ObjectPoolUnderTest pool(ledger.options());
    Item *first = pool.get();
    Item *second = pool.get();
    EXPECT_NE(first, second);
    EXPECT_EQ(ledger.created(), 2);
    pool.put(first);
    EXPECT_EQ(pool.get(), first);
    EXPECT_EQ(ledger.created(), 2);
    pool.put(first);
    pool.put(second);
}

TEST(ObjectPool, KeepsEveryObjectWhereThereIsNoBound) {
    constexpr int kMany = 3000; // dozens of slabs and magazines
    Ledger ledger;
    {
        ObjectPoolUnderTest pool(ledger.options());
        pool.fill(kMany);
        EXPECT_EQ(pool.idle(), static_cast<uint64_t>(kMany));
        EXPECT_EQ(ledger.destroyed(), 0);
        std::vector<Item *> again = pool.get_some(kMany);
        EXPECT_EQ(ledger.created(), kMany) << "a get that could be served from the pool";
        EXPECT_EQ(pool.idle(), 0u);
        pool.put_all(again);
    }
    EXPECT_EQ(ledger.destroyed(), kMany) << "all at the end";
}

TEST(ObjectPool, TryGetNeverCreates) {
    Ledger ledger;
    ObjectPoolUnderTest pool(ledger.options());
    EXPECT_EQ(pool.try_get(), nullptr);
    EXPECT_EQ(pool_last_error_status(), POOL_EAGAIN);
    EXPECT_NE(strstr(pool_last_error(), "empty"), nullptr);
    EXPECT_EQ(ledger.created(), 0);
    Item *item = pool.get();
    pool.put(item);
    EXPECT_EQ(pool.try_get(), item);
    pool.put(item);
}

TEST(ObjectPool, PutOfNullIsIgnored) {
    Ledger ledger;
    ObjectPoolUnderTest pool(ledger.options());
    EXPECT_EQ(pool_objects_put(pool, nullptr), POOL_OK);
    pool_objects_stats stats = pool.stats();
    EXPECT_EQ(stats.puts, 0u);
    EXPECT_EQ(stats.idle, 0u);
    EXPECT_EQ(pool.try_get(), nullptr);
}

TEST(ObjectPool, AnyPointerSizedValueIsAnObject) {
    pool_objects_options options = POOL_OBJECTS_OPTIONS_INIT;
    ObjectPoolUnderTest pool(options);
    for (uintptr_t value : {uintptr_t{1}, uintptr_t{0x5555}, UINTPTR_MAX}) {
        EXPECT_EQ(pool_objects_put(pool, reinterpret_cast<void *>(value)), POOL_OK);
        EXPECT_EQ(reinterpret_cast<uintptr_t>(pool_objects_get(pool)), value);
    }
}

TEST(ObjectPool, WithoutAFactoryGetSaysSo) {
    Ledger ledger;
    pool_objects_options options = ledger.options();
    options.create = nullptr;
    ObjectPoolUnderTest pool(options);
    EXPECT_EQ(pool.get(), nullptr);
    EXPECT_EQ(pool_last_error_status(), POOL_EAGAIN);
    EXPECT_NE(strstr(pool_last_error(), "no create callback"), nullptr);
    EXPECT_EQ(pool.stats().create_fails, 0u);
}

TEST(ObjectPool, ObjectsMadeElsewhereAreAdopted) {
    Ledger ledger;
    {
        ObjectPoolUnderTest pool(ledger.options());
        Item *item = ledger.make();
        EXPECT_EQ(pool_objects_put(pool, item), POOL_OK);
        pool_objects_stats stats = pool.stats();
        EXPECT_EQ(stats.idle, 1u);
        EXPECT_EQ(stats.out, -1) << "more were put than got";
        EXPECT_EQ(pool.get(), item);
        EXPECT_EQ(pool.stats().out, 0);
        pool.put(item);
    }
    EXPECT_EQ(ledger.alive(), 0);
}

TEST(ObjectPool, TheFactoryCanBeReplacedAndRemoved) {
    Ledger first, second;
    pool_objects_options options = first.options();
    options.destroy = nullptr;
    ObjectPoolUnderTest pool(options);
    Item *old = pool.get();
    ASSERT_EQ(pool_objects_set_create(pool, Ledger::create, &second), POOL_OK);
    Item *fresh = pool.get();
    EXPECT_EQ(fresh, &second.item(0));
    EXPECT_EQ(first.created(), 1);
    ASSERT_EQ(pool_objects_set_create(pool, nullptr, nullptr), POOL_OK);
    EXPECT_EQ(pool.get(), nullptr);
    EXPECT_EQ(pool_last_error_status(), POOL_EAGAIN);
    pool.put(old);
    EXPECT_EQ(pool.get(), old) << "what is in the pool outlives its factory";
    pool.put(old);
    pool.put(fresh);
}

TEST(ObjectPool, TheContextOfAReplacedFactoryIsNotFreedByIt) {
    int freed = 0;
    pool_objects_options options = POOL_OBJECTS_OPTIONS_INIT;
    options.ctx = &freed;
    options.ctx_free = [](void *ctx) { ++*static_cast<int *>(ctx); };
    Ledger ledger;
    {
        ObjectPoolUnderTest pool(options);
        ASSERT_EQ(pool_objects_set_create(pool, Ledger::create, &ledger), POOL_OK);
        EXPECT_EQ(freed, 0);
    }
    EXPECT_EQ(freed, 1) << "the first context, once, at the end";
}

TEST(ObjectPool, ResetRunsOnEveryPutBeforeOthersSeeTheObject) {
    Ledger ledger;
    pool_objects_options options = ledger.options();
    options.reset = Ledger::reset;
    ObjectPoolUnderTest pool(options);
    Item *item = pool.get();
    EXPECT_EQ(item->resets, 0);
    for (int i = 1; i <= 3; i++) {
        pool.put(item);
        EXPECT_EQ(item->resets, i);
        EXPECT_EQ(pool.get(), item);
    }
    void *as_batch = item;
    EXPECT_TRUE(item->given());
    EXPECT_EQ(pool_objects_put_n(pool, &as_batch, 1), POOL_OK);
    EXPECT_EQ(item->resets, 4);
}

TEST(ObjectPool, AnObjectThatResetRefusesIsDestroyed) {
    Ledger ledger;
    pool_objects_options options = ledger.options();
    options.reset = Ledger::refuse;
    ObjectPoolUnderTest pool(options);
    Item *item = pool.get();
    pool.put(item);
    EXPECT_EQ(item->destroyed, 1);
    pool_objects_stats stats = pool.stats();
    EXPECT_EQ(stats.puts, 1u);
    EXPECT_EQ(stats.dropped, 1u);
    EXPECT_EQ(stats.destroyed, 1u);
    EXPECT_EQ(stats.idle, 0u);
    EXPECT_EQ(stats.out, 0);
}

TEST(ObjectPool, WithoutADestroyCallbackDroppedObjectsAreForgotten) {
    Ledger ledger;
    pool_objects_options options = ledger.options();
    options.destroy = nullptr;
    options.max_idle = 1;
    ObjectPoolUnderTest pool(options);
    pool.fill(3);
    EXPECT_EQ(pool.stats().destroyed, 2u);
    EXPECT_EQ(ledger.destroyed(), 0);
}

TEST(ObjectPool, WhatAThreadDidToAnObjectTheNextOneSees) {
    constexpr int kRounds = 3000;
    Ledger ledger;
    ObjectPoolUnderTest pool(ledger.options());
    pool.put(pool.get());
    // One object, two threads: each finds the other's last value, if only one exists.
    auto play = [&] {
        for (int done = 0; done < kRounds;) {
            Item *item = pool.try_get();
            if (item == nullptr) {
                std::this_thread::yield();
                continue;
            }
            item->value++;
            done++;
            pool.put(item);
        }
    };
    std::thread other(play);
    play();
    other.join();
    EXPECT_EQ(ledger.created(), 1);
    EXPECT_EQ(ledger.item(0).value, 2 * kRounds);
}

} // namespace
