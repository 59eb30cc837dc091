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
 * Tasks of one priority start in the order in which they were submitted. Threads are started when
 * there is a task and no idle worker, up to max_workers. Asynchronous signals are blocked in them,
 * SIGPROF excepted.
 *
 * Here is the pool itself and the plain way to submit. Beside it:
 *     worker_tasks.h   tasks with a handle, a priority, a key, a deadline; what a task may call
 *     worker_groups.h  tasks that belong together: wait for all, stop at the first error
 *     worker_sets.h    subpools, several pools behind one front, and the pacer
 *     worker_stats.h   counters, histograms, what runs now
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
 * stop. A C++ exception that leaves it is counted as a failure; the worker goes on. A task may end
 * its thread (pthread_exit, pthread_cancel): it has failed then, and the worker is replaced. */
typedef void (*pool_workers_task_fn)(void *arg);

/* ---- options --------------------------------------------------------------------------------- */

/* For queue_capacity. */
#define POOL_WORKERS_UNBOUNDED UINT64_MAX     /* no bound */
#define POOL_WORKERS_HANDOFF (UINT64_MAX - 1) /* no queue: a task is taken when a worker is free */

/* For max_workers: no bound but 65536. */
#define POOL_WORKERS_UNLIMITED UINT32_MAX

/* What submit does while the queue is full. */
typedef int32_t pool_workers_full;
enum {
    POOL_WORKERS_BLOCK = 0,       /* waits for room */
    POOL_WORKERS_FAIL = 1,        /* fails with POOL_EFULL */
    POOL_WORKERS_CALLER_RUNS = 2, /* runs the task on its own thread before it returns */
    POOL_WORKERS_DROP_NEWEST = 3, /* drops the task, and returns POOL_OK */
    POOL_WORKERS_DROP_OLDEST = 4  /* drops the one that has waited longest, and takes the new one */
};

/* What becomes of workers that have been idle for idle_timeout. */
typedef int32_t pool_workers_reap;
enum {
    POOL_WORKERS_REAP_ALL = 0, /* all of them end */
    POOL_WORKERS_REAP_ONE = 1 /* one ends, and the next one no earlier than an idle_timeout later */
};

/* Which idle worker gets the next task. */
typedef int32_t pool_workers_order;
enum {
    POOL_WORKERS_LIFO = 0, /* the one that was busy last: its caches are warm, the others get old */
    POOL_WORKERS_FIFO = 1  /* the one that has been idle longest: all are kept in turn */
};

/* For idle_timeout. */
#define POOL_WORKERS_KEEP (-1)    /* idle workers stay until the pool stops */
#define POOL_WORKERS_AT_ONCE (-2) /* a worker that finds no task ends */

/* For spawn_rate. */
#define POOL_WORKERS_BALANCED UINT32_MAX   /* half of the CPUs that the process may use */
#define POOL_WORKERS_LAZY (UINT32_MAX - 1) /* as many as those */

/* For flags. */
enum {
    POOL_WORKERS_ONE_CPU_EACH = 1, /* bind worker n to cpus[n % cpu_count] alone */
    POOL_WORKERS_LET_THROW = 2     /* do not catch what a task throws: it ends the process */
};

/* A worker with a state of its own, for resources that are expensive or not shared between threads
 * (an interpreter, a device, a connection). Every function gets `ctx` of the options last. */

/* On the new thread, after on_thread_start: store the worker's state. Any status but POOL_OK ends the
 * thread, which counts as one that could not be started. */
typedef pool_status (*pool_workers_state_new_fn)(void **state, void *ctx);
/* On the worker, once before each task, and before it is taken: may block, and the worker is out of
 * service as long. */
typedef void (*pool_workers_ready_fn)(void *state, void *ctx);
/* On the worker: what it does with each payload given to pool_workers_process() or _submit_payload().
 * The result is for process(). */
typedef void *(*pool_workers_process_fn)(void *payload, void *state, void *ctx);
/* On the thread that cancels, or whose process() timed out, while the worker runs that task. */
typedef void (*pool_workers_interrupt_fn)(void *state, void *ctx);
/* On the worker, before on_thread_exit. */
typedef void (*pool_workers_state_free_fn)(void *state, void *ctx);

/* A task that will never run: `status` says why (POOL_EFULL: dropped by the policy; POOL_ETIMEDOUT:
 * not started in time; POOL_ECANCELED; POOL_ECLOSED: the pool stopped; POOL_EFORKED). Its `arg` may
 * be freed here. On the thread that found out, under no lock; may submit, but not wait. Not for tasks of
 * pool_workers_run(), _process(), _run_here() and _start_now(), whose callers hear of it themselves. */
typedef void (*pool_workers_drop_fn)(void *arg, pool_status status, void *ctx);

