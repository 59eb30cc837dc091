// Every worker fails at the same moment, while submitters wait for room: all is accounted for, the
// workers that were lost are replaced, and the pool goes on.
//
// SPDX-License-Identifier: Apache-2.0
#include "watchdog.h"

#include <pthread.h>
#include <stdexcept>

namespace {

using namespace pool_test;

constexpr uint32_t kWorkers = 4;
constexpr unsigned kSubmitters = 6;
constexpr int kEach = 20; // tasks of each submitter

enum class Way { kThrow, kThrowAnything, kExit, kAll };

// What the tasks of one pool have in common.
struct Failures {
    Way way;
    Gate *gate = nullptr;
    std::atomic<uint32_t> ran{0};
    std::atomic<uint32_t> exited{0};
    std::atomic<uint32_t> told{0}; // by on_failed

    static void fail(void *arg) {
        auto *self = static_cast<Failures *>(arg);
        const uint32_t number = self->ran++;
        const Way way = self->way == Way::kAll ? static_cast<Way>(number % 3) : self->way;
        if (way == Way::kThrow)
            throw std::runtime_error("it fails");
        if (way == Way::kThrowAnything)
            throw 1;
        self->exited++;
        pthread_exit(nullptr);
    }
    // Not before all the others do.
    static void wait_and_fail(void *arg) {
        static_cast<Failures *>(arg)->gate->wait();
        fail(arg);
    }
};

void submit_failing(pool_workers *pool, Failures &failures, unsigned manner) {
    pool_workers_task_options options = POOL_WORKERS_TASK_OPTIONS_INIT;
    switch (manner % 5) {
    case 0:
        ASSERT_EQ(pool_workers_submit(pool, Failures::fail, &failures), POOL_OK);
        break;
    case 1:
        options.key = 1 + manner % 2;
        ASSERT_EQ(
            pool_workers_start(pool, Failures::fail, &failures, &options, POOL_FOREVER, nullptr),
            POOL_OK);
        break;
    case 2: {
        Started task(pool, Failures::fail, &failures);
        ASSERT_EQ(task.wait(), POOL_ETASK);
        ASSERT_EQ(task.info().state, POOL_WORKERS_FAILED);
        break;
    }
    case 3: {
        GroupUnderTest group(pool, POOL_WORKERS_GROUP_KEEP_GOING);
        group.submit(Failures::fail, &failures);
        ASSERT_EQ(group.wait(), POOL_ETASK);
        break;
    }
    default:
        ASSERT_EQ(pool_workers_run(pool, Failures::fail, &failures, POOL_FOREVER), POOL_ETASK);
        break;
    }
}

// Once: all workers wait inside their tasks, the queue is full and the submitters wait for room. Then
// they all fail, and so does everything that was submitted.
void fail_together(pool_workers *pool, Watchdog &dog, Failures &failures, uint64_t capacity) {
    Gate gate;
    failures.gate = &gate;
    const uint32_t before = failures.ran;
    for (uint32_t i = 0; i < kWorkers; i++)
        ASSERT_EQ(pool_workers_submit(pool, Failures::wait_and_fail, &failures), POOL_OK);
    eventually([&] { return seen(pool).running == kWorkers; });
    const uint64_t waiting = capacity == POOL_WORKERS_HANDOFF ? 0 : capacity;
    for (uint64_t i = 0; i < waiting; i++)
        ASSERT_EQ(pool_workers_try_submit(pool, Failures::fail, &failures), POOL_OK);
    ASSERT_EQ(pool_workers_try_submit(pool, Failures::fail, &failures), POOL_EFULL);
    std::thread opener([&] {
        eventually([&] { return seen(pool).blocked_submitters == kSubmitters; });
        gate.open();
    });
    on_threads(kSubmitters, [&](unsigned t) {
        for (int i = 0; i < kEach; i++) {
            submit_failing(pool, failures, t + static_cast<unsigned>(i));
            dog.progress();
        }
    });
    opener.join();
    let_run(pool);
    ASSERT_EQ(failures.ran - before, kWorkers + waiting + kSubmitters * kEach);
}

void fail_again_and_again(Way way, uint64_t capacity, int count) {
    Failures failures;
    failures.way = way;
    pool_workers_options options = worker_options(kWorkers, capacity);
    options.ctx = &failures;
    options.on_failed = [](void *, int32_t, const char *, void *ctx) {
        static_cast<Failures *>(ctx)->told++;
    };
    WorkerPoolUnderTest pool(options);
    Watchdog dog({pool});
    uint64_t good = 0;
    for (int i = 0; i < count && !testing::Test::HasFatalFailure(); i++) {
        fail_together(pool, dog, failures, capacity);
        // The pool is as good as new.
        Countdown countdown(100);
        for (int k = 0; k < 100; k++, good++)
            ASSERT_EQ(pool_workers_submit(pool, Countdown::count, &countdown), POOL_OK);
        countdown.wait();
        let_run(pool);
        const pool_workers_stats stats = pool.stats();
        ASSERT_EQ(stats.succeeded, good);
        ASSERT_EQ(stats.failed, failures.ran);
        ASSERT_EQ(stats.submitted, good + failures.ran);
        ASSERT_EQ(failures.told, failures.ran);
        ASSERT_EQ(stats.blocked_submitters, 0u);
        ASSERT_EQ(stats.waiting, 0u);
    }
    // A thread that ends counts a little later than its task.
    eventually([&] {
        dog.progress();
        return pool.stats().replaced == failures.exited;
    });
}

TEST(WorkersFailing, ByAnException) {
    for (uint64_t capacity : {POOL_WORKERS_HANDOFF, uint64_t{1}, uint64_t{8}})
        fail_again_and_again(Way::kThrow, capacity, rounds(100));
}

TEST(WorkersFailing, ByAnythingThrown) {
    fail_again_and_again(Way::kThrowAnything, 8, rounds(100));
}

TEST(WorkersFailing, ByTheEndOfTheirThreads) {
    for (uint64_t capacity : {POOL_WORKERS_HANDOFF, uint64_t{1}, uint64_t{8}})
        fail_again_and_again(Way::kExit, capacity, rounds(60));
}

TEST(WorkersFailing, InEveryWayAtOnce) {
    for (uint64_t capacity : {POOL_WORKERS_HANDOFF, uint64_t{1}, uint64_t{8}})
        fail_again_and_again(Way::kAll, capacity, rounds(60));
}

} // namespace
