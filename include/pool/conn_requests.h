/* pool/conn_requests.h - acquiring a connection without a thread that waits for it.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 *     pool_conns_request *request;
 *     if (pool_conns_request_start(pool, key, key_length, 5000000000, NULL, &request) != POOL_OK)
 *         die(pool_last_error());
 *     ... until pool_conns_request_fd(request) is readable ...
 *     pool_conns_lease *lease;
 *     pool_status status = pool_conns_request_finish(request, &lease);
 *
 * A request stands in line like a thread in acquire. What it needs to have dialed, a thread of the
 * pool dials. It can be cancelled from any thread, so it is also the way to acquire with a
 * cancellation handle: start, hand the request to whoever may cancel it, and wait.
 */
#ifndef POOL_CONN_REQUESTS_H
#define POOL_CONN_REQUESTS_H

#include "conns.h"

#ifdef __cplusplus
extern "C" {
#endif

/* An acquire under way. Made by pool_conns_request_start(), ended by pool_conns_request_finish() or
 * pool_conns_request_destroy(). */
typedef struct pool_conns_request pool_conns_request;

/* The request has come to its end: pool_conns_request_finish() will not return POOL_EAGAIN. Called
 * once, under no lock, on whichever thread brought the end about: one that released a connection or
 * cancelled, one of the pool, or the one that is in pool_conns_request_start(). It may finish or
 * destroy the request. */
typedef void (*pool_conns_request_fn)(pool_conns_request *request, void *ctx);

typedef struct pool_conns_request_options {
    size_t size;       /* sizeof(pool_conns_request_options) */
    const char *taker; /* these three as in pool_conns_acquire_options */
    int32_t priority;
    uint32_t flags;
    pool_conns_request_fn on_done; /* may be NULL */
    void *ctx;                     /* for on_done */
} pool_conns_request_options;

/* Begin to acquire; see pool_conns_acquire(). The timeout counts from now; with 0 the request has
 * ended when this returns. `options` may be NULL.
 *
 * Ownership: *request is the caller's; NULL on failure, and then on_done is not called.
 * Threads:   any.
 * Blocks:    never, unless a check of an idle connection does.
 * Errors:    POOL_EINVAL, POOL_ECLOSED, POOL_EFULL, POOL_ENOMEM, POOL_ENOTHREAD. Since: 0.1 */
POOL_API pool_status pool_conns_request_start(pool_conns *pool, const void *key, size_t key_length,
                                              int64_t timeout,
                                              const pool_conns_request_options *options,
                                              pool_conns_request **request);

/* A file descriptor that is readable once the request has ended; for poll() and its kin only. It is
 * made by the first call, and closed with the request.
 * Threads: any. Blocks: never. Errors: -1 (POOL_EIO, POOL_EINVAL). Since: 0.1 */
POOL_API int32_t pool_conns_request_fd(pool_conns_request *request);

/* Wait until the request has ended, at most `timeout` nanoseconds. The request stays.
 * Threads: any. Blocks: as long. Errors: POOL_EINVAL, POOL_ETIMEDOUT (not ended). Since: 0.1 */
POOL_API pool_status pool_conns_request_wait(pool_conns_request *request, int64_t timeout);

/* End a request that has not ended: its result is POOL_ECANCELED. One that has is left alone.
 * Threads: any, while the request exists. Blocks: never. Errors: POOL_EINVAL. Since: 0.1 */
POOL_API pool_status pool_conns_request_cancel(pool_conns_request *request);

/* Take the result of a request that has ended, and free it.
 *
 * Ownership: *lease as in pool_conns_acquire(). The request is gone unless POOL_EAGAIN or
 *            POOL_EINVAL is returned.
 * Threads:   one, and no other call on this request.
 * Blocks:    never.
 * Errors:    POOL_EAGAIN (not ended yet), POOL_EINVAL, POOL_ECANCELED, and those of
 *            pool_conns_acquire(). Since: 0.1 */
POOL_API pool_status pool_conns_request_finish(pool_conns_request *request,
                                               pool_conns_lease **lease);

/* Cancel, give back the connection if there is one, and free the request; on_done is not called
 * from now on, unless it is running. A thread that is just about to end the request may give its
 * connection back a moment after this returns. NULL is ignored.
 * Threads: one, and no other call on this request. Blocks: as release does. Errors: none.
 * Since: 0.1 */
POOL_API pool_status pool_conns_request_destroy(pool_conns_request *request);

#ifdef __cplusplus
}
#endif

#endif
