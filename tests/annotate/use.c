/* use.c after_put|properly - what a tool is to see, or not to see.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <pool/pool.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct thing {
    int words[16];
};

static pool_objects *pool;

static void *make(void *ctx) {
    (void)ctx;
    return calloc(1, sizeof(struct thing));
}

static void drop(void *thing, void *ctx) {
    (void)ctx;
    free(thing);
}

/* The thing is another thread's as soon as it is put. */
static void *use(void *after_put) {
    int i;
    for (i = 0; i < 100; i++) {
        struct thing *thing = pool_objects_get(pool);
        thing->words[3]++;
        pool_objects_put(pool, thing);
        if (after_put != NULL)
            thing->words[3]++;
    }
    return NULL;
}

int main(int count, char **arguments) {
    void *after_put = count > 1 && strcmp(arguments[1], "after_put") == 0 ? arguments : NULL;
    pool_objects_options options = POOL_OBJECTS_OPTIONS_INIT;
    pthread_t threads[2];
    int t;
    options.create = make;
    options.destroy = drop;
    options.object_size = sizeof(struct thing);
    if (pool_objects_create(&options, &pool) != POOL_OK)
        return fprintf(stderr, "%s\n", pool_last_error()), 1;
    for (t = 0; t < 2; t++)
        if (pthread_create(&threads[t], NULL, use, after_put) != 0)
            return 1;
    for (t = 0; t < 2; t++)
        pthread_join(threads[t], NULL);
    return pool_objects_destroy(pool) != POOL_OK;
}
