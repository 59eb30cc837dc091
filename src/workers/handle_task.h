// HandleTask: a task that somebody may wait for, ask about and cancel.
//
// SPDX-License-Identifier: Apache-2.0
//
// Who may touch what:
//   end             the worker that runs it; when its state is a final one, anybody
//   runner          written by that worker, and read by who holds kInterrupting
//   everything else never changes, or is atomic
#pragma once

#include "platform/fork.h"
#include "workers/task.h"

namespace pool {

struct Worker;
class TaskStore;

// Of its word, beside those in task.h: a canceller is inside `interrupt`, so it cannot end yet.
constexpr uint32_t kInterrupting = 256;

// It is claimed, but by one who ends it without running it.
constexpr uint32_t kUnrun = 512;

struct HandleTask : Task {
    std::atomic<uint32_t> refs; // one while it is in the queue or runs, and those of users
    unsigned forks;             // that lay between the first process and the one it is of
    TaskStore *store;
    Workers *pool; // not to be used once that has ended
    const char *name;
    bool silent;      // on_drop, on_failed and observers do not hear of it
    int64_t start_by; // not to be begun after that moment; INT64_MAX: whenever
    int64_t submitted_at;
    uint64_t key; // 0: none
    int32_t lane; // of the queue
    uint64_t weight;
    std::atomic<bool> loaded; // its weight is on the queue
    std::atomic<Worker *> runner;
    TaskEnd end;
};

inline bool is_final(uint32_t word) {
    return (word & kStateMask) > POOL_WORKERS_RUNNING;
}

// In the child after fork the parent's tasks are the parent's.
inline bool is_foreign(const HandleTask *task) {
    return task->forks != fork_generation() &&
           !is_final(task->word.load(std::memory_order_acquire));
}

} // namespace pool
