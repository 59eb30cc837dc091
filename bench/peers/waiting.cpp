// The peer that is a mutex, a condition variable and a list. See peers.h.
//
// SPDX-License-Identifier: Apache-2.0
//
// Whoever finds no connection and no room for another waits; so does nobody while there is one.
#include "peers.h"

#include <condition_variable>
#include <mutex>
#include <new>

struct peers_conn {
    peers_conn *next = nullptr;
};

struct peers_waiting {
    std::mutex mutex;
    std::condition_variable freed;
    peers_conn *idle = nullptr; // the last one given back first
    size_t open = 0;
    const size_t most;
};

peers_waiting *peers_waiting_create(size_t most) {
    return new (std::nothrow) peers_waiting{{}, {}, nullptr, 0, most};
}

peers_conn *peers_waiting_acquire(peers_waiting *pool) {
    std::unique_lock<std::mutex> lock(pool->mutex);
    pool->freed.wait(lock, [pool] { return pool->idle != nullptr || pool->open < pool->most; });
    if (peers_conn *conn = pool->idle) {
        pool->idle = conn->next;
        return conn;
    }
    ++pool->open;
    lock.unlock();
    return new peers_conn;
}

int32_t peers_waiting_release(peers_waiting *pool, peers_conn *conn) {
    {
        std::lock_guard<std::mutex> guard(pool->mutex);
        conn->next = pool->idle;
        pool->idle = conn;
    }
    pool->freed.notify_one();
    return 0;
}

void peers_waiting_destroy(peers_waiting *pool) {
    if (pool == nullptr)
        return;
    while (peers_conn *conn = pool->idle) {
        pool->idle = conn->next;
        delete conn;
    }
    delete pool;
}
