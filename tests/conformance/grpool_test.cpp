// ivpusic/grpool: what a program that used it may rely on here.
//
// SPDX-License-Identifier: Apache-2.0
//
//     grpool.NewPool(n, q)         options.min_workers = max_workers = n, queue_capacity = q (for 0:
//                                  POOL_WORKERS_HANDOFF), idle_timeout = POOL_WORKERS_KEEP,
//                                  idle_order = POOL_WORKERS_FIFO
//     p.JobQueue <- f              pool_workers_submit
//     select on p.JobQueue         pool_workers_try_submit
//     WaitCount, JobDone, WaitAll  pool_workers_group_submit, pool_workers_group_wait
//     p.Release()                  pool_workers_stop with POOL_WORKERS_DISCARD
//
// Other than there: no dispatcher holds one task more; Release drops all that wait, not some of it;
// submit after Release is refused where it blocked for ever; a second Release returns.
#include "conformance/worker_pools.h"

#include <set>
#include <stdexcept>

namespace {

using namespace pool_test;

pool_workers_options grpool(uint32_t workers, uint32_t length) {
    pool_workers_options options =
        worker_options(workers, length == 0 ? POOL_WORKERS_HANDOFF : length);
    options.min_workers = workers;
    options.idle_timeout = POOL_WORKERS_KEEP;
    options.idle_order = POOL_WORKERS_FIFO;
    return options;
}

// A1-4, 5 and 6
TEST(Grpool, AllWorkersAreStartedByTheConstructorAndLiveUntilRelease) {
    HandSetClock clock;
    WorkerPoolUnderTest pool(grpool(4, 10));
    EXPECT_EQ(pool.stats().workers, 4u);
    clock.advance(100000 * kSecond);
    for (int i = 0; i < 20; i++)
        ASSERT_EQ(pool_workers_submit(pool, nothing, nullptr), POOL_OK);
    let_run(pool);
    EXPECT_EQ(pool.stats().workers, 4u);
    EXPECT_EQ(pool.stats().started, 4u);
    EXPECT_EQ(pool_workers_stop(pool, POOL_WORKERS_DISCARD, POOL_FOREVER, nullptr), POOL_OK);
    eventually([&] { return pool.stats().workers == 0; });
}

// A1-9 and 12
TEST(Grpool, ASenderBlocksOnceTheWorkersAreBusyAndTheQueueIsFull) {
    Gate gate;
    Tally sent;
    WorkerPoolUnderTest pool(grpool(2, 3));
    pool.occupy(&gate);
    pool.occupy(&gate);
    std::thread sender([&] {
        for (int i = 0; i < 5; i++) {
            EXPECT_EQ(pool_workers_submit(pool, nothing, nullptr), POOL_OK);
            sent.raise();
        }
    });
    eventually([&] { return pool.stats().blocked_submitters == 1; });
    EXPECT_EQ(sent.value(), 3);
    EXPECT_EQ(pool.stats().waiting, 3u);
    gate.open();
    sender.join();
    let_run(pool);
    EXPECT_EQ(pool.stats().succeeded, 7u);
}

// A1-13
TEST(Grpool, TheDefaultBranchOfASelectIsTakenWhileTheQueueIsFull) {
    Gate gate;
    WorkerPoolUnderTest pool(grpool(1, 1));
    pool.occupy(&gate);
    EXPECT_EQ(pool_workers_try_submit(pool, nothing, nullptr), POOL_OK);
    EXPECT_EQ(pool_workers_try_submit(pool, nothing, nullptr), POOL_EFULL);
    EXPECT_EQ(pool.stats().waiting, 1u) << "A1-46: len(p.JobQueue)";
    gate.open();
}

// A1-10
TEST(Grpool, AQueueOfLengthZeroHandsOver) {
    Gate gate;
    WorkerPoolUnderTest pool(grpool(2, 0));
    pool.occupy(&gate);
    pool.occupy(&gate);
    EXPECT_EQ(pool_workers_try_submit(pool, nothing, nullptr), POOL_EFULL);
    std::thread sender([&] { EXPECT_EQ(pool_workers_submit(pool, nothing, nullptr), POOL_OK); });
    eventually([&] { return pool.stats().blocked_submitters == 1; });
    EXPECT_EQ(pool.stats().waiting, 0u);
    gate.open();
    sender.join();
}

TEST(Grpool, JobsAreDispatchedInTheOrderInWhichTheyWereSent) {
    Gate gate;
    Steps steps(50);
    WorkerPoolUnderTest pool(grpool(1, 50));
    pool.occupy(&gate);
    for (int i = 0; i < 50; i++)
        ASSERT_EQ(pool_workers_submit(pool, Steps::run, steps[i]), POOL_OK);
    gate.open();
    let_run(pool);
    EXPECT_EQ(steps.ran(), up_to(50));
}

// A1-31
TEST(Grpool, TheWorkerThatHasBeenIdleLongestIsTheNextToWork) {
    Stay stays[3], next[3];
    WorkerPoolUnderTest pool(grpool(3, 1));
    for (Stay &stay : stays) {
        ASSERT_EQ(pool_workers_submit(pool, Stay::run, &stay), POOL_OK);
        stay.begun.wait_for(1);
    }
    for (uint64_t i :
         {uint64_t{1}, uint64_t{2}, uint64_t{0}}) { // the order in which they become idle
        uint64_t idle = pool.stats().idle;
        stays[i].gate.open();
        eventually([&] { return pool.stats().idle == idle + 1; });
        std::this_thread::sleep_for(std::chrono::milliseconds(5)); // until it sleeps
    }
    std::vector<std::thread::id> order;
    for (Stay &stay : next) {
        ASSERT_EQ(pool_workers_submit(pool, Stay::run, &stay), POOL_OK);
        stay.begun.wait_for(1);
        order.push_back(stay.thread);
    }
    for (Stay &stay : next)
        stay.gate.open();
    let_run(pool);
    EXPECT_EQ(order,
              (std::vector<std::thread::id>{stays[1].thread, stays[2].thread, stays[0].thread}));
}

// A1-22
TEST(Grpool, WaitAllWaitsForAsManyJobsAsWereCountedAndCanBeUsedAgain) {
    Tally done;
    WorkerPoolUnderTest pool(grpool(4, 50));
    GroupUnderTest group(pool);
    for (int round = 1; round <= 3; round++) {
        for (int i = 0; i < 20; i++)
            group.submit(Tally::raise_it, &done);
        EXPECT_EQ(group.wait(), POOL_OK);
        EXPECT_EQ(done.value(), 20 * round);
    }
    EXPECT_EQ(group.wait(), POOL_OK) << "a count of zero";
}

// A1-34. There the process dies (grpool#1).
TEST(Grpool, AJobThatThrowsTakesNobodyWithIt) {
    WorkerPoolUnderTest pool(grpool(1, 2));
    ASSERT_EQ(pool_workers_submit(
                  pool, [](void *) { throw std::runtime_error("job"); }, nullptr),
              POOL_OK);
    let_run(pool);
    EXPECT_EQ(pool.stats().failed, 1u);
    EXPECT_EQ(pool.stats().workers, 1u);
}

// A1-36
TEST(Grpool, ReleaseWaitsForWhatRunsAndDropsAllThatWaits) {
    Stay running;
    Tally ran;
    WorkerPoolUnderTest pool(grpool(1, 20));
    ASSERT_EQ(pool_workers_submit(pool, Stay::run, &running), POOL_OK);
    running.begun.wait_for(1);
    for (int i = 0; i < 20; i++)
        ASSERT_EQ(pool_workers_submit(pool, Tally::raise_it, &ran), POOL_OK);
    std::thread releaser([&] {
        EXPECT_EQ(pool_workers_stop(pool, POOL_WORKERS_DISCARD, POOL_FOREVER, nullptr), POOL_OK);
        EXPECT_EQ(running.ended.value(), 1);
    });
    eventually([&] { return pool.stats().discarded == 20; });
    running.gate.open();
    releaser.join();
    EXPECT_EQ(ran.value(), 0);
}

// A1-40 and 41
TEST(Grpool, AfterReleaseASendIsRefusedAndASecondReleaseReturns) {
    WorkerPoolUnderTest pool(grpool(2, 1));
    EXPECT_EQ(pool_workers_stop(pool, POOL_WORKERS_DISCARD, POOL_FOREVER, nullptr), POOL_OK);
    for (int i = 0; i < 3; i++)
        EXPECT_EQ(pool_workers_submit(pool, nothing, nullptr), POOL_ECLOSED);
    EXPECT_EQ(pool_workers_stop(pool, POOL_WORKERS_DISCARD, POOL_FOREVER, nullptr), POOL_OK);
}

} // namespace
