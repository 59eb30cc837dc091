// Tasks with a handle: how they start and end, and are waited for and asked about.
//
// SPDX-License-Identifier: Apache-2.0
//
// Of a HandleTask's word the worker that runs it and any number of cancellers are in competition; see
// task.h. Whoever moves it to a final state has written `end` before, and wakes those who sleep on it.
#include "workers/workers.h"

#include "platform/clock.h"
#include "platform/lock.h"
#include "platform/status.h"
#include "sync/callback.h"
#include "sync/futex.h"
#include "workers/group.h"

#include <cstdio>
#include <cstring>
#include <new>

namespace pool {
namespace {

const char *dropped_text(pool_status status) {
    switch (status) {
    case POOL_ECLOSED:
        return "the pool was stopped before the task started";
    case POOL_EFULL:
        return "the task was dropped, as the queue was full";
    case POOL_ETIMEDOUT:
        return "the task did not start in time";
    default:
        return "the task was cancelled";
    }
}

} // namespace

// ---- starting -------------------------------------------------------------------------------

// With out == nullptr nobody has a handle. A silent one is dropped without a word, since its submitter
// hears of it.
pool_status Workers::start_task(const Entry &what, const pool_workers_task_options &options,
                                const Manner &manner, bool silent, HandleTask **out) {
    void *place = store_->handles.take();
    if (place == nullptr)
        return fail(POOL_ENOMEM, "no memory for a task of pool '%s'", name_);
    auto *task = new (place) HandleTask;
    task->what = what;
    task->group = nullptr;
    task->next = nullptr;
    task->result = nullptr;
    task->word.store(POOL_WORKERS_QUEUED, std::memory_order_relaxed);
    task->kind = TaskKind::kHandle;
    task->refs.store(out != nullptr ? 2 : 1, std::memory_order_relaxed);
    task->forks = fork_generation();
    task->store = store_;
    task->pool = this;
    task->name = options.name;
    task->start_by = options.start_within == 0 ? INT64_MAX : deadline_after(options.start_within);
    task->silent = silent;
    task->key = options.key;
    task->lane = TaskQueue::lane_of(options.priority);
    task->submitted_at = clock_now();
    task->weight = options.weight;
    task->loaded.store(false, std::memory_order_relaxed);
    task->runner.store(nullptr, std::memory_order_relaxed);
    store_->ref();
    const pool_status status = task->key != 0 || task->weight != 0
                                   ? submit_weighed(task, manner)
                                   : submit(task->lane, entry_of(task), manner);
    if (status != POOL_OK) {
        task->refs.store(1, std::memory_order_relaxed);
        release(task);
        return status;
    }
    if (out != nullptr)
        *out = task;
    return POOL_OK;
}

void Workers::release(HandleTask *task) {
    if (task->refs.fetch_sub(1, std::memory_order_acq_rel) != 1)
        return;
    TaskStore *store = task->store;
    task->~HandleTask();
    store->handles.give_back(task);
    store->unref();
}

// The caller has claimed a task whose entry it does not have: what takes room is the task.
void Workers::leave_entry(Task *task) {
    if (task->settle())
        queue_.owe(-1);
}

// An entry was taken out whose task somebody has claimed before.
void Workers::entry_was_dead(Task *task) {
    if (!task->settle())
        queue_.owe(1);
}

// ---- ending ---------------------------------------------------------------------------------

// To its final state. The caller has claimed it and written task->end.
void Workers::end_handle(HandleTask *task) {
    uint32_t word = task->word.load(std::memory_order_acquire);
    for (;;) {
        if ((word & kInterrupting) != 0) {
            // A canceller is inside `interrupt`, with the state of this worker in its hands.
            uint32_t slept = word | kWaitedFor;
            if (task->word.compare_exchange_weak(word, slept, std::memory_order_acq_rel))
                futex_wait(task->word, slept, POOL_FOREVER);
            word = task->word.load(std::memory_order_acquire);
            continue;
        }
        const uint32_t ended =
            (word & ~(kStateMask | kWaitedFor)) | static_cast<uint32_t>(task->end.state);
        if (task->word.compare_exchange_weak(word, ended, std::memory_order_acq_rel,
                                             std::memory_order_acquire))
            break;
    }
    if ((word & kWaitedFor) != 0)
        futex_wake_all(&task->word);
}

// One that the caller has claimed, and that never runs.
void Workers::end_unrun(HandleTask *task, pool_workers_state state, pool_status status) {
    task->end.state = state;
    task->end.status = status;
    snprintf(task->end.message, sizeof task->end.message, "%s", dropped_text(status));
    if (!task->silent)
        task->pool->tell_dropped(task->what.arg, status); // before those who wait may free it
    end_handle(task);
}

bool Workers::claim_handle(HandleTask *task, uint32_t *word, uint32_t mark) {
    *word = task->word.load(std::memory_order_acquire);
    while ((*word & kStateMask) == POOL_WORKERS_QUEUED)
        if (task->word.compare_exchange_weak(*word,
                                             (*word & ~kStateMask) | POOL_WORKERS_RUNNING | mark,
                                             std::memory_order_acq_rel, std::memory_order_acquire))
            return true;
    return false;
}

void Workers::run_handle(Worker *worker, HandleTask *task) {
    struct Release {
        ~Release() { Workers::release(task); }
        HandleTask *task;
    } end_of_queue{task};
    unload(task);
    const bool stopped = stop_drops_.load(std::memory_order_relaxed);
    const bool late = task->start_by != INT64_MAX && clock_now() >= task->start_by;
    // Who hears that it has started finds it among those that run.
    if (worker != nullptr && !stopped && !late)
        worker->since.store(Worker::kTaken, std::memory_order_release);
    uint32_t word;
    if (!claim_handle(task, &word, stopped || late ? kUnrun : 0)) {
        if (worker != nullptr)
            worker->since.store(0, std::memory_order_relaxed);
        entry_was_dead(task); // cancelled, or run by one who waited
    } else if (stopped) {
        end_unrun(task, POOL_WORKERS_DROPPED, POOL_ECLOSED);
        Section section(mutex_);
        discarded_++;
    } else if (late) {
        count(worker, POOL_WORKERS_DROPPED);
        end_unrun(task, POOL_WORKERS_DROPPED, POOL_ETIMEDOUT);
    } else {
        run_claimed_handle(worker, task);
    }
}

// However it ends, those who wait hear of it.
void Workers::run_claimed_handle(Worker *worker, HandleTask *task) {
    task->runner.store(worker, std::memory_order_seq_cst);
    const uint32_t word = task->word.load(std::memory_order_seq_cst);
    if ((word & kWaitedFor) != 0)
        futex_wake_all(&task->word); // one who waits for it to start
    if ((word & kCancelFlag) != 0 && options_.interrupt != nullptr && worker != nullptr)
        call_contained("interrupt of a worker pool",
                       [&] { options_.interrupt(worker->user_state, options_.ctx); });
    struct End {
        ~End() {
            task->end = frame->end;
            pool->end_handle(task);
        }
        Workers *pool;
        HandleTask *task;
        Frame *frame;
    };
    if (worker != nullptr)
        worker->waited_since = task->submitted_at;
    Frame frame(this, worker, task, nullptr, task->what.arg, task->name);
    End end{this, task, &frame};
    run_in(&frame, task->what);
}

// ---- waiting --------------------------------------------------------------------------------

// Until the word says what `done` asks for. False: the deadline has passed.
template <class Done>
bool Workers::wait_for(HandleTask *task, int64_t deadline, Done done) {
    uint32_t word = task->word.load(std::memory_order_acquire);
    for (;;) {
        if (done(word) || is_foreign(task))
            return true;
        if (deadline != POOL_FOREVER && clock_now() >= deadline)
            return false;
        if ((word & kWaitedFor) == 0 &&
            !task->word.compare_exchange_weak(word, word | kWaitedFor, std::memory_order_acq_rel,
                                              std::memory_order_acquire))
            continue;
        futex_wait(task->word, word | kWaitedFor, deadline);
        word = task->word.load(std::memory_order_acquire);
    }
}

pool_status Workers::outcome(HandleTask *task) {
    if (is_foreign(task))
        return fail(POOL_EFORKED, "the task belongs to the parent process");
    const TaskEnd &end = task->end;
    if (end.status == POOL_OK)
        return POOL_OK;
    return fail(end.status == POOL_ETIMEDOUT ? POOL_ECANCELED : end.status, "%s",
                end.message[0] != '\0'     ? end.message
                : end.status == POOL_ETASK ? "the task failed"
                                           : dropped_text(end.status));
}

// Does the worker that runs this task wait, itself or through others, for the calling one?
bool Workers::waits_in_a_circle(const HandleTask *task, const Worker *self) {
    while (task != nullptr) {
        const Worker *runner = task->runner.load(std::memory_order_acquire);
        if (runner == nullptr)
            return false;
        if (runner == self)
            return true;
        task = runner->waits_for.load(std::memory_order_acquire);
    }
    return false;
}

pool_status Workers::wait(HandleTask *task, int64_t deadline) {
    Worker *self = this_worker();
    if (self == nullptr || is_final(task->word.load(std::memory_order_acquire))) {
        if (!wait_for(task, deadline, is_final))
            return fail(POOL_ETIMEDOUT, "the task has not ended");
        return outcome(task);
    }
    self->pool->pause_streak(self);
    // On a worker of its pool, run it here, or nobody might.
    uint32_t word;
    if (self->pool == task->pool && !is_foreign(task) && task->start_by != INT64_MAX &&
        clock_now() >= task->start_by && claim_handle(task, &word, kUnrun)) {
        Workers *pool = self->pool;
        pool->leave_entry(
            task); // first: a task may be missing from a count, but not be there twice
        pool->count(self, POOL_WORKERS_DROPPED);
        end_unrun(task, POOL_WORKERS_DROPPED, POOL_ETIMEDOUT);
        return outcome(task);
    }
    if (self->pool == task->pool && task->key != 0 && task->state() == POOL_WORKERS_QUEUED)
        return fail(POOL_EDEADLK, "the task waits behind others of its key");
    if (self->pool == task->pool && task->key == 0 && !is_foreign(task) &&
        (task->start_by == INT64_MAX || clock_now() < task->start_by) &&
        claim_handle(task, &word)) {
        self->pool->leave_entry(task);
        self->pool->run_claimed_handle(self, task);
        return outcome(task);
    }
    {
        // One at a time, so that of two that close a circle the second one sees it.
        static SpinLock circles;
        SpinLock::Guard guard(circles);
        self->waits_for.store(task, std::memory_order_release);
        if (waits_in_a_circle(task, self)) {
            self->waits_for.store(nullptr, std::memory_order_release);
            return fail(POOL_EDEADLK, "the task waits for the calling one");
        }
    }
    const bool ended = wait_for(task, deadline, is_final);
    self->waits_for.store(nullptr, std::memory_order_release);
    return ended ? outcome(task) : fail(POOL_ETIMEDOUT, "the task has not ended");
}

pool_status Workers::wait_started(HandleTask *task, int64_t deadline) {
    auto has_started = [](uint32_t word) {
        return is_final(word) ||
               ((word & kStateMask) == POOL_WORKERS_RUNNING && (word & kUnrun) == 0);
    };
    if (!wait_for(task, deadline, has_started)) {
        pool_workers_cancel answer = cancel_queued(task, POOL_ETIMEDOUT);
        if (answer == POOL_WORKERS_REMOVED)
            return fail(POOL_ETIMEDOUT, "the task has not started");
        wait_for(task, POOL_FOREVER, has_started); // it begins just now, or is being dropped
    }
    const bool never_ran = (task->word.load(std::memory_order_acquire) & kUnrun) != 0;
    return never_ran || is_foreign(task) ? outcome(task) : POOL_OK;
}

// Neither before its start nor after its deadline does the task outlive the call, unless it runs.
pool_status Workers::run_and_wait(const Entry &what, int64_t timeout, void **result) {
    const int64_t deadline = deadline_after(timeout);
    HandleTask *task;
    if (pool_status status = start_task(what, {}, {timeout, false}, true, &task))
        return status;
    pool_status status = wait(task, deadline);
    if (status == POOL_ETIMEDOUT) {
        if (result != nullptr)
            cancel(task); // and interrupt
        else
            cancel_queued(task, POOL_ETIMEDOUT);
    }
    if (status == POOL_OK && result != nullptr)
        *result = task->end.result;
    release(task);
    return status;
}

namespace {

// A worker that is lent to a caller: it does nothing until the caller has done its task.
struct Loan {
    static void lend(void *arg) {
        auto *loan = static_cast<Loan *>(arg);
        uint32_t asked = kAsked;
        if (loan->state.compare_exchange_strong(asked, kLent, std::memory_order_acq_rel)) {
            futex_wake_all(&loan->state);
            while (loan->state.load(std::memory_order_acquire) == kLent)
                futex_wait(loan->state, kLent, POOL_FOREVER);
        }
        if (loan->failed)
            Frame::current()->end.state = POOL_WORKERS_FAILED;
    }
    // Until the worker is inside its part, and counts as running.
    void wait_until_lent() {
        while (state.load(std::memory_order_acquire) == kAsked)
            futex_wait(state, kAsked, POOL_FOREVER);
    }
    void give_back() {
        state.store(kReturned, std::memory_order_release);
        futex_wake_all(&state);
    }

