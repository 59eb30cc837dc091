// gammazero/workerpool: what a program that used it may rely on here.
//
// SPDX-License-Identifier: Apache-2.0
//
//     workerpool.New(n)            options.max_workers = n, queue_capacity = POOL_WORKERS_UNBOUNDED
//     WithIdleTimeout(d)           idle_timeout = d, POOL_WORKERS_KEEP for d < 0; reap =
//                                  POOL_WORKERS_REAP_ONE
//     p.Do(f), p.Submit(f)         pool_workers_submit
//     p.SubmitWait(f)              pool_workers_run
//     p.Size()                     pool_workers_stats.max_workers
//     p.WaitingQueueSize()         pool_workers_stats.waiting
//     p.Stop(), p.StopWait()       pool_workers_stop with POOL_WORKERS_DISCARD, POOL_WORKERS_DRAIN
//     p.Pause(ctx)                 pool_workers_wait_idle, pool_workers_pause; pool_workers_resume
//
// Other than there: 0 workers are as many as there are CPUs, not one; a NULL task is refused; what a
// task throws is captured; submit after stop is a status, not a panic.
#include "conformance/worker_pools.h"

#include <stdexcept>

namespace {

using namespace pool_test;

pool_workers_options workerpool(uint32_t max) {
    pool_workers_options options = worker_options(max, POOL_WORKERS_UNBOUNDED);
    options.reap = POOL_WORKERS_REAP_ONE;
    return options;
}

// A1-1
TEST(GammazeroWorkerpool, EverySubmitTakesItsOwnFunctionAndArgument) {
    Tally one, two;
    WorkerPoolUnderTest pool(workerpool(2));
    ASSERT_EQ(pool_workers_submit(pool, Tally::raise_it, &one), POOL_OK);
    ASSERT_EQ(pool_workers_submit(
                  pool, [](void *tally) { Tally::raise_it(tally); }, &two),
              POOL_OK);
    let_run(pool);
    EXPECT_EQ(one.value(), 1);
    EXPECT_EQ(two.value(), 1);
    EXPECT_EQ(pool_workers_submit(pool, nullptr, nullptr), POOL_EINVAL) << "a no-op there";
}

// A1-4, TestMaxWorkers
TEST(GammazeroWorkerpool, NoMoreThanTheMaximumRunAtOnceAndAllOfThemDo) {
    Gate gate;
    WorkerPoolUnderTest pool(workerpool(13));
    for (int i = 0; i < 26; i++)
        ASSERT_EQ(pool_workers_submit(pool, Gate::wait_on, &gate), POOL_OK);
    eventually([&] { return pool.stats().running == 13; });
    EXPECT_EQ(pool.stats().workers, 13u);
    EXPECT_EQ(pool.stats().waiting, 13u);
    gate.open();
}

// A1-5 and 6
TEST(GammazeroWorkerpool, WorkersAreStartedOnDemandAndSizeIsTheMaximumNotTheirNumber) {
    WorkerPoolUnderTest pool(workerpool(5));
    EXPECT_EQ(pool.stats().workers, 0u);
    EXPECT_EQ(pool.stats().max_workers, 5u);
    for (int i = 0; i < 10; i++) {
        ASSERT_EQ(pool_workers_submit(pool, nothing, nullptr), POOL_OK);
        let_run(pool);
    }
    EXPECT_EQ(pool.stats().workers, 1u) << "an idle one is used first: TestReuseWorkers";
    EXPECT_EQ(pool.stats().max_workers, 5u);
}

// A1-8, 11 and 46
TEST(GammazeroWorkerpool, SubmitNeverBlocksAndTheWaitingQueueSizeIsKnown) {
    Gate gate;
    WorkerPoolUnderTest pool(workerpool(1));
    pool.occupy(&gate);
    for (int i = 0; i < 1000; i++)
        ASSERT_EQ(pool_workers_submit(pool, nothing, nullptr), POOL_OK);
    EXPECT_EQ(pool.stats().waiting, 1000u);
    EXPECT_EQ(pool.stats().blocked_submitters, 0u);
    gate.open();
    let_run(pool);
    EXPECT_EQ(pool.stats().waiting, 0u);
}

TEST(GammazeroWorkerpool, TasksStartInTheOrderOfTheirSubmission) {
    Gate gate;
    Steps steps(100);
    WorkerPoolUnderTest pool(workerpool(1));
    pool.occupy(&gate);
    for (int i = 0; i < 100; i++)
        ASSERT_EQ(pool_workers_submit(pool, Steps::run, steps[i]), POOL_OK);
    gate.open();
    let_run(pool);
    EXPECT_EQ(steps.ran(), up_to(100));
}

// A1-17, TestSubmitWait
TEST(GammazeroWorkerpool, SubmitWaitReturnsWhenItsTaskHasRunInItsTurn) {
    Gate gate;
    Steps steps(3);
    WorkerPoolUnderTest pool(workerpool(1));
    pool.occupy(&gate);
    ASSERT_EQ(pool_workers_submit(pool, Steps::run, steps[0]), POOL_OK);
    std::thread waiter([&] {
        EXPECT_EQ(pool_workers_run(pool, Steps::run, steps[1], POOL_FOREVER), POOL_OK);
        std::vector<int> ran = steps.ran();
        ASSERT_GE(ran.size(), 2u);
        EXPECT_EQ(ran[1], 1);
    });
    eventually([&] { return pool.stats().waiting == 2; });
    ASSERT_EQ(pool_workers_submit(pool, Steps::run, steps[2]), POOL_OK);
    gate.open();
    waiter.join();
    let_run(pool);
    EXPECT_EQ(steps.ran(), up_to(3));
}

// There it deadlocks.
TEST(GammazeroWorkerpool, ANestedSubmitWaitIsRefusedEvenWithOneWorker) {
    struct Task {
        pool_workers *pool;
        pool_status inner = POOL_OK;
        static void run(void *arg) {
            auto *task = static_cast<Task *>(arg);
            task->inner = pool_workers_run(task->pool, nothing, nullptr, POOL_FOREVER);
        }
    };
    WorkerPoolUnderTest pool(workerpool(1));
    Task task{pool};
    EXPECT_EQ(pool_workers_run(pool, Task::run, &task, POOL_FOREVER), POOL_OK);
    EXPECT_EQ(task.inner, POOL_EDEADLK);
}

// A1-29, TestIdleTimeout. The clock stands still, so a second one would have no business to go.
TEST(GammazeroWorkerpool, OneIdleWorkerEndsPerIdleTimeoutUntilNoneIsLeft) {
    HandSetClock clock;
    pool_workers_options options = workerpool(3);
    options.idle_timeout = 2 * kSecond;
    WorkerPoolUnderTest pool(options);
    Gate gate;
    for (int i = 0; i < 3; i++)
        pool.occupy(&gate);
    gate.open();
    let_run(pool);
    for (uint64_t left = 3; left > 0; left--) {
        EXPECT_EQ(pool.stats().workers, left);
        clock.advance(2 * kSecond);
        eventually([&] { return pool.stats().workers < left; });
        for (int look = 0; look < 20; look++) {
            EXPECT_EQ(pool.stats().workers, left - 1);
            std::this_thread::sleep_for(std::chrono::microseconds(500));
        }
    }
}

// A1-30
TEST(GammazeroWorkerpool, ANegativeIdleTimeoutKeepsIdleWorkers) {
    HandSetClock clock;
    pool_workers_options options = workerpool(2);
    options.idle_timeout = POOL_WORKERS_KEEP;
    WorkerPoolUnderTest pool(options);
    Gate gate;
    pool.occupy(&gate);
    pool.occupy(&gate);
    gate.open();
    let_run(pool);
    clock.advance(1000 * kSecond);
    for (int look = 0; look < 20; look++) {
        EXPECT_EQ(pool.stats().workers, 2u);
        std::this_thread::sleep_for(std::chrono::microseconds(500));
    }
}

// A1-34. There the process dies.
TEST(GammazeroWorkerpool, ATaskThatThrowsIsCountedAndItsWorkerGoesOn) {
    WorkerPoolUnderTest pool(workerpool(1));
    ASSERT_EQ(pool_workers_submit(
                  pool, [](void *) { throw std::runtime_error("no"); }, nullptr),
              POOL_OK);
    ASSERT_EQ(pool_workers_submit(pool, nothing, nullptr), POOL_OK);
    let_run(pool);
    EXPECT_EQ(pool.stats().failed, 1u);
    EXPECT_EQ(pool.stats().succeeded, 1u);
    EXPECT_EQ(pool.stats().started, 1u);
}

// A1-36, TestStop
TEST(GammazeroWorkerpool, StopAbandonsWhatWaitsAndWaitsForWhatRuns) {
    Gate gate;
    WorkerPoolUnderTest pool(workerpool(2));
    for (int i = 0; i < 64; i++)
        ASSERT_EQ(pool_workers_submit(pool, Gate::wait_on, &gate), POOL_OK);
    eventually([&] { return pool.stats().running == 2; });
    pool_workers_report report = empty_report();
    EXPECT_EQ(pool_workers_stop(pool, POOL_WORKERS_DISCARD, 0, &report), POOL_ETIMEDOUT);
    EXPECT_EQ(report.running, 2u);
    gate.open();
    EXPECT_EQ(pool_workers_stop(pool, POOL_WORKERS_DISCARD, POOL_FOREVER, &report), POOL_OK);
    EXPECT_EQ(report.ran, 2u);
    EXPECT_EQ(report.discarded, 62u);
}

// A1-37, TestStopWait
TEST(GammazeroWorkerpool, StopWaitRunsTheQueueDry) {
    Tally ran;
    WorkerPoolUnderTest pool(workerpool(2));
    for (int i = 0; i < 64; i++)
        ASSERT_EQ(pool_workers_submit(pool, Tally::raise_it, &ran), POOL_OK);
    EXPECT_EQ(pool_workers_stop(pool, POOL_WORKERS_DRAIN, POOL_FOREVER, nullptr), POOL_OK);
    EXPECT_EQ(ran.value(), 64);
}

// A1-41, TestStopRace: whichever comes first decides, and nobody returns before the end.
TEST(GammazeroWorkerpool, TheFirstStopDecidesAndEveryStopReturnsAtTheEndAndMayBeRepeated) {
    Stay running;
    Tally ran, stopped;
    WorkerPoolUnderTest pool(workerpool(1));
    ASSERT_EQ(pool_workers_submit(pool, Stay::run, &running), POOL_OK);
    running.begun.wait_for(1);
    ASSERT_EQ(pool_workers_submit(pool, Tally::raise_it, &ran), POOL_OK);
    EXPECT_EQ(pool_workers_stop(pool, POOL_WORKERS_DRAIN, 0, nullptr), POOL_ETIMEDOUT);
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; i++)
        threads.emplace_back([&] {
            EXPECT_EQ(pool_workers_stop(pool, POOL_WORKERS_DISCARD, POOL_FOREVER, nullptr),
                      POOL_OK);
            EXPECT_EQ(ran.value(), 1);
            stopped.raise();
        });
    EXPECT_EQ(stopped.value(), 0);
    running.gate.open();
    for (std::thread &thread : threads)
        thread.join();
    EXPECT_EQ(pool_workers_stop(pool, POOL_WORKERS_DISCARD, 0, nullptr), POOL_OK);
}

