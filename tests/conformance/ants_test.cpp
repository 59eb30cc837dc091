// panjf2000/ants v2: what a program that used it may rely on here. Its multi-pools are in
// worker_sets_test.cpp.
//
// SPDX-License-Identifier: Apache-2.0
//
//     ants.NewPool(n)              options.max_workers = n (n <= 0: POOL_WORKERS_UNLIMITED),
//                                  queue_capacity = POOL_WORKERS_HANDOFF
//     ants.NewPoolWithFunc(n, f)   and options.process = f; p.Invoke is pool_workers_submit_payload
//     WithNonblocking(true)        options.full = POOL_WORKERS_FAIL
//     WithMaxBlockingTasks(n)      options.max_blocked = n
//     WithExpiryDuration(d)        options.idle_timeout = d, reap = POOL_WORKERS_REAP_ALL
//     WithDisablePurge(true)       options.idle_timeout = POOL_WORKERS_KEEP
//     WithPreAlloc(true)           options.idle_order = POOL_WORKERS_FIFO
//     WithPanicHandler(f)          options.on_failed
//     p.Running, Waiting, Cap      pool_workers_stats: running, blocked_submitters, max_workers
//     p.Tune(n)                    pool_workers_resize(p, 0, n)
//     p.Release()                  pool_workers_stop with POOL_WORKERS_DRAIN and a timeout of 0
//     p.ReleaseTimeout(d)          the same with d; POOL_ETIMEDOUT for ErrTimeout
//     p.Reboot()                   pool_workers_restart
//     ErrPoolOverload, ErrPoolClosed   POOL_EFULL, POOL_ECLOSED
//
// Other than there: a worker goes on after a panic; a task that submits to its own full pool does not
// deadlock; a function that is NULL is refused and ends no worker. There is no global pool.
#include "conformance/worker_pools.h"

#include <stdexcept>

