// Everything at once: gets, puts, batches, sweeps, shrinks and prefills from many threads on few
// CPUs, which are moved about and interrupted.
//
// SPDX-License-Identifier: Apache-2.0
#include "support/object_pool.h"
#include "torment.h"

#include <algorithm>

namespace {

using namespace pool_test;

class Storm {
public:
    // `change` makes the pool's options what the test wants.
    template <class Change>
    explicit Storm(Change change) : pool(options(change)) {}

    void blow(unsigned threads, int rounds) {
        torment(threads, [&](Tormentor::Victim &victim, unsigned, std::minstd_rand &random) {
            work(victim, random, rounds);
        });
    }

    void work(Tormentor::Victim &victim, std::minstd_rand &random, int rounds) {
        std::vector<Item *> held;
        for (int i = 0; i < rounds; i++) {
            unsigned what = static_cast<unsigned>(random() % 64);
            bool seldom = random() % 16 == 0;
            if (what < 24) {
                held.push_back(pool.get());
            } else if (what < 26) {
                if (Item *item = pool.try_get())
                    held.push_back(item);
            } else if (what < 30) {
                void *batch[40];
                size_t wanted = random() % 40 + 1;
                size_t got = what < 28 ? pool_objects_get_n(pool, batch, wanted)
                                       : pool_objects_try_get_n(pool, batch, wanted);
                for (size_t k = 0; k < got; k++) {
                    held.push_back(static_cast<Item *>(batch[k]));
                    EXPECT_TRUE(held.back()->taken());
                }
            } else if (what < 34) {
                put_some(held, random() % 60 + 1);
            } else if (what == 34 && seldom) {
                EXPECT_EQ(pool_objects_sweep(pool), POOL_OK);
            } else if (what == 35 && seldom) {
                EXPECT_EQ(pool_objects_shrink(pool, random() % 100), POOL_OK);
            } else if (what == 36 && seldom) {
                EXPECT_EQ(pool_objects_prefill(pool, 20), POOL_OK);
            } else if (what == 37 && seldom) {
                victim.hop(random());
            } else if (what == 38 && seldom) {
                stats_of(pool);
            } else if (!held.empty()) {
                pool.put(held.back());
                held.pop_back();
            }
            if (held.size() > 300)
                put_some(held, 250);
        }
        put_some(held, held.size());
    }

    void put_some(std::vector<Item *> &held, size_t n) {
        n = std::min(n, held.size());
        std::vector<void *> batch;
        for (size_t k = 0; k < n; k++) {
            EXPECT_TRUE(held.back()->given());
            batch.push_back(held.back());
            held.pop_back();
        }
        EXPECT_EQ(pool_objects_put_n(pool, batch.data(), n), POOL_OK);
    }

    void expect_whole() {
        pool_objects_stats stats = stats_of(pool);
        expect_balanced(stats);
        EXPECT_EQ(stats.out, 0);
        EXPECT_EQ(stats.misuses, 0u);
        EXPECT_EQ(stats.created, static_cast<uint64_t>(ledger.created()));
        EXPECT_EQ(stats.destroyed, static_cast<uint64_t>(ledger.destroyed()));
        // Nothing is lost: all that should be idle can be had, each once.
        std::vector<Item *> all = take_all();
        EXPECT_EQ(all.size(), stats.idle);
        end(all);
    }

    // While sweeps go on no two counts are of the same moment. Sooner or later what was not swept is
    // all in these hands.
    void expect_whole_beside_sweeps() {
        std::vector<Item *> all = take_all();
        while (ledger.alive() != static_cast<int>(all.size()))
            std::this_thread::yield();
        EXPECT_EQ(stats_of(pool).misuses, 0u);
        end(all);
    }

    std::vector<Item *> take_all() {
        std::vector<Item *> all;
        while (Item *item = pool.try_get())
            all.push_back(item);
        return all;
    }

    void end(const std::vector<Item *> &all) {
        for (Item *item : all)
            pool.put(item);
        EXPECT_EQ(pool.destroy(), POOL_OK);
        EXPECT_EQ(ledger.created(), ledger.destroyed());
    }

private:
    template <class Change>
    pool_objects_options options(Change change) {
        pool_objects_options options = ledger.options();
        change(options);
        return options;
    }

public:
    Ledger ledger;
    ObjectPoolUnderTest pool;
};

TEST(Storm, NothingIsLostDoubledOrDestroyedTwice) {
    uint64_t before = Tormentor::interruptions();
    Storm storm([](pool_objects_options &) {});
    storm.blow(12, 200000 * kScale);
    storm.expect_whole();
    EXPECT_GT(Tormentor::interruptions(), before + 100) << "there was no torment";
}

TEST(Storm, WithAResetCallback) {
    Storm storm([](pool_objects_options &options) { options.reset = Ledger::reset; });
    storm.blow(12, 60000 * kScale);
    storm.expect_whole();
}

TEST(Storm, WithAResetCallbackThatRefusesSome) {
    Storm storm([](pool_objects_options &options) {
        options.reset = [](void *object, void *ctx) {
            return static_cast<Item *>(object)->serial % 3 == 0 ? POOL_EBAD
                                                                : Ledger::reset(object, ctx);
        };
    });
    storm.blow(12, 20000 * kScale);
    storm.expect_whole();
}

TEST(Storm, InCheckedMode) {
    Storm storm([](pool_objects_options &options) { options.flags = POOL_OBJECTS_CHECKED; });
    storm.blow(8, 20000 * kScale);
    storm.expect_whole();
}

TEST(Storm, WithTheBackgroundSweeper) {
    Storm storm([](pool_objects_options &options) { options.sweep_period = 1000000; });
    storm.blow(8, 60000 * kScale);
    storm.expect_whole_beside_sweeps();
}

TEST(Storm, UnderABound) {
    for (uint64_t bound : {uint64_t{1}, uint64_t{50}, uint64_t{400}, POOL_OBJECTS_KEEP_NONE}) {
        Storm storm([&](pool_objects_options &options) { options.max_idle = bound; });
        uint64_t most = bound == POOL_OBJECTS_KEEP_NONE ? 0 : bound;
        for (int gust = 0; gust < 10; gust++) {
            storm.blow(8, 3000 * kScale);
            ASSERT_LE(stats_of(storm.pool).idle, most);
        }
        // And below it nothing is dropped.
        uint64_t dropped = stats_of(storm.pool).dropped;
        ASSERT_EQ(pool_objects_shrink(storm.pool, 0), POOL_OK);
        storm.pool.fill(static_cast<int>(most));
        EXPECT_EQ(stats_of(storm.pool).dropped, dropped);
        EXPECT_EQ(stats_of(storm.pool).idle, most);
        storm.expect_whole();
    }
}

} // namespace
