// What tests of connection pools share: a backend that answers every callback, threads in acquire,
// requests, and calls in the short form.
//
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pool/conn_requests.h"
#include "pool/conn_stats.h"

#include "conns/backend.h"

#include <functional>
#include <limits>
#include <sched.h>
#include <thread>

namespace pool_test {

// A backend whose optional callbacks can be given too: options() sets none of them but what a
// Backend sets. Each check counts its calls, and says no as often as a test tells it to.
class Peer : public Backend {
public:
    struct Check {
        std::atomic<int> calls{0};
        std::atomic<int> refusals{0}; // to come

        bool passes() {
            calls++;
            int left = refusals;
            while (left > 0 && !refusals.compare_exchange_weak(left, left - 1)) {
            }
            return left <= 0;
        }
    };

    pool_conns_options options() {
        pool_conns_options options = Backend::options();
        options.ctx = this;
        options.dial = dial_some;
        options.close = close_known;
        options.is_alive = nullptr;
        options.dial_backoff = POOL_CONNS_NONE;
        options.idle_timeout = options.max_lifetime = POOL_CONNS_NONE;
        return options;
    }

    Check validations, resets, after_connects, before_acquires, after_releases;
    std::atomic<int> before_closes{0};
    std::atomic<int> closes{0};
    std::atomic<int64_t> deadline{0}; // of the last validate or reset
    std::atomic<int> dials_to_succeed{std::numeric_limits<int>::max()}; // the others return 42
    std::atomic<std::thread::id> dialer;                                // of the last dial

    // The callbacks; ctx is the peer.
    static pool_status validate(void *conn, int64_t until, void *ctx) {
        EXPECT_TRUE(is_open(conn));
        of(ctx)->deadline = until;
        return of(ctx)->validations.passes() ? POOL_OK : POOL_EBAD;
    }
    static pool_status reset(void *conn, int64_t until, void *ctx) {
        EXPECT_TRUE(is_open(conn));
        of(ctx)->deadline = until;
        return of(ctx)->resets.passes() ? POOL_OK : POOL_EBAD;
    }
    static int32_t after_connect(void *conn, const void *key, size_t length, void *ctx) {
        expect_key(conn, key, length);
        return of(ctx)->after_connects.passes();
    }
    static int32_t before_acquire(void *conn, const void *key, size_t length, void *ctx) {
        expect_key(conn, key, length);
        return of(ctx)->before_acquires.passes();
    }
    static int32_t after_release(void *conn, const void *key, size_t length, void *ctx) {
        expect_key(conn, key, length);
        return of(ctx)->after_releases.passes();
    }
    static void before_close(void *conn, pool_conns_reason, void *ctx) {
        EXPECT_TRUE(is_open(conn)) << "closed before";
        of(ctx)->before_closes++;
    }

private:
    static Peer *of(void *ctx) { return static_cast<Peer *>(ctx); }
    static bool is_open(void *conn) { return static_cast<Connection *>(conn)->open; }
    static void expect_key(void *conn, const void *key, size_t length) {
        EXPECT_EQ(static_cast<Connection *>(conn)->key,
                  std::string(static_cast<const char *>(key), length));
    }
    static pool_status dial_some(const void *key, size_t length, int64_t until, void **conn,
                                 void *ctx) {
        of(ctx)->dialer = std::this_thread::get_id();
        if (of(ctx)->dials_to_succeed-- <= 0)
            return 42;
        return dial(key, length, until, conn, static_cast<Backend *>(of(ctx)));
    }
    static void close_known(void *conn, pool_conns_reason reason, void *ctx) {
        of(ctx)->closes++;
        close(conn, reason, static_cast<Backend *>(of(ctx)));
    }
};

// A thread in acquire.
class Acquiring {
public:
    Acquiring(pool_conns *pool, const char *key, int64_t timeout = POOL_FOREVER,
              pool_conns_acquire_options options = {})
        : thread_([this, pool, key, timeout, options]() mutable {
              options.size = sizeof options;
              status_ = pool_conns_acquire_with(pool, key, strlen(key), timeout, &options, &lease_);
              done_ = true;
          }) {}
    ~Acquiring() {
        if (thread_.joinable())
            thread_.join();
    }
    // When the thread has got it, or has not.
    pool_status status() {
        if (thread_.joinable())
            thread_.join();
        return status_;
    }
    pool_conns_lease *lease() {
        EXPECT_EQ(status(), POOL_OK);
        return lease_;
    }
    bool done() const { return done_; }

private:
    pool_conns_lease *lease_ = nullptr;
    pool_status status_ = POOL_OK;
    std::atomic<bool> done_{false};
    std::thread thread_;
};

// A request under way; ended by finish(), or destroyed.
class Request {
public:
    Request(pool_conns *pool, const char *key, int64_t timeout = POOL_FOREVER) {
        EXPECT_EQ(pool_conns_request_start(pool, key, strlen(key), timeout, nullptr, &request_),
                  POOL_OK)
            << pool_last_error();
    }
    ~Request() { pool_conns_request_destroy(request_); }
    Request(const Request &) = delete;
    Request &operator=(const Request &) = delete;

