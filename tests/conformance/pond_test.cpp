// alitto/pond v2: what a program that used it may rely on here. Its subpools are in
// worker_sets_test.cpp.
//
// SPDX-License-Identifier: Apache-2.0
//
//     pond.NewPool(n)              options.max_workers = n (0: POOL_WORKERS_UNLIMITED), queue_capacity
//                                  = POOL_WORKERS_UNBOUNDED, idle_timeout = POOL_WORKERS_AT_ONCE
//     WithQueueSize(n)             options.queue_capacity = n (0: POOL_WORKERS_HANDOFF)
//     WithNonBlocking(true)        options.full = POOL_WORKERS_FAIL
//     WithoutPanicRecovery()       options.flags = POOL_WORKERS_LET_THROW
//     WithContext(ctx)             pool_workers_stop with POOL_WORKERS_CANCEL when it is done
//     p.Go(f)                      pool_workers_submit
//     p.Submit(f)                  pool_workers_start with a handle; pool_workers_task_wait
//     p.TrySubmit(f)               pool_workers_try_submit
//     p.NewGroup(), NewResultPool  a group; POOL_WORKERS_GROUP_RESULTS
//     p.Stop(), StopAndWait()      pool_workers_stop with POOL_WORKERS_DRAIN, a timeout of 0 or not
//     p.Resize(n)                  pool_workers_resize(p, 0, n)
//     ErrQueueFull, ErrPoolStopped, ErrPanic, ErrGroupStopped
//                                  POOL_EFULL, POOL_ECLOSED, POOL_ETASK, POOL_ECANCELED
//
// Other than there: the handle of a running task resolves when it has ended, also when the pool is
// cancelled; a task that ends its thread has failed at once, not at the stop.
#include "conformance/worker_pools.h"
#include "sync/child.h"

#include <stdexcept>

