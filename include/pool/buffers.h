/* pool/buffers.h - buffer pools: scratch memory of the size that is needed, for nanoseconds.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 *     pool_buffers *pool;
 *     pool_buffers_create(NULL, &pool);
 *
 *     pool_buffer page = pool_buffers_get(pool, 5000);   // page.capacity is 5120
 *     ... page.data ...
 *     pool_buffers_put(pool, page);
 *
 * pool/buf.h has byte buffers that grow in such memory.
 *
 * Buffers come in size classes. A request is served from the smallest class that holds it, so a
 * buffer is larger than it need be by at most a quarter (see pool_buffers_scheme); one above the
 * largest class comes from the allocator and goes back there when it is put. A buffer has no header:
 * its capacity tells its class. Each class is cached per CPU as in an object pool, and memory is
 * taken from the allocator only when the class has no idle buffer on any CPU. From 256 KiB on, a
 * geometric class that has none takes an idle one of up to four times its size first: that is in
 * memory already.
 *
 * A buffer that nobody took during two sweeps is freed. Sweeps need no thread: every 10 seconds, or
 * another period, a call of the pool does a part of one as it comes along. What the pool keeps is
 * therefore near what was in use at once within the last two periods, whatever came before.
 *
 * Ordering: what a thread wrote before it put a buffer is visible to the thread that gets it.
 * Contents are not cleared unless asked for.
 */
#ifndef POOL_BUFFERS_H
#define POOL_BUFFERS_H

#include "common.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A pool of buffers. Made by pool_buffers_create(), ended by pool_buffers_destroy() or
 * pool_buffers_release(). */
typedef struct pool_buffers pool_buffers;

/* A buffer: all of data[0 .. capacity) may be used. Passed by value, in two registers; both fields
 * go back to the pool as they came. */
typedef struct pool_buffer {
    void *data; /* NULL: there is none */
    size_t capacity;
} pool_buffer;

/* Which sizes the classes have. */
typedef int32_t pool_buffers_scheme;
enum {
    /* Four to each doubling: 1, 1.25, 1.5 and 1.75 times each power of two, the size classes of
     * jemalloc, rounded up to the alignment. Above four times the alignment a buffer is less than
     * 25 % larger than what was asked for. */
    POOL_BUFFERS_GEOMETRIC = 0,
    /* min_size, 2 min_size, 4 min_size ... and max_size: less than 100 % larger. */
    POOL_BUFFERS_DOUBLING = 1,
    /* Those in options.list. */
    POOL_BUFFERS_LIST = 2
};

/* Bits of pool_buffers_options.flags. Any other bit is POOL_EINVAL. */
enum {
    /* Find mistakes: double put, put of a buffer of another pool or of none, put with the wrong
     * capacity, writes to a buffer after it was put, buffers still out at destroy. Every call takes
     * a lock and puts fill the buffer; for tests. Also POOL_CONF="checked=1". */
    POOL_BUFFERS_CHECKED = 1,
    /* All of a buffer is zero when it is got. */
    POOL_BUFFERS_ZERO_ON_GET = 2,
    /* All of a buffer is overwritten with zeros when it is put, and when a growing pool_buf leaves
     * it, in a way that compilers do not remove; for secrets. */
    POOL_BUFFERS_ZERO_ON_PUT = 4,
    /* Buffers of 2 MiB and more begin on a multiple of 2 MiB, and the kernel is asked to back them
     * with huge pages. */
    POOL_BUFFERS_HUGE_PAGES = 8,
    /* Sweeps run on the background thread of pool_objects_options.sweep_period, on time, even if
     * nobody calls the pool. */
    POOL_BUFFERS_SWEEPER = 16,
    /* Sweep twice, on that thread, when the kernel reports memory pressure (PSI). */
    POOL_BUFFERS_SWEEP_ON_PRESSURE = 32
};

/* For max_idle and max_idle_bytes: keep nothing; every put frees. */
#define POOL_BUFFERS_KEEP_NONE UINT64_MAX

/* Classes of a list at most. */
#define POOL_BUFFERS_MAX_LIST 64

/* Tags of a pool's calibration: 0 to this, exclusive. */
#define POOL_BUFFERS_TAGS 64