    operator pool_conns_request *() const { return request_; }

    void wait() const { EXPECT_EQ(pool_conns_request_wait(request_, POOL_FOREVER), POOL_OK); }
    bool ended() const { return pool_conns_request_wait(request_, 0) == POOL_OK; }
    void cancel() const { EXPECT_EQ(pool_conns_request_cancel(request_), POOL_OK); }
    pool_status finish(pool_conns_lease **lease) {
        wait();
        pool_status status = pool_conns_request_finish(request_, lease);
        request_ = nullptr;
        return status;
    }
    void destroy() {
        pool_conns_request_destroy(request_);
        request_ = nullptr;
    }

private:
    pool_conns_request *request_ = nullptr;
};

// While it lives, this thread stays where it is. A pool lends the newest connection first as long as
// its users do not move between CPUs.
class OnOneCpu {
public:
    OnOneCpu() {
        sched_getaffinity(0, sizeof before_, &before_);
        cpu_set_t here;
        CPU_ZERO(&here);
        CPU_SET(static_cast<size_t>(sched_getcpu()), &here);
        sched_setaffinity(0, sizeof here, &here);
    }
    ~OnOneCpu() { sched_setaffinity(0, sizeof before_, &before_); }
    OnOneCpu(const OnOneCpu &) = delete;
    OnOneCpu &operator=(const OnOneCpu &) = delete;

private:
    cpu_set_t before_;
};

inline void until_waiting(const ConnPoolUnderTest &pool, uint64_t waiters) {
    eventually([&] { return pool.stats().waiters == waiters; });
}

// Until the pool's threads have looked at a clock that a test has moved. `busy` is a key that has no
// connection to spare: requests for it are ended by such a thread.
inline void until_seen(const ConnPoolUnderTest &pool, StoppedClock &clock, const char *busy) {
    for (int i = 0; i < 2; i++) { // what it was doing when the clock moved, and once more
        Request request(pool, busy, 1);
        clock.advance(1);
        request.wait();
    }
}

inline std::vector<pool_conns_lease *> take(const ConnPoolUnderTest &pool, const char *key, int n) {
    std::vector<pool_conns_lease *> leases;
    for (int i = 0; i < n; i++)
        leases.push_back(pool.acquire(key));
    return leases;
}

inline void release_all(const std::vector<pool_conns_lease *> &leases) {
    for (pool_conns_lease *lease : leases)
        EXPECT_EQ(pool_conns_release(lease), POOL_OK);
}

inline void set(pool_conns *pool, pool_conns_setting setting, int64_t value) {
    EXPECT_EQ(pool_conns_set(pool, setting, value), POOL_OK) << pool_last_error();
}

// The key that NULL stands for.
inline void set_key(pool_conns_options *options, const char *key) {
    options->key = key;
    options->key_length = strlen(key);
}

inline pool_conns_key_stats key_stats(pool_conns *pool, const char *key) {
    pool_conns_key_stats stats;
    stats.size = sizeof stats;
    EXPECT_EQ(pool_conns_get_key_stats(pool, key, strlen(key), &stats), POOL_OK);
    return stats;
}

// Use a connection through pool_conns_run().
using Use = std::function<pool_status(pool_conns_lease *, void *)>;
inline pool_status run(pool_conns *pool, const char *key, Use use, int64_t timeout = POOL_FOREVER) {
    return pool_conns_run(
        pool, key, strlen(key), timeout,
        [](pool_conns_lease *lease, void *conn, void *arg) {
            return (*static_cast<Use *>(arg))(lease, conn);
        },
        &use);
}

} // namespace pool_test
