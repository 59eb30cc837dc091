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
 * A key, any bytes, chooses the sub-pool; NULL stands for the key in the options, so a pool for one
 * server never names it again. Idle connections are lent newest first, as far as one CPU sees it;
 * they are checked before that, and closed when they were idle or alive for too long. When the
 * bound is reached acquire waits; whatever frees a place wakes the first waiter that it can serve.
 *
 * Who comes first. Waiters of one key stand in line by priority, then by arrival. A newcomer may
 * take an idle connection although others wait, since a strict line makes every release wait for a
 * thread to wake up; but once the first in line has waited for a millisecond, everything that comes
 * back is handed to it. Other rules: options.handoff.
 *
 * Threads. Connections are dialed without any lock, on the thread that called acquire. A pool
 * starts threads of its own only when asked to: by POOL_CONNS_DIALERS, min_idle, keepalive,
 * leak_threshold, reap_interval or a request (pool/conn_requests.h). They number max_dials at most,
 * and end after ten seconds without work.
 *
 * In the child after fork the parent's connections are neither used nor shut down: the child closes
 * its copies of the file descriptors and dials anew.
 *
 * Beside this: pool/conn_requests.h, acquiring without a waiting thread; pool/conn_stats.h, what
 * can be seen of a pool.
 */
#ifndef POOL_CONNS_H
#define POOL_CONNS_H

#include "common.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A pool of connections. Made by pool_conns_create(), ended by pool_conns_destroy(). */
typedef struct pool_conns pool_conns;

/* One connection lent out. Ended by exactly one of release, discard and detach; a second one is
 * POOL_EMISUSE, also when the connection has been lent to somebody else meanwhile. */
typedef struct pool_conns_lease pool_conns_lease;

/* Why a connection is closed, for callbacks and for statistics. */
typedef int32_t pool_conns_reason;
enum {
    POOL_CONNS_BROKEN = 1,       /* discarded by its user */
    POOL_CONNS_INVALID = 2,      /* found dead while idle, refused by a hook, or not reset */
    POOL_CONNS_MAX_LIFETIME = 3, /* older than max_lifetime */
    POOL_CONNS_IDLE_TIMEOUT = 4, /* idle for longer than idle_timeout */
    POOL_CONNS_MAX_IDLE = 5,     /* more than a bound on idle or open connections allows */
    POOL_CONNS_POOL_CLOSED = 6,  /* the pool was closed */
    POOL_CONNS_CLEARED = 7,      /* pool_conns_clear(), _clear_key(), _close_idle() */
    POOL_CONNS_MAX_USES = 8      /* lent max_uses times */
};

/* ---- callbacks ------------------------------------------------------------------------------- */

/* Callbacks run under no lock, on the thread that acquires, releases, clears, closes or reaps, or
 * on a thread of the pool. `deadline` is on the pool's clock; POOL_FOREVER: none. They may call the
 * library, but a wait for the pool's own connections there may wait for itself. */

/* Open a connection for a key. Store it in *conn, any value, and return POOL_OK; or return a
 * failure, which acquire hands on: a negative status as it is, a positive value of your own too. */
typedef pool_status (*pool_conns_dial_fn)(const void *key, size_t key_length, int64_t deadline,
                                          void **conn, void *ctx);

/* Close a connection. Called exactly once for each that dial made and detach did not take. */
typedef void (*pool_conns_close_fn)(void *conn, pool_conns_reason reason, void *ctx);

/* Is this idle connection still good? Non-zero if so. Must be quick: it is asked whenever a
 * connection that was idle is about to be lent. */
typedef int32_t (*pool_conns_is_alive_fn)(void *conn, int64_t idle_time, void *ctx);

/* Ask the other side, as a ping does. Called before lending a connection that was idle for
 * validate_after, and every `keepalive` of idleness. Anything but POOL_OK: it is closed. */
typedef pool_status (*pool_conns_validate_fn)(void *conn, int64_t deadline, void *ctx);

/* Undo what the last user did to the session. Called by release, before anybody else can get the
 * connection. Anything but POOL_OK: it is closed. */
typedef pool_status (*pool_conns_reset_fn)(void *conn, int64_t deadline, void *ctx);

/* A hook. Zero closes the connection: after_connect fails the dial with POOL_EBAD, before_acquire
 * makes acquire go on with another one, or fail with POOL_EBAD if nobody has used it yet;
 * after_release keeps it from the next user. */
typedef int32_t (*pool_conns_hook_fn)(void *conn, const void *key, size_t key_length, void *ctx);

