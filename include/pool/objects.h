/* pool/objects.h - object pools: keep objects that were expensive to make for the next who needs one.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 *     static void *make(void *ctx)              { return parser_new(ctx); }
 *     static void  drop(void *parser, void *ctx) { (void)ctx; parser_free(parser); }
 *
 *     pool_objects_options options = POOL_OBJECTS_OPTIONS_INIT;
 *     options.name = "parsers";
 *     options.create = make;
 *     options.destroy = drop;
 *     pool_objects *pool;
 *     if (pool_objects_create(&options, &pool) != POOL_OK)
 *         die(pool_last_error());
 *
 *     parser *p = pool_objects_get(pool);     // about 3 ns when one is there
 *     ...
 *     pool_objects_put(pool, p);
 *
 *     pool_objects_destroy(pool);             // destroys every object that is in it
 *
 * An object is any pointer-sized value but NULL; the pool never looks behind it. Each CPU has a
 * small stack of its own, so a get and a put that run on one CPU touch no shared memory and use no
 * atomic instruction. What one CPU has too much of, others can take: a get calls `create` only when
 * the pool holds no object at all, on whatever CPU.
 *
 * A sweep ages the pool by one generation: an object that nobody took during two sweeps is
 * destroyed. Sweeps come from pool_objects_sweep(), a period, or memory pressure; without them the
 * pool keeps what it was given, up to max_idle.
 *
 * Ordering: what a thread did to an object before it put it is visible to the thread that gets it.
 */
#ifndef POOL_OBJECTS_H
#define POOL_OBJECTS_H

#include "common.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A pool of objects. Made by pool_objects_create(), ended by pool_objects_destroy() or
 * pool_objects_release(). */
typedef struct pool_objects pool_objects;

/* Make an object. NULL means failure, which the caller of get then sees. Runs on the thread that
 * called get or prefill, under no lock; may call any function of the pool but destroy. */
typedef void *(*pool_objects_create_fn)(void *ctx);

/* Prepare an object for its next user. Runs on the thread that called put, before the object can be
 * seen by others. POOL_OK keeps the object; any other value has it destroyed instead. May call any
 * function of the pool but destroy; may not keep the object. */
typedef pool_status (*pool_objects_reset_fn)(void *object, void *ctx);

/* Destroy an object: called exactly once for each object that the pool drops. Runs, under no lock,
 * on the thread whose put, sweep, shrink or destroy dropped it, or on the sweeper thread. May call
 * any function of the pool but destroy. */
typedef void (*pool_objects_destroy_fn)(void *object, void *ctx);

/* Bits of pool_objects_options.flags. Any other bit is POOL_EINVAL. */
enum {
    /* Find mistakes: double put, put of a pointer that this pool did not hand out, objects still
     * out at destroy. Every call takes a lock; for tests. Also POOL_CONF="checked=1". */
    POOL_OBJECTS_CHECKED = 1,
    /* Sweep twice, on the background thread, when the kernel reports memory pressure (PSI). */
    POOL_OBJECTS_SWEEP_ON_PRESSURE = 2,
    /* No background sweeps, whatever POOL_CONF says. */
    POOL_OBJECTS_NO_SWEEPER = 4
};

/* For max_idle: keep nothing; every put destroys. */
#define POOL_OBJECTS_KEEP_NONE UINT64_MAX

typedef struct pool_objects_options {
    size_t size;      /* sizeof(pool_objects_options) */
    const char *name; /* for reports and statistics; UTF-8, copied, cut to 63 bytes; may be NULL */

    pool_objects_create_fn create;   /* NULL: a get that finds nothing returns NULL */
    pool_objects_reset_fn reset;     /* NULL: objects are kept as they were put */
    pool_objects_destroy_fn destroy; /* NULL: dropped objects are forgotten */
    void *ctx;                       /* handed to the three callbacks */
    void (*ctx_free)(void *ctx);     /* called once, after the pool's last callback, or when create
                                        fails; NULL for none */

    uint64_t max_idle;    /* objects kept at most, exactly; 0: no bound; POOL_OBJECTS_KEEP_NONE */
    uint64_t object_size; /* bytes behind the pointer, or 0 if it is no pointer to memory; lets
                              AddressSanitizer and valgrind report a use after put */
    int64_t sweep_period; /* nanoseconds between background sweeps, at least 1 ms; 0: none. The
                              first pool with one starts the process's only sweeper thread, the end
                              of the last one joins it */
    const pool_allocator *allocator; /* for the pool's own memory; copied; NULL: the default */
    pool_cpu_mode cpu_mode;          /* see pool_cpu_mode */
    uint32_t flags;                  /* POOL_OBJECTS_* bits */
} pool_objects_options;

/* clang-format off */
#define POOL_OBJECTS_OPTIONS_INIT                                                                  \
    { sizeof(pool_objects_options), NULL, NULL, NULL, NULL, NULL, NULL, 0, 0, 0, NULL, 0, 0 }
/* clang-format on */

