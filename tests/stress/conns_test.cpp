// Schedules by chance: threads acquire, release, discard, detach, request, cancel, clear, resize and
// close, over a backend that fails now and then, and in the end everything adds up.
//
// SPDX-License-Identifier: Apache-2.0
//
// What must hold at every moment: a connection has one holder at most, is never lent after it was
// closed, and no more are open than the largest bound in force. In the end: what was dialed or
// brought is closed once or was taken out, nobody waits, and nothing is open.
//
// POOL_STRESS_SECONDS says for how long each schedule runs; the default is a part of a second.
#include "../sync/gate.h"
#include "pool/conn_requests.h"
#include "pool/conn_stats.h"

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <gtest/gtest.h>
#include <mutex>
#include <random>
#include <string>
#include <thread>
#include <vector>

namespace {

using namespace pool_test;

constexpr int kThreads = 16;
constexpr int kKeys = 5;
constexpr uint32_t kPerKey = 4;
constexpr uint32_t kAll = 12;

double seconds() {
    const char *text = getenv("POOL_STRESS_SECONDS");
    return text != nullptr ? atof(text) : kThreadSanitizer || kAddressSanitizer ? 0.6 : 0.3;
}

// Mistakes are counted and not thrown, so that one does not hide behind a thousand others.
struct Server {
    struct Connection {
        std::atomic<int> holders{0};
        std::atomic<bool> open{true};
        std::atomic<bool> dead{false};
    };

    std::atomic<int64_t> dialed{0}, closed{0}, open{0}, most{0};
    std::atomic<int> shared{0}, reused{0}, twice{0};
    std::atomic<bool> down{false};
    std::mutex mutex;
    std::vector<Connection *> all;

    ~Server() {
        for (Connection *each : all)
            delete each;
    }

    Connection *make() {
        auto *made = new Connection;
        std::lock_guard<std::mutex> guard(mutex);
        all.push_back(made);
        int64_t now = ++open;
        int64_t seen = most;
        while (now > seen && !most.compare_exchange_weak(seen, now)) {
        }
        dialed++;
        return made;
    }

    static unsigned chance() {
        static thread_local std::minstd_rand random(std::random_device{}());
        return static_cast<unsigned>(random());
    }
    static pool_status dial(const void *, size_t, int64_t, void **conn, void *ctx) {
        Server *self = static_cast<Server *>(ctx);
        if (chance() % 4 == 0)
            std::this_thread::yield();
        if (self->down || chance() % 20 == 0)
            return POOL_EDIAL;
        *conn = self->make();
        return POOL_OK;
    }
    static void close(void *conn, pool_conns_reason, void *ctx) {
        Server *self = static_cast<Server *>(ctx);
        Connection *closed = static_cast<Connection *>(conn);
        if (!closed->open.exchange(false))
            self->twice++;
        if (closed->holders != 0)
            self->shared++;
        self->open--;
        self->closed++;
    }
    static int32_t is_alive(void *conn, int64_t, void *) {
        return !static_cast<Connection *>(conn)->dead;
    }
    static pool_status reset(void *conn, int64_t, void *) {
        return static_cast<Connection *>(conn)->open && chance() % 100 != 0 ? POOL_OK : POOL_EBAD;
    }

    // For as long as it is held.
    void take(void *conn) {
        Connection *taken = static_cast<Connection *>(conn);
        if (taken->holders++ != 0)
            shared++;
        if (!taken->open)
            reused++;
    }
    void give(void *conn) {
        Connection *given = static_cast<Connection *>(conn);
        if (!given->open)
            reused++;
        given->holders--;
    }
};

enum Trouble : unsigned { kNone = 0, kResize = 1, kClear = 2, kClose = 4 };

class Schedule {
public:
    Schedule(pool_conns_options options, unsigned trouble) : trouble_(trouble) {
        options.dial = Server::dial;
        options.close = Server::close;
        options.ctx = &server_;
        options.max_open_per_key = kPerKey;
        options.dial_backoff = 100000;
        options.dial_backoff_max = kMillisecond;
        EXPECT_EQ(pool_conns_create(&options, &pool_), POOL_OK) << pool_last_error();
    }

    void run() {
        const auto end =
            std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds());
        std::vector<std::thread> threads;
        for (int i = 0; i < kThreads; i++)
            threads.emplace_back([this, end] {
                while (std::chrono::steady_clock::now() < end && !stopped_)
                    step();
            });
        if ((trouble_ & kClose) != 0) {
            std::this_thread::sleep_for(std::chrono::duration<double>(seconds() / 2));
            pool_conns_close(pool_, 0, nullptr);
        }
        for (std::thread &thread : threads)
            thread.join();
    }

