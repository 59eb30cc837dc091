// The subjects of the object pool's benchmark: the pool and its C peers, each behind the same
// static get() and put() on a handle.
//
// SPDX-License-Identifier: Apache-2.0
//
// A subject is made new for every measurement. get() and put() compile to nothing but the call of
// the function in its shared library; they take the handle by value so that no loop has to load it.
// leave() is run by each thread when its work has been timed.
#pragma once

#include "peers.h"

#include <pool/pool.h>

#include <cstdint>
#include <cstdlib>

namespace bench {

inline void *make_object(void *) {
    return std::malloc(PEERS_OBJECT_SIZE);
}

inline void drop_object(void *object, void *) {
    std::free(object);
}

// What Google Benchmark prints of a row that cannot be had; nullptr if it can.
inline const char *pool_problem(pool_cpu_mode mode) {
    if (mode == POOL_CPU_FALLBACK && pool_config_cpu_mode() != POOL_CPU_RSEQ)
        return "the other pool rows are in fallback mode already";
    return nullptr;
}

template <pool_cpu_mode kMode, size_t kPrefill = 0>
class PoolSubject {
public:
    using Handle = pool_objects *;

    PoolSubject() {
        pool_objects_options options = POOL_OBJECTS_OPTIONS_INIT;
        options.create = make_object;
        options.destroy = drop_object;
        options.cpu_mode = kMode;
        problem_ = pool_problem(kMode);
        if (problem_ == nullptr && pool_objects_create(&options, &pool_) != POOL_OK)
            problem_ = pool_last_error();
        if (problem_ == nullptr && kPrefill > 0 && pool_objects_prefill(pool_, kPrefill) != POOL_OK)
            problem_ = pool_last_error();
    }
    ~PoolSubject() { pool_objects_destroy(pool_); }
    PoolSubject(const PoolSubject &) = delete;
    PoolSubject &operator=(const PoolSubject &) = delete;

    const char *problem() const { return problem_; }
    Handle handle() const { return pool_; }
    static void *get(Handle pool) { return pool_objects_get(pool); }
    static void put(Handle pool, void *object) { pool_objects_put(pool, object); }
    static void leave() {}

    pool_objects_stats stats() const {
        pool_objects_stats stats{};
        stats.size = sizeof stats;
        pool_objects_get_stats(pool_, &stats);
        return stats;
    }

private:
    pool_objects *pool_ = nullptr;
    const char *problem_ = nullptr;
};

using Pool = PoolSubject<POOL_CPU_AUTO>;
using PoolFallback = PoolSubject<POOL_CPU_FALLBACK>;
using PoolPrefilled = PoolSubject<POOL_CPU_AUTO, 4096>;

// A subject that cannot fail, with its handle from `create` and back to `destroy`.
template <class T, T *(*create)(), void *(*get_fn)(T *), int32_t (*put_fn)(T *, void *),
          void (*destroy)(T *), void (*leave_fn)()>
class PeerSubject {
public:
    using Handle = T *;

    PeerSubject() : handle_(create()) {}
    ~PeerSubject() { destroy(handle_); }
    PeerSubject(const PeerSubject &) = delete;
    PeerSubject &operator=(const PeerSubject &) = delete;

    static const char *problem() { return nullptr; }
    Handle handle() const { return handle_; }
    static void *get(Handle handle) { return get_fn(handle); }
    static void put(Handle handle, void *object) { put_fn(handle, object); }
    static void leave() { leave_fn(); }

private:
    T *handle_;
};

inline void nothing() {}
inline peers_local *no_local() {
    return nullptr;
}
inline peers_locked *make_locked() {
    return peers_locked_create(PEERS_OBJECT_SIZE, 8192);
}
inline void forget_local(peers_local *) {}

using ThreadLocal = PeerSubject<peers_local, no_local, peers_local_get, peers_local_put,
                                forget_local, peers_local_drain>;
using MutexVector = PeerSubject<peers_locked, make_locked, peers_locked_get, peers_locked_put,
                                peers_locked_destroy, nothing>;
using GetcpuExchange = PeerSubject<peers_percpu, peers_percpu_create, peers_percpu_get,
                                   peers_percpu_put, peers_percpu_destroy, nothing>;

// The malloc of the process: glibc's, or what was preloaded. The handle is the size.
class Malloc {
public:
    using Handle = size_t;

    static const char *problem() { return nullptr; }
    static Handle handle() { return PEERS_OBJECT_SIZE; }
    static void *get(Handle size) { return std::malloc(size); }
    static void put(Handle, void *object) { std::free(object); }
    static void leave() {}
};

} // namespace bench
