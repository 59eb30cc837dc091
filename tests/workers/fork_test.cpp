// SPDX-License-Identifier: Apache-2.0
#include "../sync/child.h"
#include "worker_pool.h"

#include <atomic>
#include <thread>

namespace {

using namespace pool_test;

pool_workers_stats stats_of(pool_workers *pool) {
    pool_workers_stats stats;
    stats.size = sizeof stats;
    pool_workers_get_stats(pool, &stats);
    return stats;
}

TEST(WorkerPoolFork, TheChildDropsWhatTheParentHadAndWorksOn) {
    if (kThreadSanitizer)
        GTEST_SKIP() << "no threads in the child";
    Gate gate;
    WorkerPoolUnderTest pool(worker_options(2, 3));
    pool.occupy(&gate);
    pool.occupy(&gate);
    for (int i = 0; i < 3; i++)
        ASSERT_EQ(pool_workers_submit(pool, nothing, nullptr), POOL_OK);
    std::thread blocked([&] { EXPECT_EQ(pool_workers_submit(pool, nothing, nullptr), POOL_OK); });
    std::thread waiting([&] { EXPECT_EQ(pool_workers_wait_idle(pool, POOL_FOREVER), POOL_OK); });
    eventually([&] { return pool.stats().blocked_submitters == 1; });
    EXPECT_EQ(in_forked_child([&] {
                  pool_workers_stats stats = stats_of(pool);
                  if (stats.discarded != 5 || stats.waiting != 0 || stats.running != 0)
                      return 1;
                  if (stats.workers != 0 || stats.idle != 0 || stats.blocked_submitters != 0)
                      return 2;
                  if (pool_workers_wait_idle(pool, 0) != POOL_OK)
                      return 3;
                  std::atomic<int> ran{0};
                  auto count = [](void *arg) { ++*static_cast<std::atomic<int> *>(arg); };
                  for (int i = 0; i < 50; i++)
                      if (pool_workers_submit(pool, count, &ran) != POOL_OK)
                          return 4;
                  if (pool_workers_wait_idle(pool, POOL_FOREVER) != POOL_OK || ran != 50)
                      return 5;
                  if (pool_workers_stop(pool, POOL_WORKERS_DRAIN, POOL_FOREVER, nullptr) != POOL_OK)
                      return 6;
                  return pool_workers_destroy(pool) == POOL_OK ? 0 : 7;
              }),
              0);
    EXPECT_EQ(pool.stats().discarded, 0u) << "the parent is as it was";
    gate.open();
    blocked.join();
    waiting.join();
}

TEST(WorkerPoolFork, TheChildMayDestroyAPoolAtOnce) {
    pool_workers_options options = worker_options(2);
    options.min_workers = 2;
    WorkerPoolUnderTest pool(options);
    EXPECT_EQ(in_forked_child([&] { return pool_workers_destroy(pool) == POOL_OK ? 0 : 1; }), 0);
}

TEST(WorkerPoolFork, ATaskThatForksGoesOnAsTheChildsOnlyWorker) {
    struct Task {
        pool_workers *pool;
        int result = -1;
        static void run(void *arg) {
            Task *task = static_cast<Task *>(arg);
            task->result = in_forked_child([task] {
                pool_workers_stats stats = stats_of(task->pool);
                if (stats.workers != 1 || stats.running != 1 || stats.discarded != 1)
                    return 1;
                if (pool_workers_destroy(task->pool) != POOL_EDEADLK)
                    return 2;
                // Taken by this very thread, behind this task; the child does not get there.
                if (pool_workers_submit(task->pool, nothing, nullptr) != POOL_OK)
                    return 3;
                stats = stats_of(task->pool);
                return stats.waiting == 1 ? 0 : 4;
            });
        }
    };
    WorkerPoolUnderTest pool(worker_options(1));
    Task task{pool};
    Gate gate;
    pool.occupy(&gate);
    ASSERT_EQ(pool_workers_submit(pool, Task::run, &task), POOL_OK);
    ASSERT_EQ(pool_workers_submit(pool, nothing, nullptr), POOL_OK);
    gate.open();
    ASSERT_EQ(pool_workers_wait_idle(pool, POOL_FOREVER), POOL_OK);
    EXPECT_EQ(task.result, 0);
}

TEST(WorkerPoolFork, InTheMiddleOfTrafficTheChildFindsAWholePool) {
    if (kForksAtRestOnly)
        GTEST_SKIP() << "threads that never rest";
    std::atomic<bool> stop{false};
    WorkerPoolUnderTest pool(worker_options(2, 8));
    std::thread submitter([&] {
        while (!stop)
            EXPECT_EQ(pool_workers_submit(pool, nothing, nullptr), POOL_OK);
    });
    int wrong = 0;
    for (int i = 0; i < 20 && wrong == 0; i++)
        wrong = in_forked_child([&] {
            pool_workers_stats stats = stats_of(pool);
            if (stats.submitted != stats.succeeded + stats.failed + stats.discarded)
                return 1;
            return pool_workers_destroy(pool) == POOL_OK ? 0 : 2;
        });
    stop = true;
    submitter.join();
    EXPECT_EQ(wrong, 0);
}

} // namespace