// A1-40, and Stopped(), which is true from the beginning of a stop.
TEST(GammazeroWorkerpool, SubmitIsRefusedFromTheBeginningOfAStop) {
    Gate gate;
    Tally ran;
    WorkerPoolUnderTest pool(workerpool(1));
    pool.occupy(&gate);
    EXPECT_EQ(pool_workers_stop(pool, POOL_WORKERS_DRAIN, 0, nullptr), POOL_ETIMEDOUT);
    EXPECT_EQ(pool_workers_submit(pool, Tally::raise_it, &ran), POOL_ECLOSED);
    EXPECT_EQ(pool_workers_run(pool, Tally::raise_it, &ran, POOL_FOREVER), POOL_ECLOSED);
    gate.open();
    EXPECT_EQ(pool_workers_stop(pool, POOL_WORKERS_DRAIN, POOL_FOREVER, nullptr), POOL_OK);
    EXPECT_EQ(ran.value(), 0);
}

// A1-27, TestPause. There Pause lets those that wait run first: so does a wait before it.
TEST(GammazeroWorkerpool, APauseHoldsWhatComesLaterUntilItIsResumed) {
    Tally before, after;
    WorkerPoolUnderTest pool(workerpool(3));
    for (int i = 0; i < 30; i++)
        ASSERT_EQ(pool_workers_submit(pool, Tally::raise_it, &before), POOL_OK);
    let_run(pool);
    ASSERT_EQ(pool_workers_pause(pool, POOL_FOREVER), POOL_OK);
    EXPECT_EQ(before.value(), 30);
    for (int i = 0; i < 10; i++)
        ASSERT_EQ(pool_workers_submit(pool, Tally::raise_it, &after), POOL_OK);
    EXPECT_EQ(pool.stats().waiting, 10u);
    EXPECT_EQ(pool.stats().running, 0u);
    EXPECT_EQ(after.value(), 0);
    ASSERT_EQ(pool_workers_resume(pool), POOL_OK);
    let_run(pool);
    EXPECT_EQ(after.value(), 10);
}