    static constexpr uint32_t kAsked = 0;
    static constexpr uint32_t kLent = 1;
    static constexpr uint32_t kReturned = 2;
    std::atomic<uint32_t> state{kAsked};
    bool failed = false;
};

} // namespace

bool Workers::is_loan(const Entry &entry) {
    return entry.run == Loan::lend;
}

bool Workers::has_free_worker() {
    Section section(mutex_);
    const uint32_t most = max_workers_.load(std::memory_order_relaxed);
    const uint32_t threads = threads_.load(std::memory_order_relaxed);
    return queue_.used() + running() < (threads > most ? threads : most);
}

pool_status Workers::run_here(const Entry &what, int64_t timeout) {
    TaskEnd end;
    if (on_own_worker()) {
        call(&end, what, nullptr);
        return end.state != POOL_WORKERS_FAILED
                   ? POOL_OK
                   : fail(POOL_ETASK, "pool '%s': %s", name_, end.message);
    }
    // Without waiting: if a worker is free now, or may be started, it comes as soon as it can.
    if (timeout == 0) {
        if (!has_free_worker())
            return refuse(POOL_ETIMEDOUT, "no worker is free and the timeout is 0");
        timeout = POOL_FOREVER;
    }
    const int64_t deadline = deadline_after(timeout);
    Loan loan;
    HandleTask *task;
    if (pool_status status = start_task({Loan::lend, &loan}, {}, {timeout, false}, true, &task))
        return status;
    pool_status status = wait_started(task, deadline);
    if (status == POOL_OK) {
        loan.wait_until_lent();
        {
            struct Return {
                ~Return() { loan->give_back(); }
                Loan *loan;
            } at_end{&loan};
            loan.failed = true; // unless it returns
            call(&end, what, nullptr);
            loan.failed = end.state == POOL_WORKERS_FAILED;
        }
        wait_for(task, POOL_FOREVER, is_final); // the loan is on this stack
        if (end.state == POOL_WORKERS_FAILED) {
            if (options_.on_failed != nullptr)
                call_contained("on_failed of a worker pool", [&] {
                    options_.on_failed(what.arg, end.code, end.message, options_.ctx);
                });
            status = fail(POOL_ETASK, "pool '%s': %s", name_, end.message);
        }
    }
    release(task);
    return status;
}

// ---- asking ---------------------------------------------------------------------------------

void Workers::get_info(HandleTask *task, pool_workers_task_info *info) {
    const uint32_t word = task->word.load(std::memory_order_acquire);
    info->cancelled = (word & kCancelFlag) != 0;
    if (is_foreign(task)) {
        info->state = POOL_WORKERS_DROPPED;
        info->status = POOL_EFORKED;
        return;
    }
    info->state = static_cast<pool_workers_state>(word & kStateMask);
    if (!is_final(word) && (word & kUnrun) != 0)
        info->state = POOL_WORKERS_QUEUED;
    if (!is_final(word))
        return;
    info->status = task->end.status == POOL_ETIMEDOUT ? POOL_ECANCELED : task->end.status;
    info->code = task->end.code;
    info->result = task->end.result;
    memcpy(info->message, task->end.message, sizeof info->message);
}

// ---- tasks that never run -------------------------------------------------------------------

// False: it had been cancelled, or run by one who waited, and only its entry was left.
bool Workers::drop_task(Task *task, pool_status status) {
    bool live;
    if (task->kind == TaskKind::kHandle) {
        auto *handle = static_cast<HandleTask *>(task);
        uint32_t word;
        unload(handle);
        live = claim_handle(handle, &word, kUnrun);
        if (live) {
            end_unrun(handle, POOL_WORKERS_DROPPED, status);
        } else {
            entry_was_dead(handle);
        }
        release(handle);
        return live;
    }
    live = claim(task);
    if (live) {
        TaskEnd end;
        end.state = POOL_WORKERS_DROPPED;
        end.status = status;
        tell_dropped(task->what.arg, status);
        task->group->note(task->result, end);
        task->group->remove();
    } else {
        entry_was_dead(task);
    }
    let_go(task);
    return live;
}

} // namespace pool
