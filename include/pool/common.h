/* pool/common.h - what every area of libpool shares: status codes, the last error, time,
 * allocators, process-wide configuration and the version.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Rules that hold in the whole library:
 *
 *   Errors.   A call that can fail returns a pool_status: POOL_OK (0) or a negative value. When it
 *             fails it has changed nothing and leaked nothing, and pool_last_error() says, on the
 *             same thread, what exactly was wrong. A successful call leaves the last error alone.
 *   Options.  An options struct begins with its own size. Zero in any other field asks for the
 *             documented default. A larger struct from a newer header is accepted if the part that
 *             this library does not know is all zero, else POOL_ENOTSUP.
 *   Threads.  All functions of one handle may be called from any number of threads at once, except
 *             its create and destroy, unless the function says otherwise. No function is
 *             async-signal-safe.
 *   Time.     int64_t nanoseconds on the monotonic clock. A timeout of 0 does not wait;
 *             POOL_FOREVER waits without limit; any other negative timeout is POOL_EINVAL.
 *   Callbacks run under no lock of the library and may call back into it unless their comment says
 *             otherwise. A C++ exception that leaves a callback is caught and becomes a status.
 *             longjmp out of a callback is not allowed.
 *   fork.     The child may use every handle it inherited. What other threads of the parent held at
 *             that moment is abandoned in the child.
 *   Nothing unasked. No thread, signal handler, atexit work or file descriptor appears unless an
 *             option or a call asks for it. No user pointer is ever dereferenced.
 */
#ifndef POOL_COMMON_H
#define POOL_COMMON_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define POOL_API __attribute__((visibility("default")))
#else
#define POOL_API
#endif

/* ---- version --------------------------------------------------------------------------------- */

#define POOL_VERSION_MAJOR 0
#define POOL_VERSION_MINOR 1
#define POOL_VERSION_PATCH 0
#define POOL_VERSION_NUMBER                                                                        \
    (POOL_VERSION_MAJOR * 1000000 + POOL_VERSION_MINOR * 1000 + POOL_VERSION_PATCH)
/* True if the header in use is at least a.b.c; for #if. */
#define POOL_AT_LEAST(a, b, c) (POOL_VERSION_NUMBER >= (a)*1000000 + (b)*1000 + (c))

/* The version of the loaded library, "0.1.0". Static storage.
 * Threads: any. Blocks: never. Errors: none. Since: 0.1 */
POOL_API const char *pool_version(void);

/* The version of the loaded library as POOL_VERSION_NUMBER counts.
 * Threads: any. Blocks: never. Errors: none. Since: 0.1 */
POOL_API int32_t pool_version_number(void);

/* One line for bug reports: version, compiler, how CPUs are identified and why, whether the
 * membarrier system call works, which allocator is in use. Static storage, made on the first call.
 * Threads: any. Blocks: never. Errors: none. Since: 0.1 */
POOL_API const char *pool_version_details(void);

/* ---- status ---------------------------------------------------------------------------------- */

/* 0, or a negative code. The values never change once released. Positive values are never made by
 * the library; a callback that returns a status may use them for its own purposes. */
typedef int32_t pool_status;

enum {
    POOL_OK = 0,
    POOL_EINVAL = -1,     /* an argument or option is out of its range */
    POOL_ENOMEM = -2,     /* the allocator returned nothing */
    POOL_EAGAIN = -3,     /* nothing there now, and the call does not wait */
    POOL_ETIMEDOUT = -4,  /* the timeout passed first */
    POOL_ECANCELED = -5,  /* cancelled by another call */
    POOL_ECLOSED = -6,    /* the pool is stopped, closed, released or destroyed */
    POOL_EFULL = -7,      /* a bound is reached */
    POOL_EDEADLK = -8,    /* the call would wait for itself */
    POOL_EFORKED = -9,    /* the object belongs to the parent process */
    POOL_ENOTHREAD = -10, /* a thread that was needed could not be started */
    POOL_EDIAL = -11,     /* a connection could not be made */
    POOL_EBAD = -12,      /* a connection is broken or failed its validation */
    POOL_ETASK = -13,     /* a task failed or threw */
    POOL_EMISUSE = -14,   /* double put, foreign pointer, leak: the caller's mistake, detected */
    POOL_ENOTSUP = -15,   /* not supported by this version, kernel or build */
    POOL_ECREATE = -16,   /* the create callback failed or threw */
    POOL_EIO = -17        /* a system call on a file descriptor failed; errno says why */
};

/* The name of a status, "POOL_EINVAL"; "POOL_UNKNOWN" for a value that is none.
 * Static storage. Threads: any. Blocks: never. Errors: none. Since: 0.1 */
POOL_API const char *pool_status_name(pool_status status);

/* A short sentence for people about a status. Static storage.
 * Threads: any. Blocks: never. Errors: none. Since: 0.1 */
POOL_API const char *pool_status_text(pool_status status);

/* What was wrong with the latest failed call on this thread, in one sentence; "" if none failed.
 * Borrowed: valid until the next failing call on this thread.
 * Threads: any; each thread has its own. Blocks: never. Errors: none. Since: 0.1 */
POOL_API const char *pool_last_error(void);

