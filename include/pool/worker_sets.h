/* pool/worker_sets.h - subpools, several pools behind one front, and the pacer.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef POOL_WORKER_SETS_H
#define POOL_WORKER_SETS_H

#include "worker_tasks.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- subpools: a share of a pool's workers --------------------------------------------------- */

/* Make a pool that has no workers of its own but runs on those of `parent`, on at most max_workers of
 * them at once (0: as many as parent has). It has its own queue, bound, policy and counters, can be
 * paused, resized and stopped by itself, and is a pool for every other function. Its tasks count in
 * parent's statistics too, and take their turn among parent's own.
 *
 * Of `options` (may be NULL) those about threads must be zero: min_workers, stack_size, on_thread_*,
 * idle_*, reap, spawn_rate, cpus, the functions of the worker's state.
 *
 * Ownership: as pool_workers_create(); to be destroyed before parent.
 * Threads:   any. Blocks: never.
 * Errors:    as pool_workers_create(); POOL_EINVAL (max_workers above parent's, or parent is a
 *            subpool), POOL_ECLOSED (parent is stopped).
 * Since:     0.1 */
POOL_API pool_status pool_workers_create_sub(pool_workers *parent,
                                             const pool_workers_options *options,
                                             pool_workers **out);

/* ---- several pools behind one front ---------------------------------------------------------- */

typedef struct pool_workers_multi pool_workers_multi;

/* Which pool gets the next task. */
typedef int32_t pool_workers_balance;
enum {
    POOL_WORKERS_ROUND_ROBIN =
        1,                       /* each in turn, from the first one on; if it is full, the one with
                                        the fewest tasks */
    POOL_WORKERS_LEAST_TASKS = 2 /* the one with the fewest tasks, waiting and running */
};

/* Make `count` pools (1 to 1024), each with these options. Their names get "-<index>" behind.
 *
 * Ownership: *out is the caller's until pool_workers_multi_destroy(). With more than one pool ctx_free
 *            must be NULL.
 * Threads, Blocks, Errors: as pool_workers_create().
 * Since:     0.1 */
POOL_API pool_status pool_workers_multi_create(uint32_t count, pool_workers_balance balance,
                                               const pool_workers_options *options,
                                               pool_workers_multi **out);

/* As pool_workers_submit(), on the pool whose turn it is.
 * Threads: any. Blocks: as there. Errors: as there. Since: 0.1 */
POOL_API pool_status pool_workers_multi_submit(pool_workers_multi *multi, pool_workers_task_fn task,
                                               void *arg);

/* As pool_workers_try_submit(), on the pool whose turn it is.
 * Threads: any. Blocks: never. Errors: as there. Since: 0.1 */
POOL_API pool_status pool_workers_multi_try_submit(pool_workers_multi *multi,
                                                   pool_workers_task_fn task, void *arg);

/* One of the pools, for everything else; NULL for an index that there is not. It stays multi's.
 * Threads: any. Blocks: never. Errors: none. Since: 0.1 */
POOL_API pool_workers *pool_workers_multi_pool(pool_workers_multi *multi, uint32_t index);

/* How many pools. 0 for NULL. Threads: any. Blocks: never. Errors: none. Since: 0.1 */
POOL_API uint32_t pool_workers_multi_count(pool_workers_multi *multi);

/* Stop all pools at once, as pool_workers_stop() does one; the report (may be NULL) is their sum.
 * Threads: any but the pools' own workers. Blocks: at most `timeout` nanoseconds. Errors: as there.
 * Since: 0.1 */
POOL_API pool_status pool_workers_multi_stop(pool_workers_multi *multi, pool_workers_stop_mode mode,
                                             int64_t timeout, pool_workers_report *report);

/* Destroy all pools. NULL is ignored. As pool_workers_destroy() otherwise. Since: 0.1 */
POOL_API pool_status pool_workers_multi_destroy(pool_workers_multi *multi);

/* ---- the pacer ------------------------------------------------------------------------------- */

/* Keeps things apart in time: a minimum distance between starts, whoever starts them. */
typedef struct pool_workers_pacer pool_workers_pacer;

/* `distance` in nanoseconds, at least 1. Ownership: *out is the caller's until _destroy().
 * Threads: any. Blocks: never. Errors: POOL_EINVAL, POOL_ENOMEM. Since: 0.1 */
POOL_API pool_status pool_workers_pacer_create(int64_t distance, pool_workers_pacer **out);

/* Wait for the next start: at once for the first one, else until `distance` after the one before. A
 * task calls this first of all. Callers go on in the order in which they came.
 *
 * Threads: any. Blocks: at most `timeout` nanoseconds, and while the pacer is paused.
 * Errors:  POOL_EINVAL, POOL_ETIMEDOUT (its start is free for others), POOL_ECLOSED (stopped).
 * Since:   0.1 */
POOL_API pool_status pool_workers_pacer_wait(pool_workers_pacer *pacer, int64_t timeout);

/* Hold back all starts. Threads: any. Blocks: never. Errors: POOL_EINVAL. Since: 0.1 */
POOL_API pool_status pool_workers_pacer_pause(pool_workers_pacer *pacer);

/* Let them go on. Threads: any. Blocks: never. Errors: POOL_EINVAL. Since: 0.1 */
POOL_API pool_status pool_workers_pacer_resume(pool_workers_pacer *pacer);

/* Every wait, now and later, fails with POOL_ECLOSED.
 * Threads: any. Blocks: never. Errors: POOL_EINVAL. Since: 0.1 */
POOL_API pool_status pool_workers_pacer_stop(pool_workers_pacer *pacer);

/* Free it. NULL is ignored.
 * Threads: no other call on it. Blocks: never. Errors: none. Since: 0.1 */
POOL_API void pool_workers_pacer_destroy(pool_workers_pacer *pacer);

#ifdef __cplusplus
}
#endif

#endif
