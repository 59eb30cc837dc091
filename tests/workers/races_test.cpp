// SPDX-License-Identifier: Apache-2.0
#include "worker_pool.h"

#include <atomic>
#include <pthread.h>
#include <thread>
#include <vector>

namespace {

using namespace pool_test;

TEST(WorkerPoolRaces, StopRacingWithSubmitLosesNoTask) {
    for (int round = 0; round < 30; round++) {
        std::atomic<uint64_t> ran{0}, accepted{0}, refused{0};
        auto count = [](void *arg) { ++*static_cast<std::atomic<uint64_t> *>(arg); };
        WorkerPoolUnderTest pool(worker_options(2, 4));
        std::vector<std::thread> threads;
        Tally going;
        for (int i = 0; i < 8; i++)
            threads.emplace_back([&] {
                going.raise();
                for (;;) {
                    pool_status status = pool_workers_submit(pool, count, &ran);
                    if (status != POOL_OK) {
                        EXPECT_EQ(status, POOL_ECLOSED);
                        refused++;
                        return;
                    }
                    accepted++;
                }
            });
        going.wait_for(8);
        if (round % 3 == 0)
            eventually([&] { return ran > 100; });
        pool_workers_stop_mode mode = round % 2 ? POOL_WORKERS_DRAIN : POOL_WORKERS_DISCARD;
        pool_workers_report report = {};
        report.size = sizeof report;
        ASSERT_EQ(pool_workers_stop(pool, mode, POOL_FOREVER, &report), POOL_OK);
        for (std::thread &thread : threads)
            thread.join();
        pool_workers_stats stats = pool.stats();
        EXPECT_EQ(stats.submitted, accepted);
        EXPECT_EQ(stats.succeeded, ran);
        EXPECT_EQ(stats.submitted, stats.succeeded + stats.failed + stats.discarded);
        EXPECT_EQ(stats.rejected, refused);
        EXPECT_EQ(refused, 8u);
        EXPECT_EQ(report.ran + report.discarded, stats.submitted);
        if (mode == POOL_WORKERS_DRAIN) {
            EXPECT_EQ(stats.discarded, 0u);
        }
    }
}

TEST(WorkerPoolRaces, EveryWayOfSubmittingAddsUp) {
    constexpr int kTasks = 3000;
    std::atomic<uint64_t> ran{0}, accepted{0}, refused{0};
    auto count = [](void *arg) { ++*static_cast<std::atomic<uint64_t> *>(arg); };
    WorkerPoolUnderTest pool(worker_options(2, 8));
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; i++)
        threads.emplace_back([&, i] {
            for (int task = 0; task < kTasks; task++) {
                pool_status status;
                switch ((task + i) % 3) {
                case 0:
                    status = pool_workers_submit(pool, count, &ran);
                    break;
                case 1:
                    status = pool_workers_try_submit(pool, count, &ran);
                    break;
                default:
                    status = pool_workers_submit_timed(pool, count, &ran, task % 50 * 1000);
                    break;
                }
                EXPECT_TRUE(status == POOL_OK || status == POOL_EFULL || status == POOL_ETIMEDOUT);
                (status == POOL_OK ? accepted : refused)++;
            }
        });
    for (int i = 0; i < 50; i++)
        pool.stats(); // checks that each snapshot adds up
    for (std::thread &thread : threads)
        thread.join();
    ASSERT_EQ(pool_workers_wait_idle(pool, POOL_FOREVER), POOL_OK);
    EXPECT_EQ(ran, accepted);
    EXPECT_EQ(pool.stats().submitted, accepted);
    EXPECT_EQ(pool.stats().rejected, refused);
    EXPECT_EQ(accepted + refused, uint64_t{4} * kTasks);
}

TEST(WorkerPoolRaces, ASubmitterThatTimesOutTakesItsTaskBack) {
    std::atomic<uint64_t> ran{0}, accepted{0};
    auto count = [](void *arg) { ++*static_cast<std::atomic<uint64_t> *>(arg); };
    WorkerPoolUnderTest pool(worker_options(1, 1));
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; i++)
        threads.emplace_back([&, i] {
            for (int task = 0; task < 1000; task++)
                if (pool_workers_submit_timed(pool, count, &ran, (task + i) % 20 * 500) == POOL_OK)
                    accepted++;
        });
    for (std::thread &thread : threads)
        thread.join();
    ASSERT_EQ(pool_workers_wait_idle(pool, POOL_FOREVER), POOL_OK);
    EXPECT_EQ(ran, accepted);
    EXPECT_EQ(pool.stats().blocked_submitters, 0u);
}

TEST(WorkerPoolRaces, TasksThatEndTheirThreadsAreAllReplaced) {
    std::atomic<uint64_t> ran{0};
    auto count = [](void *arg) { ++*static_cast<std::atomic<uint64_t> *>(arg); };
    WorkerPoolUnderTest pool(worker_options(2, 16));
    std::vector<std::thread> threads;
    for (int i = 0; i < 2; i++)
        threads.emplace_back([&] {
            for (int task = 0; task < 200; task++) {
                EXPECT_EQ(pool_workers_submit(pool, count, &ran), POOL_OK);
                if (task % 4 == 0) {
                    EXPECT_EQ(pool_workers_submit(
                                  pool, [](void *) { pthread_exit(nullptr); }, nullptr),
                              POOL_OK);
                }
            }
        });
    for (std::thread &thread : threads)
        thread.join();
    ASSERT_EQ(pool_workers_wait_idle(pool, POOL_FOREVER), POOL_OK);
    EXPECT_EQ(ran, 400u);
    EXPECT_EQ(pool.stats().failed, 100u);
}

TEST(WorkerPoolRaces, NoWakeUpIsLostWhenOneTaskFollowsAnother) {
    Tally ran;
    pool_workers_options options = worker_options(2);
    options.min_workers = 2;
    WorkerPoolUnderTest pool(options);
    for (int i = 1; i <= 3000; i++) {
        ASSERT_EQ(pool_workers_submit(pool, Tally::raise_it, &ran), POOL_OK);
        if (i % 3 == 0)
            ran.wait_for(i);
    }
}

} // namespace