    void check(uint32_t most) {
        pool_conns_stats stats;
        stats.size = sizeof stats;
        // A thread of the pool may still dial for a request that was cancelled.
        eventually([&] {
            return pool_conns_get_stats(pool_, &stats) == POOL_OK && stats.dialing == 0 &&
                   stats.in_use == 0;
        });
        EXPECT_EQ(stats.waiters, 0u);
        EXPECT_EQ(stats.in_use, 0u);
        EXPECT_EQ(stats.dials - stats.dial_fails + stats.adopted,
                  static_cast<uint64_t>(server_.dialed - refused_));
        // A request that was destroyed may have had a connection, or not.
        EXPECT_GE(stats.acquires, static_cast<uint64_t>(lent_));
        EXPECT_LE(stats.acquires, static_cast<uint64_t>(lent_ + given_back_));
        EXPECT_EQ(stats.detached, static_cast<uint64_t>(detached_));
        const uint64_t closed = stats.closed_broken + stats.closed_invalid +
                                stats.closed_max_lifetime + stats.closed_idle_timeout +
                                stats.closed_max_idle + stats.closed_pool + stats.closed_cleared +
                                stats.closed_max_uses;
        EXPECT_EQ(closed, static_cast<uint64_t>(server_.closed - refused_ - detached_));
        EXPECT_EQ(stats.idle, static_cast<uint64_t>(server_.open.load()));
        EXPECT_EQ(pool_conns_destroy(pool_), POOL_OK);
        EXPECT_EQ(server_.open, 0);
        EXPECT_EQ(server_.closed, server_.dialed);
        EXPECT_EQ(server_.shared, 0) << "a connection had two holders";
        EXPECT_EQ(server_.reused, 0) << "a connection was lent when it was closed";
        EXPECT_EQ(server_.twice, 0);
        EXPECT_LE(server_.most, most);
    }

private:
    struct Key {
        char text[8];
        size_t length;
    };
    static Key some_key() {
        Key key;
        key.length = static_cast<size_t>(
            snprintf(key.text, sizeof key.text, "key%u", Server::chance() % kKeys));
        return key;
    }

    void step() {
        const Key key = some_key();
        const unsigned what = Server::chance() % 64;
        if (what < 44)
            borrow(key, what);
        else if (what < 54)
            request(key, what);
        else if (what == 54)
            adopt(key);
        else if (what == 55)
            pool_conns_reap(pool_);
        else if (what == 56)
            look();
        else if (what < 60 && (trouble_ & kResize) != 0)
            resize();
        else if (what < 63 && (trouble_ & kClear) != 0)
            clear(key);
    }

    int64_t some_time() {
        switch (Server::chance() % 4) {
        case 0:
            return 0;
        case 1:
            return 20000;
        case 2:
            return kMillisecond;
        default:
            return 20 * kSecond; // somebody always comes back
        }
    }

    void borrow(const Key &key, unsigned what) {
        pool_conns_acquire_options options = {};
        options.size = sizeof options;
        options.priority = static_cast<int32_t>(what % 3) - 1;
        options.flags = what >= 40 ? POOL_CONNS_FRESH : 0;
        options.taker = what % 2 == 0 ? "stress" : nullptr;
        pool_conns_lease *lease = nullptr;
        const int64_t time = some_time();
        pool_status status =
            what < 22
                ? pool_conns_acquire(pool_, key.text, key.length, time, &lease)
                : pool_conns_acquire_with(pool_, key.text, key.length, time, &options, &lease);
        if (status == POOL_OK)
            use(lease);
        else
            failed(status, time);
    }

    void failed(pool_status status, int64_t time) {
        if (status == POOL_ECLOSED)
            stopped_ = true;
        if (status == POOL_ETIMEDOUT && time > kSecond)
            ADD_FAILURE() << "a waiter was forgotten: " << pool_last_error();
    }

    void use(pool_conns_lease *lease) {
        lent_++;
        void *conn = pool_conns_lease_conn(lease);
        server_.take(conn);
        const unsigned how = Server::chance() % 64;
        if (how < 16)
            std::this_thread::yield();
        server_.give(conn);
        if (how == 0) {
            EXPECT_EQ(pool_conns_detach(lease, &conn), POOL_OK);
            detached_++;
            Server::close(conn, 0, &server_);
        } else if (how < 4) {
            EXPECT_EQ(pool_conns_discard(lease), POOL_OK);
        } else {
            EXPECT_EQ(pool_conns_release(lease), POOL_OK);
        }
    }

