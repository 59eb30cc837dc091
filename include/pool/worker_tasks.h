/* pool/worker_tasks.h - tasks with a handle, a priority, a key, a deadline; what a task may call.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 *     pool_workers_task *task;
 *     if (pool_workers_start(pool, parse, file, NULL, POOL_FOREVER, &task) == POOL_OK) {
 *         if (pool_workers_task_wait(task, POOL_FOREVER) == POOL_OK)
 *             use(pool_workers_task_result(task));
 *         pool_workers_task_release(task);
 *     }
 *
 *     static void parse(void *file) {
 *         while (more(file)) {
 *             if (pool_workers_self_cancelled())
 *                 return;
 *             ...
 *         }
 *         pool_workers_self_result(tree);
 *     }
 */
#ifndef POOL_WORKER_TASKS_H
#define POOL_WORKER_TASKS_H

#include "workers.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A task that can be waited for and cancelled. Whoever got it from pool_workers_start() owns a
 * reference and ends it with pool_workers_task_release(); it outlives its pool. */
typedef struct pool_workers_task pool_workers_task;

/* ---- how a task is submitted ----------------------------------------------------------------- */

/* For priority. Higher ones start first, but of 16 tasks that start one after the other at least one
 * is of the next lower priority that waits. */
enum { POOL_WORKERS_LOW = -1, POOL_WORKERS_NORMAL = 0, POOL_WORKERS_HIGH = 1 };

typedef struct pool_workers_task_options {
    size_t size; /* sizeof(pool_workers_task_options) */
    const char
        *name; /* for observers and lists of running tasks; must outlive the pool; NULL: "" */
    int32_t priority; /* POOL_WORKERS_LOW, _NORMAL, _HIGH */
    uint32_t flags;   /* must be 0 */
    uint64_t key;     /* tasks of one key run one at a time, in the order in which they were
                            submitted, beside those of other keys; 0: none */
    int64_t
        start_within; /* nanoseconds: a task that has not started by then is dropped; 0: no limit */
    uint64_t weight;  /* of queue_bytes */
} pool_workers_task_options;

#define POOL_WORKERS_TASK_OPTIONS_INIT                                                             \
    { sizeof(pool_workers_task_options), NULL, 0, 0, 0, 0, 0 }

/* Fill `options` as POOL_WORKERS_TASK_OPTIONS_INIT does; see pool_objects_options_init().
 * Threads: any. Blocks: never. Errors: POOL_EINVAL. Since: 0.1 */
POOL_API pool_status pool_workers_task_options_init(pool_workers_task_options *options,
                                                    size_t size);

/* Submit a task, in the manner that `options` say (NULL: all defaults). `timeout` is how long to wait
 * for room in the queue, as in pool_workers_submit_timed(). With `out` it has a handle.
 *
 * Ownership: *out is a reference of the caller's; NULL after a failure. With POOL_WORKERS_DROP_NEWEST
 *            the handle may be that of a task which was dropped.
 * Threads, Blocks, Errors: as pool_workers_submit_timed(); POOL_EINVAL and POOL_ENOTSUP for the
 *            options too.
 * Since:     0.1 */
POOL_API pool_status pool_workers_start(pool_workers *pool, pool_workers_task_fn task, void *arg,
                                        const pool_workers_task_options *options, int64_t timeout,
                                        pool_workers_task **out);

/* As pool_workers_start(), but returns once the task has started, or failed to: `timeout` is for both.
 * A task that has not started by then never will, and `arg` is the caller's again.
 * Threads: any. On a worker of the pool: POOL_EDEADLK. Blocks: at most `timeout` nanoseconds.
 * Errors: as there; POOL_ETIMEDOUT, POOL_ECLOSED (dropped by a stop). Since: 0.1 */
POOL_API pool_status pool_workers_start_now(pool_workers *pool, pool_workers_task_fn task,
                                            void *arg, const pool_workers_task_options *options,
                                            int64_t timeout, pool_workers_task **out);

/* Memory for one task, of the caller's: an element of a larger struct, as a rule. */
typedef struct pool_workers_node {
    void *reserved[8];
} pool_workers_node;

/* As pool_workers_submit(), for a task that lives in *node, which must stay where it is until the task
 * begins, or is dropped. Nothing is allocated for it; only the queue itself takes a block for each
 * thousand tasks that wait, and keeps some blocks for those to come.
 *
 * Threads, Blocks, Errors: as pool_workers_submit().
 * Since: 0.1 */
POOL_API pool_status pool_workers_submit_node(pool_workers *pool, pool_workers_node *node,
                                              pool_workers_task_fn task, void *arg);

/* ---- handles --------------------------------------------------------------------------------- */

