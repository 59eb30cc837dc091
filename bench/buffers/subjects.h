// The subjects of the buffer pool's benchmark, each behind the same static get() and put() on a
// handle.
//
// SPDX-License-Identifier: Apache-2.0
//
// A subject is made new for every measurement, for buffers of `size` bytes if it has only one size,
// of which it keeps `most` at most. get() and put() compile to nothing but the call of the function
// in its shared library.
#pragma once

#include "peers.h"

#include <pool/pool.h>

#include <cstdint>
#include <cstdlib>

namespace bench {

constexpr size_t kNoBound = 0;

class Pool {
public:
    using Handle = pool_buffers *;

    explicit Pool(size_t = 0, size_t most = kNoBound) {
        pool_buffers_options options = POOL_BUFFERS_OPTIONS_INIT;
        options.max_idle = most;
        if (pool_buffers_create(&options, &pool_) != POOL_OK)
            problem_ = pool_last_error();
    }
    ~Pool() { pool_buffers_destroy(pool_); }
    Pool(const Pool &) = delete;
    Pool &operator=(const Pool &) = delete;

    const char *problem() const { return problem_; }
    Handle handle() const { return pool_; }
    static pool_buffer get(Handle pool, size_t size) { return pool_buffers_get(pool, size); }
    static void put(Handle pool, pool_buffer buffer) { pool_buffers_put(pool, buffer); }

    // Of the buffers that are out and those that are kept.
    uint64_t bytes() const {
        pool_buffers_stats stats{};
        stats.size = sizeof stats;
        pool_buffers_get_stats(pool_, &stats);
        return stats.idle_bytes + static_cast<uint64_t>(stats.out_bytes);
    }

private:
    pool_buffers *pool_ = nullptr;
    const char *problem_ = nullptr;
};

// An object pool whose objects are buffers: what a pair costs where there is only one size.
class Objects {
public:
    using Handle = pool_objects *;

    explicit Objects(size_t size, size_t most = kNoBound) : size_(size) {
        pool_objects_options options = POOL_OBJECTS_OPTIONS_INIT;
        options.create = [](void *self) {
            return std::malloc(static_cast<Objects *>(self)->size_);
        };
        options.destroy = [](void *object, void *) { std::free(object); };
        options.ctx = this;
        options.max_idle = most;
        if (pool_objects_create(&options, &pool_) != POOL_OK)
            problem_ = pool_last_error();
    }
    ~Objects() { pool_objects_destroy(pool_); }
    Objects(const Objects &) = delete;
    Objects &operator=(const Objects &) = delete;

    const char *problem() const { return problem_; }
    Handle handle() const { return pool_; }
    static pool_buffer get(Handle pool, size_t size) { return {pool_objects_get(pool), size}; }
    static void put(Handle pool, pool_buffer buffer) { pool_objects_put(pool, buffer.data); }

private:
    const size_t size_;
    pool_objects *pool_ = nullptr;
    const char *problem_ = nullptr;
};

class MutexVector {
public:
    using Handle = peers_locked *;

    explicit MutexVector(size_t size, size_t most = kNoBound)
        : peer_(peers_locked_create(size, most != kNoBound ? most : 8192)) {}
    ~MutexVector() { peers_locked_destroy(peer_); }
    MutexVector(const MutexVector &) = delete;
    MutexVector &operator=(const MutexVector &) = delete;

    static const char *problem() { return nullptr; }
    Handle handle() const { return peer_; }
    static pool_buffer get(Handle peer, size_t size) { return {peers_locked_get(peer), size}; }
    static void put(Handle peer, pool_buffer buffer) { peers_locked_put(peer, buffer.data); }

private:
    peers_locked *peer_;
};

// The malloc of the process: glibc's, or what was preloaded.
class Malloc {
public:
    struct Handle {};

    explicit Malloc(size_t = 0) {}

    static const char *problem() { return nullptr; }
    static Handle handle() { return {}; }
    static pool_buffer get(Handle, size_t size) { return {std::malloc(size), size}; }
    static void put(Handle, pool_buffer buffer) { std::free(buffer.data); }
};

inline void nothing() {}

} // namespace bench
