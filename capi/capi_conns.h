// What the parts of the connection pools' C ABI share: handle casts and argument checks.
//
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "conns/conns.h"
#include "platform/last_error_kept.h"
#include "platform/status.h"

constexpr size_t kLongestKey = 1024;

inline pool::Conns *impl(pool_conns *pool) {
    return reinterpret_cast<pool::Conns *>(pool);
}
inline pool_conns *handle(pool::Conns *conns) {
    return reinterpret_cast<pool_conns *>(conns);
}
inline pool::Request *impl(pool_conns_request *request) {
    return reinterpret_cast<pool::Request *>(request);
}

inline pool::Wanted wanted(const void *key, size_t key_length, int64_t timeout) {
    return {key, key_length, key == nullptr, timeout, nullptr, 0, false};
}

inline pool_status no_pool() {
    return pool::fail_text(POOL_EINVAL, "the pool is NULL");
}
inline pool_status no_lease() {
    return pool::fail_text(POOL_EINVAL, "the lease is NULL");
}

inline pool_status check_timeout(int64_t timeout) {
    if (timeout < 0 && timeout != POOL_FOREVER)
        return pool::fail(POOL_EINVAL, "timeout is %lld; negative is only POOL_FOREVER",
                          static_cast<long long>(timeout));
    return POOL_OK;
}

inline pool_status check_key(const void *key, size_t key_length) {
    if (key_length > kLongestKey)
        return pool::fail(POOL_EINVAL, "a key of %zu bytes is too long; the most is %zu",
                          key_length, kLongestKey);
    if (key == nullptr && key_length != 0)
        return pool::fail(POOL_EINVAL, "the key is NULL, but its length is %zu", key_length);
    return POOL_OK;
}

inline pool_status check_manner(int32_t priority, uint32_t flags) {
    if (priority < -1 || priority > 1)
        return pool::fail(POOL_EINVAL, "priority %d is not -1, 0 or 1", priority);
    if ((flags & ~static_cast<uint32_t>(POOL_CONNS_FRESH)) != 0)
        return pool::fail(POOL_EINVAL, "flags has unknown bits 0x%x", flags);
    return POOL_OK;
}
