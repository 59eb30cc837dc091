/* The peer that is a thread-local array. See peers.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Only the thread that owns an array touches it. Initial-exec is the cheapest model of thread-local
 * storage that a shared library can have.
 */
#include "peers.h"

#include <stdlib.h>

enum { kRoom = 128 };

static __thread struct {
    size_t count;
    void *slots[kRoom];
} local __attribute__((tls_model("initial-exec")));

void *peers_local_get(peers_local *pool) {
    (void)pool;
    if (local.count > 0)
        return local.slots[--local.count];
    return malloc(PEERS_OBJECT_SIZE);
}

int32_t peers_local_put(peers_local *pool, void *object) {
    (void)pool;
    if (local.count < kRoom)
        local.slots[local.count++] = object;
    else
        free(object);
    return 0;
}

void peers_local_drain(void) {
    while (local.count > 0)
        free(local.slots[--local.count]);
}
