/* pool/workers.h - worker pools: run tasks on a bounded set of threads.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 *     static void resize(void *image) { ... }
 *
 *     pool_workers_options options = POOL_WORKERS_OPTIONS_INIT;
 *     options.max_workers = 8;
 *     pool_workers *pool;
 *     if (pool_workers_create(&options, &pool) != POOL_OK)
 *         die(pool_last_error());
 *
 *     pool_workers_submit(pool, resize, image);
 *     ...
 *     pool_workers_stop(pool, POOL_WORKERS_DRAIN, POOL_FOREVER, NULL);
 *     pool_workers_destroy(pool);
 *
 * Tasks start in the order in which they were submitted. Threads are started when there is a task
 * and no idle worker, up to max_workers, and stay until the pool stops. Asynchronous signals are
 * blocked in them, SIGPROF excepted.
 */
#ifndef POOL_WORKERS_H
#define POOL_WORKERS_H

#include "common.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A pool of worker threads. Made by pool_workers_create(), ended by pool_workers_destroy(). */
typedef struct pool_workers pool_workers;

/* A task. Runs once on a worker; may submit to its own pool, but not destroy it or wait for its
 * stop. A C++ exception that leaves it is counted as a failure; the worker goes on. */
typedef void (*pool_workers_task_fn)(void *arg);

/* For queue_capacity: no bound. */
#define POOL_WORKERS_UNBOUNDED UINT64_MAX

typedef struct pool_workers_options {
    size_t size;          /* sizeof(pool_workers_options) */
    const char *name;     /* threads are called "<name>-<number>", cut to 15 bytes; for statistics
                                too; copied, cut to 63 bytes; NULL: "pool" */
    uint32_t max_workers; /* 1 to 65536; 0: the CPUs that the process may use, by affinity and
                                cgroup quota, at least 1 */
    uint32_t min_workers; /* started by create; 0 to max_workers */
    uint64_t queue_capacity;        /* tasks waiting at most; 0: 65536; POOL_WORKERS_UNBOUNDED */
    uint64_t stack_size;            /* bytes of each thread's stack; 0: the system's default */
    pool_thread_fn on_thread_start; /* first and last thing on every worker; either may be NULL */
    pool_thread_fn on_thread_exit;
    void *ctx;                       /* handed to both */
    void (*ctx_free)(void *ctx);     /* called once, by destroy or by a create that fails */
    const pool_allocator *allocator; /* for the pool's own memory; copied; NULL: the default */
    pool_cpu_mode cpu_mode;          /* see pool_cpu_mode */
    uint32_t flags;                  /* must be 0 */
} pool_workers_options;

/* clang-format off */
#define POOL_WORKERS_OPTIONS_INIT                                                                  \
    { sizeof(pool_workers_options), NULL, 0, 0, 0, 0, NULL, NULL, NULL, NULL, NULL, 0, 0 }
/* clang-format on */

/* Fill `options` as POOL_WORKERS_OPTIONS_INIT does; see pool_objects_options_init().
 * Threads: any. Blocks: never. Errors: POOL_EINVAL. Since: 0.1 */
POOL_API pool_status pool_workers_options_init(pool_workers_options *options, size_t size);

/* Make a pool. `options` may be NULL for all defaults.
 *
 * Ownership: *out is the caller's until pool_workers_destroy(). On failure *out is NULL and ctx_free
 *            has been called,
 *            unless options->size is unusable: then nothing else in there is looked at.
 * Threads:   any.
 * Blocks:    until min_workers threads have been created.
 * Errors:    POOL_EINVAL, POOL_ENOTSUP, POOL_ENOMEM, POOL_ENOTHREAD (min_workers could not be
 *            started).
 * Since:     0.1 */
POOL_API pool_status pool_workers_create(const pool_workers_options *options, pool_workers **out);

/* Have `task(arg)` run. Waits for room while the queue is full.
 *
 * Threads:   any, workers of the pool included.
 * Blocks:    while the queue is full; a worker of the pool never waits here, its tasks may exceed
 *            queue_capacity.
 * Errors:    POOL_EINVAL (pool or task NULL), POOL_ECLOSED (stopped), POOL_ENOMEM, POOL_ENOTHREAD (no
 *            worker exists and none could be started; the task was not taken).
 * Since:     0.1 */
