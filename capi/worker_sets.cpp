// The C functions of pool/worker_sets.h: arguments are checked here, the work is done in src/workers.
//
// SPDX-License-Identifier: Apache-2.0
#include "pool/worker_sets.h"

#include "capi_workers.h"
#include "platform/clock.h"
#include "workers/pacer.h"

#include <atomic>
#include <cstdio>
#include <new>

struct pool_workers_multi {
    uint32_t count;
    pool_workers_balance balance;
    std::atomic<uint32_t> turn;
    size_t bytes; // of this and the list of pools behind it
    pool_allocator allocator;
    bool custom;
    pool_workers **pools;
};

struct pool_workers_pacer {
    explicit pool_workers_pacer(int64_t distance) : core(distance) {}
    pool::Pacer core;
};

namespace {

using pool::fail;

constexpr uint32_t kMostPools = 1024;

pool_status no_multi() {
    return pool::fail_text(POOL_EINVAL, "the multipool is NULL");
}
pool_status no_pacer() {
    return pool::fail_text(POOL_EINVAL, "the pacer is NULL");
}

uint64_t tasks_of(pool_workers *pool) {
    const pool_workers_stats stats = pool->core.stats();
    return stats.waiting + stats.running;
}

pool_workers *least_busy(pool_workers_multi *multi) {
    pool_workers *least = multi->pools[0];
    uint64_t fewest = UINT64_MAX;
    for (uint32_t i = 0; i < multi->count; i++) {
        const uint64_t tasks = tasks_of(multi->pools[i]);
        if (tasks < fewest) {
            fewest = tasks;
            least = multi->pools[i];
        }
    }
    return least;
}

pool_status submit(pool_workers_multi *multi, pool_workers_task_fn task, void *arg, bool only_try) {
    if (multi == nullptr)
        return no_multi();
    if (task == nullptr)
        return fail(POOL_EINVAL, "the task is NULL");
    if (multi->balance == POOL_WORKERS_ROUND_ROBIN) {
        const uint32_t turn = multi->turn.fetch_add(1, std::memory_order_relaxed);
        pool_workers *pool = multi->pools[turn % multi->count];
        pool_status status = pool->core.submit({task, arg}, {0, true});
        if (status != POOL_EFULL)
            return status;
    }
    return least_busy(multi)->core.submit({task, arg},
                                          only_try ? pool::Manner{0, true} : pool::Manner{});
}

} // namespace

// ---- several pools --------------------------------------------------------------------------

pool_status pool_workers_multi_create(uint32_t count, pool_workers_balance balance,
                                      const pool_workers_options *given, pool_workers_multi **out) {
    if (out == nullptr)
        return fail(POOL_EINVAL, "out is NULL");
    *out = nullptr;
    if (count == 0 || count > kMostPools)
        return fail(POOL_EINVAL, "count is %u, not from 1 to %u", count, kMostPools);
    if (balance != POOL_WORKERS_ROUND_ROBIN && balance != POOL_WORKERS_LEAST_TASKS)
        return fail(POOL_EINVAL, "balance %d is neither POOL_WORKERS_ROUND_ROBIN nor _LEAST_TASKS",
                    balance);
    pool_workers_options options;
    if (pool_status status =
            pool::read_options(given, &options, sizeof options, "pool_workers_options"))
        return status;
    if (count > 1 && options.ctx_free != nullptr)
        return fail(POOL_EINVAL, "options.ctx_free is for one pool, not for %u", count);
    if (pool_status status = pool::Memory::check(options.allocator))
        return status;
    pool::Memory memory(options.allocator);
    const size_t bytes = sizeof(pool_workers_multi) + count * sizeof(pool_workers *);
    void *place = memory.alloc(bytes, alignof(pool_workers_multi));
    if (place == nullptr)
        return fail(POOL_ENOMEM, "no memory for a multipool");
    auto *multi = new (place)
        pool_workers_multi{0,
                           balance,
                           0,
                           bytes,
                           options.allocator != nullptr ? *options.allocator : pool_allocator{},
                           options.allocator != nullptr,
                           nullptr};
    multi->pools = reinterpret_cast<pool_workers **>(multi + 1);
    for (; multi->count < count; multi->count++) {
        char name[64];
        snprintf(name, sizeof name, "%s-%u", options.name != nullptr ? options.name : "pool",
                 multi->count);
        pool_workers_options own = options;
        own.name = name;
        if (pool_status status = pool_workers_create(&own, &multi->pools[multi->count])) {
            pool_workers_multi_destroy(multi);
            return status;
        }
    }
    *out = multi;
    return POOL_OK;
}

