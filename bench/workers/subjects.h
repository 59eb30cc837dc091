// The subjects of the worker pool's benchmark: the pool and its C++ peer, each behind the same
// static submit() and wait() on a handle. Peers that are libraries of their own have theirs in
// onetbb.cpp, taskflow.cpp and bs.cpp.
//
// SPDX-License-Identifier: Apache-2.0
//
// A subject is made new for every measurement. submit() gets its task as a constant, so that peers
// which take any callable can have it inlined into theirs; for the pool it compiles to nothing but
// the call of the function in its shared library. wait() returns when all tasks have run. Threads
// that submit or wait do so inside enter(), for peers that need to know them.
#pragma once

#include "peers.h"

#include <pool/pool.h>

namespace bench {

constexpr unsigned kWorkers = 2;

using Task = void(void *);

// What all pools have: workers that exist from the start and stay, and a queue without a bound.
inline pool_workers_options worker_options() {
    pool_workers_options options = POOL_WORKERS_OPTIONS_INIT;
    options.min_workers = kWorkers;
    options.max_workers = kWorkers;
    options.queue_capacity = POOL_WORKERS_UNBOUNDED;
    return options;
}

// A pool that ends with its scope.
class WorkerPool {
public:
    explicit WorkerPool(const pool_workers_options &options) {
        if (pool_workers_create(&options, &pool_) != POOL_OK)
            problem_ = pool_last_error();
    }
    ~WorkerPool() { pool_workers_destroy(pool_); }
    WorkerPool(const WorkerPool &) = delete;
    WorkerPool &operator=(const WorkerPool &) = delete;

    const char *problem() const { return problem_; }
    pool_workers *get() const { return pool_; }

private:
    pool_workers *pool_ = nullptr;
    const char *problem_ = nullptr;
};

template <pool_cpu_mode kMode>
class PoolSubject {
public:
    using Handle = pool_workers *;

    PoolSubject() : pool_(options()) {}

    const char *problem() const {
        if (kMode == POOL_CPU_FALLBACK && pool_config_cpu_mode() != POOL_CPU_RSEQ)
            return "the other pool rows are in fallback mode already";
        return pool_.problem();
    }
    Handle handle() const { return pool_.get(); }
    template <Task *task>
    static void submit(Handle pool, void *arg) {
        pool_workers_submit(pool, task, arg);
    }
    static void wait(Handle pool) { pool_workers_wait_idle(pool, POOL_FOREVER); }
    template <class Work>
    static void enter(Handle, const Work &work) {
        work();
    }

private:
    static pool_workers_options options() {
        pool_workers_options options = worker_options();
        options.cpu_mode = kMode;
        return options;
    }

    WorkerPool pool_;
};

using Pool = PoolSubject<POOL_CPU_AUTO>;
using PoolFallback = PoolSubject<POOL_CPU_FALLBACK>;

class MutexCondvar {
public:
    using Handle = peers_crew *;

    MutexCondvar() : peer_(peers_crew_create(kWorkers)) {}
    ~MutexCondvar() { peers_crew_destroy(peer_); }
    MutexCondvar(const MutexCondvar &) = delete;
    MutexCondvar &operator=(const MutexCondvar &) = delete;

    static const char *problem() { return nullptr; }
    Handle handle() const { return peer_; }
    template <Task *task>
    static void submit(Handle peer, void *arg) {
        peers_crew_submit(peer, task, arg);
    }
    static void wait(Handle peer) { peers_crew_wait(peer); }
    template <class Work>
    static void enter(Handle, const Work &work) {
        work();
    }

private:
    peers_crew *peer_;
};

} // namespace bench
