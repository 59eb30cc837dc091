// SPDX-License-Identifier: Apache-2.0
#include "workers/workers.h"

namespace pool {

// Under the lock, as all that follows.
uint64_t Workers::running() {
    uint64_t count = 0;
    for (Worker *worker = threads_list_.front(); worker != nullptr;
         worker = threads_list_.next(worker))
        count += worker->since.load(std::memory_order_acquire) != 0;
    return count;
}

Workers::Ends Workers::ends() {
    Ends ends = {succeeded_, failed_, cancelled_};
    for (Worker *worker = threads_list_.front(); worker != nullptr;
         worker = threads_list_.next(worker)) {
        ends.succeeded += worker->succeeded.read();
        ends.failed += worker->failed.read();
        ends.cancelled += worker->cancelled.read();
    }
    ends.succeeded += beside_succeeded_.load(std::memory_order_relaxed);
    ends.failed += beside_failed_.load(std::memory_order_relaxed);
    return ends;
}

uint64_t Workers::ran() {
    const Ends all = ends();
    return all.succeeded + all.failed;
}

pool_workers_stats Workers::stats() {
    pool_workers_stats stats = {};
    stats.size = sizeof stats;
    Section section(mutex_);
    const Ends all = ends();
    stats.succeeded = all.succeeded;
    stats.failed = all.failed;
    stats.cancelled = all.cancelled;
    stats.discarded = discarded_;
    stats.dropped = dropped_.load(std::memory_order_relaxed);
    stats.rejected = rejected_.load(std::memory_order_relaxed);
    stats.running = running();
    stats.waiting = queue_.waiting();
    // What was submitted follows from the rest, so the sum is right. A task that is on its way from
    // the queue to its worker is in neither; it is as good as running.
    const uint64_t sum = stats.succeeded + stats.failed + stats.cancelled + stats.discarded +
                         stats.dropped + stats.running + stats.waiting;
    if (sum < submitted_)
        stats.running += submitted_ - sum;
    else
        submitted_ = sum;
    stats.submitted = submitted_;
    stats.workers = threads_.load(std::memory_order_relaxed);
    stats.idle = stats.workers > stats.running ? stats.workers - stats.running : 0;
    stats.blocked_submitters = room_.size();
    stats.max_workers = max_workers_.load(std::memory_order_relaxed);
    stats.min_workers = min_workers_;
    stats.queue_capacity = capacity_;
    stats.started = started_;
    stats.start_fails = start_fails_;
    stats.replaced = replaced_;
    stats.paused = paused_.load(std::memory_order_relaxed);
    stats.memory_bytes = memory_.bytes();
    return stats;
}

void Workers::read_stats(void *pool, void *stats) {
    *static_cast<pool_workers_stats *>(stats) = static_cast<Workers *>(pool)->stats();
}

} // namespace pool
