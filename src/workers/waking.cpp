// How workers fall asleep and are woken; see the top of workers.h.
//
// SPDX-License-Identifier: Apache-2.0
#include "workers/workers.h"

#include "platform/clock.h"
#include "platform/last_error_kept.h"
#include "platform/lock.h"
#include "platform/membarrier.h"

#include <sched.h>

namespace pool {
namespace {

// A worker that runs dry looks again for about as long as waking it would cost somebody, and not
// too often, since each look takes a cache line from those who submit.
constexpr int kLooks = 20;
constexpr int kPausesPerLook = 12;

// Where tasks are so rare that each wakes a worker, the time of one in so many is measured.
constexpr uint32_t kMeasuredWakes = 8;

} // namespace

// ---- waking ---------------------------------------------------------------------------------

// Wake one worker, or start one, to search. Whoever gets to say that somebody searches does it.
POOL_HOT void Workers::summon() {
    uint32_t none = 0;
    if (!searchers_.compare_exchange_strong(none, 1, std::memory_order_seq_cst))
        return;
    {
        Section section(mutex_);
        if (wakes_++ % kMeasuredWakes == 0)
            queue_.sample_next();
        if (Worker *worker = take_idle()) {
            worker->searching = true;
            worker->woken.store(true, std::memory_order_release);
            section.wake(worker->event);
            return;
        }
        if (!start_wanted(Start::kMore)) {
            section.unlock();
            give_up_search();
            return;
        }
    }
    // One that has just run dry may be about to take the task, which start() then sees.
    if (threads_.load(std::memory_order_relaxed) != 0)
        sched_yield();
    start_more();
}

// Wake one worker with a task of its own, past the queue: where tasks are so rare that workers sleep, the
// queue is in no cache. The worker searches as any other one that was woken does. False: the task
// belongs in the queue.
POOL_HOT bool Workers::hand_over(pool_workers_task_fn task, void *arg) {
    // Who ends a record without running it relies on its entry being in the queue.
    if (!hands_over_ || task == is_task)
        return false;
    Section section(mutex_);
    // What waits goes first; and one who runs may take the next task before this one's worker is up.
    if (idle_list_.empty() ||
        idle_.load(std::memory_order_relaxed) != threads_.load(std::memory_order_relaxed) ||
        paused_.load(std::memory_order_relaxed) != 0 || line_up_.load(std::memory_order_relaxed) ||
        stopping_.load(std::memory_order_relaxed) || queue_.waiting() != 0)
        return false;
    uint32_t none = 0;
    if (!searchers_.compare_exchange_strong(none, 1, std::memory_order_seq_cst))
        return false;
    Worker *worker = take_idle();
    worker->searching = true;
    worker->handed_arg = arg;
    worker->handed.store(task, std::memory_order_relaxed);
    if (wakes_++ % kMeasuredWakes == 0)
        worker->waited_since = clock_now();
    handed_++;
    worker->woken.store(true, std::memory_order_release);
    section.wake(worker->event);
    return true;
}

// The worker is busy by now, and is seen to be by whoever finds that it has taken the task.
POOL_HOT bool Workers::take_handed(Worker *worker, Entry *entry) {
    const pool_workers_task_fn task = worker->handed.load(std::memory_order_relaxed);
    if (task == nullptr)
        return false;
    *entry = {task, worker->handed_arg};
    worker->since.store(Worker::kTaken, std::memory_order_relaxed); // it is seen to run throughout
    worker->handed.store(nullptr, std::memory_order_release);
    worker->from_queue = true;
    if (worker->searching) {
        end_search(worker);
        if (look_again())
            call_worker(); // pass the baton
    }
    return true;
}

// Nobody searches after all. Those who have pushed meanwhile relied on it, so look for them. A worker
// that falls asleep from now on looks for itself; but there may be none any more, and a thread wanted. Not
// so for one that has just failed to start it.
void Workers::give_up_search(bool may_start) {
    searchers_.store(0, std::memory_order_seq_cst);
    if (!look_again())
        return;
    bool wanted = idle_.load(std::memory_order_seq_cst) != 0;
    if (!wanted && may_start) {
        Section section(mutex_);
        wanted = start_wanted(Start::kMore);
    }
    if (wanted)
        summon();
}

POOL_HOT Worker *Workers::take_idle() {
    Worker::IdleLink *link =
        options_.idle_order == POOL_WORKERS_FIFO ? idle_list_.back() : idle_list_.front();
    if (link == nullptr)
        return nullptr;
    wake_up(link->worker);
    return link->worker;
}

// Under the lock: it sleeps no more.
POOL_HOT void Workers::wake_up(Worker *worker) {
    List<Worker::IdleLink>::remove(&worker->idle);
    idle_.fetch_sub(1, std::memory_order_seq_cst);
    if (watcher_ == worker)
        watcher_ = nullptr;
}

void Workers::wake_all_idle(Section &section) {
    while (Worker *worker = take_idle())
        section.wake(worker->event);
}

// The worker has found a task, or gives up.
POOL_HOT void Workers::end_search(Worker *worker) {
    worker->searching = false;
    searchers_.store(0, std::memory_order_seq_cst);
}

// The last look of one that has left searchers_ or threads_, or entered idle_.
POOL_HOT bool Workers::look_again() {
    // Whoever clears the flag looks after the fence, at pushes of before, too. So another who finds
    // it clear already may miss one of those: the first does not.
    if (unfenced_.load(std::memory_order_seq_cst)) {
        unfenced_.store(false, std::memory_order_seq_cst);
        fence_threads();
    }
    return has_work();
}

// ---- falling asleep -------------------------------------------------------------------------

// Look for a while longer, if nobody else does. True: there is something.
POOL_HOT bool Workers::search(Worker *worker) {
    uint32_t none = 0;
    if (!worker->searching &&
        (searchers_.load(std::memory_order_relaxed) != 0 ||
         !searchers_.compare_exchange_strong(none, 1, std::memory_order_seq_cst)))
        return false;
    worker->searching = true;
    if (usable_cpus_ == 1 || handoff())
        return false;
    for (int look = 0; look < kLooks; look++) {
        for (int pause = 0; pause < kPausesPerLook; pause++)
            cpu_relax();
        if (has_work())
            return paused_.load(std::memory_order_relaxed) == 0;
        if (stopping_.load(std::memory_order_relaxed))
            return false;
    }
    return false;
}

// The same, by the one that is in a streak and goes on searching. Many tiny tasks may come from one look
// to the next, and then come at the price of one.
bool Workers::search_in_streak(uint32_t claim) {
    constexpr int kLooksInStreak = 8;
    constexpr int kPausesInStreak = 128;
    if (usable_cpus_ == 1)
        return false;
    for (int look = 0; look < kLooksInStreak; look++) {
        for (int pause = 0; pause < kPausesInStreak; pause++)
            cpu_relax();
        if (queue_.waiting() != 0)
            return paused_.load(std::memory_order_relaxed) == 0;
        if (searchers_.load(std::memory_order_relaxed) != claim)
            return false;
    }
    return false;
}

// What one that has been woken is about to touch is in no cache by now. Asked for at once it comes at
// once; locked instructions would have it come one by one.
POOL_ALWAYS_INLINE void Workers::prefetch(Worker *worker) const {
    __builtin_prefetch(&searchers_, 1);
    __builtin_prefetch(&worker->busy, 1);
    __builtin_prefetch(&worker->place);
    __builtin_prefetch(&options_.ready);
    __builtin_prefetch(&options_.on_task_begin);
    __builtin_prefetch(&threads_);
    __builtin_prefetch(&streak_votes_);
    __builtin_prefetch(&deques_);
    queue_.prefetch();
}

// False: the worker ends.
POOL_HOT bool Workers::sleep(Worker *worker) {
    const bool at_once = options_.idle_timeout == POOL_WORKERS_AT_ONCE;
    worker->busy.store(0, std::memory_order_seq_cst);
    Section section(mutex_);
    if (worker->searching)
        end_search(worker);
    for (;;) {
        const bool stopping = stopping_.load(std::memory_order_relaxed);
        const bool leaves = (stopping || at_once || too_many()) && leave(worker, stopping);
        if (leaves || stopping) {
            tell_quiet(section);
            if (!leaves)
                search_on(worker);
            return !leaves;
        }
        worker->event.clear();
        worker->waited_since = 0; // of one that nobody ran
        idle_list_.push_front(&worker->idle);
        idle_.fetch_add(1, std::memory_order_seq_cst);
        if (watched_.load(std::memory_order_seq_cst) != 0)
            tell_quiet(section);
        if (!in_streak() && look_again() && paused_.load(std::memory_order_relaxed) == 0) {
            wake_up(worker);
            search_on(worker);
            return true;
        }
        while (worker->idle.linked()) {
            int64_t until;
            const bool watching = watches(worker, &until);
            if (!watching)
                until = idle_deadline();
            section.unlock();
            worker->event.wait(until);
            prefetch(worker);
            // Acquire: whoever says so has done all that there was to do.
            if (worker->woken.load(std::memory_order_acquire)) {
                worker->woken.store(false, std::memory_order_relaxed);
                return true;
            }
            section.lock();
            if (!worker->idle.linked())
                break;
            worker->event.clear();
            if (watching) {
                if (in_streak() && clock_now() >= until && take_over(worker)) {
                    wake_up(worker);
                    worker->searching = true;
                    return true;
                }
                continue;
            }
            if (until != POOL_FOREVER && clock_now() >= until) {
                wake_up(worker);
                if (leave(worker, false))
                    return false;
                search_on(worker); // it is needed after all, or may stay
                return true;
            }
        }
        if (worker->searching) {
            worker->woken.store(false, std::memory_order_relaxed);
            return true;
        }
    }
}

// The worker has given up its search, and found something at the last look. While it searched others
// relied on it, so there may be more than one task: it passes the baton, unless another searches now.
void Workers::search_on(Worker *worker) {
    uint32_t none = 0;
    worker->searching = searchers_.compare_exchange_strong(none, 1, std::memory_order_seq_cst);
}

// Until when a worker that falls asleep now may do so.
int64_t Workers::idle_deadline() {
    if (options_.idle_timeout == POOL_WORKERS_KEEP ||
        threads_.load(std::memory_order_relaxed) <= min_workers_)
        return POOL_FOREVER;
    return deadline_after(options_.idle_timeout);
}

// Out of threads_, unless it is needed. A task that was pushed before nobody was there is seen here;
// one that is pushed later finds nobody, and starts a thread.
bool Workers::leave(Worker *worker, bool stopping) {
    const uint32_t least = stopping ? 0 : min_workers_;
    if (threads_.load(std::memory_order_relaxed) <= least)
        return false;
    const int64_t now = clock_now();
    const bool surplus = too_many();
    if (!stopping && !surplus && options_.reap == POOL_WORKERS_REAP_ONE &&
        reaped_at_ != INT64_MIN && now - reaped_at_ < options_.idle_timeout)
        return false;
    threads_.fetch_sub(1, std::memory_order_seq_cst);
    if (!surplus && look_again() && paused_.load(std::memory_order_relaxed) == 0) {
        threads_.fetch_add(1, std::memory_order_seq_cst);
        return false;
    }
    worker->counted = false;
    reaped_at_ = now;
    return true;
}

} // namespace pool
