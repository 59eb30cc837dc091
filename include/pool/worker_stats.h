/* pool/worker_stats.h - what can be seen of a pool of workers.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * All counters are in pool_stats_write() too, as text, JSON and Prometheus.
 */
#ifndef POOL_WORKER_STATS_H
#define POOL_WORKER_STATS_H

#include "workers.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Counters since the pool was made, and its state now.
 *     submitted = succeeded + failed + cancelled + dropped + discarded + waiting + running */
typedef struct pool_workers_stats {
    size_t size;                 /* sizeof(pool_workers_stats), set by the caller */
    uint64_t submitted;          /* tasks accepted */
    uint64_t succeeded;          /* tasks that returned */
    uint64_t failed;             /* tasks that threw, ended their thread, or said so */
    uint64_t discarded;          /* tasks dropped unstarted by a stop, or by a fork */
    uint64_t rejected;           /* submissions refused: full, timed out or stopped */
    uint64_t waiting;            /* tasks in the queue now */
    uint64_t running;            /* tasks running now */
    uint64_t workers;            /* threads now */
    uint64_t idle;               /* of these, without a task */
    uint64_t blocked_submitters; /* threads waiting for room now */
    uint64_t max_workers;
    uint64_t queue_capacity;

    uint64_t cancelled;   /* tasks cancelled, before they started or while they ran */
    uint64_t dropped;     /* tasks dropped because the queue was full or they were too late */
    uint64_t stolen;      /* tasks of groups that another worker took over */
    uint64_t started;     /* threads that were ever started */
    uint64_t start_fails; /* threads that could not be started */
    uint64_t replaced;    /* threads that a task has ended */
    uint64_t min_workers;
    uint64_t waiting_bytes; /* weights of the tasks in the queue */
    uint64_t paused;        /* pauses in force now */
    uint64_t memory_bytes;  /* that the pool itself takes, from the allocator */
} pool_workers_stats;

/* Fill `stats`; see pool_objects_get_stats().
 * Threads: any. Blocks: never. Errors: POOL_EINVAL. Since: 0.1 */
POOL_API pool_status pool_workers_get_stats(pool_workers *pool, pool_workers_stats *stats);

/* ---- histograms ------------------------------------------------------------------------------ */

typedef int32_t pool_workers_time;
enum {
    POOL_WORKERS_WAIT_TIME = 1, /* from the submission of a task to its start */
    POOL_WORKERS_RUN_TIME = 2 /* of a task; both: of all that were started with a handle, and of the
                                      others of every 64th, and of every 8th for which a worker had to
                                      be woken */
};

#define POOL_WORKERS_BUCKETS 48

/* Bucket 0 counts times below 1 us; bucket n, those below 2^(n/2) us and not in an earlier one, in
 * steps of a half power of two; the last one everything above. */
typedef struct pool_workers_histogram {
    size_t size;    /* sizeof(pool_workers_histogram), set by the caller */
    uint64_t count; /* of times */
    uint64_t sum;   /* of them, nanoseconds */
    uint64_t most;  /* the longest one */
    uint64_t buckets[POOL_WORKERS_BUCKETS];
} pool_workers_histogram;

/* Fill `histogram` with what was measured since the pool was made.
 * Threads: any. Blocks: never. Errors: POOL_EINVAL. Since: 0.1 */
POOL_API pool_status pool_workers_get_histogram(pool_workers *pool, pool_workers_time which,
                                                pool_workers_histogram *histogram);

/* The time that `percent` of 100 times in a histogram do not exceed, nanoseconds, rounded up to a
 * bucket's end, and never above the longest one. 0 for an empty histogram or one that is NULL.
 * Threads: any. Blocks: never. Errors: none. Since: 0.1 */
POOL_API int64_t pool_workers_histogram_percentile(const pool_workers_histogram *histogram,
                                                   double percent);

/* ---- what runs now --------------------------------------------------------------------------- */

typedef struct pool_workers_running {
    size_t size;      /* sizeof(pool_workers_running) */
    const char *name; /* the task's; "" if it has none */
    void *arg;
    int64_t age;       /* nanoseconds since it started, to within some milliseconds for a task that
                            runs for less than that */
    uint32_t worker;   /* the number in its thread's name */
    int32_t cancelled; /* is its flag set? */
} pool_workers_running;

typedef void (*pool_workers_running_fn)(const pool_workers_running *task, void *arg);

/* Call `visit` for every task that has been running for at least `min_age` nanoseconds. A program
 * that wants to hear of stuck tasks calls this from time to time, or has on_stuck called.
 * Threads: any. Blocks: never; `visit` runs under no lock. Errors: POOL_EINVAL, POOL_ENOMEM.
 * Since: 0.1 */
POOL_API pool_status pool_workers_visit_running(pool_workers *pool, int64_t min_age,
                                                pool_workers_running_fn visit, void *arg);

/* Have `on_stuck` called for each task that runs for longer than `threshold` nanoseconds, once, by the
 * thread that sweeps (see pool_objects_options.sweep_period), which exists from then on. A threshold
 * of 0 ends that.
 * Threads: any. Blocks: until a call of `on_stuck` has returned. Errors: POOL_EINVAL, POOL_ENOTHREAD.
 * Since: 0.1 */
POOL_API pool_status pool_workers_watch_stuck(pool_workers *pool, int64_t threshold,
                                              pool_workers_running_fn on_stuck, void *arg);

#ifdef __cplusplus
}
#endif

#endif