/* Fill `options` as POOL_OBJECTS_OPTIONS_INIT does; `size` is sizeof(pool_objects_options) as the
 * caller knows it. For languages without macros.
 * Threads: any. Blocks: never.
 * Errors: POOL_EINVAL if options is NULL or size is smaller than a size_t. Since: 0.1 */
POOL_API pool_status pool_objects_options_init(pool_objects_options *options, size_t size);

/* Make a pool. `options` may be NULL for all defaults.
 *
 * Ownership: *out is the caller's until pool_objects_destroy() or pool_objects_release(). On failure
 *            *out is NULL and ctx_free has been called,
 *            unless options->size is unusable: then nothing else in there is looked at.
 * Threads:   any.
 * Blocks:    never.
 * Errors:    POOL_EINVAL (out NULL, size or flags unknown, sweep_period negative or below 1 ms,
 *            allocator incomplete), POOL_ENOTSUP (non-zero options of a newer version; POOL_CPU_RSEQ
 *            where sequences do not work), POOL_ENOMEM, POOL_ENOTHREAD (no sweeper).
 * Since:     0.1 */
POOL_API pool_status pool_objects_create(const pool_objects_options *options, pool_objects **out);

/* Take an object: one that was put, as a rule the newest put on this CPU; if the pool holds none on
 * any CPU, a new one from `create`.
 *
 * Returns:   NULL if there is none and `create` is not given (POOL_EAGAIN) or failed (POOL_ECREATE),
 *            or for a NULL (POOL_EINVAL) or ended pool (POOL_ECLOSED); see pool_last_error_status().
 * Ownership: the caller's until pool_objects_put().
 * Threads:   any.
 * Blocks:    not on the fast path. A get that finds nothing may wait briefly for a thread that is
 *            moving objects between CPUs at this moment. `create` may block.
 * Source:    per-CPU stacks as in tcmalloc's per-CPU mode; the order of search, as in Go's sync.Pool.
 * Since:     0.1 */
POOL_API void *pool_objects_get(pool_objects *pool);

/* As pool_objects_get(), but never calls `create`: NULL with POOL_EAGAIN when the pool is empty.
 * Since: 0.1 */
POOL_API void *pool_objects_try_get(pool_objects *pool);

/* Give an object back, or give the pool one that was made elsewhere. The reset callback runs first.
 *
 * If max_idle objects are idle already, or memory for keeping it cannot be had, the object is
 * destroyed; that is not an error.
 *
 * Ownership: the pool's from here on, if POOL_OK. A NULL object is ignored.
 * Threads:   any.
 * Blocks:    never, unless the callbacks do.
 * Errors:    POOL_EINVAL (pool NULL), POOL_ECLOSED (the pool was destroyed: the object stays the
 *            caller's), POOL_EMISUSE (checked mode: double put or foreign object; nothing changed).
 * Since:     0.1 */
POOL_API pool_status pool_objects_put(pool_objects *pool, void *object);

/* Take up to `count` objects at once into `objects`. The first come from the pool; what is missing
 * is made by `create`, until it fails.
 *
 * Returns:   how many were stored, from objects[0] on; fewer than `count` for the reasons that
 *            pool_objects_get() returns NULL for.
 * Threads, Blocks, Ownership: as pool_objects_get().
 * Since:     0.1 */
POOL_API size_t pool_objects_get_n(pool_objects *pool, void **objects, size_t count);

/* As pool_objects_get_n(), but never calls `create`. Since: 0.1 */
POOL_API size_t pool_objects_try_get_n(pool_objects *pool, void **objects, size_t count);

/* Give `count` objects back at once. NULL entries are ignored.
 *
 * Ownership: the pool's from here on, if POOL_OK. In checked mode a misused entry stays with the
 *            caller, the others are taken, and the last such error is returned.
 * Threads, Blocks, Errors: as pool_objects_put(); POOL_EINVAL also if objects is NULL and count is
 *            not 0.
 * Since:     0.1 */
POOL_API pool_status pool_objects_put_n(pool_objects *pool, void *const *objects, size_t count);

/* Make objects until `count` more are idle, or max_idle are.
 *
 * Threads:   any.
 * Blocks:    as `create` does.
 * Errors:    POOL_EINVAL (pool NULL, no create callback), POOL_ECREATE, POOL_ENOMEM (what was made
 *            so far stays), POOL_ECLOSED.
 * Since:     0.1 */
POOL_API pool_status pool_objects_prefill(pool_objects *pool, size_t count);

/* Replace the create callback and its context; NULL removes it. The context given here is never
 * freed by the pool. A call of the old one that is under way may still finish after this returns.
 *
 * Threads:   any.
 * Blocks:    never.
 * Errors:    POOL_EINVAL (pool NULL), POOL_ECLOSED.
 * Since:     0.1 */
POOL_API pool_status pool_objects_set_create(pool_objects *pool, pool_objects_create_fn create,
                                             void *ctx);

