// Subpools: pools that run on the workers of another one.
//
// SPDX-License-Identifier: Apache-2.0
//
// A subpool has its own queue. What lies in the parent's queue is a token for each task that may run
// at once; a worker of the parent that takes one runs one task of the subpool, and puts the token back
// at the end of the queue if there are more, so that the subpool takes its turn like everybody.
//
// Invariants:
//   - active_ tokens exist: in the parent's queue, or in the hands of a worker; of these running_
//     workers may be inside a task.
//   - Tasks that wait, while the subpool is not paused, imply active_ > 0. A token that is given up is
//     first taken off active_, and then the queue is looked at once more; a submitter pushes first and
//     looks at active_ after that. (Dekker's rule, sequentially consistent.)
#include "workers/workers.h"

#include "platform/nap.h"

namespace pool {

// A task has been pushed: if fewer tokens are about than may be, one more.
void Workers::call_parent() {
    uint32_t active = active_.load(std::memory_order_seq_cst);
    do {
        if (active >= max_workers_.load(std::memory_order_relaxed) ||
            active >= queue_.waiting() + running_.load(std::memory_order_relaxed))
            return;
    } while (!active_.compare_exchange_weak(active, active + 1, std::memory_order_seq_cst));
    give_token();
}

// The parent takes it although it may be full or stopped: the task is in a queue already.
// Once the token is there, this pool may be used up by others and end.
void Workers::give_token() {
    Workers *const parent = parent_;
    const Entry token = {is_subpool, this};
    size_t taken;
    while (parent->queue_.push(lane_in_parent_, &token, 1, TaskQueue::kBeyondAll, &taken) !=
           TaskQueue::Pushed::kYes) {
        nap(1000000); // no memory: the task was accepted, so it waits for some
    }
    parent->enter_handoff(1);
    parent->call_worker();
}

void Workers::run_one(Worker *worker) {
    struct End {
        ~End() { pool->end_one(); }
        Workers *pool;
    } end{this};
    running_.fetch_add(1, std::memory_order_seq_cst);
    Entry entry;
    TaskQueue::Popped popped;
    const bool some = queue_.pop(&entry, &popped);
    if (popped.room_wanted)
        call_submitter();
    worker->waited_since = popped.since;
    if (some)
        run(worker, entry);
    else
        parent_->forget_one();
}

// Who ends this pool waits for its tokens, so the last thing that happens to it here is that the token is
// passed on, or given up under the lock.
void Workers::end_one() {
    running_.fetch_sub(1, std::memory_order_seq_cst);
    bool goes_on =
        has_work() && paused_.load(std::memory_order_relaxed) == 0 &&
        active_.load(std::memory_order_relaxed) <= max_workers_.load(std::memory_order_relaxed);
    if (!goes_on) {
        Section section(mutex_);
        const uint32_t others = active_.fetch_sub(1, std::memory_order_seq_cst) - 1;
        goes_on = has_work() && paused_.load(std::memory_order_relaxed) == 0 &&
                  others < max_workers_.load(std::memory_order_relaxed);
        if (goes_on)
            active_.fetch_add(1, std::memory_order_seq_cst);
        if (watched_.load(std::memory_order_seq_cst) != 0)
            tell_quiet(section);
    }
    if (goes_on)
        give_token();
}

// A token of a subpool came to nothing: it was no task after all.
void Workers::forget_one() {
    Section section(mutex_);
    if (submitted_ > 0)
        submitted_--;
}

// The parent drops its token, since it stops: one task of the subpool has no worker any more.
void Workers::lose_token(pool_status status) {
    Entry entry;
    TaskQueue::Popped popped;
    const bool some = queue_.pop(&entry, &popped);
    if (some && entry.run == is_key)
        queue_.owe(-1); // it is not going to begin
    if (some && drop(entry, status)) {
        Section section(mutex_);
        discarded_++;
    }
    parent_->forget_one();
    running_.fetch_add(1, std::memory_order_seq_cst);
    end_one();
}

} // namespace pool
