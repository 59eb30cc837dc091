// Worker pools in the child after fork.
//
// SPDX-License-Identifier: Apache-2.0
//
// The threads are gone, and with them what they ran and who waited; their records are abandoned, and
// so is the memory of what was queued. The thread that forked may be a worker of this pool inside a
// task: it goes on as the only worker.
#include "workers/workers.h"

#include <new>

namespace pool {

void Workers::in_child(ForkWatcher *watcher) {
    static_cast<Fork *>(watcher)->pool->repair_in_child();
}

void Workers::repair_in_child() {
    new (&mutex_) Mutex;
    new (&start_mutex_) std::mutex;
    Worker *self = own_worker();
    const uint64_t pushed = queue_.pushed() + handed_;
    queue_.forget_all();
    new (&threads_list_) List<Worker>;
    new (&idle_list_) List<Worker::IdleLink>;
    room_.forget_all();
    quiet_.forget_all();
    set_up_.forget_all();
    room_called_ = false;
    inside_ = self != nullptr && self->in_handoff ? 1 : 0;
    line_up_.store(false, std::memory_order_relaxed);
    queue_.set_fast_capacity(plain_ ? capacity_ : 0);
    searchers_.store(0, std::memory_order_relaxed);
    idle_.store(0, std::memory_order_relaxed);
    watcher_ = nullptr;
    watched_.store(0, std::memory_order_relaxed);
    threads_.store(0, std::memory_order_relaxed);
    uint64_t known = 0;
    if (self != nullptr && !self->ended) {
        self->thread = pthread_self(); // whoever started it may not have come to that
        self->searching = self->in_streak = false;
        self->arrived = self->counted = true;
        self->prev = self->next = nullptr;
        self->idle.prev = self->idle.next = nullptr;
        threads_list_.push_back(self);
        threads_.store(1, std::memory_order_relaxed);
        known += self->since.load(std::memory_order_relaxed) != 0;
        self->groups.clear();
        for (int32_t state = POOL_WORKERS_SUCCEEDED; state <= POOL_WORKERS_DROPPED; state++)
            known += self->ends[state].read();
    }
    // The deques are others', and half changed. That of a worker that forked is its own.
    for (WorkDeque *deque = deques_.load(std::memory_order_relaxed); deque != nullptr;
         deque = deque->next)
        if (self == nullptr || deque != self->deque)
            deque->forget_all();
    groups_.store(0, std::memory_order_relaxed);
    active_.store(0, std::memory_order_relaxed);
    running_.store(0, std::memory_order_relaxed);
    in_tasks_.store(0, std::memory_order_relaxed);
    bytes_.store(0, std::memory_order_relaxed);
    new (&keys_.mutex) std::mutex;
    keys_.forget_all();
    store_->repair_after_fork();
    // Whatever else was submitted is the parent's to run. Counts of threads that are gone went with
    // their records, so those tasks are among them.
    for (int32_t state = POOL_WORKERS_SUCCEEDED; state <= POOL_WORKERS_DROPPED; state++)
        known += past_ends_[state] + beside_ends_[state].load(std::memory_order_relaxed);
    discarded_ = pushed > known ? pushed - known : 0;
    submitted_ = 0;
}

} // namespace pool
