// alitto/pond v1.9: what a program that used it may rely on here.
//
// SPDX-License-Identifier: Apache-2.0
//
//     pond.New(n, c)               options.max_workers = n, queue_capacity = c (0:
//                                  POOL_WORKERS_HANDOFF), reap = POOL_WORKERS_REAP_ONE
//     MinWorkers(n), IdleTimeout(d)    options.min_workers, idle_timeout
//     Strategy(...)                options.spawn_rate = 1, POOL_WORKERS_BALANCED, _LAZY or n
//     PanicHandler(f)              options.on_failed
//     p.Submit(f), TrySubmit(f)    pool_workers_submit, pool_workers_try_submit
//     p.SubmitAndWait(f)           pool_workers_run
//     p.SubmitBefore(f, d)         pool_workers_start with options.start_within = d
//     p.Group(), GroupContext(ctx) a group, with POOL_WORKERS_GROUP_KEEP_GOING or without
//     p.Stop()                     pool_workers_stop with POOL_WORKERS_DISCARD and a timeout of 0
//     p.StopAndWait(), StopAndWaitFor(d)   with POOL_WORKERS_DRAIN and POOL_FOREVER, or d
//
// Other than there: sizes that make no sense are refused, not clamped; submit after stop is a status,
// not a panic; a task that is too late is reported to on_drop and counted.
#include "conformance/worker_pools.h"

#include <stdexcept>

