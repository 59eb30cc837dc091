/* bucketpool.c - buckets of powers of two, as vitess's bucketpool.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <pool/pool.h>

#include <stdio.h>

int main(void) {
    pool_buffers_options options = POOL_BUFFERS_OPTIONS_INIT;
    options.scheme = POOL_BUFFERS_DOUBLING;
    options.min_size = 1024;
    options.max_size = 16384;
    pool_buffers *pool;
    if (pool_buffers_create(&options, &pool) != POOL_OK)
        return fprintf(stderr, "%s\n", pool_last_error()), 1;

    const size_t packets[] = {64, 3000, 16384, 20000};
    for (int i = 0; i < 4; i++) {
        pool_buffer packet = pool_buffers_get(pool, packets[i]);
        if (packet.data == NULL)
            return fprintf(stderr, "%s\n", pool_last_error()), 1;
        printf("%d in %d, ", (int)packets[i], (int)packet.capacity);
        pool_buffers_put(pool, packet);
    }
    pool_buffers_stats stats = {.size = sizeof stats};
    pool_buffers_get_stats(pool, &stats);
    printf("%d kept\n", (int)stats.idle); /* the last one is above the largest bucket */
    return pool_buffers_destroy(pool) != POOL_OK;
}
