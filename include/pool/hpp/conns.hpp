// pool/hpp/conns.hpp - pool/conns.h, pool/conn_requests.h and pool/conn_stats.h for C++20; see
// pool/pool.hpp.
//
// SPDX-License-Identifier: Apache-2.0
//
//     pool::conns_callbacks calls;
//     calls.dial = [](std::string_view key, int64_t) -> void * { return new Session(key); };
//     calls.close = [](void *conn, pool_conns_reason) { delete static_cast<Session *>(conn); };
//     pool_conns_options options = POOL_CONNS_OPTIONS_INIT;
//     options.max_open_per_key = 32;
//     pool::conns sessions(std::move(calls), options);
//
//     auto lease = sessions.acquire("db1", 5s, {.taker = "checkout", .priority = 1});
//     lease.conn<Session>()->query("select 1");
//     sessions.run("db1", 5s, [](pool::conns::borrowed lent) {
//         if (!lent.conn<Session>()->query("select 2"))
//             throw pool::broken_connection();              // closed; tried with another one
//     });
//
// Keys are any bytes. A string_view without data, such as {}, is the key in the options.
#ifndef POOL_HPP_CONNS_HPP
#define POOL_HPP_CONNS_HPP

#include "../conn_requests.h"
#include "../conn_stats.h"
#include "../conns.h"
#include "callbacks.hpp"
#include "error.hpp"

#include <chrono>
#include <concepts>
#include <exception>
#include <memory>
#include <string_view>
#include <type_traits>
#include <utility>

namespace pool {

// How to acquire; see pool_conns_acquire_options.
struct acquire_options {
    const char *taker = nullptr; // copied
    int priority = 0;
    bool fresh = false;
};

struct conns_histogram : pool_conns_histogram {
    std::chrono::nanoseconds percentile(double percent) const noexcept {
        return std::chrono::nanoseconds(pool_conns_histogram_percentile(this, percent));
    }
};

class conns {
public:
    // A connection that somebody else gives back.
    class borrowed {
    public:
        template <class T = void>
        T *conn() const noexcept {
            return static_cast<T *>(pool_conns_lease_conn(lease_));
        }
        int fd() const noexcept { return pool_conns_lease_fd(lease_); }
        uint64_t uses() const noexcept { return pool_conns_lease_uses(lease_); }
        void renew() const { check(pool_conns_lease_renew(lease_)); }
        pool_conns_lease *handle() const noexcept { return lease_; }

    private:
        friend class conns;
        explicit borrowed(pool_conns_lease *lease) noexcept : lease_(lease) {}
        pool_conns_lease *lease_;
    };

    // A connection that is given back at the end of the scope; but if that is left by an exception,
    // it is closed: nobody knows what is still on its way.
    class lease {
    public:
        lease() = default;
        lease(lease &&other) noexcept : lease_(std::exchange(other.lease_, nullptr)) {}
        lease &operator=(lease &&other) noexcept {
            std::swap(lease_, other.lease_);
            return *this;
        }
        ~lease() {
            if (std::uncaught_exceptions() > exceptions_)
                discard();
            else
                release();
        }
        template <class T = void>
        T *conn() const noexcept {
            return borrow().conn<T>();
        }
        int fd() const noexcept { return borrow().fd(); }
        uint64_t uses() const noexcept { return borrow().uses(); }
        void renew() const { borrow().renew(); }
        borrowed borrow() const noexcept { return borrowed(lease_); }
        pool_conns_lease *handle() const noexcept { return lease_; }
        explicit operator bool() const noexcept { return lease_ != nullptr; }

        void release() noexcept {
            if (lease_ != nullptr)
                pool_conns_release(std::exchange(lease_, nullptr));
        }
        void discard() noexcept {
            if (lease_ != nullptr)
                pool_conns_discard(std::exchange(lease_, nullptr));
        }
        template <class T = void>
        T *detach() {
            void *conn = nullptr;
            check(pool_conns_detach(lease_, &conn));
            lease_ = nullptr;
            return static_cast<T *>(conn);
        }

    private:
        friend class conns;
        pool_conns_lease *lease_ = nullptr;
        int exceptions_ = std::uncaught_exceptions();
    };

    // An acquire under way; cancelled if it is destroyed before it has ended.
    class request {
    public:
        request() = default;
        request(request &&other) noexcept : request_(std::exchange(other.request_, nullptr)) {}
        request &operator=(request &&other) noexcept {
            std::swap(request_, other.request_);
            return *this;
        }
        ~request() { pool_conns_request_destroy(request_); }