/* A task that has failed: its code and message (see worker_tasks.h), valid during the call. On its
 * worker, before it takes another task. Without this function the log (pool_config_set_log()) gets a line
 * for each failure that nobody hears of otherwise, as there is no handle and no group. */
typedef void (*pool_workers_failed_fn)(void *arg, int32_t code, const char *message, void *ctx);

/* Around each task, on its worker. `name` is the task's, or "". */
typedef void (*pool_workers_observer_fn)(const char *name, void *arg, void *ctx);

typedef struct pool_workers_options {
    size_t size;          /* sizeof(pool_workers_options) */
    const char *name;     /* threads are called "<name>-<number>", cut to 15 bytes; for statistics
                                too; copied, cut to 63 bytes; NULL: "pool" */
    uint32_t max_workers; /* 1 to 65536, or POOL_WORKERS_UNLIMITED; 0: the CPUs that the process may
                                use, by affinity and cgroup quota, at least 1 */
    uint32_t min_workers; /* started by create, and never ended for being idle; 0 to max_workers */
    uint64_t queue_capacity;         /* tasks waiting at most; 0: 65536; POOL_WORKERS_UNBOUNDED;
                                          POOL_WORKERS_HANDOFF */
    uint64_t stack_size;             /* bytes of each thread's stack; 0: the system's default */
    pool_thread_fn on_thread_start;  /* first and last thing on every worker; either may be NULL. */
    pool_thread_fn on_thread_exit;   /* Nobody waits for the first one, create does not either. */
    void *ctx;                       /* handed to every callback of these options */
    void (*ctx_free)(void *ctx);     /* called once, by destroy or by a create that fails */
    const pool_allocator *allocator; /* for the pool's own memory; copied; NULL: the default */
    pool_cpu_mode cpu_mode;          /* see pool_cpu_mode */
    uint32_t flags;                  /* POOL_WORKERS_ONE_CPU_EACH, _LET_THROW */

    pool_workers_full full; /* what submit does while the queue is full */
    uint32_t max_blocked;   /* threads that may wait for room: more fail with POOL_EFULL;
                                        0: any number */
    uint64_t queue_bytes;   /* weights of waiting tasks together, at most; 0: no bound. A task
                                        heavier than that is taken when nothing waits */
    int64_t idle_timeout;   /* nanoseconds; 0: 60 s; POOL_WORKERS_KEEP; POOL_WORKERS_AT_ONCE */
    pool_workers_reap reap; /* which workers end once they have been idle for so long */
    pool_workers_order idle_order;
    uint32_t spawn_rate;  /* with no idle worker, but at least one: start another for every
                                        so many tasks; 0: 1; POOL_WORKERS_BALANCED, _LAZY */
    uint32_t cpu_count;   /* of cpus; 0: wherever the process may run */
    const uint32_t *cpus; /* numbers of CPUs that the workers are bound to; copied */
    pool_workers_state_new_fn state_new; /* workers with a state; all five may be NULL */
    pool_workers_ready_fn ready;
    pool_workers_process_fn process;
    pool_workers_interrupt_fn interrupt;
    pool_workers_state_free_fn state_free;
    pool_workers_drop_fn on_drop; /* any of these may be NULL */
    pool_workers_failed_fn on_failed;
    pool_workers_observer_fn on_task_begin;
    pool_workers_observer_fn on_task_end;
} pool_workers_options;

/* clang-format off */
#define POOL_WORKERS_OPTIONS_INIT                                                                  \
    { sizeof(pool_workers_options), NULL, 0, 0, 0, 0, NULL, NULL, NULL, NULL, NULL, 0, 0, 0, 0, 0, \
      0, 0, 0, 0, 0, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL }
/* clang-format on */

/* Fill `options` as POOL_WORKERS_OPTIONS_INIT does; see pool_objects_options_init().
 * Threads: any. Blocks: never. Errors: POOL_EINVAL. Since: 0.1 */
POOL_API pool_status pool_workers_options_init(pool_workers_options *options, size_t size);

/* Make a pool. `options` may be NULL for all defaults.
 *
 * Ownership: *out is the caller's until pool_workers_destroy(). On failure *out is NULL and ctx_free
 *            has been called, unless options->size is unusable: then nothing else in there is looked
 *            at.
 * Threads:   any.
 * Blocks:    until min_workers threads have been created, and have their state.
 * Errors:    POOL_EINVAL, POOL_ENOTSUP, POOL_ENOMEM, POOL_ENOTHREAD (min_workers could not be
 *            started).
 * Since:     0.1 */
POOL_API pool_status pool_workers_create(const pool_workers_options *options, pool_workers **out);

/* ---- submitting ------------------------------------------------------------------------------ */

