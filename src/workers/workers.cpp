// The side of submitters and of those who stop or wait.
//
// SPDX-License-Identifier: Apache-2.0
#include "workers/workers.h"

#include "platform/status.h"
#include "sync/callback.h"

#include <cinttypes>
#include <cstdio>
#include <new>

namespace pool {

Workers::Workers(const pool_workers_options &options)
    : max_workers_(options.max_workers), min_workers_(options.min_workers),
      capacity_(options.queue_capacity), stack_size_(options.stack_size),
      on_thread_start_(options.on_thread_start), on_thread_exit_(options.on_thread_exit),
      ctx_(options.ctx), ctx_free_(options.ctx_free),
      custom_allocator_(options.allocator != nullptr),
      allocator_(custom_allocator_ ? *options.allocator : pool_allocator{}),
      memory_(options.allocator) {
    snprintf(name_, sizeof name_, "%s", options.name);
}

pool_status Workers::init() {
    fork_.in_child = in_child;
    fork_.pool = this;
    pool_status status = watch_fork(&fork_);
    watching_forks_ = status == POOL_OK;
    for (uint32_t i = 0; i < min_workers_ && status == POOL_OK; i++)
        status = start(Start::kMinimum);
    if (status == POOL_OK) {
        entry_.area = Area::kWorkers;
        entry_.name = name_;
        entry_.pool = this;
        entry_.read = read_stats;
        register_pool(&entry_);
    }
    return status;
}

// ---- submitting -----------------------------------------------------------------------------

pool_status Workers::submit(pool_workers_task_fn run, void *arg, int64_t timeout) {
    const bool may_exceed = on_own_worker();
    const int64_t deadline = timeout > 0 ? deadline_after(timeout) : POOL_FOREVER;
    Section section(mutex_);
    Task *task = nullptr;
    for (;;) {
        pool_status status = POOL_OK;
        if (stopping_)
            status = refuse(POOL_ECLOSED, "the pool is stopped");
        else if (!may_exceed && !has_room() && timeout == 0)
            status = refuse(POOL_EFULL, "the queue is full");
        if (status != POOL_OK) {
            if (task != nullptr)
                free_.push_front(task);
            return status;
        }
        if (threads_ == 0) {
            section.unlock();
            status = start(Start::kFirst);
            section.lock();
            if (status == POOL_OK)
                continue;
            if (task != nullptr)
                free_.push_front(task);
            return status;
        }
        if (task == nullptr)
            task = free_.pop_front();
        if (task != nullptr)
            break;
        section.unlock();
        task = memory_.make<Task>();
        if (task == nullptr)
            return fail(POOL_ENOMEM, "no memory for a task of pool '%s'", name_);
        section.lock();
        add_made(task);
    }
    task->run = run;
    task->arg = arg;
    if (!may_exceed && !has_room())
        return wait_for_room(section, task, deadline);
    bool more = accept(section, task);
    section.unlock();
    if (more)
        start_more();
    return POOL_OK;
}

// Queue the task and see to it that somebody comes for it. True if that takes a new thread.
bool Workers::accept(Section &section, Task *task) {
    queue_.push_back(task);
    waiting_++;
    submitted_++;
    return summon(section);
}

// One task more waits, or one worker less is about to look for it: wake another if there are not
// enough. True if one should be started instead.
bool Workers::summon(Section &section) {
    if (waiting_ <= spare())
        return false;
    Worker::IdleLink *idle = idle_.pop_front();
    if (idle == nullptr)
        return threads_ < max_workers_;
    idle_count_--;
    section.wake(idle->worker->event);
    return false;
}

pool_status Workers::wait_for_room(Section &section, Task *task, int64_t deadline) {
    RoomWaiter waiter(deadline);
    waiter.task = task;
    Outcome outcome = room_.wait(section, waiter);
    if (outcome == Outcome::kServed) {
        section.unlock();
        if (waiter.start)
            start_more();
        return POOL_OK;
    }
    free_.push_front(task);
    if (outcome == Outcome::kExpired)
        return refuse(POOL_ETIMEDOUT, "the queue stayed full");
    return refuse(POOL_ECLOSED, "the pool was stopped while the caller waited for room");
}

pool_status Workers::refuse(pool_status status, const char *why) {
    rejected_++;
    return fail(status, "pool '%s': %s", name_, why);
}

// ---- stopping and waiting -------------------------------------------------------------------

void Workers::begin_stop(Section &section, pool_workers_stop_mode mode) {
    if (stopping_)
        return;
    stopping_ = true;
    if (mode == POOL_WORKERS_DISCARD) {
        discarded_ += waiting_;
        waiting_ = 0;
        while (Task *task = queue_.pop_front())
            free_.push_front(task);
    }
    while (RoomWaiter *waiter = room_.first())
        room_.finish(section, waiter, Outcome::kCancelled);
    while (Worker::IdleLink *idle = idle_.pop_front())
        section.wake(idle->worker->event);
    idle_count_ = 0;
    tell_quiet(section);
}

void Workers::tell_quiet(Section &section) {
    if (!quiet())
        return;
    while (Waiter *waiter = quiet_.first())
        quiet_.finish(section, waiter, Outcome::kServed);
}

pool_status Workers::wait_quiet(Section &section, int64_t deadline, const char *what) {
    if (quiet())
        return POOL_OK;
    Waiter waiter(deadline);
    if (quiet_.wait(section, waiter) == Outcome::kServed)
        return POOL_OK;
    return fail(POOL_ETIMEDOUT, "pool '%s': %s: %" PRIu64 " tasks run and %" PRIu64 " wait", name_,
                what, running_, waiting_);
}

pool_status Workers::stop(pool_workers_stop_mode mode, int64_t timeout,
                          pool_workers_report *report) {
    const int64_t deadline = deadline_after(timeout);
    Section section(mutex_);
    begin_stop(section, mode);
    pool_status status = wait_quiet(section, deadline, "not yet stopped");
    if (report != nullptr) {
        report->ran = succeeded_ + failed_;
        report->discarded = discarded_;
        report->running = running_ + waiting_;
    }
    return status;
}

pool_status Workers::wait_idle(int64_t timeout) {
    const int64_t deadline = deadline_after(timeout);
    Section section(mutex_);
    return wait_quiet(section, deadline, "not yet idle");
}

pool_workers_stats Workers::stats() {
    pool_workers_stats stats = {};
    stats.size = sizeof stats;
    stats.max_workers = max_workers_;
    stats.queue_capacity = capacity_;
    Section section(mutex_);
    stats.submitted = submitted_;
    stats.succeeded = succeeded_;
    stats.failed = failed_;
    stats.discarded = discarded_;
    stats.rejected = rejected_;
    stats.waiting = waiting_;
    stats.running = running_;
    stats.workers = threads_;
    stats.idle = threads_ - running_;
    stats.blocked_submitters = room_.size();
    return stats;
}

void Workers::read_stats(void *pool, void *stats) {
    *static_cast<pool_workers_stats *>(stats) = static_cast<Workers *>(pool)->stats();
}

// ---- the end --------------------------------------------------------------------------------

void Workers::end() {
    unregister_pool(&entry_);
    {
        Section section(mutex_);
        begin_stop(section, POOL_WORKERS_DISCARD);
    }
    // A worker may start another until it is joined itself, so one look at the list is not enough.
    for (;;) {
        List<Worker> one;
        {
            Section section(mutex_);
            Worker *worker = threads_list_.pop_front();
            if (worker == nullptr)
                break;
            one.push_back(worker);
        }
        join(&one);
    }
    if (watching_forks_)
        unwatch_fork(&fork_);
    for (Task *before, *task = made_.load(std::memory_order_relaxed); task != nullptr;
         task = before) {
        before = task->made_before;
        memory_.destroy(task);
    }
    if (ctx_free_ != nullptr)
        call_contained("ctx_free of a worker pool", [this] { ctx_free_(ctx_); });
}

// The release orders the link before the head, for a child that a fork makes in between.
void Workers::add_made(Task *task) {
    task->made_before = made_.load(std::memory_order_relaxed);
    made_.store(task, std::memory_order_release);
}

// ---- fork -----------------------------------------------------------------------------------

void Workers::in_child(ForkWatcher *watcher) {
    static_cast<Fork *>(watcher)->pool->repair_in_child();
}

// The threads are gone, and with them what they ran and who waited; their records are abandoned.
// The thread that forked may be a worker of this pool inside a task: it goes on as the only worker.
void Workers::repair_in_child() {
    new (&mutex_) std::mutex;
    new (&start_mutex_) std::mutex;
    new (&queue_) List<Task>;
    new (&free_) List<Task>;
    new (&threads_list_) List<Worker>;
    new (&idle_) List<Worker::IdleLink>;
    room_.forget_all();
    quiet_.forget_all();
    for (Task *task = made_.load(std::memory_order_relaxed); task != nullptr;
         task = task->made_before)
        free_.push_front(task);
    threads_ = 0;
    running_ = 0;
    Worker *self = own_worker();
    if (self != nullptr && !self->ended) {
        self->thread = pthread_self(); // whoever started it may not have come to that
        self->counted = true;
        threads_list_.push_back(self);
        threads_ = 1;
        running_ = self->busy ? 1 : 0;
    }
    idle_count_ = 0;
    waiting_ = 0;
    discarded_ = submitted_ - succeeded_ - failed_ - running_;
}

} // namespace pool
