// What the parts of the worker pools' C ABI share: handle casts and argument checks.
//
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "platform/options.h"
#include "platform/status.h"
#include "workers/group.h"
#include "workers/workers.h"

struct pool_workers {
    pool_workers(const pool_workers_options &options, pool::Workers *parent)
        : core(options, parent) {}
    pool::Workers core;
};

inline pool::HandleTask *impl(pool_workers_task *task) {
    return reinterpret_cast<pool::HandleTask *>(task);
}
inline pool_workers_task *handle(pool::HandleTask *task) {
    return reinterpret_cast<pool_workers_task *>(task);
}
inline pool::Group *impl(pool_workers_group *group) {
    return reinterpret_cast<pool::Group *>(group);
}
inline pool_workers_group *handle(pool::Group *group) {
    return reinterpret_cast<pool_workers_group *>(group);
}

inline pool_status no_pool() {
    return pool::fail_text(POOL_EINVAL, "the pool is NULL");
}
inline pool_status no_task() {
    return pool::fail_text(POOL_EINVAL, "the task is NULL");
}
inline pool_status no_group() {
    return pool::fail_text(POOL_EINVAL, "the group is NULL");
}

inline pool_status check_timeout(int64_t timeout) {
    if (timeout < 0 && timeout != POOL_FOREVER)
        return pool::fail(POOL_EINVAL, "timeout is %lld; negative is only POOL_FOREVER",
                          static_cast<long long>(timeout));
    return POOL_OK;
}

inline pool_status check_task(const pool_workers *pool, pool_workers_task_fn task) {
    if (pool == nullptr || task == nullptr)
        return pool::fail(POOL_EINVAL, "the %s is NULL", pool == nullptr ? "pool" : "task");
    return POOL_OK;
}

inline pool_status check_not_inside(const pool_workers *pool, const char *function) {
    if (pool->core.on_own_worker())
        return pool::fail(POOL_EDEADLK, "%s() was called from a task of the same pool", function);
    return POOL_OK;
}