TEST(GammazeroWorkerpool, APauseWaitsForWhatRuns) {
    Stay running;
    Tally paused;
    WorkerPoolUnderTest pool(workerpool(2));
    ASSERT_EQ(pool_workers_submit(pool, Stay::run, &running), POOL_OK);
    running.begun.wait_for(1);
    EXPECT_EQ(pool_workers_pause(pool, 0), POOL_ETIMEDOUT) << "in force, but not yet quiet";
    std::thread pauser([&] {
        EXPECT_EQ(pool_workers_pause(pool, POOL_FOREVER), POOL_OK);
        EXPECT_EQ(running.ended.value(), 1);
        paused.raise();
    });
    EXPECT_EQ(paused.value(), 0);
    running.gate.open();
    pauser.join();
    EXPECT_EQ(pool.stats().paused, 2u);
    EXPECT_EQ(pool_workers_resume(pool), POOL_OK);
    EXPECT_EQ(pool_workers_resume(pool), POOL_OK);
}

// There a second Pause waits for the end of the first.
TEST(GammazeroWorkerpool, ConcurrentPausesNestInsteadOfWaitingForOneAnother) {
    Tally ran;
    WorkerPoolUnderTest pool(workerpool(2));
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; i++)
        threads.emplace_back([&] { EXPECT_EQ(pool_workers_pause(pool, POOL_FOREVER), POOL_OK); });
    for (std::thread &thread : threads)
        thread.join();
    ASSERT_EQ(pool_workers_submit(pool, Tally::raise_it, &ran), POOL_OK);
    for (int i = 0; i < 3; i++)
        ASSERT_EQ(pool_workers_resume(pool), POOL_OK);
    EXPECT_EQ(pool.stats().waiting, 1u);
    ASSERT_EQ(pool_workers_resume(pool), POOL_OK);
    ran.wait_for(1);
    EXPECT_EQ(pool_workers_resume(pool), POOL_EINVAL);
}

TEST(GammazeroWorkerpool, BothStopsEndAPauseAndAPauseOfAStoppedPoolReturnsAtOnce) {
    for (pool_workers_stop_mode mode : {POOL_WORKERS_DRAIN, POOL_WORKERS_DISCARD}) {
        Tally ran;
        WorkerPoolUnderTest pool(workerpool(2));
        ASSERT_EQ(pool_workers_pause(pool, POOL_FOREVER), POOL_OK);
        for (int i = 0; i < 5; i++)
            ASSERT_EQ(pool_workers_submit(pool, Tally::raise_it, &ran), POOL_OK);
        EXPECT_EQ(pool_workers_stop(pool, mode, POOL_FOREVER, nullptr), POOL_OK);
        EXPECT_EQ(ran.value(), mode == POOL_WORKERS_DRAIN ? 5 : 0);
        EXPECT_EQ(pool_workers_pause(pool, POOL_FOREVER), POOL_ECLOSED);
    }
}

} // namespace