typedef struct pool_buffers_options {
    size_t size;       /* sizeof(pool_buffers_options) */
    const char *name;  /* for reports and statistics; UTF-8, copied, cut to 63 bytes; may be NULL */
    uint64_t min_size; /* bytes of the smallest class, 1 to 1 GiB; 0: 64 */
    uint64_t max_size; /* bytes of the largest class, min_size to 1 GiB; 0: 16 MiB, or min_size if
                            that is larger. Larger buffers are never kept */
    pool_buffers_scheme scheme;
    uint32_t list_count;  /* for POOL_BUFFERS_LIST: the sizes of the classes, ascending, each in */
    const uint64_t *list; /* the range of min_size; min_size and max_size must be 0. Copied */
    uint64_t largest;     /* a request for more fails, and so does growing beyond it; for sizes that
                               a peer may choose. 0: 2^46 */
    uint64_t max_idle;    /* buffers kept at most, of all classes together, exactly; 0: no bound;
                               POOL_BUFFERS_KEEP_NONE */
    uint64_t max_idle_bytes; /* the same in bytes */
    uint64_t alignment;      /* of every buffer, bytes: a power of two up to 2 MiB; 0: 16 */
    int64_t
        sweep_period; /* nanoseconds, at least 1 ms; 0: 10 s, or what POOL_CONF says; POOL_FOREVER: no sweeps but those
                                that are called for */
    const pool_allocator *allocator; /* for the buffers and the pool's own memory; copied; NULL: the
                                        default */
    pool_cpu_mode cpu_mode;          /* see pool_cpu_mode */
    uint32_t flags;                  /* POOL_BUFFERS_* bits */
} pool_buffers_options;

/* clang-format off */
#define POOL_BUFFERS_OPTIONS_INIT                                                                  \
    { sizeof(pool_buffers_options), NULL, 0, 0, 0, 0, NULL, 0, 0, 0, 0, 0, NULL, 0, 0 }
/* clang-format on */

/* Fill `options` as POOL_BUFFERS_OPTIONS_INIT does; see pool_objects_options_init().
 * Threads: any. Blocks: never. Errors: POOL_EINVAL. Since: 0.1 */
POOL_API pool_status pool_buffers_options_init(pool_buffers_options *options, size_t size);

/* Make a pool. `options` may be NULL for all defaults.
 *
 * Ownership: *out is the caller's until pool_buffers_destroy() or pool_buffers_release(); NULL on
 *            failure.
 * Threads:   any.
 * Blocks:    never.
 * Errors:    POOL_EINVAL (out NULL, a size, the list, the period or the alignment out of range,
 *            max_size < min_size, unknown scheme or flags, allocator incomplete), POOL_ENOTSUP,
 *            POOL_ENOMEM, POOL_ENOTHREAD.
 * Source:    the geometric classes are jemalloc's, the doubling ones those of vitess's bucketpool.
 * Since:     0.1 */
POOL_API pool_status pool_buffers_create(const pool_buffers_options *options, pool_buffers **out);

/* Take a buffer of at least `min_size` bytes; 0 gets one of the smallest class.
 *
 * Returns:   {NULL, 0} for a NULL pool or more than options.largest (POOL_EINVAL), an ended pool
 *            (POOL_ECLOSED), or when memory cannot be had (POOL_ENOMEM); see
 *            pool_last_error_status().
 * Ownership: the caller's until pool_buffers_put().
 * Threads:   any.
 * Blocks:    as pool_objects_get(). One get in a thousand may free buffers that are too old.
 * Since:     0.1 */
POOL_API pool_buffer pool_buffers_get(pool_buffers *pool, size_t min_size);

/* As pool_buffers_get(), but never calls the allocator: nothing, with POOL_EAGAIN, if the class has no
 * idle buffer. Since: 0.1 */
POOL_API pool_buffer pool_buffers_try_get(pool_buffers *pool, size_t min_size);