namespace {

using namespace pool_test;

pool_workers_options pond(uint32_t workers, uint64_t queue = POOL_WORKERS_UNBOUNDED) {
    pool_workers_options options = worker_options(workers, queue);
    options.idle_timeout = POOL_WORKERS_AT_ONCE;
    return options;
}

// A1-4
TEST(Pond, ZeroMeansWithoutLimit) {
    std::vector<Stay> tasks(30);
    WorkerPoolUnderTest pool(pond(POOL_WORKERS_UNLIMITED));
    for (Stay &task : tasks)
        ASSERT_EQ(pool_workers_submit(pool, Stay::run, &task), POOL_OK);
    for (Stay &task : tasks)
        task.begun.wait_for(1);
    for (Stay &task : tasks)
        task.gate.open();
}

// A1-6 and 29
TEST(Pond, WorkersStartOnDemandAndEndAsSoonAsTheQueueIsEmpty) {
    Gate gate;
    WorkerPoolUnderTest pool(pond(3));
    EXPECT_EQ(pool.stats().workers, 0u);
    for (int i = 0; i < 9; i++)
        ASSERT_EQ(pool_workers_submit(pool, Gate::wait_on, &gate), POOL_OK);
    eventually([&] { return pool.stats().running == 3; });
    gate.open();
    eventually([&] { return pool.stats().workers == 0; });
    EXPECT_EQ(pool.stats().succeeded, 9u);
    Started again(pool, nothing, nullptr);
    EXPECT_EQ(again.wait(), POOL_OK);
}

// A1-8 and 11
TEST(Pond, TheQueueIsUnboundedByDefaultAndFirstInFirstOut) {
    Gate gate;
    Steps steps(200);
    WorkerPoolUnderTest pool(pond(1));
    pool.occupy(&gate);
    for (int i = 0; i < 200; i++)
        ASSERT_EQ(pool_workers_submit(pool, Steps::run, steps[i]), POOL_OK);
    EXPECT_EQ(pool.stats().waiting, 200u);
    gate.open();
    let_run(pool);
    EXPECT_EQ(steps.ran(), up_to(200));
}

// A1-9 and 12
TEST(Pond, WithAQueueSizeSubmitBlocksUntilThereIsRoom) {
    Gate gate;
    WorkerPoolUnderTest pool(pond(1, 2));
    pool.occupy(&gate);
    for (int i = 0; i < 2; i++)
        ASSERT_EQ(pool_workers_submit(pool, nothing, nullptr), POOL_OK);
    std::thread submitter([&] { EXPECT_EQ(pool_workers_submit(pool, nothing, nullptr), POOL_OK); });
    eventually([&] { return pool.stats().blocked_submitters == 1; });
    gate.open();
    submitter.join();
    let_run(pool);
    EXPECT_EQ(pool.stats().succeeded, 4u);
}

// A1-10 and 13
TEST(Pond, WithAQueueSizeOfZeroATaskIsTakenOnlyWhileAWorkerIsFree) {
    Gate gate;
    WorkerPoolUnderTest pool(pond(2, POOL_WORKERS_HANDOFF));
    pool.occupy(&gate);
    EXPECT_EQ(pool_workers_try_submit(pool, Gate::wait_on, &gate), POOL_OK);
    eventually([&] { return pool.stats().running == 2; });
    EXPECT_EQ(pool_workers_try_submit(pool, nothing, nullptr), POOL_EFULL);
    gate.open();
}

// A1-11 and 47: dropped
TEST(Pond, NonBlockingFailsWithQueueFullAndTakesNothing) {
    Gate gate;
    pool_workers_options options = pond(1, 1);
    options.full = POOL_WORKERS_FAIL;
    WorkerPoolUnderTest pool(options);
    pool.occupy(&gate);
    ASSERT_EQ(pool_workers_submit(pool, nothing, nullptr), POOL_OK);
    EXPECT_EQ(pool_workers_submit(pool, nothing, nullptr), POOL_EFULL);
    pool_workers_task *task;
    EXPECT_EQ(pool_workers_start(pool, nothing, nullptr, nullptr, POOL_FOREVER, &task), POOL_EFULL);
    EXPECT_EQ(task, nullptr);
    EXPECT_EQ(pool.stats().submitted, 2u);
    EXPECT_EQ(pool.stats().rejected, 2u);
    gate.open();
}

// A1-17, 20 and 21
TEST(Pond, ATaskHandleWaitsAndHasTheResultOrTheError) {
    int value = 0;
    WorkerPoolUnderTest pool(pond(2));
    Started good(
        pool, [](void *arg) { pool_workers_self_result(arg); }, &value);
    Started bad(
        pool, [](void *) { pool_workers_self_fail(7, "sample error"); }, nullptr);
    EXPECT_EQ(good.wait(), POOL_OK);
    EXPECT_EQ(pool_workers_task_result(good), &value);
    EXPECT_EQ(bad.wait(), POOL_ETASK);
    EXPECT_STREQ(pool_last_error(), "sample error");
    EXPECT_EQ(bad.info().code, 7);
}

TEST(Pond, DoneOfATaskIsAWaitWithoutWaiting) {
    Stay task;
    WorkerPoolUnderTest pool(pond(1));
    Started started(pool, Stay::run, &task);
    EXPECT_EQ(pool_workers_task_wait(started, 0), POOL_ETIMEDOUT);
    EXPECT_EQ(pool_workers_task_result(started), nullptr);
    task.gate.open();
    EXPECT_EQ(started.wait(), POOL_OK);
    EXPECT_EQ(pool_workers_task_wait(started, 0), POOL_OK);
}

// A1-34
TEST(Pond, APanicIsTheTasksErrorWithItsMessage) {
    WorkerPoolUnderTest pool(pond(1));
    Started task(
        pool, [](void *) { throw std::runtime_error("dummy panic"); }, nullptr);
    EXPECT_EQ(task.wait(), POOL_ETASK);
    EXPECT_STREQ(task.info().message, "dummy panic");
    Started other(
        pool, [](void *) { throw 5; }, nullptr);
    EXPECT_EQ(other.wait(), POOL_ETASK);
    EXPECT_STRNE(other.info().message, "");
    EXPECT_EQ(pool.stats().failed, 2u);
}

TEST(Pond, WithoutPanicRecoveryAPanicEndsTheProcess) {
    if (kForksAtRestOnly)
        GTEST_SKIP() << "the sanitizers have a say in how a process ends";
    int status = in_forked_child([] {
        pool_workers_options options = pond(1);
        options.flags = POOL_WORKERS_LET_THROW;
        pool_workers *pool;
        if (pool_workers_create(&options, &pool) != POOL_OK)
            return 1;
        if (freopen("/dev/null", "w", stderr) == nullptr) // what terminate() has to say
            return 3;
        pool_workers_run(
            pool, [](void *) { throw std::runtime_error("dummy panic"); }, nullptr, POOL_FOREVER);
        return 2;
    });
    EXPECT_EQ(status, 1000 + SIGABRT);
}

// A1-35, pond#135: Goexit
TEST(Pond, ATaskThatEndsItsThreadHasFailedAndItsWorkerIsReplaced) {
    WorkerPoolUnderTest pool(pond(1));
    Started leaving(
        pool, [](void *) { pthread_exit(nullptr); }, nullptr);
    Started behind(pool, nothing, nullptr);
    EXPECT_EQ(leaving.wait(), POOL_ETASK);
    EXPECT_EQ(leaving.info().code, 0);
    EXPECT_EQ(behind.wait(), POOL_OK);
    EXPECT_EQ(pool.stats().failed, 1u);
    EXPECT_EQ(pool.stats().replaced, 1u);
}

// A1-37
TEST(Pond, StopReturnsAtOnceDrainsAndCanBeWaitedFor) {
    Gate gate;
    Tally ran;
    WorkerPoolUnderTest pool(pond(1));
    pool.occupy(&gate);
    for (int i = 0; i < 50; i++)
        ASSERT_EQ(pool_workers_submit(pool, Tally::raise_it, &ran), POOL_OK);
    EXPECT_EQ(pool_workers_stop(pool, POOL_WORKERS_DRAIN, 0, nullptr), POOL_ETIMEDOUT);
    EXPECT_EQ(pool_workers_submit(pool, nothing, nullptr), POOL_ECLOSED) << "A1-40: Stopped()";
    gate.open();
    EXPECT_EQ(pool_workers_stop(pool, POOL_WORKERS_DRAIN, POOL_FOREVER, nullptr), POOL_OK);
    EXPECT_EQ(ran.value(), 50);
    EXPECT_EQ(pool_workers_stop(pool, POOL_WORKERS_DRAIN, POOL_FOREVER, nullptr), POOL_OK)
        << "A1-41";
}

// A1-36 and 26: the context of the pool is cancelled.
TEST(Pond, ACancelledPoolDropsWhatWaitsAndTellsWhatRuns) {
    Tally begun, ran;
    WorkerPoolUnderTest pool(pond(1));
    Started running(
        pool,
        [](void *tally) {
            Tally::raise_it(tally);
            eventually([] { return pool_workers_self_cancelled() != 0; });
        },
        &begun);
    begun.wait_for(1);
    Started waiting(pool, Tally::raise_it, &ran);
    EXPECT_EQ(pool_workers_stop(pool, POOL_WORKERS_CANCEL, POOL_FOREVER, nullptr), POOL_OK);
    EXPECT_EQ(running.wait(), POOL_ECANCELED);
    EXPECT_EQ(waiting.wait(), POOL_ECLOSED);
    EXPECT_EQ(ran.value(), 0);
}

// A1-28
TEST(Pond, ResizeStartsWorkersForWhatWaitsAndLetsTheSurplusLeave) {
    Stay tasks[4];
    WorkerPoolUnderTest pool(pond(1));
    for (Stay &task : tasks)
        ASSERT_EQ(pool_workers_submit(pool, Stay::run, &task), POOL_OK);
    tasks[0].begun.wait_for(1);
    EXPECT_EQ(pool.stats().running, 1u);
    ASSERT_EQ(pool_workers_resize(pool, 0, 3), POOL_OK);
    tasks[1].begun.wait_for(1);
    tasks[2].begun.wait_for(1);
    ASSERT_EQ(pool_workers_resize(pool, 0, 1), POOL_OK);
    tasks[0].gate.open();
    tasks[1].gate.open();
    eventually([&] { return seen(pool).workers == 1; });
    EXPECT_EQ(tasks[3].begun.value(), 0) << "one still runs";
    tasks[2].gate.open();
    tasks[3].begun.wait_for(1);
    EXPECT_EQ(pool_workers_resize(pool, 0, POOL_WORKERS_UNLIMITED), POOL_OK);
    tasks[3].gate.open();
}

// A1-47
TEST(Pond, SubmittedIsTheSumOfAllWaysInWhichATaskCanStand) {
    Stay running;
    WorkerPoolUnderTest pool(pond(1));
    Started bad(
        pool, [](void *) { throw 1; }, nullptr);
    Started good(pool, nothing, nullptr);
    EXPECT_EQ(bad.wait(), POOL_ETASK);
    EXPECT_EQ(good.wait(), POOL_OK);
    Started stays(pool, Stay::run, &running);
    running.begun.wait_for(1);
    Started cancelled(pool, nothing, nullptr), waiting(pool, nothing, nullptr);
    cancelled.cancel();
    pool_workers_stats stats = pool.stats(); // which checks the sum
    EXPECT_EQ(stats.submitted, 5u);
    EXPECT_EQ(stats.succeeded, 1u);
    EXPECT_EQ(stats.failed, 1u);
    EXPECT_EQ(stats.running, 1u);
    EXPECT_EQ(stats.cancelled, 1u);
    EXPECT_EQ(stats.waiting, 1u);
    running.gate.open();
    EXPECT_EQ(waiting.wait(), POOL_OK);
}

// A1-22 and 24
TEST(Pond, AGroupHasItsResultsInTheOrderOfSubmission) {
    std::vector<int> values(40);
    WorkerPoolUnderTest pool(pond(4));
    GroupUnderTest group(pool, POOL_WORKERS_GROUP_RESULTS);
    for (int &value : values)
        group.submit([](void *arg) { pool_workers_self_result(arg); }, &value);
    EXPECT_EQ(group.wait(), POOL_OK);
    for (size_t i = 0; i < values.size(); i++)
        EXPECT_EQ(group.result(i).result, &values[i]);
    pool_workers_task_info info = {};
    info.size = sizeof info;
    EXPECT_EQ(pool_workers_group_result(group, values.size(), &info), POOL_EINVAL);
}

// A1-23
TEST(Pond, TheFirstErrorOfAGroupCancelsWhatHasNotStartedAndWaitReturnsIt) {
    Stay running;
    Tally ran;
    WorkerPoolUnderTest pool(pond(2));
    GroupUnderTest group(pool, POOL_WORKERS_GROUP_RESULTS);
    group.submit(Stay::run, &running);
    running.begun.wait_for(1);
    Gate gate;
    struct Failing {
        static void run(void *gate) {
            Gate::wait_on(gate);
            pool_workers_self_fail(3, "first");
        }
    };
    group.submit(Failing::run, &gate);
    for (int i = 0; i < 10; i++)
        group.submit(Tally::raise_it, &ran);
    gate.open();
    eventually([&] { return pool.stats().cancelled == 10; });
    EXPECT_EQ(pool_workers_group_wait(group, 0), POOL_ETIMEDOUT) << "those that run are waited for";
    running.gate.open();
    EXPECT_EQ(group.wait(), POOL_ETASK);
    EXPECT_NE(std::string(pool_last_error()).find("first"), std::string::npos);
    EXPECT_EQ(ran.value(), 0);
    EXPECT_EQ(group.result(0).state, POOL_WORKERS_SUCCEEDED);
    EXPECT_EQ(group.result(1).code, 3);
    for (size_t i = 2; i < 12; i++) {
        EXPECT_EQ(group.result(i).state, POOL_WORKERS_CANCELLED);
        EXPECT_EQ(group.result(i).result, nullptr);
    }
}

// A1-26: group.Context()
TEST(Pond, AMemberOfAGroupThatHasFailedSeesThatItIsCancelled) {
    Tally begun;
    WorkerPoolUnderTest pool(pond(2));
    GroupUnderTest group(pool, POOL_WORKERS_GROUP_RESULTS);
    group.submit(
        [](void *tally) {
            Tally::raise_it(tally);
            eventually([] { return pool_workers_self_cancelled() != 0; });
        },
        &begun);
    begun.wait_for(1);
    group.submit([](void *) { throw std::runtime_error("first"); });
    EXPECT_EQ(group.wait(), POOL_ETASK);
    EXPECT_EQ(group.result(0).state, POOL_WORKERS_CANCELLED);
}

TEST(Pond, AnEmptyGroupReturnsAtOnceAndAStoppedOneTakesNothing) {
    WorkerPoolUnderTest pool(pond(1));
    GroupUnderTest group(pool);
    EXPECT_EQ(group.wait(), POOL_OK);
    EXPECT_EQ(pool_workers_group_cancel(group), POOL_OK);
    EXPECT_EQ(pool_workers_group_submit(group, nothing, nullptr), POOL_ECANCELED);
    EXPECT_EQ(group.wait(), POOL_ECANCELED) << "ErrGroupStopped";
    group.submit(nothing);
    EXPECT_EQ(group.wait(), POOL_OK) << "it is as new";
}

TEST(Pond, AGroupOfAStoppedPoolIsRefused) {
    WorkerPoolUnderTest pool(pond(1));
    GroupUnderTest group(pool);
    EXPECT_EQ(pool_workers_stop(pool, POOL_WORKERS_DRAIN, POOL_FOREVER, nullptr), POOL_OK);
    EXPECT_EQ(pool_workers_group_submit(group, nothing, nullptr), POOL_ECLOSED);
    EXPECT_EQ(pool.stats().submitted, 0u);
}

} // namespace
