// Threads, pools and processes that come and go.
//
// SPDX-License-Identifier: Apache-2.0
#include "support/object_pool.h"
#include "sync/child.h"
#include "sync/gate.h"
#include "torment.h"

#include <thread>

namespace {

using namespace pool_test;

TEST(Churn, TenThousandThreadsLeaveNothingBehind) {
    Ledger ledger;
    ObjectPoolUnderTest pool(ledger.options());
    auto wave = [&](int threads) {
        std::vector<std::thread> crew;
        for (int t = 0; t < threads; t++)
            crew.emplace_back([&] {
                for (int i = 0; i < 20; i++) {
                    Item *first = pool.get(), *second = pool.get();
                    pool.put(first);
                    pool.put(second);
                }
            });
        for (std::thread &thread : crew)
            thread.join();
    };
    wave(2);
    for (int i = 0; i < 200; i++)
        wave(50);
    expect_balanced(stats_of(pool));
    EXPECT_LE(ledger.created(), 100) << "two for each thread that was there at once";
    EXPECT_EQ(stats_of(pool).idle, static_cast<uint64_t>(ledger.created()));
    EXPECT_LE(stats_of(pool).shards, allowed_cpus().size() + 1);
    EXPECT_LT(stats_of(pool).bytes, 64 * 1024u);
}

TEST(Churn, PoolsComeAndGoBesideTheSweeperAndLatePuts) {
    Ledger ledger;
    pool_objects_options options = ledger.options();
    options.sweep_period = 1000000;
    for (int round = 0; round < 60 * kScale; round++) {
        pool_objects *pool;
        ASSERT_EQ(pool_objects_create(&options, &pool), POOL_OK);
        std::vector<void *> held(100);
        ASSERT_EQ(pool_objects_get_n(pool, held.data(), held.size()), held.size());
        std::vector<std::thread> crew;
        for (size_t t = 0; t < 4; t++)
            crew.emplace_back([&, t] {
                for (size_t i = t; i < held.size(); i += 4)
                    EXPECT_EQ(pool_objects_put(pool, held[i]), POOL_OK);
            });
        EXPECT_EQ(pool_objects_release(pool), POOL_OK);
        for (std::thread &thread : crew)
            thread.join();
        EXPECT_EQ(ledger.alive(), 0) << "round " << round;
    }
}

// Each thread makes, uses and ends pools of its own; the sweeper's thread, which all of them share,
// starts with the first and ends with the last.
TEST(Churn, ManyPoolsComeAndGoAtOnce) {
    pool_objects *probe;
    pool_objects_options pressed = POOL_OBJECTS_OPTIONS_INIT;
    pressed.flags = POOL_OBJECTS_SWEEP_ON_PRESSURE;
    const bool pressure = pool_objects_create(&pressed, &probe) == POOL_OK;
    if (pressure) {
        ASSERT_EQ(pool_objects_destroy(probe), POOL_OK);
    }
    Ledger ledger;
    torment(6, [&](Tormentor::Victim &, unsigned, std::minstd_rand &random) {
        for (int round = 0; round < 60 * kScale; round++) {
            pool_objects_options options = ledger.options();
            options.sweep_period = random() % 2 == 0 ? 1000000 : 0;
            options.max_idle = random() % 3 * 50;
            if (pressure && random() % 4 == 0)
                options.flags = POOL_OBJECTS_SWEEP_ON_PRESSURE;
            ObjectPoolUnderTest pool(options);
            for (int i = 0; i < 10; i++)
                pool.fill(static_cast<int>(random() % 150));
            if (random() % 4 == 0) {
                EXPECT_EQ(pool_objects_release(pool.leave()), POOL_OK);
            }
        }
    });
    EXPECT_EQ(ledger.alive(), 0);
}

// ---- forks ----

// A child that goes on with the pool, on threads of its own. 0, or what went wrong.
int go_on(pool_objects *pool) {
    // The ledger's lock may be held by a thread that is not here.
    pool_objects_set_create(
        pool, [](void *) -> void * { return new Item; }, nullptr);
    std::atomic<int> wrong{0};
    std::vector<std::thread> crew;
    for (int t = 0; t < 3; t++)
        crew.emplace_back([&] {
            std::vector<void *> items(150);
            for (int round = 0; round < 20; round++) {
                if (pool_objects_get_n(pool, items.data(), items.size()) != items.size())
                    wrong = 1;
                for (void *item : items)
                    if (!static_cast<Item *>(item)->taken())
                        wrong = 2;
                for (void *item : items)
                    if (!static_cast<Item *>(item)->given() ||
                        pool_objects_put(pool, item) != POOL_OK)
                        wrong = 3;
            }
        });
    for (std::thread &thread : crew)
        thread.join();
    return wrong;
}

// Other threads of the parent are anywhere in the pool when the child begins: an object that they
// have in their hands is lost to the child, but none is there twice.
TEST(Churn, AForkInTheMiddleOfItAll) {
    if (kForksAtRestOnly)
        GTEST_SKIP() << "threads that never rest";
    for (uint64_t bound : {uint64_t{0}, uint64_t{200}}) {
        Ledger ledger;
        pool_objects_options options = ledger.options();
        options.max_idle = bound;
        // The destroy callback of the child's sweeps must not touch what may be locked.
        options.destroy = [](void *object, void *) { static_cast<Item *>(object)->destroyed++; };
        ObjectPoolUnderTest pool(options);
        std::atomic<bool> done{false};
        std::vector<std::thread> crew;
        for (unsigned t = 0; t < 4; t++)
            crew.emplace_back([&, t] {
                std::minstd_rand random(t + 1);
                while (!done) {
                    std::vector<Item *> items = pool.get_some(static_cast<int>(random() % 150) + 1);
                    for (Item *item : items)
                        pool.put(item);
                    if (random() % 64 == 0)
                        pool_objects_sweep(pool);
                }
            });
        for (int i = 0; i < 30; i++)
            EXPECT_EQ(in_forked_child([&] {
                          if (int wrong = go_on(pool))
                              return wrong;
                          uint64_t idle = stats_of(pool).idle;
                          if (bound != 0 && idle > bound)
                              return 4;
                          if (pool_objects_shrink(pool, 0) != POOL_OK || stats_of(pool).idle != 0)
                              return 5;
                          // What the bound has room for is kept.
                          std::vector<Item> own(100);
                          for (Item &item : own)
                              if (pool_objects_put(pool, &item) != POOL_OK)
                                  return 6;
                          return stats_of(pool).idle == own.size() ? 0 : 7;
                      }),
                      0)
                << "with a bound of " << bound;
        done = true;
        for (std::thread &thread : crew)
            thread.join();
        expect_balanced(stats_of(pool));
    }
}

} // namespace
