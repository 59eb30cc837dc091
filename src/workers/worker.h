// Worker: one thread of a pool, and what it is doing.
//
// SPDX-License-Identifier: Apache-2.0
//
// Who may touch what:
//   the first part   the worker itself; `idle` and `event` as sync/waiters.h says; while it sleeps
//                    whoever wakes it, under the pool's lock
//   the second part  written by the worker alone, read by anybody
//   counted, ended   under the pool's lock
#pragma once

#include "platform/clock.h"
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

    // All that somebody touches who wakes it, on one cache line.
    IdleLink idle;
    Event event;                    // what it sleeps on when idle
    bool searching = false;         // it is the one that the pool's searchers_ counts
    std::atomic<bool> woken{false}; // to search, after which nothing is left to be done for it
    std::atomic<pool_workers_task_fn> handed{nullptr}; // the task it was woken with, if any
    void *handed_arg = nullptr;

    alignas(64) Workers *const pool;
    pthread_t thread{}; // under the pool's lock
    uint64_t number = 0;
    void *user_state = nullptr; // as state_new made it
    Place *place = nullptr;     // its thread's
    static constexpr uint32_t kSpareGroups = 4;
    void *spare_groups[kSpareGroups]; // memory for those that it makes next
    uint32_t spare_group_count = 0;
    uint32_t unfenced = 0;      // see push_to_deque()
    uint64_t frames = 0;        // the number of its last frame: those of each worker are its own
    WorkDeque *deque = nullptr; // once it has submitted to a group
    int64_t waited_since = 0;   // when the task was submitted that it has just taken; 0: unknown
    uint32_t unmeasured = 0;    // tasks since one whose run time was measured
    bool from_queue = false;    // its task came from the pool's queue, not from a deque
    bool in_streak = false;     // it began one; it may have been broken since
    bool in_handoff = false;    // its task is one that a hand-off pool has taken
    bool arrived = false;       // has been counted once
    bool counted = false;       // in the pool's threads_
    bool replace = false;       // a task has ended the thread
    bool set_up = false;        // it has tried to get its state
    bool has_state = false;
    pool_status state_status = POOL_OK;
    bool ended = false;       // will not touch the pool again: may be joined
    uint64_t popped_seen = 0; // by the one that watches a streak; under the pool's lock

    // 1 from before it looks for a task until it has found none.
    alignas(64) std::atomic<uint32_t> busy{0};
    std::atomic<int64_t> since{0};       // when the task began, by the coarse clock; 0: none runs
    static constexpr int64_t kTaken = 1; // one is about to begin
    std::atomic<void *> arg{nullptr};
    std::atomic<const char *> name{nullptr};
    std::atomic<bool> told{false}; // the task has seen that it is cancelled
    std::atomic<HandleTask *> waits_for{nullptr};
    int64_t reported = 0; // `since` of the task that was reported as stuck; under the pool's lock
    OwnCounter ends[POOL_WORKERS_DROPPED + 1]; // of tasks, by state
    OwnCounter stolen;
    OwnCounter groups; // made, less those destroyed, here
};

inline Frame::Frame(Workers *its_pool, Worker *its_worker, HandleTask *its_task, Group *its_group,
                    void *arg, const char *name)
    : place(its_worker != nullptr ? *its_worker->place : this_place()), pool(its_pool),
      worker(its_worker), task(its_task), group(its_group), outer(place.frame),
      number(worker != nullptr ? ++worker->frames : 0),
      outer_arg(worker != nullptr ? worker->arg.load(std::memory_order_relaxed) : nullptr),
      outer_name(worker != nullptr ? worker->name.load(std::memory_order_relaxed) : nullptr),
      outer_since(worker != nullptr && outer != nullptr
                      ? worker->since.load(std::memory_order_relaxed)
                      : 0) {
    place.frame = this;
    if (worker == nullptr)
        return;
    worker->arg.store(arg, std::memory_order_relaxed);
    worker->name.store(name, std::memory_order_relaxed);
    worker->told.store(false, std::memory_order_relaxed);
    worker->since.store(clock_now_coarse(), std::memory_order_release);
}

inline Frame::~Frame() {
    place.frame = outer;
    if (worker == nullptr)
        return;
    worker->since.store(outer_since, std::memory_order_relaxed);
    worker->name.store(outer_name, std::memory_order_relaxed);
    worker->arg.store(outer_arg, std::memory_order_relaxed);
}

} // namespace pool
