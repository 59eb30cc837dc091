// pool/conns.h: argument checks and handle casts. The work is in src/conns.
//
// SPDX-License-Identifier: Apache-2.0
#include "pool/conns.h"

#include "conns/conns.h"
#include "conns/dialer.h"
#include "platform/cpu.h"
#include "platform/options.h"
#include "sync/callback.h"

#include <new>

struct pool_conns final : pool::Conns {
    using pool::Conns::Conns;
};

namespace {

using pool::fail;

constexpr size_t kFirstOptionsSize = 120;
static_assert(sizeof(pool_conns_options) == kFirstOptionsSize);
constexpr size_t kLongestKey = 1024;
constexpr uint32_t kDefaultOpenPerKey = 10;
constexpr int64_t kSecond = 1000000000;
constexpr int64_t kMinute = 60 * kSecond;
constexpr int64_t kDefaultConnectTimeout = 10 * kSecond;
constexpr int64_t kDefaultIdleTimeout = 10 * kMinute;
constexpr int64_t kDefaultMaxLifetime = 30 * kMinute;

pool_status no_pool() {
    return pool::fail_text(POOL_EINVAL, "the pool is NULL");
}
pool_status no_lease() {
    return pool::fail_text(POOL_EINVAL, "the lease is NULL");
}

pool_status check_timeout(int64_t timeout) {
    if (timeout < 0 && timeout != POOL_FOREVER)
        return fail(POOL_EINVAL, "timeout is %lld; negative is only POOL_FOREVER",
                    static_cast<long long>(timeout));
    return POOL_OK;
}

pool_status resolve_time(int64_t *time, int64_t if_zero, const char *what) {
    if (*time < 0)
        return fail(POOL_EINVAL, "options.%s is %lld, which is negative", what,
                    static_cast<long long>(*time));
    if (*time == 0)
        *time = if_zero;
    return POOL_OK;
}

// Check the options and fill in the defaults.
pool_status resolve(pool_conns_options *options, bool built_in) {
    if (options->flags != 0)
        return fail(POOL_EINVAL, "options.flags has unknown bits 0x%x", options->flags);
    if (!built_in && (options->dial == nullptr || options->close == nullptr))
        return fail(POOL_EINVAL, "options.%s is NULL, but another callback is given",
                    options->dial == nullptr ? "dial" : "close");
    if (pool_status status = pool::Memory::check(options->allocator))
        return status;
    pool_cpu_mode mode;
    if (pool_status status = pool::resolve_cpu_mode(options->cpu_mode, &mode))
        return status;
    struct {
        int64_t *time;
        int64_t if_zero;
        const char *name;
    } times[] = {
        {&options->connect_timeout, kDefaultConnectTimeout, "connect_timeout"},
        {&options->idle_timeout, kDefaultIdleTimeout, "idle_timeout"},
        {&options->max_lifetime, kDefaultMaxLifetime, "max_lifetime"},
    };
    for (auto &each : times)
        if (pool_status status = resolve_time(each.time, each.if_zero, each.name))
            return status;
    if (built_in) {
        options->dial = pool::dial_socket;
        options->close = pool::close_socket;
        options->is_alive = pool::socket_is_alive;
    }
    if (options->max_open_per_key == 0)
        options->max_open_per_key = kDefaultOpenPerKey;
    if (options->max_idle_per_key == 0)
        options->max_idle_per_key = options->max_open_per_key;
    if (options->name == nullptr)
        options->name = "";
    return POOL_OK;
}

void dispose(pool::Conns *core) {
    pool_conns *pool = static_cast<pool_conns *>(core);
    pool::Memory memory(pool->allocator());
    pool->~pool_conns();
    memory.free(pool, sizeof(pool_conns), alignof(pool_conns));
}

} // namespace

pool_status pool_conns_options_init(pool_conns_options *options, size_t size) {
    return pool::init_options(options, size, "pool_conns_options");
}