typedef int32_t pool_workers_state;
enum {
    POOL_WORKERS_QUEUED = 1,
    POOL_WORKERS_RUNNING = 2,
    POOL_WORKERS_SUCCEEDED = 3,
    POOL_WORKERS_FAILED = 4,    /* it threw, ended its thread, or said so */
    POOL_WORKERS_CANCELLED = 5, /* before it started, or it looked at its flag and gave up */
    POOL_WORKERS_DROPPED = 6    /* never ran: `status` says why */
};

typedef struct pool_workers_task_info {
    size_t size; /* sizeof(pool_workers_task_info), set by the caller */
    pool_workers_state state;
    pool_status
        status;   /* what pool_workers_task_wait() returns, or would; POOL_OK while it is queued
                              or runs */
    int32_t code; /* of a failure: what the task said; 0: it threw or ended its thread */
    int32_t cancelled; /* is its flag set? */
    void *result;
    char message[128]; /* of a failure: what the task said, or what() of its exception */
} pool_workers_task_info;

/* Wait until the task has ended. On a worker of its pool: a task that waits in the queue is run here
 * and now, unless it has a key, and so waits behind others: POOL_EDEADLK. For one that runs, this
 * waits, unless that one waits for the calling task: POOL_EDEADLK.
 *
 * Threads:  any.
 * Blocks:   at most `timeout` nanoseconds.
 * Returns:  POOL_OK (it succeeded), POOL_ETASK (failed; the last error has its message),
 *           POOL_ECANCELED, or why it was dropped: POOL_EFULL, POOL_ECLOSED, POOL_EFORKED,
 *           POOL_ECANCELED (not started in time); POOL_ETIMEDOUT (it has not ended), POOL_EINVAL,
 *           POOL_EDEADLK.
 * Since:    0.1 */
POOL_API pool_status pool_workers_task_wait(pool_workers_task *task, int64_t timeout);

/* Fill `info` with how the task stands.
 * Threads: any. Blocks: never. Errors: POOL_EINVAL. Since: 0.1 */
POOL_API pool_status pool_workers_task_get_info(pool_workers_task *task,
                                                pool_workers_task_info *info);

/* What the task gave to pool_workers_self_result(); NULL before it has ended, and by default.
 * Threads: any. Blocks: never. Errors: none. Since: 0.1 */
POOL_API void *pool_workers_task_result(pool_workers_task *task);

/* What a cancel came to. */
typedef int32_t pool_workers_cancel;
enum {
    POOL_WORKERS_REMOVED = 1, /* it had not started, and never will */
    POOL_WORKERS_FLAGGED =
        2, /* it runs: its flag is set, and its worker's `interrupt` was called */
    POOL_WORKERS_TOO_LATE = 3 /* it has ended, or is committed */
};

/* Cancel a task. `answer` may be NULL.
 * Threads: any. Blocks: never. Errors: POOL_EINVAL. Since: 0.1 */
POOL_API pool_status pool_workers_task_cancel(pool_workers_task *task, pool_workers_cancel *answer);

/* Give back a reference. The task itself is not cancelled. NULL is ignored.
 * Threads: any. Blocks: never. Errors: none. Since: 0.1 */
POOL_API void pool_workers_task_release(pool_workers_task *task);

/* ---- for the task that runs ------------------------------------------------------------------
 *
 * These speak of the task that the calling thread runs. Elsewhere, and in a task that has neither a
 * handle nor a group, they do nothing, and nothing is cancelled; but _fail() always counts. */

/* 1 if the task was cancelled (by its handle, its group or a stop): it should return soon, and has
 * then ended as cancelled. Threads: a worker. Blocks: never. Errors: none. Since: 0.1 */
POOL_API int32_t pool_workers_self_cancelled(void);

/* From here on the task can no longer be cancelled. 0 if it already was.
 * Threads: a worker. Blocks: never. Errors: none. Since: 0.1 */
POOL_API int32_t pool_workers_self_commit(void);

/* What pool_workers_task_result() will return.
 * Threads: a worker. Blocks: never. Errors: none. Since: 0.1 */
POOL_API void pool_workers_self_result(void *result);

/* The task has failed: `code` is its own business, `message` (may be NULL) is copied and cut to 127
 * bytes. It goes on until it returns.
 * Threads: a worker. Blocks: never. Errors: none. Since: 0.1 */
POOL_API void pool_workers_self_fail(int32_t code, const char *message);

/* The pool whose worker the calling thread is, else NULL.
 * Threads: any. Blocks: never. Errors: none. Since: 0.1 */
POOL_API pool_workers *pool_workers_self_pool(void);

/* The state of the calling worker, as `state_new` made it, else NULL.
 * Threads: any. Blocks: never. Errors: none. Since: 0.1 */
POOL_API void *pool_workers_self_state(void);

#ifdef __cplusplus
}
#endif

#endif