/* Have `task(arg)` run. While the queue is full, what the option `full` says happens.
 *
 * Threads:   any, workers of the pool included.
 * Blocks:    with POOL_WORKERS_BLOCK, while the queue is full; a worker of the pool never waits here,
 *            its tasks may exceed queue_capacity. With POOL_WORKERS_CALLER_RUNS, while the task runs.
 * Errors:    POOL_EINVAL (pool or task NULL), POOL_ECLOSED (stopped), POOL_ENOMEM, POOL_ENOTHREAD (no
 *            worker exists and none could be started; the task was not taken), POOL_EFULL (with
 *            POOL_WORKERS_FAIL, or max_blocked threads wait already).
 * Since:     0.1 */
POOL_API pool_status pool_workers_submit(pool_workers *pool, pool_workers_task_fn task, void *arg);

/* As pool_workers_submit(), but POOL_EFULL while the queue is full, whatever `full` says.
 * Threads: any. Blocks: never. Errors: as there. Since: 0.1 */
POOL_API pool_status pool_workers_try_submit(pool_workers *pool, pool_workers_task_fn task,
                                             void *arg);

/* As pool_workers_submit(), but with POOL_WORKERS_BLOCK it waits at most `timeout` nanoseconds.
 * Threads: any. Blocks: as said. Errors: as there; POOL_ETIMEDOUT. Since: 0.1 */
POOL_API pool_status pool_workers_submit_timed(pool_workers *pool, pool_workers_task_fn task,
                                               void *arg, int64_t timeout);

/* One of many tasks. */
typedef struct pool_workers_item {
    pool_workers_task_fn task;
    void *arg;
} pool_workers_item;

/* Submit `count` tasks at once: they start in the order of `items`, and workers are woken once for all
 * of them. *accepted (may be NULL) says how many were taken, always the first ones.
 *
 * Threads, Blocks: as pool_workers_submit_timed(), until there was room for all.
 * Errors:    as there; the tasks that *accepted counts will run all the same.
 * Since:     0.1 */
POOL_API pool_status pool_workers_submit_bulk(pool_workers *pool, const pool_workers_item *items,
                                              size_t count, int64_t timeout, size_t *accepted);

/* Submit a payload for the option `process`.
 * Threads, Blocks: as pool_workers_submit_timed(). Errors: as there; POOL_EINVAL if the pool has no
 * `process`. Since: 0.1 */
POOL_API pool_status pool_workers_submit_payload(pool_workers *pool, void *payload,
                                                 int64_t timeout);

/* Hand a payload to `process` and wait for its result, at most `timeout` nanoseconds for both. A
 * task that has not started by then never will; one that runs is cancelled and interrupted, and its
 * result is lost: the payload must stay until it has ended. (With pool_workers_start() one can tell.)
 *
 * Threads: any. On a worker of the pool: POOL_EDEADLK.
 * Blocks:  at most `timeout` nanoseconds.
 * Errors:  POOL_EINVAL, POOL_ETIMEDOUT, POOL_ECLOSED, POOL_ENOMEM, POOL_ENOTHREAD, POOL_EFULL,
 *          POOL_ETASK (process threw; the last error says what).
 * Since:   0.1 */
POOL_API pool_status pool_workers_process(pool_workers *pool, void *payload, int64_t timeout,
                                          void **result);

/* Submit a task and wait until it has run, at most `timeout` nanoseconds for both. If it has not
 * started by then it never will; if it runs, it runs on, and `arg` must stay until it has ended.
 *
 * Threads: any. On a worker of the pool: POOL_EDEADLK.
 * Blocks:  at most `timeout` nanoseconds.
 * Errors:  as pool_workers_process().
 * Since:   0.1 */
POOL_API pool_status pool_workers_run(pool_workers *pool, pool_workers_task_fn task, void *arg,
                                      int64_t timeout);

/* Wait for a worker as a task would, and run `task(arg)` on the calling thread in that worker's
 * stead: no more than max_workers tasks run at once, this one included.
 *
 * Threads: any. On a worker of the pool the task runs at once, as a part of the one that runs there.
 * Blocks:  at most `timeout` nanoseconds before the task begins; with 0 only until a worker has woken
 *          up that is free now, or may be started.
 * Errors:  as pool_workers_process().
 * Since:   0.1 */
POOL_API pool_status pool_workers_run_here(pool_workers *pool, pool_workers_task_fn task, void *arg,
                                           int64_t timeout);

/* ---- size ------------------------------------------------------------------------------------ */

/* Change the bounds on workers: at once for new ones, while surplus ones end after the task that
 * they run. A `max` of 0 or one below `min` is refused.
 *
 * Threads: any, workers of the pool included.
 * Blocks:  until `min` threads have been created.
 * Errors:  POOL_EINVAL, POOL_ECLOSED, POOL_ENOMEM, POOL_ENOTHREAD (bounds are changed all the same).
 * Since:   0.1 */
