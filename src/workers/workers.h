// Workers: a bounded queue of tasks and the threads that run them.
//
// SPDX-License-Identifier: Apache-2.0
//
// One mutex guards everything. A submitter appends a task. If fewer threads are awake without a
// task than tasks wait, it wakes the most recently idle worker; only if there is none and the bound
// allows it, it starts a thread. A worker that has finished a task takes the next one itself, so a
// busy pool needs no wake-up at all.
//
// Invariants, whenever mutex_ is free:
//   - submitted = succeeded + failed + discarded + waiting + running
//   - waiting > 0 implies threads > 0: a task is accepted only when a thread exists that will look
//     at the queue before it sleeps or ends. A thread that a task ends (pthread_exit, cancellation)
//     has itself replaced before it goes; only until then the last one may leave tasks behind.
//   - A worker is idle (asleep, in idle_), busy (running) or spare (awake, about to look at the
//     queue): threads = idle + running + spare. No worker sleeps while waiting > spare.
//   - A live submitter stands in room_ only while waiting >= queue_capacity: who takes a task out
//     moves the oldest live submitter's task in, so nobody overtakes one that waits.
//   - A Task is in queue_, in free_, or in the hands of a submitter. Every one that was ever made
//     is in the chain of made_, which only grows.
//
// No callback, allocation or system call that waits happens under mutex_. start_mutex_ serializes
// the starting of threads; mutex_ may be taken under it, never the reverse.
//
// A fork may catch another thread anywhere, so the child trusts nothing here but single words and
// made_: it starts with empty lists.
#pragma once

#include "platform/fork.h"
#include "platform/memory.h"
#include "platform/registry.h"
#include "pool/workers.h"
#include "sync/waiters.h"

#include <atomic>
#include <mutex>
#include <pthread.h>

namespace pool {

struct Task : ListLink {
    pool_workers_task_fn run = nullptr;
    void *arg = nullptr;
    Task *made_before = nullptr;
};

class Workers;

struct Worker : ListLink {
    explicit Worker(Workers *owner) : pool(owner) {}

    // A second way of being listed: among the idle ones.
    struct IdleLink : ListLink {
        Worker *worker = nullptr;
    };

    Workers *const pool;
    pthread_t thread{};   // set before it is listed in threads_list_
    bool counted = false; // in threads_
    bool busy = false;    // runs a task
    bool ended = false;   // will not touch the pool again: may be joined
    IdleLink idle;
    Event event; // what it sleeps on when idle
};

class Workers {
public:
    // The options with every default filled in.
    explicit Workers(const pool_workers_options &options);
    Workers(const Workers &) = delete;
    Workers &operator=(const Workers &) = delete;

    // Before anything else. After a failure call end() all the same.
    pool_status init();

    pool_status submit(pool_workers_task_fn run, void *arg, int64_t timeout);
    pool_status stop(pool_workers_stop_mode mode, int64_t timeout, pool_workers_report *report);
    pool_status wait_idle(int64_t timeout);
    pool_workers_stats stats();
    const char *name() const { return name_; }

    // Stop, join every thread, free everything, call ctx_free. Only the object itself is left.
    void end();

    // Is this thread one of this pool's?
    bool on_own_worker() const { return own_worker() != nullptr; }

    const pool_allocator *allocator() const { return custom_allocator_ ? &allocator_ : nullptr; }

private:
    struct RoomWaiter : Waiter {
        using Waiter::Waiter;
        Task *task = nullptr;
        bool start = false; // its submitter should start a thread
    };
    enum class Start { kMinimum, kFirst, kMore };

    // workers.cpp
    bool accept(Section &section, Task *task);
    bool summon(Section &section);
    uint64_t spare() const { return threads_ - running_ - idle_count_; }
    bool has_room() const { return waiting_ < capacity_; }
    pool_status refuse(pool_status status, const char *why);
    pool_status wait_for_room(Section &section, Task *task, int64_t deadline);
    void begin_stop(Section &section, pool_workers_stop_mode mode);
    bool quiet() const { return waiting_ == 0 && running_ == 0; }
    void tell_quiet(Section &section);
    pool_status wait_quiet(Section &section, int64_t deadline, const char *what);
    void add_made(Task *task);
    static void read_stats(void *pool, void *stats);
    static void in_child(ForkWatcher *watcher);
    void repair_in_child();

    // threads.cpp
    Worker *own_worker() const;
    pool_status start(Start why);
    void start_more();
    bool start_wanted(Start why) const;
    void arrive(Worker *worker);
    static void run_worker(void *worker);
    void work(Worker *worker);
    bool run_task(Worker *worker, Task task);
    void finish_task(Section &section, Worker *worker, bool succeeded);
    void admit(Section &section);
    void depart(Worker *worker);
    void join(List<Worker> *workers);
    void call_hook(pool_thread_fn hook, const char *what);

    // Never change after the constructor.
    char name_[64];
    const uint32_t max_workers_;
    const uint32_t min_workers_;
    const uint64_t capacity_;
    const uint64_t stack_size_;
    const pool_thread_fn on_thread_start_;
    const pool_thread_fn on_thread_exit_;
    void *const ctx_;
    void (*const ctx_free_)(void *ctx);
    const bool custom_allocator_;
    const pool_allocator allocator_;
    Memory memory_;

    std::mutex start_mutex_;

    std::mutex mutex_; // guards everything below
    bool stopping_ = false;
    List<Task> queue_;                  // accepted, oldest first: waiting_ of them
    List<Task> free_;                   // as many as were ever needed at once
    std::atomic<Task *> made_{nullptr}; // the newest of all tasks
    List<Worker> threads_list_;         // to be joined
    List<Worker::IdleLink> idle_;       // asleep, most recently idle first: idle_count_
    WaiterQueue<RoomWaiter> room_;      // submitters that wait for room
    WaiterQueue<Waiter> quiet_;         // callers of stop and wait_idle
    uint64_t threads_ = 0;              // that exist and have not ended
    uint64_t started_ = 0;              // for the threads' names
    uint64_t idle_count_ = 0;
    uint64_t waiting_ = 0;
    uint64_t running_ = 0;
    uint64_t submitted_ = 0;
    uint64_t succeeded_ = 0;
    uint64_t failed_ = 0;
    uint64_t discarded_ = 0;
    uint64_t rejected_ = 0;

    struct Fork : ForkWatcher {
        Workers *pool = nullptr;
    } fork_;
    bool watching_forks_ = false;
    RegistryEntry entry_;
};

} // namespace pool
