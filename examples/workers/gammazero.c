/* gammazero.c - a queue without a bound in front of a few workers, as gammazero/workerpool has it.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#define _POSIX_C_SOURCE 200809L
#include "kit.h"

/* workerpool.New(max, workerpool.WithIdleTimeout(2 * time.Second)) */
static pool_workers *workerpool(uint32_t max) {
    pool_workers_options options = POOL_WORKERS_OPTIONS_INIT;
    options.max_workers = max;
    options.queue_capacity = POOL_WORKERS_UNBOUNDED; /* Submit never blocks */
    options.idle_timeout = 2 * SECOND;               /* one worker ends per period without a task */
    options.reap = POOL_WORKERS_REAP_ONE;
    pool_workers *pool;
    check(pool_workers_create(&options, &pool));
    return pool;
}

/* pacer.Pace(func() { ... }) */
struct paced {
    pool_workers_pacer *pacer;
    int requests;
};

static void request(void *arg) {
    struct paced *paced = arg;
    check(pool_workers_pacer_wait(paced->pacer, POOL_FOREVER));
    count(&paced->requests);
}

int main(void) {
    pool_workers *pool = workerpool(2);
    struct paced paced = {0};
    check(pool_workers_pacer_create(MILLISECOND, &paced.pacer)); /* pacer.NewPacer(delay) */

    check(pool_workers_pause(pool, POOL_FOREVER)); /* wp.Pause(ctx) */
    for (int i = 0; i < 6; i++)
        check(pool_workers_submit(pool, request, &paced)); /* wp.Submit(f) */
    printf("%d waiting, ", (int)stats_of(pool).waiting);   /* wp.WaitingQueueSize() */
    check(pool_workers_resume(pool));                      /* cancel() */

    check(pool_workers_run(pool, request, &paced, POOL_FOREVER));           /* wp.SubmitWait(f) */
    check(pool_workers_stop(pool, POOL_WORKERS_DRAIN, POOL_FOREVER, NULL)); /* wp.StopWait() */
    printf("%d done, ", paced.requests);
    printf("then %s\n", pool_status_name(pool_workers_submit(pool, request, &paced)));
    check(pool_workers_destroy(pool));
    pool_workers_pacer_destroy(paced.pacer);
    return 0;
}