/* Age the pool by one generation: destroy what nobody took since the sweep before this one, and
 * mark what is idle now. A host with a garbage collector calls this at the end of a collection.
 *
 * Threads:   any; two sweeps of one pool wait for each other.
 * Blocks:    as `destroy` does.
 * Errors:    POOL_EINVAL (pool NULL), POOL_ECLOSED, POOL_EDEADLK (called from a destroy callback
 *            that runs inside a sweep of this pool).
 * Source:    the victim cache of Go's sync.Pool.
 * Since:     0.1 */
POOL_API pool_status pool_objects_sweep(pool_objects *pool);

/* Destroy idle objects, oldest generation first, until at most `keep` are idle.
 *
 * Threads:   any.
 * Blocks:    as `destroy` does.
 * Errors:    POOL_EINVAL (pool NULL), POOL_ECLOSED.
 * Since:     0.1 */
POOL_API pool_status pool_objects_shrink(pool_objects *pool, size_t keep);

/* Counters since the pool was made, and what it holds now. Exact when no other thread is inside a
 * call of the pool; otherwise CPUs are looked at one after another, and an object that moves from one
 * to another meanwhile may be missed or counted twice. */
typedef struct pool_objects_stats {
    size_t size; /* sizeof(pool_objects_stats), set by the caller */

    uint64_t gets;         /* objects handed out: the five hits and created - prefilled */
    uint64_t hits_slab;    /* from the CPU's own stack */
    uint64_t hits_depot;   /* from the CPU's own depot of full magazines */
    uint64_t hits_steal;   /* from another CPU's depot */
    uint64_t hits_victim;  /* from the previous generation */
    uint64_t hits_stray;   /* from another CPU's stack */
    uint64_t misses;       /* gets that found nothing */
    uint64_t created;      /* by the create callback, prefilled ones included */
    uint64_t create_fails; /* calls of create that failed or threw */
    uint64_t prefilled;    /* by pool_objects_prefill() */

    uint64_t puts;      /* objects accepted by put */
    uint64_t dropped;   /* of these, not kept: over max_idle, refused by reset, or no memory */
    uint64_t destroyed; /* handed to the destroy callback, for any reason */
    uint64_t swept;     /* of these, by sweeps */
    uint64_t misuses;   /* refused in checked mode */

    uint64_t idle;   /* in the pool now */
    int64_t out;     /* handed out and not yet put back; below 0 if more were put than got */
    uint64_t sweeps; /* sweeps done */
    uint64_t fences; /* membarrier system calls issued to reach other CPUs' stacks */
    uint64_t shards; /* CPUs that have used the pool */
    uint64_t bytes;  /* memory of the pool itself */
} pool_objects_stats;

/* Fill `stats`; stats->size must be set to sizeof(pool_objects_stats) before. A smaller size gets
 * the fields that fit, of a larger one the tail is zeroed.
 *
 * Threads:   any.
 * Blocks:    never.
 * Errors:    POOL_EINVAL (a NULL, or size smaller than one field), POOL_ECLOSED.
 * Since:     0.1 */
POOL_API pool_status pool_objects_get_stats(pool_objects *pool, pool_objects_stats *stats);

/* The pool's name; "" if it has none. Borrowed: valid while the pool is.
 * Threads: any. Blocks: never. Errors: "" for a NULL or ended pool. Since: 0.1 */
POOL_API const char *pool_objects_name(pool_objects *pool);

/* The CPU mode that the pool uses: POOL_CPU_RSEQ or POOL_CPU_FALLBACK.
 * Threads: any. Blocks: never. Errors: POOL_EINVAL for NULL, POOL_ECLOSED. Since: 0.1 */
POOL_API pool_status pool_objects_get_cpu_mode(pool_objects *pool, pool_cpu_mode *mode);

/* End the pool now: destroy every idle object, wait for a sweep under way, call ctx_free. NULL is
 * ignored.
 *
 * Objects that are out stay their holders'. A later put of one of them returns POOL_ECLOSED and
 * changes nothing: the handle's few hundred bytes are kept, marked ended, until every object that
 * was out has been put once, and for a while after that, so such a put is no use after free.
 *
 * Threads:   no other thread may be in a call on this pool.
 * Blocks:    as `destroy` and ctx_free do.
 * Errors:    POOL_EDEADLK (called from a callback of this pool; nothing changed), POOL_ECLOSED (it
 *            has ended already), POOL_EMISUSE (checked mode: objects are still out, the last error
 *            says how many; the pool has ended all the same).
 * Since:     0.1 */
POOL_API pool_status pool_objects_destroy(pool_objects *pool);

/* End the pool when its last object is back: for hosts that finalize in any order. What is idle is
 * destroyed now; each object put later is destroyed then; the last one ends the pool and calls
 * ctx_free. No get is served any more. NULL is ignored.
 *
 * Threads:   any number of puts may run beside it; no other call.
 * Blocks:    as `destroy` does.
 * Errors:    POOL_EDEADLK (called from a callback of this pool), POOL_ECLOSED (it has ended
 *            already).
 * Since:     0.1 */
POOL_API pool_status pool_objects_release(pool_objects *pool);

#ifdef __cplusplus
}
#endif

#endif