pool_status pool_workers_multi_submit(pool_workers_multi *multi, pool_workers_task_fn task,
                                      void *arg) {
    return submit(multi, task, arg, false);
}

pool_status pool_workers_multi_try_submit(pool_workers_multi *multi, pool_workers_task_fn task,
                                          void *arg) {
    return submit(multi, task, arg, true);
}

pool_workers *pool_workers_multi_pool(pool_workers_multi *multi, uint32_t index) {
    return multi != nullptr && index < multi->count ? multi->pools[index] : nullptr;
}

uint32_t pool_workers_multi_count(pool_workers_multi *multi) {
    return multi != nullptr ? multi->count : 0;
}

pool_status pool_workers_multi_stop(pool_workers_multi *multi, pool_workers_stop_mode mode,
                                    int64_t timeout, pool_workers_report *report) {
    if (multi == nullptr)
        return no_multi();
    pool_workers_report sum = {};
    if (report != nullptr)
        if (pool_status status = pool::write_stats(sum, report, "report"))
            return status;
    if (pool_status status = check_timeout(timeout))
        return status;
    const int64_t deadline = pool::deadline_after(timeout);
    // All of them begin to stop before one is waited for.
    for (uint32_t i = 0; i < multi->count; i++) {
        pool_status status = pool_workers_stop(multi->pools[i], mode, 0, nullptr);
        if (status != POOL_OK && status != POOL_ETIMEDOUT)
            return status;
    }
    pool_status result = POOL_OK;
    for (uint32_t i = 0; i < multi->count; i++) {
        int64_t left = POOL_FOREVER;
        if (deadline != POOL_FOREVER) {
            left = deadline - pool::clock_now();
            left = left > 0 ? left : 0;
        }
        pool_workers_report one = {};
        one.size = sizeof one;
        if (pool_status status = pool_workers_stop(multi->pools[i], mode, left, &one))
            result = status;
        sum.ran += one.ran;
        sum.discarded += one.discarded;
        sum.running += one.running;
        sum.waiting += one.waiting;
    }
    if (report != nullptr)
        pool::write_stats(sum, report, "report");
    return result;
}

pool_status pool_workers_multi_destroy(pool_workers_multi *multi) {
    if (multi == nullptr)
        return POOL_OK;
    for (uint32_t i = 0; i < multi->count; i++)
        if (pool_status status = check_not_inside(multi->pools[i], "pool_workers_multi_destroy"))
            return status;
    for (uint32_t i = 0; i < multi->count; i++)
        if (multi->pools[i]->core.has_groups() || multi->pools[i]->core.has_subpools())
            return fail(POOL_EMISUSE, "pool %u still has groups or subpools", i);
    while (multi->count > 0)
        pool_workers_destroy(multi->pools[--multi->count]);
    const pool_allocator allocator = multi->allocator;
    const bool custom = multi->custom;
    const size_t bytes = multi->bytes;
    multi->~pool_workers_multi();
    pool::Memory(custom ? &allocator : nullptr).free(multi, bytes, alignof(pool_workers_multi));
    return POOL_OK;
}

// ---- the pacer ------------------------------------------------------------------------------

pool_status pool_workers_pacer_create(int64_t distance, pool_workers_pacer **out) {
    if (out == nullptr)
        return fail(POOL_EINVAL, "out is NULL");
    *out = nullptr;
    if (distance < 1)
        return fail(POOL_EINVAL, "distance is %lld", static_cast<long long>(distance));
    pool::Memory memory(nullptr);
    *out = memory.make<pool_workers_pacer>(distance);
    return *out != nullptr ? POOL_OK : fail(POOL_ENOMEM, "no memory for a pacer");
}

pool_status pool_workers_pacer_wait(pool_workers_pacer *pacer, int64_t timeout) {
    if (pacer == nullptr)
        return no_pacer();
    if (pool_status status = check_timeout(timeout))
        return status;
    return pacer->core.wait(timeout);
}

pool_status pool_workers_pacer_pause(pool_workers_pacer *pacer) {
    return pacer != nullptr ? pacer->core.pause() : no_pacer();
}

pool_status pool_workers_pacer_resume(pool_workers_pacer *pacer) {
    return pacer != nullptr ? pacer->core.resume() : no_pacer();
}

pool_status pool_workers_pacer_stop(pool_workers_pacer *pacer) {
    if (pacer == nullptr)
        return no_pacer();
    pacer->core.stop();
    return POOL_OK;
}

void pool_workers_pacer_destroy(pool_workers_pacer *pacer) {
    if (pacer != nullptr)
        pool::Memory(nullptr).destroy(pacer);
}
