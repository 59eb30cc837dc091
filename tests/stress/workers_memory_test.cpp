// A queue that gets very long gives its memory back when it gets short.
//
// SPDX-License-Identifier: Apache-2.0
#include "support/allocator.h"
#include "watchdog.h"

namespace {

using namespace pool_test;

constexpr uint64_t kMegabyte = 1048576;

// What may stay for the next time: some of the queue's segments, and of the records of tasks.
constexpr uint64_t kKept = 3 * kMegabyte;

class LongQueue : public testing::Test {
protected:
    LongQueue() { EXPECT_EQ(pool_workers_pause(pool_, POOL_FOREVER), POOL_OK); }

    // The pool is paused: all that was submitted lies in the queue. `least` are the bytes that it
    // must take there.
    void run_all(uint64_t submitted, uint64_t before, uint64_t least) {
        EXPECT_EQ(pool_.stats().waiting, submitted);
        EXPECT_GE(memory(), before + least);
        Watchdog dog({pool_});
        EXPECT_EQ(pool_workers_resume(pool_), POOL_OK);
        let_run(pool_);
        EXPECT_EQ(ran_, submitted);
        EXPECT_EQ(pool_.stats().succeeded, submitted);
    }

    void expect_given_back(uint64_t before) { EXPECT_LE(memory(), before + kKept); }

    uint64_t memory() {
        const uint64_t counted = pool_.stats().memory_bytes;
        EXPECT_LE(counted, allocator_.bytes());
        EXPECT_GE(counted + kMegabyte, allocator_.bytes()) << "the statistics leave memory out";
        return counted;
    }

    // On one worker.
    static void count(void *ran) { ++*static_cast<uint64_t *>(ran); }

    uint64_t ran_ = 0;
    AccountingAllocator allocator_;
    const pool_allocator hooks_ = allocator_.allocator();
    WorkerPoolUnderTest pool_{[this] {
        pool_workers_options options = worker_options(1, POOL_WORKERS_UNBOUNDED);
        options.allocator = &hooks_;
        return options;
    }()};
};

TEST_F(LongQueue, OfTenMillionTasks) {
    const auto tasks = static_cast<uint64_t>(rounds(10000000));
    const uint64_t before = memory();
    for (uint64_t i = 0; i < tasks; i++)
        ASSERT_EQ(pool_workers_submit(pool_, count, &ran_), POOL_OK);
    run_all(tasks, before, tasks * 2 * sizeof(void *));
    expect_given_back(before);
}

// As the queue gets long and short by turns the rest does not grow.
TEST_F(LongQueue, AgainAndAgain) {
    const auto tasks = static_cast<uint64_t>(rounds(500000));
    const uint64_t before = memory();
    const std::vector<pool_workers_item> items(tasks, {count, &ran_});
    for (int i = 0; i < 5; i++) {
        ASSERT_EQ(pool_workers_submit_bulk(pool_, items.data(), tasks, 0, nullptr), POOL_OK);
        EXPECT_GE(memory(), before + tasks * 2 * sizeof(void *));
        ASSERT_EQ(pool_workers_resume(pool_), POOL_OK);
        ASSERT_EQ(pool_workers_wait_idle(pool_, POOL_FOREVER), POOL_OK);
        expect_given_back(before);
        ASSERT_EQ(pool_workers_pause(pool_, POOL_FOREVER), POOL_OK);
    }
    EXPECT_EQ(ran_, 5 * tasks);
    EXPECT_EQ(pool_workers_resume(pool_), POOL_OK);
}

// Each of these has a record of its own: a handle's, with a priority and one of many keys.
TEST_F(LongQueue, OfTasksWithARecord) {
    const auto tasks = static_cast<uint64_t>(rounds(300000));
    const uint64_t before = memory();
    for (uint64_t i = 0; i < tasks; i++) {
        pool_workers_task_options options = POOL_WORKERS_TASK_OPTIONS_INIT;
        options.priority = static_cast<int32_t>(i % 3) - 1;
        options.key = i % 1024;
        ASSERT_EQ(pool_workers_start(pool_, count, &ran_, &options, 0, nullptr), POOL_OK);
    }
    run_all(tasks, before, tasks * 64);
    expect_given_back(before);
}

// A group may keep the records of its tasks as long as it exists.
TEST_F(LongQueue, OfTasksOfAGroup) {
    const auto tasks = static_cast<uint64_t>(rounds(300000));
    const uint64_t before = memory();
    {
        GroupUnderTest group(pool_);
        for (uint64_t i = 0; i < tasks; i++)
            group.submit(count, &ran_);
        run_all(tasks, before, tasks * 48);
        EXPECT_EQ(group.wait(), POOL_OK);
    }
    expect_given_back(before);
}

// Whoever leaves without running them gives the memory back, too.
TEST_F(LongQueue, ThatAStopDiscards) {
    const auto tasks = static_cast<uint64_t>(rounds(1000000));
    const uint64_t before = memory();
    for (uint64_t i = 0; i < tasks; i++)
        ASSERT_EQ(pool_workers_submit(pool_, count, &ran_), POOL_OK);
    EXPECT_GE(memory(), before + tasks * 2 * sizeof(void *));
    ASSERT_EQ(pool_workers_stop(pool_, POOL_WORKERS_DISCARD, POOL_FOREVER, nullptr), POOL_OK);
    EXPECT_EQ(pool_.stats().discarded, tasks);
    EXPECT_EQ(ran_, 0u);
    expect_given_back(before);
}

} // namespace