namespace {

using namespace pool_test;

pool_workers_options ants(uint32_t size) {
    return worker_options(size, POOL_WORKERS_HANDOFF);
}

// A1-4 and 8
TEST(Ants, ASizeThatIsUnlimitedStartsAWorkerForEveryTask) {
    Gate gate;
    WorkerPoolUnderTest pool(ants(POOL_WORKERS_UNLIMITED));
    for (uint64_t i = 1; i <= 30; i++) {
        ASSERT_EQ(pool_workers_submit(pool, Gate::wait_on, &gate), POOL_OK);
        eventually([&] { return pool.stats().running == i; });
    }
    EXPECT_EQ(pool.stats().workers, 30u);
    gate.open();
}

// A1-10 and 11
TEST(Ants, ANonblockingPoolIsOverloadedOnceAllWorkersAreBusy) {
    pool_workers_options options = ants(2);
    options.full = POOL_WORKERS_FAIL;
    Gate gate;
    WorkerPoolUnderTest pool(options);
    pool.occupy(&gate);
    pool.occupy(&gate);
    EXPECT_EQ(pool_workers_submit(pool, nothing, nullptr), POOL_EFULL);
    EXPECT_EQ(pool.stats().waiting, 0u) << "there is no queue";
    gate.open();
    let_run(pool);
    eventually([&] { return pool_workers_submit(pool, nothing, nullptr) == POOL_OK; });
}

// A1-12 and 46: Waiting() counts callers.
TEST(Ants, ABlockingPoolLetsItsCallersWaitForAWorker) {
    Gate gate;
    Tally ran;
    WorkerPoolUnderTest pool(ants(1));
    pool.occupy(&gate);
    std::vector<std::thread> callers;
    for (uint64_t i = 1; i <= 3; i++) {
        callers.emplace_back(
            [&] { EXPECT_EQ(pool_workers_submit(pool, Tally::raise_it, &ran), POOL_OK); });
        eventually([&] { return pool.stats().blocked_submitters == i; });
    }
    EXPECT_EQ(pool.stats().waiting, 0u);
    EXPECT_EQ(ran.value(), 0);
    gate.open();
    for (std::thread &caller : callers)
        caller.join();
    ran.wait_for(3);
    EXPECT_EQ(pool.stats().blocked_submitters, 0u);
}

// A1-15
TEST(Ants, NoMoreThanMaxBlockingTasksWait) {
    pool_workers_options options = ants(1);
    options.max_blocked = 1;
    Gate gate;
    WorkerPoolUnderTest pool(options);
    pool.occupy(&gate);
    std::thread caller([&] { EXPECT_EQ(pool_workers_submit(pool, nothing, nullptr), POOL_OK); });
    eventually([&] { return pool.stats().blocked_submitters == 1; });
    EXPECT_EQ(pool_workers_submit(pool, nothing, nullptr), POOL_EFULL);
    gate.open();
    caller.join();
}

// ants#146: all workers are gone at once, and nobody wakes the callers.
TEST(Ants, BlockedCallersGoOnWhenAWorkerDies) {
    struct Dying {
        Gate gate;
        static void run(void *arg) {
            static_cast<Dying *>(arg)->gate.wait();
            pthread_exit(nullptr);
        }
    } dying;
    Tally ran;
    WorkerPoolUnderTest pool(ants(2));
    for (uint64_t i = 1; i <= 2; i++) {
        ASSERT_EQ(pool_workers_submit(pool, Dying::run, &dying), POOL_OK);
        eventually([&] { return pool.stats().running == i; });
    }
    std::vector<std::thread> callers;
    for (int i = 0; i < 4; i++)
        callers.emplace_back(
            [&] { EXPECT_EQ(pool_workers_submit(pool, Tally::raise_it, &ran), POOL_OK); });
    eventually([&] { return pool.stats().blocked_submitters == 4; });
    dying.gate.open();
    for (std::thread &caller : callers)
        caller.join();
    ran.wait_for(4);
    let_run(pool);
    EXPECT_EQ(pool.stats().failed, 2u);
    EXPECT_EQ(pool.stats().replaced, 2u);
}

// A1-28
TEST(Ants, TuneUpWakesBlockedCallers) {
    Gate gate;
    WorkerPoolUnderTest pool(ants(1));
    pool.occupy(&gate);
    std::vector<std::thread> callers;
    for (int i = 0; i < 3; i++)
        callers.emplace_back(
            [&] { EXPECT_EQ(pool_workers_submit(pool, Gate::wait_on, &gate), POOL_OK); });
    eventually([&] { return pool.stats().blocked_submitters == 3; });
    ASSERT_EQ(pool_workers_resize(pool, 0, 4), POOL_OK);
    for (std::thread &caller : callers)
        caller.join();
    eventually([&] { return pool.stats().running == 4; });
    gate.open();
}

TEST(Ants, TuneDownKillsNobodyAndTheSurplusLeavesBehindItsTask) {
    Gate gate;
    WorkerPoolUnderTest pool(ants(4));
    for (int i = 0; i < 4; i++)
        pool.occupy(&gate);
    ASSERT_EQ(pool_workers_resize(pool, 0, 1), POOL_OK);
    EXPECT_EQ(seen(pool).running, 4u);
    EXPECT_EQ(seen(pool).max_workers, 1u);
    gate.open();
    let_run(pool);
    eventually([&] { return seen(pool).workers <= 1; });
    EXPECT_EQ(seen(pool).succeeded, 4u);
}

TEST(Ants, TuneToZeroIsRefusedAndChangesNothing) {
    WorkerPoolUnderTest pool(ants(3));
    EXPECT_EQ(pool_workers_resize(pool, 0, 0), POOL_EINVAL);
    EXPECT_EQ(pool.stats().max_workers, 3u);
}

// A1-29
TEST(Ants, PurgeEndsAllWorkersThatHaveBeenIdleForTheExpiryDuration) {
    HandSetClock clock;
    pool_workers_options options = ants(5);
    options.idle_timeout = kSecond;
    Gate gate;
    WorkerPoolUnderTest pool(options);
    for (int i = 0; i < 5; i++)
        pool.occupy(&gate);
    gate.open();
    let_run(pool);
    EXPECT_EQ(pool.stats().workers, 5u);
    eventually([&] { // one that falls asleep only now counts from then
        clock.advance(kSecond);
        return pool.stats().workers == 0;
    });
}

// A1-30
TEST(Ants, DisablePurgeKeepsIdleWorkers) {
    HandSetClock clock;
    pool_workers_options options = ants(3);
    options.idle_timeout = POOL_WORKERS_KEEP;
    Gate gate;
    WorkerPoolUnderTest pool(options);
    for (int i = 0; i < 3; i++)
        pool.occupy(&gate);
    gate.open();
    let_run(pool);
    clock.advance(100000 * kSecond);
    for (int look = 0; look < 10; look++) {
        EXPECT_EQ(pool.stats().workers, 3u);
        std::this_thread::sleep_for(std::chrono::microseconds(500));
    }
}

TEST(Ants, AnInvalidExpiryIsRefused) {
    pool_workers_options options = ants(3);
    options.idle_timeout = -3;
    pool_workers *pool;
    EXPECT_EQ(pool_workers_create(&options, &pool), POOL_EINVAL);
}

// A1-31
TEST(Ants, TheWorkerThatWasBusyLastIsTheNextOneAndWithPreAllocTheOneIdleLongest) {
    for (pool_workers_order order : {POOL_WORKERS_LIFO, POOL_WORKERS_FIFO}) {
        Stay first, second, next;
        pool_workers_options options = ants(2);
        options.idle_order = order;
        WorkerPoolUnderTest pool(options);
        for (Stay *stay : {&first, &second}) {
            ASSERT_EQ(pool_workers_submit(pool, Stay::run, stay), POOL_OK);
            stay->begun.wait_for(1);
        }
        for (Stay *stay : {&first, &second}) {
            uint64_t idle = pool.stats().idle;
            stay->gate.open();
            eventually([&] { return pool.stats().idle == idle + 1; });
            std::this_thread::sleep_for(std::chrono::milliseconds(5)); // until it sleeps
        }
        ASSERT_EQ(pool_workers_submit(pool, Stay::run, &next), POOL_OK);
        next.begun.wait_for(1);
        EXPECT_EQ(next.thread.load(),
                  order == POOL_WORKERS_LIFO ? second.thread.load() : first.thread.load());
        next.gate.open();
    }
}

// A1-34
TEST(Ants, APanicReachesItsHandlerAndThePoolWorksOn) {
    struct Handler {
        Tally calls;
        std::string message;
        static void call(void *, int32_t, const char *message, void *ctx) {
            auto *self = static_cast<Handler *>(ctx);
            self->message = message;
            self->calls.raise();
        }
    } handler;
    pool_workers_options options = ants(1);
    options.ctx = &handler;
    options.on_failed = Handler::call;
    WorkerPoolUnderTest pool(options);
    ASSERT_EQ(pool_workers_submit(
                  pool, [](void *) { throw std::runtime_error("Oops!"); }, nullptr),
              POOL_OK);
    handler.calls.wait_for(1);
    EXPECT_EQ(handler.message, "Oops!");
    ASSERT_EQ(pool_workers_submit(pool, nothing, nullptr), POOL_OK);
    let_run(pool);
    EXPECT_EQ(pool.stats().succeeded, 1u);
    EXPECT_EQ(pool.stats().started, 1u) << "the worker went on";
}

// There Running() no longer counts a task that is in its panic handler. Here it is counted once.
TEST(Ants, ATaskInItsPanicHandlerIsCountedOnce) {
    struct Handler {
        pool_workers *pool = nullptr;
        pool_workers_stats stats;
        static void call(void *, int32_t, const char *, void *ctx) {
            auto *self = static_cast<Handler *>(ctx);
            self->stats = seen(self->pool);
        }
    } handler;
    pool_workers_options options = ants(1);
    options.ctx = &handler;
    options.on_failed = Handler::call;
    WorkerPoolUnderTest pool(options);
    handler.pool = pool;
    ASSERT_EQ(pool_workers_submit(
                  pool, [](void *) { throw 1; }, nullptr),
              POOL_OK);
    let_run(pool);
    EXPECT_EQ(handler.stats.submitted, 1u);
    EXPECT_EQ(handler.stats.failed + handler.stats.running, 1u);
    EXPECT_EQ(pool.stats().submitted, 1u);
    EXPECT_EQ(pool.stats().running, 0u);
}

// A1-2 and ErrLackPoolFunc
TEST(Ants, APoolWithFuncRunsItsFunctionOnEveryPayload) {
    struct Sum {
        std::atomic<int> value{0};
        static void *add(void *payload, void *, void *ctx) {
            static_cast<Sum *>(ctx)->value += *static_cast<int *>(payload);
            return nullptr;
        }
    } sum;
    pool_workers_options options = ants(4);
    options.ctx = &sum;
    options.process = Sum::add;
    std::vector<int> payloads = up_to(100);
    WorkerPoolUnderTest pool(options);
    for (int &payload : payloads)
        ASSERT_EQ(pool_workers_submit_payload(pool, &payload, POOL_FOREVER), POOL_OK);
    let_run(pool);
    EXPECT_EQ(sum.value, 4950);
    WorkerPoolUnderTest without(ants(1));
    EXPECT_EQ(pool_workers_submit_payload(without, &payloads[0], POOL_FOREVER), POOL_EINVAL);
}

// There it deadlocks, as its documentation says (ants#6, #80, #197).
TEST(Ants, ATaskMaySubmitToItsOwnFullPoolWhichHasAllItsWorkersAfterThat) {
    struct Task {
        pool_workers *pool;
        Tally inner;
        static void run(void *arg) {
            auto *task = static_cast<Task *>(arg);
            for (int i = 0; i < 3; i++)
                EXPECT_EQ(pool_workers_submit(task->pool, Tally::raise_it, &task->inner), POOL_OK);
        }
    };
    WorkerPoolUnderTest pool(ants(2));
    Task task{pool, {}};
    ASSERT_EQ(pool_workers_submit(pool, Task::run, &task), POOL_OK);
    task.inner.wait_for(3);
    let_run(pool);
    Gate gate;
    for (int i = 0; i < 2; i++)
        EXPECT_EQ(pool_workers_submit_timed(pool, Gate::wait_on, &gate, 5 * kSecond), POOL_OK);
    EXPECT_EQ(pool_workers_try_submit(pool, nothing, nullptr), POOL_EFULL);
    gate.open();
}

// A1-36 and 40
TEST(Ants, ReleaseReturnsAtOnceLetsRunningTasksFinishAndFailsBlockedCallers) {
    Stay running;
    WorkerPoolUnderTest pool(ants(1));
    ASSERT_EQ(pool_workers_submit(pool, Stay::run, &running), POOL_OK);
    running.begun.wait_for(1);
    std::thread caller(
        [&] { EXPECT_EQ(pool_workers_submit(pool, nothing, nullptr), POOL_ECLOSED); });
    eventually([&] { return pool.stats().blocked_submitters == 1; });
    EXPECT_EQ(pool_workers_stop(pool, POOL_WORKERS_DRAIN, 0, nullptr), POOL_ETIMEDOUT);
    caller.join();
    EXPECT_EQ(running.ended.value(), 0);
    EXPECT_EQ(pool_workers_submit(pool, nothing, nullptr), POOL_ECLOSED);
    running.gate.open();
    running.ended.wait_for(1);
}

// A1-38
TEST(Ants, ReleaseTimeoutSaysWhetherAllWorkersHaveFinished) {
    Gate gate;
    WorkerPoolUnderTest pool(ants(2));
    pool.occupy(&gate);
    EXPECT_EQ(pool_workers_stop(pool, POOL_WORKERS_DRAIN, kMillisecond, nullptr), POOL_ETIMEDOUT);
    gate.open();
    EXPECT_EQ(pool_workers_stop(pool, POOL_WORKERS_DRAIN, POOL_FOREVER, nullptr), POOL_OK);
    EXPECT_EQ(pool_workers_stop(pool, POOL_WORKERS_DRAIN, POOL_FOREVER, nullptr), POOL_OK)
        << "A1-41; there a second one is ErrPoolClosed";
}

// A1-39
TEST(Ants, RebootOpensAReleasedPoolAndOnlyThat) {
    Tally ran;
    WorkerPoolUnderTest pool(ants(2));
    EXPECT_EQ(pool_workers_restart(pool), POOL_EAGAIN) << "it is open; there that does nothing";
    for (int i = 1; i <= 3; i++) {
        ASSERT_EQ(pool_workers_stop(pool, POOL_WORKERS_DRAIN, POOL_FOREVER, nullptr), POOL_OK);
        ASSERT_EQ(pool_workers_restart(pool), POOL_OK);
        ASSERT_EQ(pool_workers_submit(pool, Tally::raise_it, &ran), POOL_OK);
        ran.wait_for(i);
    }
}

// Also not one that comes while the only worker is about to begin.
TEST(Ants, AWorkerThatHasJustBeenGivenATaskIsNotFreeForAnother) {
    pool_workers_options options = ants(1);
    options.full = POOL_WORKERS_FAIL;
    WorkerPoolUnderTest pool(options);
    for (int i = 0; i < 3000; i++) {
        Gate gate;
        eventually([&] { return pool_workers_submit(pool, Gate::wait_on, &gate) == POOL_OK; });
        for (int look = 0; look < 10; look++)
            ASSERT_EQ(pool_workers_submit(pool, nothing, nullptr), POOL_EFULL);
        gate.open();
        let_run(pool);
    }
}

} // namespace
