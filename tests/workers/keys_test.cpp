// Serial keys: tasks of one key run one at a time, in order, beside those of others.
//
// SPDX-License-Identifier: Apache-2.0
#include "worker_pool.h"

#include "pool/worker_tasks.h"

#include <atomic>
#include <mutex>
#include <thread>
#include <vector>

namespace {

using namespace pool_test;

pool_workers_task_options with_key(uint64_t key) {
    pool_workers_task_options options = POOL_WORKERS_TASK_OPTIONS_INIT;
    options.key = key;
    return options;
}

pool_status start(pool_workers *pool, pool_workers_task_fn task, void *arg, uint64_t key,
                  int64_t timeout = POOL_FOREVER, pool_workers_task **out = nullptr) {
    const pool_workers_task_options options = with_key(key);
    return pool_workers_start(pool, task, arg, &options, timeout, out);
}

// Notes in what order its tasks run, and whether two ever do at once.
struct Serial {
    struct Task {
        Serial *serial;
        int number;
    };
    static void run(void *arg) {
        auto *task = static_cast<Task *>(arg);
        if (task->serial->inside.exchange(true))
            task->serial->overlaps++;
        task->serial->order.push_back(task->number);
        std::this_thread::yield();
        task->serial->inside = false;
    }
    std::atomic<bool> inside{false};
    std::atomic<int> overlaps{0};
    std::vector<int> order;
};

TEST(WorkerPoolKeys, TasksOfOneKeyRunOneAtATimeInOrder) {
    WorkerPoolUnderTest pool(worker_options(4));
    constexpr int kKeys = 5, kTasks = 2000;
    std::vector<Serial> serials(kKeys);
    std::vector<Serial::Task> tasks;
    tasks.reserve(kKeys * kTasks);
    for (int i = 0; i < kTasks; i++)
        for (Serial &serial : serials) {
            tasks.push_back({&serial, i});
            ASSERT_EQ(start(pool, Serial::run, &tasks.back(),
                            1 + static_cast<uint64_t>(&serial - serials.data())),
                      POOL_OK);
        }
    ASSERT_EQ(pool_workers_wait_idle(pool, POOL_FOREVER), POOL_OK);
    for (const Serial &serial : serials) {
        EXPECT_EQ(serial.overlaps, 0);
        ASSERT_EQ(serial.order.size(), size_t{kTasks});
        for (int i = 0; i < kTasks; i++)
            ASSERT_EQ(serial.order[static_cast<size_t>(i)], i);
    }
    EXPECT_EQ(pool.stats().succeeded, uint64_t{kKeys} * kTasks);
}

TEST(WorkerPoolKeys, OtherKeysAndTasksWithoutOneRunBesideAKeyThatIsBusy) {
    WorkerPoolUnderTest pool(worker_options(2));
    Gate gate;
    Tally others;
    ASSERT_EQ(start(pool, Gate::wait_on, &gate, 1), POOL_OK);
    eventually([&] { return pool.stats().running == 1; });
    Tally same;
    ASSERT_EQ(start(pool, Tally::raise_it, &same, 1), POOL_OK);
    ASSERT_EQ(start(pool, Tally::raise_it, &others, 2), POOL_OK);
    ASSERT_EQ(pool_workers_submit(pool, Tally::raise_it, &others), POOL_OK);
    eventually([&] { return others.value() == 2; });
    EXPECT_EQ(same.value(), 0);
    EXPECT_EQ(pool.stats().waiting, 1u) << "what is owed waits, too";
    gate.open();
    ASSERT_EQ(pool_workers_wait_idle(pool, POOL_FOREVER), POOL_OK);
    EXPECT_EQ(same.value(), 1);
}

TEST(WorkerPoolKeys, WhatABusyKeyIsOwedTakesRoomInTheQueue) {
    WorkerPoolUnderTest pool(worker_options(2, 3));
    Gate gate;
    ASSERT_EQ(start(pool, Gate::wait_on, &gate, 1), POOL_OK);
    eventually([&] { return pool.stats().running == 1; });
    Tally tally;
    for (int i = 0; i < 3; i++)
        ASSERT_EQ(start(pool, Tally::raise_it, &tally, 1), POOL_OK);
    // The other worker has taken them all out of the queue, or will have.
    EXPECT_EQ(start(pool, Tally::raise_it, &tally, 1, 0), POOL_ETIMEDOUT);
    EXPECT_EQ(pool_workers_try_submit(pool, Tally::raise_it, &tally), POOL_EFULL);
    gate.open();
    ASSERT_EQ(pool_workers_wait_idle(pool, POOL_FOREVER), POOL_OK);
    EXPECT_EQ(tally.value(), 3);
}

TEST(WorkerPoolKeys, ATaskThatEndsItsThreadLetsTheNextOneOfItsKeyRun) {
    WorkerPoolUnderTest pool(worker_options(1));
    Tally tally;
    Gate gate;
    ASSERT_EQ(start(
                  pool,
                  [](void *arg) {
                      Gate::wait_on(arg);
                      pthread_exit(nullptr);
                  },
                  &gate, 7),
              POOL_OK);
    for (int i = 0; i < 3; i++)
        ASSERT_EQ(start(pool, Tally::raise_it, &tally, 7), POOL_OK);
    gate.open();
    ASSERT_EQ(pool_workers_wait_idle(pool, POOL_FOREVER), POOL_OK);
    EXPECT_EQ(tally.value(), 3);
    EXPECT_EQ(pool.stats().failed, 1u);
}

TEST(WorkerPoolKeys, ACancelledTaskOfAKeyIsPassedOver) {
    WorkerPoolUnderTest pool(worker_options(1));
    Gate gate;
    pool.occupy(&gate);
    Tally first, second;
    pool_workers_task *task;
    ASSERT_EQ(start(pool, Tally::raise_it, &first, 7, POOL_FOREVER, &task), POOL_OK);
    ASSERT_EQ(start(pool, Tally::raise_it, &second, 7), POOL_OK);
    pool_workers_cancel answer;
    ASSERT_EQ(pool_workers_task_cancel(task, &answer), POOL_OK);
    EXPECT_EQ(answer, POOL_WORKERS_REMOVED);
    EXPECT_EQ(pool.stats().cancelled, 1u);
    EXPECT_EQ(pool.stats().waiting, 1u);
    gate.open();
    ASSERT_EQ(pool_workers_wait_idle(pool, POOL_FOREVER), POOL_OK);
    EXPECT_EQ(first.value(), 0);
    EXPECT_EQ(second.value(), 1);
    pool_workers_task_release(task);
}

TEST(WorkerPoolKeys, AStopThatDiscardsDropsWhatAKeyIsOwed) {
    static std::atomic<int> dropped;
    dropped = 0;
    pool_workers_options options = worker_options(2);
    options.on_drop = [](void *, pool_status status, void *) { dropped += status == POOL_ECLOSED; };
    WorkerPoolUnderTest pool(options);
    Gate gate;
    ASSERT_EQ(start(pool, Gate::wait_on, &gate, 1), POOL_OK);
    eventually([&] { return pool.stats().running == 1; });
    Tally tally;
    for (int i = 0; i < 5; i++)
        ASSERT_EQ(start(pool, Tally::raise_it, &tally, 1), POOL_OK);
    EXPECT_EQ(pool_workers_stop(pool, POOL_WORKERS_DISCARD, 0, nullptr), POOL_ETIMEDOUT);
    gate.open();
    pool_workers_report report = {};
    report.size = sizeof report;
    ASSERT_EQ(pool_workers_stop(pool, POOL_WORKERS_DISCARD, POOL_FOREVER, &report), POOL_OK);
    EXPECT_EQ(report.ran, 1u);
    EXPECT_EQ(report.discarded, 5u);
    EXPECT_EQ(dropped, 5);
    EXPECT_EQ(tally.value(), 0);
}

TEST(WorkerPoolKeys, AStopThatDrainsRunsWhatAKeyIsOwed) {
    WorkerPoolUnderTest pool(worker_options(2));
    Gate gate;
    ASSERT_EQ(start(pool, Gate::wait_on, &gate, 1), POOL_OK);
    Tally tally;
    for (int i = 0; i < 5; i++)
        ASSERT_EQ(start(pool, Tally::raise_it, &tally, 1), POOL_OK);
    EXPECT_EQ(pool_workers_stop(pool, POOL_WORKERS_DRAIN, 0, nullptr), POOL_ETIMEDOUT);
    gate.open();
    ASSERT_EQ(pool_workers_stop(pool, POOL_WORKERS_DRAIN, POOL_FOREVER, nullptr), POOL_OK);
    EXPECT_EQ(tally.value(), 5);
}

TEST(WorkerPoolWeights, BoundTheQueueByBytes) {
    pool_workers_options options = worker_options(1);
    options.queue_bytes = 100;
    WorkerPoolUnderTest pool(options);
    Gate gate;
    pool.occupy(&gate);
    Tally tally;
    auto weighs = [&](uint64_t weight, int64_t timeout) {
        pool_workers_task_options task = POOL_WORKERS_TASK_OPTIONS_INIT;
        task.weight = weight;
        return pool_workers_start(pool, Tally::raise_it, &tally, &task, timeout, nullptr);
    };
    EXPECT_EQ(weighs(1000, 0), POOL_OK) << "nothing waits, so even this is taken";
    EXPECT_EQ(weighs(1, 0), POOL_ETIMEDOUT);
    EXPECT_EQ(pool.stats().waiting_bytes, 1000u);
    EXPECT_EQ(pool_workers_try_submit(pool, Tally::raise_it, &tally), POOL_OK) << "weighs nothing";
    std::thread blocked([&] { EXPECT_EQ(weighs(60, POOL_FOREVER), POOL_OK); });
    eventually([&] { return pool.stats().blocked_submitters == 1; });
    gate.open();
    blocked.join();
    ASSERT_EQ(pool_workers_wait_idle(pool, POOL_FOREVER), POOL_OK);
    EXPECT_EQ(tally.value(), 3);
    EXPECT_EQ(pool.stats().waiting_bytes, 0u);
}

// All but one of them are owed a token when that one's, which was put back, is dropped.
TEST(WorkerPoolKeys, WhatIsOwedIsDroppedThoughNoTaskOfTheKeyRunsAnyMore) {
    static std::atomic<int> dropped;
    dropped = 0;
    pool_workers_options options = worker_options(2);
    options.min_workers = 2;
    options.on_drop = [](void *, pool_status, void *) { dropped++; };
    WorkerPoolUnderTest pool(options);
    Gate gate;
    ASSERT_EQ(start(pool, Gate::wait_on, &gate, 1), POOL_OK);
    eventually([&] { return pool.stats().running == 1; });
    for (int i = 0; i < 3; i++)
        ASSERT_EQ(start(pool, nothing, nullptr, 1), POOL_OK);
    std::this_thread::sleep_for(std::chrono::milliseconds(20)); // their tokens are taken meanwhile
    ASSERT_EQ(pool_workers_pause(pool, 0), POOL_ETIMEDOUT);
    gate.open();
    eventually([&] { return pool.stats().succeeded == 1; });
    pool_workers_report report = {};
    report.size = sizeof report;
    ASSERT_EQ(pool_workers_stop(pool, POOL_WORKERS_DISCARD, POOL_FOREVER, &report), POOL_OK);
    EXPECT_EQ(dropped, 3);
    EXPECT_EQ(report.discarded, 3u);
    EXPECT_EQ(report.running, 0u);
}

TEST(WorkerPoolKeys, AStoppedHandOffPoolTakesNone) {
    WorkerPoolUnderTest pool(worker_options(1, POOL_WORKERS_HANDOFF));
    ASSERT_EQ(pool_workers_stop(pool, POOL_WORKERS_DRAIN, POOL_FOREVER, nullptr), POOL_OK);
    EXPECT_EQ(start(pool, nothing, nullptr, 1), POOL_ECLOSED);
    EXPECT_EQ(pool.stats().waiting, 0u);
    EXPECT_EQ(pool_workers_restart(pool), POOL_OK);
    EXPECT_EQ(start(pool, nothing, nullptr, 1), POOL_OK);
}

// The table of keys grows several times while they wait.
TEST(WorkerPoolKeys, OfManyThatWaitAtOnceEachKeepsItsOrder) {
    constexpr uint64_t kKeys = 50000;
    pool_workers_options options = worker_options(2, POOL_WORKERS_UNBOUNDED);
    WorkerPoolUnderTest pool(options);
    std::vector<std::atomic<int>> ran(kKeys);
    std::atomic<int> out_of_order{0};
    struct Task {
        std::atomic<int> *ran;
        std::atomic<int> *out_of_order;
        int number;
        static void run(void *arg) {
            auto *task = static_cast<Task *>(arg);
            if (task->ran->fetch_add(1) != task->number)
                task->out_of_order->fetch_add(1);
        }
    };
    std::vector<Task> tasks;
    tasks.reserve(2 * kKeys);
    ASSERT_EQ(pool_workers_pause(pool, POOL_FOREVER), POOL_OK);
    for (int number = 0; number < 2; number++)
        for (uint64_t key = 0; key < kKeys; key++) {
            tasks.push_back({&ran[key], &out_of_order, number});
            ASSERT_EQ(start(pool, Task::run, &tasks.back(), (key + 1) * 4096), POOL_OK);
        }
    EXPECT_EQ(pool.stats().waiting, 2 * kKeys);
    ASSERT_EQ(pool_workers_resume(pool), POOL_OK);
    ASSERT_EQ(pool_workers_wait_idle(pool, POOL_FOREVER), POOL_OK);
    EXPECT_EQ(pool.stats().succeeded, 2 * kKeys);
    EXPECT_EQ(out_of_order, 0);
}

} // namespace
