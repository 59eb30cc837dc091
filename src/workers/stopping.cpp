// Stopping, pausing, waiting until nothing runs, and the end.
//
// SPDX-License-Identifier: Apache-2.0
//
// Nothing runs if at one moment every worker had found no task and none was in the queue. The flags
// of the workers are read one after the other; it was one moment if meanwhile nothing was popped or
// stolen, since a worker sets its flag before. (A worker whose deque has tasks keeps its flag set.)
#include "workers/workers.h"

#include "platform/status.h"
#include "sync/callback.h"

#include <cerrno>
#include <cinttypes>
#include <sys/eventfd.h>
#include <unistd.h>

namespace pool {

// ---- is it quiet? ---------------------------------------------------------------------------

bool Workers::nothing_runs() {
    if (parent_ != nullptr)
        return running_.load(std::memory_order_seq_cst) == 0;
    for (;;) {
        const uint64_t popped = queue_.popped();
        const uint64_t steals = steals_.load(std::memory_order_seq_cst);
        for (Worker *worker = threads_list_.front(); worker != nullptr;
             worker = threads_list_.next(worker))
            if (worker->handed.load(std::memory_order_acquire) != nullptr ||
                worker->busy.load(std::memory_order_seq_cst) != 0)
                return false;
        if (queue_.popped() == popped && steals_.load(std::memory_order_seq_cst) == steals)
            return true;
    }
}

bool Workers::quiet() {
    if (parent_ != nullptr)
        return queue_.waiting() == 0 && active_.load(std::memory_order_seq_cst) == 0 &&
               queue_.waiting() == 0;
    const uint64_t pushed = queue_.pushed();
    return queue_.popped() == pushed && nothing_runs() && queue_.popped() == pushed;
}

// Once that is so it stays so, though a worker may still look for a task that cannot be there.
bool Workers::stop_is_over() {
    stop_over_ = stop_over_ || (stop_begun_ && quiet());
    return stop_over_;
}

// A worker has found no task: those who wait may have what they wait for.
void Workers::tell_quiet(Section &section) {
    if (stop_fd_ >= 0 && stop_is_over())
        tell_stop_fd();
    if (quiet_.empty() || !nothing_runs())
        return;
    while (Waiter *waiter = quiet_.first())
        quiet_.finish(section, waiter, Outcome::kServed); // each looks for itself
}

template <class Condition>
pool_status Workers::wait_until(Section &section, int64_t deadline, Condition condition,
                                const char *what) {
    watched_.fetch_add(1, std::memory_order_seq_cst);
    pool_status status = POOL_OK;
    while (!condition()) {
        Waiter waiter(deadline);
        if (quiet_.wait(section, waiter) == Outcome::kExpired) {
            if (!condition()) {
                const pool_workers_stats now = read();
                status = fail(POOL_ETIMEDOUT,
                              "pool '%s': %s: %" PRIu64 " tasks run and %" PRIu64 " wait", name_,
                              what, now.running, now.waiting);
            }
            break;
        }
    }
    watched_.fetch_sub(1, std::memory_order_seq_cst);
    return status;
}

pool_status Workers::wait_idle(int64_t timeout) {
    const int64_t deadline = deadline_after(timeout);
    Section section(mutex_);
    return wait_until(
        section, deadline, [this] { return quiet(); }, "not yet idle");
}

// ---- pausing --------------------------------------------------------------------------------

pool_status Workers::pause(int64_t timeout) {
    const int64_t deadline = deadline_after(timeout);
    Section section(mutex_);
    if (stopping_.load(std::memory_order_relaxed))
        return fail(POOL_ECLOSED, "pool '%s' is stopped", name_);
    paused_.fetch_add(1, std::memory_order_seq_cst);
    queue_.hold(true);
    return wait_until(
        section, deadline,
        [this] { return paused_.load(std::memory_order_relaxed) == 0 || nothing_runs(); },
        "not yet paused");
}

pool_status Workers::resume() {
    {
        Section section(mutex_);
        if (stopping_.load(std::memory_order_relaxed))
            return fail(POOL_ECLOSED, "pool '%s' is stopped", name_);
        if (paused_.load(std::memory_order_relaxed) == 0)
            return fail(POOL_EINVAL, "pool '%s' is not paused", name_);
        if (paused_.load(std::memory_order_relaxed) == 1)
            queue_.hold(false);
        if (paused_.fetch_sub(1, std::memory_order_seq_cst) != 1)
            return POOL_OK;
    }
    if (has_work())
        call_workers();
    return POOL_OK;
}

// ---- stopping -------------------------------------------------------------------------------

// Under start_mutex_ nobody starts a thread, so that the ones there are see the stop.
void Workers::begin_stop(pool_workers_stop_mode mode) {
    bool drops = false;
    {
        Section section(mutex_);
        if (stopping_.load(std::memory_order_relaxed))
            return;
        stopping_.store(true, std::memory_order_seq_cst);
        stop_drops_.store(mode != POOL_WORKERS_DRAIN, std::memory_order_seq_cst);
        stop_cancels_.store(mode == POOL_WORKERS_CANCEL, std::memory_order_seq_cst);
        queue_.close(true);
        drops = mode != POOL_WORKERS_DRAIN;
        while (RoomWaiter *waiter = room_.first())
            room_.finish(section, waiter, Outcome::kCancelled);
        if (!drops) {
            stop_begun_ = true;
            queue_.hold(false);
            paused_.store(0, std::memory_order_seq_cst);
            wake_all_idle(section);
        }
    }
    break_streak();
    if (!drops) {
        if (has_work())
            call_workers(); // a pause may have sent the last one away
        return;
    }
    Entry entry;
    while (queue_.pop_oldest_of_lowest(&entry)) {
        const bool live = drop(entry, POOL_ECLOSED);
        if (handoff())
            leave_handoff();
        Section section(mutex_);
        discarded_ += live;
    }
    Section section(mutex_);
    stop_begun_ = true;
    queue_.hold(false);
    paused_.store(0, std::memory_order_seq_cst);
    wake_all_idle(section);
    tell_quiet(section);
}

pool_status Workers::stop(pool_workers_stop_mode mode, int64_t timeout,
                          pool_workers_report *report) {
    const int64_t deadline = deadline_after(timeout);
    begin_stop(mode);
    Section section(mutex_);
    const uint64_t restarts = restarts_;
    pool_status status = wait_until(
        section, deadline, [&] { return restarts_ != restarts || stop_is_over(); },
        "not yet stopped");
    if (report != nullptr) {
        const pool_workers_stats now = read();
        report->waiting = now.waiting;
        report->running = now.running + now.waiting;
        report->discarded = now.discarded;
        report->ran = now.succeeded + now.failed + ended(POOL_WORKERS_RUNNING);
    }
    return status;
}

// The descriptor counts as one who waits, so that workers which find no task come by.
pool_status Workers::stop_async(pool_workers_stop_mode mode, int *fd) {
    begin_stop(mode);
    Section section(mutex_);
    if (stop_fd_ < 0) {
        stop_fd_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (stop_fd_ < 0)
            return fail(POOL_EIO, "pool '%s': no descriptor to wait for its stop: errno %d", name_,
                        errno);
        watched_.fetch_add(1, std::memory_order_seq_cst);
        if (stop_is_over())
            tell_stop_fd();
    }
    *fd = stop_fd_;
    return POOL_OK;
}

void Workers::tell_stop_fd() {
    CancellationOff off;
    if (stopping_.load(std::memory_order_relaxed))
        eventfd_write(stop_fd_, 1);
}

void Workers::close_stop_fd() {
    if (stop_fd_ < 0)
        return;
    ::close(stop_fd_);
    stop_fd_ = -1;
    watched_.fetch_sub(1, std::memory_order_seq_cst);
}

pool_status Workers::restart() {
    {
        Section section(mutex_);
        if (!stop_is_over())
            return fail(POOL_EAGAIN, "pool '%s' is not stopped", name_);
    }
    // The threads of before look at the stop once more before they end.
    join_all();
    {
        Section section(mutex_);
        close_stop_fd();
        stop_begun_ = stop_over_ = false;
        restarts_++;
        stopping_.store(false, std::memory_order_seq_cst);
        stop_drops_.store(false, std::memory_order_seq_cst);
        stop_cancels_.store(false, std::memory_order_seq_cst);
        queue_.close(false);
    }
    return parent_ == nullptr ? start_minimum() : POOL_OK;
}

// ---- the end --------------------------------------------------------------------------------

// A worker may start another until it is joined itself, so one look at the list is not enough.
void Workers::join_all() {
    for (;;) {
        List<Worker> one;
        {
            // Whoever has started the thread is done with its record.
            std::lock_guard<std::mutex> starting(start_mutex_);
            Section section(mutex_);
            Worker *worker = threads_list_.pop_front();
            if (worker == nullptr)
                return;
            one.push_back(worker);
        }
        join(&one);
    }
}

// What lies in the parent's queue is taken back, and what runs is waited for.
void Workers::leave_parent() {
    const Entry token = {is_subpool, this};
    while (parent_->queue_.take_back(token)) {
        parent_->queue_.owe(-1);
        active_.fetch_sub(1, std::memory_order_seq_cst);
    }
    Section section(mutex_);
    wait_until(
        section, POOL_FOREVER, [this] { return active_.load(std::memory_order_seq_cst) == 0; }, "");
}

void Workers::end() {
    unregister_pool(&entry_);
    watch_stuck(0, nullptr, nullptr);
    begin_stop(POOL_WORKERS_DISCARD);
    if (joined_parent_) {
        leave_parent();
        parent_->subpools_.fetch_sub(1, std::memory_order_relaxed);
    }
    join_all();
    close_stop_fd();
    if (watching_forks_)
        unwatch_fork(&fork_);
    while (WorkDeque *deque = deques_.load(std::memory_order_relaxed)) {
        deques_.store(deque->next, std::memory_order_relaxed);
        memory_.destroy(deque);
    }
    free_keys();
    if (store_ != nullptr)
        store_->unref();
    if (cpus_ != nullptr)
        memory_.free(cpus_, options_.cpu_count * sizeof(uint32_t), alignof(uint32_t));
    if (options_.ctx_free != nullptr)
        call_contained("ctx_free of a worker pool", [this] { options_.ctx_free(options_.ctx); });
}

} // namespace pool