POOL_API pool_status pool_workers_submit(pool_workers *pool, pool_workers_task_fn task, void *arg);

/* As pool_workers_submit(), but POOL_EFULL instead of waiting. Since: 0.1 */
POOL_API pool_status pool_workers_try_submit(pool_workers *pool, pool_workers_task_fn task,
                                             void *arg);

/* As pool_workers_submit(), but waits at most `timeout` nanoseconds: POOL_ETIMEDOUT. Since: 0.1 */
POOL_API pool_status pool_workers_submit_timed(pool_workers *pool, pool_workers_task_fn task,
                                               void *arg, int64_t timeout);

/* What becomes of tasks that have not started when the pool stops. */
typedef int32_t pool_workers_stop_mode;
enum {
    POOL_WORKERS_DRAIN = 1,  /* they run first */
    POOL_WORKERS_DISCARD = 2 /* they are dropped */
};

/* The outcome of a stop. */
typedef struct pool_workers_report {
    size_t size;        /* sizeof(pool_workers_report), set by the caller */
    uint64_t ran;       /* tasks that ran since the pool was made */
    uint64_t discarded; /* tasks that were dropped unstarted */
    uint64_t running;   /* tasks still running or waiting to; 0 unless the wait timed out */
} pool_workers_report;

/* Take no more tasks, deal with the waiting ones as `mode` says, and wait until no task runs. The
 * first stop decides the mode; every caller waits for the same end. `report` may be NULL.
 *
 * Threads:   any but the pool's own workers.
 * Blocks:    at most `timeout` nanoseconds; 0 only starts the stop.
 * Errors:    POOL_EINVAL, POOL_ETIMEDOUT (stopping goes on), POOL_EDEADLK (called from a task of
 *            this pool).
 * Since:     0.1 */
POOL_API pool_status pool_workers_stop(pool_workers *pool, pool_workers_stop_mode mode,
                                       int64_t timeout, pool_workers_report *report);

/* Wait until no task is waiting or running. Tasks may be submitted meanwhile.
 *
 * Threads:   any but the pool's own workers.
 * Blocks:    at most `timeout` nanoseconds.
 * Errors:    POOL_EINVAL, POOL_ETIMEDOUT, POOL_EDEADLK (called from a task of this pool).
 * Since:     0.1 */
POOL_API pool_status pool_workers_wait_idle(pool_workers *pool, int64_t timeout);

/* Counters since the pool was made, and its state now. */
typedef struct pool_workers_stats {
    size_t size;                 /* sizeof(pool_workers_stats), set by the caller */
    uint64_t submitted;          /* tasks accepted */
    uint64_t succeeded;          /* tasks that returned */
    uint64_t failed;             /* tasks that threw */
    uint64_t discarded;          /* tasks dropped unstarted by a stop */
    uint64_t rejected;           /* submissions refused: full, timed out or stopped */
    uint64_t waiting;            /* tasks in the queue now */
    uint64_t running;            /* tasks running now */
    uint64_t workers;            /* threads now */
    uint64_t idle;               /* of these, without a task */
    uint64_t blocked_submitters; /* threads waiting for room now */
    uint64_t max_workers;
    uint64_t queue_capacity;
} pool_workers_stats;

/* Fill `stats`; see pool_objects_get_stats().
 * Threads: any. Blocks: never. Errors: POOL_EINVAL. Since: 0.1 */
POOL_API pool_status pool_workers_get_stats(pool_workers *pool, pool_workers_stats *stats);

/* Stop, discarding what waits if no stop came before, join every thread and end the pool. NULL is
 * ignored.
 *
 * Threads:   no other thread may be in a call on this pool.
 * Blocks:    until the running tasks have returned.
 * Errors:    POOL_EDEADLK (called from a task of this pool; nothing changed).
 * Since:     0.1 */
POOL_API pool_status pool_workers_destroy(pool_workers *pool);

#ifdef __cplusplus
}
#endif

#endif
