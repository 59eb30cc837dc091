/* net_rpc.c - a free list of requests, zeroed when they are got, as in net/rpc's server.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <pool/pool.h>

#include <stdio.h>

typedef struct {
    char service_method[56];
    uint64_t sequence;
} request;

int main(void) {
    const uint64_t size = sizeof(request);
    pool_buffers_options options = POOL_BUFFERS_OPTIONS_INIT;
    options.scheme = POOL_BUFFERS_LIST;
    options.list = &size; /* copied */
    options.list_count = 1;
    options.flags = POOL_BUFFERS_ZERO_ON_GET;
    pool_buffers *requests;
    if (pool_buffers_create(&options, &requests) != POOL_OK)
        return fprintf(stderr, "%s\n", pool_last_error()), 1;

    uint64_t left_over = 0;
    for (uint64_t i = 1; i <= 1000; i++) {
        pool_buffer block = pool_buffers_get(requests, sizeof(request));
        request *r = block.data;
        if (r == NULL)
            return fprintf(stderr, "%s\n", pool_last_error()), 1;
        left_over += r->sequence;
        snprintf(r->service_method, sizeof r->service_method, "Arith.Multiply");
        r->sequence = i;
        pool_buffers_put(requests, block);
    }
    pool_buffers_stats stats = {.size = sizeof stats};
    pool_buffers_get_stats(requests, &stats);
    printf("1000 requests, %d allocated, %d left over\n", (int)stats.misses, (int)left_over);
    return pool_buffers_destroy(requests) != POOL_OK;
}
