/* workers.c - many tasks on few threads.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <pool/pool.h>

#include <stdio.h>

static long sum;

static void add(void *number) {
    __atomic_fetch_add(&sum, *(int *)number, __ATOMIC_RELAXED);
}

int main(void) {
    pool_workers_options options = {.size = sizeof options, .name = "adders", .max_workers = 4};
    pool_workers *pool;
    if (pool_workers_create(&options, &pool) != POOL_OK)
        return fprintf(stderr, "%s\n", pool_last_error()), 1;

    int numbers[100];
    for (int i = 0; i < 100; i++) {
        numbers[i] = i + 1;
        if (pool_workers_submit(pool, add, &numbers[i]) != POOL_OK)
            return fprintf(stderr, "%s\n", pool_last_error()), 1;
    }

    pool_workers_report report = {.size = sizeof report};
    pool_workers_stop(pool, POOL_WORKERS_DRAIN, POOL_FOREVER, &report); /* all have run */
    printf("sum %ld from %d tasks\n", sum, (int)report.ran);
    return pool_workers_destroy(pool) != POOL_OK;
}
