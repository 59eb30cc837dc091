// The side of the threads: how they start, what they do, how they end.
//
// SPDX-License-Identifier: Apache-2.0
#include "workers/workers.h"

#include "platform/last_error_kept.h"
#include "platform/nap.h"
#include "platform/status.h"
#include "platform/thread.h"
#include "sync/callback.h"

#include <cinttypes>
#include <cstdio>
#include <sched.h>

namespace pool {

Worker *Workers::this_worker() {
    return this_place().worker;
}

Worker *Workers::own_worker(const Place &place) const {
    Worker *worker = place.worker;
    return worker != nullptr && (worker->pool == this || worker->pool == parent_) ? worker
                                                                                  : nullptr;
}

// ---- starting -------------------------------------------------------------------------------

bool Workers::start_wanted(Start why) const {
    const uint32_t threads = threads_.load(std::memory_order_relaxed);
    const bool stopping = stopping_.load(std::memory_order_relaxed);
    switch (why) {
    case Start::kMinimum:
        return threads < min_workers_ && !stopping;
    case Start::kFirst:
        return threads == 0 && !stopping;
    case Start::kMore:
        return threads < max_workers_.load(std::memory_order_relaxed) && has_work() &&
               (threads == 0 || spawn_rate_ == 1 || queue_.pushed() / spawn_rate_ > spawned_for_);
    }
    return false;
}

// Start a thread, unless another caller has made that needless meanwhile.
pool_status Workers::start(Start why) {
    CancellationOff off;
    Worker *worker = memory_.make<Worker>(this);
    if (worker == nullptr) {
        if (why == Start::kMore)
            give_up_search(false);
        return fail(POOL_ENOMEM, "no memory for a worker of pool '%s'", name_);
    }
    worker->idle.worker = worker;
    // It will look for work as soon as it runs. With kMore the caller has said so already.
    uint32_t none = 0;
    worker->searching = why == Start::kMore ||
                        searchers_.compare_exchange_strong(none, 1, std::memory_order_seq_cst);

    List<Worker> ended;
    pool_status status = POOL_OK;
    {
        std::lock_guard<std::mutex> starting(start_mutex_);
        bool wanted;
        {
            Section section(mutex_);
            wanted = start_wanted(why);
            if (wanted)
                spawned_for_ = queue_.pushed() / spawn_rate_;
            if (wanted)
                worker->number = ++started_;
            for (Worker *next, *old = threads_list_.front(); old != nullptr; old = next) {
                next = threads_list_.next(old);
                if (old->ended && !pthread_equal(old->thread, pthread_self())) {
                    List<Worker>::remove(old);
                    ended.push_back(old);
                }
            }
        }
        if (wanted) {
            char name[96];
            pthread_t thread;
            snprintf(name, sizeof name, "%s-%" PRIu64, name_, worker->number);
            status = start_thread({name, options_.stack_size, run_worker, worker}, &thread);
            Section section(mutex_);
            if (status == POOL_OK) {
                arrive(worker, thread);
                Worker *made = worker;
                worker = nullptr;
                if (options_.state_new != nullptr && why != Start::kMore)
                    status = wait_for_state(section, made);
            } else {
                start_fails_++;
            }
        }
    }
    if (worker != nullptr) {
        if (worker->searching)
            give_up_search(status == POOL_OK);
        memory_.destroy(worker);
    }
    join(&ended);
    return status;
}

// For a task that is in the queue: should this fail, the threads there are will run it.
void Workers::start_more() {
    LastErrorKept kept;
    start(Start::kMore);
}

// By the new thread or by the one that made it, whichever comes first.
void Workers::arrive(Worker *worker, pthread_t thread) {
    if (worker->arrived)
        return; // and perhaps gone again
    worker->arrived = worker->counted = true;
    worker->thread = thread;
    threads_list_.push_back(worker);
    threads_.fetch_add(1, std::memory_order_seq_cst);
}

void Workers::join(List<Worker> *workers) {
    while (Worker *worker = workers->pop_front()) {
        pthread_join(worker->thread, nullptr);
        memory_.destroy(worker);
    }
}

void Workers::bind(const Worker *worker) {
    if (options_.cpu_count == 0)
        return;
    const bool one = (options_.flags & POOL_WORKERS_ONE_CPU_EACH) != 0;
    cpu_set_t *set = CPU_ALLOC(kMostCpus);
    if (set == nullptr)
        return;
    const size_t bytes = CPU_ALLOC_SIZE(kMostCpus);
    CPU_ZERO_S(bytes, set);
    for (uint32_t i = 0; i < options_.cpu_count; i++)
        if (!one || i == (worker->number - 1) % options_.cpu_count)
            CPU_SET_S(cpus_[i], bytes, set);
    if (sched_setaffinity(0, bytes, set) != 0)
        log_line(2, "pool '%s': worker %" PRIu64 " cannot be bound to its CPUs", name_,
                 worker->number);
    CPU_FREE(set);
}

// ---- running --------------------------------------------------------------------------------

POOL_CATCHES_FORCED_UNWIND void Workers::run_worker(void *arg) {
    Worker *worker = static_cast<Worker *>(arg);
    Workers *pool = worker->pool;
    CancellationOff off; // but while it has tasks
    list_place();
    worker->place = &this_place();
    worker->place->worker = worker;
    worker->frames = worker->number << 40;
    {
        Section section(pool->mutex_);
        pool->arrive(worker, pthread_self());
    }
    try {
        if (pool->set_up(worker))
            pool->work(worker);
    } catch (abi::__forced_unwind &) {
        pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, nullptr);
        worker->replace = true;
        unlist_place(); // before the others are told that it ends
        pool->depart(worker);
        throw;
    }
    unlist_place();
    pool->depart(worker);
}