        // Readable once it has ended; for poll() and its kin only.
        int fd() {
            int fd = pool_conns_request_fd(request_);
            if (fd < 0)
                throw error(pool_last_error_status());
            return fd;
        }
        // False: it has not ended in that time.
        bool wait(std::chrono::nanoseconds time = std::chrono::nanoseconds(-1)) {
            return in_time(pool_conns_request_wait(request_, timeout(time)));
        }
        // From any thread.
        void cancel() { check(pool_conns_request_cancel(request_)); }
        // The connection; throws what kept it from getting one. Only if it has ended: see wait().
        lease finish() {
            lease lent;
            pool_status status = pool_conns_request_finish(request_, &lent.lease_);
            if (status != POOL_EAGAIN && status != POOL_EINVAL)
                request_ = nullptr;
            check(status);
            return lent;
        }
        pool_conns_request *handle() const noexcept { return request_; }
        explicit operator bool() const noexcept { return request_ != nullptr; }

    private:
        friend class conns;
        pool_conns_request *request_ = nullptr;
    };

    explicit conns(const pool_conns_options &options = POOL_CONNS_OPTIONS_INIT) {
        check(pool_conns_create(&options, &pool_));
    }
    // The callbacks in the options are not used.
    explicit conns(conns_callbacks calls, pool_conns_options options = POOL_CONNS_OPTIONS_INIT) {
        conns_callbacks::put_into(options, std::make_unique<conns_callbacks>(std::move(calls)));
        check(pool_conns_create(&options, &pool_));
    }
    ~conns() { pool_conns_destroy(pool_); }
    conns(const conns &) = delete;
    conns &operator=(const conns &) = delete;

    lease acquire(std::string_view key, std::chrono::nanoseconds wait,
                  const acquire_options &how = {}) {
        lease lent;
        check(acquire_with(key, timeout(wait), how, &lent));
        return lent;
    }
    // Empty if none is idle.
    lease try_acquire(std::string_view key, const acquire_options &how = {}) {
        lease lent;
        if (pool_status status = acquire_with(key, 0, how, &lent); status != POOL_EAGAIN)
            check(status);
        return lent;
    }

    // Call `use` with a connection, and once more with another one, up to twice, if it returns
    // POOL_EBAD or throws broken_connection. Any other status it returned is returned here; any
    // other exception closes the connection and goes on to the caller. `use` returns a pool_status
    // or nothing.
    template <class F>
    requires std::invocable<F &, borrowed>
    auto run(std::string_view key, std::chrono::nanoseconds wait, F &&use) {
        using result = std::invoke_result_t<F &, borrowed>;
        static_assert(std::is_void_v<result> || std::same_as<result, pool_status>);
        run_state<std::remove_reference_t<F>> state{&use};
        pool_status status = pool_conns_run(
            pool_, key.data(), key.size(), timeout(wait),
            [](pool_conns_lease *lent, void *, void *arg) -> pool_status {
                return static_cast<decltype(state) *>(arg)->call(borrowed(lent));
            },
            &state);
        if (state.thrown != nullptr)
            std::rethrow_exception(state.thrown);
        if (!state.done)
            check(status);
        if constexpr (!std::is_void_v<result>)
            return status;
    }

    request start(std::string_view key, std::chrono::nanoseconds wait,
                  const acquire_options &how = {}) {
        request begun;
        begun.request_ = start_with(key, wait, how, nullptr, nullptr);
        return begun;
    }
    // Have `done(status, lease)` called when a connection is there, or will not be: once, on
    // whichever thread brought that about, maybe before this returns. Not called if this throws.
    template <std::invocable<pool_status, lease> F>
    void acquire_then(std::string_view key, std::chrono::nanoseconds wait, F done,
                      const acquire_options &how = {}) {
        auto owned = std::make_unique<F>(std::move(done));
        start_with(
            key, wait, how,
            [](pool_conns_request *ended, void *ctx) {
                std::unique_ptr<F> call(static_cast<F *>(ctx));
                lease lent;
                pool_status status = pool_conns_request_finish(ended, &lent.lease_);
                (*call)(status, std::move(lent));
            },
            owned.get());
        owned.release();
    }

