/* bpool.c - pools that keep so many and no more, as oxtoacart/bpool's three.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <pool/pool.h>

#include <stdio.h>

/* NewBufferPool(most): growing buffers */
static pool_buffers *buffer_pool(uint64_t most) {
    pool_buffers_options options = POOL_BUFFERS_OPTIONS_INIT;
    options.max_idle = most; /* exact, on any number of threads */
    pool_buffers *pool = NULL;
    pool_buffers_create(&options, &pool);
    return pool;
}

/* NewSizedBufferPool(most, size): those that have outgrown `size` are not kept */
static pool_buffers *sized_buffer_pool(uint64_t most, uint64_t size) {
    pool_buffers *pool = buffer_pool(most);
    pool_buffers_calibration sized = {.size = sizeof sized};
    sized.default_size = sized.max_size = size;
    sized.frozen = 1;
    if (pool != NULL)
        pool_buffers_set_calibration(pool, 0, &sized);
    return pool;
}

/* NewBytePool(most, width): memory of one size */
static pool_buffers *byte_pool(uint64_t most, uint64_t width) {
    pool_buffers_options options = POOL_BUFFERS_OPTIONS_INIT;
    options.scheme = POOL_BUFFERS_LIST;
    options.list = &width;
    options.list_count = 1;
    options.max_idle = most;
    pool_buffers *pool = NULL;
    pool_buffers_create(&options, &pool);
    return pool;
}

/* NumPooled() */
static uint64_t pooled(pool_buffers *pool) {
    pool_buffers_stats stats = {.size = sizeof stats};
    pool_buffers_get_stats(pool, &stats);
    return stats.idle;
}

int main(void) {
    pool_buffers *texts = sized_buffer_pool(2, 1024), *pages = byte_pool(2, 4096);
    if (texts == NULL || pages == NULL)
        return fprintf(stderr, "%s\n", pool_last_error()), 1;

    pool_buf four[4];
    pool_buffer page[4];
    for (int i = 0; i < 4; i++) {
        page[i] = pool_buffers_get(pages, 4096);
        if (page[i].data == NULL || pool_buf_get(texts, 0, &four[i]) != POOL_OK ||
            pool_buf_resize(&four[i], i == 0 ? 5000 : 10) != POOL_OK)
            return fprintf(stderr, "%s\n", pool_last_error()), 1;
    }
    pool_buf_put(&four[0]); /* has outgrown 1 KiB */
    printf("%d texts kept after the large one, ", (int)pooled(texts));
    for (int i = 1; i < 4; i++)
        pool_buf_put(&four[i]);
    for (int i = 0; i < 4; i++)
        pool_buffers_put(pages, page[i]);
    printf("%d in the end, %d pages\n", (int)pooled(texts), (int)pooled(pages));
    return pool_buffers_destroy(texts) != POOL_OK || pool_buffers_destroy(pages) != POOL_OK;
}
