// dpaks/goworkers: what a program that used it may rely on here.
//
// SPDX-License-Identifier: Apache-2.0
//
//     goworkers.New(Options{Workers: n})     options.max_workers = n (for 0: POOL_WORKERS_UNLIMITED),
//                                            min_workers = 1, idle_timeout = POOL_WORKERS_KEEP
//     gw.Submit(f)                           pool_workers_submit
//     gw.SubmitCheckError, ErrChan,          a group with POOL_WORKERS_GROUP_RESULTS and _KEEP_GOING:
//     gw.SubmitCheckResult, ResultChan           pool_workers_group_submit, pool_workers_group_next
//     gw.JobNum(), gw.WorkerNum()            pool_workers_stats: waiting + running, workers
//     gw.Wait(false)                         pool_workers_wait_idle
//     gw.Stop(false)                         pool_workers_stop with POOL_WORKERS_DRAIN
//
// Other than there: nothing is ever lost in silence, neither a result nor a task that is submitted
// during a wait or after a stop.
#include "conformance/worker_pools.h"

#include <set>
#include <stdexcept>

namespace {

using namespace pool_test;

constexpr uint32_t kResults = POOL_WORKERS_GROUP_RESULTS | POOL_WORKERS_GROUP_KEEP_GOING;

pool_workers_options goworkers(uint32_t workers) {
    pool_workers_options options =
        worker_options(workers == 0 ? POOL_WORKERS_UNLIMITED : workers, POOL_WORKERS_UNBOUNDED);
    options.min_workers = 1;
    options.idle_timeout = POOL_WORKERS_KEEP;
    return options;
}

// A1-4
TEST(Goworkers, ZeroWorkersAreAsManyAsTheTasksNeed) {
    Tally begun;
    Gate gate;
    struct Task {
        Tally *begun;
        Gate *gate;
        static void run(void *arg) {
            static_cast<Task *>(arg)->begun->raise();
            static_cast<Task *>(arg)->gate->wait();
        }
    } task{&begun, &gate};
    WorkerPoolUnderTest pool(goworkers(0));
    for (int i = 0; i < 40; i++)
        ASSERT_EQ(pool_workers_submit(pool, Task::run, &task), POOL_OK);
    begun.wait_for(40);
    EXPECT_EQ(pool.stats().workers, 40u);
    EXPECT_EQ(pool.stats().max_workers, 65536u) << "the bound that UNLIMITED has";
    gate.open();
}

// A1-6
TEST(Goworkers, OneWorkerStartsAtOnceOthersOnDemandAndNoneExpires) {
    HandSetClock clock;
    Gate gate;
    WorkerPoolUnderTest pool(goworkers(3));
    EXPECT_EQ(pool.stats().workers, 1u);
    for (int i = 0; i < 5; i++)
        ASSERT_EQ(pool_workers_submit(pool, Gate::wait_on, &gate), POOL_OK);
    eventually([&] { return pool.stats().running == 3; });
    EXPECT_EQ(pool.stats().waiting + pool.stats().running, 5u) << "A1-46: JobNum";
    gate.open();
    let_run(pool);
    clock.advance(100000 * kSecond);
    for (int look = 0; look < 10; look++) {
        EXPECT_EQ(pool.stats().workers, 3u) << "A1-45: WorkerNum";
        std::this_thread::sleep_for(std::chrono::microseconds(500));
    }
}

// A1-8 and 11
TEST(Goworkers, ManyMoreJobsThanTheBufferHoldsDoNotBlockTheSubmitter) {
    Gate gate;
    WorkerPoolUnderTest pool(goworkers(1));
    pool.occupy(&gate);
    for (int i = 0; i < 10 * 128; i++)
        ASSERT_EQ(pool_workers_submit(pool, nothing, nullptr), POOL_OK);
    EXPECT_EQ(pool.stats().waiting, 1280u);
    gate.open();
}

// A1-21. There the channel holds 100 and drops the rest.
TEST(Goworkers, SubmitCheckErrorHandsOutEveryErrorAndNoSuccess) {
    static std::atomic<int> number;
    number = 0;
    WorkerPoolUnderTest pool(goworkers(4));
    GroupUnderTest group(pool, kResults);
    for (int i = 0; i < 400; i++)
        group.submit([](void *) {
            int mine = ++number;
            if (mine % 2 == 0)
                pool_workers_self_fail(mine, "even");
        });
    std::set<int> errors;
    for (int i = 0; i < 400; i++) {
        pool_workers_task_info info = group.next(nullptr);
        if (info.status == POOL_OK)
            continue;
        EXPECT_EQ(info.status, POOL_ETASK);
        EXPECT_STREQ(info.message, "even");
        errors.insert(info.code);
    }
    EXPECT_EQ(errors.size(), 200u);
    EXPECT_EQ(group.wait(), POOL_ETASK);
    EXPECT_EQ(pool.stats().failed, 200u);
}

// A1-20
TEST(Goworkers, SubmitCheckResultHandsOutEveryValue) {
    std::vector<int> values(300);
    WorkerPoolUnderTest pool(goworkers(4));
    GroupUnderTest group(pool, kResults);
    for (int &value : values)
        group.submit([](void *arg) { pool_workers_self_result(arg); }, &value);
    std::set<void *> results;
    for (size_t i = 0; i < values.size(); i++) {
        size_t index;
        void *result = group.next(&index).result;
        EXPECT_EQ(result, &values[index]);
        results.insert(result);
    }
    EXPECT_EQ(results.size(), values.size());
    pool_workers_task_info info = {};
    info.size = sizeof info;
    EXPECT_EQ(pool_workers_group_next(group, POOL_FOREVER, nullptr, &info), POOL_EAGAIN)
        << "all have been read";
}

// A1-22, 39: Wait keeps the pool. There a submit during Wait is discarded, and a second Wait returns
// at once.
TEST(Goworkers, EveryWaitWaitsForAllJobsAlsoForThoseThatComeMeanwhile) {
    Gate gate;
    Tally ran;
    WorkerPoolUnderTest pool(goworkers(2));
    pool.occupy(&gate);
    std::vector<std::thread> waiters;
    for (int i = 0; i < 3; i++)
        waiters.emplace_back([&] {
            let_run(pool);
            EXPECT_EQ(ran.value(), 50);
        });
    for (int i = 0; i < 50; i++)
        ASSERT_EQ(pool_workers_submit(pool, Tally::raise_it, &ran), POOL_OK);
    gate.open();
    for (std::thread &waiter : waiters)
        waiter.join();
    ASSERT_EQ(pool_workers_submit(pool, Tally::raise_it, &ran), POOL_OK);
    let_run(pool);
    EXPECT_EQ(ran.value(), 51) << "and the pool is usable again";
}

// A1-34. There the process dies.
TEST(Goworkers, AJobThatThrowsIsAnErrorLikeAnother) {
    WorkerPoolUnderTest pool(goworkers(1));
    GroupUnderTest group(pool, kResults);
    group.submit([](void *) { throw std::runtime_error("thrown"); });
    size_t index = 7;
    pool_workers_task_info info = group.next(&index);
    EXPECT_EQ(index, 0u);
    EXPECT_EQ(info.status, POOL_ETASK);
    EXPECT_STREQ(info.message, "thrown");
    EXPECT_EQ(group.wait(), POOL_ETASK);
}

// A1-37, 40 and 41
TEST(Goworkers, StopDrainsMayBeRepeatedAndLaterSubmitsAreRefused) {
    Tally ran;
    WorkerPoolUnderTest pool(goworkers(2));
    for (int i = 0; i < 500; i++)
        ASSERT_EQ(pool_workers_submit(pool, Tally::raise_it, &ran), POOL_OK);
    for (int i = 0; i < 2; i++)
        EXPECT_EQ(pool_workers_stop(pool, POOL_WORKERS_DRAIN, POOL_FOREVER, nullptr), POOL_OK);
    EXPECT_EQ(ran.value(), 500);
    EXPECT_EQ(pool_workers_submit(pool, Tally::raise_it, &ran), POOL_ECLOSED);
    EXPECT_EQ(ran.value(), 500);
}

} // namespace
