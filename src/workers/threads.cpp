// The side of the threads: how they start, what they do, how they end.
//
// SPDX-License-Identifier: Apache-2.0
#include "workers/workers.h"

#include "platform/last_error_kept.h"
#include "platform/status.h"
#include "platform/thread.h"
#include "sync/callback.h"

#include <cinttypes>
#include <cstdio>
#include <ctime>

namespace pool {
namespace {

// The worker that this thread is; until the thread's very end, since hooks run there.
thread_local Worker *current_worker = nullptr;

} // namespace

Worker *Workers::own_worker() const {
    return current_worker != nullptr && current_worker->pool == this ? current_worker : nullptr;
}

// ---- starting -------------------------------------------------------------------------------

bool Workers::start_wanted(Start why) const {
    switch (why) {
    case Start::kMinimum:
        return threads_ < min_workers_;
    case Start::kFirst:
        return threads_ == 0 && !stopping_;
    case Start::kMore:
        return threads_ < max_workers_ && waiting_ > threads_ - running_;
    }
    return false;
}

// Start a thread, unless another caller has made that needless meanwhile.
pool_status Workers::start(Start why) {
    Worker *worker = memory_.make<Worker>(this);
    if (worker == nullptr)
        return fail(POOL_ENOMEM, "no memory for a worker of pool '%s'", name_);
    worker->idle.worker = worker;

    List<Worker> ended;
    pool_status status = POOL_OK;
    {
        std::lock_guard<std::mutex> starting(start_mutex_);
        bool wanted;
        uint64_t number = 0;
        {
            Section section(mutex_);
            wanted = start_wanted(why);
            if (wanted)
                number = ++started_;
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
            snprintf(name, sizeof name, "%s-%" PRIu64, name_, number);
            status = start_thread({name, stack_size_, run_worker, worker}, &worker->thread);
            if (status == POOL_OK) {
                Section section(mutex_);
                threads_list_.push_back(worker);
                arrive(worker);
                worker = nullptr;
            }
        }
    }
    if (worker != nullptr)
        memory_.destroy(worker);
    join(&ended);
    return status;
}

// For a task that has been accepted: should this fail, the threads there are will run it.
void Workers::start_more() {
    LastErrorKept kept;
    start(Start::kMore);
}

// By the new thread or by the one that made it, whichever comes first.
void Workers::arrive(Worker *worker) {
    if (worker->counted)
        return;
    worker->counted = true;
    threads_++;
}

void Workers::join(List<Worker> *workers) {
    while (Worker *worker = workers->pop_front()) {
        pthread_join(worker->thread, nullptr);
        memory_.destroy(worker);
    }
}

// ---- running --------------------------------------------------------------------------------

POOL_CATCHES_FORCED_UNWIND void Workers::run_worker(void *arg) {
    Worker *worker = static_cast<Worker *>(arg);
    Workers *pool = worker->pool;
    CancellationOff off; // but while a task runs
    current_worker = worker;
    {
        Section section(pool->mutex_);
        pool->arrive(worker);
    }
    try {
        pool->call_hook(pool->on_thread_start_, "on_thread_start of a worker pool");
        pool->work(worker);
    } catch (abi::__forced_unwind &) {
        pool->depart(worker);
        throw;
    }
    pool->depart(worker);
}

void Workers::call_hook(pool_thread_fn hook, const char *what) {
    if (hook != nullptr)
        call_contained(what, [this, hook] { hook(ctx_); });
}

void Workers::work(Worker *worker) {
    Section section(mutex_);
    for (;;) {
        if (Task *first = queue_.pop_front()) {
            Task task = *first;
            free_.push_front(first);
            waiting_--;
            running_++;
            worker->busy = true;
            admit(section);
            section.unlock();
            bool succeeded = run_task(worker, task);
            section.lock();
            finish_task(section, worker, succeeded);
        } else if (stopping_) {
            return;
        } else {
            worker->event.clear();
            idle_.push_front(&worker->idle);
            idle_count_++;
            section.unlock();
            worker->event.wait(POOL_FOREVER); // whoever sets it takes it off the list
            section.lock();
        }
    }
}

// There is room: let in the submitters that wait for it.
void Workers::admit(Section &section) {
    if (room_.empty())
        return;
    int64_t now = clock_now();
    while (waiting_ < capacity_) {
        RoomWaiter *waiter = room_.first_live(section, now);
        if (waiter == nullptr)
            return;
        waiter->start = accept(section, waiter->task);
        room_.finish(section, waiter, Outcome::kServed);
    }
}

POOL_CATCHES_FORCED_UNWIND bool Workers::run_task(Worker *worker, Task task) {
    pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, nullptr);
    bool succeeded = false;
    try {
        task.run(task.arg);
        succeeded = true;
    } catch (abi::__forced_unwind &) {
        // The task ends its thread. The thread counts it, and goes.
        pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, nullptr);
        Section section(mutex_);
        finish_task(section, worker, false);
        throw;
    } catch (...) {
        // Counted as failed.
    }
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, nullptr);
    return succeeded;
}

void Workers::finish_task(Section &section, Worker *worker, bool succeeded) {
    worker->busy = false;
    running_--;
    (succeeded ? succeeded_ : failed_)++;
    tell_quiet(section);
}

// The last thing that a worker does. One that ends before the pool stops leaves tasks behind: it
// has itself replaced, and if it was the last, waits until the system grants it a successor.
void Workers::depart(Worker *worker) {
    call_hook(on_thread_exit_, "on_thread_exit of a worker pool");
    Section section(mutex_);
    threads_--;
    bool more = summon(section);
    while (more) {
        section.unlock();
        start_more();
        section.lock();
        more = threads_ == 0 && waiting_ > 0;
        if (more) {
            section.unlock();
            timespec pause = {0, 10000000};
            nanosleep(&pause, nullptr);
            section.lock();
        }
    }
    worker->ended = true;
}

} // namespace pool
