// pool/conn_requests.h: argument checks and handle casts. The work is in src/conns.
//
// SPDX-License-Identifier: Apache-2.0
#include "pool/conn_requests.h"

#include "capi_conns.h"
#include "platform/options.h"

using pool::fail;

static constexpr size_t kFirstRequestOptionsSize = 40;
static_assert(sizeof(pool_conns_request_options) == kFirstRequestOptionsSize);

static pool_status no_request() {
    return fail(POOL_EINVAL, "the request is NULL");
}

pool_status pool_conns_request_start(pool_conns *pool, const void *key, size_t key_length,
                                     int64_t timeout, const pool_conns_request_options *given,
                                     pool_conns_request **request) {
    if (request == nullptr)
        return fail(POOL_EINVAL, "request is NULL");
    *request = nullptr;
    if (pool == nullptr)
        return no_pool();
    pool_conns_request_options options;
    if (pool_status status = pool::read_options(given, &options, kFirstRequestOptionsSize,
                                                "pool_conns_request_options"))
        return status;
    if (pool_status status = check_key(key, key_length))
        return status;
    if (pool_status status = check_timeout(timeout))
        return status;
    if (pool_status status = check_manner(options.priority, options.flags))
        return status;
    return impl(pool)->start_request({key, key_length, key == nullptr, timeout, options.taker,
                                      options.priority, (options.flags & POOL_CONNS_FRESH) != 0},
                                     options.on_done, options.ctx,
                                     reinterpret_cast<pool::Request **>(request));
}

int32_t pool_conns_request_fd(pool_conns_request *request) {
    if (request == nullptr) {
        no_request();
        return -1;
    }
    return impl(request)->pool->request_fd(impl(request));
}

pool_status pool_conns_request_wait(pool_conns_request *request, int64_t timeout) {
    if (request == nullptr)
        return no_request();
    if (pool_status status = check_timeout(timeout))
        return status;
    return impl(request)->pool->wait_request(impl(request), timeout);
}

pool_status pool_conns_request_cancel(pool_conns_request *request) {
    return request != nullptr ? impl(request)->pool->cancel_request(impl(request)) : no_request();
}

pool_status pool_conns_request_finish(pool_conns_request *request, pool_conns_lease **lease) {
    if (lease == nullptr)
        return fail(POOL_EINVAL, "lease is NULL");
    *lease = nullptr;
    return request != nullptr ? impl(request)->pool->finish_request(impl(request), lease)
                              : no_request();
}

pool_status pool_conns_request_destroy(pool_conns_request *request) {
    if (request != nullptr)
        impl(request)->pool->destroy_request(impl(request));
    return POOL_OK;
}