/* In the child after fork: give up a connection that belongs to the parent without a word to the
 * other side: close the file descriptor, free the memory. Called by the child's first use of the
 * pool. Without it the child leaks such connections; those of the built-in dialer are closed. */
typedef void (*pool_conns_abandon_fn)(void *conn, void *ctx);

/* A lease that is out, for reports. */
typedef struct pool_conns_lease_info {
    size_t size;         /* sizeof(pool_conns_lease_info) */
    const char *taker;   /* the name that its taker gave, or "" */
    const void *key;     /* until the report ends */
    uint64_t key_length; /* bytes */
    void *conn;          /* as dial stored it */
    int64_t age;         /* nanoseconds since it was taken or renewed, to within some ms */
    uint64_t thread;     /* a number of the thread that took it, unique among live threads */
    int32_t returned;    /* 1: it was reported before, and has come back now */
    int32_t reserved;
} pool_conns_lease_info;

/* Called on a thread of the pool for a lease that has been out for leak_threshold, once, and once
 * more, on the releasing thread, if it comes back after all. */
typedef void (*pool_conns_leak_fn)(const pool_conns_lease_info *lease, void *ctx);

/* ---- options --------------------------------------------------------------------------------- */

/* For an option whose 0 means a default: none, no bound. */
#define POOL_CONNS_NONE INT64_MAX
/* For a bound on idle connections: keep none. */
#define POOL_CONNS_KEEP_NONE UINT32_MAX

typedef int32_t pool_conns_handoff;
enum {
    POOL_CONNS_FAIR = 0,   /* newcomers first, until somebody has waited for a millisecond */
    POOL_CONNS_STRICT = 1, /* nobody overtakes one who waits */
    POOL_CONNS_FREE = 2    /* newcomers first, always */
};

typedef int32_t pool_conns_idle_order;
enum {
    POOL_CONNS_LIFO = 0, /* newest first: few connections stay busy, the others can expire */
    POOL_CONNS_FIFO = 1  /* oldest first: all are used alike */
};

/* options.flags */
enum {
    POOL_CONNS_DIALERS = 1,    /* threads of the pool dial, and acquire takes what comes first: its
                                   own dial, or a connection that comes back. A dial whose acquire
                                   has given up serves the next one. */
    POOL_CONNS_FAIL_FAST = 2,  /* while a key is backing off, acquire fails at once with the error
                                   of the last dial, and so do those who wait */
    POOL_CONNS_FAIL_NESTED = 4 /* a thread that would wait although it holds all connections of the
                                   key itself gets POOL_EDEADLK; without this a log line */
};