    void fill(std::string_view key, uint32_t count, std::chrono::nanoseconds wait) {
        check(pool_conns_fill(pool_, key.data(), key.size(), count, timeout(wait)));
    }
    void adopt(std::string_view key, void *conn) {
        check(pool_conns_adopt(pool_, key.data(), key.size(), conn));
    }
    void clear() { check(pool_conns_clear(pool_)); }
    void clear_key(std::string_view key) {
        check(pool_conns_clear_key(pool_, key.data(), key.size()));
    }
    void close_idle() { check(pool_conns_close_idle(pool_)); }
    void reap() { check(pool_conns_reap(pool_)); }
    void set(pool_conns_setting setting, int64_t value) {
        check(pool_conns_set(pool_, setting, value));
    }
    void set(pool_conns_setting setting, std::chrono::nanoseconds time) {
        set(setting, int64_t{time.count()});
    }
    // How many leases were still out when the time was over.
    uint64_t close(std::chrono::nanoseconds wait) {
        uint64_t out = 0;
        in_time(pool_conns_close(pool_, timeout(wait), &out));
        return out;
    }

    pool_conns_stats stats() const {
        pool_conns_stats stats{};
        stats.size = sizeof stats;
        check(pool_conns_get_stats(pool_, &stats));
        return stats;
    }
    pool_conns_key_stats key_stats(std::string_view key) const {
        pool_conns_key_stats stats{};
        stats.size = sizeof stats;
        check(pool_conns_get_key_stats(pool_, key.data(), key.size(), &stats));
        return stats;
    }
    conns_histogram histogram(pool_conns_time which) const {
        conns_histogram histogram{};
        histogram.size = sizeof(pool_conns_histogram);
        check(pool_conns_get_histogram(pool_, which, &histogram));
        return histogram;
    }
    // Call `visit(const pool_conns_lease_info &)` for what is out for at least `min_age`. What it
    // throws first ends the visit and goes on to the caller.
    template <std::invocable<const pool_conns_lease_info &> F>
    void visit_leases(std::chrono::nanoseconds min_age, F &&visit) const {
        struct state {
            std::remove_reference_t<F> *visit;
            std::exception_ptr thrown = nullptr;
        } state{&visit};
        check(pool_conns_visit_leases(
            pool_, min_age.count(),
            [](const pool_conns_lease_info *info, void *arg) {
                auto *self = static_cast<struct state *>(arg);
                if (self->thrown != nullptr)
                    return;
                try {
                    (*self->visit)(*info);
                } catch (...) {
                    self->thrown = std::current_exception();
                }
            },
            &state));
        if (state.thrown != nullptr)
            std::rethrow_exception(state.thrown);
    }
    pool_conns *handle() const noexcept { return pool_; }

private:
    template <class F>
    struct run_state {
        F *use;
        bool done = false; // it has found no fault with its connection
        std::exception_ptr thrown = nullptr;

        pool_status call(borrowed lent) {
            pool_status said = POOL_OK;
            try {
                if constexpr (std::is_void_v<std::invoke_result_t<F &, borrowed>>)
                    (*use)(lent);
                else
                    said = (*use)(lent);
            } catch (const broken_connection &) {
                said = POOL_EBAD;
            } catch (...) {
                thrown = std::current_exception();
                throw;
            }
            done = said != POOL_EBAD;
            return said;
        }
    };

    static bool in_time(pool_status status) {
        if (status != POOL_ETIMEDOUT)
            check(status);
        return status == POOL_OK;
    }
    static uint32_t flags(const acquire_options &how) noexcept {
        return how.fresh ? uint32_t{POOL_CONNS_FRESH} : 0;
    }
    pool_status acquire_with(std::string_view key, int64_t wait, const acquire_options &how,
                             lease *lent) {
        pool_conns_acquire_options options = {sizeof options, how.taker, how.priority, flags(how)};
        return pool_conns_acquire_with(pool_, key.data(), key.size(), wait, &options,
                                       &lent->lease_);
    }
    pool_conns_request *start_with(std::string_view key, std::chrono::nanoseconds wait,
                                   const acquire_options &how, pool_conns_request_fn on_done,
                                   void *ctx) {
        pool_conns_request_options options = {sizeof options, how.taker, how.priority,
                                              flags(how),     on_done,   ctx};
        pool_conns_request *begun = nullptr;
        check(pool_conns_request_start(pool_, key.data(), key.size(), timeout(wait), &options,
                                       &begun));
        return begun;
    }

    pool_conns *pool_ = nullptr;
};

} // namespace pool

#endif