void Workers::call_hook(pool_thread_fn hook, const char *what) {
    if (hook != nullptr)
        call_contained(what, [this, hook] { hook(options_.ctx); });
}

// False: it has no state, and cannot work.
bool Workers::set_up(Worker *worker) {
    bind(worker);
    call_hook(options_.on_thread_start, "on_thread_start of a worker pool");
    if (options_.state_new == nullptr)
        return true;
    pool_status status = POOL_ECREATE;
    call_contained("state_new of a worker pool",
                   [&] { status = options_.state_new(&worker->user_state, options_.ctx); });
    worker->state_status = status;
    Section section(mutex_);
    worker->has_state = status == POOL_OK;
    worker->set_up = true;
    if (status != POOL_OK) {
        start_fails_++;
        if (worker->searching)
            end_search(worker);
        worker->counted = false;
        threads_.fetch_sub(1, std::memory_order_seq_cst);
    }
    while (Waiter *waiter = set_up_.first())
        set_up_.finish(section, waiter, Outcome::kServed);
    return status == POOL_OK;
}

pool_status Workers::wait_for_state(Section &section, Worker *worker) {
    while (!worker->set_up) {
        Waiter waiter(POOL_FOREVER);
        set_up_.wait(section, waiter);
    }
    if (worker->has_state)
        return POOL_OK;
    return fail(POOL_ENOTHREAD, "pool '%s': a worker got no state: state_new returned %s", name_,
                pool_status_name(worker->state_status));
}

