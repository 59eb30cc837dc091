// Handing over: a plain task that finds all workers asleep and the queue empty goes to one past the queue.
// Nothing of that may show.
//
// SPDX-License-Identifier: Apache-2.0
#include "worker_pool.h"

#include "pool/worker_stats.h"
#include "pool/worker_tasks.h"

#include <pthread.h>
#include <vector>

namespace {

using namespace pool_test;

// As many workers as may be, all asleep.
class SleepingWorkers {
public:
    explicit SleepingWorkers(pool_workers_options options) : pool_(all_at_once(options)) {
        settle();
    }

    operator pool_workers *() const { return pool_; }
    pool_workers_stats stats() const { return pool_.stats(); }

    // Until they sleep again.
    void settle() const {
        EXPECT_EQ(pool_workers_wait_idle(pool_, POOL_FOREVER), POOL_OK);
        std::this_thread::sleep_for(std::chrono::microseconds(500));
    }

private:
    static pool_workers_options all_at_once(pool_workers_options options) {
        options.min_workers = options.max_workers;
        return options;
    }
    WorkerPoolUnderTest pool_;
};

void set(void *flag) {
    *static_cast<std::atomic<bool> *>(flag) = true;
}

void count(void *number) {
    ++*static_cast<std::atomic<int> *>(number);
}

struct Order {
    std::vector<int> ran; // by the only worker
    struct Step {
        Order *order;
        int number;
        static void take(void *arg) {
            auto *step = static_cast<Step *>(arg);
            step->order->ran.push_back(step->number);
        }
    };
};

TEST(WorkerPoolHanding, TasksOfOneWorkerRunInTheirOrder) {
    SleepingWorkers pool(worker_options(1));
    for (int round = 0; round < 200; round++) {
        Order order;
        std::vector<Order::Step> steps;
        for (int i = 0; i < 20; i++)
            steps.push_back({&order, i});
        for (Order::Step &step : steps)
            ASSERT_EQ(pool_workers_submit(pool, Order::Step::take, &step), POOL_OK);
        ASSERT_EQ(pool_workers_wait_idle(pool, POOL_FOREVER), POOL_OK);
        ASSERT_EQ(order.ran.size(), steps.size());
        for (int i = 0; i < 20; i++)
            ASSERT_EQ(order.ran[static_cast<size_t>(i)], i);
        if (round % 4 == 0)
            pool.settle();
    }
}

// From the submit on, and not only once the worker is up.
TEST(WorkerPoolHanding, APoolIsNotIdleBeforeTheTaskHasRun) {
    SleepingWorkers pool(worker_options(2));
    for (int round = 0; round < 3000; round++) {
        std::atomic<bool> ran{false};
        ASSERT_EQ(pool_workers_submit(pool, set, &ran), POOL_OK);
        ASSERT_EQ(pool_workers_wait_idle(pool, POOL_FOREVER), POOL_OK);
        ASSERT_TRUE(ran) << "round " << round;
        if (round % 8 == 0)
            std::this_thread::sleep_for(std::chrono::microseconds(200));
    }
}

// (Not so for the moment in which a worker has popped it and has not begun, if it did not sleep.)
TEST(WorkerPoolHanding, ATaskIsCountedFromTheSubmitOn) {
    constexpr uint64_t kRounds = 200;
    SleepingWorkers pool(worker_options(1));
    uint64_t counted = 0;
    for (uint64_t round = 1; round <= kRounds; round++) {
        Gate gate;
        ASSERT_EQ(pool_workers_submit(pool, Gate::wait_on, &gate), POOL_OK);
        const pool_workers_stats stats = pool.stats();
        EXPECT_LE(stats.waiting + stats.running, 1u);
        counted += stats.submitted == round;
        eventually([&] { return pool.stats().running == 1; });
        EXPECT_EQ(pool.stats().submitted, round);
        gate.open();
        pool.settle();
        EXPECT_EQ(pool.stats().succeeded, round);
    }
    EXPECT_GE(counted, kRounds / 2);
}

TEST(WorkerPoolHanding, NotWhileThePoolIsPaused) {
    SleepingWorkers pool(worker_options(2));
    ASSERT_EQ(pool_workers_pause(pool, POOL_FOREVER), POOL_OK);
    std::atomic<int> ran{0};
    for (int i = 0; i < 3; i++)
        ASSERT_EQ(pool_workers_submit(pool, count, &ran), POOL_OK);
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    EXPECT_EQ(ran, 0);
    EXPECT_EQ(pool.stats().waiting, 3u);
    ASSERT_EQ(pool_workers_resume(pool), POOL_OK);
    eventually([&] { return ran == 3; });
}

// A pause waits for a task whose worker is not up yet, too.
TEST(WorkerPoolHanding, APauseFindsNoTaskOnItsWay) {
    SleepingWorkers pool(worker_options(2));
    for (int round = 0; round < 500; round++) {
        std::atomic<bool> ran{false};
        ASSERT_EQ(pool_workers_submit(pool, set, &ran), POOL_OK);
        ASSERT_EQ(pool_workers_pause(pool, POOL_FOREVER), POOL_OK);
        const bool before = ran;
        std::this_thread::sleep_for(std::chrono::microseconds(100));
        ASSERT_EQ(ran, before) << "it started in a pool that was paused";
        ASSERT_EQ(pool_workers_resume(pool), POOL_OK);
        pool.settle();
        ASSERT_TRUE(ran);
    }
}

// What waits goes first, also what nobody may take yet.
TEST(WorkerPoolHanding, NotPastATaskThatWaits) {
    SleepingWorkers pool(worker_options(1));
    ASSERT_EQ(pool_workers_pause(pool, POOL_FOREVER), POOL_OK);
    Order order;
    std::vector<Order::Step> steps = {{&order, 0}, {&order, 1}, {&order, 2}};
    ASSERT_EQ(pool_workers_submit(pool, Order::Step::take, &steps[0]), POOL_OK);
    ASSERT_EQ(pool_workers_submit(pool, Order::Step::take, &steps[1]), POOL_OK);
    ASSERT_EQ(pool_workers_resume(pool), POOL_OK);
    ASSERT_EQ(pool_workers_submit(pool, Order::Step::take, &steps[2]), POOL_OK);
    ASSERT_EQ(pool_workers_wait_idle(pool, POOL_FOREVER), POOL_OK);
    EXPECT_EQ(order.ran, (std::vector<int>{0, 1, 2}));
}

// Two tasks that need each other: the second one finds a worker while the first one's is waking up.
TEST(WorkerPoolHanding, TheNextTaskGetsTheNextWorker) {
    SleepingWorkers pool(worker_options(2));
    for (int round = 0; round < 500; round++) {
        std::atomic<int> there{0};
        for (int i = 0; i < 2; i++)
            ASSERT_EQ(pool_workers_submit(
                          pool,
                          [](void *arg) {
                              auto *count = static_cast<std::atomic<int> *>(arg);
                              ++*count;
                              while (*count < 2)
                                  std::this_thread::yield();
                          },
                          &there),
                      POOL_OK);
        ASSERT_EQ(pool_workers_wait_idle(pool, POOL_FOREVER), POOL_OK);
        if (round % 4 == 0)
            pool.settle();
    }
}

TEST(WorkerPoolHanding, AStopFindsTheTaskRunOrRefused) {
    for (pool_workers_stop_mode mode :
         {POOL_WORKERS_DRAIN, POOL_WORKERS_DISCARD, POOL_WORKERS_CANCEL}) {
        SleepingWorkers pool(worker_options(1));
        std::atomic<int> ran{0};
        for (int round = 1; round <= 50; round++) {
            ASSERT_EQ(pool_workers_submit(pool, count, &ran), POOL_OK);
            ASSERT_EQ(pool_workers_stop(pool, mode, POOL_FOREVER, nullptr), POOL_OK);
            const pool_workers_stats stats = pool.stats();
            ASSERT_EQ(stats.submitted, static_cast<uint64_t>(round));
            ASSERT_EQ(stats.succeeded, static_cast<uint64_t>(ran));
            ASSERT_EQ(stats.succeeded + stats.discarded, stats.submitted);
            ASSERT_EQ(pool_workers_submit(pool, count, &ran), POOL_ECLOSED);
            ASSERT_EQ(pool_workers_restart(pool), POOL_OK);
            pool.settle();
        }
    }
}

// Who hears of the start finds the task in the statistics.
TEST(WorkerPoolHanding, ATaskThatHasStartedIsSeenToRun) {
    SleepingWorkers pool(worker_options(1));
    for (uint64_t round = 1; round <= 500; round++) {
        Gate gate;
        pool_workers_task *task;
        ASSERT_EQ(pool_workers_start_now(pool, Gate::wait_on, &gate, nullptr, POOL_FOREVER, &task),
                  POOL_OK);
        EXPECT_EQ(pool.stats().running, 1u);
        EXPECT_EQ(pool.stats().submitted, round);
        gate.open();
        ASSERT_EQ(pool_workers_task_wait(task, POOL_FOREVER), POOL_OK);
        pool_workers_task_release(task);
    }
}

// The accounts of what ends before its entry is popped need that entry.
TEST(WorkerPoolHanding, NotTasksThatOthersMayEnd) {
    constexpr uint64_t kRounds = 500;
    SleepingWorkers pool(worker_options(1, 1));
    uint64_t removed = 0;
    for (uint64_t round = 1; round <= kRounds; round++) {
        pool_workers_task *task;
        ASSERT_EQ(pool_workers_start(pool, nothing, nullptr, nullptr, POOL_FOREVER, &task),
                  POOL_OK);
        pool_workers_cancel answer;
        ASSERT_EQ(pool_workers_task_cancel(task, &answer), POOL_OK);
        removed += answer == POOL_WORKERS_REMOVED;
        const pool_workers_stats stats = pool.stats();
        EXPECT_LE(stats.submitted, round);
        EXPECT_EQ(stats.cancelled, removed);
        pool_workers_task_release(task);
        pool.settle();
        EXPECT_EQ(pool.stats().submitted, round);
    }
    EXPECT_GT(removed, 0u);
    EXPECT_EQ(pool.stats().succeeded + removed, kRounds);
}

// One in so many wake-ups is measured, whichever way the task goes.
TEST(WorkerPoolHanding, TimesOfWaitingAreMeasured) {
    SleepingWorkers pool(worker_options(1));
    for (int round = 0; round < 64; round++) {
        ASSERT_EQ(pool_workers_submit(pool, nothing, nullptr), POOL_OK);
        pool.settle();
    }
    pool_workers_histogram waits;
    waits.size = sizeof waits;
    ASSERT_EQ(pool_workers_get_histogram(pool, POOL_WORKERS_WAIT_TIME, &waits), POOL_OK);
    EXPECT_GE(waits.count, 64u / 8);
}

// A thread that is to be cancelled while it sleeps goes in its next task, which is lost for nobody.
TEST(WorkerPoolHanding, AWorkerThatIsCancelledWhileItSleepsGoesInItsNextTask) {
    SleepingWorkers pool(worker_options(1));
    std::atomic<pthread_t> thread{};
    ASSERT_EQ(
        pool_workers_submit(
            pool,
            [](void *arg) { static_cast<std::atomic<pthread_t> *>(arg)->store(pthread_self()); },
            &thread),
        POOL_OK);
    pool.settle();
    pthread_cancel(thread);
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
    EXPECT_EQ(pool.stats().replaced, 0u);
    ASSERT_EQ(pool_workers_submit(
                  pool, [](void *) { pthread_testcancel(); }, nullptr),
              POOL_OK);
    eventually([&] { return pool.stats().replaced == 1; });
    EXPECT_EQ(pool.stats().failed, 1u);
    ASSERT_EQ(pool_workers_submit(pool, nothing, nullptr), POOL_OK);
    pool.settle();
    EXPECT_EQ(pool.stats().succeeded, 2u);
}

} // namespace
