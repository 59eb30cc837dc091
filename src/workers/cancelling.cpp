// Cancelling tasks that have a handle, and the point from which on that is too late.
//
// SPDX-License-Identifier: Apache-2.0
#include "workers/workers.h"

#include "sync/callback.h"
#include "sync/futex.h"

namespace pool {

// It never runs, if it has not begun. Its entry stays in the queue until a worker comes by.
pool_workers_cancel Workers::cancel_queued(HandleTask *task, pool_status why) {
    uint32_t word;
    if (!claim_handle(task, &word, kUnrun))
        return is_final(word) || (word & kUnrun) != 0 ? POOL_WORKERS_TOO_LATE
                                                      : POOL_WORKERS_FLAGGED;
    // Its entry stays, but neither the room that it takes nor its weight.
    Workers *pool = task->pool;
    pool->leave_entry(task);
    pool->count(nullptr, POOL_WORKERS_CANCELLED);
    pool->unload(task);
    end_unrun(task, POOL_WORKERS_CANCELLED, why);
    pool->call_submitter();
    return POOL_WORKERS_REMOVED;
}

pool_workers_cancel Workers::cancel(HandleTask *task) {
    if (is_foreign(task))
        return POOL_WORKERS_TOO_LATE;
    const pool_workers_cancel answer = cancel_queued(task, POOL_ECANCELED);
    if (answer == POOL_WORKERS_REMOVED)
        return answer;
    uint32_t word = task->word.load(std::memory_order_acquire);
    for (;;) {
        if (is_final(word) || (word & (kCommitted | kUnrun)) != 0)
            return POOL_WORKERS_TOO_LATE;
        if ((word & kCancelFlag) != 0)
            return POOL_WORKERS_FLAGGED;
        if (task->word.compare_exchange_weak(word, word | kCancelFlag | kInterrupting,
                                             std::memory_order_acq_rel, std::memory_order_acquire))
            break;
    }
    // It cannot end before the bit is cleared, so its worker and its pool are there.
    const pool_workers_options &options = task->pool->options_;
    Worker *runner = task->runner.load(std::memory_order_acquire);
    if (runner != nullptr)
        runner->told.store(true, std::memory_order_relaxed);
    if (options.interrupt != nullptr && runner != nullptr)
        call_contained("interrupt of a worker pool",
                       [&] { options.interrupt(runner->user_state, options.ctx); });
    task->word.fetch_and(~kInterrupting, std::memory_order_acq_rel);
    futex_wake_all(&task->word);
    return POOL_WORKERS_FLAGGED;
}

// For the task that runs: has anybody cancelled it?
bool Workers::is_cancelled(Frame *frame) {
    bool cancelled = frame->pool->cancels_all();
    if (frame->task != nullptr) {
        const uint32_t word = frame->task->word.load(std::memory_order_acquire);
        cancelled = (word & kCommitted) == 0 && (cancelled || (word & kCancelFlag) != 0);
    } else if (frame->group != nullptr) {
        cancelled = cancelled || frame->pool->is_cancelled(frame->group);
    }
    frame->saw_cancel = frame->saw_cancel || cancelled;
    if (cancelled && frame->worker != nullptr)
        frame->worker->told.store(true, std::memory_order_relaxed);
    return cancelled;
}

// False: too late.
bool Workers::commit(Frame *frame) {
    HandleTask *task = frame->task;
    if (task == nullptr)
        return !is_cancelled(frame);
    uint32_t word = task->word.load(std::memory_order_acquire);
    do {
        if ((word & kCancelFlag) != 0) {
            frame->saw_cancel = true;
            return false;
        }
    } while (!task->word.compare_exchange_weak(word, word | kCommitted, std::memory_order_acq_rel,
                                               std::memory_order_acquire));
    return true;
}

} // namespace pool
