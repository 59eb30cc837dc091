/* pool/worker_groups.h - tasks that belong together.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 *     pool_workers_group *group;
 *     pool_workers_group_create(pool, NULL, &group);
 *     for (size_t i = 0; i < count; i++)
 *         pool_workers_group_submit(group, check, &files[i]);
 *     pool_status status = pool_workers_group_wait(group, POOL_FOREVER);
 *     pool_workers_group_destroy(group);
 *
 * A task may make a group of its own and wait for it: meanwhile its worker runs tasks of that group,
 * and of groups that those make, and no others. So nothing foreign runs on top of a task that holds
 * a lock, and one worker is enough for any depth.
 *
 * Tasks that a worker submits to a group stay with that worker, the newest first, until they are
 * waited for or another worker has nothing to do and takes the oldest.
 */
#ifndef POOL_WORKER_GROUPS_H
#define POOL_WORKER_GROUPS_H

#include "worker_tasks.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct pool_workers_group pool_workers_group;

/* For flags. */
enum {
    POOL_WORKERS_GROUP_KEEP_GOING = 1, /* a failure does not cancel the others */
    POOL_WORKERS_GROUP_RESULTS = 2     /* keep how each task ended, for _result() and _next() */
};

typedef struct pool_workers_group_options {
    size_t size;      /* sizeof(pool_workers_group_options) */
    uint32_t flags;   /* POOL_WORKERS_GROUP_KEEP_GOING, _RESULTS */
    int32_t priority; /* of its tasks: POOL_WORKERS_LOW, _NORMAL, _HIGH */
    int64_t within;   /* nanoseconds: the group is cancelled then; 0: no limit */
    const char *name; /* of its tasks; must outlive the pool; NULL: "" */
} pool_workers_group_options;

#define POOL_WORKERS_GROUP_OPTIONS_INIT                                                            \
    { sizeof(pool_workers_group_options), 0, 0, 0, NULL }

/* Fill `options` as POOL_WORKERS_GROUP_OPTIONS_INIT does; see pool_objects_options_init().
 * Threads: any. Blocks: never. Errors: POOL_EINVAL. Since: 0.1 */
POOL_API pool_status pool_workers_group_options_init(pool_workers_group_options *options,
                                                     size_t size);

/* Make a group. Made by a task of a group, it is inside that one: cancelled with it, but waited for by
 * its maker. `options` may be NULL.
 *
 * Ownership: *out is the caller's until pool_workers_group_destroy().
 * Threads:   any. Blocks: never. Errors: POOL_EINVAL, POOL_ENOTSUP, POOL_ENOMEM. Since: 0.1 */
POOL_API pool_status pool_workers_group_create(pool_workers *pool,
                                               const pool_workers_group_options *options,
                                               pool_workers_group **out);

/* Submit a task to the group, as pool_workers_submit() does to the pool. A group that was cancelled
 * takes no more: POOL_ECANCELED.
 *
 * Threads: any. Blocks: as pool_workers_submit(). Errors: as there; POOL_ECANCELED.
 * Since: 0.1 */
POOL_API pool_status pool_workers_group_submit(pool_workers_group *group, pool_workers_task_fn task,
                                               void *arg);

/* The same for a task that lives in *node, which must stay where it is until the task begins.
 * Threads: any. Blocks: as pool_workers_submit(). Errors: as pool_workers_group_submit().
 * Since: 0.1 */
POOL_API pool_status pool_workers_group_submit_node(pool_workers_group *group,
                                                    pool_workers_node *node,
                                                    pool_workers_task_fn task, void *arg);

/* Wait until no task of the group waits or runs. Then it is as new, but for what it keeps for
 * _result() and _next(), and can be used again.
 *
 * Threads: any. On a worker of the pool it runs tasks of the group meanwhile.
 * Blocks:  at most `timeout` nanoseconds, and as long as a task takes that it runs.
 * Returns: POOL_OK, or how the first one that failed did: POOL_ETASK (the last error has its message);
 *          POOL_ECANCELED (the group was cancelled, or its time is over), POOL_ECLOSED, POOL_EFULL,
 *          POOL_EFORKED (tasks were dropped); POOL_ETIMEDOUT (tasks still wait or run), POOL_EINVAL,
 *          POOL_EDEADLK (called by one of its own tasks).
 * Since:   0.1 */
POOL_API pool_status pool_workers_group_wait(pool_workers_group *group, int64_t timeout);

/* Those of its tasks that have not started never will, those that run are told by their flag.
 * Threads: any. Blocks: never. Errors: POOL_EINVAL. Since: 0.1 */
POOL_API pool_status pool_workers_group_cancel(pool_workers_group *group);

/* With POOL_WORKERS_GROUP_RESULTS: how task number `index` ended, in the order of submission from 0 on.
 * Threads: any. Blocks: never. Errors: POOL_EINVAL (no such task, or no results are kept), POOL_EAGAIN
 * (it has not ended). Since: 0.1 */
POOL_API pool_status pool_workers_group_result(pool_workers_group *group, size_t index,
                                               pool_workers_task_info *info);

/* With POOL_WORKERS_GROUP_RESULTS: the next one to end, in the order in which they do, each once.
 * `index` may be NULL.
 * Threads: any but the pool's own workers (POOL_EDEADLK). Blocks: at most `timeout` nanoseconds.
 * Errors: POOL_EINVAL, POOL_EAGAIN (none is left), POOL_ETIMEDOUT. Since: 0.1 */
POOL_API pool_status pool_workers_group_next(pool_workers_group *group, int64_t timeout,
                                             size_t *index, pool_workers_task_info *info);

/* Cancel what is left, wait for what runs, and free the group. NULL is ignored.
 * Threads: no other call on the group. Blocks: until its tasks have returned. Errors: POOL_EDEADLK
 * (called by one of its own tasks; nothing changed). Since: 0.1 */
POOL_API pool_status pool_workers_group_destroy(pool_workers_group *group);

#ifdef __cplusplus
}
#endif

#endif
