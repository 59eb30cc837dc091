/* gpool.c - a bound on what runs at once, also on the caller's own thread, as Sherifabdlnaby/gpool
 * has it.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#define _POSIX_C_SOURCE 200809L
#include "kit.h"

#include <pthread.h>

/* gpool.NewPool(size) */
static pool_workers *gpool(uint32_t size) {
    pool_workers_options options = POOL_WORKERS_OPTIONS_INIT;
    options.max_workers = size; /* 0: the CPUs, here and there */
    options.queue_capacity = POOL_WORKERS_HANDOFF;
    pool_workers *pool;
    check(pool_workers_create(&options, &pool));
    return pool;
}

struct job {
    int begun, go_on;
};

static void job(void *arg) {
    struct job *job = arg;
    count(&job->begun);
    wait_until(&job->go_on, 1);
}

static void on_this_thread(void *caller) {
    printf("%s thread\n", pthread_equal(*(pthread_t *)caller, pthread_self()) ? "own" : "another");
}

int main(void) {
    pool_workers *pool = gpool(1);
    struct job first = {0, 0};
    int ran = 0;

    /* pool.Enqueue(ctx, job): returns once it has started */
    check(pool_workers_start_now(pool, job, &first, NULL, 10 * SECOND, NULL));
    wait_until(&first.begun, 1);
    printf("%d running, ", (int)stats_of(pool).running); /* pool.GetCurrent() */

    /* pool.TryEnqueue(job): false; pool.Enqueue with a ctx that is done: ctx.Err() */
    printf("%s, ", pool_status_name(pool_workers_try_submit(pool, count, &ran)));
    pool_status status = pool_workers_start_now(pool, count, &ran, NULL, 5 * MILLISECOND, NULL);
    printf("%s, ", pool_status_name(status));

    check(pool_workers_resize(pool, 0, 2)); /* pool.Resize(2) */
    check(pool_workers_run(pool, count, &ran, POOL_FOREVER));
    printf("%d beside it, ", ran);
    count(&first.go_on);

    /* pool.EnqueueAndWait(ctx, job): on the goroutine that calls */
    pthread_t self = pthread_self();
    check(pool_workers_run_here(pool, on_this_thread, &self, POOL_FOREVER));

    check(pool_workers_stop(pool, POOL_WORKERS_DISCARD, POOL_FOREVER, NULL)); /* pool.Stop() */
    check(pool_workers_restart(pool));                                        /* pool.Start() */
    return pool_workers_destroy(pool) != POOL_OK;
}
