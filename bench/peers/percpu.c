/* The peer that is a slot per CPU, reached with sched_getcpu(). See peers.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * A slot holds one object or NULL, and is only ever exchanged: whoever takes a pointer out owns it.
 * The thread may have moved to another CPU in between; then it uses a slot that is not its own,
 * which costs time and nothing else.
 */
#include "peers.h"

#include <sched.h>
#include <stdlib.h>
#include <unistd.h>

enum { kLine = 64 };

typedef struct slot {
    void *object;
    char padding[kLine - sizeof(void *)];
} slot;

struct peers_percpu {
    size_t count;
    slot *slots;
};

peers_percpu *peers_percpu_create(void) {
    long cpus = sysconf(_SC_NPROCESSORS_CONF);
    peers_percpu *pool = malloc(sizeof *pool);
    if (pool == NULL)
        return NULL;
    pool->count = cpus > 0 ? (size_t)cpus : 1;
    pool->slots = aligned_alloc(kLine, pool->count * sizeof(slot));
    if (pool->slots == NULL) {
        free(pool);
        return NULL;
    }
    for (size_t i = 0; i < pool->count; ++i)
        pool->slots[i].object = NULL;
    return pool;
}

static slot *own_slot(peers_percpu *pool) {
    size_t cpu = (size_t)sched_getcpu();
    return &pool->slots[cpu < pool->count ? cpu : 0];
}

void *peers_percpu_get(peers_percpu *pool) {
    void *object = __atomic_exchange_n(&own_slot(pool)->object, NULL, __ATOMIC_ACQUIRE);
    return object != NULL ? object : malloc(PEERS_OBJECT_SIZE);
}

int32_t peers_percpu_put(peers_percpu *pool, void *object) {
    void *old = __atomic_exchange_n(&own_slot(pool)->object, object, __ATOMIC_RELEASE);
    if (old != NULL)
        free(old);
    return 0;
}

void peers_percpu_destroy(peers_percpu *pool) {
    if (pool == NULL)
        return;
    for (size_t i = 0; i < pool->count; ++i)
        free(pool->slots[i].object);
    free(pool->slots);
    free(pool);
}
