// Sherifabdlnaby/gpool: what a program that used it may rely on here.
//
// SPDX-License-Identifier: Apache-2.0
//
//     gpool.NewPool(n)             options.max_workers = n, queue_capacity = POOL_WORKERS_HANDOFF
//     p.Enqueue(ctx, f)            pool_workers_start_now: returns when the job has started
//     p.TryEnqueue(f)              pool_workers_try_submit
//     p.EnqueueAndWait(ctx, f)     pool_workers_run_here: on the caller's thread
//     p.TryEnqueueAndWait(f)       the same with a timeout of 0
//     p.Stop(), p.Start()          pool_workers_stop with POOL_WORKERS_DRAIN, pool_workers_restart
//     p.Resize(n)                  pool_workers_resize(p, 0, n)
//     GetSize, GetCurrent, GetWaiting  pool_workers_stats: max_workers, running, blocked_submitters
//     ErrPoolInvalidSize, ErrPoolStopped   POOL_EINVAL, POOL_ECLOSED
//
// Other than there: callers that wait fail at once when the pool stops, as its documentation promises
// and its semaphore does not keep; a refused job costs no slot; what a job throws is captured.
#include "conformance/worker_pools.h"

#include <sched.h>
#include <stdexcept>

namespace {

using namespace pool_test;

pool_workers_options gpool(uint32_t size) {
    return worker_options(size, POOL_WORKERS_HANDOFF);
}

pool_status enqueue(pool_workers *pool, pool_workers_task_fn job, void *arg,
                    int64_t timeout = POOL_FOREVER) {
    return pool_workers_start_now(pool, job, arg, nullptr, timeout, nullptr);
}

// A1-4
TEST(Gpool, ASizeOfZeroIsTheNumberOfCpusThatTheProcessMayUse) {
    cpu_set_t before, one;
    ASSERT_EQ(sched_getaffinity(0, sizeof before, &before), 0);
    CPU_ZERO(&one);
    CPU_SET(static_cast<size_t>(sched_getcpu()), &one);
    ASSERT_EQ(sched_setaffinity(0, sizeof one, &one), 0);
    {
        WorkerPoolUnderTest pool(gpool(0));
        EXPECT_EQ(pool.stats().max_workers, 1u);
        EXPECT_EQ(enqueue(pool, nothing, nullptr), POOL_OK);
    }
    ASSERT_EQ(sched_setaffinity(0, sizeof before, &before), 0);
    WorkerPoolUnderTest pool(gpool(0));
    EXPECT_GE(pool.stats().max_workers, 1u);
    EXPECT_LE(pool.stats().max_workers, static_cast<uint64_t>(CPU_COUNT(&before)));
}

// A1-16
TEST(Gpool, EnqueueReturnsWhenTheJobHasStartedNotWhenItHasEnded) {
    Stay job;
    WorkerPoolUnderTest pool(gpool(1));
    EXPECT_EQ(enqueue(pool, Stay::run, &job), POOL_OK);
    job.begun.wait_for(1);
    EXPECT_EQ(job.ended.value(), 0);
    EXPECT_EQ(pool.stats().running, 1u);
    job.gate.open();
}

TEST(Gpool, EnqueueWaitsForASlotInTheOrderOfArrival) {
    Stay busy;
    Steps steps(3);
    WorkerPoolUnderTest pool(gpool(1));
    ASSERT_EQ(enqueue(pool, Stay::run, &busy), POOL_OK);
    std::vector<std::thread> callers;
    for (int i = 0; i < 3; i++) {
        callers.emplace_back([&, i] { EXPECT_EQ(enqueue(pool, Steps::run, steps[i]), POOL_OK); });
        eventually([&] { return pool.stats().blocked_submitters == static_cast<uint64_t>(i) + 1; });
    }
    busy.gate.open();
    for (std::thread &caller : callers)
        caller.join();
    let_run(pool);
    EXPECT_EQ(steps.ran(), up_to(3));
}

// A1-14 and 19: ctx is done while the caller waits.
TEST(Gpool, AnEnqueueThatTimesOutLeavesNoJobBehind) {
    Stay busy;
    Tally ran;
    WorkerPoolUnderTest pool(gpool(1));
    ASSERT_EQ(enqueue(pool, Stay::run, &busy), POOL_OK);
    EXPECT_EQ(enqueue(pool, Tally::raise_it, &ran, 0), POOL_ETIMEDOUT);
    EXPECT_EQ(enqueue(pool, Tally::raise_it, &ran, kMillisecond), POOL_ETIMEDOUT);
    EXPECT_EQ(pool_workers_run_here(pool, Tally::raise_it, &ran, kMillisecond), POOL_ETIMEDOUT);
    EXPECT_EQ(pool.stats().blocked_submitters, 0u);
    busy.gate.open();
    let_run(pool);
    EXPECT_EQ(ran.value(), 0);
}

// A1-13
TEST(Gpool, TryEnqueueIsFalseWhileThereIsNoSlot) {
    Stay busy;
    Tally ran;
    WorkerPoolUnderTest pool(gpool(1));
    ASSERT_EQ(enqueue(pool, Stay::run, &busy), POOL_OK);
    EXPECT_EQ(pool_workers_try_submit(pool, Tally::raise_it, &ran), POOL_EFULL);
    busy.gate.open();
    eventually([&] { return pool_workers_try_submit(pool, Tally::raise_it, &ran) == POOL_OK; });
    ran.wait_for(1);
}

// A1-17 and 18
TEST(Gpool, EnqueueAndWaitRunsTheJobOnTheCallersThread) {
    struct Job {
        std::thread::id thread;
        static void run(void *arg) { static_cast<Job *>(arg)->thread = std::this_thread::get_id(); }
    } job;
    WorkerPoolUnderTest pool(gpool(2));
    EXPECT_EQ(pool_workers_run_here(pool, Job::run, &job, POOL_FOREVER), POOL_OK);
    EXPECT_EQ(job.thread, std::this_thread::get_id());
}

TEST(Gpool, AJobOnTheCallersThreadTakesASlotLikeEveryOther) {
    Stay here;
    WorkerPoolUnderTest pool(gpool(1));
    std::thread caller(
        [&] { EXPECT_EQ(pool_workers_run_here(pool, Stay::run, &here, POOL_FOREVER), POOL_OK); });
    here.begun.wait_for(1);
    EXPECT_EQ(here.thread.load(), caller.get_id());
    eventually([&] { return pool.stats().running == 1; }); // GetCurrent
    EXPECT_EQ(pool_workers_try_submit(pool, nothing, nullptr), POOL_EFULL);
    EXPECT_EQ(pool_workers_run_here(pool, nothing, nullptr, 0), POOL_ETIMEDOUT)
        << "TryEnqueueAndWait";
    here.gate.open();
    caller.join();
}

// Upstream promises "at once", but those ahead of Stop still run there.
TEST(Gpool, StopWaitsForRunningJobsAndFailsBlockedCallersAtOnce) {
    Stay busy;
    Tally stopped;
    WorkerPoolUnderTest pool(gpool(1));
    ASSERT_EQ(enqueue(pool, Stay::run, &busy), POOL_OK);
    std::thread caller([&] { EXPECT_EQ(enqueue(pool, nothing, nullptr), POOL_ECLOSED); });
    eventually([&] { return pool.stats().blocked_submitters == 1; });
    std::thread stopper([&] {
        EXPECT_EQ(pool_workers_stop(pool, POOL_WORKERS_DRAIN, POOL_FOREVER, nullptr), POOL_OK);
        EXPECT_EQ(busy.ended.value(), 1);
        stopped.raise();
    });
    caller.join();
    EXPECT_EQ(stopped.value(), 0);
    busy.gate.open();
    stopper.join();
}

// A1-39 and 40. There an Enqueue on a stopped pool loses a slot.
TEST(Gpool, AStoppedPoolRefusesEveryFormAndStartOpensItWithAllItsSlots) {
    Gate gate;
    WorkerPoolUnderTest pool(gpool(2));
    EXPECT_EQ(pool_workers_stop(pool, POOL_WORKERS_DRAIN, POOL_FOREVER, nullptr), POOL_OK);
    for (int i = 0; i < 3; i++) {
        EXPECT_EQ(enqueue(pool, nothing, nullptr), POOL_ECLOSED);
        EXPECT_EQ(pool_workers_try_submit(pool, nothing, nullptr), POOL_ECLOSED);
        EXPECT_EQ(pool_workers_run_here(pool, nothing, nullptr, POOL_FOREVER), POOL_ECLOSED);
    }
    ASSERT_EQ(pool_workers_restart(pool), POOL_OK);
    EXPECT_EQ(enqueue(pool, Gate::wait_on, &gate), POOL_OK);
    EXPECT_EQ(enqueue(pool, Gate::wait_on, &gate), POOL_OK);
    EXPECT_EQ(pool_workers_try_submit(pool, nothing, nullptr), POOL_EFULL);
    gate.open();
}

// A1-28
TEST(Gpool, ResizeUpAdmitsWaitersAtOnceAndDownOnlyDelaysNewStarts) {
    Stay jobs[3];
    WorkerPoolUnderTest pool(gpool(1));
    ASSERT_EQ(enqueue(pool, Stay::run, &jobs[0]), POOL_OK);
    std::thread caller([&] {
        EXPECT_EQ(enqueue(pool, Stay::run, &jobs[1]), POOL_OK);
        EXPECT_EQ(enqueue(pool, Stay::run, &jobs[2]), POOL_OK);
    });
    eventually([&] { return pool.stats().blocked_submitters == 1; });
    ASSERT_EQ(pool_workers_resize(pool, 0, 2), POOL_OK);
    jobs[1].begun.wait_for(1);
    ASSERT_EQ(pool_workers_resize(pool, 0, 1), POOL_OK);
    EXPECT_EQ(seen(pool).running, 2u);
    jobs[0].gate.open();
    jobs[0].ended.wait_for(1);
    eventually([&] { return seen(pool).workers == 1; });
    EXPECT_EQ(jobs[2].begun.value(), 0) << "one still runs, and there is one slot";
    jobs[1].gate.open();
    jobs[2].begun.wait_for(1);
    caller.join();
    jobs[2].gate.open();
    EXPECT_EQ(pool_workers_resize(pool, 0, 0), POOL_EINVAL);
}

// A1-45 and 46
TEST(Gpool, SizeCurrentAndWaitingAreKnown) {
    Stay busy;
    WorkerPoolUnderTest pool(gpool(1));
    ASSERT_EQ(enqueue(pool, Stay::run, &busy), POOL_OK);
    std::thread caller([&] { EXPECT_EQ(enqueue(pool, nothing, nullptr), POOL_OK); });
    eventually([&] { return pool.stats().blocked_submitters == 1; });
    EXPECT_EQ(pool.stats().max_workers, 1u);
    EXPECT_EQ(pool.stats().running, 1u);
    busy.gate.open();
    caller.join();
    let_run(pool);
    EXPECT_EQ(pool.stats().running, 0u);
    EXPECT_EQ(pool.stats().blocked_submitters, 0u);
}

// A1-34. There the process dies.
TEST(Gpool, AJobThatThrowsGivesItsSlotBack) {
    WorkerPoolUnderTest pool(gpool(1));
    auto fails = [](void *) { throw std::runtime_error("failed"); };
    for (int i = 0; i < 3; i++) {
        EXPECT_EQ(enqueue(pool, fails, nullptr), POOL_OK);
        EXPECT_EQ(pool_workers_run_here(pool, fails, nullptr, POOL_FOREVER), POOL_ETASK);
    }
    EXPECT_EQ(pool_workers_run_here(pool, nothing, nullptr, POOL_FOREVER), POOL_OK);
}

} // namespace
