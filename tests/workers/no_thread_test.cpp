// What a worker pool does when the system refuses it threads.
//
// SPDX-License-Identifier: Apache-2.0
//
// An absurd stack size makes thread creation fail, as a limit on processes or memory would.
#include "worker_pool.h"

namespace {

using namespace pool_test;

constexpr uint64_t kImpossibleStack = uint64_t{1} << 56;

TEST(WorkerPoolWithoutThreads, CreateFailsIfMinWorkersCannotBeStarted) {
    Tally freed;
    pool_workers_options options = worker_options(2);
    options.min_workers = 1;
    options.stack_size = kImpossibleStack;
    options.ctx = &freed;
    options.ctx_free = Tally::raise_it;
    pool_workers *pool = nullptr;
    EXPECT_EQ(pool_workers_create(&options, &pool), POOL_ENOTHREAD);
    EXPECT_EQ(pool, nullptr);
    EXPECT_EQ(freed.value(), 1);
}

TEST(WorkerPoolWithoutThreads, SubmitDoesNotTakeATaskThatNobodyWouldRun) {
    pool_workers_options options = worker_options(2);
    options.stack_size = kImpossibleStack;
    WorkerPoolUnderTest pool(options);
    for (int i = 0; i < 3; i++)
        EXPECT_EQ(pool_workers_submit(pool, nothing, nullptr), POOL_ENOTHREAD);
    EXPECT_EQ(pool.stats().submitted, 0u);
    EXPECT_EQ(pool.stats().workers, 0u);
    EXPECT_EQ(pool_workers_wait_idle(pool, POOL_FOREVER), POOL_OK);
    EXPECT_EQ(pool_workers_stop(pool, POOL_WORKERS_DRAIN, POOL_FOREVER, nullptr), POOL_OK);
}

} // namespace
