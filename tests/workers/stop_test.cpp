// SPDX-License-Identifier: Apache-2.0
#include "worker_pool.h"

#include <thread>
#include <vector>

namespace {

using namespace pool_test;

pool_workers_report empty_report() {
    pool_workers_report report = {};
    report.size = sizeof report;
    return report;
}

TEST(WorkerPoolStop, DrainRunsWhatWaits) {
    Gate gate;
    WorkerPoolUnderTest pool(worker_options(1));
    pool.occupy(&gate);
    for (int i = 0; i < 10; i++)
        ASSERT_EQ(pool_workers_submit(pool, nothing, nullptr), POOL_OK);
    pool_workers_report report = empty_report();
    EXPECT_EQ(pool_workers_stop(pool, POOL_WORKERS_DRAIN, 0, &report), POOL_ETIMEDOUT);
    EXPECT_EQ(report.running, 11u);
    gate.open();
    EXPECT_EQ(pool_workers_stop(pool, POOL_WORKERS_DRAIN, POOL_FOREVER, &report), POOL_OK);
    EXPECT_EQ(report.ran, 11u);
    EXPECT_EQ(report.discarded, 0u);
    EXPECT_EQ(report.running, 0u);
}

TEST(WorkerPoolStop, DiscardDropsWhatWaits) {
    Gate gate;
    Tally ran;
    WorkerPoolUnderTest pool(worker_options(1));
    pool.occupy(&gate);
    for (int i = 0; i < 10; i++)
        ASSERT_EQ(pool_workers_submit(pool, Tally::raise_it, &ran), POOL_OK);
    pool_workers_report report = empty_report();
    EXPECT_EQ(pool_workers_stop(pool, POOL_WORKERS_DISCARD, kMillisecond, &report), POOL_ETIMEDOUT);
    EXPECT_EQ(report.discarded, 10u);
    EXPECT_EQ(report.running, 1u);
    gate.open();
    EXPECT_EQ(pool_workers_stop(pool, POOL_WORKERS_DISCARD, POOL_FOREVER, &report), POOL_OK);
    EXPECT_EQ(report.ran, 1u);
    EXPECT_EQ(ran.value(), 0);
}

TEST(WorkerPoolStop, TheFirstStopDecidesTheMode) {
    Gate gate;
    Tally ran;
    WorkerPoolUnderTest pool(worker_options(1));
    pool.occupy(&gate);
    ASSERT_EQ(pool_workers_submit(pool, Tally::raise_it, &ran), POOL_OK);
    EXPECT_EQ(pool_workers_stop(pool, POOL_WORKERS_DRAIN, 0, nullptr), POOL_ETIMEDOUT);
    EXPECT_EQ(pool_workers_stop(pool, POOL_WORKERS_DISCARD, 0, nullptr), POOL_ETIMEDOUT);
    gate.open();
    EXPECT_EQ(pool_workers_stop(pool, POOL_WORKERS_DISCARD, POOL_FOREVER, nullptr), POOL_OK);
    EXPECT_EQ(ran.value(), 1);
}

TEST(WorkerPoolStop, RefusesLaterSubmissions) {
    WorkerPoolUnderTest pool(worker_options(1));
    EXPECT_EQ(pool_workers_stop(pool, POOL_WORKERS_DRAIN, 0, nullptr), POOL_OK);
    EXPECT_EQ(pool_workers_submit(pool, nothing, nullptr), POOL_ECLOSED);
    EXPECT_STREQ(pool_last_error(), "pool 'pool': the pool is stopped");
    EXPECT_EQ(pool_workers_try_submit(pool, nothing, nullptr), POOL_ECLOSED);
    EXPECT_EQ(pool.stats().rejected, 2u);
}

TEST(WorkerPoolStop, FailsSubmittersThatWaitForRoom) {
    Gate gate;
    WorkerPoolUnderTest pool(worker_options(1, 1));
    pool.occupy(&gate);
    ASSERT_EQ(pool_workers_submit(pool, nothing, nullptr), POOL_OK);
    std::vector<std::thread> threads;
    for (int i = 0; i < 3; i++)
        threads.emplace_back(
            [&] { EXPECT_EQ(pool_workers_submit(pool, nothing, nullptr), POOL_ECLOSED); });
    eventually([&] { return pool.stats().blocked_submitters == 3; });
    EXPECT_EQ(pool_workers_stop(pool, POOL_WORKERS_DRAIN, 0, nullptr), POOL_ETIMEDOUT);
    for (std::thread &thread : threads)
        thread.join();
    EXPECT_EQ(pool.stats().rejected, 3u);
    gate.open();
}

TEST(WorkerPoolStop, EveryCallerWaitsForTheSameEnd) {
    Gate gate;
    Tally stopped;
    WorkerPoolUnderTest pool(worker_options(2));
    pool.occupy(&gate);
    std::vector<std::thread> threads;
    for (int i = 0; i < 3; i++)
        threads.emplace_back([&] {
            EXPECT_EQ(pool_workers_stop(pool, POOL_WORKERS_DRAIN, POOL_FOREVER, nullptr), POOL_OK);
            stopped.raise();
        });
    EXPECT_EQ(stopped.value(), 0);
    gate.open();
    for (std::thread &thread : threads)
        thread.join();
    EXPECT_EQ(stopped.value(), 3);
}

TEST(WorkerPoolStop, ItsThreadsEnd) {
    pool_workers_options options = worker_options(3);
    options.min_workers = 3;
    WorkerPoolUnderTest pool(options);
    EXPECT_EQ(pool_workers_stop(pool, POOL_WORKERS_DRAIN, POOL_FOREVER, nullptr), POOL_OK);
    eventually([&] { return pool.stats().workers == 0; });
}

TEST(WorkerPoolStop, DestroyDiscardsUnlessADrainWasBegun) {
    for (bool drain : {false, true}) {
        Gate gate;
        Tally ran;
        pool_workers_options options = worker_options(1);
        pool_workers *pool = nullptr;
        ASSERT_EQ(pool_workers_create(&options, &pool), POOL_OK);
        ASSERT_EQ(pool_workers_submit(pool, Gate::wait_on, &gate), POOL_OK);
        ASSERT_EQ(pool_workers_submit(pool, Tally::raise_it, &ran), POOL_OK);
        pool_workers_stats stats;
        stats.size = sizeof stats;
        eventually(
            [&] { return pool_workers_get_stats(pool, &stats) == POOL_OK && stats.running; });
        if (drain)
            pool_workers_stop(pool, POOL_WORKERS_DRAIN, 0, nullptr);
        std::thread opener;
        if (drain) {
            gate.open();
        } else {
            // Let destroy begin; it discards before it waits for the running task.
            opener = std::thread([&] {
                std::this_thread::sleep_for(std::chrono::milliseconds(20));
                gate.open();
            });
        }
        EXPECT_EQ(pool_workers_destroy(pool), POOL_OK);
        if (opener.joinable())
            opener.join();
        EXPECT_EQ(ran.value(), drain ? 1 : 0);
    }
}

TEST(WorkerPoolStop, WaitIdleWaitsForWaitingAndRunningTasks) {
    Gate gate;
    WorkerPoolUnderTest pool(worker_options(1));
    EXPECT_EQ(pool_workers_wait_idle(pool, 0), POOL_OK);
    pool.occupy(&gate);
    ASSERT_EQ(pool_workers_submit(pool, nothing, nullptr), POOL_OK);
    EXPECT_EQ(pool_workers_wait_idle(pool, 0), POOL_ETIMEDOUT);
    EXPECT_STREQ(pool_last_error(), "pool 'pool': not yet idle: 1 tasks run and 1 wait");
    EXPECT_EQ(pool_workers_wait_idle(pool, kMillisecond), POOL_ETIMEDOUT);
    gate.open();
    EXPECT_EQ(pool_workers_wait_idle(pool, POOL_FOREVER), POOL_OK);
    EXPECT_EQ(pool.stats().succeeded, 2u);
}

TEST(WorkerPoolStop, AWorkerMayNotWaitForItsOwnPool) {
    struct Task {
        pool_workers *pool;
        static void run(void *arg) {
            pool_workers *own = static_cast<Task *>(arg)->pool;
            EXPECT_EQ(pool_workers_stop(own, POOL_WORKERS_DRAIN, 0, nullptr), POOL_EDEADLK);
            EXPECT_STREQ(pool_last_error(),
                         "pool_workers_stop() was called from a task of the same pool");
            EXPECT_EQ(pool_workers_wait_idle(own, 0), POOL_EDEADLK);
            EXPECT_EQ(pool_workers_destroy(own), POOL_EDEADLK);
            EXPECT_EQ(pool_workers_submit(own, nothing, nullptr), POOL_OK) << "nothing changed";
        }
    };
    WorkerPoolUnderTest pool(worker_options(1));
    Task task{pool};
    ASSERT_EQ(pool_workers_submit(pool, Task::run, &task), POOL_OK);
    EXPECT_EQ(pool_workers_wait_idle(pool, POOL_FOREVER), POOL_OK);
    EXPECT_EQ(pool.stats().succeeded, 2u);
}

TEST(WorkerPoolStop, AWorkerMayWaitForAnotherPool) {
    struct Task {
        pool_workers *other;
        static void run(void *arg) {
            pool_workers *other = static_cast<Task *>(arg)->other;
            EXPECT_EQ(pool_workers_submit(other, nothing, nullptr), POOL_OK);
            EXPECT_EQ(pool_workers_wait_idle(other, POOL_FOREVER), POOL_OK);
            EXPECT_EQ(pool_workers_destroy(other), POOL_OK);
        }
    };
    WorkerPoolUnderTest pool(worker_options(1));
    Task task{nullptr};
    ASSERT_EQ(pool_workers_create(nullptr, &task.other), POOL_OK);
    ASSERT_EQ(pool_workers_submit(pool, Task::run, &task), POOL_OK);
    EXPECT_EQ(pool_workers_wait_idle(pool, POOL_FOREVER), POOL_OK);
}

TEST(WorkerPoolStop, NamesWhatIsWrongWithItsArguments) {
    WorkerPoolUnderTest pool(worker_options(1));
    pool_workers_report report = {};
    EXPECT_EQ(pool_workers_stop(nullptr, POOL_WORKERS_DRAIN, 0, nullptr), POOL_EINVAL);
    EXPECT_STREQ(pool_last_error(), "the pool is NULL");
    EXPECT_EQ(pool_workers_stop(pool, 4, 0, nullptr), POOL_EINVAL);
    EXPECT_STREQ(pool_last_error(), "mode 4 is none of POOL_WORKERS_DRAIN, _DISCARD and _CANCEL");
    EXPECT_EQ(pool_workers_stop(pool, POOL_WORKERS_DRAIN, -7, nullptr), POOL_EINVAL);
    EXPECT_EQ(pool_workers_stop(pool, POOL_WORKERS_DRAIN, 0, &report), POOL_EINVAL);
    EXPECT_EQ(pool_workers_wait_idle(nullptr, 0), POOL_EINVAL);
    EXPECT_EQ(pool_workers_wait_idle(pool, -7), POOL_EINVAL);
    EXPECT_EQ(pool_workers_destroy(nullptr), POOL_OK);
    EXPECT_EQ(pool_workers_submit(pool, nothing, nullptr), POOL_OK) << "the pool was stopped";
}

} // namespace