typedef struct pool_conns_options {
    size_t size;      /* sizeof(pool_conns_options) */
    const char *name; /* for reports and statistics; copied, cut to 63 bytes; may be NULL */

    /* dial and close NULL: the built-in dialer. Keys are "host:port", "[v6]:port" or "unix:/path";
     * connections are sockets, close-on-exec, blocking. A host is looked up for each dial, by
     * getaddrinfo(), which heeds no timeout; then its addresses race as in RFC 8305: IPv6 and IPv4
     * by turns, the next one 250 ms after the last or as soon as one fails, until the first is
     * connected. TCP ones have TCP_NODELAY, and keepalive: a probe after 60 s without traffic, then
     * one each 15 s, and the 4th in vain ends the connection. A connection on which bytes or the
     * end of the stream wait counts as dead, unless is_alive says otherwise; with TLS, whose
     * records may come at any time, that is no test, and callbacks of your own are needed. Else
     * both must be given. */
    pool_conns_dial_fn dial;
    pool_conns_close_fn close;
    pool_conns_is_alive_fn is_alive;
    void *ctx;                   /* handed to every callback */
    void (*ctx_free)(void *ctx); /* called once, by destroy or by a create that fails */

    uint32_t max_open; /* connections of all keys, lent, idle and being dialed; 0: no bound */
    uint32_t max_open_per_key; /* the same for one key; 0: 10; UINT32_MAX: no bound */
    uint32_t max_idle;         /* idle connections of all keys; 0: no bound beside the others */
    uint32_t max_idle_per_key; /* idle connections of one key; 0: max_open_per_key, and no more */
    uint32_t max_waiters;      /* threads waiting in acquire at most; 0: no bound */

    int64_t connect_timeout; /* nanoseconds for one dial; 0: 10 s; POOL_CONNS_NONE */
    int64_t idle_timeout;    /* nanoseconds; 0: 10 min; POOL_CONNS_NONE */
    int64_t max_lifetime;    /* nanoseconds, less up to 10 % chosen by chance for each connection;
                                0: 30 min; POOL_CONNS_NONE */

    const pool_allocator *allocator; /* for the pool's own memory; copied; NULL: the default */
    pool_cpu_mode cpu_mode;          /* see pool_cpu_mode */
    uint32_t flags;                  /* POOL_CONNS_DIALERS, ... */

    /* Optional callbacks, each NULL or not, also beside the built-in dialer. */
    pool_conns_validate_fn validate;
    pool_conns_reset_fn reset;
    pool_conns_abandon_fn abandon;
    pool_conns_hook_fn after_connect;  /* when a dial has succeeded */
    pool_conns_hook_fn before_acquire; /* before it is lent, fresh ones too */
    pool_conns_hook_fn after_release;  /* when its user gives it back, before reset */
    pool_conns_close_fn before_close;  /* before it is closed, for whatever reason */
    pool_conns_leak_fn on_leak;        /* NULL: a log line */

    int64_t validate_after;   /* nanoseconds of idleness after which validate is called before
                                 lending; 0: 500 ms; POOL_CONNS_NONE: never */
    int64_t validate_timeout; /* for validate and reset; 0: 5 s; POOL_CONNS_NONE */
    int64_t keepalive;        /* validate idle connections this often, less up to a fifth chosen by
                                 chance; 0: never. Needs validate. */
    int64_t leak_threshold;   /* report leases that are out for so long; 0: never */
    int64_t reap_interval;    /* close what is idle or alive for too long this often, whether
                                 anybody acquires or not; 0: only acquire and reap do so */
    int64_t dial_backoff;     /* after a failed dial of a key the next waits so long; doubled by
                                 each failure in a row, less up to a half chosen by chance;
                                 0: 10 ms; POOL_CONNS_NONE: no backing off */
    int64_t dial_backoff_max; /* the most of that; 0: 5 s */

    const void *key; /* the key that NULL stands for in every call; copied; NULL: no bytes */
    uint64_t key_length;
    uint32_t min_idle;  /* idle ones to that key that a thread of the pool keeps ready; 0: none */
    uint32_t initial;   /* connections to that key that create dials; if one fails, it does too */
    uint32_t max_dials; /* dials at once, of all keys; 0: no bound, and 16 threads of the pool */
    uint32_t max_uses;  /* times that a connection is lent; 0: no bound */
    pool_conns_handoff handoff;
    pool_conns_idle_order idle_order;
} pool_conns_options;

/* clang-format off */
#define POOL_CONNS_OPTIONS_INIT                                                                    \
    { sizeof(pool_conns_options), NULL, NULL, NULL, NULL, NULL, NULL, 0, 0, 0, 0, 0, 0, 0, 0,      \
      NULL, 0, 0, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 0, 0, 0, 0, 0, 0, 0, NULL, 0,    \
      0, 0, 0, 0, 0, 0 }
/* clang-format on */

/* Fill `options` as POOL_CONNS_OPTIONS_INIT does; see pool_objects_options_init().
 * Threads: any. Blocks: never. Errors: POOL_EINVAL. Since: 0.1 */
POOL_API pool_status pool_conns_options_init(pool_conns_options *options, size_t size);

/* Make a pool. Nothing is dialed but `initial`. `options` may be NULL for all defaults.
 * max_idle_per_key above max_open_per_key, and max_idle above max_open, are cut to those, as
 * database/sql does it.
 *
 * Ownership: *out is the caller's until pool_conns_destroy(). On failure *out is NULL and ctx_free
 *            has been called, unless options->size is unusable: then nothing else in there is
 *            looked at.
 * Threads:   any.
 * Blocks:    as dial does, for `initial`; else never.
 * Errors:    POOL_EINVAL (out NULL, dial without close or the reverse, a negative time, keepalive
 *            without validate, min_idle or initial above a bound, unknown flags or rules),
 *            POOL_ENOTSUP, POOL_ENOMEM, POOL_ENOTHREAD; of initial dials, what acquire returns.
 * Since:     0.1 */
POOL_API pool_status pool_conns_create(const pool_conns_options *options, pool_conns **out);

/* ---- acquiring ------------------------------------------------------------------------------- */

/* Borrow a connection for a key of `key_length` bytes, 0 to 1024: an idle one that is still good, a
 * new one while the bounds allow it, or, after waiting in line, whichever comes first.
 * key NULL with length 0 is the key in the options.
 *
 * Ownership: *lease is the caller's until release, discard or detach; NULL on failure. The key is
 *            copied.
 * Threads:   any; the lease may be given back on another one.
 * Blocks:    at most `timeout` nanoseconds, dialing included; with 0 it neither waits nor dials.
 * Errors:    POOL_EINVAL, POOL_EAGAIN (timeout 0 and none idle), POOL_ETIMEDOUT, POOL_EFULL
 *            (max_waiters), POOL_EDEADLK (POOL_CONNS_FAIL_NESTED), POOL_ECLOSED, POOL_ENOMEM,
 *            POOL_EDIAL (the last error says why; also what a key is backing off from, with
 *            POOL_CONNS_FAIL_FAST), POOL_EBAD (after_connect or before_acquire refused a new one),
 *            or what dial returned.
 * Since:     0.1 */
