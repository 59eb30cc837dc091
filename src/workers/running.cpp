// Running one task, whatever it does.
//
// SPDX-License-Identifier: Apache-2.0
#include "workers/workers.h"

#include "platform/clock.h"
#include "sync/callback.h"

#include <cstdio>
#include <exception>

namespace pool {
namespace {

// What a task throws ends the process, with what() in the message, as in a thread of its own.
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

// True if it returned. A task that ends its thread passes through as that.
POOL_CATCHES_FORCED_UNWIND bool Workers::call(TaskEnd *end, const Entry &entry, void *state) {
    try {
        if (entry.run == is_payload)
            end->result = options_.process(entry.arg, state, options_.ctx);
        else if ((options_.flags & POOL_WORKERS_LET_THROW) != 0)
            call_throwing(entry);
        else
            entry.run(entry.arg);
        return true;
    } catch (abi::__forced_unwind &) {
        throw;
    } catch (const std::exception &exception) {
        snprintf(end->message, sizeof end->message, "%s", exception.what());
    } catch (...) {
        snprintf(end->message, sizeof end->message, "the task threw what is no std::exception");
    }
    return false;
}

POOL_CATCHES_FORCED_UNWIND void Workers::run(Worker *worker, const Entry &entry) {
    if (entry.run == is_nothing)
        return;
    worker->arg.store(entry.arg, std::memory_order_relaxed);
    worker->since.store(clock_now_coarse(), std::memory_order_release);
    bool good = false;
    try {
        good = call(&worker->end, entry, worker->user_state);
    } catch (abi::__forced_unwind &) {
        // The task ends its thread. The thread counts it, and goes.
        worker->since.store(0, std::memory_order_relaxed);
        worker->failed.add(1);
        snprintf(worker->end.message, sizeof worker->end.message, "the task ended its thread");
        tell_failed(worker->end, entry.arg);
        throw;
    }
    worker->since.store(0, std::memory_order_relaxed);
    if (good) {
        worker->succeeded.add(1);
    } else {
        worker->failed.add(1);
        tell_failed(worker->end, entry.arg);
    }
}

// On the thread of a submitter that finds the queue full.
void Workers::run_beside(const Entry &entry) {
    beside_.fetch_add(1, std::memory_order_relaxed);
    TaskEnd end;
    if (call(&end, entry, nullptr)) {
        beside_succeeded_.fetch_add(1, std::memory_order_relaxed);
    } else {
        beside_failed_.fetch_add(1, std::memory_order_relaxed);
        tell_failed(end, entry.arg);
    }
}

void Workers::tell_failed(const TaskEnd &end, void *arg) {
    if (options_.on_failed != nullptr)
        call_contained("on_failed of a worker pool",
                       [&] { options_.on_failed(arg, end.code, end.message, options_.ctx); });
}

} // namespace pool
