// The parts of a shard: words, slabs, magazines, depots.
//
// SPDX-License-Identifier: Apache-2.0
#include "shards/shard.h"

#include "bag.h"

#include <gtest/gtest.h>

namespace {

using namespace pool;
using pool_test::object;

TEST(SlabWord, EachUnitChangesWhatItSays) {
    uint64_t word = (uint64_t{7} << 16) | (uint64_t{20} << 8) | 5;
    auto expect = [](uint64_t w, uint64_t pops, uint32_t capacity, uint32_t count) {
        EXPECT_EQ(Slab::pops_of(w), pops);
        EXPECT_EQ(Slab::capacity_of(w), capacity);
        EXPECT_EQ(Slab::count_of(w), count);
    };
    expect(word, 7, 20, 5);
    expect(word + kPushed, 7, 20, 6);
    expect(word + kPopped, 8, 20, 4);
    expect(word + 3 * kPopped, 10, 20, 2);
    expect(word + kMovedOut, 7, 20, 4);
    expect(word + 2 * kMovedOutWithRoom, 7, 18, 3);
}

class OneShard : public testing::Test {
protected:
    void SetUp() override { shard_.slab.word = uint64_t{kSlabSlots} << 8; }
    uint32_t push(uintptr_t first, uint32_t n, uint32_t grow = 0) {
        void *in[kSlabSlots];
        for (uint32_t i = 0; i < n; i++)
            in[i] = object(first + i);
        return shard_.slab_push_n(&table_, in, n, grow).count;
    }

