// Object pools in the child after fork.
//
// SPDX-License-Identifier: Apache-2.0
#include "support/object_pool.h"
#include "sync/child.h"
#include "sync/gate.h"

#include <thread>

namespace {

using namespace pool_test;

// Uses the pool in every way, as a child does. 0, or what went wrong.
int use(pool_objects *pool) {
    void *objects[200];
    if (pool_objects_get_n(pool, objects, 200) != 200)
        return 11;
    if (pool_objects_put_n(pool, objects, 200) != POOL_OK)
        return 12;
    for (int i = 0; i < 300; i++) {
        void *object = pool_objects_get(pool);
        if (object == nullptr || pool_objects_put(pool, object) != POOL_OK)
            return 13;
    }
    if (pool_objects_sweep(pool) != POOL_OK || pool_objects_sweep(pool) != POOL_OK)
        return 14;
    pool_objects_stats stats;
    stats.size = sizeof stats;
    if (pool_objects_get_stats(pool, &stats) != POOL_OK || stats.idle != 0)
        return 15;
    return 0;
}

TEST(ObjectPoolFork, TheChildHasItsOwnCopyOfThePool) {
    Ledger ledger;
    ObjectPoolUnderTest pool(ledger.options());
    Item *held = pool.get();
    pool.fill(10);
    EXPECT_EQ(in_forked_child([&] {
                  pool_objects_stats stats = stats_of(pool);
                  if (stats.idle != 10 || stats.out != 1)
                      return 1;
                  // What this thread held before the fork, it holds here too.
                  held->given();
                  if (pool_objects_put(pool, held) != POOL_OK || stats_of(pool).idle != 11)
                      return 2;
                  if (int wrong = use(pool))
                      return wrong;
                  return pool_objects_destroy(pool) == POOL_OK && ledger.alive() == 0 ? 0 : 3;
              }),
              0);
    EXPECT_EQ(pool.stats().idle, 10u) << "the parent is as it was";
    EXPECT_EQ(ledger.destroyed(), 0);
    pool.put(held);
}

TEST(ObjectPoolFork, WhatOtherThreadsHeldIsAbandoned) {
    Ledger ledger;
    ObjectPoolUnderTest pool(ledger.options());
    Gate got, done;
    std::thread holder([&] {
        Item *item = pool.get();
        got.open();
        done.wait();
        pool.put(item);
    });
    got.wait();
    EXPECT_EQ(in_forked_child([&] {
                  if (stats_of(pool).out != 1)
                      return 1;
                  if (int wrong = use(pool))
                      return wrong;
                  // Never to come back: still no reason not to end.
                  if (stats_of(pool).out != 1)
                      return 2;
                  return pool_objects_destroy(pool) == POOL_OK && ledger.alive() == 1 ? 0 : 3;
              }),
              0);
    done.open();
    holder.join();
}

// In the child each object is in one place, and the pool is whole, wherever the parent's threads
// were; what was on its way between two places may be lost.
void fork_in_traffic(const pool_objects_options &options, int forks) {
    if (kForksAtRestOnly)
        GTEST_SKIP() << "threads that never rest";
    ObjectPoolUnderTest pool(options);
    std::atomic<bool> stop{false};
    std::vector<std::thread> threads;
    for (int t = 0; t < 2; t++)
        threads.emplace_back([&, t] {
            for (int i = 0; !stop; i++) {
                pool.put_all(pool.get_some(1 + (i + t) % 150));
                if (t == 1 && i % 16 == 0)
                    pool_objects_sweep(pool);
            }
        });
    eventually([&] { return stats_of(pool).sweeps > 2; });
    int wrong = 0;
    for (int i = 0; i < forks && wrong == 0; i++)
        wrong = in_forked_child([&] {
            // The ledger's lock may be held by a thread that is not here.
            auto make = [](void *) -> void * { return new Item; };
            if (pool_objects_set_create(pool, make, nullptr) != POOL_OK)
                return 7;
            uint64_t idle = stats_of(pool).idle;
            if (options.max_idle != 0 && idle > options.max_idle)
                return 1;
            std::vector<void *> items;
            while (void *object = pool_objects_try_get(pool)) {
                if (!static_cast<Item *>(object)->taken())
                    return 2; // the same object twice, or one that a thread of the parent held
                if (static_cast<Item *>(object)->destroyed != 0)
                    return 3;
                items.push_back(object);
            }
            if (stats_of(pool).idle != 0)
                return 4;
            for (void *object : items) {
                static_cast<Item *>(object)->given();
                if (pool_objects_put(pool, object) != POOL_OK)
                    return 5;
            }
            if (int failed = use(pool))
                return failed;
            // A checked pool reports what the parent's threads held.
            pool_status end = pool_objects_destroy(pool);
            return end == POOL_OK || (options.flags != 0 && end == POOL_EMISUSE) ? 0 : 6;
        });
    stop = true;
    for (std::thread &thread : threads)
        thread.join();
    EXPECT_EQ(wrong, 0);
}

TEST(ObjectPoolFork, InTheMiddleOfTrafficTheChildFindsAWholePool) {
    Ledger ledger;
    fork_in_traffic(ledger.options(), 25);
}

TEST(ObjectPoolFork, ABoundedOneToo) {
    Ledger ledger;
    pool_objects_options options = ledger.options();
    options.max_idle = 100;
    fork_in_traffic(options, 25);
}

TEST(ObjectPoolFork, ACheckedOneToo) {
    Ledger ledger;
    pool_objects_options options = ledger.options();
    options.flags = POOL_OBJECTS_CHECKED;
    fork_in_traffic(options, 25);
}

TEST(ObjectPoolFork, TheChildStartsItsOwnSweeperWhenItNeedsOne) {
    if (kThreadSanitizer)
        GTEST_SKIP() << "no threads in the child";
    Ledger ledger;
    pool_objects_options options = ledger.options();
    options.sweep_period = kMillisecond;
    ObjectPoolUnderTest pool(options);
    pool.fill(1);
    eventually([&] { return ledger.alive() == 0; });
    EXPECT_EQ(in_forked_child([&] {
                  uint64_t before = stats_of(pool).sweeps;
                  // A get that finds nothing notices that the thread was left behind.
                  void *object = pool_objects_get(pool);
                  if (object == nullptr || pool_objects_put(pool, object) != POOL_OK)
                      return 1;
                  eventually([&] { return ledger.alive() == 0; });
                  // A sweep is counted at its end.
                  eventually([&] { return stats_of(pool).sweeps >= before + 2; });
                  return pool_objects_destroy(pool) == POOL_OK ? 0 : 2;
              }),
              0);
    pool.fill(1);
    eventually([&] { return ledger.alive() == 0; });
}

TEST(ObjectPoolFork, TheChildMayDestroyASweptPoolAtOnce) {
    Ledger ledger;
    pool_objects_options options = ledger.options();
    options.sweep_period = kMillisecond;
    ObjectPoolUnderTest pool(options);
    EXPECT_EQ(in_forked_child([&] { return pool_objects_destroy(pool) == POOL_OK ? 0 : 1; }), 0);
}

TEST(ObjectPoolFork, ACallbackMayFork) {
    struct Forking {
        Ledger ledger;
        pool_objects *pool = nullptr;
        int result = -1;
        static void destroy(void *object, void *ctx) {
            auto *self = static_cast<Forking *>(ctx);
            Ledger::destroy(object, &self->ledger);
            if (self->result == -1)
                self->result = in_forked_child([self] {
                    // Still inside the callback, and so of the sweep.
                    if (pool_objects_sweep(self->pool) != POOL_EDEADLK)
                        return 1;
                    if (pool_objects_destroy(self->pool) != POOL_EDEADLK)
                        return 2;
                    return pool_objects_put(self->pool, self->ledger.make()) == POOL_OK ? 0 : 3;
                });
        }
    } forking;
    pool_objects_options options = POOL_OBJECTS_OPTIONS_INIT;
    options.destroy = Forking::destroy;
    options.ctx = &forking;
    ObjectPoolUnderTest pool(options);
    forking.pool = pool;
    EXPECT_EQ(pool_objects_put(pool, forking.ledger.make()), POOL_OK);
    pool_objects_sweep(pool);
    pool_objects_sweep(pool);
    EXPECT_EQ(forking.result, 0);
}

TEST(ObjectPoolFork, AReleasedPoolEndsInTheChildWithItsLastObject) {
    Ledger ledger;
    ObjectPoolUnderTest owner(ledger.options());
    Item *item = owner.get();
    pool_objects *pool = owner.leave();
    ASSERT_EQ(pool_objects_release(pool), POOL_OK);
    EXPECT_EQ(in_forked_child([&] {
                  item->given();
                  if (pool_objects_put(pool, item) != POOL_OK || item->destroyed != 1)
                      return 1;
                  return pool_objects_put(pool, item) == POOL_ECLOSED ? 0 : 2;
              }),
              0);
    item->given();
    EXPECT_EQ(pool_objects_put(pool, item), POOL_OK);
    EXPECT_EQ(item->destroyed, 1);
}

} // namespace
