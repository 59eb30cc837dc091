// pool/hpp/callbacks.hpp - what a connection pool calls, as callable objects.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef POOL_HPP_CALLBACKS_HPP
#define POOL_HPP_CALLBACKS_HPP

#include "../conns.h"
#include "error.hpp"

#include <chrono>
#include <functional>
#include <memory>
#include <string_view>
#include <utility>

namespace pool {

// The callbacks of pool_conns_options. Those that are empty are not called; without dial, close and
// is_alive the built-in dialer is used. True says that the connection is good. A pool::error that
// is thrown becomes its status; what else is thrown counts as a failure.
struct conns_callbacks {
    std::function<void *(std::string_view key, int64_t deadline)> dial = {};
    std::function<void(void *conn, pool_conns_reason reason)> close = {};
    std::function<bool(void *conn, std::chrono::nanoseconds idle_time)> is_alive = {};
    std::function<bool(void *conn, int64_t deadline)> validate = {};
    std::function<bool(void *conn, int64_t deadline)> reset = {};
    std::function<void(void *conn)> abandon = {};
    std::function<bool(void *conn, std::string_view key)> after_connect = {};
    std::function<bool(void *conn, std::string_view key)> before_acquire = {};
    std::function<bool(void *conn, std::string_view key)> after_release = {};
    std::function<void(void *conn, pool_conns_reason reason)> before_close = {};
    std::function<void(const pool_conns_lease_info &lease)> on_leak = {};

    // Have `options` call them. The pool that is made of it, or fails to be, deletes them.
    static void put_into(pool_conns_options &options, std::unique_ptr<conns_callbacks> calls) {
        const conns_callbacks &set = *calls;
        options.dial = set.dial ? call_dial : nullptr;
        options.close = set.close ? call_close<&conns_callbacks::close> : nullptr;
        options.is_alive = set.is_alive ? call_is_alive : nullptr;
        options.validate = set.validate ? call_check<&conns_callbacks::validate> : nullptr;
        options.reset = set.reset ? call_check<&conns_callbacks::reset> : nullptr;
        options.abandon = set.abandon ? call_abandon : nullptr;
        options.after_connect =
            set.after_connect ? call_hook<&conns_callbacks::after_connect> : nullptr;
        options.before_acquire =
            set.before_acquire ? call_hook<&conns_callbacks::before_acquire> : nullptr;
        options.after_release =
            set.after_release ? call_hook<&conns_callbacks::after_release> : nullptr;
        options.before_close =
            set.before_close ? call_close<&conns_callbacks::before_close> : nullptr;
        options.on_leak = set.on_leak ? call_on_leak : nullptr;
        options.ctx = calls.release();
        options.ctx_free = [](void *ctx) { delete &of(ctx); };
    }

private:
    static conns_callbacks &of(void *ctx) noexcept { return *static_cast<conns_callbacks *>(ctx); }
    static std::string_view view(const void *key, size_t length) noexcept {
        return {static_cast<const char *>(key), length};
    }

    static pool_status call_dial(const void *key, size_t length, int64_t deadline, void **conn,
                                 void *ctx) {
        try {
            *conn = of(ctx).dial(view(key, length), deadline);
            return POOL_OK;
        } catch (const error &failure) {
            return failure.status();
        }
    }
    template <auto call>
    static void call_close(void *conn, pool_conns_reason reason, void *ctx) {
        (of(ctx).*call)(conn, reason);
    }
    static int32_t call_is_alive(void *conn, int64_t idle_time, void *ctx) {
        return of(ctx).is_alive(conn, std::chrono::nanoseconds(idle_time));
    }
    template <auto call>
    static pool_status call_check(void *conn, int64_t deadline, void *ctx) {
        try {
            return (of(ctx).*call)(conn, deadline) ? POOL_OK : POOL_EBAD;
        } catch (const error &failure) {
            return failure.status();
        }
    }
    static void call_abandon(void *conn, void *ctx) { of(ctx).abandon(conn); }
    template <auto call>
    static int32_t call_hook(void *conn, const void *key, size_t length, void *ctx) {
        return (of(ctx).*call)(conn, view(key, length));
    }
    static void call_on_leak(const pool_conns_lease_info *lease, void *ctx) {
        of(ctx).on_leak(*lease);
    }
};

} // namespace pool

#endif
