/* pool/conns.h - connection pools: keep connections open, bounded and by key, and lend them out.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 *     pool_conns_options options = POOL_CONNS_OPTIONS_INIT;   // the built-in TCP dialer
 *     options.max_open_per_key = 32;
 *     pool_conns *pool;
 *     if (pool_conns_create(&options, &pool) != POOL_OK)
 *         die(pool_last_error());
 *
 *     const char *key = "127.0.0.1:8080";
 *     pool_conns_lease *lease;
 *     if (pool_conns_acquire(pool, key, strlen(key), 5000000000, &lease) == POOL_OK) {
 *         int fd = pool_conns_lease_fd(lease);
 *         if (talk(fd))
 *             pool_conns_release(lease);      // for the next user
 *         else
 *             pool_conns_discard(lease);      // broken: closed
 *     }
 *
 * A key, any bytes, chooses the sub-pool; NULL is a key too, for a pool with only one. Idle
 * connections are lent newest first, checked before that, and closed when they were idle or alive
 * for too long. When the bound is reached acquire waits, first come first served; whatever frees a
 * place wakes the first waiter that it can serve. Connections are dialed without any lock, on the
 * thread that called acquire.
 *
 * In the child after fork the parent's connections are neither used nor shut down: the child closes
 * its copies of the file descriptors and dials anew.
 */
#ifndef POOL_CONNS_H
#define POOL_CONNS_H

#include "common.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A pool of connections. Made by pool_conns_create(), ended by pool_conns_destroy(). */
typedef struct pool_conns pool_conns;

/* One connection lent out. Ended by exactly one of release, discard and detach. */
typedef struct pool_conns_lease pool_conns_lease;

/* Why a connection is closed, for the close callback and for statistics. */
typedef int32_t pool_conns_reason;
enum {
    POOL_CONNS_BROKEN = 1,       /* discarded by its user */
    POOL_CONNS_INVALID = 2,      /* found dead while idle */
    POOL_CONNS_MAX_LIFETIME = 3, /* older than max_lifetime */
    POOL_CONNS_IDLE_TIMEOUT = 4, /* idle for longer than idle_timeout */
    POOL_CONNS_MAX_IDLE = 5,     /* more idle than max_idle or max_idle_per_key */
    POOL_CONNS_POOL_CLOSED = 6,  /* the pool was closed */
    POOL_CONNS_CLEARED = 7       /* pool_conns_clear() */
};

/* Open a connection for a key, until `deadline` on the pool's clock (POOL_FOREVER: none). Store it
 * in *conn, any value, and return POOL_OK; or return a failure, which acquire hands on: a negative
 * status as it is, a positive value of your own too. Runs on the acquiring thread. */
typedef pool_status (*pool_conns_dial_fn)(const void *key, size_t key_length, int64_t deadline,
                                          void **conn, void *ctx);

/* Close a connection. Called exactly once for each that dial made and detach did not take; runs on
 * whichever thread found that it must go. */
typedef void (*pool_conns_close_fn)(void *conn, pool_conns_reason reason, void *ctx);

/* Is this idle connection still good? Non-zero if so. Must be quick: it runs on the acquiring
 * thread for every connection that was idle. */
typedef int32_t (*pool_conns_is_alive_fn)(void *conn, int64_t idle_time, void *ctx);

/* For an option whose 0 means a default: none. */
#define POOL_CONNS_NONE INT64_MAX