// From one task to the next nothing in here is a cancellation point, so a thread that is to be
// cancelled goes in a task.
POOL_HOT void Workers::work(Worker *worker) {
    bool ready = options_.ready == nullptr;
    do {
        pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, nullptr);
        for (;;) {
            if (!ready) {
                ready = true; // for one task, however long that is in coming
                if (worker->searching) {
                    end_search(worker);
                    if (look_again())
                        call_worker(); // it may be out of service for long
                }
                worker->busy.store(0, std::memory_order_seq_cst);
                if (watched_.load(std::memory_order_seq_cst) != 0) {
                    Section section(mutex_);
                    tell_quiet(section);
                }
                call_contained("ready of a worker pool",
                               [&] { options_.ready(worker->user_state, options_.ctx); });
            }
            worker->busy.store(1, std::memory_order_relaxed);
            Entry entry;
            if (!take_handed(worker, &entry)) {
                if (streak_is_due() && run_streak(worker))
                    break;
                if (!next(worker, &entry)) {
                    if (search(worker))
                        continue;
                    break;
                }
            }
            run(worker, entry);
            ready = options_.ready == nullptr;
            if (worker->in_handoff) {
                worker->in_handoff = false;
                leave_handoff();
            }
            if (too_many())
                break;
        }
        pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, nullptr);
    } while (sleep(worker));
}

POOL_HOT bool Workers::next(Worker *worker, Entry *entry) {
    TaskQueue::Popped popped;
    Task *task = nullptr;
    if (paused_.load(std::memory_order_relaxed) == 0 && worker->deque != nullptr)
        task = worker->deque->pop();
    if (task == nullptr && in_streak())
        return false; // of another
    if (task == nullptr && !queue_.pop_fast(entry) && !queue_.pop(entry, &popped)) {
        if (paused_.load(std::memory_order_relaxed) == 0)
            task = steal(worker);
        if (task == nullptr)
            return false;
    }
    worker->from_queue = task == nullptr;
    if (task != nullptr)
        *entry = entry_of(task);
    else
        worker->in_handoff = handoff();
    if (worker->searching) {
        end_search(worker);
        if (look_again())
            call_worker(); // pass the baton
    }
    worker->waited_since = popped.since;
    if (popped.room_wanted)
        call_submitter();
    return true;
}

// ---- the end --------------------------------------------------------------------------------

// The last thing that a worker does. One that a task ends leaves others behind: it has itself
// replaced, and if it was the last, waits until the system grants it a successor.
void Workers::depart(Worker *worker) {
    if (worker->has_state)
        call_contained("state_free of a worker pool", [&] {
            if (options_.state_free != nullptr)
                options_.state_free(worker->user_state, options_.ctx);
        });
    call_hook(options_.on_thread_exit, "on_thread_exit of a worker pool");
    if (worker->in_handoff)
        leave_handoff();
    if (worker->in_streak)
        end_streak(worker);
    else
        break_streak();
    if (options_.state_new != nullptr && !worker->has_state)
        nap(10000000); // its successor would fare no better at once
    Section section(mutex_);
    if (worker->searching)
        end_search(worker);
    if (worker->counted) {
        worker->counted = false;
        threads_.fetch_sub(1, std::memory_order_seq_cst);
    }
    if (worker->replace)
        replaced_++;
    bool more = look_again() && paused_.load(std::memory_order_relaxed) == 0;
    while (more) {
        section.unlock();
        call_worker();
        section.lock();
        more = threads_.load(std::memory_order_seq_cst) == 0 && has_work();
        if (more) {
            section.unlock();
            nap(10000000);
            section.lock();
        }
    }
    for (int32_t state = 0; state <= POOL_WORKERS_DROPPED; state++) {
        past_ends_[state] += worker->ends[state].read();
        worker->ends[state].clear();
    }
    past_stolen_ += worker->stolen.read();
    worker->stolen.clear();
    while (worker->spare_group_count != 0)
        store_->groups.give_back(worker->spare_groups[--worker->spare_group_count]);
    groups_.fetch_add(worker->groups.read(), std::memory_order_relaxed);
    worker->groups.clear();
    if (worker->deque != nullptr)
        worker->deque->owned = false; // it is empty: for the next worker
    worker->busy.store(0, std::memory_order_seq_cst);
    worker->ended = true;
    tell_quiet(section);
}

} // namespace pool