POOL_API pool_status pool_workers_resize(pool_workers *pool, uint32_t min, uint32_t max);

/* ---- waiting, pausing, stopping -------------------------------------------------------------- */

/* Wait until no task is waiting or running. Tasks may be submitted meanwhile.
 *
 * Threads:   any but the pool's own workers.
 * Blocks:    at most `timeout` nanoseconds.
 * Errors:    POOL_EINVAL, POOL_ETIMEDOUT, POOL_EDEADLK (called from a task of this pool).
 * Since:     0.1 */
POOL_API pool_status pool_workers_wait_idle(pool_workers *pool, int64_t timeout);

/* Start no more tasks, and wait until those that run have returned. Tasks that are submitted
 * meanwhile wait in the queue. Pauses nest: as many resumes end them. A stop ends every pause.
 *
 * Threads:   any but the pool's own workers.
 * Blocks:    at most `timeout` nanoseconds; 0 only begins the pause.
 * Errors:    POOL_EINVAL, POOL_ETIMEDOUT (the pause is in force, but tasks still run), POOL_ECLOSED,
 *            POOL_EDEADLK.
 * Since:     0.1 */
POOL_API pool_status pool_workers_pause(pool_workers *pool, int64_t timeout);

/* End one pause. Threads: any. Blocks: never. Errors: POOL_EINVAL (no pause is in force), POOL_ECLOSED.
 * Since: 0.1 */
POOL_API pool_status pool_workers_resume(pool_workers *pool);

/* What becomes of tasks when the pool stops. */
typedef int32_t pool_workers_stop_mode;
enum {
    POOL_WORKERS_DRAIN = 1,   /* those that wait run first */
    POOL_WORKERS_DISCARD = 2, /* those that wait are dropped */
    POOL_WORKERS_CANCEL = 3   /* and those that run are told by their flag */
};

/* The outcome of a stop. */
typedef struct pool_workers_report {
    size_t size;        /* sizeof(pool_workers_report), set by the caller */
    uint64_t ran;       /* tasks that ran since the pool was made */
    uint64_t discarded; /* tasks that were dropped unstarted by the stop */
    uint64_t running;   /* tasks still running or waiting to; 0 unless the wait timed out */
    uint64_t waiting;   /* of these, not started yet */
} pool_workers_report;

/* Take no more tasks, deal with the others as `mode` says, and wait until no task runs. The first
 * stop decides the mode; every caller waits for the same end. `report` may be NULL.
 *
 * Threads:   any but the pool's own workers, which have pool_workers_stop_async().
 * Blocks:    at most `timeout` nanoseconds; 0 only starts the stop.
 * Errors:    POOL_EINVAL, POOL_ETIMEDOUT (stopping goes on), POOL_EDEADLK (called from a task of
 *            this pool).
 * Since:     0.1 */
POOL_API pool_status pool_workers_stop(pool_workers *pool, pool_workers_stop_mode mode,
                                       int64_t timeout, pool_workers_report *report);

/* As pool_workers_stop() with a timeout of 0, for a host that must not block (one that holds a global
 * lock): *fd becomes readable once no task runs. Then stop with a timeout of 0 has the report.
 *
 * Ownership: *fd is the pool's, valid until pool_workers_destroy() or _restart().
 * Threads:   any, workers of the pool included.
 * Blocks:    never.
 * Errors:    POOL_EINVAL, POOL_EIO (no descriptor; the stop goes on).
 * Since:     0.1 */
POOL_API pool_status pool_workers_stop_async(pool_workers *pool, pool_workers_stop_mode mode,
                                             int32_t *fd);

/* Take tasks again, once a stop has ended. Counters go on.
 *
 * Threads:   any but the pool's own workers.
 * Blocks:    until min_workers threads have been created.
 * Errors:    POOL_EINVAL, POOL_EAGAIN (not stopped, or the stop has not ended yet), POOL_ENOMEM,
 *            POOL_ENOTHREAD (it takes tasks all the same).
 * Since:     0.1 */
POOL_API pool_status pool_workers_restart(pool_workers *pool);

/* Stop, discarding what waits if no stop came before, join every thread and end the pool. Handles of
 * its tasks stay valid. NULL is ignored.
 *
 * Threads:   no other thread may be in a call on this pool.
 * Blocks:    until the running tasks have returned.
 * Errors:    POOL_EDEADLK (called from a task of this pool; nothing changed), POOL_EMISUSE (it has
 *            subpools or groups; nothing changed).
 * Since:     0.1 */
POOL_API pool_status pool_workers_destroy(pool_workers *pool);

#ifdef __cplusplus
}
#endif

#include "worker_stats.h"

#endif
