// The C functions of pool/worker_groups.h: arguments are checked here, the work is done in
// src/workers.
//
// SPDX-License-Identifier: Apache-2.0
#include "pool/worker_groups.h"

#include "capi_workers.h"
#include "platform/clock.h"

#include <cstring>

namespace {

using pool::fail;

constexpr size_t kFirstGroupOptionsSize = sizeof(pool_workers_group_options);
constexpr uint32_t kFlags = POOL_WORKERS_GROUP_KEEP_GOING | POOL_WORKERS_GROUP_RESULTS;

pool_status check_member(const pool_workers_group *group, pool_workers_task_fn task) {
    if (group == nullptr || task == nullptr)
        return fail(POOL_EINVAL, "the %s is NULL", group == nullptr ? "group" : "task");
    return POOL_OK;
}

void tell(const pool::TaskEnd &end, pool_workers_task_info *info) {
    info->state = end.state;
    info->status = end.status;
    info->code = end.code;
    info->cancelled = end.state == POOL_WORKERS_CANCELLED;
    info->result = end.result;
    memcpy(info->message, end.message, sizeof info->message);
}

pool_status no_results() {
    return pool::fail_text(POOL_EINVAL, "the group keeps no results");
}

} // namespace

pool_status pool_workers_group_options_init(pool_workers_group_options *options, size_t size) {
    return pool::init_options(options, size, "pool_workers_group_options");
}

pool_status pool_workers_group_create(pool_workers *pool, const pool_workers_group_options *given,
                                      pool_workers_group **out) {
    if (out == nullptr)
        return fail(POOL_EINVAL, "out is NULL");
    *out = nullptr;
    if (pool == nullptr)
        return no_pool();
    pool_workers_group_options options = {};
    if (given != nullptr) {
        if (pool_status status = pool::read_options(given, &options, kFirstGroupOptionsSize,
                                                    "pool_workers_group_options"))
            return status;
        if ((options.flags & ~kFlags) != 0)
            return fail(POOL_EINVAL, "options.flags has unknown bits 0x%x",
                        options.flags & ~kFlags);
        if (options.priority < POOL_WORKERS_LOW || options.priority > POOL_WORKERS_HIGH)
            return fail(POOL_EINVAL, "options.priority is %d, not from -1 to 1", options.priority);
        if (options.within < 0)
            return fail(POOL_EINVAL, "options.within is %lld",
                        static_cast<long long>(options.within));
    }
    pool::Group *group = nullptr;
    pool_status status = pool->core.create_group(options, &group);
    *out = handle(group);
    return status;
}

pool_status pool_workers_group_submit(pool_workers_group *group, pool_workers_task_fn task,
                                      void *arg) {
    if (pool_status status = check_member(group, task))
        return status;
    return impl(group)->pool->submit(impl(group), {task, arg}, nullptr);
}

pool_status pool_workers_group_submit_node(pool_workers_group *group, pool_workers_node *node,
                                           pool_workers_task_fn task, void *arg) {
    if (pool_status status = check_member(group, task))
        return status;
    if (node == nullptr)
        return fail(POOL_EINVAL, "the node is NULL");
    return impl(group)->pool->submit(impl(group), {task, arg},
                                     reinterpret_cast<pool::Task *>(node));
}

pool_status pool_workers_group_wait(pool_workers_group *group, int64_t timeout) {
    if (group == nullptr)
        return no_group();
    if (pool_status status = check_timeout(timeout))
        return status;
    return impl(group)->pool->wait(
        impl(group), timeout == POOL_FOREVER ? timeout : pool::deadline_after(timeout));
}

pool_status pool_workers_group_cancel(pool_workers_group *group) {
    if (group == nullptr)
        return no_group();
    impl(group)->pool->cancel(impl(group));
    return POOL_OK;
}

pool_status pool_workers_group_result(pool_workers_group *group, size_t index,
                                      pool_workers_task_info *info) {
    if (group == nullptr)
        return no_group();
    if (!impl(group)->keeps_results())
        return no_results();
    pool::TaskEnd end;
    if (!impl(group)->result(index, &end))
        return fail(POOL_EINVAL, "the group has no task number %zu", index);
    if (end.state == POOL_WORKERS_QUEUED)
        return fail(POOL_EAGAIN, "task number %zu of the group has not ended", index);
    pool_workers_task_info full = {};
    tell(end, &full);
    return pool::write_stats(full, info, "info");
}

pool_status pool_workers_group_next(pool_workers_group *group, int64_t timeout, size_t *index,
                                    pool_workers_task_info *info) {
    if (group == nullptr)
        return no_group();
    if (!impl(group)->keeps_results())
        return no_results();
    if (pool_status status = check_timeout(timeout))
        return status;
    if (impl(group)->pool->on_own_worker())
        return fail(POOL_EDEADLK,
                    "pool_workers_group_next() was called from a task of the same pool");
    pool_workers_task_info full = {};
    if (pool_status status = pool::write_stats(full, info, "info"))
        return status;
    pool::TaskEnd end;
    size_t which = 0;
    if (pool_status status =
            impl(group)->pool->next_ended(impl(group), pool::deadline_after(timeout), &which, &end))
        return status;
    if (index != nullptr)
        *index = which;
    tell(end, &full);
    return pool::write_stats(full, info, "info");
}

pool_status pool_workers_group_destroy(pool_workers_group *group) {
    return group != nullptr ? impl(group)->pool->destroy(impl(group)) : POOL_OK;
}