    Shard shard_;
    SlabTable table_;
};

TEST_F(OneShard, ASharedSlabIsAStackOfLimitedRoom) {
    EXPECT_EQ(push(1, 10), 10u);
    void *out[kSlabSlots] = {};
    EXPECT_EQ(shard_.slab_pop_n(&table_, out, 3, kPopped), 3u);
    EXPECT_EQ(out[0], object(8));
    EXPECT_EQ(out[2], object(10)) << "newest last";
    EXPECT_EQ(Slab::count_of(shard_.word()), 7u);
    EXPECT_EQ(shard_.total_pops(), 3u);
    EXPECT_EQ(push(20, kSlabSlots), kSlabSlots - 7);
    EXPECT_EQ(push(1, 1), 0u) << "full";
    EXPECT_EQ(shard_.slab_pop_n(&table_, out, kSlabSlots, kMovedOut), kSlabSlots);
    EXPECT_EQ(shard_.total_pops(), 3u) << "what the pool moves is no pop";
    EXPECT_EQ(shard_.slab_pop_n(&table_, out, 1, kPopped), 0u);
}

TEST_F(OneShard, RoomGrowsByNoMoreThanItIsGivenAndTheSlabHas) {
    shard_.slab.word = 0;
    void *in[kSlabSlots + 1] = {};
    EXPECT_EQ(push(1, 5), 0u) << "no room yet";
    sequences::Pushed pushed = shard_.slab_push_n(&table_, in, 5, 3);
    EXPECT_EQ(pushed.count, 3u);
    EXPECT_EQ(pushed.grown, 3u);
    pushed = shard_.slab_push_n(&table_, in, kSlabSlots, 1000);
    EXPECT_EQ(pushed.grown, kSlabSlots - 3);
    EXPECT_EQ(pushed.count, kSlabSlots - 3);
    EXPECT_EQ(Slab::capacity_of(shard_.word()), kSlabSlots);
}

TEST_F(OneShard, ASlabThatIsBeingRevokedIsNobodys) {
    EXPECT_EQ(push(1, 4), 4u);
    shard_.bias = Bias::kRevoking;
    void *out[4];
    EXPECT_EQ(shard_.slab_pop_n(&table_, out, 4, kPopped), 0u);
    EXPECT_EQ(push(9, 1), 0u);
    EXPECT_EQ(shard_.objects(), 4u);
    shard_.repair_after_fork();
    EXPECT_EQ(shard_.bias, Bias::kShared) << "no thread is left inside a sequence";
    EXPECT_EQ(shard_.slab_pop_n(&table_, out, 4, kPopped), 4u);
}

TEST_F(OneShard, PopsAreCountedAcrossTheWrapOfTheWord) {
    shard_.slab.word = (((uint64_t{1} << 48) - 2) << 16) | (uint64_t{kSlabSlots} << 8);
    uint64_t before = shard_.total_pops();
    push(1, 5);
    void *out[5];
    shard_.slab_pop_n(&table_, out, 5, kPopped);
    EXPECT_EQ(shard_.total_pops() - before, 5u);
}

TEST_F(OneShard, EmptyMagazinesAreKeptForReuse) {
    Magazine a, b;
    EXPECT_EQ(shard_.take_empty(), nullptr);
    a.count = 5;
    shard_.keep_empty(&a);
    shard_.keep_empty(&b);
    EXPECT_EQ(shard_.take_empty(), &b);
    EXPECT_EQ(shard_.take_empty(), &a);
    EXPECT_EQ(a.count, 0u);
    EXPECT_EQ(shard_.take_empty(), nullptr);
}

TEST(ClosedSlab, IsBothEmptyAndFull) {
    EXPECT_EQ(closed_slab.word, 0u);
    EXPECT_EQ(closed_slab.open, 0u) << "its room must not be grown";
}

TEST(Depot, IsAStackOfMagazinesThatCountsObjects) {
    Depot depot;
    EXPECT_EQ(depot.pop(), nullptr);
    Magazine a, b;
    a.count = 3;
    b.count = kMagazineSlots;
    depot.push(&a);
    depot.push(&b);
    EXPECT_EQ(depot.objects(), 3u + kMagazineSlots);
    EXPECT_EQ(depot.top(), &b);
    EXPECT_FALSE(depot.push_object(object(1))) << "the top one is full";
    EXPECT_EQ(depot.pop(), &b);
    EXPECT_TRUE(depot.push_object(object(1)));
    EXPECT_EQ(a.count, 4u);
    EXPECT_EQ(depot.objects(), 4u);
    EXPECT_EQ(depot.pop(), &a);
    EXPECT_EQ(depot.objects(), 0u);
    EXPECT_FALSE(depot.push_object(object(1))) << "no magazine to put it on";
}

TEST(Depot, ObjectsLeaveFromTheTopMagazineOnly) {
    Depot depot;
    Magazine a, b;
    a.count = b.count = 2;
    a.slots[0] = object(1);
    a.slots[1] = object(2);
    b.slots[0] = object(3);
    b.slots[1] = object(4);
    depot.push(&a);
    depot.push(&b);
    void *out[8] = {};
    Magazine *emptied = nullptr;
    EXPECT_EQ(depot.take_objects(out, 1, &emptied), 1u);
    EXPECT_EQ(out[0], object(4));
    EXPECT_EQ(emptied, nullptr);
    EXPECT_EQ(depot.take_objects(out, 8, &emptied), 1u);
    EXPECT_EQ(out[0], object(3));
    EXPECT_EQ(emptied, &b);
    emptied = nullptr;
    EXPECT_EQ(depot.take_objects(out, 8, &emptied), 2u);
    EXPECT_EQ(out[1], object(2)) << "newest last";
    EXPECT_EQ(emptied, &a);
    EXPECT_EQ(depot.take_objects(out, 8, &emptied), 0u);
    EXPECT_EQ(depot.objects(), 0u);
}

TEST(Depot, AllOfItMovesAtOnceAndIsRecountedAfterAFork) {
    Depot from, to;
    Magazine magazines[3];
    for (Magazine &magazine : magazines) {
        magazine.count = 4;
        from.push(&magazine);
    }
    to.push_all(from.take_all());
    EXPECT_EQ(from.objects(), 0u);
    EXPECT_EQ(from.top(), nullptr);
    EXPECT_EQ(to.objects(), 12u);
    magazines[0].count = 1; // a fork in the middle of a change: the count lags behind
    to.recount_after_fork();
    EXPECT_EQ(to.objects(), 9u);
}

} // namespace
