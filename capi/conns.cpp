// pool/conns.h: argument checks and handle casts. The work is in src/conns.
//
// SPDX-License-Identifier: Apache-2.0
#include "capi_conns.h"

#include "conns/defaults.h"
#include "conns/dialer.h"
#include "platform/cpu.h"
#include "platform/handles.h"
#include "platform/options.h"
#include "sync/callback.h"

#include <cstring>
#include <new>

using pool::fail;

namespace {

constexpr size_t kFirstOptionsSize = 120;
constexpr size_t kFirstAcquireOptionsSize = 24;
static_assert(sizeof(pool_conns_options) == 280);
static_assert(sizeof(pool_conns_acquire_options) == kFirstAcquireOptionsSize);

// A pool and its gate, which stays when the pool has gone.
struct Block {
    pool::Gate gate;
    alignas(pool::Conns) unsigned char conns[sizeof(pool::Conns)];
};

// Never destroyed: pools may live longer than static destructors run.
pool::HandleBlocks &blocks() {
    alignas(pool::HandleBlocks) static unsigned char memory[sizeof(pool::HandleBlocks)];
    static pool::HandleBlocks *const instance = [] {
        auto *made = new (memory) pool::HandleBlocks(sizeof(Block));
        pool::watch_fork(made);
        return made;
    }();
    return *instance;
}

void dispose(pool::Conns *conns) {
    auto *block = reinterpret_cast<Block *>(reinterpret_cast<unsigned char *>(conns) -
                                            offsetof(Block, conns));
    conns->~Conns();
    blocks().give_back(block);
}

pool_status resolve_time(int64_t *time, int64_t if_zero, const char *what) {
    if (*time < 0)
        return fail(POOL_EINVAL, "options.%s is %lld, which is negative", what,
                    static_cast<long long>(*time));
    if (*time == 0)
        *time = if_zero;
    return POOL_OK;
}

pool_status resolve_times(pool_conns_options *options) {
    struct {
        int64_t *time;
        int64_t if_zero;
        const char *name;
    } times[] = {
        {&options->connect_timeout, pool::kDefaultConnectTimeout, "connect_timeout"},
        {&options->idle_timeout, pool::kDefaultIdleTimeout, "idle_timeout"},
        {&options->max_lifetime, pool::kDefaultMaxLifetime, "max_lifetime"},
        {&options->validate_after, pool::kDefaultValidateAfter, "validate_after"},
        {&options->validate_timeout, pool::kDefaultValidateTimeout, "validate_timeout"},
        {&options->keepalive, 0, "keepalive"},
        {&options->leak_threshold, 0, "leak_threshold"},
        {&options->reap_interval, 0, "reap_interval"},
        {&options->dial_backoff, pool::kDefaultDialBackoff, "dial_backoff"},
        {&options->dial_backoff_max, pool::kDefaultDialBackoffMax, "dial_backoff_max"},
    };
    for (auto &each : times)
        if (pool_status status = resolve_time(each.time, each.if_zero, each.name))
            return status;
    return POOL_OK;
}

// Are there as many as are to be kept ready?
pool_status check_ready(const pool_conns_options &options, uint32_t count, const char *what) {
    uint32_t most = options.max_open_per_key;
    if (options.max_open != 0 && options.max_open < most)
        most = options.max_open;
    for (uint32_t bound : {options.max_idle, options.max_idle_per_key})
        if (bound == POOL_CONNS_KEEP_NONE)
            most = 0;
        else if (bound != 0 && bound < most)
            most = bound;
    if (count > most)
        return fail(POOL_EINVAL, "options.%s is %u, but the bounds allow %u idle connections", what,
                    count, most);
    return POOL_OK;
}

// Check the options and fill in the defaults.
pool_status resolve(pool_conns_options *options, bool built_in) {
    constexpr uint32_t kFlags = POOL_CONNS_DIALERS | POOL_CONNS_FAIL_FAST | POOL_CONNS_FAIL_NESTED;
    if ((options->flags & ~kFlags) != 0)
        return fail(POOL_EINVAL, "options.flags has unknown bits 0x%x", options->flags & ~kFlags);
    if (options->handoff < POOL_CONNS_FAIR || options->handoff > POOL_CONNS_FREE)
        return fail(POOL_EINVAL, "options.handoff is %d, which is no rule", options->handoff);
    if (options->idle_order < POOL_CONNS_LIFO || options->idle_order > POOL_CONNS_FIFO)
        return fail(POOL_EINVAL, "options.idle_order is %d, which is no order",
                    options->idle_order);
    if (!built_in && (options->dial == nullptr || options->close == nullptr))
        return fail(POOL_EINVAL, "options.%s is NULL, but another callback is given",
                    options->dial == nullptr ? "dial" : "close");
    if (options->key_length > kLongestKey || (options->key == nullptr && options->key_length != 0))
        return fail(POOL_EINVAL, "options.key is %s and its length %llu",
                    options->key == nullptr ? "NULL" : "given",
                    static_cast<unsigned long long>(options->key_length));
    if (pool_status status = pool::Memory::check(options->allocator))
        return status;
    pool_cpu_mode mode;
    if (pool_status status = pool::resolve_cpu_mode(options->cpu_mode, &mode))
        return status;
    if (pool_status status = resolve_times(options))
        return status;
    if (options->keepalive != 0 && options->validate == nullptr)
        return fail(POOL_EINVAL, "options.keepalive needs options.validate");
    if (options->dial_backoff_max < options->dial_backoff)
        options->dial_backoff_max = options->dial_backoff;
    if (built_in) {
        options->dial = pool::dial_socket;
        options->close = pool::close_socket;
        if (options->is_alive == nullptr)
            options->is_alive = pool::socket_is_alive;
    }
    if (options->max_open_per_key == 0)
        options->max_open_per_key = pool::kDefaultOpenPerKey;
    if (pool_status status = check_ready(*options, options->min_idle, "min_idle"))
        return status;
    if (pool_status status = check_ready(*options, options->initial, "initial"))
        return status;
    if (options->name == nullptr)
        options->name = "";
    return POOL_OK;
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
    const bool built_in = options.dial == nullptr && options.close == nullptr;
    if (status == POOL_OK && out == nullptr)
        status = fail(POOL_EINVAL, "out is NULL");
    if (status == POOL_OK)
        status = resolve(&options, built_in);
    Block *block = nullptr;
    if (status == POOL_OK) {
        bool reused;
        void *memory = blocks().take(&reused);
        if (memory != nullptr)
            block = reused ? static_cast<Block *>(memory) : new (memory) Block;
        else
            status = fail(POOL_ENOMEM, "no memory for connection pool '%s'", options.name);
    }
    if (status != POOL_OK) {
        if (options.ctx_free != nullptr)
            pool::call_contained("ctx_free of a connection pool",
                                 [&options] { options.ctx_free(options.ctx); });
        return status;
    }
    auto *conns = new (block->conns) pool::Conns(block->gate, options, built_in, dispose);
    status = conns->init(options.key, options.key_length, options.initial);
    if (status != POOL_OK) {
        pool::LastErrorKept kept;
        conns->destroy();
        return status;
    }
    *out = handle(conns);
    return POOL_OK;
}

pool_status pool_conns_acquire(pool_conns *pool, const void *key, size_t key_length,
                               int64_t timeout, pool_conns_lease **lease) {
    if (lease == nullptr)
        return fail(POOL_EINVAL, "lease is NULL");
    *lease = nullptr;
    if (pool == nullptr)
        return no_pool();
    if (pool_status status = check_key(key, key_length))
        return status;
    if (pool_status status = check_timeout(timeout))
        return status;
    return impl(pool)->acquire(key, key_length, timeout, lease);
}

pool_status pool_conns_acquire_with(pool_conns *pool, const void *key, size_t key_length,
                                    int64_t timeout, const pool_conns_acquire_options *given,
                                    pool_conns_lease **lease) {
    if (lease == nullptr)
        return fail(POOL_EINVAL, "lease is NULL");
    *lease = nullptr;
    if (pool == nullptr)
        return no_pool();
    pool_conns_acquire_options options;
    if (pool_status status = pool::read_options(given, &options, kFirstAcquireOptionsSize,
                                                "pool_conns_acquire_options"))
        return status;
    if (pool_status status = check_key(key, key_length))
        return status;
    if (pool_status status = check_timeout(timeout))
        return status;
    if (pool_status status = check_manner(options.priority, options.flags))
        return status;
    return impl(pool)->acquire({key, key_length, key == nullptr, timeout, options.taker,
                                options.priority, (options.flags & POOL_CONNS_FRESH) != 0},
                               lease);
}

void *pool_conns_lease_conn(const pool_conns_lease *lease) {
    return lease != nullptr ? pool::conn_of(lease)->handle : nullptr;
}

int32_t pool_conns_lease_fd(const pool_conns_lease *lease) {
    if (lease == nullptr)
        return -1;
    const pool::Conn *conn = pool::conn_of(lease);
    return conn->pool->built_in() ? pool::socket_fd(conn->handle) : -1;
}

uint64_t pool_conns_lease_uses(const pool_conns_lease *lease) {
    if (lease == nullptr)
        return 0;
    const uint64_t uses = pool::conn_of(lease)->uses.load(std::memory_order_relaxed);
    return uses != 0 ? uses - 1 : 0;
}

pool_status pool_conns_lease_renew(pool_conns_lease *lease) {
    return lease != nullptr ? pool::Conns::renew(lease) : no_lease();
}

pool_status pool_conns_release(pool_conns_lease *lease) {
    return lease != nullptr ? pool::Conns::release(lease) : no_lease();
}

pool_status pool_conns_discard(pool_conns_lease *lease) {
    return lease != nullptr ? pool::Conns::discard(lease) : no_lease();
}

pool_status pool_conns_detach(pool_conns_lease *lease, void **conn) {
    if (conn == nullptr)
        return fail(POOL_EINVAL, "conn is NULL; the connection would be lost");
    *conn = nullptr;
    return lease != nullptr ? pool::Conns::detach(lease, conn) : no_lease();
}

pool_status pool_conns_run(pool_conns *pool, const void *key, size_t key_length, int64_t timeout,
                           pool_conns_run_fn fn, void *arg) {
    if (pool == nullptr)
        return no_pool();
    if (fn == nullptr)
        return fail(POOL_EINVAL, "fn is NULL");
    if (pool_status status = check_key(key, key_length))
        return status;
    if (pool_status status = check_timeout(timeout))
        return status;
    return impl(pool)->run(wanted(key, key_length, timeout), fn, arg);
}

pool_status pool_conns_fill(pool_conns *pool, const void *key, size_t key_length, uint32_t count,
                            int64_t timeout) {
    if (pool == nullptr)
        return no_pool();
    if (pool_status status = check_key(key, key_length))
        return status;
    if (pool_status status = check_timeout(timeout))
        return status;
    return impl(pool)->fill(wanted(key, key_length, timeout), count);
}

pool_status pool_conns_adopt(pool_conns *pool, const void *key, size_t key_length, void *conn) {
    if (pool == nullptr)
        return no_pool();
    if (pool_status status = check_key(key, key_length))
        return status;
    return impl(pool)->adopt(wanted(key, key_length, 0), conn);
}

pool_status pool_conns_clear(pool_conns *pool) {
    return pool != nullptr ? impl(pool)->clear() : no_pool();
}

pool_status pool_conns_clear_key(pool_conns *pool, const void *key, size_t key_length) {
    if (pool == nullptr)
        return no_pool();
    if (pool_status status = check_key(key, key_length))
        return status;
    return impl(pool)->clear_key(wanted(key, key_length, 0));
}

pool_status pool_conns_close_idle(pool_conns *pool) {
    return pool != nullptr ? impl(pool)->close_idle() : no_pool();
}

pool_status pool_conns_reap(pool_conns *pool) {
    return pool != nullptr ? impl(pool)->reap() : no_pool();
}

pool_status pool_conns_set(pool_conns *pool, pool_conns_setting setting, int64_t value) {
    return pool != nullptr ? impl(pool)->set(setting, value) : no_pool();
}

pool_status pool_conns_close(pool_conns *pool, int64_t timeout, uint64_t *still_out) {
    if (pool == nullptr)
        return no_pool();
    if (pool_status status = check_timeout(timeout))
        return status;
    return impl(pool)->close(timeout, still_out);
}

pool_status pool_conns_destroy(pool_conns *pool) {
    return pool != nullptr ? impl(pool)->destroy() : POOL_OK;
}
