// The knobs of worker pools that have to do with how tasks and pools end, each value of each of them.
//
// SPDX-License-Identifier: Apache-2.0
#include "conformance/worker_pools.h"
#include "support/log.h"
#include "sync/child.h"

#include <poll.h>

namespace {

using namespace pool_test;

constexpr pool_workers_stop_mode kModes[] = {POOL_WORKERS_DRAIN, POOL_WORKERS_DISCARD,
                                             POOL_WORKERS_CANCEL};

// Runs until it is told by its flag, or let go.
struct Looking {
    Tally begun;
    std::atomic<bool> let{false};
    std::atomic<bool> told{false};
    static void run(void *arg) {
        auto *self = static_cast<Looking *>(arg);
        self->begun.raise();
        eventually([self] {
            if (pool_workers_self_cancelled() != 0)
                self->told = true;
            return self->told || self->let;
        });
    }
};

TEST(WorkerKnobs, StopModesDrainDiscardOrCancelAndTheReportSaysWhatBecameOfAll) {
    for (pool_workers_stop_mode mode : kModes) {
        Looking looking;
        Tally ran;
        WorkerPoolUnderTest pool(worker_options(1));
        Started running(pool, Looking::run, &looking);
        looking.begun.wait_for(1);
        for (int i = 0; i < 4; i++)
            ASSERT_EQ(pool_workers_submit(pool, Tally::raise_it, &ran), POOL_OK);
        Started waiting(pool, Tally::raise_it, &ran);
        pool_workers_report report = empty_report();
        pool_workers_stop(pool, mode, 0, nullptr);
        looking.let = mode != POOL_WORKERS_CANCEL;
        EXPECT_EQ(pool_workers_stop(pool, mode, POOL_FOREVER, &report), POOL_OK);
        const bool drain = mode == POOL_WORKERS_DRAIN;
        EXPECT_EQ(ran.value(), drain ? 5 : 0);
        EXPECT_EQ(report.discarded, drain ? 0u : 5u);
        EXPECT_EQ(report.running, 0u);
        EXPECT_EQ(report.waiting, 0u);
        EXPECT_EQ(waiting.wait(), drain ? POOL_OK : POOL_ECLOSED);
        EXPECT_EQ(running.wait(), mode == POOL_WORKERS_CANCEL ? POOL_ECANCELED : POOL_OK);
        EXPECT_EQ(looking.told, mode == POOL_WORKERS_CANCEL);
        pool_workers_stats stats = pool.stats();
        EXPECT_EQ(stats.submitted, 6u);
        EXPECT_EQ(stats.succeeded + stats.cancelled + stats.discarded, 6u);
        EXPECT_EQ(report.ran, stats.succeeded + stats.failed + stats.cancelled)
            << "a task that ran and gave up has run";
    }
}

TEST(WorkerKnobs, StopWaitsForEverOrForATimeOrNotAtAll) {
    for (pool_workers_stop_mode mode : kModes) {
        Stay running; // which does not look at its flag
        WorkerPoolUnderTest pool(worker_options(1));
        ASSERT_EQ(pool_workers_submit(pool, Stay::run, &running), POOL_OK);
        running.begun.wait_for(1);
        pool_workers_report report = empty_report();
        EXPECT_EQ(pool_workers_stop(pool, mode, 0, &report), POOL_ETIMEDOUT);
        EXPECT_EQ(report.running, 1u);
        EXPECT_EQ(pool_workers_stop(pool, mode, kMillisecond, &report), POOL_ETIMEDOUT);
        EXPECT_EQ(report.running, 1u);
        std::thread waiter([&] {
            EXPECT_EQ(pool_workers_stop(pool, mode, POOL_FOREVER, nullptr), POOL_OK);
            EXPECT_EQ(running.ended.value(), 1);
        });
        running.gate.open();
        waiter.join();
        EXPECT_EQ(pool_workers_stop(pool, mode, 0, &report), POOL_OK);
        EXPECT_EQ(report.running, 0u);
        EXPECT_EQ(report.ran, 1u);
    }
}

TEST(WorkerKnobs, TheFirstStopsModeHoldsForAll) {
    for (pool_workers_stop_mode first : kModes) {
        for (pool_workers_stop_mode second : kModes) {
            Looking looking;
            Tally ran;
            WorkerPoolUnderTest pool(worker_options(1));
            ASSERT_EQ(pool_workers_submit(pool, Looking::run, &looking), POOL_OK);
            looking.begun.wait_for(1);
            ASSERT_EQ(pool_workers_submit(pool, Tally::raise_it, &ran), POOL_OK);
            pool_workers_stop(pool, first, 0, nullptr);
            pool_workers_stop(pool, second, 0, nullptr);
            looking.let = first != POOL_WORKERS_CANCEL;
            EXPECT_EQ(pool_workers_stop(pool, second, POOL_FOREVER, nullptr), POOL_OK);
            EXPECT_EQ(ran.value(), first == POOL_WORKERS_DRAIN ? 1 : 0);
            EXPECT_EQ(looking.told, first == POOL_WORKERS_CANCEL);
        }
    }
}

TEST(WorkerKnobs, StopModeIsRefusedUnlessItIsOneOfThree) {
    WorkerPoolUnderTest pool(worker_options(1));
    EXPECT_EQ(pool_workers_stop(pool, 0, 0, nullptr), POOL_EINVAL);
    EXPECT_EQ(pool_workers_stop(pool, 4, 0, nullptr), POOL_EINVAL);
    EXPECT_EQ(pool_workers_stop(pool, POOL_WORKERS_DRAIN, -2, nullptr), POOL_EINVAL);
    EXPECT_EQ(pool_workers_submit(pool, nothing, nullptr), POOL_OK) << "nothing has changed";
}

// For a host that holds a global lock and must not block.
TEST(WorkerKnobs, StopAsyncIsDoneWhenItsDescriptorIsReadable) {
    for (pool_workers_stop_mode mode : kModes) {
        Stay running;
        WorkerPoolUnderTest pool(worker_options(1));
        ASSERT_EQ(pool_workers_submit(pool, Stay::run, &running), POOL_OK);
        running.begun.wait_for(1);
        int32_t fd = -1, again = -1;
        ASSERT_EQ(pool_workers_stop_async(pool, mode, &fd), POOL_OK);
        ASSERT_EQ(pool_workers_stop_async(pool, mode, &again), POOL_OK);
        EXPECT_EQ(fd, again);
        pollfd readable = {fd, POLLIN, 0};
        EXPECT_EQ(poll(&readable, 1, 0), 0);
        running.gate.open();
        EXPECT_EQ(poll(&readable, 1, -1), 1);
        pool_workers_report report = empty_report();
        EXPECT_EQ(pool_workers_stop(pool, mode, 0, &report), POOL_OK);
        EXPECT_EQ(report.ran, 1u);
        EXPECT_EQ(poll(&readable, 1, 0), 1) << "it stays readable";
    }
}

TEST(WorkerKnobs, StopAsyncOfAnIdlePoolIsDoneAtOnceAndATaskMayCallIt) {
    WorkerPoolUnderTest idle(worker_options(1));
    int32_t fd = -1;
    ASSERT_EQ(pool_workers_stop_async(idle, POOL_WORKERS_DRAIN, &fd), POOL_OK);
    pollfd readable = {fd, POLLIN, 0};
    EXPECT_EQ(poll(&readable, 1, -1), 1);

    struct Task {
        pool_workers *pool;
        std::atomic<int32_t> fd{-1};
        static void run(void *arg) {
            auto *self = static_cast<Task *>(arg);
            int32_t fd = -1;
            EXPECT_EQ(pool_workers_stop_async(self->pool, POOL_WORKERS_DRAIN, &fd), POOL_OK);
            self->fd = fd;
        }
    };
    WorkerPoolUnderTest pool(worker_options(1));
    Task task{pool};
    ASSERT_EQ(pool_workers_submit(pool, Task::run, &task), POOL_OK);
    eventually([&] { return task.fd >= 0; });
    readable.fd = task.fd;
    EXPECT_EQ(poll(&readable, 1, -1), 1);
}

TEST(WorkerKnobs, RestartTakesTasksAgainInEveryModeAndCountersGoOn) {
    for (pool_workers_stop_mode mode : kModes) {
        pool_workers_options options = worker_options(2);
        options.min_workers = 1;
        Tally ran;
        WorkerPoolUnderTest pool(options);
        for (int round = 1; round <= 3; round++) {
            ASSERT_EQ(pool_workers_submit(pool, Tally::raise_it, &ran), POOL_OK);
            ran.wait_for(round);
            ASSERT_EQ(pool_workers_stop(pool, mode, POOL_FOREVER, nullptr), POOL_OK);
            EXPECT_EQ(pool_workers_submit(pool, Tally::raise_it, &ran), POOL_ECLOSED);
            ASSERT_EQ(pool_workers_restart(pool), POOL_OK);
            EXPECT_EQ(pool.stats().workers, 1u) << "min_workers are there again";
        }
        EXPECT_EQ(pool.stats().succeeded, 3u);
        Started task(
            pool, [](void *) { EXPECT_EQ(pool_workers_self_cancelled(), 0); }, nullptr);
        EXPECT_EQ(task.wait(), POOL_OK);
    }
}

TEST(WorkerKnobs, PauseIsABarrierBehindWhichNothingRuns) {
    std::atomic<int> inside{0};
    auto count = [](void *arg) {
        ++*static_cast<std::atomic<int> *>(arg);
        std::this_thread::yield();
        --*static_cast<std::atomic<int> *>(arg);
    };
    WorkerPoolUnderTest pool(worker_options(4, POOL_WORKERS_UNBOUNDED));
    std::atomic<bool> stop{false};
    std::thread submitter([&] {
        while (!stop)
            EXPECT_EQ(pool_workers_submit(pool, count, &inside), POOL_OK);
    });
    for (int i = 0; i < 100; i++) {
        ASSERT_EQ(pool_workers_pause(pool, POOL_FOREVER), POOL_OK);
        for (int look = 0; look < 10; look++)
            EXPECT_EQ(inside, 0);
        ASSERT_EQ(pool_workers_resume(pool), POOL_OK);
    }
    stop = true;
    submitter.join();
    let_run(pool);
}

// Workers that find no task leave, and during a pause they find none.
TEST(WorkerKnobs, PauseOfAPoolWhoseWorkersHaveLeftIsEndedByResumeAndByAStop) {
    for (bool resumes : {true, false}) {
        pool_workers_options options = worker_options(1);
        options.idle_timeout = POOL_WORKERS_AT_ONCE;
        Tally ran;
        WorkerPoolUnderTest pool(options);
        ASSERT_EQ(pool_workers_pause(pool, POOL_FOREVER), POOL_OK);
        ASSERT_EQ(pool_workers_submit(pool, Tally::raise_it, &ran), POOL_OK);
        eventually([&] { return pool.stats().workers == 0; });
        if (resumes) {
            ASSERT_EQ(pool_workers_resume(pool), POOL_OK);
            ran.wait_for(1);
        }
        EXPECT_EQ(pool_workers_stop(pool, POOL_WORKERS_DRAIN, 5 * kSecond, nullptr), POOL_OK);
        EXPECT_EQ(ran.value(), 1);
    }
}

TEST(WorkerKnobs, GroupFlagsKeepGoingAndResults) {
    WorkerPoolUnderTest pool(worker_options(1));
    struct {
        uint32_t flags;
        int runs;
    } cases[] = {{0, 1},
                 {POOL_WORKERS_GROUP_RESULTS, 1},
                 {POOL_WORKERS_GROUP_KEEP_GOING, 3},
                 {POOL_WORKERS_GROUP_KEEP_GOING | POOL_WORKERS_GROUP_RESULTS, 3}};
    for (auto [flags, runs] : cases) {
        Gate gate;
        Tally ran;
        pool.occupy(&gate);
        GroupUnderTest group(pool, flags);
        for (int i = 0; i < 3; i++)
            group.submit(
                [](void *tally) {
                    Tally::raise_it(tally);
                    pool_workers_self_fail(5, "five");
                },
                &ran);
        gate.open();
        EXPECT_EQ(group.wait(), POOL_ETASK);
        EXPECT_EQ(ran.value(), runs);
        pool_workers_task_info info = {};
        info.size = sizeof info;
        if ((flags & POOL_WORKERS_GROUP_RESULTS) != 0) {
            EXPECT_EQ(group.result(0).code, 5);
            EXPECT_EQ(group.result(2).state,
                      runs == 3 ? POOL_WORKERS_FAILED : POOL_WORKERS_CANCELLED);
        } else {
            EXPECT_EQ(pool_workers_group_result(group, 0, &info), POOL_EINVAL);
            EXPECT_EQ(pool_workers_group_next(group, 0, nullptr, &info), POOL_EINVAL);
        }
    }
}

TEST(WorkerKnobs, GroupOfAGroupIsCancelledWithItAndWaitedForByItsMaker) {
    struct Outer {
        pool_workers *pool;
        Looking inner;
        pool_status waited = POOL_OK;
        static void run(void *arg) {
            auto *self = static_cast<Outer *>(arg);
            GroupUnderTest group(self->pool);
            group.submit(Looking::run, &self->inner);
            self->waited = group.wait();
        }
    };
    WorkerPoolUnderTest pool(worker_options(2));
    GroupUnderTest group(pool);
    Outer outer{pool, {}, POOL_OK};
    group.submit(Outer::run, &outer);
    outer.inner.begun.wait_for(1);
    EXPECT_EQ(pool_workers_group_cancel(group), POOL_OK);
    EXPECT_EQ(group.wait(), POOL_ECANCELED);
    EXPECT_TRUE(outer.inner.told);
    EXPECT_EQ(outer.waited, POOL_ECANCELED);
}

TEST(WorkerKnobs, CancelHasAFlagACommitPointAndAnInterrupt) {
    struct Interrupts {
        std::atomic<int> calls{0};
        std::atomic<std::thread::id> thread{};
        static void call(void *, void *ctx) {
            auto *self = static_cast<Interrupts *>(ctx);
            self->thread = std::this_thread::get_id();
            self->calls++;
        }
    } interrupts;
    pool_workers_options options = worker_options(1);
    options.ctx = &interrupts;
    options.process = [](void *payload, void *, void *) { return payload; };
    options.interrupt = Interrupts::call;
    WorkerPoolUnderTest pool(options);
    Looking looking;
    Started task(pool, Looking::run, &looking);
    looking.begun.wait_for(1);
    EXPECT_EQ(task.cancel(), POOL_WORKERS_FLAGGED);
    EXPECT_EQ(interrupts.calls, 1);
    EXPECT_EQ(interrupts.thread.load(), std::this_thread::get_id());
    EXPECT_EQ(task.wait(), POOL_ECANCELED);
    EXPECT_TRUE(looking.told);

    Stay committed;
    Started commits(
        pool,
        [](void *arg) {
            EXPECT_EQ(pool_workers_self_commit(), 1);
            Stay::run(arg);
        },
        &committed);
    committed.begun.wait_for(1);
    EXPECT_EQ(commits.cancel(), POOL_WORKERS_TOO_LATE);
    committed.gate.open();
    EXPECT_EQ(commits.wait(), POOL_OK);
    EXPECT_EQ(interrupts.calls, 1);
}

TEST(WorkerKnobs, FixedFunctionModeTakesPayloadsAndOtherTasksToo) {
    Tally processed, ran;
    pool_workers_options options = worker_options(2);
    options.process = [](void *payload, void *, void *) -> void * {
        Tally::raise_it(payload);
        return payload;
    };
    WorkerPoolUnderTest pool(options);
    void *result = nullptr;
    EXPECT_EQ(pool_workers_submit_payload(pool, &processed, POOL_FOREVER), POOL_OK);
    EXPECT_EQ(pool_workers_process(pool, &processed, POOL_FOREVER, &result), POOL_OK);
    EXPECT_EQ(result, &processed);
    EXPECT_EQ(pool_workers_submit(pool, Tally::raise_it, &ran), POOL_OK);
    let_run(pool);
    EXPECT_EQ(processed.value(), 2);
    EXPECT_EQ(ran.value(), 1);
}

// Where no handler is set, as ants does it; but not where the failure is somebody's result.
TEST(WorkerKnobs, PanicPolicyLogIsForFailuresThatNobodyHears) {
    LogCapture log;
    const auto throws = [](void *) { throw std::runtime_error("no paper"); };
    pool_workers_options options = worker_options(1);
    options.name = "printers";
    {
        WorkerPoolUnderTest pool(options);
        EXPECT_EQ(pool_workers_submit(pool, throws, nullptr), POOL_OK);
        EXPECT_EQ(pool_workers_start(pool, throws, nullptr, nullptr, POOL_FOREVER, nullptr),
                  POOL_OK);
        EXPECT_EQ(pool_workers_submit(
                      pool, [](void *) { pool_workers_self_fail(7, "no ink"); }, nullptr),
                  POOL_OK);
        let_run(pool);
        const std::vector<LogCapture::Line> lines = log.lines();
        ASSERT_EQ(lines.size(), 3u);
        EXPECT_EQ(lines[0].severity, 3);
        EXPECT_EQ(lines[0].text, "pool 'printers': a task failed with code 0: no paper");
        EXPECT_EQ(lines[1].text, lines[0].text);
        EXPECT_EQ(lines[2].text, "pool 'printers': a task failed with code 7: no ink");

        Started task(pool, throws, nullptr);
        EXPECT_EQ(task.wait(), POOL_ETASK);
        GroupUnderTest group(pool);
        group.submit(throws);
        group.wait();
        EXPECT_EQ(pool_workers_run(pool, throws, nullptr, POOL_FOREVER), POOL_ETASK);
        EXPECT_EQ(pool_workers_run_here(pool, throws, nullptr, POOL_FOREVER), POOL_ETASK);
    }
    options.on_failed = [](void *, int32_t, const char *, void *) {};
    WorkerPoolUnderTest pool(options);
    EXPECT_EQ(pool_workers_submit(pool, throws, nullptr), POOL_OK);
    let_run(pool);
    EXPECT_EQ(log.lines().size(), 3u);
}

// WithoutPanicRecovery, for each way to run a task.
TEST(WorkerKnobs, PanicPolicyAbortLetsAnExceptionEndTheProcess) {
    if (kForksAtRestOnly)
        GTEST_SKIP() << "the sanitizers have a say in how a process ends";
    auto dies = [](void (*submit)(pool_workers *)) {
        return in_forked_child([submit] {
            pool_workers_options options = worker_options(1);
            options.flags = POOL_WORKERS_LET_THROW;
            pool_workers *pool;
            if (pool_workers_create(&options, &pool) != POOL_OK ||
                freopen("/dev/null", "w", stderr) == nullptr)
                return 1;
            submit(pool);
            pool_workers_wait_idle(pool, POOL_FOREVER);
            return 2;
        });
    };
    EXPECT_EQ(dies([](pool_workers *pool) {
                  pool_workers_submit(
                      pool, [](void *) { throw 1; }, nullptr);
              }),
              1000 + SIGABRT);
    EXPECT_EQ(dies([](pool_workers *pool) {
                  GroupUnderTest group(pool);
                  group.submit([](void *) { throw 1; });
                  group.wait();
              }),
              1000 + SIGABRT);
}

} // namespace
