/* goworkers.c - results and errors as they come, as from dpaks/goworkers' two channels.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#define _POSIX_C_SOURCE 200809L
#include "kit.h"

/* goworkers.New(goworkers.Options{Workers: workers}) */
static pool_workers *goworkers(uint32_t workers) {
    pool_workers_options options = POOL_WORKERS_OPTIONS_INIT;
    options.max_workers = workers != 0 ? workers : POOL_WORKERS_UNLIMITED;
    options.queue_capacity = POOL_WORKERS_UNBOUNDED; /* there: a goroutine for each job too many */
    options.idle_timeout = POOL_WORKERS_KEEP;
    pool_workers *pool;
    check(pool_workers_create(&options, &pool));
    return pool;
}

/* func() (interface{}, error) { ... } */
static void divide(void *arg) {
    int *divisor = arg;
    if (*divisor == 0) {
        pool_workers_self_fail(1, "division by zero");
        return;
    }
    *divisor = 120 / *divisor;
    pool_workers_self_result(divisor);
}

int main(void) {
    pool_workers *pool = goworkers(3);
    int numbers[] = {0, 1, 2, 3, 4, 0};
    pool_workers_group_options both = POOL_WORKERS_GROUP_OPTIONS_INIT;
    both.flags = POOL_WORKERS_GROUP_KEEP_GOING | POOL_WORKERS_GROUP_RESULTS;
    pool_workers_group *jobs;
    check(pool_workers_group_create(pool, &both, &jobs));
    for (int i = 0; i < 6; i++)
        check(pool_workers_group_submit(jobs, divide, &numbers[i])); /* gw.SubmitCheckResult(f) */

    /* for { select { case err := <-gw.ErrChan: ...; case res := <-gw.ResultChan: ... } } */
    int sum = 0;
    pool_workers_task_info ended = {.size = sizeof ended};
    while (pool_workers_group_next(jobs, POOL_FOREVER, NULL, &ended) == POOL_OK) {
        if (ended.status == POOL_OK)
            sum += *(int *)ended.result;
        else
            printf("%s, ", ended.message);
    }
    printf("sum %d\n", sum);
    check(pool_workers_group_destroy(jobs));

    check(pool_workers_wait_idle(pool, POOL_FOREVER));                      /* gw.Wait(false) */
    check(pool_workers_stop(pool, POOL_WORKERS_DRAIN, POOL_FOREVER, NULL)); /* gw.Stop(false) */
    return pool_workers_destroy(pool) != POOL_OK;
}
