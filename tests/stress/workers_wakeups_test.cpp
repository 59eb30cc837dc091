// One worker, one submitter, and a task at a time: each round is one chance for a wake-up to be lost.
//
// SPDX-License-Identifier: Apache-2.0
#include "pool/worker_sets.h"
#include "watchdog.h"

namespace {

using namespace pool_test;

constexpr uint64_t kCapacities[] = {POOL_WORKERS_HANDOFF, 1, 64, POOL_WORKERS_UNBOUNDED};

// submit(pool, bell) submits Bell::ring, in whatever manner.
template <class Submit>
void ring(const pool_workers_options &options, int count, Submit submit, uint32_t seldom = 8) {
    WorkerPoolUnderTest pool(options);
    Watchdog dog({pool});
    std::minstd_rand random(1);
    Bell bell;
    for (int i = 0; i < count; i++) {
        submit(static_cast<pool_workers *>(pool), bell);
        dog.progress();
        dither(random, seldom);
    }
    let_run(pool);
    EXPECT_EQ(pool.stats().succeeded, static_cast<uint64_t>(count));
}

void ring_plainly(uint64_t capacity) {
    ring(worker_options(1, capacity), rounds(1000000), [](pool_workers *pool, Bell &bell) {
        ASSERT_EQ(pool_workers_submit(pool, Bell::ring, &bell), POOL_OK);
        bell.wait();
    });
}

// The same for every kind of queue, with fewer rounds.
template <class Submit>
void ring_in_every_queue(Submit submit) {
    for (uint64_t capacity : kCapacities)
        ring(worker_options(1, capacity), rounds(15000), submit);
}

TEST(WorkerWakeups, ByHandOff) {
    ring_plainly(POOL_WORKERS_HANDOFF);
}

TEST(WorkerWakeups, ThroughAQueueOfOne) {
    ring_plainly(1);
}

TEST(WorkerWakeups, ThroughABoundedQueue) {
    ring_plainly(64);
}

TEST(WorkerWakeups, ThroughAnUnboundedQueue) {
    ring_plainly(POOL_WORKERS_UNBOUNDED);
}

// A worker that has rung the bell may not have left its task behind yet.
TEST(WorkerWakeups, ByTrySubmit) {
    ring_in_every_queue([](pool_workers *pool, Bell &bell) {
        while (pool_workers_try_submit(pool, Bell::ring, &bell) == POOL_EFULL)
            std::this_thread::yield();
        bell.wait();
    });
}

TEST(WorkerWakeups, BySubmitTimed) {
    ring_in_every_queue([](pool_workers *pool, Bell &bell) {
        ASSERT_EQ(pool_workers_submit_timed(pool, Bell::ring, &bell, 1000 * kSecond), POOL_OK);
        bell.wait();
    });
}

TEST(WorkerWakeups, ByNode) {
    pool_workers_node node;
    ring_in_every_queue([&](pool_workers *pool, Bell &bell) {
        ASSERT_EQ(pool_workers_submit_node(pool, &node, Bell::ring, &bell), POOL_OK);
        bell.wait();
    });
}

TEST(WorkerWakeups, ByAHandleThatIsWaitedFor) {
    ring_in_every_queue([](pool_workers *pool, Bell &) {
        Started task(pool, nothing, nullptr);
        ASSERT_EQ(task.wait(), POOL_OK);
    });
}

TEST(WorkerWakeups, ByKey) {
    ring_in_every_queue([](pool_workers *pool, Bell &bell) {
        pool_workers_task_options options = POOL_WORKERS_TASK_OPTIONS_INIT;
        options.key = 7;
        ASSERT_EQ(pool_workers_start(pool, Bell::ring, &bell, &options, POOL_FOREVER, nullptr),
                  POOL_OK);
        bell.wait();
    });
}

TEST(WorkerWakeups, ByPriority) {
    int32_t priority = POOL_WORKERS_LOW;
    ring_in_every_queue([&](pool_workers *pool, Bell &bell) {
        pool_workers_task_options options = POOL_WORKERS_TASK_OPTIONS_INIT;
        options.priority = priority;
        priority = -priority;
        ASSERT_EQ(pool_workers_start(pool, Bell::ring, &bell, &options, POOL_FOREVER, nullptr),
                  POOL_OK);
        bell.wait();
    });
}

TEST(WorkerWakeups, BySubmitAndWait) {
    ring_in_every_queue([](pool_workers *pool, Bell &) {
        ASSERT_EQ(pool_workers_run(pool, nothing, nullptr, POOL_FOREVER), POOL_OK);
    });
}

TEST(WorkerWakeups, ByALoanOfTheWorker) {
    ring_in_every_queue([](pool_workers *pool, Bell &) {
        ASSERT_EQ(pool_workers_run_here(pool, nothing, nullptr, POOL_FOREVER), POOL_OK);
    });
}

TEST(WorkerWakeups, ByStartNow) {
    ring_in_every_queue([](pool_workers *pool, Bell &bell) {
        ASSERT_EQ(pool_workers_start_now(pool, Bell::ring, &bell, nullptr, POOL_FOREVER, nullptr),
                  POOL_OK);
        bell.wait();
    });
}

TEST(WorkerWakeups, ByANodeOfAGroup) {
    for (uint64_t capacity : kCapacities) {
        WorkerPoolUnderTest pool(worker_options(1, capacity));
        Watchdog dog({pool});
        GroupUnderTest group(pool);
        std::minstd_rand random(1);
        pool_workers_node node;
        for (int i = 0; i < rounds(15000); i++) {
            ASSERT_EQ(pool_workers_group_submit_node(group, &node, nothing, nullptr), POOL_OK);
            ASSERT_EQ(group.wait(), POOL_OK);
            dog.progress();
            dither(random);
        }
    }
}

TEST(WorkerWakeups, ByWaitingUntilThePoolIsIdle) {
    ring_in_every_queue([](pool_workers *pool, Bell &) {
        ASSERT_EQ(pool_workers_submit(pool, nothing, nullptr), POOL_OK);
        ASSERT_EQ(pool_workers_wait_idle(pool, POOL_FOREVER), POOL_OK);
    });
}

// The pool has no worker when the task comes, or one that is about to leave.
TEST(WorkerWakeups, OfAWorkerThatEndsWhenIdle) {
    for (int64_t idle_timeout : {int64_t{POOL_WORKERS_AT_ONCE}, int64_t{1}, int64_t{20000}})
        for (uint64_t capacity : kCapacities) {
            pool_workers_options options = worker_options(1, capacity);
            options.idle_timeout = idle_timeout;
            ring(
                options, rounds(2000),
                [](pool_workers *pool, Bell &bell) {
                    ASSERT_EQ(pool_workers_submit(pool, Bell::ring, &bell), POOL_OK);
                    bell.wait();
                },
                1);
        }
}

// A few tasks shortly after each other, so that one comes just when the one before has ended.
TEST(WorkerWakeups, OfTheParentOfASubpool) {
    for (uint64_t capacity : {uint64_t{1}, POOL_WORKERS_UNBOUNDED}) {
        WorkerPoolUnderTest pool(worker_options(1));
        pool_workers_options options = POOL_WORKERS_OPTIONS_INIT;
        options.queue_capacity = capacity;
        pool_workers *subpool = nullptr;
        ASSERT_EQ(pool_workers_create_sub(pool, &options, &subpool), POOL_OK);
        {
            Watchdog dog({pool, subpool});
            std::minstd_rand random(1);
            for (int i = 0; i < rounds(60000); i++, dog.progress()) {
                const uint32_t few = 1 + below(random, 4);
                Countdown countdown(few);
                for (uint32_t k = 0; k < few; k++) {
                    ASSERT_EQ(pool_workers_submit(subpool, Countdown::count, &countdown), POOL_OK);
                    dither(random, 256);
                }
                countdown.wait();
            }
        }
        ASSERT_EQ(pool_workers_destroy(subpool), POOL_OK);
    }
}

// A submitter that waits for room is to be woken as well as the worker.
TEST(WorkerWakeups, OfASubmitterThatWaitsForRoom) {
    for (uint64_t capacity : {POOL_WORKERS_HANDOFF, uint64_t{1}, uint64_t{3}}) {
        WorkerPoolUnderTest pool(worker_options(1, capacity));
        Watchdog dog({pool});
        on_threads(2, [&](unsigned t) {
            std::minstd_rand random(t + 1);
            for (int i = 0; i < rounds(15000); i++) {
                ASSERT_EQ(pool_workers_submit(pool, nothing, nullptr), POOL_OK);
                dog.progress();
                if (i % 16 == 0)
                    dither(random);
            }
        });
        let_run(pool);
        EXPECT_EQ(pool.stats().succeeded, 2 * static_cast<uint64_t>(rounds(15000)));
    }
}

} // namespace