/* The status of the latest failed call on this thread; POOL_OK if none failed. For getters that
 * return a pointer, this is how to learn why it was NULL.
 * Threads: any; each thread has its own. Blocks: never. Errors: none. Since: 0.1 */
POOL_API pool_status pool_last_error_status(void);

/* Copy the last error into `buffer`, cut to `length` bytes with its NUL; for hosts that may move to
 * another thread between two calls. Returns the full length without the NUL. `buffer` may be NULL
 * if `length` is 0.
 * Threads: any. Blocks: never. Errors: none. Since: 0.1 */
POOL_API size_t pool_last_error_copy(char *buffer, size_t length);

/* ---- time ------------------------------------------------------------------------------------ */

#define POOL_FOREVER ((int64_t)-1)

/* ---- allocator ------------------------------------------------------------------------------- */

/* Where a pool takes its own memory from. Not for the user's objects: those come from callbacks.
 *
 * Lifetime: the struct is copied; ctx must outlive the pool.
 * Callbacks: called from any thread that uses the pool, under no lock, from several threads at
 * once; they may not call functions of the same pool. */
typedef struct pool_allocator {
    size_t size; /* sizeof(pool_allocator) */
    /* `bytes` > 0; `alignment` a power of two, at least sizeof(void *). NULL means no memory. */
    void *(*alloc)(size_t bytes, size_t alignment, void *ctx);
    /* `memory` came from alloc with exactly these `bytes` and `alignment`; never NULL. */
    void (*free)(void *memory, size_t bytes, size_t alignment, void *ctx);
    void *ctx;
} pool_allocator;

/* ---- process-wide configuration -------------------------------------------------------------- */

/* How a pool knows which CPU it runs on. */
typedef int32_t pool_cpu_mode;
enum {
    POOL_CPU_AUTO = 0,    /* sequences where they work, else the fallback */
    POOL_CPU_RSEQ = 1,    /* restartable sequences; POOL_ENOTSUP where they do not work */
    POOL_CPU_FALLBACK = 2 /* sched_getcpu() and one lock word per CPU */
};

/* The environment variable POOL_CONF, "key=value,key=value", is read once, when the first pool is
 * made (not in set-user-ID programs). An option given in code wins over it. Keys:
 *
 *   cpu=auto|rseq|fallback    default for pool_cpu_mode
 *   rseq_denied=0|1           0 trusts kernels on the deny list of restartable sequences
 *   checked=0|1               1 turns on checked mode in every pool that has one
 *   objects.sweep_ms=N        default sweep period of object pools, milliseconds, 0 = none
 *   objects.pressure=0|1      1 sweeps object pools on memory pressure
 *   buffers.sweep_ms=N        the same of buffer pools, by their own calls; 10000 unless set
 *   buffers.pressure=0|1      1 sweeps buffer pools on memory pressure
 *
 * The configuration in force, in the same form, and behind it what was not understood; cut to
 * `length` bytes with its NUL. Returns the full length without the NUL. `buffer` may be NULL if
 * `length` is 0.
 * Threads: any. Blocks: never. Errors: none. Since: 0.1 */
POOL_API size_t pool_config_text(char *buffer, size_t length);

/* The mode that a pool made now with POOL_CPU_AUTO would use: POOL_CPU_RSEQ or POOL_CPU_FALLBACK.
 * Threads: any. Blocks: never. Errors: none. Since: 0.1 */
POOL_API pool_cpu_mode pool_config_cpu_mode(void);

/* Called with one line of text, without newline, for reports that no call can return: a leak found
 * when a checked pool is destroyed, a POOL_CONF entry that was not understood, a task that failed
 * unheard. `severity` is 1 (information), 2 (warning) or 3 (error). Runs on the thread that found it,
 * under no lock; it may call any function. */
typedef void (*pool_log_fn)(int32_t severity, const char *line, void *ctx);

/* Set the function for such reports; NULL, the default, drops them. The library itself never prints.
 * Threads: any; a report under way may still reach the old function. Blocks: never.
 * Errors: none. Since: 0.1 */
POOL_API void pool_config_set_log(pool_log_fn log, void *ctx);

/* Called on every thread that the library starts, first thing and last thing, so that a host with a
 * garbage collector or a global lock can attach it. May call any function but those that stop the
 * thread it runs on. */
typedef void (*pool_thread_fn)(void *ctx);

/* Set both hooks for threads started from now on; either may be NULL. `ctx` must outlive them.
 * Worker pools have hooks of their own beside these.
 * Threads: any. Blocks: never. Errors: none. Since: 0.1 */
POOL_API void pool_config_set_thread_hooks(pool_thread_fn on_start, pool_thread_fn on_exit,
                                           void *ctx);

/* Nanoseconds since any fixed moment, never going back. */
typedef int64_t (*pool_clock_fn)(void *ctx);

/* Replace the clock that ages and timeouts are computed with; NULL restores CLOCK_MONOTONIC. For
 * tests: waits still sleep in real time, but what has expired is decided by this clock.
 * Threads: any, while no other thread uses the library. Blocks: never. Errors: none. Since: 0.1 */
POOL_API void pool_config_set_clock(pool_clock_fn clock, void *ctx);

#ifdef __cplusplus
}
#endif

#endif
