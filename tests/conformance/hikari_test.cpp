// HikariCP: how it keeps its pool alive, told as options of this one.
//
// SPDX-License-Identifier: Apache-2.0
//
//     maximumPoolSize                 max_open_per_key
//     minimumIdle                     min_idle; equal to max_open_per_key: a pool of fixed size
//     connectionTimeout               the timeout of acquire
//     aliveBypassWindowMs             validate_after (500 ms)
//     validationTimeout               validate_timeout (5 s)
//     keepaliveTime                   keepalive
//     maxLifetime, idleTimeout        max_lifetime, idle_timeout
//     leakDetectionThreshold          leak_threshold
//     initializationFailTimeout       initial
//     softEvictConnections()          pool_conns_clear
//
// Threads of the pool sleep real time and decide by the pool's clock. Periods are short here, so
// that they soon look at a clock that a test has moved.
#include "support/conn_pool.h"
#include "support/log.h"

namespace {

using namespace pool_test;

pool_conns_options hikari(Peer &peer) {
    pool_conns_options options = peer.options();
    set_key(&options, "db");
    options.validate = Peer::validate;
    return options;
}

TEST(Hikari, AConnectionThatWasUsedHalfASecondAgoIsNotValidated) {
    for (uint32_t max_idle : {0u, 5u}) { // two ways through the pool
        StoppedClock clock;
        Peer peer;
        pool_conns_options options = hikari(peer);
        options.max_idle_per_key = max_idle;
        ConnPoolUnderTest pool(options);
        pool_conns_release(pool.acquire("db"));
        clock.advance(500 * kMillisecond - 1);
        pool_conns_release(pool.acquire("db"));
        EXPECT_EQ(peer.validations.calls, 0);
        clock.advance(500 * kMillisecond);
        pool_conns_release(pool.acquire("db"));
        EXPECT_EQ(peer.validations.calls, 1);
        EXPECT_EQ(peer.deadline, clock.now() + 5 * kSecond);
        EXPECT_EQ(pool.stats().validations, 1u);
    }
}

TEST(Hikari, OneThatFailsItsValidationIsReplaced) {
    StoppedClock clock;
    Peer peer;
    ConnPoolUnderTest pool(hikari(peer));
    release_all(take(pool, "db", 3));
    clock.advance(kSecond);
    peer.validations.refusals = 3;
    pool_conns_lease *lease = pool.acquire("db");
    EXPECT_EQ(pool_conns_lease_uses(lease), 0u);
    EXPECT_EQ(peer.closed(POOL_CONNS_INVALID), 3);
    EXPECT_EQ(pool.stats().validate_fails, 3u);
    pool_conns_release(lease);
}

TEST(Hikari, TheValidationTimeoutIsCutByTheAcquires) {
    StoppedClock clock;
    Peer peer;
    ConnPoolUnderTest pool(hikari(peer));
    pool_conns_release(pool.acquire("db"));
    clock.advance(kSecond);
    pool_conns_lease *lease;
    EXPECT_EQ(pool.acquire("db", 2 * kSecond, &lease), POOL_OK);
    EXPECT_EQ(peer.deadline, clock.now() + 2 * kSecond);
    pool_conns_release(lease);
}

TEST(Hikari, KeepaliveValidatesIdleConnectionsAndClosesTheDead) {
    StoppedClock clock;
    Peer peer;
    pool_conns_options options = hikari(peer);
    options.keepalive = 10 * kMillisecond;
    ConnPoolUnderTest pool(options);
    std::vector<pool_conns_lease *> three = take(pool, "db", 3);
    pool_conns_release(three[0]);
    pool_conns_release(three[1]);
    clock.advance(10 * kMillisecond);
    eventually([&] { return peer.validations.calls == 2; });
    EXPECT_EQ(pool.stats().open, 3u) << "the one that is lent is left alone";
    peer.validations.refusals = 1;
    clock.advance(10 * kMillisecond);
    eventually([&] { return peer.closed(POOL_CONNS_INVALID) == 1; });
    eventually([&] { return pool.stats().idle == 1; });
    pool_conns_release(three[2]);
}

TEST(Hikari, KeepaliveIsShortenedByAtMostAFifth) {
    StoppedClock clock;
    Peer peer;
    pool_conns_options options = hikari(peer);
    options.keepalive = 10 * kMillisecond;
    options.max_open_per_key = 1;
    ConnPoolUnderTest pool(options);
    pool_conns_lease *busy = pool.acquire("busy");
    pool_conns_release(pool.acquire("db"));
    for (int i = 0; i < 4; i++) {
        clock.advance(2 * kMillisecond - 3);
        until_seen(pool, clock, "busy");
        EXPECT_EQ(peer.validations.calls, 0);
    }
    clock.advance(2 * kMillisecond + 4);
    eventually([&] { return peer.validations.calls == 1; });
    pool_conns_release(busy);
}

TEST(Hikari, KeepaliveNeedsSomethingToCall) {
    Peer peer;
    pool_conns_options options = peer.options();
    options.keepalive = kSecond;
    pool_conns *pool;
    EXPECT_EQ(pool_conns_create(&options, &pool), POOL_EINVAL);
    ConnPoolUnderTest other(peer.options());
    EXPECT_EQ(pool_conns_set(other, POOL_CONNS_SET_KEEPALIVE, kSecond), POOL_EINVAL);
}

// ---- leaks ------------------------------------------------------------------------------------

struct Leaks : Peer {
    struct Report {
        std::string taker, key;
        int64_t age;
        void *conn;
        int32_t returned;
    };
    std::vector<Report> reports() {
        std::lock_guard<std::mutex> guard(mutex_);
        return reports_;
    }
    static void on_leak(const pool_conns_lease_info *lease, void *ctx) {
        Leaks *self = static_cast<Leaks *>(static_cast<Peer *>(ctx));
        std::lock_guard<std::mutex> guard(self->mutex_);
        self->reports_.push_back(
            {lease->taker, std::string(static_cast<const char *>(lease->key), lease->key_length),
             lease->age, lease->conn, lease->returned});
    }
    pool_conns_options options() {
        pool_conns_options options = Peer::options();
        options.leak_threshold = 20 * kMillisecond;
        options.on_leak = on_leak;
        options.max_open_per_key = 2;
        return options;
    }

private:
    std::mutex mutex_;
    std::vector<Report> reports_;
};

pool_conns_lease *take_as(pool_conns *pool, const char *taker) {
    pool_conns_acquire_options how = {};
    how.size = sizeof how;
    how.taker = taker;
    pool_conns_lease *lease = nullptr;
    EXPECT_EQ(pool_conns_acquire_with(pool, "db", 2, POOL_FOREVER, &how, &lease), POOL_OK);
    return lease;
}

TEST(Hikari, ALeakIsReportedOnceAndSoIsItsReturn) {
    StoppedClock clock;
    Leaks peer;
    ConnPoolUnderTest pool(peer.options());
    pool_conns_lease *lease = take_as(pool, "report.c");
    pool_conns_lease *other = take_as(pool, "quick");
    void *conn = pool_conns_lease_conn(lease);
    clock.advance(20 * kMillisecond - 3);
    until_seen(pool, clock, "db");
    EXPECT_EQ(peer.reports().size(), 0u);
    EXPECT_EQ(pool_conns_lease_renew(other), POOL_OK);
    clock.advance(10 * kMillisecond);
    eventually([&] { return peer.reports().size() == 1; });
    for (int i = 0; i < 10; i++) {
        clock.advance(10 * kMillisecond);
        EXPECT_EQ(pool_conns_lease_renew(other), POOL_OK);
        until_seen(pool, clock, "db");
    }
    pool_conns_release(other);
    pool_conns_release(lease);
    std::vector<Leaks::Report> reports = peer.reports();
    ASSERT_EQ(reports.size(), 2u) << "once, however long, and once more";
    for (const Leaks::Report &report : reports) {
        EXPECT_EQ(report.taker, "report.c");
        EXPECT_EQ(report.key, "db");
        EXPECT_EQ(report.conn, conn);
        EXPECT_GE(report.age, 20 * kMillisecond);
    }
    EXPECT_EQ(reports[0].returned, 0);
    EXPECT_EQ(reports[1].returned, 1);
    EXPECT_EQ(pool.stats().leaks, 1u);
}

TEST(Hikari, OneThatComesBackInTimeIsNoLeak) {
    StoppedClock clock;
    Leaks peer;
    ConnPoolUnderTest pool(peer.options());
    pool_conns_lease *slow = take_as(pool, "slow");
    for (int i = 0; i < 5; i++) {
        pool_conns_lease *quick = take_as(pool, "quick");
        clock.advance(10 * kMillisecond);
        pool_conns_release(quick);
    }
    eventually([&] { return peer.reports().size() == 1; });
    pool_conns_release(slow);
    for (const Leaks::Report &report : peer.reports())
        EXPECT_EQ(report.taker, "slow");
}

TEST(Hikari, ARenewedLeaseIsNoLeak) {
    StoppedClock clock;
    Leaks peer;
    ConnPoolUnderTest pool(peer.options());
    pool_conns_lease *renewed = take_as(pool, "renewed"), *forgotten = take_as(pool, "forgotten");
    clock.advance(19 * kMillisecond);
    EXPECT_EQ(pool_conns_lease_renew(renewed), POOL_OK);
    clock.advance(10 * kMillisecond);
    eventually([&] { return peer.reports().size() == 1; });
    until_seen(pool, clock, "db");
    EXPECT_EQ(peer.reports().size(), 1u);
    EXPECT_EQ(peer.reports()[0].taker, "forgotten");
    release_all({renewed, forgotten});
    EXPECT_EQ(pool.stats().leaks, 1u);
}

TEST(Hikari, WithoutACallbackALeakIsALineInTheLog) {
    LogCapture log;
    StoppedClock clock;
    Peer peer;
    pool_conns_options options = peer.options();
    options.leak_threshold = 20 * kMillisecond;
    ConnPoolUnderTest pool(options);
    pool_conns_lease *lease = take_as(pool, "report.c");
    clock.advance(30 * kMillisecond);
    eventually([&] { return log.lines().size() == 1; });
    EXPECT_NE(log.lines()[0].text.find("report.c"), std::string::npos) << log.lines()[0].text;
    pool_conns_release(lease);
}

TEST(Hikari, EveryHolderCanBeLookedUp) {
    StoppedClock clock;
    Peer peer;
    ConnPoolUnderTest pool(peer.options());
    pool_conns_lease *old = take_as(pool, "old");
    clock.advance(kSecond);
    pool_conns_lease *young = take_as(pool, "young");
    auto takers = [&](int64_t min_age) {
        std::set<std::string> names;
        EXPECT_EQ(pool_conns_visit_leases(
                      pool, min_age,
                      [](const pool_conns_lease_info *lease, void *arg) {
                          static_cast<std::set<std::string> *>(arg)->insert(lease->taker);
                      },
                      &names),
                  POOL_OK);
        return names;
    };
    EXPECT_EQ(takers(0), (std::set<std::string>{"old", "young"}));
    EXPECT_EQ(takers(kSecond / 2), (std::set<std::string>{"old"}));
    release_all({old, young});
    EXPECT_EQ(takers(0).size(), 0u);
}

} // namespace