POOL_API pool_status pool_conns_acquire(pool_conns *pool, const void *key, size_t key_length,
                                        int64_t timeout, pool_conns_lease **lease);

/* pool_conns_acquire_options.flags */
enum {
    POOL_CONNS_FRESH = 1 /* dial, even if there are idle ones; one of those makes room if need be */
};

typedef struct pool_conns_acquire_options {
    size_t size;       /* sizeof(pool_conns_acquire_options) */
    const char *taker; /* who takes it, for reports of leaks; copied, cut to 23 bytes; or NULL */
    int32_t priority;  /* -1, 0 or 1: behind, among or before the other waiters of the key */
    uint32_t flags;    /* POOL_CONNS_FRESH */
} pool_conns_acquire_options;

/* pool_conns_acquire() with options, which may be NULL. For acquiring that can be cancelled, or
 * without a waiting thread: pool/conn_requests.h.
 * Ownership, Threads, Blocks, Errors: as pool_conns_acquire(). Since: 0.1 */
POOL_API pool_status pool_conns_acquire_with(pool_conns *pool, const void *key, size_t key_length,
                                             int64_t timeout,
                                             const pool_conns_acquire_options *options,
                                             pool_conns_lease **lease);

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

/* The lease is still in use, whatever its age: leak_threshold begins anew for it.
 * Threads: the holder's. Blocks: never. Errors: POOL_EINVAL. Since: 0.1 */
POOL_API pool_status pool_conns_lease_renew(pool_conns_lease *lease);

/* ---- giving back ----------------------------------------------------------------------------- */

/* Give a good connection back: to a waiter or to the idle ones; it is closed if a bound, its age,
 * a hook or reset says so.
 *
 * Ownership: the lease is gone.
 * Threads:   any. Blocks: never, unless reset, a hook or close does.
 * Errors:    POOL_EINVAL (NULL), POOL_EMISUSE (ended before), POOL_EFORKED. Since: 0.1 */
POOL_API pool_status pool_conns_release(pool_conns_lease *lease);

/* Give a broken connection back: it is closed, and its place goes to the first waiter.
 * Ownership, Threads, Blocks, Errors: as pool_conns_release(). Since: 0.1 */
POOL_API pool_status pool_conns_discard(pool_conns_lease *lease);

/* Take the connection out of the pool for good: it is the caller's, its place is free again. *conn
 * is set as pool_conns_lease_conn() would return it.
 * Ownership, Threads, Blocks, Errors: as pool_conns_release(). Since: 0.1 */
POOL_API pool_status pool_conns_detach(pool_conns_lease *lease, void **conn);

/* Use a connection. POOL_EBAD: it is broken, closed, and pool_conns_run() tries with another one.
 * Any other value, positive ones too: it is good, and run returns that value. Runs on the calling
 * thread. The lease must not be ended in there. */
typedef pool_status (*pool_conns_run_fn)(pool_conns_lease *lease, void *conn, void *arg);

/* Acquire, call fn, give back. If fn finds the connection broken it is called again: at most twice
 * with what acquire gives, then once with a fresh one, as database/sql does it for
 * driver.ErrBadConn. If fn throws, the connection is closed.
 *
 * Ownership: `arg` is handed to fn only.
 * Threads:   any.
 * Blocks:    `timeout` is for all acquiring together; fn takes what it takes.
 * Errors:    as pool_conns_acquire(); what fn returned; POOL_EBAD (the fresh one was broken too),
 *            POOL_ETASK (fn threw).
 * Since:     0.1 */
POOL_API pool_status pool_conns_run(pool_conns *pool, const void *key, size_t key_length,
                                    int64_t timeout, pool_conns_run_fn fn, void *arg);

/* ---- tending --------------------------------------------------------------------------------- */

/* Dial until `count` connections of the key are idle or lent, as far as the bounds allow it; those
 * made are idle.
 * Threads: any. Blocks: as dial does, `timeout` nanoseconds at most. Errors: as
 * pool_conns_acquire(); what has been dialed before a failure stays. Since: 0.1 */
POOL_API pool_status pool_conns_fill(pool_conns *pool, const void *key, size_t key_length,
                                     uint32_t count, int64_t timeout);

