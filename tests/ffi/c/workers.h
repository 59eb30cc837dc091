/* Tasks that wait until they are let go, for the programs on worker pools.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef FFI_WORKERS_H
#define FFI_WORKERS_H

#include "check.h"

#include <time.h>

#define SECOND INT64_C(1000000000)

static void sleep_ms(long ms) {
    struct timespec time = {0, 0};
    time.tv_nsec = ms * 1000000;
    nanosleep(&time, NULL);
}

/* One more; a task, too. */
static void add(void *sum) {
    __atomic_fetch_add((int *)sum, 1, __ATOMIC_ACQ_REL);
}

/* Until it is as much. */
static void await(int *counter, int least) {
    int i;
    for (i = 0; i < 10000 && __atomic_load_n(counter, __ATOMIC_ACQUIRE) < least; i++)
        sleep_ms(1);
    CHECK(__atomic_load_n(counter, __ATOMIC_ACQUIRE) >= least);
}

struct gate {
    int begun, open;
};

static void wait_at(struct gate *gate) {
    await(&gate->open, 1);
}

static void open_gate(struct gate *gate) {
    add(&gate->open);
}

static void hold(void *gate) {
    add(&((struct gate *)gate)->begun);
    wait_at(gate);
}

/* A worker waits at the gate when this returns. */
static void occupy(pool_workers *pool, struct gate *gate) {
    int before = __atomic_load_n(&gate->begun, __ATOMIC_ACQUIRE);
    CHECK(pool_workers_submit(pool, hold, gate) == POOL_OK);
    await(&gate->begun, before + 1);
}

#endif
