// The empty task: it counts itself, so that a subject which loses one is found out.
//
// SPDX-License-Identifier: Apache-2.0
//
// Every thread has a counter on a cache line of its own and is its only writer: an add of some
// cycles, the same for all subjects. One counter for all would cost more than the pool does.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <mutex>

namespace bench {

class TaskCounters {
public:
    static void add() {
        if (own_ == nullptr)
            own_ = make();
        own_->count.store(own_->count.load(std::memory_order_relaxed) + 1,
                          std::memory_order_relaxed);
    }

    // Of all threads that there ever were. Exact once the subject has been waited for.
    static uint64_t sum() {
        const std::lock_guard<std::mutex> guard(mutex_);
        uint64_t sum = 0;
        for (const Counter &counter : all_)
            sum += counter.count.load(std::memory_order_relaxed);
        return sum;
    }

private:
    struct alignas(128) Counter { // two lines, as processors fetch them in pairs
        std::atomic<uint64_t> count{0};
    };

    static Counter *make() {
        const std::lock_guard<std::mutex> guard(mutex_);
        return &all_.emplace_back();
    }

    static inline std::mutex mutex_;
    static inline std::deque<Counter> all_; // guarded by mutex_; elements stay where they are
    static inline thread_local constinit Counter *own_ = nullptr;
};

inline void count_task(void *) {
    TaskCounters::add();
}

} // namespace bench
