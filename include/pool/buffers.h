/* pool/buffers.h - buffer pools: scratch memory of the size that is needed, for nanoseconds.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 *     pool_buffers *pool;
 *     pool_buffers_create(NULL, &pool);
 *
 *     size_t capacity;
 *     char *data = pool_buffers_get(pool, 5000, &capacity);   // capacity >= 5000
 *     ...
 *     pool_buffers_put(pool, data, capacity);
 *
 * Buffers come in size classes: powers of two from min_size to max_size, and max_size itself. A
 * request is served from the smallest class that holds it; one above max_size is served from the
 * allocator and freed when it is put back. Each class is cached per CPU as in an object pool.
 * Contents are not cleared.
 */
#ifndef POOL_BUFFERS_H
#define POOL_BUFFERS_H

#include "common.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A pool of buffers. Made by pool_buffers_create(), ended by pool_buffers_destroy(). */
typedef struct pool_buffers pool_buffers;

typedef struct pool_buffers_options {
    size_t size;         /* sizeof(pool_buffers_options) */
    const char *name;    /* for reports and statistics; UTF-8, copied, cut to 63 bytes; may be NULL */
    uint64_t min_size;   /* bytes of the smallest class, 1 to 1 GiB; 0: 512 */
    uint64_t max_size;   /* bytes of the largest class, min_size to 1 GiB; 0: 1 MiB, or min_size if
                            that is larger */
    uint64_t alignment;  /* of every buffer, bytes: a power of two up to 4096; 0: 16 */
    int64_t sweep_period; /* as pool_objects_options.sweep_period, for every class */
    const pool_allocator *allocator; /* for the buffers and the pool's own memory; copied; NULL: the
                                        default */
    pool_cpu_mode cpu_mode;          /* see pool_cpu_mode */
    uint32_t flags;                  /* must be 0 */
} pool_buffers_options;

/* clang-format off */
#define POOL_BUFFERS_OPTIONS_INIT                                                                  \
    { sizeof(pool_buffers_options), NULL, 0, 0, 0, 0, NULL, 0, 0 }
/* clang-format on */

/* Fill `options` as POOL_BUFFERS_OPTIONS_INIT does; see pool_objects_options_init().
 * Threads: any. Blocks: never. Errors: POOL_EINVAL. Since: 0.1 */
POOL_API pool_status pool_buffers_options_init(pool_buffers_options *options, size_t size);

/* Make a pool. `options` may be NULL for all defaults.
 *
 * Ownership: *out is the caller's until pool_buffers_destroy(); NULL on failure.
 * Threads:   any.
 * Blocks:    never.
 * Errors:    POOL_EINVAL (out NULL, a size or the alignment out of range, max_size < min_size,
 *            unknown flags), POOL_ENOTSUP, POOL_ENOMEM, POOL_ENOTHREAD.
 * Since:     0.1 */
POOL_API pool_status pool_buffers_create(const pool_buffers_options *options, pool_buffers **out);

/* Take a buffer of at least `min_size` bytes; 0 gets one of the smallest class. *capacity, if not
 * NULL, is set to what it really holds.
 *
 * Returns:   NULL for a NULL pool (POOL_EINVAL) or when memory cannot be had (POOL_ENOMEM).
 * Ownership: the caller's until pool_buffers_put().
 * Threads:   any.
 * Blocks:    as pool_objects_get().
 * Since:     0.1 */
POOL_API void *pool_buffers_get(pool_buffers *pool, size_t min_size, size_t *capacity);

/* Give a buffer back; `capacity` as pool_buffers_get() reported it. NULL is ignored.
 *
 * Ownership: the pool's from here on, if POOL_OK.
 * Threads:   any.
 * Blocks:    never.
 * Errors:    POOL_EINVAL (pool NULL, or a capacity that no buffer of this pool has; nothing changed).
 * Since:     0.1 */
POOL_API pool_status pool_buffers_put(pool_buffers *pool, void *buffer, size_t capacity);

/* Age every class by one generation; see pool_objects_sweep().
 * Threads: any. Blocks: while memory is freed. Errors: POOL_EINVAL. Since: 0.1 */
POOL_API pool_status pool_buffers_sweep(pool_buffers *pool);

/* Counters since the pool was made; see pool_objects_stats for their exactness. */
typedef struct pool_buffers_stats {
    size_t size;        /* sizeof(pool_buffers_stats), set by the caller */
    uint64_t gets;      /* buffers handed out */
    uint64_t hits;      /* of these, taken from the pool */
    uint64_t misses;    /* of these, allocated */
    uint64_t oversize;  /* of the misses, above max_size */
    uint64_t puts;      /* buffers given back */
    uint64_t dropped;   /* of these, freed at once */
    uint64_t idle;      /* buffers in the pool now */
    uint64_t idle_bytes; /* and what they hold */
    int64_t out;        /* buffers handed out and not yet given back */
    uint64_t classes;   /* number of size classes */
    uint64_t bytes;     /* memory of the pool itself, without buffers */
} pool_buffers_stats;

/* Fill `stats`; see pool_objects_get_stats().
 * Threads: any. Blocks: never. Errors: POOL_EINVAL. Since: 0.1 */
POOL_API pool_status pool_buffers_get_stats(pool_buffers *pool, pool_buffers_stats *stats);

/* Free every idle buffer and end the pool. Buffers that are out stay usable, but can no longer be
 * given back: their memory is lost. NULL is ignored.
 * Threads: no other thread may be in a call on this pool. Blocks: while memory is freed.
 * Errors: POOL_EMISUSE (buffers are still out; the pool has ended all the same). Since: 0.1 */
POOL_API pool_status pool_buffers_destroy(pool_buffers *pool);

#ifdef __cplusplus
}
#endif

#endif