pool_status pool_conns_create(const pool_conns_options *given, pool_conns **out) {
    if (out != nullptr)
        *out = nullptr;
    pool_conns_options options;
    pool_status status =
        pool::read_options(given, &options, kFirstOptionsSize, "pool_conns_options");
    if (status == POOL_EINVAL)
        return status; // not to be trusted in anything
    if (status == POOL_ENOTSUP) {
        options.ctx = given->ctx;
        options.ctx_free = given->ctx_free;
    }
    const bool built_in =
        options.dial == nullptr && options.close == nullptr && options.is_alive == nullptr;
    if (status == POOL_OK && out == nullptr)
        status = fail(POOL_EINVAL, "out is NULL");
    if (status == POOL_OK)
        status = resolve(&options, built_in);
    void *memory = nullptr;
    if (status == POOL_OK) {
        memory = pool::Memory(options.allocator).alloc(sizeof(pool_conns), alignof(pool_conns));
        if (memory == nullptr)
            status = fail(POOL_ENOMEM, "no memory for connection pool '%s'", options.name);
    }
    if (status != POOL_OK) {
        if (options.ctx_free != nullptr)
            pool::call_contained("ctx_free of a connection pool",
                                 [&options] { options.ctx_free(options.ctx); });
        return status;
    }
    pool_conns *pool = new (memory) pool_conns(options, built_in, dispose);
    status = pool->init();
    if (status != POOL_OK) {
        pool->destroy();
        return status;
    }
    *out = pool;
    return POOL_OK;
}

pool_status pool_conns_acquire(pool_conns *pool, const void *key, size_t key_length,
                               int64_t timeout, pool_conns_lease **lease) {
    if (lease == nullptr)
        return fail(POOL_EINVAL, "lease is NULL");
    *lease = nullptr;
    if (pool == nullptr)
        return no_pool();
    if (key_length > kLongestKey)
        return fail(POOL_EINVAL, "a key of %zu bytes is too long; the most is %zu", key_length,
                    kLongestKey);
    if (key == nullptr && key_length != 0)
        return fail(POOL_EINVAL, "the key is NULL, but its length is %zu", key_length);
    if (pool_status status = check_timeout(timeout))
        return status;
    return pool->acquire(key, key_length, timeout, lease);
}

void *pool_conns_lease_conn(const pool_conns_lease *lease) {
    return lease != nullptr ? lease->handle : nullptr;
}

int32_t pool_conns_lease_fd(const pool_conns_lease *lease) {
    return lease != nullptr && lease->pool->built_in() ? pool::socket_fd(lease->handle) : -1;
}

uint64_t pool_conns_lease_uses(const pool_conns_lease *lease) {
    return lease != nullptr ? lease->uses : 0;
}

pool_status pool_conns_release(pool_conns_lease *lease) {
    return lease != nullptr ? lease->pool->release(lease) : no_lease();
}

pool_status pool_conns_discard(pool_conns_lease *lease) {
    return lease != nullptr ? lease->pool->discard(lease) : no_lease();
}

pool_status pool_conns_detach(pool_conns_lease *lease, void **conn) {
    if (conn == nullptr)
        return fail(POOL_EINVAL, "conn is NULL; the connection would be lost");
    *conn = nullptr;
    return lease != nullptr ? lease->pool->detach(lease, conn) : no_lease();
}

pool_status pool_conns_clear(pool_conns *pool) {
    return pool != nullptr ? pool->clear() : no_pool();
}

pool_status pool_conns_reap(pool_conns *pool) {
    return pool != nullptr ? pool->reap() : no_pool();
}

pool_status pool_conns_get_stats(pool_conns *pool, pool_conns_stats *stats) {
    return pool != nullptr ? pool::write_stats(pool->stats(), stats, "stats") : no_pool();
}

pool_status pool_conns_close(pool_conns *pool, int64_t timeout, uint64_t *still_out) {
    if (pool == nullptr)
        return no_pool();
    if (pool_status status = check_timeout(timeout))
        return status;
    return pool->close(timeout, still_out);
}

pool_status pool_conns_destroy(pool_conns *pool) {
    if (pool != nullptr)
        pool->destroy();
    return POOL_OK;
}