/* Give a buffer back, with the capacity that it came with. One without data is ignored. If a bound is
 * reached, or the buffer is above the largest class, or the pool was released, it is freed; that is
 * not an error.
 *
 * Ownership: the pool's from here on, if POOL_OK.
 * Threads:   any.
 * Blocks:    never.
 * Errors:    POOL_EINVAL (pool NULL, or a capacity that no buffer of this pool has; nothing changed),
 *            POOL_ECLOSED (the pool was destroyed: its buffers are gone), in checked mode
 *            POOL_EMISUSE.
 * Since:     0.1 */
POOL_API pool_status pool_buffers_put(pool_buffers *pool, pool_buffer buffer);

/* The capacity that a get of `min_size` would have, if it borrows no larger buffer; 0 if it would
 * fail for its size.
 * Threads: any. Blocks: never. Errors: none. Since: 0.1 */
POOL_API size_t pool_buffers_capacity(pool_buffers *pool, size_t min_size);

/* Make `count` buffers of the class of `min_size` ahead of need, as far as the bounds allow.
 * Threads: any. Blocks: never. Errors: POOL_EINVAL (pool NULL, min_size above the largest class),
 * POOL_ECLOSED, POOL_ENOMEM (what was made stays). Since: 0.1 */
POOL_API pool_status pool_buffers_prefill(pool_buffers *pool, size_t min_size, size_t count);

/* Age every class by one generation, and hand what that frees on to the system where the allocator
 * can: by purging the pool's arena in jemalloc, or by malloc_trim(). For hosts that know a good
 * moment, such as the end of their own garbage collection.
 * Threads: any. Blocks: while memory is freed. Errors: POOL_EINVAL, POOL_ECLOSED. Since: 0.1 */
POOL_API pool_status pool_buffers_sweep(pool_buffers *pool);

/* Free idle buffers, the oldest and largest first, until `keep_bytes` are left, and hand them on to
 * the system as pool_buffers_sweep() does.
 * Threads: any. Blocks: while memory is freed. Errors: POOL_EINVAL, POOL_ECLOSED. Since: 0.1 */
POOL_API pool_status pool_buffers_trim(pool_buffers *pool, uint64_t keep_bytes);

/* Counters since the pool was made; see pool_objects_stats for their exactness. */
typedef struct pool_buffers_stats {
    size_t size;         /* sizeof(pool_buffers_stats), set by the caller */
    uint64_t gets;       /* buffers handed out */
    uint64_t hits;       /* of these, taken from the pool */
    uint64_t misses;     /* of these, allocated */
    uint64_t oversize;   /* of the misses, above the largest class */
    uint64_t puts;       /* buffers given back */
    uint64_t dropped;    /* of these, freed at once */
    uint64_t swept;      /* idle buffers freed by sweeps and trims */
    uint64_t misuses;    /* mistakes found in checked mode */
    uint64_t idle;       /* buffers in the pool now */
    uint64_t idle_bytes; /* and what they hold */
    int64_t out;         /* buffers handed out and not yet given back */
    int64_t out_bytes;   /* and what they hold */
    uint64_t requested;  /* bytes asked for by all gets, estimated for each class from one get in a
                              thousand and those that its CPU's stack could not serve */
    uint64_t waste;      /* bytes handed out beyond those */
    uint64_t largest;    /* the largest size that was ever asked for */
    uint64_t grows;      /* times that a pool_buf moved to a larger buffer */
    uint64_t classes;    /* number of size classes */
    uint64_t sweeps;     /* generations that ended */
    uint64_t bytes;      /* memory of the pool itself, without buffers */
} pool_buffers_stats;

/* Fill `stats`; see pool_objects_get_stats().
 * Threads: any. Blocks: never. Errors: POOL_EINVAL, POOL_ECLOSED. Since: 0.1 */
POOL_API pool_status pool_buffers_get_stats(pool_buffers *pool, pool_buffers_stats *stats);

/* The same of one size class. */
typedef struct pool_buffers_class_stats {
    size_t size;       /* sizeof(pool_buffers_class_stats), set by the caller */
    uint64_t capacity; /* bytes of each of its buffers */
    uint64_t gets;
    uint64_t hits;
    uint64_t misses;
    uint64_t puts;
    uint64_t dropped;
    uint64_t swept;
    uint64_t idle;
    uint64_t idle_bytes;
    int64_t out;
    uint64_t requested;
    uint64_t waste;
    uint64_t largest;
} pool_buffers_class_stats;