/* Let the pool have a connection that was made elsewhere: a waiter gets it, or it is idle.
 * Ownership: on success `conn` is the pool's, as if dial had stored it.
 * Threads: any. Blocks: never. Errors: POOL_EINVAL, POOL_EFULL (a bound), POOL_ECLOSED,
 * POOL_ENOMEM. Since: 0.1 */
POOL_API pool_status pool_conns_adopt(pool_conns *pool, const void *key, size_t key_length,
                                      void *conn);

/* Close every idle connection, and those lent out when they come back: after a failover, say.
 * Threads: any. Blocks: as close does. Errors: POOL_EINVAL, POOL_ECLOSED. Since: 0.1 */
POOL_API pool_status pool_conns_clear(pool_conns *pool);

/* The same for the connections of one key; it also ends the key's backing off.
 * Threads: any. Blocks: as close does. Errors: POOL_EINVAL, POOL_ECLOSED. Since: 0.1 */
POOL_API pool_status pool_conns_clear_key(pool_conns *pool, const void *key, size_t key_length);

/* Close every idle connection of all keys; those lent out are kept when they come back.
 * Threads: any. Blocks: as close does. Errors: POOL_EINVAL, POOL_ECLOSED. Since: 0.1 */
POOL_API pool_status pool_conns_close_idle(pool_conns *pool);

/* Close idle connections that have passed idle_timeout or max_lifetime, and forget unused keys.
 * acquire does this for the key it is asked for; a program with many keys calls this now and then,
 * or sets reap_interval.
 * Threads: any. Blocks: as close does. Errors: POOL_EINVAL, POOL_ECLOSED. Since: 0.1 */
POOL_API pool_status pool_conns_reap(pool_conns *pool);

/* What can be changed while the pool is in use. Values are those of the options of that name, 0 for
 * the default included. */
typedef int32_t pool_conns_setting;
enum {
    POOL_CONNS_SET_MAX_OPEN = 1,
    POOL_CONNS_SET_MAX_OPEN_PER_KEY = 2,
    POOL_CONNS_SET_MAX_IDLE = 3,
    POOL_CONNS_SET_MAX_IDLE_PER_KEY = 4,
    POOL_CONNS_SET_MAX_WAITERS = 5,
    POOL_CONNS_SET_MIN_IDLE = 6,
    POOL_CONNS_SET_MAX_DIALS = 7,
    POOL_CONNS_SET_MAX_USES = 8,
    POOL_CONNS_SET_CONNECT_TIMEOUT = 9,
    POOL_CONNS_SET_IDLE_TIMEOUT = 10,
    POOL_CONNS_SET_MAX_LIFETIME =
        11, /* for connections dialed from now on, and sooner for others */
    POOL_CONNS_SET_VALIDATE_AFTER = 12,
    POOL_CONNS_SET_KEEPALIVE = 13,
    POOL_CONNS_SET_LEAK_THRESHOLD = 14,
    POOL_CONNS_SET_REAP_INTERVAL = 15
};

/* Change a bound or a time. More room wakes waiters at once; with less, what is idle beyond it is
 * closed at once, and what is lent when it comes back.
 * Threads: any. Blocks: as close does. Errors: POOL_EINVAL (unknown, out of its range, keepalive
 * without validate), POOL_ECLOSED, POOL_ENOTHREAD. Since: 0.1 */
POOL_API pool_status pool_conns_set(pool_conns *pool, pool_conns_setting setting, int64_t value);

/* ---- the end --------------------------------------------------------------------------------- */

/* Take no more acquires, fail every waiter with POOL_ECLOSED, close what is idle, and wait until the
 * leases that are out are back. *still_out, if not NULL, is set to how many are not. From now on
 * every call on the pool but those that end leases, read statistics or close it returns
 * POOL_ECLOSED.
 *
 * Threads:   any.
 * Blocks:    at most `timeout` nanoseconds; 0 closes without waiting.
 * Errors:    POOL_EINVAL, POOL_ETIMEDOUT (closed all the same; leases still out).
 * Since:     0.1 */
POOL_API pool_status pool_conns_close(pool_conns *pool, int64_t timeout, uint64_t *still_out);

/* Close without waiting for leases, join the pool's threads, and end the pool when its last lease
 * is back. NULL is ignored.
 * Threads: no other call on this pool, but leases may still be given back later, on any thread.
 * Blocks: as close does, and until dials on the pool's threads have ended. Errors: POOL_EDEADLK
 * (from a callback on one of the pool's threads). Since: 0.1 */
POOL_API pool_status pool_conns_destroy(pool_conns *pool);

#ifdef __cplusplus
}
#endif

#endif