namespace {

using namespace pool_test;

pool_workers_options pond1(uint32_t workers, uint64_t capacity) {
    pool_workers_options options =
        worker_options(workers, capacity == 0 ? POOL_WORKERS_HANDOFF : capacity);
    options.reap = POOL_WORKERS_REAP_ONE;
    options.idle_timeout = 5 * kSecond;
    return options;
}

// A1-4: there they are clamped.
TEST(Pond1, BoundsThatMakeNoSenseAreRefused) {
    pool_workers *pool = nullptr;
    pool_workers_options options = pond1(2, 1);
    options.min_workers = 3;
    EXPECT_EQ(pool_workers_create(&options, &pool), POOL_EINVAL) << "min above max";
    options = pond1(2, 1);
    options.idle_timeout = -5;
    EXPECT_EQ(pool_workers_create(&options, &pool), POOL_EINVAL);
    options = pond1(65537, 1);
    EXPECT_EQ(pool_workers_create(&options, &pool), POOL_EINVAL);
    EXPECT_EQ(pool, nullptr);
}

// A1-5 and 6
TEST(Pond1, MinWorkersStartAtOnceAndTheRestOnDemand) {
    pool_workers_options options = pond1(5, 10);
    options.min_workers = 2;
    Gate gate;
    WorkerPoolUnderTest pool(options);
    EXPECT_EQ(pool.stats().workers, 2u);
    EXPECT_EQ(pool.stats().idle, 2u);
    for (int i = 0; i < 5; i++)
        pool.occupy(&gate);
    EXPECT_EQ(pool.stats().workers, 5u);
    gate.open();
}

// A1-7. With a rate of n every n-th task that meets no idle worker starts one; the first always does.
TEST(Pond1, TheStrategyDecidesHowManyTasksAnotherWorkerIsStartedFor) {
    for (uint32_t rate : {1u, 3u, 10u}) {
        pool_workers_options options = pond1(100, 1000);
        options.spawn_rate = rate;
        Gate gate;
        WorkerPoolUnderTest pool(options);
        pool.occupy(&gate);
        EXPECT_EQ(pool.stats().workers, 1u) << "one is always started where none is";
        for (uint64_t i = 2; i <= 30; i++) {
            ASSERT_EQ(pool_workers_submit(pool, Gate::wait_on, &gate), POOL_OK);
            // Until it runs, or waits and every worker is busy.
            eventually([&] {
                pool_workers_stats stats = pool.stats();
                return stats.running + stats.waiting == i && stats.idle == 0;
            });
        }
        const uint64_t workers = pool.stats().workers;
        if (rate == 1) {
            EXPECT_EQ(workers, 30u) << "eager";
        } else {
            EXPECT_GE(workers, 30 / rate);
            EXPECT_LE(workers, 30 / rate + 1);
        }
        gate.open();
    }
}

TEST(Pond1, BalancedAndLazyCountInCpus) {
    for (uint32_t rate : {POOL_WORKERS_BALANCED, POOL_WORKERS_LAZY}) {
        pool_workers_options options = pond1(64, 1000);
        options.spawn_rate = rate;
        Tally ran;
        WorkerPoolUnderTest pool(options);
        for (int i = 0; i < 100; i++)
            ASSERT_EQ(pool_workers_submit(pool, Tally::raise_it, &ran), POOL_OK);
        let_run(pool);
        EXPECT_EQ(ran.value(), 100);
    }
}

// A1-9, 10, 12 and 13
TEST(Pond1, SubmitBlocksAndTrySubmitIsFalseWhileTheQueueIsFull) {
    for (uint64_t capacity : {0u, 2u}) {
        Gate gate;
        WorkerPoolUnderTest pool(pond1(1, capacity));
        pool.occupy(&gate);
        for (uint64_t i = 0; i < capacity; i++)
            ASSERT_EQ(pool_workers_try_submit(pool, nothing, nullptr), POOL_OK);
        EXPECT_EQ(pool_workers_try_submit(pool, nothing, nullptr), POOL_EFULL);
        std::thread submitter(
            [&] { EXPECT_EQ(pool_workers_submit(pool, nothing, nullptr), POOL_OK); });
        eventually([&] { return pool.stats().blocked_submitters == 1; });
        gate.open();
        submitter.join();
    }
}

// A1-17
TEST(Pond1, SubmitAndWaitReturnsWhenTheTaskHasRun) {
    Tally ran;
    WorkerPoolUnderTest pool(pond1(1, 5));
    for (int i = 1; i <= 5; i++) {
        EXPECT_EQ(pool_workers_run(pool, Tally::raise_it, &ran, POOL_FOREVER), POOL_OK);
        EXPECT_EQ(ran.value(), i);
    }
    EXPECT_EQ(pool_workers_run(
                  pool, [](void *) { throw std::runtime_error("bad"); }, nullptr, POOL_FOREVER),
              POOL_ETASK);
}

// A1-19
TEST(Pond1, SubmitBeforeSkipsATaskThatHasNotStartedInTime) {
    HandSetClock clock;
    struct Drops {
        std::vector<std::pair<void *, pool_status>> calls;
        static void call(void *arg, pool_status status, void *ctx) {
            static_cast<Drops *>(ctx)->calls.push_back({arg, status});
        }
    } drops;
    Gate gate;
    Tally late, timely;
    pool_workers_options options = pond1(1, 10);
    options.ctx = &drops;
    options.on_drop = Drops::call;
    WorkerPoolUnderTest pool(options);
    pool.occupy(&gate);
    pool_workers_task_options before = POOL_WORKERS_TASK_OPTIONS_INIT;
    before.start_within = kSecond;
    Started skipped(pool, Tally::raise_it, &late, &before);
    before.start_within = 3 * kSecond;
    Started runs(pool, Tally::raise_it, &timely, &before);
    clock.advance(2 * kSecond);
    gate.open();
    EXPECT_EQ(runs.wait(), POOL_OK);
    EXPECT_EQ(skipped.wait(), POOL_ECANCELED);
    EXPECT_EQ(skipped.info().state, POOL_WORKERS_DROPPED);
    EXPECT_EQ(late.value(), 0);
    EXPECT_EQ(timely.value(), 1);
    EXPECT_EQ(pool.stats().dropped, 1u);
    ASSERT_EQ(drops.calls.size(), 1u);
    EXPECT_EQ(drops.calls[0].first, &late);
    EXPECT_EQ(drops.calls[0].second, POOL_ETIMEDOUT);
}

// A1-29: one per tick, down to MinWorkers.
TEST(Pond1, OneIdleWorkerStopsPerTickWhileThereAreMoreThanMinWorkers) {
    HandSetClock clock;
    pool_workers_options options = pond1(4, 10);
    options.min_workers = 2;
    Gate gate;
    WorkerPoolUnderTest pool(options);
    for (int i = 0; i < 4; i++)
        pool.occupy(&gate);
    gate.open();
    let_run(pool);
    for (uint64_t left = 4; left > 2; left--) {
        EXPECT_EQ(pool.stats().workers, left);
        clock.advance(5 * kSecond);
        eventually([&] { return pool.stats().workers < left; });
        EXPECT_EQ(pool.stats().workers, left - 1);
    }
    for (int look = 0; look < 20; look++) {
        clock.advance(5 * kSecond);
        std::this_thread::sleep_for(std::chrono::microseconds(500));
        EXPECT_EQ(pool.stats().workers, 2u);
    }
}

// A1-34
TEST(Pond1, ThePanicHandlerIsCalledWithWhatTheTaskThrew) {
    struct Handler {
        Tally calls;
        void *arg = nullptr;
        std::string message;
        static void call(void *arg, int32_t, const char *message, void *ctx) {
            auto *self = static_cast<Handler *>(ctx);
            self->arg = arg;
            self->message = message;
            self->calls.raise();
        }
    } handler;
    pool_workers_options options = pond1(1, 5);
    options.ctx = &handler;
    options.on_failed = Handler::call;
    WorkerPoolUnderTest pool(options);
    ASSERT_EQ(pool_workers_submit(
                  pool, [](void *) { throw std::runtime_error("panic now!"); }, &handler),
              POOL_OK);
    handler.calls.wait_for(1);
    EXPECT_EQ(handler.arg, &handler);
    EXPECT_EQ(handler.message, "panic now!");
}

// A1-36: Stop ends what runs and drops the rest, A1-40
TEST(Pond1, StopDropsWhatWaitsAndLaterSubmitsAreRefused) {
    Stay running;
    Tally ran;
    WorkerPoolUnderTest pool(pond1(1, 10));
    ASSERT_EQ(pool_workers_submit(pool, Stay::run, &running), POOL_OK);
    running.begun.wait_for(1);
    for (int i = 0; i < 5; i++)
        ASSERT_EQ(pool_workers_submit(pool, Tally::raise_it, &ran), POOL_OK);
    EXPECT_EQ(pool_workers_stop(pool, POOL_WORKERS_DISCARD, 0, nullptr), POOL_ETIMEDOUT);
    EXPECT_EQ(pool.stats().discarded, 5u);
    EXPECT_EQ(pool_workers_submit(pool, nothing, nullptr), POOL_ECLOSED);
    EXPECT_EQ(pool_workers_try_submit(pool, nothing, nullptr), POOL_ECLOSED);
    running.gate.open();
    EXPECT_EQ(pool_workers_stop(pool, POOL_WORKERS_DISCARD, POOL_FOREVER, nullptr), POOL_OK);
    EXPECT_EQ(ran.value(), 0);
}

// A1-37 and 41
TEST(Pond1, ConcurrentStopAndWaitsAllReturnWhenTheQueueIsDrained) {
    Gate gate;
    Tally ran;
    WorkerPoolUnderTest pool(pond1(2, 100));
    pool.occupy(&gate);
    for (int i = 0; i < 50; i++)
        ASSERT_EQ(pool_workers_submit(pool, Tally::raise_it, &ran), POOL_OK);
    std::vector<std::thread> stoppers;
    for (int i = 0; i < 4; i++)
        stoppers.emplace_back([&] {
            EXPECT_EQ(pool_workers_stop(pool, POOL_WORKERS_DRAIN, POOL_FOREVER, nullptr), POOL_OK);
            EXPECT_EQ(ran.value(), 50);
        });
    gate.open();
    for (std::thread &stopper : stoppers)
        stopper.join();
}

// A1-38
TEST(Pond1, StopAndWaitForGivesUpBehindItsDeadlineAndSaysWhatIsLeft) {
    Gate gate;
    WorkerPoolUnderTest pool(pond1(1, 10));
    pool.occupy(&gate);
    for (int i = 0; i < 3; i++)
        ASSERT_EQ(pool_workers_submit(pool, nothing, nullptr), POOL_OK);
    pool_workers_report report = empty_report();
    EXPECT_EQ(pool_workers_stop(pool, POOL_WORKERS_DRAIN, kMillisecond, &report), POOL_ETIMEDOUT);
    EXPECT_EQ(report.running, 4u);
    EXPECT_EQ(report.waiting, 3u);
    EXPECT_EQ(report.ran, 0u);
    gate.open();
    EXPECT_EQ(pool_workers_stop(pool, POOL_WORKERS_DRAIN, POOL_FOREVER, &report), POOL_OK);
    EXPECT_EQ(report.ran, 4u);
}

// A1-22
TEST(Pond1, AGroupWaitsForAllItsTasks) {
    Tally ran;
    WorkerPoolUnderTest pool(pond1(3, 100));
    GroupUnderTest group(pool, POOL_WORKERS_GROUP_KEEP_GOING);
    for (int i = 0; i < 60; i++)
        group.submit(Tally::raise_it, &ran);
    EXPECT_EQ(group.wait(), POOL_OK);
    EXPECT_EQ(ran.value(), 60);
}

// A1-21, 23
TEST(Pond1, AGroupContextIsCancelledByTheFirstErrorWhichWaitReturns) {
    Gate gate;
    Tally ran;
    WorkerPoolUnderTest pool(pond1(1, 100));
    GroupUnderTest group(pool);
    pool.occupy(&gate);
    group.submit([](void *) { pool_workers_self_fail(1, "the first"); });
    group.submit([](void *) { pool_workers_self_fail(2, "the second"); });
    for (int i = 0; i < 10; i++)
        group.submit(Tally::raise_it, &ran);
    gate.open();
    EXPECT_EQ(group.wait(), POOL_ETASK);
    EXPECT_NE(std::string(pool_last_error()).find("the first"), std::string::npos);
    EXPECT_EQ(ran.value(), 0);
}

// The deadline of the context that GroupContext was given.
TEST(Pond1, AGroupIsCancelledWhenItsTimeIsOver) {
    HandSetClock clock;
    Gate gate;
    Tally ran;
    WorkerPoolUnderTest pool(pond1(1, 100));
    pool.occupy(&gate);
    GroupUnderTest group(pool, 0, kSecond);
    for (int i = 0; i < 5; i++)
        group.submit(Tally::raise_it, &ran);
    clock.advance(kSecond);
    gate.open();
    EXPECT_EQ(group.wait(), POOL_ECANCELED);
    EXPECT_EQ(ran.value(), 0);
    EXPECT_EQ(pool.stats().cancelled, 5u);
}

// A1-45 and 47
TEST(Pond1, RunningIdleAndCompletedAreCounted) {
    Gate gate;
    pool_workers_options options = pond1(3, 10);
    options.min_workers = 3;
    WorkerPoolUnderTest pool(options);
    pool.occupy(&gate);
    EXPECT_EQ(pool.stats().running, 1u);
    EXPECT_EQ(pool.stats().idle, 2u);
    gate.open();
    let_run(pool);
    ASSERT_EQ(pool_workers_submit(
                  pool, [](void *) { throw 1; }, nullptr),
              POOL_OK);
    let_run(pool);
    EXPECT_EQ(pool.stats().submitted, 2u);
    EXPECT_EQ(pool.stats().succeeded, 1u);
    EXPECT_EQ(pool.stats().failed, 1u);
    EXPECT_EQ(pool.stats().idle, 3u);
}

} // namespace
