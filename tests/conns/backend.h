// A connection pool for tests over a backend whose connections can be counted.
//
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "../sync/gate.h"
#include "pool/conn_stats.h"

#include <atomic>
#include <cstring>
#include <gtest/gtest.h>
#include <mutex>
#include <set>
#include <string>
#include <vector>

namespace pool_test {

// What the callbacks of a pool talk to. Its connections are never freed before itself, so a second
// close or a use after close is seen.
class Backend {
public:
    struct Connection {
        std::string key;
        bool open = true;
        std::atomic<bool> dead{false};
        pool_conns_reason reason = 0;
    };

    ~Backend() {
        for (Connection *each : all_)
            delete each;
    }

    pool_conns_options options() {
        pool_conns_options options = POOL_CONNS_OPTIONS_INIT;
        options.dial = dial;
        options.close = close;
        options.is_alive = is_alive;
        options.ctx = this;
        return options;
    }

    // What dials do from now on.
    std::atomic<pool_status> dial_result{POOL_OK};
    std::atomic<Gate *> dial_gate{nullptr};  // wait for it
    std::atomic<Gate *> close_gate{nullptr}; // wait for it
    std::atomic<int> dials{0};               // begun
    std::atomic<int64_t> last_deadline{0};

    int live() {
        std::lock_guard<std::mutex> guard(mutex_);
        return live_;
    }
    int most_live() {
        std::lock_guard<std::mutex> guard(mutex_);
        return most_live_;
    }
    // How many were closed for this reason.
    int closed(pool_conns_reason reason) {
        std::lock_guard<std::mutex> guard(mutex_);
        int count = 0;
        for (Connection *each : all_)
            count += !each->open && each->reason == reason ? 1 : 0;
        return count;
    }
    // Taken out of the pool by a test.
    void forget(void *conn) {
        std::lock_guard<std::mutex> guard(mutex_);
        static_cast<Connection *>(conn)->open = false;
        live_--;
    }

    static pool_status dial(const void *key, size_t length, int64_t deadline, void **conn,
                            void *ctx) {
        Backend *self = static_cast<Backend *>(ctx);
        self->last_deadline = deadline;
        self->dials++;
        if (Gate *gate = self->dial_gate)
            gate->wait();
        if (pool_status result = self->dial_result)
            return result;
        std::lock_guard<std::mutex> guard(self->mutex_);
        Connection *made = new Connection;
        made->key.assign(static_cast<const char *>(key), length);
        self->all_.push_back(made);
        self->live_++;
        if (self->live_ > self->most_live_)
            self->most_live_ = self->live_;
        *conn = made;
        return POOL_OK;
    }

    static void close(void *conn, pool_conns_reason reason, void *ctx) {
        Backend *self = static_cast<Backend *>(ctx);
        if (Gate *gate = self->close_gate)
            gate->wait();
        std::lock_guard<std::mutex> guard(self->mutex_);
        Connection *closed = static_cast<Connection *>(conn);
        EXPECT_TRUE(closed->open) << "closed twice";
        closed->open = false;
        closed->reason = reason;
        self->live_--;
    }

    static int32_t is_alive(void *conn, int64_t, void *) {
        return !static_cast<Connection *>(conn)->dead;
    }

private:
    std::mutex mutex_;
    std::vector<Connection *> all_;
    int live_ = 0;
    int most_live_ = 0;
};

inline Backend::Connection *connection_of(const pool_conns_lease *lease) {
    return static_cast<Backend::Connection *>(pool_conns_lease_conn(lease));
}

class ConnPoolUnderTest {
public:
    explicit ConnPoolUnderTest(const pool_conns_options &options) {
        EXPECT_EQ(pool_conns_create(&options, &pool_), POOL_OK) << pool_last_error();
    }
    ~ConnPoolUnderTest() { EXPECT_EQ(pool_conns_destroy(pool_), POOL_OK); }

    operator pool_conns *() const { return pool_; }

    pool_status acquire(const char *key, int64_t timeout, pool_conns_lease **lease) const {
        return pool_conns_acquire(pool_, key, strlen(key), timeout, lease);
    }
    pool_conns_lease *acquire(const char *key) const {
        pool_conns_lease *lease = nullptr;
        EXPECT_EQ(acquire(key, POOL_FOREVER, &lease), POOL_OK) << pool_last_error();
        return lease;
    }
    pool_conns_stats stats() const {
        pool_conns_stats stats;
        stats.size = sizeof stats;
        EXPECT_EQ(pool_conns_get_stats(pool_, &stats), POOL_OK);
        EXPECT_EQ(stats.open, stats.idle + stats.in_use + stats.dialing);
        // What was made is closed, detached or here; and a place to dial may not be used yet.
        uint64_t rest =
            stats.dial_fails + closed(stats) + stats.detached + stats.idle + stats.in_use;
        EXPECT_GE(stats.dials + stats.adopted, rest);
        EXPECT_LE(stats.dials + stats.adopted, rest + stats.dialing);
        return stats;
    }
    static uint64_t closed(const pool_conns_stats &stats) {
        return stats.closed_broken + stats.closed_invalid + stats.closed_max_lifetime +
               stats.closed_idle_timeout + stats.closed_max_idle + stats.closed_pool +
               stats.closed_cleared + stats.closed_max_uses;
    }

    // For tests that end the pool themselves.
    pool_conns *give_up() {
        pool_conns *pool = pool_;
        pool_ = nullptr;
        return pool;
    }

private:
    pool_conns *pool_ = nullptr;
};

// The pool's clock, which stands still until it is told to move.
class StoppedClock {
public:
    StoppedClock() {
        pool_config_set_clock(
            [](void *now) { return static_cast<std::atomic<int64_t> *>(now)->load(); }, &now_);
    }
    ~StoppedClock() { pool_config_set_clock(nullptr, nullptr); }
    void advance(int64_t by) { now_ += by; }
    int64_t now() const { return now_; }

private:
    std::atomic<int64_t> now_{1000 * kSecond};
};

} // namespace pool_test
