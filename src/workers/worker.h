// Worker: one thread of a pool, and what it is doing.
//
// SPDX-License-Identifier: Apache-2.0
//
// Who may touch what:
//   the first part   the worker itself; `idle` and `event` as sync/waiters.h says
//   the second part  written by the worker alone, read by anybody
//   counted, ended   under the pool's lock
#pragma once

#include "platform/list.h"
#include "sync/event.h"
#include "workers/frame.h"
#include "workers/handle_task.h"
#include "workers/work_deque.h"

#include <atomic>
#include <cstdint>
#include <pthread.h>

namespace pool {

// A counter that one thread writes: no read-modify-write.
class OwnCounter {
public:
    void add(uint64_t n) {
        value_.store(value_.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
    }
    uint64_t read() const { return value_.load(std::memory_order_relaxed); }
    void clear() { value_.store(0, std::memory_order_relaxed); }

private:
    std::atomic<uint64_t> value_{0};
};

struct alignas(64) Worker : ListLink {
    explicit Worker(Workers *owner) : pool(owner) {}

    // A second way of being listed: among the idle ones.
    struct IdleLink : ListLink {
        Worker *worker = nullptr;
    };

    Workers *const pool;
    pthread_t thread{}; // under the pool's lock
    uint64_t number = 0;
    void *user_state = nullptr; // as state_new made it
    Place *place = nullptr;     // its thread's
    uint64_t frames = 0;        // the number of its last frame: those of each worker are its own
    WorkDeque *deque = nullptr; // once it has submitted to a group
    int64_t waited_since = 0;   // when the task was submitted that it has just taken; 0: unknown
    uint32_t unmeasured = 0;    // tasks since one whose run time was measured
    bool from_queue = false;    // its task came from the pool's queue, not from a deque
    bool in_handoff = false;    // its task is one that a hand-off pool has taken
    bool searching = false;     // it is the one that the pool's searchers_ counts
    bool in_streak = false;     // it began one; it may have been broken since
    bool arrived = false;       // has been counted once
    bool counted = false;       // in the pool's threads_
    bool replace = false;       // a task has ended the thread
    bool set_up = false;        // it has tried to get its state
    bool has_state = false;
    pool_status state_status = POOL_OK;
    bool ended = false; // will not touch the pool again: may be joined
    uint64_t popped_seen = 0; // by the one that watches a streak; under the pool's lock
    IdleLink idle;
    Event event; // what it sleeps on when idle

    // 1 from before it looks for a task until it has found none.
    alignas(64) std::atomic<uint32_t> busy{0};
    std::atomic<int64_t> since{0}; // when the task began, by the coarse clock; 0: none runs
    std::atomic<void *> arg{nullptr};
    std::atomic<const char *> name{nullptr};
    std::atomic<bool> told{false}; // the task has seen that it is cancelled
    std::atomic<HandleTask *> waits_for{nullptr};
    int64_t reported = 0; // `since` of the task that was reported as stuck; under the pool's lock
    OwnCounter ends[POOL_WORKERS_DROPPED + 1]; // of tasks, by state
    OwnCounter stolen;
    OwnCounter groups; // made, less those destroyed, here
};

} // namespace pool
