// Running one task, whatever it does.
//
// SPDX-License-Identifier: Apache-2.0
#include "workers/workers.h"

#include "platform/clock.h"
#include "platform/config.h"
#include "sync/callback.h"
#include "workers/frame.h"
#include "workers/group.h"
#include "workers/handle_task.h"

#include <cstdio>
#include <exception>

namespace pool {
namespace {

// What a task throws ends the process, as in a thread of its own.
POOL_CATCHES_FORCED_UNWIND void call_throwing(const Entry &entry) {
    try {
        entry.run(entry.arg);
    } catch (abi::__forced_unwind &) {
        throw;
    } catch (...) {
        std::terminate();
    }
}

} // namespace

// What `end` says of a call that has returned, or thrown. A task that ends its thread passes through.
POOL_HOT POOL_CATCHES_FORCED_UNWIND void Workers::call(TaskEnd *end, const Entry &entry,
                                                       void *state) {
    try {
        if (entry.run == is_payload)
            end->result = options_.process(entry.arg, state, options_.ctx);
        else if ((options_.flags & POOL_WORKERS_LET_THROW) != 0)
            call_throwing(entry);
        else
            entry.run(entry.arg);
        return;
    } catch (abi::__forced_unwind &) {
        throw;
    } catch (...) {
        say_what(end);
    }
}

// In a handler: the task has failed with the exception that is being handled.
void Workers::say_what(TaskEnd *end) {
    try {
        throw;
    } catch (const std::exception &exception) {
        snprintf(end->message, sizeof end->message, "%s", exception.what());
    } catch (...) {
        snprintf(end->message, sizeof end->message, "the task threw what is no std::exception");
    }
    end->state = POOL_WORKERS_FAILED;
}

// Call what a frame is for, and count how it ended. The thread may end here.
POOL_HOT POOL_CATCHES_FORCED_UNWIND void Workers::run_in(Frame *frame, const Entry &entry) {
    TaskEnd *end = &frame->end;
    if (parent_ != nullptr && frame->worker != nullptr)
        in_tasks_.fetch_add(1, std::memory_order_relaxed);
    const Times times = begin_times(frame);
    if (options_.on_task_begin != nullptr && !is_loan(entry))
        observe(options_.on_task_begin, frame, entry.arg);
    try {
        call(end, entry, frame->worker != nullptr ? frame->worker->user_state : nullptr);
    } catch (abi::__forced_unwind &) {
        end->state = POOL_WORKERS_FAILED;
        snprintf(end->message, sizeof end->message, "the task ended its thread");
        end_times(frame, times);
        finish(frame, entry);
        throw;
    }
    end_times(frame, times);
    finish(frame, entry);
}

// The times of some tasks are measured.
POOL_HOT Workers::Times Workers::begin_times(const Frame *frame) {
    Worker *worker = frame->worker;
    if (worker == nullptr || (worker->waited_since == 0 && ++worker->unmeasured < kMeasured))
        return {};
    const Times times = {worker->waited_since, clock_now()};
    worker->unmeasured = 0;
    worker->waited_since = 0;
    return times;
}

// Both are noted only now, lest the task begin later for it.
POOL_HOT void Workers::end_times(const Frame *frame, const Times &times) {
    if (times.begun == 0)
        return;
    const int64_t run_time = clock_now() - times.begun;
    if (times.submitted != 0)
        waits_.add(times.begun - times.submitted);
    runs_.add(run_time);
    if (frame->outer == nullptr && frame->worker->from_queue)
        vote_for_streak(run_time);
}

// It no longer runs before it has ended, lest statistics count it twice.
POOL_HOT void Workers::finish(Frame *frame, const Entry &entry) {
    TaskEnd *end = &frame->end;
    void *arg = entry.arg;
    const bool loan = is_loan(entry);
    if (options_.on_task_end != nullptr && !loan)
        observe(options_.on_task_end, frame, arg);
    if (frame->worker != nullptr)
        frame->worker->since.store(frame->outer_since, std::memory_order_release);
    if (parent_ != nullptr && frame->worker != nullptr)
        in_tasks_.fetch_sub(1, std::memory_order_relaxed);
    if (end->state == POOL_WORKERS_QUEUED) {
        end->state = frame->saw_cancel ? POOL_WORKERS_CANCELLED : POOL_WORKERS_SUCCEEDED;
        end->status = frame->saw_cancel ? POOL_ECANCELED : POOL_OK;
        count(frame->worker, end->state);
        if (frame->saw_cancel)
            count(frame->worker, POOL_WORKERS_RUNNING); // cancelled, but it ran
        return;
    }
    end->status = POOL_ETASK;
    count(frame->worker, end->state);
    if (options_.on_failed != nullptr && !loan)
        call_contained("on_failed of a worker pool",
                       [&] { options_.on_failed(arg, end->code, end->message, options_.ctx); });
    else if (!is_heard(frame))
        log_line(3, "pool '%s': a task failed with code %d: %s", name_, end->code, end->message);
}

// Will anybody be told how the task ended?
bool Workers::is_heard(const Frame *frame) {
    const HandleTask *task = frame->task;
    return frame->group != nullptr ||
           (task != nullptr && task->refs.load(std::memory_order_relaxed) != 1);
}

POOL_HOT void Workers::count(Worker *worker, pool_workers_state state) {
    if (worker == nullptr || parent_ != nullptr)
        beside_ends_[state].fetch_add(1, std::memory_order_relaxed);
    if (worker != nullptr)
        worker->ends[state].add(1); // of a subpool's task, in its parent's statistics
}

void Workers::observe(pool_workers_observer_fn observer, const Frame *frame, void *arg) {
    const char *name = "";
    if (frame->worker != nullptr)
        if (const char *own = frame->worker->name.load(std::memory_order_relaxed))
            name = own;
    call_contained("an observer of a worker pool", [&] { observer(name, arg, options_.ctx); });
}

// The worker is nullptr on the thread of a submitter that finds the queue full.
POOL_HOT void Workers::run(Worker *worker, const Entry &entry) {
    if (entry.run == is_task) {
        run_task(worker, static_cast<Task *>(entry.arg));
    } else if (entry.run == is_subpool) {
        static_cast<Workers *>(entry.arg)->run_one(worker);
    } else if (entry.run == is_key) {
        run_key(worker, static_cast<KeyLine *>(entry.arg));
    } else if (entry.run == is_nothing) {
        queue_.owe(1);
    } else {
        Frame frame(this, worker, nullptr, nullptr, entry.arg, nullptr);
        run_in(&frame, entry);
    }
}

void Workers::run_task(Worker *worker, Task *task) {
    switch (task->kind) {
    case TaskKind::kHandle:
        run_handle(worker, static_cast<HandleTask *>(task));
        break;
    case TaskKind::kGroup:
        if (claim(task)) {
            run_claimed(worker, task);
        } else {
            entry_was_dead(task); // one who waited has run it
            let_go(task);
        }
        break;
    case TaskKind::kNode:
        // When the task begins the node's memory is the caller's again.
        run_group_task(worker, task->what, task->group, task->result);
        break;
    }
}

} // namespace pool
