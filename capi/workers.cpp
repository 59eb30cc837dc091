// The C functions of pool/workers.h: arguments are checked here, the work is done in src/workers.
//
// SPDX-License-Identifier: Apache-2.0
#include "pool/workers.h"

#include "pool/worker_sets.h"

#include "capi_workers.h"
#include "platform/cpu.h"
#include "platform/lock.h"
#include "sync/callback.h"

#include <cstddef>
#include <new>

namespace {

using pool::fail;

constexpr size_t kFirstOptionsSize = sizeof(pool_workers_options);
constexpr uint32_t kMostWorkers = 65536;
constexpr uint32_t kMostCpus = 65536;
constexpr uint64_t kDefaultCapacity = 65536;
constexpr int64_t kDefaultIdleTimeout = 60000000000;
constexpr uint32_t kFlags = POOL_WORKERS_ONE_CPU_EACH | POOL_WORKERS_LET_THROW;

pool_status check_bounds(uint32_t min, uint32_t *max, const char *where) {
    if (*max == POOL_WORKERS_UNLIMITED)
        *max = kMostWorkers;
    if (*max > kMostWorkers)
        return fail(POOL_EINVAL, "%smax_workers is %u; the most is %u", where, *max, kMostWorkers);
    if (min > *max)
        return fail(POOL_EINVAL, "%smin_workers is %u, above max_workers, %u", where, min, *max);
    return POOL_OK;
}

pool_status check_cpus(const pool_workers_options &options) {
    if (options.cpu_count > kMostCpus)
        return fail(POOL_EINVAL, "options.cpu_count is %u; the most is %u", options.cpu_count,
                    kMostCpus);
    if (options.cpu_count != 0 && options.cpus == nullptr)
        return fail(POOL_EINVAL, "options.cpus is NULL, but cpu_count is %u", options.cpu_count);
    if (options.cpu_count == 0 && (options.flags & POOL_WORKERS_ONE_CPU_EACH) != 0)
        return fail(POOL_EINVAL, "POOL_WORKERS_ONE_CPU_EACH needs options.cpus");
    for (uint32_t i = 0; i < options.cpu_count; i++)
        if (options.cpus[i] >= kMostCpus)
            return fail(POOL_EINVAL, "options.cpus[%u] is %u", i, options.cpus[i]);
    return POOL_OK;
}

pool_status check_range(int32_t value, int32_t most, const char *name) {
    if (value < 0 || value > most)
        return fail(POOL_EINVAL, "options.%s is %d, not from 0 to %d", name, value, most);
    return POOL_OK;
}

// Check the options and fill in the defaults.
pool_status resolve(pool_workers_options *options) {
    if ((options->flags & ~kFlags) != 0)
        return fail(POOL_EINVAL, "options.flags has unknown bits 0x%x", options->flags & ~kFlags);
    if (pool_status status = pool::Memory::check(options->allocator))
        return status;
    pool_cpu_mode mode;
    if (pool_status status = pool::resolve_cpu_mode(options->cpu_mode, &mode))
        return status;
    options->cpu_mode = mode;
    if (options->max_workers == 0)
        options->max_workers = pool::usable_cpus();
    if (pool_status status = check_bounds(options->min_workers, &options->max_workers, "options."))
        return status;
    if (pool_status status = check_cpus(*options))
        return status;
    if (pool_status status = check_range(options->full, POOL_WORKERS_DROP_OLDEST, "full"))
        return status;
    if (pool_status status = check_range(options->reap, POOL_WORKERS_REAP_ONE, "reap"))
        return status;
    if (pool_status status = check_range(options->idle_order, POOL_WORKERS_FIFO, "idle_order"))
        return status;
    if (options->idle_timeout < POOL_WORKERS_AT_ONCE)
        return fail(POOL_EINVAL, "options.idle_timeout is %lld",
                    static_cast<long long>(options->idle_timeout));
    if (options->state_new == nullptr && options->state_free != nullptr)
        return fail(POOL_EINVAL, "options.state_free needs state_new");
    if (options->idle_timeout == 0)
        options->idle_timeout = kDefaultIdleTimeout;
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

__attribute__((noinline)) pool_status submit_slowly(pool_workers *pool, pool_workers_task_fn task,
                                                    void *arg) {
    if (pool == nullptr || task == nullptr)
        return check_task(pool, task);
    return pool->core.submit({task, arg}, {});
}

pool_status check_mode(pool_workers_stop_mode mode) {
    if (mode < POOL_WORKERS_DRAIN || mode > POOL_WORKERS_CANCEL)
        return fail(POOL_EINVAL, "mode %d is none of POOL_WORKERS_DRAIN, _DISCARD and _CANCEL",
                    mode);
    return POOL_OK;
}

// What a subpool cannot have, and what it has instead.
pool_status resolve_sub(const pool_workers *parent, pool_workers_options *options) {
    if (parent->core.is_subpool_of_another())
        return fail(POOL_EINVAL, "a subpool cannot have subpools");
    if (parent->core.is_stopped())
        return fail(POOL_ECLOSED, "the pool is stopped");
    const char *given = options->min_workers != 0                         ? "min_workers"
                        : options->stack_size != 0                        ? "stack_size"
                        : options->on_thread_start != nullptr             ? "on_thread_start"
                        : options->on_thread_exit != nullptr              ? "on_thread_exit"
                        : options->idle_timeout != 0                      ? "idle_timeout"
                        : options->idle_order != 0                        ? "idle_order"
                        : options->reap != 0                              ? "reap"
                        : options->spawn_rate != 0                        ? "spawn_rate"
                        : options->cpu_count != 0                         ? "cpu_count"
                        : options->state_new != nullptr                   ? "state_new"
                        : options->ready != nullptr                       ? "ready"
                        : options->queue_capacity == POOL_WORKERS_HANDOFF ? "queue_capacity"
                                                                          : nullptr;
    if (given != nullptr)
        return fail(POOL_EINVAL, "options.%s is not for a subpool", given);
    const uint32_t most = parent->core.max_workers();
    if (options->max_workers == 0)
        options->max_workers = most;
    if (options->max_workers > most)
        return fail(POOL_EINVAL, "options.max_workers is %u; the pool has %u", options->max_workers,
                    most);
    return POOL_OK;
}

pool_status create(pool_workers *parent, const pool_workers_options *given, pool_workers **out) {
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
    if (status == POOL_OK && parent != nullptr)
        status = resolve_sub(parent, &options);
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
    pool_workers *pool =
        new (memory) pool_workers(options, parent != nullptr ? &parent->core : nullptr);
    status = pool->core.init();
    if (status != POOL_OK) {
        destroy(pool);
        return status;
    }
    *out = pool;
    return POOL_OK;
}

} // namespace

pool_status pool_workers_options_init(pool_workers_options *options, size_t size) {
    return pool::init_options(options, size, "pool_workers_options");
}

pool_status pool_workers_create(const pool_workers_options *options, pool_workers **out) {
    return create(nullptr, options, out);
}

pool_status pool_workers_create_sub(pool_workers *parent, const pool_workers_options *options,
                                    pool_workers **out) {
    if (parent == nullptr) {
        if (out != nullptr)
            *out = nullptr;
        return no_pool();
    }
    return create(parent, options, out);
}

POOL_HOT pool_status pool_workers_submit(pool_workers *pool, pool_workers_task_fn task, void *arg) {
    if (__builtin_expect(pool != nullptr && task != nullptr && pool->core.submit_fast(task, arg),
                         1))
        return POOL_OK;
    return submit_slowly(pool, task, arg);
}

pool_status pool_workers_try_submit(pool_workers *pool, pool_workers_task_fn task, void *arg) {
    if (pool_status status = check_task(pool, task))
        return status;
    return pool->core.submit({task, arg}, {0, true});
}

pool_status pool_workers_submit_timed(pool_workers *pool, pool_workers_task_fn task, void *arg,
                                      int64_t timeout) {
    if (pool_status status = check_task(pool, task))
        return status;
    if (pool_status status = check_timeout(timeout))
        return status;
    return pool->core.submit({task, arg}, {timeout, false});
}

pool_status pool_workers_submit_bulk(pool_workers *pool, const pool_workers_item *items,
                                     size_t count, int64_t timeout, size_t *accepted) {
    if (accepted != nullptr)
        *accepted = 0;
    if (pool == nullptr)
        return no_pool();
    if (items == nullptr && count != 0)
        return fail(POOL_EINVAL, "items is NULL, but count is %zu", count);
    if (pool_status status = check_timeout(timeout))
        return status;
    for (size_t i = 0; i < count; i++)
        if (items[i].task == nullptr)
            return fail(POOL_EINVAL, "items[%zu].task is NULL", i);
    static_assert(sizeof(pool::Entry) == sizeof(pool_workers_item) &&
                  offsetof(pool::Entry, run) == offsetof(pool_workers_item, task) &&
                  offsetof(pool::Entry, arg) == offsetof(pool_workers_item, arg));
    size_t taken;
    pool_status status = pool->core.submit_bulk(reinterpret_cast<const pool::Entry *>(items), count,
                                                {timeout, false}, &taken);
    if (accepted != nullptr)
        *accepted = taken;
    return status;
}

pool_status pool_workers_submit_payload(pool_workers *pool, void *payload, int64_t timeout) {
    if (pool == nullptr)
        return no_pool();
    if (pool_status status = check_timeout(timeout))
        return status;
    if (!pool->core.has_process())
        return fail(POOL_EINVAL, "the pool has no options.process");
    return pool->core.submit({pool::is_payload, payload}, {timeout, false});
}

pool_status pool_workers_submit_node(pool_workers *pool, pool_workers_node *node,
                                     pool_workers_task_fn task, void *arg) {
    if (pool_status status = check_task(pool, task))
        return status;
    if (node == nullptr)
        return fail(POOL_EINVAL, "the node is NULL");
    return pool->core.submit({task, arg}, {});
}

pool_status pool_workers_resize(pool_workers *pool, uint32_t min, uint32_t max) {
    if (pool == nullptr)
        return no_pool();
    if (max == 0)
        return fail(POOL_EINVAL, "max_workers is 0");
    if (pool_status status = check_bounds(min, &max, ""))
        return status;
    return pool->core.resize(min, max);
}

pool_status pool_workers_pause(pool_workers *pool, int64_t timeout) {
    if (pool == nullptr)
        return no_pool();
    if (pool_status status = check_timeout(timeout))
        return status;
    if (pool_status status = check_not_inside(pool, "pool_workers_pause"))
        return status;
    return pool->core.pause(timeout);
}

pool_status pool_workers_resume(pool_workers *pool) {
    return pool != nullptr ? pool->core.resume() : no_pool();
}

pool_status pool_workers_stop(pool_workers *pool, pool_workers_stop_mode mode, int64_t timeout,
                              pool_workers_report *report) {
    if (pool == nullptr)
        return no_pool();
    if (pool_status status = check_mode(mode))
        return status;
    if (pool_status status = check_timeout(timeout))
        return status;
    if (pool_status status = check_not_inside(pool, "pool_workers_stop"))
        return status;
    pool_workers_report full = {};
    if (report != nullptr)
        if (pool_status status = pool::write_stats(full, report, "report"))
            return status;
    pool_status status = pool->core.stop(mode, timeout, &full);
    if (report != nullptr)
        pool::write_stats(full, report, "report");
    return status;
}

pool_status pool_workers_stop_async(pool_workers *pool, pool_workers_stop_mode mode, int32_t *fd) {
    if (fd == nullptr)
        return fail(POOL_EINVAL, "fd is NULL");
    *fd = -1;
    if (pool == nullptr)
        return no_pool();
    if (pool_status status = check_mode(mode))
        return status;
    return pool->core.stop_async(mode, fd);
}

pool_status pool_workers_restart(pool_workers *pool) {
    if (pool == nullptr)
        return no_pool();
    if (pool_status status = check_not_inside(pool, "pool_workers_restart"))
        return status;
    return pool->core.restart();
}

pool_status pool_workers_wait_idle(pool_workers *pool, int64_t timeout) {
    if (pool == nullptr)
        return no_pool();
    if (pool_status status = check_timeout(timeout))
        return status;
    if (pool_status status = check_not_inside(pool, "pool_workers_wait_idle"))
        return status;
    return pool->core.wait_idle(timeout);
}

pool_status pool_workers_destroy(pool_workers *pool) {
    if (pool == nullptr)
        return POOL_OK;
    if (pool_status status = check_not_inside(pool, "pool_workers_destroy"))
        return status;
    if (pool->core.has_groups())
        return fail(POOL_EMISUSE, "the pool still has groups");
    if (pool->core.has_subpools())
        return fail(POOL_EMISUSE, "the pool still has subpools");
    destroy(pool);
    return POOL_OK;
}
