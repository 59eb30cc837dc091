/* tunny.c - workers with a state of their own, and callers that wait for a result, as Jeffail/tunny
 * has them.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#define _POSIX_C_SOURCE 200809L
#include "kit.h"

/* type worker struct: what costs too much to make for every payload */
struct worker {
    int processed;
    int interrupted;
};

static int terminated;

/* ctor func() tunny.Worker */
static pool_status worker_new(void **state, void *ctx) {
    (void)ctx;
    *state = calloc(1, sizeof(struct worker));
    return *state != NULL ? POOL_OK : POOL_ENOMEM;
}

/* Process(payload interface{}) interface{}; a payload of 0 takes too long */
static void *process(void *payload, void *state, void *ctx) {
    struct worker *worker = state;
    int *number = payload;
    (void)ctx;
    worker->processed++;
    while (*number == 0 && !__atomic_load_n(&worker->interrupted, __ATOMIC_ACQUIRE))
        sleep_ms(1);
    *number *= *number;
    return number;
}

/* Interrupt(): on the thread of the caller that gives up */
static void interrupt(void *state, void *ctx) {
    (void)ctx;
    __atomic_store_n(&((struct worker *)state)->interrupted, 1, __ATOMIC_RELEASE);
}

/* Terminate() */
static void terminate(void *state, void *ctx) {
    (void)ctx;
    free(state);
    count(&terminated);
}

/* tunny.New(n, ctor) */
static pool_workers *tunny(uint32_t n) {
    pool_workers_options options = POOL_WORKERS_OPTIONS_INIT;
    options.max_workers = options.min_workers = n;
    options.queue_capacity = POOL_WORKERS_HANDOFF;
    options.state_new = worker_new;
    options.process = process;
    options.interrupt = interrupt;
    options.state_free = terminate; /* BlockUntilReady() would be `ready` */
    pool_workers *pool;
    check(pool_workers_create(&options, &pool));
    return pool;
}

int main(void) {
    pool_workers *pool = tunny(2);
    int seven = 7, endless = 0;
    void *result;
    check(pool_workers_process(pool, &seven, POOL_FOREVER, &result)); /* pool.Process(7) */
    printf("%d, ", *(int *)result);

    /* pool.ProcessTimed(0, 20*time.Millisecond): ErrJobTimedOut */
    pool_status status = pool_workers_process(pool, &endless, 20 * MILLISECOND, &result);
    printf("%s, ", pool_status_name(status));
    check(pool_workers_wait_idle(pool, POOL_FOREVER)); /* endless is on this stack */

    check(pool_workers_resize(pool, 1, 1)); /* pool.SetSize(1) */
    check(pool_workers_destroy(pool));      /* pool.Close() */
    printf("%d terminated\n", terminated);
    return 0;
}
