// The bag as its pools use it, on one CPU and on two, in both CPU modes.
//
// SPDX-License-Identifier: Apache-2.0
#include "bag.h"

#include <algorithm>
#include <numeric>

namespace {

using namespace pool;
using namespace pool_test;

constexpr uint32_t kHalf = kMagazineSlots;

class ShardsTest : public InBothModes {
protected:
    // `play` on a new bag, until two CPUs have been undisturbed. It may not fail: it only looks.
    template <class Play>
    bool play(Play play) {
        return play_on_two_cpus(GetParam(), [&](TwoCpus &cpus) {
            Bag bag(GetParam());
            play(bag, cpus);
        });
    }
};
#define PLAY_OR_SKIP(...)                                                                          \
    if (!play(__VA_ARGS__))                                                                        \
    GTEST_SKIP() << "no two CPUs of one's own"

TEST_P(ShardsTest, ReportsItsMode) {
    Bag bag(GetParam());
    EXPECT_EQ(bag->uses_sequences(), GetParam() == POOL_CPU_RSEQ);
}

TEST_P(ShardsTest, AnEmptyBagGivesNothing) {
    Bag bag(GetParam());
    void *one;
    EXPECT_FALSE(bag->get_fast(&one));
    EXPECT_FALSE(bag->get_locked(&one));
    EXPECT_EQ(bag->get(), nullptr);
    void *some[3];
    EXPECT_EQ(bag->get_n(some, 3), 0u);
    EXPECT_EQ(bag->idle(), 0u);
}

TEST_P(ShardsTest, TheFastPathOfItsModeServesBothWays) {
    Bag bag(GetParam());
    bag.put(1, 1); // makes the shard of this CPU
    EXPECT_EQ(bag.get(1), (std::vector<uintptr_t>{1}));
    bool sequences = GetParam() == POOL_CPU_RSEQ;
    int served = 0;
    for (int i = 0; i < 100; i++) { // this thread may move to a CPU without a shard
        void *one = nullptr;
        bool put = sequences ? bag.put_fast(object(7)) : bag->put_locked(object(7));
        EXPECT_FALSE(put && (sequences ? false : bag.put_fast(object(8))));
        if (!put) {
            bag.put(9, 1);
            bag.get_one();
            continue;
        }
        bool got = sequences ? bag->get_fast(&one) : bag->get_locked(&one);
        if (got) {
            EXPECT_EQ(one, object(7));
            served++;
        } else {
            bag.get_one();
        }
    }
    EXPECT_GT(served, 0);
}

// The compiler may not drop a sequence whose result nobody looks at.
TEST_P(ShardsTest, AnObjectThatIsTakenAndIgnoredIsTakenAllTheSame) {
    Bag bag(GetParam());
    bag.put(1, 1);
    bag.get_one();
    EXPECT_EQ(bag->idle(), 0u);
}

TEST_P(ShardsTest, WhatASlabHasTooMuchOfGoesToItsDepotAndComesBack) {
    std::vector<uintptr_t> got;
    uint64_t depot_hits = 0, slab_hits = 0, steals = 0, fences = 0;
    PLAY_OR_SKIP([&](Bag &bag, TwoCpus &cpus) {
        cpus.on(0, [&] {
            bag.put(1, 300);
            got = bag.get(300);
        });
        ShardsStats stats = bag->stats();
        depot_hits = bag.hits(Origin::kDepot);
        steals = bag.hits(Origin::kSteal) + bag.hits(Origin::kStray);
        slab_hits = stats.hits_slab;
        fences = stats.fences;
    });
    EXPECT_EQ(got.front(), 300u) << "the newest first";
    std::sort(got.begin(), got.end());
    std::vector<uintptr_t> all(300);
    std::iota(all.begin(), all.end(), uintptr_t{1});
    EXPECT_EQ(got, all) << "an object was lost or doubled";
    EXPECT_GE(depot_hits, 1u);
    EXPECT_LE(depot_hits, 300u / kHalf) << "one get in a magazine's worth goes to the depot";
    EXPECT_EQ(slab_hits, 300 - depot_hits);
    EXPECT_EQ(steals, 0u);
    EXPECT_EQ(fences, 0u) << "a CPU by itself needs no fence";
}

TEST_P(ShardsTest, AGetSearchesInItsOrder) {
    std::vector<Origin> order;
    std::vector<uint64_t> idle;
    PLAY_OR_SKIP([&](Bag &bag, TwoCpus &cpus) {
        order.clear();
        // Victims first, then the other CPU's depot and slab, then this CPU's own depot and slab.
        cpus.on(1, [&] { bag.put(1, 5); });
        bag->sweep(bag.disposal());
        cpus.on(1, [&] { bag.put(1001, kSlabSlots + kHalf); });
        cpus.on(0, [&] { bag.put(2001, kSlabSlots + kHalf); });
        cpus.on(0, [&] {
            uint64_t before[kOrigins];
            std::copy_n(bag->stats().hits, kOrigins, before);
            while (bag.get_one() != nullptr) {
                ShardsStats stats = bag->stats();
                for (int i = 0; i < kOrigins; i++)
                    if (stats.hits[i] != before[i] &&
                        (order.empty() || order.back() != static_cast<Origin>(i)))
                        order.push_back(static_cast<Origin>(i));
                std::copy_n(stats.hits, kOrigins, before);
            }
        });
        idle = {bag->idle()};
    });
    EXPECT_EQ(order, (std::vector<Origin>{Origin::kDepot, Origin::kSteal, Origin::kVictim,
                                          Origin::kStray}));
    EXPECT_EQ(idle, (std::vector<uint64_t>{0}));
}

TEST_P(ShardsTest, AnotherCpusSlabIsTakenHalfAtATimeBehindOneFence) {
    uint64_t fences = 0, strays = 0, hits_slab = 0;
    std::vector<uintptr_t> got;
    uint64_t left = 0;
    PLAY_OR_SKIP([&](Bag &bag, TwoCpus &cpus) {
        cpus.on(1, [&] {
            bag.put(500, 1);
            bag.get_one(); // a shard of its own, and one that does not only take
        });
        cpus.on(0, [&] { bag.put(1, 40); });
        cpus.on(1, [&] { got = bag.get(1); });
        ShardsStats stats = bag->stats();
        fences = stats.fences;
        strays = bag.hits(Origin::kStray);
        hits_slab = stats.hits_slab;
        left = bag->idle();
    });
    EXPECT_GE(got[0], 1u);
    EXPECT_LE(got[0], 40u);
    EXPECT_EQ(strays, 1u);
    EXPECT_EQ(hits_slab, 1u);
    EXPECT_EQ(left, 39u);
    EXPECT_EQ(fences, GetParam() == POOL_CPU_RSEQ ? 1u : 0u);
}

TEST_P(ShardsTest, ARobbedCpuIsSharedForAWhileAndThenItsOwnAgain) {
    if (GetParam() != POOL_CPU_RSEQ)
        GTEST_SKIP() << "slabs are shared for ever";
    bool fast_before = false, fast_after = true, shared_serves = false;
    int uses[2] = {};
    PLAY_OR_SKIP([&](Bag &bag, TwoCpus &cpus) {
        for (int &n : uses) {
            n = 0;
            cpus.on(0, [&] { bag.put(1, 10); });
            cpus.on(0, [&] {
                void *one;
                fast_before = bag->get_fast(&one) && bag.put_fast(one);
            });
            cpus.on(1, [&] {
                while (bag.get_one() != nullptr)
                    ;
            });
            cpus.on(0, [&] {
                void *one;
                fast_after = bag.put_fast(object(1));
                shared_serves = bag->put_shared(object(1)) && bag->get_shared(&one);
                while (n < 100000 && !bag.put_fast(object(2))) {
                    bag.put(3, 1);
                    bag.get_one();
                    n++;
                }
                while (bag.get_one() != nullptr)
                    ;
            });
        }
    });
    EXPECT_TRUE(fast_before);
    EXPECT_FALSE(fast_after) << "a sequence ran on a slab that was revoked";
    EXPECT_TRUE(shared_serves);
    EXPECT_GT(uses[0], 10) << "given back at once: the next robber pays a fence again";
    EXPECT_LT(uses[0], 1000);
    EXPECT_GT(uses[1], uses[0]) << "each time for longer";
    EXPECT_LT(uses[1], 100000);
}

TEST_P(ShardsTest, SweepsHaveTwoGenerations) {
    Bag bag(GetParam());
    bag.put(1, 200);
    EXPECT_EQ(bag->sweep(bag.disposal()), 0u);
    EXPECT_EQ(bag->idle(), 200u);
    bag.put(1001, 50);
    EXPECT_EQ(bag->sweep(bag.disposal()), 200u);
    EXPECT_EQ(bag.disposed.size(), 200u);
    for (void *one : bag.disposed)
        EXPECT_LE(number(one), 200u);
    std::vector<uintptr_t> got = bag.get(50);
    EXPECT_EQ(*std::min_element(got.begin(), got.end()), 1001u);
    EXPECT_EQ(bag->sweep(bag.disposal()), 0u);
}

TEST_P(ShardsTest, ARescueTakesMoreEachTimeAndASweepForgetsIt) {
    uint64_t victims[4] = {};
    PLAY_OR_SKIP([&](Bag &bag, TwoCpus &cpus) {
        cpus.on(0, [&] { bag.put(1, 62); });
        bag->sweep(bag.disposal());
        cpus.on(0, [&] {
            for (uint64_t &hits : victims) {
                bag.get(1);
                hits = bag.hits(Origin::kVictim);
            }
        });
    });
    // 1, then 2 of which the second is found in the slab, then the rest of 4.
    EXPECT_EQ(victims[0], 1u);
    EXPECT_EQ(victims[1], 2u);
    EXPECT_EQ(victims[2], 2u);
    EXPECT_EQ(victims[3], 3u);
}

TEST_P(ShardsTest, ShrinkGoesFromTheOldestToTheNewest) {
    Bag bag(GetParam());
    bag.put(1, 10);
    bag->sweep(bag.disposal());
    bag.put(101, 10);
    EXPECT_EQ(bag->shrink(15, bag.disposal()), 5u);
    for (void *one : bag.disposed)
        EXPECT_LE(number(one), 10u);
    EXPECT_EQ(bag->shrink(8, bag.disposal()), 7u);
    EXPECT_EQ(bag->idle(), 8u);
    EXPECT_EQ(bag->shrink(8, bag.disposal()), 0u);
    EXPECT_EQ(bag->shrink(0, bag.disposal()), 8u);
}

TEST_P(ShardsTest, TheBoundIsExactOnTwoCpus) {
    for (uint64_t bound : {uint64_t{1}, uint64_t{7}, uint64_t{124}, uint64_t{130}}) {
        uint64_t kept = 0, kept_again = 0;
        bool one_more = true;
        bool played = play_on_two_cpus(GetParam(), [&](TwoCpus &cpus) {
            Bag bag(GetParam(), bound);
            kept = kept_again = 0;
            for (int round = 0; round < 8; round++)
                cpus.on(round % 2, [&] {
                    for (int i = 0; i < 25; i++)
                        kept += bag.put_one(object(1));
                });
            cpus.on(0, [&] { one_more = bag.put_one(object(1)); });
            // All room is on one CPU now; what leaves it can be put on the other.
            cpus.on(0, [&] {
                while (bag.get_one() != nullptr)
                    ;
            });
            cpus.on(1, [&] {
                while (kept_again <= bound && bag.put_one(object(1)))
                    kept_again++;
            });
        });
        if (!played)
            GTEST_SKIP() << "no two CPUs of one's own";
        EXPECT_EQ(kept, bound);
        EXPECT_FALSE(one_more);
        EXPECT_EQ(kept_again, bound) << "room was stranded on the other CPU";
    }
}

TEST_P(ShardsTest, BatchesKeepAndTakeTheFirstOnes) {
    Bag bag(GetParam(), 100);
    std::vector<void *> in(150), out(150);
    for (size_t i = 0; i < in.size(); i++)
        in[i] = object(i + 1);
    EXPECT_EQ(bag->put_n(in.data(), 150), 100u);
    EXPECT_EQ(bag->get_n(out.data(), 150), 100u);
    std::vector<void *> got(out.begin(), out.begin() + 100);
    std::sort(got.begin(), got.end());
    EXPECT_TRUE(std::equal(got.begin(), got.end(), in.begin())) << "not the first 100";
    EXPECT_EQ(out[100], nullptr);
}

TEST_P(ShardsTest, AStoppedBagHasNoFastPathButKeepsItsObjects) {
    for (bool quiescent : {false, true}) {
        Bag bag(GetParam());
        bag.put(1, 150);
        bag->stop(quiescent);
        void *one;
        EXPECT_FALSE(bag->get_fast(&one));
        EXPECT_FALSE(bag.put_fast(object(9)));
        EXPECT_FALSE(bag->get_locked(&one));
        EXPECT_FALSE(bag->put_locked(object(9)));
        EXPECT_NE(bag->get(), nullptr);
        EXPECT_TRUE(bag->put(object(9)));
        EXPECT_EQ(bag->idle(), 150u);
        EXPECT_EQ(bag->shrink(0, bag.disposal()), 150u);
    }
}

TEST_P(ShardsTest, APoolMayForbidFastPaths) {
    void *one;
    Bag gets(GetParam(), kUnbounded, Shards::Direct::kGets);
    EXPECT_TRUE(gets->put(object(1)));
    EXPECT_FALSE(gets.put_fast(object(2)));
    EXPECT_FALSE(gets->put_locked(object(2)));
    EXPECT_NE(gets.get_one(), nullptr);
    Bag none(GetParam(), kUnbounded, Shards::Direct::kNone);
    EXPECT_TRUE(none->put(object(1)));
    EXPECT_FALSE(none.put_fast(object(2)));
    EXPECT_FALSE(none->put_locked(object(2)));
    EXPECT_FALSE(none->get_fast(&one));
    EXPECT_FALSE(none->get_locked(&one));
    EXPECT_EQ(none->get(), object(1));
}

// Every object is taken by one thread at a time, and none is lost, however they are moved.
TEST_P(ShardsTest, NothingIsLostOrDoubledBesideSweepsAndShrinks) {
    constexpr int kThreads = 4;
    constexpr uintptr_t kObjects = 600;
    for (uint64_t bound : {kUnbounded, uint64_t{400}}) {
        Bag bag(GetParam(), bound);
        std::vector<std::atomic<int>> held(kObjects + 1);
        std::atomic<int> wrong{0}, running{kThreads};
        std::atomic<uint64_t> dropped{0};
        bag.put(1, 400);
        std::vector<std::thread> threads;
        for (int t = 0; t < kThreads; t++)
            threads.emplace_back([&, t] {
                for (int i = 0; i < 4000; i++) {
                    std::vector<void *> mine;
                    for (int k = (i + t) % 80; k >= 0; k--) {
                        void *one = bag.get_one();
                        if (one == nullptr)
                            break;
                        wrong += held[number(one)].exchange(1);
                        mine.push_back(one);
                    }
                    for (void *one : mine) {
                        held[number(one)] = 0;
                        dropped += !bag.put_one(one);
                    }
                }
                running--;
            });
        while (running != 0) {
            // Disposed of here means: back again.
            auto again = [](void *const *objects, size_t n, void *ctx) {
                for (size_t i = 0; i < n; i++)
                    static_cast<std::vector<void *> *>(ctx)->push_back(objects[i]);
            };
            std::vector<void *> gone;
            bag->sweep({again, &gone});
            bag->shrink(50, {again, &gone});
            for (void *one : gone)
                wrong += !bag.put_one(one);
            std::this_thread::yield();
        }
        for (std::thread &thread : threads)
            thread.join();
        EXPECT_EQ(wrong, 0);
        EXPECT_EQ(dropped, 0u) << "there were never more than the bound";
        EXPECT_EQ(bag->idle(), 400u);
        std::vector<uintptr_t> got = bag.get(400);
        std::sort(got.begin(), got.end());
        EXPECT_EQ(got.front(), 1u);
        EXPECT_EQ(std::unique(got.begin(), got.end()) - got.begin(), 400);
        EXPECT_EQ(bag.get_one(), nullptr);
    }
}

INSTANTIATE_TEST_SUITE_P(Mode, ShardsTest, testing::Values(POOL_CPU_RSEQ, POOL_CPU_FALLBACK),
                         mode_name);

} // namespace
