/* objects.c - parsers that are costly to make, kept for the next line.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <pool/pool.h>

#include <stdio.h>
#include <stdlib.h>

static void *make(void *size) {
    return calloc(1, *(size_t *)size);
}

static void drop(void *parser, void *size) {
    (void)size;
    free(parser);
}

int main(void) {
    size_t size = 4096; /* of a parser's tables */
    pool_objects_options options = {
        .size = sizeof options, .name = "parsers", .create = make, .destroy = drop, .ctx = &size};
    pool_objects *pool;
    if (pool_objects_create(&options, &pool) != POOL_OK)
        return fprintf(stderr, "%s\n", pool_last_error()), 1;

    for (int i = 0; i < 500; i++) { /* two at a time */
        void *first = pool_objects_get(pool), *second = pool_objects_get(pool);
        pool_objects_put(pool, second);
        pool_objects_put(pool, first);
    }

    pool_objects_stats stats = {.size = sizeof stats};
    pool_objects_get_stats(pool, &stats);
    printf("%d parsers made for %d lines\n", (int)stats.created, (int)stats.gets);
    return pool_objects_destroy(pool) != POOL_OK;
}
