// What the tests of the replaced worker pools share: handles, groups, tasks that meet, and a clock.
//
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pool/worker_groups.h"
#include "workers/worker_pool.h"

#include <atomic>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace pool_test {

// A pool's statistics, also while it has more workers than it is to keep.
inline pool_workers_stats seen(pool_workers *pool) {
    pool_workers_stats stats;
    stats.size = sizeof stats;
    EXPECT_EQ(pool_workers_get_stats(pool, &stats), POOL_OK);
    return stats;
}

inline void let_run(pool_workers *pool) {
    EXPECT_EQ(pool_workers_wait_idle(pool, POOL_FOREVER), POOL_OK);
}

inline pool_workers_report empty_report() {
    pool_workers_report report = {};
    report.size = sizeof report;
    return report;
}

// A task with a handle.
class Started {
public:
    Started(pool_workers *pool, pool_workers_task_fn task, void *arg,
            const pool_workers_task_options *options = nullptr) {
        EXPECT_EQ(pool_workers_start(pool, task, arg, options, POOL_FOREVER, &task_), POOL_OK)
            << pool_last_error();
    }
    ~Started() { pool_workers_task_release(task_); }
    Started(const Started &) = delete;
    Started &operator=(const Started &) = delete;

    operator pool_workers_task *() const { return task_; }
    pool_status wait() const { return pool_workers_task_wait(task_, POOL_FOREVER); }
    pool_workers_task_info info() const {
        pool_workers_task_info info;
        info.size = sizeof info;
        EXPECT_EQ(pool_workers_task_get_info(task_, &info), POOL_OK);
        return info;
    }
    pool_workers_cancel cancel() const {
        pool_workers_cancel answer = 0;
        EXPECT_EQ(pool_workers_task_cancel(task_, &answer), POOL_OK);
        return answer;
    }

private:
    pool_workers_task *task_ = nullptr;
};

class GroupUnderTest {
public:
    explicit GroupUnderTest(pool_workers *pool, uint32_t flags = 0, int64_t within = 0) {
        pool_workers_group_options options = POOL_WORKERS_GROUP_OPTIONS_INIT;
        options.flags = flags;
        options.within = within;
        EXPECT_EQ(pool_workers_group_create(pool, &options, &group_), POOL_OK);
    }
    ~GroupUnderTest() { EXPECT_EQ(pool_workers_group_destroy(group_), POOL_OK); }
    GroupUnderTest(const GroupUnderTest &) = delete;
    GroupUnderTest &operator=(const GroupUnderTest &) = delete;

    operator pool_workers_group *() const { return group_; }
    void submit(pool_workers_task_fn task, void *arg = nullptr) const {
        EXPECT_EQ(pool_workers_group_submit(group_, task, arg), POOL_OK) << pool_last_error();
    }
    pool_status wait() const { return pool_workers_group_wait(group_, POOL_FOREVER); }
    // How the task of this index ended; what next() hands out, with its index.
    pool_workers_task_info result(size_t index) const {
        pool_workers_task_info info = {};
        info.size = sizeof info;
        EXPECT_EQ(pool_workers_group_result(group_, index, &info), POOL_OK);
        return info;
    }
    pool_workers_task_info next(size_t *index) const {
        pool_workers_task_info info = {};
        info.size = sizeof info;
        EXPECT_EQ(pool_workers_group_next(group_, POOL_FOREVER, index, &info), POOL_OK);
        return info;
    }

private:
    pool_workers_group *group_ = nullptr;
};

// In which order tasks ran. A step belongs to its Steps, which must outlive the pool's tasks.
class Steps {
public:
    explicit Steps(int count) {
        for (int i = 0; i < count; i++)
            steps_.push_back({this, i});
    }
    void *operator[](int number) { return &steps_[static_cast<size_t>(number)]; }
    static void run(void *step) {
        auto *self = static_cast<Step *>(step);
        std::lock_guard<std::mutex> guard(self->steps->mutex_);
        self->steps->ran_.push_back(self->number);
    }
    std::vector<int> ran() {
        std::lock_guard<std::mutex> guard(mutex_);
        return ran_;
    }

private:
    struct Step {
        Steps *steps;
        int number;
    };
    std::vector<Step> steps_;
    std::mutex mutex_;
    std::vector<int> ran_;
};

// A task that says when it begins and on which thread, and ends when it is let.
struct Stay {
    Tally begun;
    Gate gate;
    Tally ended;
    std::atomic<std::thread::id> thread{};

    static void run(void *arg) {
        auto *self = static_cast<Stay *>(arg);
        self->thread = std::this_thread::get_id();
        self->begun.raise();
        self->gate.wait();
        self->ended.raise();
    }
};

// The numbers 0 to count - 1.
inline std::vector<int> up_to(int count) {
    std::vector<int> numbers;
    for (int i = 0; i < count; i++)
        numbers.push_back(i);
    return numbers;
}

// A clock for all pools that goes when a test says so.
class HandSetClock {
public:
    HandSetClock() {
        pool_config_set_clock(
            [](void *now) { return static_cast<std::atomic<int64_t> *>(now)->load(); }, &now_);
    }
    ~HandSetClock() { pool_config_set_clock(nullptr, nullptr); }
    HandSetClock(const HandSetClock &) = delete;
    HandSetClock &operator=(const HandSetClock &) = delete;
    void advance(int64_t by) { now_ += by; }

private:
    std::atomic<int64_t> now_{1000 * kSecond};
};

} // namespace pool_test
