// What users ask for that none of the replaced pools has: order per key, bounds by weight, histograms,
// running and stuck tasks.
//
// SPDX-License-Identifier: Apache-2.0
#include "conformance/worker_pools.h"

#include <map>

namespace {

using namespace pool_test;

pool_workers_task_options task_options() {
    pool_workers_task_options options = POOL_WORKERS_TASK_OPTIONS_INIT;
    return options;
}

// ---- order per key (pond#116, gammazero#16, ants#312, asynq#1090): A1-49 ----------------------

TEST(WorkerWishes, TasksOfOneKeyRunInOrderOneAtATimeWhileOtherKeysGoOn) {
    pool_workers_task_options options = task_options();
    options.key = 1;
    Stay first;
    Tally second, other;
    WorkerPoolUnderTest pool(worker_options(4));
    Started blocks(pool, Stay::run, &first, &options);
    first.begun.wait_for(1);
    Started waits(pool, Tally::raise_it, &second, &options);
    options.key = 2;
    Started free(pool, Tally::raise_it, &other, &options);
    EXPECT_EQ(free.wait(), POOL_OK);
    ASSERT_EQ(pool_workers_run(pool, Tally::raise_it, &other, POOL_FOREVER), POOL_OK);
    EXPECT_EQ(second.value(), 0);
    eventually(
        [&] { return pool.stats().waiting == 1; }); // while a worker holds it, it is in neither
    first.gate.open();
    EXPECT_EQ(waits.wait(), POOL_OK);
}

TEST(WorkerWishes, ATaskOfAKeyThatFailsOrIsCancelledLetsTheNextOneGo) {
    pool_workers_task_options options = task_options();
    options.key = 7;
    Gate gate;
    Tally ran;
    WorkerPoolUnderTest pool(worker_options(2));
    Started blocks(pool, Gate::wait_on, &gate, &options);
    Started throws(
        pool, [](void *) { throw 1; }, nullptr, &options);
    Started cancelled(pool, Tally::raise_it, &ran, &options);
    Started leaves(
        pool, [](void *) { pthread_exit(nullptr); }, nullptr, &options);
    Started last(pool, Tally::raise_it, &ran, &options);
    EXPECT_EQ(cancelled.cancel(), POOL_WORKERS_REMOVED);
    gate.open();
    EXPECT_EQ(throws.wait(), POOL_ETASK);
    EXPECT_EQ(leaves.wait(), POOL_ETASK);
    EXPECT_EQ(last.wait(), POOL_OK);
    EXPECT_EQ(ran.value(), 1);
}

TEST(WorkerWishes, AStopDealsWithTasksOfAKeyLikeWithOthers) {
    for (pool_workers_stop_mode mode : {POOL_WORKERS_DRAIN, POOL_WORKERS_DISCARD}) {
        pool_workers_task_options options = task_options();
        options.key = 7;
        Stay first;
        Tally ran;
        WorkerPoolUnderTest pool(worker_options(2));
        Started blocks(pool, Stay::run, &first, &options);
        first.begun.wait_for(1);
        for (int i = 0; i < 5; i++)
            ASSERT_EQ(pool_workers_start(pool, Tally::raise_it, &ran, &options, 0, nullptr),
                      POOL_OK);
        EXPECT_EQ(pool_workers_stop(pool, mode, 0, nullptr), POOL_ETIMEDOUT);
        first.gate.open();
        EXPECT_EQ(pool_workers_stop(pool, mode, POOL_FOREVER, nullptr), POOL_OK);
        EXPECT_EQ(ran.value(), mode == POOL_WORKERS_DRAIN ? 5 : 0);
        EXPECT_EQ(pool.stats().discarded, mode == POOL_WORKERS_DRAIN ? 0u : 5u);
    }
}

// A task behind others of its key cannot be run on top of the one that waits.
TEST(WorkerWishes, AWaitOnAWorkerForAQueuedTaskOfAKeyIsRefusedAndNeverHangs) {
    struct Task {
        pool_workers *pool;
        pool_status status = POOL_OK;
        static void run(void *arg) {
            auto *self = static_cast<Task *>(arg);
            pool_workers_task_options options = task_options();
            options.key = 3;
            Started inner(self->pool, nothing, nullptr, &options);
            self->status = pool_workers_task_wait(inner, POOL_FOREVER);
        }
    };
    WorkerPoolUnderTest pool(worker_options(1));
    Task task{pool};
    ASSERT_EQ(pool_workers_submit(pool, Task::run, &task), POOL_OK);
    let_run(pool);
    EXPECT_EQ(task.status, POOL_EDEADLK);
    EXPECT_EQ(pool.stats().succeeded, 2u);
}

TEST(WorkerWishes, ATaskOfAKeyNeedsRoomInTheQueueLikeAnother) {
    for (uint64_t capacity : {uint64_t{POOL_WORKERS_HANDOFF}, uint64_t{1}}) {
        pool_workers_task_options options = task_options();
        options.key = 1;
        Gate gate;
        WorkerPoolUnderTest pool(worker_options(1, capacity));
        pool.occupy(&gate);
        if (capacity == 1) {
            EXPECT_EQ(pool_workers_start(pool, nothing, nullptr, &options, 0, nullptr), POOL_OK);
        }
        EXPECT_EQ(pool_workers_start(pool, nothing, nullptr, &options, 0, nullptr), POOL_ETIMEDOUT);
        gate.open();
    }
}

TEST(WorkerWishes, TasksOfAKeyLeaveAHandOffPoolAsItWas) {
    pool_workers_task_options options = task_options();
    WorkerPoolUnderTest pool(worker_options(2, POOL_WORKERS_HANDOFF));
    for (int i = 0; i < 20; i++) {
        options.key = 1 + static_cast<uint64_t>(i % 3);
        ASSERT_EQ(pool_workers_start(pool, nothing, nullptr, &options, 5 * kSecond, nullptr),
                  POOL_OK);
    }
    let_run(pool);
    Gate gate;
    for (int i = 0; i < 2; i++)
        EXPECT_EQ(pool_workers_submit_timed(pool, Gate::wait_on, &gate, 5 * kSecond), POOL_OK);
    EXPECT_EQ(pool_workers_try_submit(pool, nothing, nullptr), POOL_EFULL);
    gate.open();
}

TEST(WorkerWishes, TasksThatWaitForTheirKeyCountOnceInTheBound) {
    pool_workers_task_options options = task_options();
    options.key = 1;
    pool_workers_options failing = worker_options(2, 64);
    failing.full = POOL_WORKERS_FAIL;
    Stay first;
    Tally ran;
    WorkerPoolUnderTest pool(failing);
    Started blocks(pool, Stay::run, &first, &options);
    first.begun.wait_for(1);
    for (int i = 1; i <= 64; i++) {
        EXPECT_EQ(pool_workers_start(pool, Tally::raise_it, &ran, &options, 0, nullptr), POOL_OK)
            << i;
        if (i == 40) // the other worker has time to find that it can have none of them
            std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    EXPECT_EQ(pool_workers_start(pool, nothing, nullptr, &options, 0, nullptr), POOL_EFULL);
    first.gate.open();
    let_run(pool);
    EXPECT_EQ(ran.value(), 64);
}

// Room that a task of a key makes is seen by those who wait for it.
TEST(WorkerWishes, SubmittersThatWaitForRoomBehindTasksOfKeysAllGoOn) {
    std::atomic<int> ran{0};
    auto work = [](void *count) {
        std::this_thread::yield();
        ++*static_cast<std::atomic<int> *>(count);
    };
    WorkerPoolUnderTest pool(worker_options(3, 1));
    std::vector<std::thread> submitters;
    for (int i = 0; i < 5; i++)
        submitters.emplace_back([&] {
            pool_workers_task_options options = task_options();
            for (int task = 0; task < 2000; task++) {
                options.key = 1 + static_cast<uint64_t>(task % 3);
                ASSERT_EQ(pool_workers_start(pool, work, &ran, &options, 5 * kSecond, nullptr),
                          POOL_OK);
            }
        });
    for (std::thread &submitter : submitters)
        submitter.join();
    let_run(pool);
    EXPECT_EQ(ran, 10000);
}

// ---- a bound by weight (agenticos#1126) -------------------------------------------------------

TEST(WorkerWishes, TheQueueIsBoundedByWeightToo) {
    pool_workers_options options = worker_options(1);
    options.queue_bytes = 100;
    options.full = POOL_WORKERS_FAIL;
    Gate gate;
    WorkerPoolUnderTest pool(options);
    pool.occupy(&gate);
    pool_workers_task_options weighed = task_options();
    auto submit = [&](uint64_t weight) {
        weighed.weight = weight;
        return pool_workers_start(pool, nothing, nullptr, &weighed, 0, nullptr);
    };
    EXPECT_EQ(submit(60), POOL_OK);
    EXPECT_EQ(submit(60), POOL_EFULL);
    EXPECT_EQ(submit(40), POOL_OK);
    EXPECT_EQ(submit(1), POOL_EFULL);
    EXPECT_EQ(submit(0), POOL_OK);
    EXPECT_EQ(pool_workers_submit(pool, nothing, nullptr), POOL_OK) << "weighs nothing";
    EXPECT_EQ(pool.stats().waiting_bytes, 100u);
    gate.open();
    let_run(pool);
    EXPECT_EQ(pool.stats().waiting_bytes, 0u);
}

TEST(WorkerWishes, ATaskHeavierThanTheQueueBearsIsTakenWhenNothingWaits) {
    pool_workers_options options = worker_options(1);
    options.queue_bytes = 100;
    Gate gate;
    Tally ran;
    WorkerPoolUnderTest pool(options);
    pool.occupy(&gate);
    pool_workers_task_options weighed = task_options();
    weighed.weight = 10;
    ASSERT_EQ(pool_workers_start(pool, nothing, nullptr, &weighed, 0, nullptr), POOL_OK);
    std::thread submitter([&] {
        pool_workers_task_options heavy = task_options();
        heavy.weight = 1000;
        EXPECT_EQ(pool_workers_start(pool, Tally::raise_it, &ran, &heavy, POOL_FOREVER, nullptr),
                  POOL_OK);
    });
    eventually([&] { return pool.stats().blocked_submitters == 1; });
    gate.open();
    submitter.join();
    ran.wait_for(1);
}

TEST(WorkerWishes, ACancelledTaskGivesItsRoomAndItsWeightBackAtOnce) {
    pool_workers_options options = worker_options(1, 1);
    options.queue_bytes = 100;
    options.full = POOL_WORKERS_FAIL;
    Gate gate;
    WorkerPoolUnderTest pool(options);
    pool.occupy(&gate);
    pool_workers_task_options weighed = task_options();
    weighed.weight = 100;
    Started task(pool, nothing, nullptr, &weighed);
    EXPECT_EQ(task.cancel(), POOL_WORKERS_REMOVED);
    EXPECT_EQ(pool.stats().waiting, 0u);
    EXPECT_EQ(pool.stats().waiting_bytes, 0u);
    EXPECT_EQ(pool_workers_start(pool, nothing, nullptr, &weighed, 0, nullptr), POOL_OK)
        << "nothing waits";
    gate.open();
}

TEST(WorkerWishes, ATaskThatNeverWasInTheQueueTakesNoWeightOff) {
    for (pool_workers_full policy : {POOL_WORKERS_CALLER_RUNS, POOL_WORKERS_DROP_NEWEST,
                                     POOL_WORKERS_FAIL, POOL_WORKERS_DROP_OLDEST}) {
        Gate gate;
        pool_workers_options options = worker_options(1, 1);
        options.full = policy;
        options.queue_bytes = 100;
        WorkerPoolUnderTest pool(options);
        pool.occupy(&gate);
        pool_workers_task_options weighed = POOL_WORKERS_TASK_OPTIONS_INIT;
        weighed.weight = 60;
        for (int i = 0; i < 3; i++) {
            pool_status status = pool_workers_start(pool, nothing, nullptr, &weighed, 0, nullptr);
            EXPECT_EQ(status, policy == POOL_WORKERS_FAIL && i > 0 ? POOL_EFULL : POOL_OK);
            EXPECT_EQ(pool.stats().waiting, 1u);
            EXPECT_EQ(pool.stats().waiting_bytes, 60u);
        }
        gate.open();
        let_run(pool);
        EXPECT_EQ(pool.stats().waiting_bytes, 0u);
    }
}

// ---- histograms (micrometer#7073, elasticsearch#120488, piscina#8) ----------------------------

pool_workers_histogram histogram(pool_workers *pool, pool_workers_time which) {
    pool_workers_histogram histogram;
    histogram.size = sizeof histogram;
    EXPECT_EQ(pool_workers_get_histogram(pool, which, &histogram), POOL_OK);
    uint64_t sum = 0;
    for (uint64_t bucket : histogram.buckets)
        sum += bucket;
    EXPECT_EQ(histogram.count, sum);
    return histogram;
}

TEST(WorkerWishes, HistogramsSayHowLongTasksWaitedAndRan) {
    HandSetClock clock;
    struct Slow {
        HandSetClock *clock;
        static void run(void *arg) { static_cast<Slow *>(arg)->clock->advance(kSecond); }
    } slow{&clock};
    Gate gate;
    WorkerPoolUnderTest pool(worker_options(1));
    EXPECT_EQ(histogram(pool, POOL_WORKERS_RUN_TIME).count, 0u);
    for (int i = 0; i < 3; i++)
        EXPECT_EQ(pool_workers_run(pool, Slow::run, &slow, POOL_FOREVER), POOL_OK);
    let_run(pool);
    pool_workers_histogram run = histogram(pool, POOL_WORKERS_RUN_TIME);
    ASSERT_EQ(run.count, 3u) << "of all tasks while there are few";
    EXPECT_EQ(run.most, static_cast<uint64_t>(kSecond));
    EXPECT_EQ(run.sum, run.count * static_cast<uint64_t>(kSecond));
    EXPECT_EQ(pool_workers_histogram_percentile(&run, 50), kSecond) << "never above the longest";

    pool.occupy(&gate);
    Started waits(pool, nothing, nullptr);
    clock.advance(2 * kSecond);
    gate.open();
    EXPECT_EQ(waits.wait(), POOL_OK);
    let_run(pool);
    pool_workers_histogram wait = histogram(pool, POOL_WORKERS_WAIT_TIME);
    EXPECT_EQ(wait.most, static_cast<uint64_t>(2 * kSecond));
    EXPECT_EQ(pool_workers_histogram_percentile(&wait, 100), 2 * kSecond);
}

TEST(WorkerWishes, HistogramsOfNonsenseAreRefused) {
    WorkerPoolUnderTest pool(worker_options(1));
    pool_workers_histogram out;
    out.size = sizeof out;
    EXPECT_EQ(pool_workers_get_histogram(pool, 0, &out), POOL_EINVAL);
    EXPECT_EQ(pool_workers_get_histogram(pool, 3, &out), POOL_EINVAL);
    EXPECT_EQ(pool_workers_get_histogram(nullptr, POOL_WORKERS_RUN_TIME, &out), POOL_EINVAL);
    EXPECT_EQ(pool_workers_get_histogram(pool, POOL_WORKERS_RUN_TIME, nullptr), POOL_EINVAL);
    EXPECT_EQ(pool_workers_histogram_percentile(nullptr, 50), 0);
    ASSERT_EQ(pool_workers_get_histogram(pool, POOL_WORKERS_RUN_TIME, &out), POOL_OK);
    EXPECT_EQ(pool_workers_histogram_percentile(&out, 99), 0) << "an empty one";
}

// ---- what runs, and what is stuck (tokio#6353, Stroika#1119) ----------------------------------

// What a visitor was told, by the task's argument.
struct Seen {
    struct Task {
        std::string name;
        int64_t age;
        uint32_t worker;
        int32_t cancelled;
    };
    std::mutex mutex;
    std::multimap<void *, Task> tasks;
    static void visit(const pool_workers_running *task, void *arg) {
        auto *self = static_cast<Seen *>(arg);
        std::lock_guard<std::mutex> guard(self->mutex);
        self->tasks.insert({task->arg, {task->name, task->age, task->worker, task->cancelled}});
    }
    size_t count() {
        std::lock_guard<std::mutex> guard(mutex);
        return tasks.size();
    }
};

TEST(WorkerWishes, RunningTasksAreListedWithTheirNameArgumentAgeAndWorker) {
    HandSetClock clock;
    Stay old, young;
    WorkerPoolUnderTest pool(worker_options(3));
    pool_workers_task_options options = task_options();
    options.name = "old one";
    Started first(pool, Stay::run, &old, &options);
    old.begun.wait_for(1);
    clock.advance(10 * kSecond);
    ASSERT_EQ(pool_workers_submit(pool, Stay::run, &young), POOL_OK);
    young.begun.wait_for(1);
    clock.advance(kSecond);
    Seen all, aged;
    EXPECT_EQ(pool_workers_visit_running(pool, 0, Seen::visit, &all), POOL_OK);
    EXPECT_EQ(pool_workers_visit_running(pool, 5 * kSecond, Seen::visit, &aged), POOL_OK);
    ASSERT_EQ(all.tasks.size(), 2u);
    EXPECT_EQ(all.tasks.find(&young)->second.name, "");
    EXPECT_EQ(all.tasks.find(&young)->second.age, kSecond);
    ASSERT_EQ(aged.tasks.size(), 1u);
    Seen::Task &task = aged.tasks.find(&old)->second;
    EXPECT_EQ(task.name, "old one");
    EXPECT_EQ(task.age, 11 * kSecond);
    EXPECT_EQ(task.worker, 1u);
    EXPECT_EQ(task.cancelled, 0);
    EXPECT_EQ(first.cancel(), POOL_WORKERS_FLAGGED);
    Seen cancelled;
    EXPECT_EQ(pool_workers_visit_running(pool, 5 * kSecond, Seen::visit, &cancelled), POOL_OK);
    EXPECT_EQ(cancelled.tasks.find(&old)->second.cancelled, 1);
    old.gate.open();
    young.gate.open();
    let_run(pool);
    Seen none;
    EXPECT_EQ(pool_workers_visit_running(pool, 0, Seen::visit, &none), POOL_OK);
    EXPECT_EQ(none.count(), 0u);
    EXPECT_EQ(pool_workers_visit_running(pool, 0, nullptr, nullptr), POOL_EINVAL);
    EXPECT_EQ(pool_workers_visit_running(pool, -1, Seen::visit, &none), POOL_EINVAL);
}

TEST(WorkerWishes, EveryStuckTaskIsReportedOnce) {
    HandSetClock clock;
    Stay stuck[2];
    Seen reports;
    WorkerPoolUnderTest pool(worker_options(2));
    ASSERT_EQ(pool_workers_watch_stuck(pool, kSecond, Seen::visit, &reports), POOL_OK);
    ASSERT_EQ(pool_workers_submit(pool, Stay::run, &stuck[0]), POOL_OK);
    stuck[0].begun.wait_for(1);
    clock.advance(2 * kSecond);
    eventually([&] { return reports.count() == 1; });
    ASSERT_EQ(pool_workers_submit(pool, Stay::run, &stuck[1]), POOL_OK);
    stuck[1].begun.wait_for(1);
    clock.advance(2 * kSecond);
    eventually([&] { return reports.count() == 2; });
    EXPECT_EQ(reports.tasks.count(&stuck[0]), 1u);
    EXPECT_EQ(reports.tasks.count(&stuck[1]), 1u);
    ASSERT_EQ(pool_workers_watch_stuck(pool, 0, nullptr, nullptr), POOL_OK);
    for (Stay &task : stuck)
        task.gate.open();
    let_run(pool);
    EXPECT_EQ(pool_workers_watch_stuck(pool, -1, Seen::visit, &reports), POOL_EINVAL);
    EXPECT_EQ(pool_workers_watch_stuck(pool, kSecond, nullptr, nullptr), POOL_EINVAL);
}

} // namespace
