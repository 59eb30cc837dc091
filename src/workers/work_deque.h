// WorkDeque: the tasks of groups that one worker has submitted and not begun.
//
// SPDX-License-Identifier: Apache-2.0
//
// The owner puts tasks in and takes them out at one end, the newest first, which is the one whose data
// its caches still have; others steal from the other end, the oldest first, which is as a rule the
// root of the largest part of the work. (Chase and Lev, 2005, with the memory orders of Lê, Pop, Cohen
// and Zappa Nardelli, 2013; the array does not grow, what does not fit goes to the shared queue.)
//
// Invariants:
//   - Tasks top to bottom - 1 are in. Only the owner writes bottom; top only grows, by compare-and-swap.
//   - The owner takes the last one by the same compare-and-swap on top as a thief, so one of them gets
//     it. Both of them look at the other's end behind a full fence.
//   - A slot is not used again before top has passed it, so a thief whose compare-and-swap succeeds has
//     read the task that was meant.
#pragma once

#include "workers/task.h"

#include <atomic>
#include <cstdint>

namespace pool {

class WorkDeque {
public:
    static constexpr int64_t kMost = 1024;

    // The owner: false if it is full. What it loads after that may be older than the push.
    bool push(Task *task) {
        const int64_t bottom = bottom_.load(std::memory_order_relaxed);
        if (bottom - top_.load(std::memory_order_acquire) >= kMost)
            return false;
        slot(bottom).store(task, std::memory_order_relaxed);
        bottom_.store(bottom + 1, std::memory_order_release);
        return true;
    }

    // The owner: the newest task, or nullptr.
    Task *pop() {
        const int64_t bottom = bottom_.load(std::memory_order_relaxed) - 1;
        if (bottom < top_.load(std::memory_order_relaxed))
            return nullptr; // it was empty, and only the owner fills it
        // An exchange, for the full fence that it is.
        bottom_.exchange(bottom, std::memory_order_seq_cst);
        int64_t top = top_.load(std::memory_order_seq_cst);
        if (top > bottom) {
            bottom_.store(bottom + 1, std::memory_order_relaxed);
            return nullptr;
        }
        Task *task = slot(bottom).load(std::memory_order_relaxed);
        if (top == bottom) {
            if (!top_.compare_exchange_strong(top, top + 1, std::memory_order_seq_cst,
                                              std::memory_order_relaxed))
                task = nullptr;
            bottom_.store(bottom + 1, std::memory_order_relaxed);
        }
        return task;
    }

    // Anybody: the oldest task; nullptr if there is none, or another was quicker.
    Task *steal() {
        int64_t top = top_.load(std::memory_order_seq_cst);
        if (top >= bottom_.load(std::memory_order_seq_cst))
            return nullptr;
        Task *task = slot(top).load(std::memory_order_relaxed);
        if (!top_.compare_exchange_strong(top, top + 1, std::memory_order_seq_cst,
                                          std::memory_order_relaxed))
            return nullptr;
        return task;
    }

    uint64_t size() const {
        const int64_t top = top_.load(std::memory_order_acquire);
        const int64_t bottom = bottom_.load(std::memory_order_acquire);
        return bottom > top ? static_cast<uint64_t>(bottom - top) : 0;
    }
    bool empty() const {
        return bottom_.load(std::memory_order_acquire) <= top_.load(std::memory_order_acquire);
    }

    // In the child after fork.
    void forget_all() {
        top_.store(0, std::memory_order_relaxed);
        bottom_.store(0, std::memory_order_relaxed);
        owned = false;
    }

    WorkDeque *next = nullptr; // of its pool
    bool owned = true;         // by a worker; under the pool's lock

private:
    std::atomic<Task *> &slot(int64_t index) { return slots_[index & (kMost - 1)]; }

    alignas(64) std::atomic<int64_t> top_{0};
    alignas(64) std::atomic<int64_t> bottom_{0};
    alignas(64) std::atomic<Task *> slots_[kMost] = {};
};

} // namespace pool
