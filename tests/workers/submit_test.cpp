// SPDX-License-Identifier: Apache-2.0
#include "worker_pool.h"

#include <atomic>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

namespace {

using namespace pool_test;

TEST(WorkerPoolSubmit, RunsEveryTaskOnce) {
    Tally tally;
    WorkerPoolUnderTest pool(worker_options(2));
    for (int i = 0; i < 1000; i++)
        ASSERT_EQ(pool_workers_submit(pool, Tally::raise_it, &tally), POOL_OK);
    EXPECT_EQ(pool_workers_wait_idle(pool, POOL_FOREVER), POOL_OK);
    EXPECT_EQ(tally.value(), 1000);
    EXPECT_EQ(pool.stats().succeeded, 1000u);
}

TEST(WorkerPoolSubmit, OneWorkerRunsTasksInOrder) {
    struct Step {
        std::vector<int> *order;
        int number;
        static void run(void *arg) {
            Step *step = static_cast<Step *>(arg);
            step->order->push_back(step->number);
        }
    };
    std::vector<int> order;
    std::vector<Step> steps;
    for (int i = 0; i < 100; i++)
        steps.push_back({&order, i});
    WorkerPoolUnderTest pool(worker_options(1));
    for (Step &step : steps)
        ASSERT_EQ(pool_workers_submit(pool, Step::run, &step), POOL_OK);
    ASSERT_EQ(pool_workers_wait_idle(pool, POOL_FOREVER), POOL_OK);
    for (int i = 0; i < 100; i++)
        EXPECT_EQ(order[static_cast<size_t>(i)], i);
}

TEST(WorkerPoolSubmit, BeyondCapacityIsRefusedByTrySubmit) {
    Gate gate;
    WorkerPoolUnderTest pool(worker_options(1, 2));
    pool.occupy(&gate);
    EXPECT_EQ(pool_workers_try_submit(pool, nothing, nullptr), POOL_OK);
    EXPECT_EQ(pool_workers_try_submit(pool, nothing, nullptr), POOL_OK);
    EXPECT_EQ(pool_workers_try_submit(pool, nothing, nullptr), POOL_EFULL);
    EXPECT_STREQ(pool_last_error(), "pool 'pool': the queue is full");
    EXPECT_EQ(pool.stats().rejected, 1u);
    EXPECT_EQ(pool.stats().waiting, 2u);
    gate.open();
}

TEST(WorkerPoolSubmit, TimesOutWhileTheQueueStaysFull) {
    Gate gate;
    WorkerPoolUnderTest pool(worker_options(1, 1));
    pool.occupy(&gate);
    EXPECT_EQ(pool_workers_submit(pool, nothing, nullptr), POOL_OK);
    EXPECT_EQ(pool_workers_submit_timed(pool, nothing, nullptr, 0), POOL_ETIMEDOUT);
    EXPECT_EQ(pool_workers_submit_timed(pool, nothing, nullptr, kMillisecond), POOL_ETIMEDOUT);
    EXPECT_STREQ(pool_last_error(), "pool 'pool': the queue stayed full");
    EXPECT_EQ(pool.stats().rejected, 2u);
    EXPECT_EQ(pool.stats().blocked_submitters, 0u);
    gate.open();
}

TEST(WorkerPoolSubmit, WaitsForRoomInTheOrderOfArrival) {
    Gate gate;
    struct Step {
        std::vector<int> *order;
        int number;
        static void run(void *arg) {
            Step *step = static_cast<Step *>(arg);
            step->order->push_back(step->number);
        }
    };
    std::vector<int> order;
    Step steps[3] = {{&order, 0}, {&order, 1}, {&order, 2}};
    WorkerPoolUnderTest pool(worker_options(1, 1));
    pool.occupy(&gate);
    ASSERT_EQ(pool_workers_submit(pool, nothing, nullptr), POOL_OK);
    std::vector<std::thread> threads;
    for (uint64_t i = 0; i < 3; i++) {
        threads.emplace_back(
            [&, i] { EXPECT_EQ(pool_workers_submit(pool, Step::run, &steps[i]), POOL_OK); });
        eventually([&] { return pool.stats().blocked_submitters == i + 1; });
    }
    // Nobody overtakes those who wait.
    EXPECT_EQ(pool_workers_try_submit(pool, nothing, nullptr), POOL_EFULL);
    gate.open();
    for (std::thread &thread : threads)
        thread.join();
    ASSERT_EQ(pool_workers_wait_idle(pool, POOL_FOREVER), POOL_OK);
    EXPECT_EQ(order, (std::vector<int>{0, 1, 2}));
}

TEST(WorkerPoolSubmit, AWorkerMayExceedTheCapacityAndNeverWaits) {
    struct Parent {
        pool_workers *pool;
        Tally children;
        static void run(void *arg) {
            Parent *parent = static_cast<Parent *>(arg);
            for (int i = 0; i < 50; i++)
                EXPECT_EQ(pool_workers_submit(parent->pool, Tally::raise_it, &parent->children),
                          POOL_OK);
            EXPECT_EQ(pool_workers_try_submit(parent->pool, Tally::raise_it, &parent->children),
                      POOL_OK);
        }
    };
    WorkerPoolUnderTest pool(worker_options(1, 1));
    Parent parent{pool, {}};
    ASSERT_EQ(pool_workers_submit(pool, Parent::run, &parent), POOL_OK);
    ASSERT_EQ(pool_workers_wait_idle(pool, POOL_FOREVER), POOL_OK);
    EXPECT_EQ(parent.children.value(), 51);
}

TEST(WorkerPoolSubmit, AnUnboundedQueueTakesEverything) {
    Gate gate;
    WorkerPoolUnderTest pool(worker_options(1, POOL_WORKERS_UNBOUNDED));
    pool.occupy(&gate);
    for (int i = 0; i < 100000; i++)
        ASSERT_EQ(pool_workers_try_submit(pool, nothing, nullptr), POOL_OK);
    EXPECT_EQ(pool.stats().waiting, 100000u);
    EXPECT_EQ(pool.stats().queue_capacity, POOL_WORKERS_UNBOUNDED);
    gate.open();
}

TEST(WorkerPoolSubmit, AllocatesNothingInTheSteadyState) {
    static std::atomic<int> allocations;
    pool_allocator allocator = {sizeof(pool_allocator),
                                [](size_t bytes, size_t, void *) {
                                    allocations++;
                                    return malloc(bytes);
                                },
                                [](void *memory, size_t, size_t, void *) { free(memory); },
                                nullptr};
    allocations = 0;
    pool_workers_options options = worker_options(1);
    options.allocator = &allocator;
    WorkerPoolUnderTest pool(options);
    auto round = [&] {
        Gate gate;
        pool.occupy(&gate);
        for (int i = 0; i < 20; i++)
            EXPECT_EQ(pool_workers_submit(pool, nothing, nullptr), POOL_OK);
        gate.open();
        EXPECT_EQ(pool_workers_wait_idle(pool, POOL_FOREVER), POOL_OK);
    };
    round();
    int after_first = allocations;
    EXPECT_GT(after_first, 0);
    for (int i = 0; i < 10; i++)
        round();
    EXPECT_EQ(allocations, after_first);
}

TEST(WorkerPoolSubmit, WithoutMemoryTheTaskIsNotTaken) {
    static std::atomic<int> left;
    pool_allocator allocator = {
        sizeof(pool_allocator),
        [](size_t bytes, size_t, void *) -> void * { return left-- > 0 ? malloc(bytes) : nullptr; },
        [](void *memory, size_t, size_t, void *) { free(memory); }, nullptr};
    for (int allowed = 0;; allowed++) {
        left = allowed;
        pool_workers_options options = worker_options(1);
        options.allocator = &allocator;
        pool_workers *pool = nullptr;
        if (pool_workers_create(&options, &pool) != POOL_OK) {
            EXPECT_EQ(pool, nullptr);
            EXPECT_EQ(pool_last_error_status(), POOL_ENOMEM);
            continue;
        }
        Tally tally;
        pool_status status = pool_workers_submit(pool, Tally::raise_it, &tally);
        EXPECT_EQ(pool_workers_wait_idle(pool, POOL_FOREVER), POOL_OK);
        EXPECT_EQ(tally.value(), status == POOL_OK ? 1 : 0);
        pool_workers_destroy(pool);
        if (status == POOL_OK)
            break;
        EXPECT_EQ(status, POOL_ENOMEM);
    }
}

TEST(WorkerPoolSubmit, NamesWhatIsWrongWithItsArguments) {
    WorkerPoolUnderTest pool(worker_options(1));
    EXPECT_EQ(pool_workers_submit(nullptr, nothing, nullptr), POOL_EINVAL);
    EXPECT_STREQ(pool_last_error(), "the pool is NULL");
    EXPECT_EQ(pool_workers_try_submit(pool, nullptr, nullptr), POOL_EINVAL);
    EXPECT_STREQ(pool_last_error(), "the task is NULL");
    EXPECT_EQ(pool_workers_submit_timed(pool, nothing, nullptr, -2), POOL_EINVAL);
    EXPECT_STREQ(pool_last_error(), "timeout is -2; negative is only POOL_FOREVER");
    EXPECT_EQ(pool.stats().submitted, 0u);
}

} // namespace
