/* pool/conn_stats.h - what can be seen of a pool of connections.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Counters cost acquire and release nothing: they are kept in the connections' own records and
 * added up here. All of them are in pool_stats_write() too, as text, JSON and Prometheus.
 */
#ifndef POOL_CONN_STATS_H
#define POOL_CONN_STATS_H

#include "conns.h"

#ifdef __cplusplus
extern "C" {
#endif

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
    uint64_t waiters; /* threads and requests waiting now */
    uint64_t keys;    /* keys known now */

    uint64_t closed_max_uses;
    uint64_t adopted;        /* connections that pool_conns_adopt() brought */
    uint64_t canceled;       /* requests cancelled before they got a connection */
    uint64_t refused;        /* acquires that failed with POOL_EFULL */
    uint64_t backed_off;     /* acquires that failed with the error of an earlier dial */
    uint64_t nested;         /* acquires that could only wait for their own thread */
    uint64_t dial_time;      /* nanoseconds that successful dials took, together */
    uint64_t empty_acquires; /* acquires that succeeded, but waited or dialed */
    uint64_t empty_time;     /* nanoseconds that those took, together */
    uint64_t handoffs;       /* connections handed to one who waited */
    uint64_t validations;    /* calls of validate, before lending or to keep alive */
    uint64_t validate_fails; /* of these, failed */
    uint64_t reset_fails;    /* calls of reset that failed */
    uint64_t leaks;          /* leases that were reported as out for too long */
    uint64_t threads;        /* of the pool, now */
    uint64_t max_open;       /* bounds now, 0: none */
    uint64_t max_open_per_key;
    uint64_t max_idle;
    uint64_t max_idle_per_key; /* as it is: 0 keeps none, UINT32_MAX keeps all */
    uint64_t memory_bytes;     /* that the pool itself takes, from the allocator */
} pool_conns_stats;

/* Fill `stats`; see pool_objects_get_stats().
 * Threads: any. Blocks: never. Errors: POOL_EINVAL. Since: 0.1 */
POOL_API pool_status pool_conns_get_stats(pool_conns *pool, pool_conns_stats *stats);

/* One key. */
typedef struct pool_conns_key_stats {
    size_t size; /* sizeof(pool_conns_key_stats), set by the caller */
    uint64_t open;
    uint64_t idle;
    uint64_t in_use;
    uint64_t dialing;
    uint64_t waiters;
    uint64_t dials; /* since the key was last unknown */
    uint64_t dial_fails;
    uint64_t fails_in_a_row; /* dials that have failed since one succeeded */
    int64_t backoff_left;    /* nanoseconds until the next dial; 0: not backing off */
} pool_conns_key_stats;

/* Fill `stats` for a key; all zero for one that the pool does not know.
 * Threads: any. Blocks: never. Errors: POOL_EINVAL. Since: 0.1 */
POOL_API pool_status pool_conns_get_key_stats(pool_conns *pool, const void *key, size_t key_length,
                                              pool_conns_key_stats *stats);

/* ---- histograms ------------------------------------------------------------------------------ */

typedef int32_t pool_conns_time;
enum {
    POOL_CONNS_WAIT_TIME = 1, /* of each acquire that stood in line, successful or not */
    POOL_CONNS_DIAL_TIME = 2, /* of each dial, successful or not */
    POOL_CONNS_HOLD_TIME = 3  /* from acquire to the end of the lease: of all leases while there are
                                 few, of some 250 a second while there are many */
};

#define POOL_CONNS_BUCKETS 48

/* Bucket 0 counts times below 1 us; bucket n, those below 2^(n/2) us and not in an earlier one, in
 * steps of a half power of two; the last one everything above. */
typedef struct pool_conns_histogram {
    size_t size;    /* sizeof(pool_conns_histogram), set by the caller */
    uint64_t count; /* of times */
    uint64_t sum;   /* of them, nanoseconds */
    uint64_t most;  /* the longest one */
    uint64_t buckets[POOL_CONNS_BUCKETS];
} pool_conns_histogram;

/* Fill `histogram` with what was measured since the pool was made.
 * Threads: any. Blocks: never. Errors: POOL_EINVAL. Since: 0.1 */
POOL_API pool_status pool_conns_get_histogram(pool_conns *pool, pool_conns_time which,
                                              pool_conns_histogram *histogram);

/* The time that `percent` of 100 times in a histogram do not exceed, nanoseconds, rounded up to a
 * bucket's end, and never above the longest one. 0 for an empty histogram or one that is NULL.
 * Threads: any. Blocks: never. Errors: none. Since: 0.1 */
POOL_API int64_t pool_conns_histogram_percentile(const pool_conns_histogram *histogram,
                                                 double percent);

/* ---- leases ---------------------------------------------------------------------------------- */

typedef void (*pool_conns_lease_fn)(const pool_conns_lease_info *lease, void *arg);

/* Call `visit` for every lease that is out for at least `min_age` nanoseconds.
 * Threads: any. Blocks: never; `visit` runs under no lock. Errors: POOL_EINVAL, POOL_ENOMEM.
 * Since: 0.1 */
POOL_API pool_status pool_conns_visit_leases(pool_conns *pool, int64_t min_age,
                                             pool_conns_lease_fn visit, void *arg);

#ifdef __cplusplus
}
#endif

#endif
