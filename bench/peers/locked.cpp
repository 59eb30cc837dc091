// The peer that is a mutex and a vector. See peers.h.
//
// SPDX-License-Identifier: Apache-2.0
#include "peers.h"

#include <cstdlib>
#include <mutex>
#include <new>
#include <vector>

struct peers_locked {
    std::mutex mutex;
    std::vector<void *> objects;
    const size_t size;
};

peers_locked *peers_locked_create(size_t size, size_t most) {
    auto *pool = new (std::nothrow) peers_locked{{}, {}, size};
    if (pool != nullptr)
        pool->objects.reserve(most);
    return pool;
}

void *peers_locked_get(peers_locked *pool) {
    {
        std::lock_guard<std::mutex> guard(pool->mutex);
        if (!pool->objects.empty()) {
            void *object = pool->objects.back();
            pool->objects.pop_back();
            return object;
        }
    }
    return std::malloc(pool->size);
}

int32_t peers_locked_put(peers_locked *pool, void *object) {
    {
        std::lock_guard<std::mutex> guard(pool->mutex);
        if (pool->objects.size() < pool->objects.capacity()) {
            pool->objects.push_back(object);
            return 0;
        }
    }
    std::free(object);
    return 0;
}

void peers_locked_destroy(peers_locked *pool) {
    if (pool == nullptr)
        return;
    for (void *object : pool->objects)
        std::free(object);
    delete pool;
}