/* Fill `stats` for class `index`, 0 being the smallest.
 * Threads: any. Blocks: never. Errors: POOL_EINVAL (also if there is no such class), POOL_ECLOSED.
 * Since: 0.1 */
POOL_API pool_status pool_buffers_get_class_stats(pool_buffers *pool, size_t index,
                                                  pool_buffers_class_stats *stats);

/* What a histogram counts. */
typedef int32_t pool_buffers_sizes;
enum {
    POOL_BUFFERS_REQUESTED = 0, /* gets, by the capacity that served them */
    POOL_BUFFERS_RETURNED = 1,  /* puts, by capacity */
    POOL_BUFFERS_LENGTHS = 2    /* pool_bufs put, by the most that was in them */
};

/* How many sizes there were in (2^(i-1), 2^i] bytes, in counts[i]; counts[0] is for 1 byte, and the
 * last of the `n` counts takes all that is larger. Sizes of 0 are not counted.
 * Threads: any. Blocks: never. Errors: POOL_EINVAL (a NULL, n 0, unknown kind), POOL_ECLOSED.
 * Since: 0.1 */
POOL_API pool_status pool_buffers_get_histogram(pool_buffers *pool, pool_buffers_sizes kind,
                                                uint64_t *counts, size_t n);

/* What the pool has learned from the pool_bufs of one tag.
 *
 * Each put of a pool_buf tells how many bytes it needed. The default size is the smallest class that
 * holds 90 % of them, and capacities of up to twice what holds 99 % are kept. Older observations
 * weigh half as much with each calibration, of which there is one every few thousand puts and one
 * with every sweep, so a burst of giants is forgotten. */
typedef struct pool_buffers_calibration {
    size_t size; /* sizeof(pool_buffers_calibration), set by the caller */
    uint64_t
        default_size;  /* bytes that a pool_buf of this tag takes first; 0: as many as it needs */
    uint64_t max_size; /* its memory is kept up to this capacity; 0: up to the largest class */
    uint64_t samples;  /* puts observed; ignored when set */
    uint32_t frozen;   /* 1: learning has stopped */
    uint32_t reserved; /* 0 */
} pool_buffers_calibration;

/* Read a tag's present values, 0 before the first calibration.
 * Threads: any. Blocks: never. Errors: POOL_EINVAL (also for a tag out of range), POOL_ECLOSED.
 * Since: 0.1 */
POOL_API pool_status pool_buffers_get_calibration(pool_buffers *pool, uint32_t tag,
                                                  pool_buffers_calibration *calibration);

/* Replace a tag's values, from the next growth and put on. With `frozen` they stay; without, the
 * next calibration goes on from what was observed.
 * Threads: any. Blocks: never.
 * Errors: POOL_EINVAL (default_size above options.largest, max_size below default_size and not 0,
 * frozen above 1), POOL_ECLOSED, POOL_ENOMEM. Since: 0.1 */
POOL_API pool_status pool_buffers_set_calibration(pool_buffers *pool, uint32_t tag,
                                                  const pool_buffers_calibration *calibration);

/* Free every idle buffer and end the pool. Buffers that are out stay usable, but can no longer be
 * given back: putting one is POOL_ECLOSED, and its memory is lost; see pool_buffers_release().
 * The handle stays valid for such puts as that of an object pool does. NULL is ignored.
 * Threads: no other thread may be in a call on this pool. Blocks: while memory is freed.
 * Errors: POOL_ECLOSED (ended before), in checked mode POOL_EMISUSE (buffers are still out; the pool
 * has ended all the same, and the log names it). Since: 0.1 */
POOL_API pool_status pool_buffers_destroy(pool_buffers *pool);

/* End the pool when its last buffer is back: gets fail from now on, puts free. For hosts that cannot
 * tell in which order things end. The handle is valid until the last put has returned.
 * Threads: other threads may be in a put, in no other call. Blocks: while memory is freed.
 * Errors: POOL_ECLOSED (ended before). Since: 0.1 */
POOL_API pool_status pool_buffers_release(pool_buffers *pool);

#ifdef __cplusplus
}
#endif

#endif
