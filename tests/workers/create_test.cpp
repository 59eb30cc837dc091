// SPDX-License-Identifier: Apache-2.0
#include "platform/cpu.h"
#include "worker_pool.h"

#include <cstring>

namespace {

using namespace pool_test;

TEST(WorkerPoolCreate, FillsInTheDocumentedDefaults) {
    pool_workers *pool = nullptr;
    ASSERT_EQ(pool_workers_create(nullptr, &pool), POOL_OK);
    pool_workers_stats stats;
    stats.size = sizeof stats;
    ASSERT_EQ(pool_workers_get_stats(pool, &stats), POOL_OK);
    EXPECT_EQ(stats.max_workers, pool::usable_cpus());
    EXPECT_EQ(stats.queue_capacity, 65536u);
    EXPECT_EQ(stats.workers, 0u) << "no thread appears before it is needed";
    EXPECT_EQ(pool_workers_destroy(pool), POOL_OK);
}

TEST(WorkerPoolCreate, StartsMinWorkers) {
    pool_workers_options options = worker_options(4);
    options.min_workers = 3;
    WorkerPoolUnderTest pool(options);
    EXPECT_EQ(pool.stats().workers, 3u);
}

TEST(WorkerPoolCreate, RefusesBadOptionsAndFreesTheContext) {
    struct Case {
        void (*spoil)(pool_workers_options *);
        pool_status status;
        const char *message;
    } cases[] = {
        {[](pool_workers_options *o) { o->max_workers = 65537; }, POOL_EINVAL,
         "options.max_workers is 65537; the most is 65536"},
        {[](pool_workers_options *o) { o->min_workers = 5; }, POOL_EINVAL,
         "options.min_workers is 5, above max_workers, 4"},
        {[](pool_workers_options *o) { o->flags = 4; }, POOL_EINVAL,
         "options.flags has unknown bits 0x4"},
        {[](pool_workers_options *o) { o->cpu_mode = 9; }, POOL_EINVAL,
         "cpu_mode 9 is none of POOL_CPU_*"},
        {[](pool_workers_options *o) {
             static const pool_allocator empty = {sizeof(pool_allocator), nullptr, nullptr,
                                                  nullptr};
             o->allocator = &empty;
         },
         POOL_EINVAL, "allocator.alloc is NULL"},
    };
    for (const Case &each : cases) {
        Tally freed;
        pool_workers_options options = worker_options(4);
        options.ctx = &freed;
        options.ctx_free = Tally::raise_it;
        each.spoil(&options);
        pool_workers *pool = reinterpret_cast<pool_workers *>(&freed);
        EXPECT_EQ(pool_workers_create(&options, &pool), each.status);
        EXPECT_STREQ(pool_last_error(), each.message);
        EXPECT_EQ(pool, nullptr);
        EXPECT_EQ(freed.value(), 1) << each.message;
    }
}

TEST(WorkerPoolCreate, RefusesAMissingOutAndAStructItCannotRead) {
    Tally freed;
    pool_workers_options options = worker_options(1);
    options.ctx = &freed;
    options.ctx_free = Tally::raise_it;
    EXPECT_EQ(pool_workers_create(&options, nullptr), POOL_EINVAL);
    EXPECT_STREQ(pool_last_error(), "out is NULL");
    EXPECT_EQ(freed.value(), 1);

    pool_workers *pool;
    options.size = 8;
    EXPECT_EQ(pool_workers_create(&options, &pool), POOL_EINVAL);
    EXPECT_EQ(pool, nullptr);

    struct {
        pool_workers_options known;
        uint64_t unknown;
    } newer = {options, 1};
    newer.known.size = sizeof newer;
    EXPECT_EQ(pool_workers_create(&newer.known, &pool), POOL_ENOTSUP);
    EXPECT_EQ(pool, nullptr);
    EXPECT_EQ(freed.value(), 2);
    newer.unknown = 0;
    EXPECT_EQ(pool_workers_create(&newer.known, &pool), POOL_OK);
    pool_workers_destroy(pool);
    EXPECT_EQ(freed.value(), 3);
}

TEST(WorkerPoolCreate, OptionsInitIsTheInitializer) {
    pool_workers_options by_macro = POOL_WORKERS_OPTIONS_INIT;
    pool_workers_options by_call;
    memset(static_cast<void *>(&by_call), 0xff, sizeof by_call);
    ASSERT_EQ(pool_workers_options_init(&by_call, sizeof by_call), POOL_OK);
    EXPECT_EQ(by_call.size, by_macro.size);
    EXPECT_EQ(by_call.ctx_free, nullptr);
    EXPECT_EQ(by_call.queue_capacity, 0u);
    EXPECT_EQ(pool_workers_options_init(nullptr, 8), POOL_EINVAL);
    EXPECT_EQ(pool_workers_options_init(&by_call, 4), POOL_EINVAL);
}

TEST(WorkerPoolCreate, StatsRefuseBadArgumentsAndServeShorterStructs) {
    WorkerPoolUnderTest pool(worker_options(1));
    pool_workers_stats stats;
    memset(&stats, 0xff, sizeof stats);
    stats.size = sizeof stats;
    EXPECT_EQ(pool_workers_get_stats(nullptr, &stats), POOL_EINVAL);
    EXPECT_EQ(pool_workers_get_stats(pool, nullptr), POOL_EINVAL);
    stats.size = 8;
    EXPECT_EQ(pool_workers_get_stats(pool, &stats), POOL_EINVAL);
    stats.size = 16;
    EXPECT_EQ(pool_workers_get_stats(pool, &stats), POOL_OK);
    EXPECT_EQ(stats.submitted, 0u);
    EXPECT_EQ(stats.succeeded, UINT64_MAX) << "written beyond the given size";
}

} // namespace
