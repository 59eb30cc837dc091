/* guards.c - giants do not stay: what Go programs write around sync.Pool by hand, as fmt and
 * encoding/json do and Hugo's bufferpool does not.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <pool/pool.h>

#include <stdio.h>

static int print(pool_buffers *pool, int width) {
    pool_buf text;
    pool_status status = pool_buf_get(pool, 0, &text);
    if (status == POOL_OK)
        status = pool_buf_append_format(&text, "%*d", width, 42);
    pool_buf_put(&text);
    return status != POOL_OK;
}

static int idle_kilobytes(pool_buffers *pool) {
    pool_buffers_stats stats = {.size = sizeof stats};
    pool_buffers_get_stats(pool, &stats);
    return (int)(stats.idle_bytes / 1024);
}

int main(void) {
    pool_buffers *fixed, *learning;
    if (pool_buffers_create(NULL, &fixed) != POOL_OK ||
        pool_buffers_create(NULL, &learning) != POOL_OK)
        return fprintf(stderr, "%s\n", pool_last_error()), 1;

    /* fmt: a guard of 64 KiB */
    pool_buffers_calibration guard = {.size = sizeof guard};
    guard.max_size = 64 << 10;
    guard.frozen = 1;
    pool_buffers_set_calibration(fixed, 0, &guard);
    if (print(fixed, 1 << 20) != 0)
        return 1;
    printf("guard: %d KiB idle, ", idle_kilobytes(fixed));

    /* without one: what is needed by 99 of 100 sets it */
    for (int i = 0; i < 1000; i++)
        if (print(learning, 100) != 0)
            return 1;
    if (print(learning, 1 << 20) != 0)
        return 1;
    printf("learned: %d KiB idle\n", idle_kilobytes(learning));
    return pool_buffers_destroy(fixed) != POOL_OK || pool_buffers_destroy(learning) != POOL_OK;
}
