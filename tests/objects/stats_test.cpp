// What pool_objects_stats says, field by field.
//
// SPDX-License-Identifier: Apache-2.0
#include "support/object_pool.h"

#include <cstring>
#include <thread>

namespace {

using namespace pool_test;

TEST(ObjectPoolStats, ANewPoolHasDoneNothing) {
    Ledger ledger;
    ObjectPoolUnderTest pool(ledger.options());
    pool_objects_stats stats = pool.stats();
    uint64_t bytes = stats.bytes;
    EXPECT_GT(bytes, 0u);
    stats.bytes = 0;
    pool_objects_stats zero;
    memset(static_cast<void *>(&zero), 0, sizeof zero);
    zero.size = sizeof zero;
    EXPECT_EQ(memcmp(&stats, &zero, sizeof zero), 0);
}

TEST(ObjectPoolStats, EachFieldCountsWhatItSays) {
    Ledger ledger;
    pool_objects_options options = ledger.options();
    options.max_idle = 4;
    ObjectPoolUnderTest pool(options);
    ASSERT_EQ(pool_objects_prefill(pool, 2), POOL_OK);
    std::vector<Item *> items = pool.get_some(6); // 2 hits, 4 created
    pool.put_all(items);                          // 4 kept, 2 dropped
    EXPECT_EQ(pool_objects_sweep(pool), POOL_OK);
    Item *rescued = pool.get();
    EXPECT_EQ(pool_objects_sweep(pool), POOL_OK); // 3 swept
    pool.put(rescued);
    EXPECT_EQ(pool_objects_shrink(pool, 0), POOL_OK);
    EXPECT_EQ(pool.try_get(), nullptr);
    ASSERT_EQ(pool_objects_set_create(
                  pool, [](void *) -> void * { return nullptr; }, nullptr),
              POOL_OK);
    EXPECT_EQ(pool.get(), nullptr);
    ASSERT_EQ(pool_objects_set_create(pool, nullptr, nullptr), POOL_OK);
    EXPECT_EQ(pool.get(), nullptr);

    pool_objects_stats stats = pool.stats();
    EXPECT_EQ(stats.size, sizeof stats);
    EXPECT_EQ(stats.gets, 7u);
    EXPECT_EQ(stats.hits_victim, 1u);
    EXPECT_EQ(stats.hits_slab + stats.hits_depot + stats.hits_steal + stats.hits_stray, 2u);
    EXPECT_EQ(stats.misses, 7u);
    EXPECT_EQ(stats.created, 6u);
    EXPECT_EQ(stats.create_fails, 1u);
    EXPECT_EQ(stats.prefilled, 2u);
    EXPECT_EQ(stats.puts, 7u);
    EXPECT_EQ(stats.dropped, 2u);
    EXPECT_EQ(stats.destroyed, 6u);
    EXPECT_EQ(stats.swept, 3u);
    EXPECT_EQ(stats.misuses, 0u);
    EXPECT_EQ(stats.idle, 0u);
    EXPECT_EQ(stats.out, 0);
    EXPECT_EQ(stats.sweeps, 2u);
    EXPECT_GE(stats.shards, 1u);
    EXPECT_LE(stats.shards, 4u);
}

TEST(ObjectPoolStats, SlabAndDepotHitsAreToldApart) {
    constexpr int kMany = 400; // more than one slab holds
    Ledger ledger;
    ObjectPoolUnderTest pool(ledger.options());
    pool.fill(kMany);
    pool.put_all(pool.get_some(kMany));
    pool_objects_stats stats = pool.stats();
    EXPECT_EQ(stats.gets, 2u * kMany);
    EXPECT_GE(stats.hits_slab, 300u);
    EXPECT_GE(stats.hits_depot + stats.hits_steal, 1u);
    EXPECT_EQ(stats.hits_victim, 0u);
}

TEST(ObjectPoolStats, BytesFollowTheMemoryOfThePool) {
    Ledger ledger;
    ObjectPoolUnderTest pool(ledger.options());
    uint64_t before = pool.stats().bytes;
    pool.fill(1000);
    EXPECT_GT(pool.stats().bytes, before + 1000 * sizeof(void *) / 2);
}

TEST(ObjectPoolStats, ASmallerStructGetsTheFieldsThatFit) {
    Ledger ledger;
    ObjectPoolUnderTest pool(ledger.options());
    pool.fill(3);
    pool_objects_stats stats;
    memset(static_cast<void *>(&stats), 0x77, sizeof stats);
    stats.size = 2 * sizeof(size_t);
    EXPECT_EQ(pool_objects_get_stats(pool, &stats), POOL_OK);
    EXPECT_EQ(stats.size, 2 * sizeof(size_t));
    EXPECT_EQ(stats.gets, 3u);
    EXPECT_EQ(stats.hits_slab, 0x7777777777777777u) << "written beyond the caller's struct";
}

TEST(ObjectPoolStats, OfALargerStructTheTailIsZeroed) {
    Ledger ledger;
    ObjectPoolUnderTest pool(ledger.options());
    struct {
        pool_objects_stats known;
        unsigned char unknown[24];
        unsigned char behind;
    } newer;
    memset(static_cast<void *>(&newer), 0x77, sizeof newer);
    newer.known.size = sizeof newer.known + sizeof newer.unknown;
    EXPECT_EQ(pool_objects_get_stats(pool, &newer.known), POOL_OK);
    for (unsigned char byte : newer.unknown)
        EXPECT_EQ(byte, 0);
    EXPECT_EQ(newer.behind, 0x77);
}

TEST(ObjectPoolStats, RefusesSizesThatCannotBe) {
    Ledger ledger;
    ObjectPoolUnderTest pool(ledger.options());
    for (size_t size :
         {size_t{0}, sizeof(size_t), 2 * sizeof(size_t) - 1, size_t{65537}, SIZE_MAX}) {
        pool_objects_stats stats;
        memset(static_cast<void *>(&stats), 0x77, sizeof stats);
        stats.size = size;
        EXPECT_EQ(pool_objects_get_stats(pool, &stats), POOL_EINVAL) << size;
        EXPECT_NE(strstr(pool_last_error(), "stats.size"), nullptr);
        EXPECT_EQ(stats.gets, 0x7777777777777777u);
    }
}

TEST(ObjectPoolStats, CanBeReadBesideTraffic) {
    Ledger ledger;
    ObjectPoolUnderTest pool(ledger.options());
    std::atomic<bool> stop{false};
    std::thread user([&] {
        while (!stop)
            pool.put_all(pool.get_some(5));
    });
    uint64_t gets = 0;
    for (int i = 0; i < 2000; i++) {
        pool_objects_stats stats = stats_of(pool);
        EXPECT_GE(stats.gets, gets) << "a counter went back";
        gets = stats.gets;
    }
    stop = true;
    user.join();
    pool.stats();
}

} // namespace
