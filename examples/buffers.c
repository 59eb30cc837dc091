/* buffers.c - scratch memory of the size that is needed.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <pool/pool.h>

#include <stdio.h>

int main(void) {
    pool_buffers *pool;
    if (pool_buffers_create(NULL, &pool) != POOL_OK)
        return fprintf(stderr, "%s\n", pool_last_error()), 1;

    size_t written = 0, capacity = 0;
    for (int i = 0; i < 1000; i++) {
        pool_buffer page = pool_buffers_get(pool, 5000);
        if (page.data == NULL)
            return 1;
        capacity = page.capacity; /* how much it really is */
        written += (size_t)snprintf(page.data, page.capacity, "page %d\n", i);
        pool_buffers_put(pool, page);
    }

    pool_buffers_stats stats = {.size = sizeof stats};
    pool_buffers_get_stats(pool, &stats);
    printf("%zu bytes through buffers of %zu: %d allocated, %d reused\n", written, capacity,
           (int)stats.misses, (int)stats.hits);
    return pool_buffers_destroy(pool) != POOL_OK;
}
