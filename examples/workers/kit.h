/* kit.h - what these programs share: a call that must succeed, and tasks that wait for each other.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef POOL_EXAMPLES_KIT_H
#define POOL_EXAMPLES_KIT_H

#include <pool/pool.h>

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define MILLISECOND INT64_C(1000000)
#define SECOND INT64_C(1000000000)

static inline void check(pool_status status) {
    if (status != POOL_OK) {
        fprintf(stderr, "%s: %s\n", pool_status_name(status), pool_last_error());
        exit(1);
    }
}

static inline pool_workers_stats stats_of(pool_workers *pool) {
    pool_workers_stats stats = {.size = sizeof stats};
    check(pool_workers_get_stats(pool, &stats));
    return stats;
}

static inline void sleep_ms(long ms) {
    nanosleep(&(struct timespec){.tv_nsec = ms * 1000000}, NULL);
}

/* A task too: count one more. */
static inline void count(void *number) {
    __atomic_fetch_add((int *)number, 1, __ATOMIC_ACQ_REL);
}

static inline void wait_until(int *number, int least) {
    while (__atomic_load_n(number, __ATOMIC_ACQUIRE) < least)
        sleep_ms(1);
}

#endif
