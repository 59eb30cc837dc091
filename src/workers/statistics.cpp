// SPDX-License-Identifier: Apache-2.0
#include "workers/workers.h"

namespace pool {

// Under the lock, as all that follows.
uint64_t Workers::running() {
    uint64_t count = 0;
    for (Worker *worker = threads_list_.front(); worker != nullptr;
         worker = threads_list_.next(worker))
        count += worker->handed.load(std::memory_order_acquire) != nullptr ||
                 worker->since.load(std::memory_order_acquire) != 0;
    return count;
}

uint64_t Workers::ended(pool_workers_state state) {
    uint64_t sum = past_ends_[state] + beside_ends_[state].load(std::memory_order_relaxed);
    for (Worker *worker = threads_list_.front(); worker != nullptr;
         worker = threads_list_.next(worker))
        sum += worker->ends[state].read();
    return sum;
}

uint64_t Workers::waiting_in_deques() const {
    uint64_t sum = 0;
    for (WorkDeque *deque = deques_.load(std::memory_order_acquire); deque != nullptr;
         deque = deque->next)
        sum += deque->size();
    return sum;
}

uint64_t Workers::stolen() {
    uint64_t sum = past_stolen_;
    for (Worker *worker = threads_list_.front(); worker != nullptr;
         worker = threads_list_.next(worker))
        sum += worker->stolen.read();
    return sum;
}

pool_workers_stats Workers::stats() {
    Section section(mutex_);
    return read();
}

pool_workers_stats Workers::read() {
    pool_workers_stats stats = {};
    stats.size = sizeof stats;
    stats.succeeded = ended(POOL_WORKERS_SUCCEEDED);
    stats.failed = ended(POOL_WORKERS_FAILED);
    stats.cancelled = ended(POOL_WORKERS_CANCELLED);
    stats.dropped = ended(POOL_WORKERS_DROPPED);
    stats.discarded = discarded_;
    stats.stolen = stolen();
    stats.rejected = rejected_.load(std::memory_order_relaxed);
    stats.running = parent_ == nullptr ? running() : in_tasks_.load(std::memory_order_relaxed);
    stats.waiting = queue_.used_at_most() + waiting_in_deques();
    // What was submitted follows from the rest, so the sum is right. A task that is on its way from
    // the queue to its worker is in neither; it is as good as running. One that was on its way from
    // deque to deque may have been counted in both, which shows when all is quiet.
    const uint64_t sum = stats.succeeded + stats.failed + stats.cancelled + stats.discarded +
                         stats.dropped + stats.running + stats.waiting;
    if (sum < submitted_ && !quiet())
        stats.running += submitted_ - sum;
    else
        submitted_ = sum;
    stats.submitted = submitted_;
    stats.workers = parent_ == nullptr ? threads_.load(std::memory_order_relaxed) : stats.running;
    stats.idle = stats.workers > stats.running ? stats.workers - stats.running : 0;
    stats.blocked_submitters = room_.size();
    stats.max_workers = max_workers_.load(std::memory_order_relaxed);
    stats.min_workers = min_workers_;
    stats.queue_capacity = capacity_;
    stats.started = started_;
    stats.start_fails = start_fails_;
    stats.replaced = replaced_;
    stats.paused = paused_.load(std::memory_order_relaxed);
    stats.waiting_bytes = bytes_.load(std::memory_order_relaxed);
    stats.memory_bytes = memory_.bytes() + store_->bytes();
    return stats;
}

const Histogram *Workers::histogram(pool_workers_time which) const {
    return which == POOL_WORKERS_WAIT_TIME  ? &waits_
           : which == POOL_WORKERS_RUN_TIME ? &runs_
                                            : nullptr;
}

void Workers::read_stats(void *pool, void *stats) {
    *static_cast<pool_workers_stats *>(stats) = static_cast<Workers *>(pool)->stats();
}

bool Workers::read_histogram(void *pool, int32_t which, TimeHistogram *histogram) {
    const Histogram *of = static_cast<Workers *>(pool)->histogram(which);
    if (of != nullptr)
        *histogram = of->read<TimeHistogram>();
    return of != nullptr;
}

} // namespace pool
