// The subjects of the connection pool's benchmark: the pool and its C++ peer, each behind the same
// static acquire() and release() on a handle.
//
// SPDX-License-Identifier: Apache-2.0
//
// A subject is made new for every measurement, for `most` connections. acquire() and release()
// compile to nothing but the call of the function in its shared library; they take the handle by
// value so that no loop has to load it.
#pragma once

#include "peers.h"

#include <pool/pool.h>

#include <cstdint>
#include <vector>

namespace bench {

constexpr int64_t kTimeout = 30'000'000'000; // nanoseconds; never reached

inline pool_status dial_stub(const void *, size_t, int64_t, void **conn, void *ctx) {
    *conn = ctx;
    return POOL_OK;
}

inline void close_stub(void *, pool_conns_reason, void *) {}

// For stubs.
inline pool_conns_options stub_options() {
    pool_conns_options options = POOL_CONNS_OPTIONS_INIT;
    options.dial = dial_stub;
    options.close = close_stub;
    return options;
}

// A pool that ends with its scope, and the lease of a connection for a key.
class ConnPool {
public:
    explicit ConnPool(const pool_conns_options &options) {
        if (pool_conns_create(&options, &pool_) != POOL_OK)
            problem_ = pool_last_error();
    }
    ~ConnPool() { pool_conns_destroy(pool_); }
    ConnPool(const ConnPool &) = delete;
    ConnPool &operator=(const ConnPool &) = delete;

    const char *problem() const { return problem_; }
    pool_conns *get() const { return pool_; }

private:
    pool_conns *pool_ = nullptr;
    const char *problem_ = nullptr;
};

template <pool_cpu_mode kMode>
class PoolSubject {
public:
    using Handle = pool_conns *;
    using Lease = pool_conns_lease *;

    explicit PoolSubject(uint32_t most) : pool_(options(most)) {}

    const char *problem() const {
        if (kMode == POOL_CPU_FALLBACK && pool_config_cpu_mode() != POOL_CPU_RSEQ)
            return "the other pool rows are in fallback mode already";
        return pool_.problem();
    }
    Handle handle() const { return pool_.get(); }
    static Lease acquire(Handle pool) {
        Lease lease;
        pool_conns_acquire(pool, nullptr, 0, kTimeout, &lease);
        return lease;
    }
    static void release(Handle, Lease lease) { pool_conns_release(lease); }

private:
    static pool_conns_options options(uint32_t most) {
        pool_conns_options options = stub_options();
        options.max_open = most;
        options.max_open_per_key = most;
        options.cpu_mode = kMode;
        return options;
    }

    ConnPool pool_;
};

using Pool = PoolSubject<POOL_CPU_AUTO>;
using PoolFallback = PoolSubject<POOL_CPU_FALLBACK>;

class MutexCondvar {
public:
    using Handle = peers_waiting *;
    using Lease = peers_conn *;

    explicit MutexCondvar(uint32_t most) : peer_(peers_waiting_create(most)) {}
    ~MutexCondvar() { peers_waiting_destroy(peer_); }
    MutexCondvar(const MutexCondvar &) = delete;
    MutexCondvar &operator=(const MutexCondvar &) = delete;

    static const char *problem() { return nullptr; }
    Handle handle() const { return peer_; }
    static Lease acquire(Handle peer) { return peers_waiting_acquire(peer); }
    static void release(Handle peer, Lease conn) { peers_waiting_release(peer, conn); }

private:
    peers_waiting *peer_;
};

// Open all connections that there may be.
template <class Subject>
void open_all(typename Subject::Handle handle, uint32_t most) {
    std::vector<typename Subject::Lease> leases(most);
    for (auto &lease : leases)
        lease = Subject::acquire(handle);
    for (auto lease : leases)
        Subject::release(handle, lease);
}

} // namespace bench
