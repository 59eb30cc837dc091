/* grpool.c - so many goroutines behind a channel of that length, as ivpusic/grpool has them.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#define _POSIX_C_SOURCE 200809L
#include "kit.h"

/* grpool.NewPool(workers, jobQueueLen) */
static pool_workers *grpool(uint32_t workers, uint64_t job_queue_len) {
    pool_workers_options options = POOL_WORKERS_OPTIONS_INIT;
    options.max_workers = options.min_workers = workers; /* all at once, until Release */
    options.queue_capacity = job_queue_len != 0 ? job_queue_len : POOL_WORKERS_HANDOFF;
    pool_workers *pool;
    check(pool_workers_create(&options, &pool));
    return pool;
}

int main(void) {
    pool_workers *pool = grpool(3, 5);
    int done = 0;

    /* pool.WaitCount(20); each job calls pool.JobDone(); pool.WaitAll() */
    pool_workers_group *jobs;
    check(pool_workers_group_create(pool, NULL, &jobs));
    for (int i = 0; i < 20; i++)
        check(pool_workers_group_submit(jobs, count, &done)); /* pool.JobQueue <- job */
    check(pool_workers_group_wait(jobs, POOL_FOREVER));
    check(pool_workers_group_destroy(jobs));
    printf("%d jobs on %d workers, ", done, (int)stats_of(pool).workers);

    check(pool_workers_stop(pool, POOL_WORKERS_DISCARD, POOL_FOREVER, NULL)); /* pool.Release() */
    printf("then %s\n", pool_status_name(pool_workers_submit(pool, count, &done)));
    return pool_workers_destroy(pool) != POOL_OK;
}
