// Streaks: while tasks are tiny one worker has them to itself. Nothing of that may show.
//
// SPDX-License-Identifier: Apache-2.0
#include "worker_pool.h"

#include "pool/worker_groups.h"
#include "pool/worker_tasks.h"

#include <pthread.h>
#include <stdexcept>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

namespace {

using namespace pool_test;

constexpr int kMany = 20000; // enough for a streak

void submit_tiny(pool_workers *pool, int count = kMany) {
    for (int i = 0; i < count; i++)
        ASSERT_EQ(pool_workers_submit(pool, nothing, nullptr), POOL_OK);
}

pool_workers_options all_at_once(uint32_t workers) {
    pool_workers_options options = worker_options(workers, POOL_WORKERS_UNBOUNDED);
    options.min_workers = workers;
    return options;
}

// Tasks that wait until so many of them run at a time.
struct Meeting {
    explicit Meeting(int people) : expected(people) {}
    static void come(void *arg) {
        auto *meeting = static_cast<Meeting *>(arg);
        meeting->there.fetch_add(1);
        while (meeting->there.load() < meeting->expected)
            std::this_thread::sleep_for(std::chrono::microseconds(50));
    }
    const int expected;
    std::atomic<int> there{0};
};

TEST(WorkerPoolStreaks, EndWhenATaskTurnsOutToBeLonger) {
    WorkerPoolUnderTest pool(all_at_once(4));
    for (int round = 0; round < 20; round++) {
        Meeting meeting(4);
        submit_tiny(pool);
        for (int i = 0; i < 4; i++)
            ASSERT_EQ(pool_workers_submit(pool, Meeting::come, &meeting), POOL_OK);
        submit_tiny(pool, 100);
        ASSERT_EQ(pool_workers_wait_idle(pool, POOL_FOREVER), POOL_OK);
    }
    EXPECT_EQ(pool.stats().succeeded, 20u * (kMany + 104));
}

// It is full of tasks that nobody takes, since the worker in the streak is busy, and still open.
TEST(WorkerPoolStreaks, ATaskBehindALongOneNeedNotWaitForIt) {
    WorkerPoolUnderTest pool(all_at_once(2));
    for (int round = 0; round < 20; round++) {
        Gate gate;
        submit_tiny(pool);
        ASSERT_EQ(pool_workers_submit(pool, Gate::wait_on, &gate), POOL_OK);
        Gate behind;
        ASSERT_EQ(pool_workers_submit(
                      pool, [](void *arg) { static_cast<Gate *>(arg)->open(); }, &behind),
                  POOL_OK);
        behind.wait();
        gate.open();
        ASSERT_EQ(pool_workers_wait_idle(pool, POOL_FOREVER), POOL_OK);
    }
}

TEST(WorkerPoolStreaks, EndWhenThePoolGrows) {
    for (int round = 0; round < 20; round++) {
        WorkerPoolUnderTest pool(worker_options(1, POOL_WORKERS_UNBOUNDED));
        Meeting meeting(3);
        submit_tiny(pool);
        for (int i = 0; i < 3; i++)
            ASSERT_EQ(pool_workers_submit(pool, Meeting::come, &meeting), POOL_OK);
        eventually([&] { return meeting.there.load() == 1; });
        ASSERT_EQ(pool_workers_resize(pool, 0, 3), POOL_OK);
        ASSERT_EQ(pool_workers_wait_idle(pool, POOL_FOREVER), POOL_OK);
    }
}

TEST(WorkerPoolStreaks, EndWhenTheOnesThatWatchAreSentAway) {
    WorkerPoolUnderTest pool(all_at_once(3));
    for (int round = 0; round < 10; round++) {
        Meeting meeting(2);
        submit_tiny(pool);
        ASSERT_EQ(pool_workers_submit(pool, Meeting::come, &meeting), POOL_OK);
        ASSERT_EQ(pool_workers_resize(pool, 0, 1), POOL_OK);
        ASSERT_EQ(pool_workers_resize(pool, 2, 3), POOL_OK);
        ASSERT_EQ(pool_workers_submit(pool, Meeting::come, &meeting), POOL_OK);
        ASSERT_EQ(pool_workers_wait_idle(pool, POOL_FOREVER), POOL_OK);
    }
}

TEST(WorkerPoolStreaks, AreHeldByAPause) {
    WorkerPoolUnderTest pool(all_at_once(2));
    std::atomic<uint64_t> ran{0};
    const auto count = [](void *arg) { static_cast<std::atomic<uint64_t> *>(arg)->fetch_add(1); };
    uint64_t submitted = 0;
    for (int round = 0; round < 50; round++) {
        for (int i = 0; i < 2000; i++, submitted++)
            ASSERT_EQ(pool_workers_submit(pool, count, &ran), POOL_OK);
        ASSERT_EQ(pool_workers_pause(pool, POOL_FOREVER), POOL_OK);
        const uint64_t before = ran.load();
        EXPECT_EQ(pool.stats().running, 0u);
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
        EXPECT_EQ(ran.load(), before);
        ASSERT_EQ(pool_workers_resume(pool), POOL_OK);
    }
    ASSERT_EQ(pool_workers_wait_idle(pool, POOL_FOREVER), POOL_OK);
    EXPECT_EQ(ran.load(), submitted);
}

TEST(WorkerPoolStreaks, CountTasksThatFail) {
    WorkerPoolUnderTest pool(all_at_once(2));
    submit_tiny(pool);
    for (int i = 0; i < 500; i++) {
        ASSERT_EQ(pool_workers_submit(
                      pool, [](void *) { throw std::runtime_error("no"); }, nullptr),
                  POOL_OK);
        ASSERT_EQ(pool_workers_submit(
                      pool, [](void *) { pool_workers_self_fail(7, "on purpose"); }, nullptr),
                  POOL_OK);
        submit_tiny(pool, 10);
    }
    ASSERT_EQ(pool_workers_wait_idle(pool, POOL_FOREVER), POOL_OK);
    EXPECT_EQ(pool.stats().failed, 1000u);
    EXPECT_EQ(pool.stats().succeeded, kMany + 5000u);
}

TEST(WorkerPoolStreaks, GoOnWithoutAWorkerThatATaskEnds) {
    WorkerPoolUnderTest pool(all_at_once(2));
    for (int round = 0; round < 20; round++) {
        submit_tiny(pool, 5000);
        ASSERT_EQ(pool_workers_submit(
                      pool, [](void *) { pthread_exit(nullptr); }, nullptr),
                  POOL_OK);
        submit_tiny(pool, 100);
    }
    ASSERT_EQ(pool_workers_wait_idle(pool, POOL_FOREVER), POOL_OK);
    EXPECT_EQ(pool.stats().failed, 20u);
    EXPECT_EQ(pool.stats().replaced, 20u);
    EXPECT_EQ(pool.stats().succeeded, 20u * 5100);
}

TEST(WorkerPoolStreaks, TasksOfGroupsRunInThemAndMaySubmitMore) {
    WorkerPoolUnderTest pool(all_at_once(2));
    struct Tree {
        pool_workers *pool;
        std::atomic<int> *leaves;
    };
    std::atomic<int> leaves{0};
    Tree tree = {pool, &leaves};
    const auto grow = [](void *arg) {
        auto *self = static_cast<Tree *>(arg);
        pool_workers_group *group;
        ASSERT_EQ(pool_workers_group_create(self->pool, nullptr, &group), POOL_OK);
        for (int i = 0; i < 3; i++)
            ASSERT_EQ(pool_workers_group_submit(
                          group,
                          [](void *leaf) { static_cast<Tree *>(leaf)->leaves->fetch_add(1); },
                          self),
                      POOL_OK);
        ASSERT_EQ(pool_workers_group_wait(group, POOL_FOREVER), POOL_OK);
        pool_workers_group_destroy(group);
    };
    for (int round = 0; round < 20; round++) {
        submit_tiny(pool, 5000);
        for (int i = 0; i < 20; i++)
            ASSERT_EQ(pool_workers_submit(pool, grow, &tree), POOL_OK);
    }
    ASSERT_EQ(pool_workers_wait_idle(pool, POOL_FOREVER), POOL_OK);
    EXPECT_EQ(leaves.load(), 20 * 20 * 3);
}

TEST(WorkerPoolStreaks, AForkInTheMiddleOfOneLeavesTheChildAPoolThatWorks) {
    if (kForksAtRestOnly)
        GTEST_SKIP() << "the sanitizer's allocator does not survive it";
    WorkerPoolUnderTest pool(all_at_once(2));
    std::atomic<bool> enough{false};
    std::thread submitter([&] {
        while (!enough)
            pool_workers_submit(pool, nothing, nullptr);
    });
    for (int i = 0; i < 20; i++) {
        std::this_thread::sleep_for(std::chrono::milliseconds(2));
        const pid_t child = fork();
        if (child == 0) {
            std::atomic<int> ran{0};
            for (int task = 0; task < 1000; task++)
                if (pool_workers_submit(
                        pool, [](void *arg) { static_cast<std::atomic<int> *>(arg)->fetch_add(1); },
                        &ran) != POOL_OK)
                    _exit(1);
            if (pool_workers_wait_idle(pool, 20000000000) != POOL_OK)
                _exit(2);
            _exit(ran == 1000 ? 0 : 3);
        }
        int status;
        ASSERT_EQ(waitpid(child, &status, 0), child);
        EXPECT_EQ(status, 0);
    }
    enough = true;
    submitter.join();
}

} // namespace
