/* ants.c - no queue at all: a task is taken by a worker or refused, as panjf2000/ants does it.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#define _POSIX_C_SOURCE 200809L
#include "kit.h"

/* ants.WithPanicHandler(func(v any) { ... }) */
static void panic_handler(void *arg, int32_t code, const char *message, void *ctx) {
    (void)arg, (void)code, (void)ctx;
    printf("%s, ", message);
}

/* ants.NewPool(size, ants.WithNonblocking(true), ants.WithPanicHandler(f)) */
static pool_workers *ants(uint32_t size) {
    pool_workers_options options = POOL_WORKERS_OPTIONS_INIT;
    options.max_workers = size;                    /* <= 0 there: POOL_WORKERS_UNLIMITED */
    options.queue_capacity = POOL_WORKERS_HANDOFF; /* what cannot start at once waits outside */
    options.full = POOL_WORKERS_FAIL;              /* ErrPoolOverload */
    options.idle_timeout = SECOND;                 /* ExpiryDuration */
    options.on_failed = panic_handler;
    pool_workers *pool;
    check(pool_workers_create(&options, &pool));
    return pool;
}

struct work {
    int begun, go_on;
};

static void work(void *arg) {
    struct work *work = arg;
    count(&work->begun);
    wait_until(&work->go_on, 1);
}

static void fail(void *arg) {
    (void)arg;
    pool_workers_self_fail(1, "worker exits from panic: no luck");
}

int main(void) {
    pool_workers *pool = ants(2);
    struct work both = {0, 0};
    for (int i = 0; i < 2; i++)
        check(pool_workers_submit(pool, work, &both)); /* p.Submit(f) */
    wait_until(&both.begun, 2);
    printf("%d running, ", (int)stats_of(pool).running); /* p.Running() */
    printf("%s, ", pool_status_name(pool_workers_submit(pool, work, &both)));
    check(pool_workers_resize(pool, 0, 3)); /* p.Tune(3) */
    check(pool_workers_submit(pool, fail, NULL));
    count(&both.go_on);
    check(pool_workers_wait_idle(pool, POOL_FOREVER));

    check(pool_workers_stop(pool, POOL_WORKERS_DRAIN, SECOND * 10, NULL)); /* p.ReleaseTimeout(d) */
    check(pool_workers_restart(pool));                                     /* p.Reboot() */
    check(pool_workers_run(pool, work, &both, POOL_FOREVER));
    printf("%d tasks\n", (int)(stats_of(pool).succeeded + stats_of(pool).failed));
    return pool_workers_destroy(pool) != POOL_OK;
}