typedef struct pool_conns_options {
    size_t size;      /* sizeof(pool_conns_options) */
    const char *name; /* for reports and statistics; copied, cut to 63 bytes; may be NULL */

    /* All NULL: the built-in dialer. Keys are "host:port", "[v6]:port" or "unix:/path"; connections
     * are sockets, TCP ones with TCP_NODELAY, close-on-exec, blocking; a connection on which bytes
     * or the end of the stream wait counts as dead. Otherwise dial and close must be given. */
    pool_conns_dial_fn dial;
    pool_conns_close_fn close;
    pool_conns_is_alive_fn is_alive;
    void *ctx;                   /* handed to the three callbacks */
    void (*ctx_free)(void *ctx); /* called once, by destroy or by a create that fails */

    uint32_t max_open; /* connections of all keys, lent, idle and being dialed; 0: no bound */
    uint32_t max_open_per_key; /* the same for one key; 0: 10 */
    uint32_t max_idle;         /* idle connections of all keys; 0: no bound beside the others */
    uint32_t max_idle_per_key; /* idle connections of one key; 0: max_open_per_key */
    uint32_t max_waiters;      /* threads waiting in acquire at most; 0: no bound */

    int64_t connect_timeout; /* nanoseconds for one dial; 0: 10 s; POOL_CONNS_NONE */
    int64_t idle_timeout;    /* nanoseconds; 0: 10 min; POOL_CONNS_NONE */
    int64_t max_lifetime;    /* nanoseconds, less up to 10 % chosen by chance for each connection;
                                0: 30 min; POOL_CONNS_NONE */

    const pool_allocator *allocator; /* for the pool's own memory; copied; NULL: the default */
    pool_cpu_mode cpu_mode;          /* see pool_cpu_mode */
    uint32_t flags;                  /* must be 0 */
} pool_conns_options;

/* clang-format off */
#define POOL_CONNS_OPTIONS_INIT                                                                    \
    { sizeof(pool_conns_options), NULL, NULL, NULL, NULL, NULL, NULL, 0, 0, 0, 0, 0, 0, 0, 0,      \
      NULL, 0, 0 }
/* clang-format on */

/* Fill `options` as POOL_CONNS_OPTIONS_INIT does; see pool_objects_options_init().
 * Threads: any. Blocks: never. Errors: POOL_EINVAL. Since: 0.1 */
POOL_API pool_status pool_conns_options_init(pool_conns_options *options, size_t size);

/* Make a pool; nothing is dialed. `options` may be NULL for all defaults.
 *
 * Ownership: *out is the caller's until pool_conns_destroy(). On failure *out is NULL and ctx_free
 *            has been called,
 *            unless options->size is unusable: then nothing else in there is looked at.
 * Threads:   any.
 * Blocks:    never.
 * Errors:    POOL_EINVAL (out NULL, dial without close or the reverse, a negative time, unknown
 *            flags), POOL_ENOTSUP, POOL_ENOMEM.
 * Since:     0.1 */
POOL_API pool_status pool_conns_create(const pool_conns_options *options, pool_conns **out);

/* Borrow a connection for a key of `key_length` bytes, 0 to 1024: an idle one that is still good, a
 * new one while the bounds allow it, or, after waiting in line, whichever comes first.
 *
 * Ownership: *lease is the caller's until release, discard or detach; NULL on failure. The key is
 *            copied.
 * Threads:   any.
 * Blocks:    at most `timeout` nanoseconds, dialing included; with 0 it neither waits nor dials.
 * Errors:    POOL_EINVAL, POOL_EAGAIN (timeout 0 and none idle), POOL_ETIMEDOUT, POOL_EFULL
 *            (max_waiters), POOL_ECLOSED, POOL_ENOMEM, POOL_EDIAL (the last error says why), or what
 *            the dial callback returned.
 * Since:     0.1 */
POOL_API pool_status pool_conns_acquire(pool_conns *pool, const void *key, size_t key_length,
                                        int64_t timeout, pool_conns_lease **lease);

/* The connection of a lease, as dial stored it; the file descriptor cast to a pointer with the
 * built-in dialer. NULL for a NULL lease.
 * Threads: the holder's. Blocks: never. Errors: none. Since: 0.1 */
POOL_API void *pool_conns_lease_conn(const pool_conns_lease *lease);

/* The file descriptor of a lease from the built-in dialer; -1 for any other. It stays the pool's:
 * do not close it.
 * Threads: the holder's. Blocks: never. Errors: none. Since: 0.1 */
POOL_API int32_t pool_conns_lease_fd(const pool_conns_lease *lease);

/* How often the connection was lent before this time: 0 for a fresh one. A request that failed on
 * a used connection may be worth trying again.
 * Threads: the holder's. Blocks: never. Errors: none. Since: 0.1 */
