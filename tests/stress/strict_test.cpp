// A pool on several CPUs does exactly what one bag would do: it creates only when it holds nothing,
// and drops only when it is full.
//
// SPDX-License-Identifier: Apache-2.0
#include "support/object_pool.h"
#include "torment.h"

#include <algorithm>
#include <set>
#include <thread>

namespace {

using namespace pool_test;

// What the pool must be like after each step, whichever CPU takes it.
class Model {
public:
    explicit Model(uint64_t bound) : bound_(bound), pool_(options()) {}

    void step(std::minstd_rand &random) {
        switch (random() % 16) {
        case 0:
            get_n(random() % 150 + 1);
            break;
        case 1:
            put_n(random() % 150 + 1);
            break;
        case 2:
            if (random() % 16 == 0)
                shrink(random() % 200);
            break;
        case 3:
            if (random() % 16 == 0)
                sweep();
            break;
        case 4:
        case 5:
        case 6:
        case 7:
            put();
            break;
        default:
            get();
        }
        check();
    }

    pool_objects_stats stats() const { return stats_of(pool_); }

private:
    pool_objects_options options() {
        pool_objects_options options = ledger_.options();
        options.max_idle = bound_;
        return options;
    }

    void took(void *object) {
        Item *item = static_cast<Item *>(object);
        ASSERT_NE(item, nullptr);
        EXPECT_TRUE(item->taken());
        bool made = known_.insert(item).second;
        EXPECT_EQ(made, idle_ == 0) << "created with " << idle_ << " idle";
        if (idle_ != 0)
            idle_--;
        held_.push_back(item);
    }
    void gave(Item *item) {
        bool full = bound_ != 0 && idle_ == bound_;
        EXPECT_EQ(item->destroyed, full ? 1 : 0) << "with " << idle_ << " idle of " << bound_;
        if (!full)
            idle_++;
    }

    void get() { took(pool_objects_get(pool_)); }
    void get_n(size_t n) {
        std::vector<void *> batch(n);
        ASSERT_EQ(pool_objects_get_n(pool_, batch.data(), n), n);
        for (void *object : batch)
            took(object);
    }
    void put() {
        if (held_.empty())
            return;
        Item *item = held_.back();
        held_.pop_back();
        pool_.put(item);
        gave(item);
    }
    void put_n(size_t n) {
        n = std::min(n, held_.size());
        std::vector<void *> batch;
        for (auto item = held_.end() - static_cast<long>(n); item != held_.end(); ++item) {
            EXPECT_TRUE((*item)->given());
            batch.push_back(*item);
        }
        held_.resize(held_.size() - n);
        EXPECT_EQ(pool_objects_put_n(pool_, batch.data(), n), POOL_OK);
        for (void *object : batch)
            gave(static_cast<Item *>(object));
    }
    void shrink(size_t keep) {
        EXPECT_EQ(pool_objects_shrink(pool_, keep), POOL_OK);
        idle_ = std::min<uint64_t>(idle_, keep);
    }
    // Which generation an object belongs to is the pool's business; what dies is not.
    void sweep() {
        int before = ledger_.destroyed();
        EXPECT_EQ(pool_objects_sweep(pool_), POOL_OK);
        uint64_t died = static_cast<uint64_t>(ledger_.destroyed() - before);
        ASSERT_LE(died, idle_);
        idle_ -= died;
    }

    void check() {
        pool_objects_stats now = pool_.stats();
        EXPECT_EQ(now.idle, idle_);
        EXPECT_EQ(static_cast<size_t>(now.out), held_.size());
        EXPECT_EQ(static_cast<uint64_t>(ledger_.alive()), idle_ + held_.size());
    }

    const uint64_t bound_;
    uint64_t idle_ = 0;
    std::vector<Item *> held_;
    std::set<Item *> known_;
    Ledger ledger_;
    ObjectPoolUnderTest pool_;
};

// Two threads take turns, each on a CPU of its own, and spin in between so that each keeps the id
// that chooses its slab.
template <class Step>
void take_turns(int turns, Step step) {
    std::vector<size_t> cpus = allowed_cpus();
    std::atomic<int> turn{0};
    auto play = [&](int side) {
        pin_to({side == 0 ? cpus.front() : cpus.back()});
        for (int mine = side; mine < turns; mine += 2) {
            for (int spins = 0; turn != mine; spins++)
                if (spins > 10000)
                    std::this_thread::yield();
            step();
            turn = mine + 1;
        }
    };
    std::thread other([&] { play(1); });
    std::thread([&] { play(0); }).join();
    other.join();
}

TEST(Strict, TwoCpusAreOneBag) {
    if (allowed_cpus().size() < 2)
        GTEST_SKIP() << "there is one CPU";
    uint64_t robberies = 0;
    for (uint64_t bound : {0u, 1u, 5u, 40u, 124u, 300u}) {
        Model model(bound);
        std::minstd_rand random(static_cast<unsigned>(bound) + 1);
        take_turns(400 * kScale, [&] {
            for (unsigned steps = random() % 8 + 1; steps != 0 && !HasFailure(); steps--)
                model.step(random);
        });
        pool_objects_stats stats = model.stats();
        EXPECT_GT(stats.hits_slab, 0u);
        robberies += stats.hits_stray + stats.hits_steal;
    }
    EXPECT_GT(robberies, 0u) << "one CPU never robbed the other";
}

// As many objects as all threads may hold at once, and no factory: no get may come back without.
TEST(Strict, EnoughForAllIsEnoughForEach) {
    constexpr unsigned kThreads = 8;
    for (size_t each : {1u, 2u, 40u}) {
        Ledger ledger;
        ObjectPoolUnderTest pool(ledger.options());
        ASSERT_EQ(pool_objects_prefill(pool, kThreads * each), POOL_OK);
        ASSERT_EQ(pool_objects_set_create(pool, nullptr, nullptr), POOL_OK);
        std::atomic<int> missed{0};
        torment(kThreads, [&](Tormentor::Victim &victim, unsigned, std::minstd_rand &random) {
            std::vector<void *> held(each);
            for (int i = 0; i < 20000 * kScale; i++) {
                size_t got = pool_objects_try_get_n(pool, held.data(), each);
                if (got < each)
                    missed++;
                pool_objects_put_n(pool, held.data(), got);
                if (random() % 1024 == 0)
                    victim.hop(random());
            }
        });
        EXPECT_EQ(missed, 0) << each << " for each thread";
        EXPECT_EQ(stats_of(pool).idle, kThreads * each);
    }
}

} // namespace
