// Streaks: while tasks are tiny, one worker has the queue to itself.
//
// SPDX-License-Identifier: Apache-2.0
//
// To wake a worker costs a submitter more than a hundred tiny tasks do, and two workers that take such
// tasks from one queue spend their time on each other's cache lines. So when tasks have turned out to
// be tiny, a worker begins a streak: it keeps its claim to search, which keeps others from being
// called, also while it runs tasks. Others that run dry go to sleep although tasks wait.
//
// Tasks may turn out to be longer at any moment, so the streak ends when a round of tasks took longer
// than that many tiny ones, and one of those that sleep watches: if from one glance to the next, a
// millisecond later, no task was taken, the one in the streak is stuck in one, and the watcher takes the
// search over. No task waits longer than that for a worker that sleeps.
//
// Invariants:
//   - searchers_ > 1 exactly during a streak; it is the number of the worker that is in it.
//   - Whoever changes it then takes the claim over, fences all threads, and looks at the queue after
//     that. So a push during a streak needs no fence of its own: either its submitter sees that the
//     streak is over, or its task is seen at that look.
//   - During a streak some worker watches, or none sleeps and there are as many threads as may be. What
//     changes that (a new maximum, a stop, the end of a thread) breaks the streak.
#include "workers/workers.h"

#include "platform/clock.h"
#include "platform/membarrier.h"
#include "sync/callback.h"
#include "workers/frame.h"

namespace pool {
namespace {

constexpr int64_t kTiny = 150;  // what a task takes at most, in ns, with all that is around it
constexpr uint32_t kVotes = 4;  // of tasks whose times were measured, in a row: they are tiny
constexpr uint32_t kRound = 64; // tasks from one look at the clock to the next
constexpr int64_t kGlance = 1000000;

} // namespace

uint32_t Workers::claim_of(const Worker *worker) {
    return 2 + static_cast<uint32_t>(worker->number % (UINT32_MAX - 2));
}

void Workers::vote_for_streak(int64_t run_time) {
    if (run_time > kTiny)
        streak_votes_.store(0, std::memory_order_relaxed);
    else if (uint32_t votes = streak_votes_.load(std::memory_order_relaxed); votes < kVotes)
        streak_votes_.store(votes + 1, std::memory_order_relaxed);
}

bool Workers::streak_is_due() const {
    return streak_votes_.load(std::memory_order_relaxed) >= kVotes;
}

bool Workers::begin_streak(Worker *worker) {
    streak_votes_.store(0, std::memory_order_relaxed);
    uint32_t none = 0;
    if (!streaks_ || worker->searching ||
        !searchers_.compare_exchange_strong(none, claim_of(worker), std::memory_order_seq_cst))
        return false;
    worker->in_streak = true;
    Section section(mutex_);
    const bool all =
        threads_.load(std::memory_order_relaxed) >= max_workers_.load(std::memory_order_relaxed);
    Worker::IdleLink *asleep = idle_list_.front();
    if (stopping_.load(std::memory_order_relaxed) || paused_.load(std::memory_order_relaxed) != 0 ||
        (!all && asleep == nullptr)) {
        section.unlock();
        end_streak(worker);
        return false;
    }
    if (asleep != nullptr && watcher_ == nullptr) {
        watcher_ = asleep->worker;
        watcher_->popped_seen = queue_.popped();
        section.wake(watcher_->event); // it falls asleep again, but not for as long
    }
    return true;
}

// Afterwards the worker searches as any other one does, unless somebody else does by now.
void Workers::end_streak(Worker *worker) {
    uint32_t claim = claim_of(worker);
    worker->in_streak = false;
    worker->searching = searchers_.compare_exchange_strong(claim, 1, std::memory_order_seq_cst);
    fence_threads();
}

// Have others look at the queue, too.
void Workers::break_streak() {
    uint32_t claim = searchers_.load(std::memory_order_seq_cst);
    if (claim <= 1 || !searchers_.compare_exchange_strong(claim, 1, std::memory_order_seq_cst))
        return;
    fence_threads();
    give_up_search();
}

// A task of the streak is about to wait for something.
void Workers::pause_streak(Worker *worker) {
    if (!worker->in_streak)
        return;
    end_streak(worker);
    if (!worker->searching)
        return;
    worker->searching = false;
    give_up_search();
}

// Under the lock, by a worker in the list of the idle ones: until when it may sleep if it is the one
// that watches, or becomes it.
bool Workers::watches(Worker *worker, int64_t *until) {
    if (!in_streak()) {
        if (watcher_ == worker)
            watcher_ = nullptr;
        return false;
    }
    if (watcher_ == nullptr) {
        watcher_ = worker;
        worker->popped_seen = queue_.popped();
    }
    *until = clock_now() + kGlance;
    return watcher_ == worker;
}

// Under the lock, by the one that watches, a glance later. True: the search is its own.
bool Workers::take_over(Worker *worker) {
    const uint64_t popped = queue_.popped();
    if (popped != worker->popped_seen) {
        worker->popped_seen = popped;
        return false;
    }
    uint32_t claim = searchers_.load(std::memory_order_seq_cst);
    if (claim <= 1 || !searchers_.compare_exchange_strong(claim, 1, std::memory_order_seq_cst))
        return false;
    fence_threads();
    return true;
}

// Run tasks until there are none for a while, they turn out to be longer, or others are to help. True:
// there are none.
POOL_CATCHES_FORCED_UNWIND bool Workers::run_streak(Worker *worker) {
    if (!begin_streak(worker))
        return false;
    const uint32_t claim = claim_of(worker);
    bool dry = false;
    Frame frame(this, worker, nullptr, nullptr, nullptr, nullptr);
    worker->since.store(0, std::memory_order_relaxed);
    int64_t now = clock_now();
    int64_t coarse = clock_now_coarse();
    uint32_t left = kRound;
    while (searchers_.load(std::memory_order_relaxed) == claim && !too_many() &&
           (worker->deque == nullptr || worker->deque->empty())) {
        Entry entry;
        TaskQueue::Popped popped;
        if (!queue_.pop_fast(&entry) && !queue_.pop(&entry, &popped)) {
            dry = !search_in_streak(claim);
            if (dry)
                break;
            now = clock_now();
            left = kRound;
            continue;
        }
        if (popped.room_wanted)
            call_submitter();
        if (__builtin_expect(is_mark(entry.run) || popped.since != 0, 0)) {
            worker->place->frame = frame.outer;
            worker->waited_since = popped.since;
            run(worker, entry);
            worker->place->frame = &frame;
        } else {
            worker->arg.store(entry.arg, std::memory_order_relaxed);
            worker->since.store(coarse, std::memory_order_release);
            try {
                call(&frame.end, entry, worker->user_state);
            } catch (abi::__forced_unwind &) {
                frame.end.state = POOL_WORKERS_FAILED;
                finish(&frame, entry);
                throw;
            }
            if (__builtin_expect(frame.end.state == POOL_WORKERS_QUEUED && !frame.saw_cancel, 1)) {
                worker->since.store(0, std::memory_order_release);
                worker->ends[POOL_WORKERS_SUCCEEDED].add(1);
            } else {
                finish(&frame, entry);
                frame.saw_cancel = false;
                frame.end = TaskEnd();
                worker->told.store(false, std::memory_order_relaxed);
            }
        }
        if (--left == 0) {
            const int64_t before = now;
            now = clock_now();
            coarse = clock_now_coarse();
            left = kRound;
            if (now - before > kRound * kTiny)
                break;
        }
    }
    if (worker->in_streak)
        end_streak(worker);
    return dry;
}

} // namespace pool