POOL_API uint64_t pool_conns_lease_uses(const pool_conns_lease *lease);

/* Give a good connection back: to the first waiter, else to the idle ones, else it is closed.
 *
 * Ownership: the lease is gone.
 * Threads:   any. Blocks: never, unless close does.
 * Errors:    POOL_EINVAL (NULL). Since: 0.1 */
POOL_API pool_status pool_conns_release(pool_conns_lease *lease);

/* Give a broken connection back: it is closed, and its place goes to the first waiter.
 * Ownership, Threads, Blocks, Errors: as pool_conns_release(). Since: 0.1 */
POOL_API pool_status pool_conns_discard(pool_conns_lease *lease);

/* Take the connection out of the pool for good: it is the caller's, its place is free again. *conn
 * is set as pool_conns_lease_conn() would return it.
 * Ownership, Threads, Blocks: as pool_conns_release(). Errors: POOL_EINVAL. Since: 0.1 */
POOL_API pool_status pool_conns_detach(pool_conns_lease *lease, void **conn);

/* Close every idle connection, and those lent out when they come back: after a failover, say.
 * Threads: any. Blocks: as close does. Errors: POOL_EINVAL, POOL_ECLOSED. Since: 0.1 */
POOL_API pool_status pool_conns_clear(pool_conns *pool);

/* Close idle connections that have passed idle_timeout or max_lifetime, and forget unused keys.
 * acquire does this for the key it is asked for; a program with many keys calls this now and then.
 * Threads: any. Blocks: as close does. Errors: POOL_EINVAL, POOL_ECLOSED. Since: 0.1 */
POOL_API pool_status pool_conns_reap(pool_conns *pool);

/* Counters since the pool was made, and its state now. open = idle + in_use + dialing. */
typedef struct pool_conns_stats {
    size_t size;            /* sizeof(pool_conns_stats), set by the caller */
    uint64_t acquires;      /* acquires that succeeded */
    uint64_t hits;          /* of these, by an idle connection or one handed over by its user */
    uint64_t dials;         /* dials begun */
    uint64_t dial_fails;    /* of these, failed */
    uint64_t waits;         /* acquires that had to wait in line */
    uint64_t wait_time;     /* nanoseconds that they waited, together */
    uint64_t timeouts;      /* acquires that gave up waiting */
    uint64_t closed_broken; /* connections closed, by reason */
    uint64_t closed_invalid;
    uint64_t closed_max_lifetime;
    uint64_t closed_idle_timeout;
    uint64_t closed_max_idle;
    uint64_t closed_pool;
    uint64_t closed_cleared;
    uint64_t detached;
    uint64_t open; /* connections now */
    uint64_t idle;
    uint64_t in_use;
    uint64_t dialing;
    uint64_t waiters; /* threads waiting now */
    uint64_t keys;    /* keys known now */
} pool_conns_stats;

/* Fill `stats`; see pool_objects_get_stats().
 * Threads: any. Blocks: never. Errors: POOL_EINVAL. Since: 0.1 */
POOL_API pool_status pool_conns_get_stats(pool_conns *pool, pool_conns_stats *stats);

/* Take no more acquires, fail every waiter with POOL_ECLOSED, close what is idle, and wait until the
 * leases that are out are back. *still_out, if not NULL, is set to how many are not.
 *
 * Threads:   any.
 * Blocks:    at most `timeout` nanoseconds.
 * Errors:    POOL_EINVAL, POOL_ETIMEDOUT (closed all the same; leases still out).
 * Since:     0.1 */
POOL_API pool_status pool_conns_close(pool_conns *pool, int64_t timeout, uint64_t *still_out);

/* Close without waiting, and end the pool when its last lease is back. NULL is ignored.
 * Threads: no other call on this pool, but leases may still be given back later, on any thread.
 * Blocks: as close does. Errors: none. Since: 0.1 */
POOL_API pool_status pool_conns_destroy(pool_conns *pool);

#ifdef __cplusplus
}
#endif

#endif
