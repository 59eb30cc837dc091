// What users of worker pools complain about: each theme, and that it does not happen here.
//
// SPDX-License-Identifier: Apache-2.0
#include "conformance/worker_pools.h"

#include <algorithm>
#include <stdexcept>

namespace {

using namespace pool_test;

// ---- nested submit and wait (ants#197, bshoshany#95, ptsouchlos#57, TileDB#1757) ---------------

// Every call that would wait for its own worker says so; what can be helped is helped.
TEST(WorkerComplaints, ANestedWaitWithOneWorkerIsRefusedOrHelpedAndNeverHangs) {
    struct Task {
        pool_workers *pool;
        Tally ran;
        static void run(void *arg) {
            auto *self = static_cast<Task *>(arg);
            pool_workers *pool = self->pool;
            EXPECT_EQ(pool_workers_wait_idle(pool, POOL_FOREVER), POOL_EDEADLK);
            EXPECT_EQ(pool_workers_run(pool, nothing, nullptr, POOL_FOREVER), POOL_EDEADLK);
            EXPECT_EQ(pool_workers_process(pool, nullptr, POOL_FOREVER, nullptr), POOL_EDEADLK);
            EXPECT_EQ(
                pool_workers_start_now(pool, nothing, nullptr, nullptr, POOL_FOREVER, nullptr),
                POOL_EDEADLK);
            EXPECT_EQ(pool_workers_pause(pool, POOL_FOREVER), POOL_EDEADLK);
            EXPECT_EQ(pool_workers_stop(pool, POOL_WORKERS_DRAIN, POOL_FOREVER, nullptr),
                      POOL_EDEADLK);
            EXPECT_EQ(pool_workers_destroy(pool), POOL_EDEADLK);
            Started inner(pool, Tally::raise_it, &self->ran);
            EXPECT_EQ(inner.wait(), POOL_OK) << "run here and now";
            EXPECT_EQ(pool_workers_run_here(pool, Tally::raise_it, &self->ran, POOL_FOREVER),
                      POOL_OK);
            GroupUnderTest group(pool);
            for (int i = 0; i < 10; i++)
                group.submit(Tally::raise_it, &self->ran);
            EXPECT_EQ(group.wait(), POOL_OK);
        }
    };
    pool_workers_options options = worker_options(1, 2);
    options.process = [](void *payload, void *, void *) { return payload; };
    WorkerPoolUnderTest pool(options);
    Task task{pool, {}};
    EXPECT_EQ(pool_workers_run(pool, Task::run, &task, POOL_FOREVER), POOL_OK);
    EXPECT_EQ(task.ran.value(), 12);
    let_run(pool);
}

TEST(WorkerComplaints, OneWorkerIsEnoughForTasksThatWaitForTasksToAnyDepth) {
    struct Tree {
        pool_workers *pool;
        int depth;
        std::atomic<int> *leaves;
        static void run(void *arg) {
            auto *self = static_cast<Tree *>(arg);
            if (self->depth == 0) {
                ++*self->leaves;
                return;
            }
            Tree child{self->pool, self->depth - 1, self->leaves};
            GroupUnderTest group(self->pool);
            group.submit(run, &child);
            group.submit(run, &child);
            EXPECT_EQ(group.wait(), POOL_OK);
        }
    };
    for (uint32_t workers : {1u, 2u}) {
        std::atomic<int> leaves{0};
        WorkerPoolUnderTest pool(worker_options(workers, 1));
        Tree root{pool, 10, &leaves};
        EXPECT_EQ(pool_workers_run(pool, Tree::run, &root, POOL_FOREVER), POOL_OK);
        EXPECT_EQ(leaves, 1024);
    }
}

// Of a task that waits in the queue but will never start there is nothing to wait for.
TEST(WorkerComplaints, AWaitOnTheOnlyWorkerForATaskThatIsTooLateReturns) {
    struct Task {
        pool_workers *pool;
        HandSetClock clock;
        pool_status status = POOL_OK;
        static void run(void *arg) {
            auto *self = static_cast<Task *>(arg);
            pool_workers_task_options options = POOL_WORKERS_TASK_OPTIONS_INIT;
            options.start_within = kSecond;
            Started late(self->pool, nothing, nullptr, &options);
            self->clock.advance(2 * kSecond);
            std::thread time([self] { // should the wait wait
                std::this_thread::sleep_for(std::chrono::milliseconds(500));
                self->clock.advance(3600 * kSecond);
            });
            self->status = pool_workers_task_wait(late, 60 * kSecond);
            time.join();
        }
    };
    WorkerPoolUnderTest pool(worker_options(1));
    Task task{pool, {}, POOL_OK};
    ASSERT_EQ(pool_workers_submit(pool, Task::run, &task), POOL_OK);
    let_run(pool);
    EXPECT_EQ(task.status, POOL_ECANCELED);
}

TEST(WorkerComplaints, TwoTasksThatWaitForOneAnotherAreTold) {
    struct Pair {
        pool_workers_task *handles[2] = {};
        Tally known, told;
        struct Side {
            Pair *pair;
            int other;
        } sides[2] = {{this, 1}, {this, 0}};
        static void run(void *arg) {
            auto *side = static_cast<Side *>(arg);
            side->pair->known.wait_for(1);
            pool_status status =
                pool_workers_task_wait(side->pair->handles[side->other], POOL_FOREVER);
            if (status == POOL_EDEADLK)
                side->pair->told.raise();
            else
                EXPECT_EQ(status, POOL_OK);
        }
    };
    for (int round = 0; round < 50; round++) {
        Pair pair;
        WorkerPoolUnderTest pool(worker_options(2));
        for (int i = 0; i < 2; i++)
            ASSERT_EQ(pool_workers_start(pool, Pair::run, &pair.sides[i], nullptr, POOL_FOREVER,
                                         &pair.handles[i]),
                      POOL_OK);
        pair.known.raise();
        let_run(pool);
        EXPECT_GE(pair.told.value(), 1);
        for (pool_workers_task *handle : pair.handles)
            pool_workers_task_release(handle);
    }
}

// ---- helping under a lock (rayon#592, TileDB#1994) -------------------------------------------

TEST(WorkerComplaints, AWaitForAGroupRunsNothingForeignOnTopOfATask) {
    struct Task {
        pool_workers *pool;
        std::atomic<bool> inside{false}, foreign_inside{false};
        Tally mine, foreign;
        static void run_foreign(void *arg) {
            auto *self = static_cast<Task *>(arg);
            if (self->inside)
                self->foreign_inside = true;
            self->foreign.raise();
        }
        static void run(void *arg) {
            auto *self = static_cast<Task *>(arg);
            self->inside = true; // as if it held a lock
            GroupUnderTest group(self->pool);
            for (int i = 0; i < 20; i++)
                group.submit(Tally::raise_it, &self->mine);
            EXPECT_EQ(group.wait(), POOL_OK);
            self->inside = false;
        }
    };
    Gate gate;
    WorkerPoolUnderTest pool(worker_options(1));
    Task task;
    task.pool = pool;
    pool.occupy(&gate);
    ASSERT_EQ(pool_workers_submit(pool, Task::run, &task), POOL_OK);
    for (int i = 0; i < 20; i++)
        ASSERT_EQ(pool_workers_submit(pool, Task::run_foreign, &task), POOL_OK);
    gate.open();
    let_run(pool);
    EXPECT_FALSE(task.foreign_inside);
    EXPECT_EQ(task.mine.value(), 20);
    EXPECT_EQ(task.foreign.value(), 20);
}

// Also not what it could steal: the owner of those tasks is busy, and this worker has nothing to do.
TEST(WorkerComplaints, AWaitForAGroupRunsNoStolenTaskOfAnotherGroup) {
    struct Waiter {
        pool_workers *pool;
        Stay member;
        Tally waits;
        std::atomic<std::thread::id> inside{};
        static void run(void *arg) {
            auto *self = static_cast<Waiter *>(arg);
            GroupUnderTest group(self->pool);
            group.submit(Stay::run, &self->member);
            self->member.begun.wait_for(1); // another worker has stolen it
            self->inside = std::this_thread::get_id();
            self->waits.raise();
            EXPECT_EQ(group.wait(), POOL_OK);
            self->inside = std::thread::id();
        }
    };
    struct Owner {
        Waiter *waiter;
        Tally ready, ran;
        std::atomic<int> on_top{0};
        Gate gate;
        static void run_one(void *arg) {
            auto *self = static_cast<Owner *>(arg);
            if (self->waiter->inside.load() == std::this_thread::get_id())
                self->on_top++;
            self->ran.raise();
        }
        static void run(void *arg) {
            auto *self = static_cast<Owner *>(arg);
            GroupUnderTest group(self->waiter->pool);
            for (int i = 0; i < 20; i++)
                group.submit(run_one, self);
            self->ready.raise();
            self->gate.wait();
            EXPECT_EQ(group.wait(), POOL_OK);
        }
    };
    WorkerPoolUnderTest pool(worker_options(3));
    Waiter waiter{pool, {}, {}, {}};
    Owner owner{&waiter, {}, {}, {}, {}};
    ASSERT_EQ(pool_workers_submit(pool, Waiter::run, &waiter), POOL_OK);
    waiter.waits.wait_for(1);
    ASSERT_EQ(pool_workers_submit(pool, Owner::run, &owner), POOL_OK);
    owner.ready.wait_for(1);
    std::this_thread::sleep_for(std::chrono::milliseconds(20)); // time for a wrong step
    EXPECT_EQ(owner.on_top, 0);
    waiter.member.gate.open();
    owner.gate.open();
    let_run(pool);
    EXPECT_EQ(owner.ran.value(), 20);
    EXPECT_EQ(owner.on_top, 0);
}

// ---- workers that get lost (ants#323, #146, pond#33, #61, #108) ------------------------------

TEST(WorkerComplaints, WhenAllWorkersFailAtOnceSubmittersGoOnAndEveryCounterReturnsToZero) {
    for (bool ends_thread : {false, true}) {
        struct Failing {
            Gate gate;
            bool ends_thread;
            static void run(void *arg) {
                static_cast<Failing *>(arg)->gate.wait();
                if (static_cast<Failing *>(arg)->ends_thread)
                    pthread_exit(nullptr);
                throw std::runtime_error("all of us");
            }
        } failing;
        failing.ends_thread = ends_thread;
        Tally ran;
        WorkerPoolUnderTest pool(worker_options(3, 2));
        for (int i = 0; i < 5; i++)
            ASSERT_EQ(pool_workers_submit(pool, Failing::run, &failing), POOL_OK);
        eventually([&] { return pool.stats().running == 3; });
        std::vector<std::thread> submitters;
        for (int i = 0; i < 4; i++)
            submitters.emplace_back([&] {
                for (int task = 0; task < 10; task++)
                    EXPECT_EQ(pool_workers_submit(pool, Tally::raise_it, &ran), POOL_OK);
            });
        eventually([&] { return pool.stats().blocked_submitters == 4; });
        failing.gate.open();
        for (std::thread &submitter : submitters)
            submitter.join();
        let_run(pool);
        EXPECT_EQ(ran.value(), 40);
        pool_workers_stats stats = pool.stats();
        EXPECT_EQ(stats.failed, 5u);
        EXPECT_EQ(stats.running + stats.waiting + stats.blocked_submitters, 0u);
        EXPECT_EQ(stats.replaced, ends_thread ? 5u : 0u);
    }
}

// openziti/foundation#452: the last worker goes while a task arrives.
TEST(WorkerComplaints, ATaskThatArrivesWhileTheLastWorkerLeavesRuns) {
    for (uint64_t capacity : {uint64_t{0}, uint64_t{POOL_WORKERS_HANDOFF}}) {
        pool_workers_options options = worker_options(1, capacity);
        options.idle_timeout = POOL_WORKERS_AT_ONCE;
        Tally ran;
        WorkerPoolUnderTest pool(options);
        for (int i = 1; i <= 1000; i++) {
            ASSERT_EQ(pool_workers_submit(pool, Tally::raise_it, &ran), POOL_OK);
            if (i % 2 == 0)
                ran.wait_for(i);
        }
        ran.wait_for(1000);
    }
}

// ---- exceptions (grpool#1, gowp#13, pond#23) --------------------------------------------------

TEST(WorkerComplaints, WhateverATaskThrowsIsCapturedCountedAndToldToTheHook) {
    struct Hook {
        std::atomic<int> calls{0};
        static void call(void *, int32_t, const char *, void *ctx) {
            static_cast<Hook *>(ctx)->calls++;
            throw std::runtime_error("from the hook, too");
        }
    } hook;
    pool_workers_options options = worker_options(2);
    options.ctx = &hook;
    options.on_failed = Hook::call;
    WorkerPoolUnderTest pool(options);
    for (pool_workers_task_fn task : {pool_workers_task_fn([](void *) { throw 1; }),
                                      pool_workers_task_fn([](void *) { throw "text"; }),
                                      pool_workers_task_fn([](void *) { throw std::bad_alloc(); })})
        ASSERT_EQ(pool_workers_submit(pool, task, nullptr), POOL_OK);
    let_run(pool);
    EXPECT_EQ(pool.stats().failed, 3u);
    EXPECT_EQ(hook.calls, 3);
}

// ---- memory (gammazero#71, cpython#73781) -----------------------------------------------------

TEST(WorkerComplaints, TheQueueIsBoundedUnlessOneAsksOtherwise) {
    WorkerPoolUnderTest pool(worker_options(1));
    EXPECT_EQ(pool.stats().queue_capacity, 65536u);
}

TEST(WorkerComplaints, AQueueThatWasLongGivesItsMemoryBack) {
    Gate gate;
    WorkerPoolUnderTest pool(worker_options(1, POOL_WORKERS_UNBOUNDED));
    pool.occupy(&gate);
    const uint64_t before = pool.stats().memory_bytes;
    for (int i = 0; i < 1000000; i++)
        ASSERT_EQ(pool_workers_submit(pool, nothing, nullptr), POOL_OK);
    const uint64_t most = pool.stats().memory_bytes;
    EXPECT_GT(most, before + 1000000 * sizeof(void *));
    gate.open();
    let_run(pool);
    EXPECT_LT(pool.stats().memory_bytes, before + (most - before) / 10);
}

// ---- priorities (ants#312, libuv#1959, gammazero#16) ------------------------------------------

TEST(WorkerComplaints, HigherPrioritiesStartFirstAndLowerOnesGetOld) { // A1-48
    Gate gate;
    Steps steps(60);
    WorkerPoolUnderTest pool(worker_options(1));
    pool.occupy(&gate);
    pool_workers_task_options options = POOL_WORKERS_TASK_OPTIONS_INIT;
    auto submit = [&](int32_t priority, int number) {
        options.priority = priority;
        ASSERT_EQ(pool_workers_start(pool, Steps::run, steps[number], &options, 0, nullptr),
                  POOL_OK);
    };
    submit(POOL_WORKERS_LOW, 0);
    submit(POOL_WORKERS_NORMAL, 1);
    for (int i = 2; i < 60; i++)
        submit(POOL_WORKERS_HIGH, i);
    gate.open();
    let_run(pool);
    std::vector<int> ran = steps.ran();
    ASSERT_EQ(ran.size(), 60u);
    EXPECT_EQ(ran[0], 2) << "the last to come, the first to start";
    auto position = [&](int number) {
        return std::find(ran.begin(), ran.end(), number) - ran.begin();
    };
    EXPECT_LE(position(1), 16) << "of 16 tasks one is of the next lower priority";
    EXPECT_LT(position(1), position(0));
    EXPECT_LT(position(0), 59);
}

// ---- cancel (ants#237, bshoshany#174) ---------------------------------------------------------

TEST(WorkerComplaints, ACancelHasThreeAnswers) {
    Stay running;
    WorkerPoolUnderTest pool(worker_options(1));
    Started runs(pool, Stay::run, &running), waits(pool, nothing, nullptr);
    running.begun.wait_for(1);
    EXPECT_EQ(waits.cancel(), POOL_WORKERS_REMOVED);
    EXPECT_EQ(waits.cancel(), POOL_WORKERS_TOO_LATE);
    EXPECT_EQ(runs.cancel(), POOL_WORKERS_FLAGGED);
    EXPECT_EQ(runs.cancel(), POOL_WORKERS_FLAGGED);
    running.gate.open();
    EXPECT_EQ(runs.wait(), POOL_OK) << "it never looked at its flag";
    EXPECT_EQ(runs.cancel(), POOL_WORKERS_TOO_LATE);
    EXPECT_EQ(runs.info().cancelled, 1);
}

// ---- submit after stop (tunny#33, gammazero#80, pond#43) --------------------------------------

TEST(WorkerComplaints, SubmitAfterStopIsOneStatusInEveryForm) {
    pool_workers_options options = worker_options(2);
    options.process = [](void *payload, void *, void *) { return payload; };
    WorkerPoolUnderTest pool(options);
    EXPECT_EQ(pool_workers_stop(pool, POOL_WORKERS_DRAIN, POOL_FOREVER, nullptr), POOL_OK);
    pool_workers_task *task;
    pool_workers_node node;
    pool_workers_item item = {nothing, nullptr};
    EXPECT_EQ(pool_workers_submit(pool, nothing, nullptr), POOL_ECLOSED);
    EXPECT_EQ(pool_workers_try_submit(pool, nothing, nullptr), POOL_ECLOSED);
    EXPECT_EQ(pool_workers_submit_timed(pool, nothing, nullptr, 0), POOL_ECLOSED);
    EXPECT_EQ(pool_workers_submit_bulk(pool, &item, 1, 0, nullptr), POOL_ECLOSED);
    EXPECT_EQ(pool_workers_submit_node(pool, &node, nothing, nullptr), POOL_ECLOSED);
    EXPECT_EQ(pool_workers_submit_payload(pool, nullptr, 0), POOL_ECLOSED);
    EXPECT_EQ(pool_workers_process(pool, nullptr, 0, nullptr), POOL_ECLOSED);
    EXPECT_EQ(pool_workers_run(pool, nothing, nullptr, 0), POOL_ECLOSED);
    EXPECT_EQ(pool_workers_run_here(pool, nothing, nullptr, 0), POOL_ECLOSED);
    EXPECT_EQ(pool_workers_start(pool, nothing, nullptr, nullptr, 0, &task), POOL_ECLOSED);
    EXPECT_EQ(pool_workers_start_now(pool, nothing, nullptr, nullptr, 0, &task), POOL_ECLOSED);
    EXPECT_EQ(pool_workers_resize(pool, 1, 3), POOL_ECLOSED);
    EXPECT_EQ(pool_workers_resume(pool), POOL_ECLOSED);
    EXPECT_EQ(pool.stats().submitted, 0u);
}

// ---- a worker that is out of service ----------------------------------------------------------

TEST(WorkerComplaints, AWorkerThatIsNotReadyForAnotherTaskIsNoneThatRunsOne) {
    struct Blocking {
        std::atomic<int> asked{0};
        Gate gate;
        static void ready(void *, void *ctx) {
            auto *self = static_cast<Blocking *>(ctx);
            if (self->asked++ == 1)
                self->gate.wait();
        }
    } blocking;
    pool_workers_options options = worker_options(1);
    options.ctx = &blocking;
    options.ready = Blocking::ready;
    WorkerPoolUnderTest pool(options);
    Started task(pool, nothing, nullptr);
    EXPECT_EQ(task.wait(), POOL_OK);
    eventually([&] { return blocking.asked == 2; });
    EXPECT_EQ(pool_workers_wait_idle(pool, 5 * kSecond), POOL_OK) << "no task waits and none runs";
    blocking.gate.open();
}

} // namespace
