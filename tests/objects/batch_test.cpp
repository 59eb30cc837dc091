// Several objects at once: get_n, try_get_n, put_n, prefill.
//
// SPDX-License-Identifier: Apache-2.0
#include "support/object_pool.h"

#include <algorithm>
#include <set>

namespace {

using namespace pool_test;

TEST(ObjectPoolBatch, GetNTakesWhatIsThereAndCreatesTheRest) {
    Ledger ledger;
    ObjectPoolUnderTest pool(ledger.options());
    pool.fill(5);
    void *objects[9] = {};
    EXPECT_EQ(pool_objects_get_n(pool, objects, 8), 8u);
    EXPECT_EQ(ledger.created(), 8);
    EXPECT_EQ(objects[8], nullptr) << "written beyond count";
    EXPECT_EQ(std::set<void *>(objects, objects + 8).size(), 8u);
    EXPECT_EQ(std::count(objects, objects + 8, nullptr), 0);
    EXPECT_EQ(pool.stats().out, 8);
    EXPECT_EQ(pool_objects_put_n(pool, objects, 8), POOL_OK);
    EXPECT_EQ(pool.stats().idle, 8u);
}

TEST(ObjectPoolBatch, TryGetNNeverCreates) {
    Ledger ledger;
    ObjectPoolUnderTest pool(ledger.options());
    pool.fill(5);
    void *objects[8] = {};
    EXPECT_EQ(pool_objects_try_get_n(pool, objects, 8), 5u);
    EXPECT_EQ(pool_last_error_status(), POOL_EAGAIN);
    EXPECT_EQ(ledger.created(), 5);
    EXPECT_EQ(objects[5], nullptr);
    EXPECT_EQ(pool_objects_put_n(pool, objects, 5), POOL_OK);
}

TEST(ObjectPoolBatch, GetNStopsWhenTheFactoryFails) {
    struct Failing {
        int left = 3;
        static void *create(void *ctx) {
            return --static_cast<Failing *>(ctx)->left >= 0 ? ctx : nullptr;
        }
    } failing;
    pool_objects_options options = POOL_OBJECTS_OPTIONS_INIT;
    options.create = Failing::create;
    options.ctx = &failing;
    ObjectPoolUnderTest pool(options);
    void *objects[5] = {};
    EXPECT_EQ(pool_objects_get_n(pool, objects, 5), 3u);
    EXPECT_EQ(pool_last_error_status(), POOL_ECREATE);
    pool_objects_stats stats = pool.stats();
    EXPECT_EQ(stats.create_fails, 1u);
    EXPECT_EQ(stats.out, 3);
    EXPECT_EQ(pool_objects_put_n(pool, objects, 3), POOL_OK);
}

TEST(ObjectPoolBatch, LargeBatchesLoseNothing) {
    constexpr size_t kMany = 2000; // many times a slab
    Ledger ledger;
    {
        ObjectPoolUnderTest pool(ledger.options());
        std::vector<void *> objects(kMany);
        for (int round = 0; round < 3; round++) {
            ASSERT_EQ(pool_objects_get_n(pool, objects.data(), kMany), kMany);
            EXPECT_EQ(std::set<void *>(objects.begin(), objects.end()).size(), kMany);
            EXPECT_EQ(pool_objects_put_n(pool, objects.data(), kMany), POOL_OK);
        }
        EXPECT_EQ(ledger.created(), static_cast<int>(kMany));
        EXPECT_EQ(pool.stats().idle, kMany);
    }
    EXPECT_EQ(ledger.alive(), 0);
}

TEST(ObjectPoolBatch, PutNIgnoresNullEntriesWhereverTheyStand) {
    Ledger ledger;
    ObjectPoolUnderTest pool(ledger.options());
    void *o[3];
    ASSERT_EQ(pool_objects_get_n(pool, o, 3), 3u);
    void *with_holes[] = {nullptr, o[0], nullptr, nullptr, o[1], o[2], nullptr};
    EXPECT_EQ(pool_objects_put_n(pool, with_holes, 7), POOL_OK);
    pool_objects_stats stats = pool.stats();
    EXPECT_EQ(stats.puts, 3u);
    EXPECT_EQ(stats.idle, 3u);
    void *nothing[] = {nullptr, nullptr};
    EXPECT_EQ(pool_objects_put_n(pool, nothing, 2), POOL_OK);
    EXPECT_EQ(pool.stats().puts, 3u);
    EXPECT_EQ(pool_objects_try_get_n(pool, o, 3), 3u);
    EXPECT_EQ(pool_objects_put_n(pool, o, 3), POOL_OK);
}

TEST(ObjectPoolBatch, PutNBeyondTheBoundDestroysExactlyTheSurplus) {
    Ledger ledger;
    pool_objects_options options = ledger.options();
    options.max_idle = 10;
    ObjectPoolUnderTest pool(options);
    void *objects[25];
    ASSERT_EQ(pool_objects_get_n(pool, objects, 25), 25u);
    EXPECT_EQ(pool_objects_put_n(pool, objects, 25), POOL_OK);
    EXPECT_EQ(ledger.destroyed(), 15);
    pool_objects_stats stats = pool.stats();
    EXPECT_EQ(stats.idle, 10u);
    EXPECT_EQ(stats.dropped, 15u);
    EXPECT_EQ(stats.puts, 25u);
}

TEST(ObjectPoolBatch, PrefillMakesThatManyMore) {
    Ledger ledger;
    ObjectPoolUnderTest pool(ledger.options());
    pool.fill(2);
    EXPECT_EQ(pool_objects_prefill(pool, 300), POOL_OK);
    EXPECT_EQ(ledger.created(), 302);
    pool_objects_stats stats = pool.stats();
    EXPECT_EQ(stats.idle, 302u);
    EXPECT_EQ(stats.prefilled, 300u);
    EXPECT_EQ(stats.gets, 2u) << "prefilled objects were handed to nobody";
    EXPECT_EQ(stats.puts, 2u);
    EXPECT_EQ(stats.out, 0);
    EXPECT_EQ(pool_objects_prefill(pool, 0), POOL_OK);
    EXPECT_EQ(ledger.created(), 302);
    pool.put_all(pool.get_some(302));
    EXPECT_EQ(ledger.created(), 302);
}

TEST(ObjectPoolBatch, PrefillStopsAtTheBound) {
    Ledger ledger;
    pool_objects_options options = ledger.options();
    options.max_idle = 7;
    ObjectPoolUnderTest pool(options);
    EXPECT_EQ(pool_objects_prefill(pool, 100), POOL_OK);
    EXPECT_EQ(ledger.created(), 7);
    EXPECT_EQ(ledger.destroyed(), 0);
    EXPECT_EQ(pool_objects_prefill(pool, 1), POOL_OK);
    EXPECT_EQ(pool.stats().idle, 7u);

    options.max_idle = POOL_OBJECTS_KEEP_NONE;
    Ledger none;
    options.ctx = &none;
    ObjectPoolUnderTest keeps_none(options);
    EXPECT_EQ(pool_objects_prefill(keeps_none, 5), POOL_OK);
    EXPECT_EQ(none.created(), 0);
}

TEST(ObjectPoolBatch, PrefillNeedsAFactoryThatWorks) {
    pool_objects_options options = POOL_OBJECTS_OPTIONS_INIT;
    options.name = "stock";
    ObjectPoolUnderTest pool(options);
    EXPECT_EQ(pool_objects_prefill(pool, 1), POOL_EINVAL);
    EXPECT_STREQ(pool_last_error(), "prefill: the pool has no create callback");
    EXPECT_EQ(pool_last_error_status(), POOL_EINVAL);

    static int left;
    left = 2;
    auto create = [](void *) -> void * { return left-- > 0 ? &left : nullptr; };
    ASSERT_EQ(pool_objects_set_create(pool, create, nullptr), POOL_OK);
    EXPECT_EQ(pool_objects_prefill(pool, 5), POOL_ECREATE);
    EXPECT_STREQ(pool_last_error(), "pool 'stock': the create callback returned NULL");
    pool_objects_stats stats = pool.stats();
    EXPECT_EQ(stats.idle, 2u) << "what was made so far stays";
    EXPECT_EQ(stats.prefilled, 2u);
}

} // namespace
