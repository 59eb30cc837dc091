// The C functions of pool/workers.h: arguments are checked here, the work is done in src/workers.
//
// SPDX-License-Identifier: Apache-2.0
#include "pool/workers.h"

#include "platform/cpu.h"
#include "platform/options.h"
#include "sync/callback.h"
#include "workers/workers.h"

#include <new>

struct pool_workers {
    explicit pool_workers(const pool_workers_options &options) : core(options) {}
    pool::Workers core;
};

namespace {

using pool::fail;

constexpr size_t kFirstOptionsSize = 88;
static_assert(sizeof(pool_workers_options) == kFirstOptionsSize);
constexpr uint32_t kMostWorkers = 65536;
constexpr uint64_t kDefaultCapacity = 65536;

pool_status check_timeout(int64_t timeout) {
    if (timeout < 0 && timeout != POOL_FOREVER)
        return fail(POOL_EINVAL, "timeout is %lld; negative is only POOL_FOREVER",
                    static_cast<long long>(timeout));
    return POOL_OK;
}

// Check the options and fill in the defaults.
pool_status resolve(pool_workers_options *options) {
    if (options->flags != 0)
        return fail(POOL_EINVAL, "options.flags has unknown bits 0x%x", options->flags);
    if (pool_status status = pool::Memory::check(options->allocator))
        return status;
    pool_cpu_mode mode;
    if (pool_status status = pool::resolve_cpu_mode(options->cpu_mode, &mode))
        return status;
    if (options->max_workers > kMostWorkers)
        return fail(POOL_EINVAL, "options.max_workers is %u; the most is %u", options->max_workers,
                    kMostWorkers);
    if (options->max_workers == 0)
        options->max_workers = pool::usable_cpus();
    if (options->min_workers > options->max_workers)
        return fail(POOL_EINVAL, "options.min_workers is %u, above max_workers, %u",
                    options->min_workers, options->max_workers);
    if (options->queue_capacity == 0)
        options->queue_capacity = kDefaultCapacity;
    if (options->name == nullptr)
        options->name = "pool";
    return POOL_OK;
}

void destroy(pool_workers *pool) {
    pool->core.end();
    pool::Memory memory(pool->core.allocator());
    pool->~pool_workers();
    memory.free(pool, sizeof(pool_workers), alignof(pool_workers));
}

pool_status submit(pool_workers *pool, pool_workers_task_fn task, void *arg, int64_t timeout) {
    if (pool == nullptr || task == nullptr)
        return fail(POOL_EINVAL, "the %s is NULL", pool == nullptr ? "pool" : "task");
    if (pool_status status = check_timeout(timeout))
        return status;
    return pool->core.submit(task, arg, timeout);
}

} // namespace

pool_status pool_workers_options_init(pool_workers_options *options, size_t size) {
    return pool::init_options(options, size, "pool_workers_options");
}

pool_status pool_workers_create(const pool_workers_options *given, pool_workers **out) {
    if (out != nullptr)
        *out = nullptr;
    pool_workers_options options;
    pool_status status =
        pool::read_options(given, &options, kFirstOptionsSize, "pool_workers_options");
    if (status == POOL_EINVAL)
        return status; // not to be trusted in anything
    if (status == POOL_ENOTSUP) {
        options.ctx = given->ctx;
        options.ctx_free = given->ctx_free;
    }
    if (status == POOL_OK && out == nullptr)
        status = fail(POOL_EINVAL, "out is NULL");
    if (status == POOL_OK)
        status = resolve(&options);
    void *memory = nullptr;
    if (status == POOL_OK) {
        memory = pool::Memory(options.allocator).alloc(sizeof(pool_workers), alignof(pool_workers));
        if (memory == nullptr)
            status = fail(POOL_ENOMEM, "no memory for worker pool '%s'", options.name);
    }
    if (status != POOL_OK) {
        if (options.ctx_free != nullptr)
            pool::call_contained("ctx_free of a worker pool",
                                 [&options] { options.ctx_free(options.ctx); });
        return status;
    }
    pool_workers *pool = new (memory) pool_workers(options);
    status = pool->core.init();
    if (status != POOL_OK) {
        destroy(pool);
        return status;
    }
    *out = pool;
    return POOL_OK;
}

pool_status pool_workers_submit(pool_workers *pool, pool_workers_task_fn task, void *arg) {
    return submit(pool, task, arg, POOL_FOREVER);
}

pool_status pool_workers_try_submit(pool_workers *pool, pool_workers_task_fn task, void *arg) {
    return submit(pool, task, arg, 0);
}

pool_status pool_workers_submit_timed(pool_workers *pool, pool_workers_task_fn task, void *arg,
                                      int64_t timeout) {
    pool_status status = submit(pool, task, arg, timeout);
    return status == POOL_EFULL ? fail(POOL_ETIMEDOUT, "the queue is full and the timeout is 0")
                                : status;
}

pool_status pool_workers_stop(pool_workers *pool, pool_workers_stop_mode mode, int64_t timeout,
                              pool_workers_report *report) {
    if (pool == nullptr)
        return fail(POOL_EINVAL, "the pool is NULL");
    if (mode != POOL_WORKERS_DRAIN && mode != POOL_WORKERS_DISCARD)
        return fail(POOL_EINVAL, "mode %d is neither POOL_WORKERS_DRAIN nor POOL_WORKERS_DISCARD",
                    mode);
    if (pool_status status = check_timeout(timeout))
        return status;
    if (pool->core.on_own_worker())
        return fail(POOL_EDEADLK, "pool_workers_stop() was called from a task of the same pool");
    pool_workers_report full = {};
    if (report != nullptr)
        if (pool_status status = pool::write_stats(full, report, "report"))
            return status;
    pool_status status = pool->core.stop(mode, timeout, &full);
    if (report != nullptr)
        pool::write_stats(full, report, "report");
    return status;
}

pool_status pool_workers_wait_idle(pool_workers *pool, int64_t timeout) {
    if (pool == nullptr)
        return fail(POOL_EINVAL, "the pool is NULL");
    if (pool_status status = check_timeout(timeout))
        return status;
    if (pool->core.on_own_worker())
        return fail(POOL_EDEADLK,
                    "pool_workers_wait_idle() was called from a task of the same pool");
    return pool->core.wait_idle(timeout);
}

pool_status pool_workers_get_stats(pool_workers *pool, pool_workers_stats *stats) {
    if (pool == nullptr)
        return fail(POOL_EINVAL, "the pool is NULL");
    return pool::write_stats(pool->core.stats(), stats, "stats");
}

pool_status pool_workers_destroy(pool_workers *pool) {
    if (pool == nullptr)
        return POOL_OK;
    if (pool->core.on_own_worker())
        return fail(POOL_EDEADLK, "pool_workers_destroy() was called from a task of the same pool");
    destroy(pool);
    return POOL_OK;
}