    void request(const Key &key, unsigned what) {
        pool_conns_request *request = nullptr;
        const int64_t time = some_time();
        pool_conns_request_options options = {};
        options.size = sizeof options;
        options.flags = what == 53 ? POOL_CONNS_FRESH : 0;
        if (pool_conns_request_start(pool_, key.text, key.length, time, &options, &request) !=
            POOL_OK)
            return;
        if (what < 47) {
            pool_conns_request_cancel(request);
        } else if (what < 50) {
            pool_conns_request_destroy(request); // what it got comes back by itself
            given_back_++;
            return;
        }
        EXPECT_EQ(pool_conns_request_wait(request, POOL_FOREVER), POOL_OK);
        pool_conns_lease *lease = nullptr;
        pool_status status = pool_conns_request_finish(request, &lease);
        if (status == POOL_OK)
            use(lease);
        else
            failed(status, time);
    }

    void adopt(const Key &key) {
        Server::Connection *made = server_.make();
        if (pool_conns_adopt(pool_, key.text, key.length, made) != POOL_OK) {
            refused_++;
            Server::close(made, 0, &server_);
        }
    }

    void look() {
        pool_conns_stats stats;
        stats.size = sizeof stats;
        pool_conns_get_stats(pool_, &stats);
        EXPECT_EQ(stats.open, stats.idle + stats.in_use + stats.dialing);
        pool_conns_visit_leases(
            pool_, 0, [](const pool_conns_lease_info *, void *) {}, nullptr);
    }

    void resize() {
        pool_conns_set(pool_, POOL_CONNS_SET_MAX_OPEN_PER_KEY, 1 + Server::chance() % kPerKey);
        pool_conns_set(pool_, POOL_CONNS_SET_MAX_OPEN, 1 + Server::chance() % kAll);
        pool_conns_set(pool_, POOL_CONNS_SET_MAX_IDLE_PER_KEY, Server::chance() % (kPerKey + 1));
    }

    void clear(const Key &key) {
        switch (Server::chance() % 3) {
        case 0:
            pool_conns_clear(pool_);
            break;
        case 1:
            pool_conns_clear_key(pool_, key.text, key.length);
            break;
        default:
            pool_conns_close_idle(pool_);
        }
    }

    const unsigned trouble_;
    Server server_;
    pool_conns *pool_ = nullptr;
    std::atomic<bool> stopped_{false};
    std::atomic<int64_t> lent_{0}, detached_{0}, refused_{0}, given_back_{0};
};

void run_schedule(pool_conns_options options, unsigned trouble) {
    Schedule schedule(options, trouble);
    schedule.run();
    // Adopting brings a connection that the bounds do not count until it is let in.
    schedule.check((options.max_open != 0 ? options.max_open : kKeys * kPerKey) + kThreads);
}

class ConnSchedules : public testing::TestWithParam<pool_conns_handoff> {
protected:
    pool_conns_options options() {
        pool_conns_options options = POOL_CONNS_OPTIONS_INIT;
        options.handoff = GetParam();
        return options;
    }
};

INSTANTIATE_TEST_SUITE_P(Handoff, ConnSchedules,
                         testing::Values(POOL_CONNS_FAIR, POOL_CONNS_STRICT, POOL_CONNS_FREE));

TEST_P(ConnSchedules, Plain) {
    run_schedule(options(), kNone);
}

TEST_P(ConnSchedules, WithABoundForAllKeys) {
    pool_conns_options all = options();
    all.max_open = kAll;
    run_schedule(all, kClear);
}

TEST_P(ConnSchedules, WithDialersAndChecks) {
    pool_conns_options all = options();
    all.flags = POOL_CONNS_DIALERS;
    all.is_alive = Server::is_alive;
    all.reset = Server::reset;
    run_schedule(all, kClear);
}

TEST_P(ConnSchedules, WhileTheBoundsChange) {
    pool_conns_options all = options();
    all.max_open = kAll;
    run_schedule(all, kResize | kClear);
}

TEST_P(ConnSchedules, WithFewIdleOnesOldestFirst) {
    pool_conns_options few = options();
    few.max_idle_per_key = 2;
    few.max_idle = 4;
    few.idle_order = POOL_CONNS_FIFO;
    run_schedule(few, kNone);
}

TEST_P(ConnSchedules, ClosedInTheMiddle) {
    run_schedule(options(), kClose | kClear);
}

} // namespace
