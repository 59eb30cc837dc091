// The C functions of pool/worker_tasks.h: arguments are checked here, the work is done in src/workers.
//
// SPDX-License-Identifier: Apache-2.0
#include "pool/worker_tasks.h"

#include "capi_workers.h"
#include "platform/clock.h"
#include "workers/frame.h"

#include <cstdio>

namespace {

using pool::fail;

constexpr size_t kFirstTaskOptionsSize = sizeof(pool_workers_task_options);

pool_status read_task_options(const pool_workers_task_options *given,
                              pool_workers_task_options *options) {
    if (pool_status status =
            pool::read_options(given, options, kFirstTaskOptionsSize, "pool_workers_task_options"))
        return status;
    if (options->flags != 0)
        return fail(POOL_EINVAL, "options.flags has unknown bits 0x%x", options->flags);
    if (options->priority < POOL_WORKERS_LOW || options->priority > POOL_WORKERS_HIGH)
        return fail(POOL_EINVAL, "options.priority is %d, not from -1 to 1", options->priority);
    if (options->start_within < 0)
        return fail(POOL_EINVAL, "options.start_within is %lld",
                    static_cast<long long>(options->start_within));
    return POOL_OK;
}

// What start and start_now have in common.
pool_status start(pool_workers *pool, pool_workers_task_fn task, void *arg,
                  const pool_workers_task_options *given, int64_t timeout, bool silent,
                  pool::HandleTask **out) {
    if (pool == nullptr || task == nullptr)
        return check_task(pool, task);
    pool_workers_task_options options;
    if (pool_status status = read_task_options(given, &options))
        return status;
    if (pool_status status = check_timeout(timeout))
        return status;
    return pool->core.start_task({task, arg}, options, {timeout, false}, silent, out);
}

} // namespace

pool_status pool_workers_task_options_init(pool_workers_task_options *options, size_t size) {
    return pool::init_options(options, size, "pool_workers_task_options");
}

pool_status pool_workers_start(pool_workers *pool, pool_workers_task_fn task, void *arg,
                               const pool_workers_task_options *options, int64_t timeout,
                               pool_workers_task **out) {
    if (out == nullptr)
        return start(pool, task, arg, options, timeout, false, nullptr);
    *out = nullptr;
    pool::HandleTask *started = nullptr;
    pool_status status = start(pool, task, arg, options, timeout, false, &started);
    *out = handle(started);
    return status;
}

pool_status pool_workers_start_now(pool_workers *pool, pool_workers_task_fn task, void *arg,
                                   const pool_workers_task_options *options, int64_t timeout,
                                   pool_workers_task **out) {
    if (out != nullptr)
        *out = nullptr;
    if (pool != nullptr)
        if (pool_status status = check_not_inside(pool, "pool_workers_start_now"))
            return status;
    if (pool_status status = check_timeout(timeout))
        return status;
    const int64_t deadline = pool::deadline_after(timeout);
    pool::HandleTask *started = nullptr;
    pool_status status = start(pool, task, arg, options, timeout, true, &started);
    if (status != POOL_OK)
        return status;
    status = pool::Workers::wait_started(started, deadline);
    if (status == POOL_OK && out != nullptr)
        *out = handle(started);
    else
        pool::Workers::unref(started);
    return status;
}

pool_status pool_workers_run(pool_workers *pool, pool_workers_task_fn task, void *arg,
                             int64_t timeout) {
    if (pool_status status = check_task(pool, task))
        return status;
    if (pool_status status = check_timeout(timeout))
        return status;
    if (pool_status status = check_not_inside(pool, "pool_workers_run"))
        return status;
    return pool->core.run_and_wait({task, arg}, timeout, nullptr);
}

pool_status pool_workers_process(pool_workers *pool, void *payload, int64_t timeout,
                                 void **result) {
    if (result != nullptr)
        *result = nullptr;
    if (pool == nullptr)
        return no_pool();
    if (!pool->core.has_process())
        return fail(POOL_EINVAL, "the pool has no options.process");
    if (pool_status status = check_timeout(timeout))
        return status;
    if (pool_status status = check_not_inside(pool, "pool_workers_process"))
        return status;
    void *ignored;
    return pool->core.run_and_wait({pool::is_payload, payload}, timeout,
                                   result != nullptr ? result : &ignored);
}

pool_status pool_workers_run_here(pool_workers *pool, pool_workers_task_fn task, void *arg,
                                  int64_t timeout) {
    if (pool_status status = check_task(pool, task))
        return status;
    if (pool_status status = check_timeout(timeout))
        return status;
    return pool->core.run_here({task, arg}, timeout);
}

pool_status pool_workers_task_wait(pool_workers_task *task, int64_t timeout) {
    if (task == nullptr)
        return no_task();
    if (pool_status status = check_timeout(timeout))
        return status;
    return pool::Workers::wait(impl(task), pool::deadline_after(timeout));
}

pool_status pool_workers_task_get_info(pool_workers_task *task, pool_workers_task_info *info) {
    if (task == nullptr)
        return no_task();
    pool_workers_task_info full = {};
    pool::Workers::get_info(impl(task), &full);
    return pool::write_stats(full, info, "info");
}

void *pool_workers_task_result(pool_workers_task *task) {
    if (task == nullptr)
        return nullptr;
    pool_workers_task_info info = {};
    pool::Workers::get_info(impl(task), &info);
    return info.result;
}

pool_status pool_workers_task_cancel(pool_workers_task *task, pool_workers_cancel *answer) {
    if (task == nullptr)
        return no_task();
    pool_workers_cancel given = pool::Workers::cancel(impl(task));
    if (answer != nullptr)
        *answer = given;
    return POOL_OK;
}

void pool_workers_task_release(pool_workers_task *task) {
    if (task != nullptr)
        pool::Workers::unref(impl(task));
}

// ---- for the task that runs -----------------------------------------------------------------

int32_t pool_workers_self_cancelled() {
    pool::Frame *frame = pool::Frame::current();
    return frame != nullptr && pool::Workers::is_cancelled(frame) ? 1 : 0;
}

int32_t pool_workers_self_commit() {
    pool::Frame *frame = pool::Frame::current();
    return frame == nullptr || pool::Workers::commit(frame) ? 1 : 0;
}

void pool_workers_self_result(void *result) {
    if (pool::Frame *frame = pool::Frame::current())
        frame->end.result = result;
}

void pool_workers_self_fail(int32_t code, const char *message) {
    pool::Frame *frame = pool::Frame::current();
    if (frame == nullptr)
        return;
    frame->end.state = POOL_WORKERS_FAILED;
    frame->end.code = code;
    snprintf(frame->end.message, sizeof frame->end.message, "%s",
             message != nullptr ? message : "");
}

pool_workers *pool_workers_self_pool() {
    pool::Worker *worker = pool::Workers::this_worker();
    if (worker == nullptr)
        return nullptr;
    static_assert(offsetof(pool_workers, core) == 0);
    return reinterpret_cast<pool_workers *>(worker->pool);
}

void *pool_workers_self_state() {
    pool::Worker *worker = pool::Workers::this_worker();
    return worker != nullptr ? worker->user_state : nullptr;
}
