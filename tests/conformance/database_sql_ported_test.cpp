// What the tests of Go's database/sql show of its connection pool, adapted. The name of the test
// there stands above each. Those about statements, rows and transactions have no counterpart.
//
// SPDX-License-Identifier: Apache-2.0
#include "database_sql.h"
#include "support/allocator.h"

#include <stdexcept>

namespace {

using namespace pool_test;

// TestOpenConnector: the connector is closed with the DB.
TEST(DatabaseSqlPorted, TheConnectorIsClosedWithThePool) {
    static std::atomic<int> closed;
    closed = 0;
    Peer peer;
    pool_conns_options options = sql_db(peer);
    options.ctx_free = [](void *) { closed++; };
    ConnPoolUnderTest pool(options);
    pool_conns_release(pool.acquire("db"));
    EXPECT_EQ(pool_conns_destroy(pool.give_up()), POOL_OK);
    EXPECT_EQ(closed, 1);
}

// TestDriverPanic
TEST(DatabaseSqlPorted, ADriverThatPanicsCostsNoPlace) {
    Peer peer;
    pool_conns_options options = sql_db(peer, 1, 1);
    options.dial = [](const void *, size_t, int64_t, void **, void *) -> pool_status {
        throw std::runtime_error("dial");
    };
    ConnPoolUnderTest pool(options);
    pool_conns_lease *lease;
    for (int i = 0; i < 2; i++)
        EXPECT_EQ(pool.acquire("db", POOL_FOREVER, &lease), POOL_EDIAL);
    EXPECT_EQ(pool.stats().open, 0u);

    Peer other;
    options = sql_db(other, 1, 1);
    options.close = [](void *conn, pool_conns_reason reason, void *ctx) {
        Backend::close(conn, reason, static_cast<Peer *>(ctx));
        throw std::runtime_error("close");
    };
    ConnPoolUnderTest second(options);
    for (int i = 0; i < 2; i++)
        EXPECT_EQ(run(second, "db",
                      [](pool_conns_lease *, void *) -> pool_status {
                          throw std::runtime_error("exec");
                      }),
                  POOL_ETASK);
    EXPECT_EQ(second.stats().open, 0u);
    pool_conns_release(second.acquire("db"));
}

// TestQueryContext, TestTxContextWaitNoDiscard
TEST(DatabaseSqlPorted, AQueryThatIsCancelledGivesItsConnectionBack) {
    Peer peer;
    ConnPoolUnderTest pool(sql_db(peer));
    EXPECT_EQ(
        run(pool, "db", [](pool_conns_lease *, void *) -> pool_status { return POOL_ECANCELED; }),
        POOL_ECANCELED);
    EXPECT_EQ(pool.stats().idle, 1u);
}

// TestPoolExhaustOnCancel
TEST(DatabaseSqlPorted, CancelledWaitersLeaveTheirPlacesToOthers) {
    Peer peer;
    ConnPoolUnderTest pool(sql_db(peer, 3, 3));
    std::vector<pool_conns_lease *> busy = take(pool, "db", 3);
    {
        Request one(pool, "db"), two(pool, "db"), three(pool, "db");
        EXPECT_EQ(pool.stats().waiters, 3u);
        for (Request *each : {&one, &two, &three}) {
            each->cancel();
            pool_conns_lease *lease;
            EXPECT_EQ(each->finish(&lease), POOL_ECANCELED);
        }
    }
    EXPECT_EQ(pool.stats().waiters, 0u);
    release_all(busy);
    pool_conns_release(pool.acquire("db"));
    EXPECT_EQ(pool.stats().open, 3u);
}

// TestConnRaw
TEST(DatabaseSqlPorted, RawSeesTheDriversConnection) {
    Peer peer;
    ConnPoolUnderTest pool(sql_db(peer));
    EXPECT_EQ(run(pool, "db",
                  [](pool_conns_lease *lease, void *conn) -> pool_status {
                      EXPECT_EQ(conn, pool_conns_lease_conn(lease));
                      EXPECT_EQ(static_cast<Backend::Connection *>(conn)->key, "db");
                      return POOL_OK;
                  }),
              POOL_OK);
}

// TestIssue2542Deadlock
TEST(DatabaseSqlPorted, UseAfterCloseFailsEachTime) {
    Peer peer;
    ConnPoolUnderTest pool(sql_db(peer));
    pool_conns_close(pool, POOL_FOREVER, nullptr);
    for (int i = 0; i < 2; i++)
        EXPECT_EQ(run(pool, "db", [](pool_conns_lease *, void *) { return POOL_OK; }),
                  POOL_ECLOSED);
}

// TestMaxIdleConns
TEST(DatabaseSqlPorted, WithMaxIdleZeroNothingIsKept) {
    Peer peer;
    ConnPoolUnderTest pool(sql_db(peer));
    pool_conns_release(pool.acquire("db"));
    EXPECT_EQ(pool.stats().idle, 1u);
    set(pool, POOL_CONNS_SET_MAX_IDLE_PER_KEY, POOL_CONNS_KEEP_NONE);
    EXPECT_EQ(pool.stats().idle, 0u);
    pool_conns_release(pool.acquire("db"));
    EXPECT_EQ(pool.stats().idle, 0u);
}

// TestMaxOpenConns
TEST(DatabaseSqlPorted, MaxOpenHoldsAmongFiftyCallers) {
    Peer peer;
    ConnPoolUnderTest pool(sql_db(peer, 10, 10));
    for (int batch = 0; batch < 2; batch++) {
        std::vector<std::thread> threads;
        Tally busy;
        Gate all_busy;
        for (int i = 0; i < 50; i++)
            threads.emplace_back([&] {
                pool_conns_lease *lease = pool.acquire("db");
                busy.raise();
                all_busy.wait();
                pool_conns_release(lease);
            });
        busy.wait_for(10);
        until_waiting(pool, 40);
        all_busy.open();
        for (std::thread &thread : threads)
            thread.join();
        EXPECT_EQ(pool.stats().idle, 10u);
    }
    EXPECT_EQ(peer.dials, 10);
    set(pool, POOL_CONNS_SET_MAX_OPEN_PER_KEY, 5);
    EXPECT_EQ(pool.stats().idle, 5u);
    set(pool, POOL_CONNS_SET_MAX_OPEN_PER_KEY, UINT32_MAX);
    EXPECT_EQ(pool.stats().idle, 5u);
}

// TestMaxOpenConnsOnBusy
TEST(DatabaseSqlPorted, LoweringMaxOpenBelowWhatIsBusyClosesOnReturn) {
    Peer peer;
    ConnPoolUnderTest pool(sql_db(peer, 3, 3));
    std::vector<pool_conns_lease *> three = take(pool, "db", 3);
    set(pool, POOL_CONNS_SET_MAX_OPEN_PER_KEY, 2);
    EXPECT_EQ(pool.stats().open, 3u);
    pool_conns_release(three[0]);
    EXPECT_EQ(pool.stats().open, 2u);
    pool_conns_release(three[1]);
    pool_conns_release(three[2]);
    EXPECT_EQ(pool.stats().open, 2u);
    EXPECT_EQ(peer.dials, 3);
}

// TestPendingConnsAfterErr
TEST(DatabaseSqlPorted, WhenTheDriverGoesOfflineNobodyIsLeftWaiting) {
    Peer peer;
    ConnPoolUnderTest pool(sql_db(peer, 2, 2));
    std::vector<pool_conns_lease *> two = take(pool, "db", 2);
    Acquiring a(pool, "db"), b(pool, "db"), c(pool, "db"), d(pool, "db");
    until_waiting(pool, 4);
    peer.dials_to_succeed = 0;
    for (pool_conns_lease *lease : two)
        pool_conns_discard(lease);
    for (Acquiring *each : {&a, &b, &c, &d})
        EXPECT_EQ(each->status(), 42);
    EXPECT_EQ(pool.stats().open, 0u);
    EXPECT_EQ(pool.stats().waiters, 0u);
}

// TestSingleOpenConn
TEST(DatabaseSqlPorted, OneConnectionServesOneQueryAfterTheOther) {
    Peer peer;
    ConnPoolUnderTest pool(sql_db(peer, 1, 1));
    for (int i = 0; i < 2; i++)
        pool_conns_release(pool.acquire("db"));
    EXPECT_EQ(peer.dials, 1);
}

// TestStats
TEST(DatabaseSqlPorted, OpenConnectionsAreCountedUntilClose) {
    Peer peer;
    ConnPoolUnderTest pool(sql_db(peer));
    pool_conns_release(pool.acquire("db"));
    EXPECT_EQ(pool.stats().open, 1u);
    pool_conns_close(pool, 0, nullptr);
    EXPECT_EQ(pool.stats().open, 0u);
}

// TestConnMaxLifetime
TEST(DatabaseSqlPorted, MaxLifetimeCountsFromEachDial) {
    StoppedClock clock;
    Peer peer;
    pool_conns_options options = sql_db(peer, 10, 10);
    options.max_lifetime = 10 * kSecond;
    ConnPoolUnderTest pool(options);
    pool_conns_lease *first = pool.acquire("db");
    clock.advance(5 * kSecond);
    pool_conns_lease *second = pool.acquire("db");
    release_all({first, second});
    EXPECT_EQ(pool.stats().idle, 2u);
    clock.advance(5 * kSecond); // the second has at least four more
    first = pool.acquire("db");
    second = pool.acquire("db");
    EXPECT_EQ(pool_conns_lease_uses(first) + pool_conns_lease_uses(second), 1u);
    EXPECT_EQ(peer.dials, 3);
    EXPECT_EQ(peer.closes, 1);
    EXPECT_EQ(pool.stats().closed_max_lifetime, 1u);
    release_all({first, second});
}

// TestConnExpiresFreshOutOfPool: plain, expired, and one that cannot be reset.
TEST(DatabaseSqlPorted, AWaiterGetsAUsableConnectionHoweverTheOnlyOneComesBack) {
    enum { kPlain, kExpired, kBadReset };
    for (int way : {kPlain, kExpired, kBadReset})
        for (uint32_t flags : {0u, uint32_t{POOL_CONNS_FRESH}}) {
            if (way == kBadReset && flags == POOL_CONNS_FRESH)
                continue; // it never gets that one
            StoppedClock clock;
            Peer peer;
            pool_conns_options options = sql_db(peer, 1, 1);
            options.max_lifetime = 10 * kSecond;
            options.before_acquire = Peer::before_acquire;
            ConnPoolUnderTest pool(options);
            pool_conns_lease *held = pool.acquire("db");
            pool_conns_acquire_options how = {};
            how.flags = flags;
            Acquiring waiter(pool, "db", POOL_FOREVER, how);
            until_waiting(pool, 1);
            if (way == kExpired)
                clock.advance(20 * kSecond);
            if (way == kBadReset)
                peer.before_acquires.refusals = 1;
            pool_conns_release(held);
            EXPECT_EQ(waiter.status(), POOL_OK);
            EXPECT_EQ(pool.stats().open, 1u);
            EXPECT_EQ(peer.most_live(), 1);
            pool_conns_release(waiter.lease());
        }
}

// TestManyErrBadConn
TEST(DatabaseSqlPorted, IfEveryIdleConnectionIsBadTheLastTryIsWithANewOne) {
    for (uint32_t most : {3u, 10u}) {
        Peer peer;
        ConnPoolUnderTest pool(sql_db(peer, most, 10));
        std::vector<pool_conns_lease *> three = take(pool, "db", 3);
        for (pool_conns_lease *lease : three)
            connection_of(lease)->dead = true;
        release_all(three);
        EXPECT_EQ(run(pool, "db",
                      [](pool_conns_lease *lease, void *) -> pool_status {
                          return connection_of(lease)->dead ? POOL_EBAD : POOL_OK;
                      }),
                  POOL_OK);
        EXPECT_EQ(peer.dials, 4);
        EXPECT_LE(peer.most_live(), 4);
    }
}

// TestErrBadConnReconnect
TEST(DatabaseSqlPorted, OneBadConnectionIsReplacedUnnoticed) {
    Peer peer;
    ConnPoolUnderTest pool(sql_db(peer));
    pool_conns_release(pool.acquire("db"));
    for (int i = 0; i < 5; i++) {
        bool bad = true;
        EXPECT_EQ(run(pool, "db",
                      [&](pool_conns_lease *, void *) -> pool_status {
                          return std::exchange(bad, false) ? POOL_EBAD : POOL_OK;
                      }),
                  POOL_OK);
        EXPECT_EQ(pool.stats().open, 1u);
    }
    EXPECT_EQ(peer.closes, 5);
}

// TestIssue6081
TEST(DatabaseSqlPorted, BadConnectionsAreNotUsedAgain) {
    Peer peer;
    ConnPoolUnderTest pool(sql_db(peer));
    for (int i = 0; i < 10; i++)
        pool_conns_discard(pool.acquire("db"));
    EXPECT_EQ(peer.dials, 10);
    EXPECT_EQ(peer.closes, 10);
}

// TestConcurrency
TEST(DatabaseSqlPorted, AllKindsOfUseAtOnce) {
    Peer peer;
    ConnPoolUnderTest pool(sql_db(peer, 10, 10));
    std::vector<std::thread> threads;
    for (unsigned i = 0; i < 12; i++)
        threads.emplace_back([&, i] {
            for (unsigned turn = 0; turn < 60; turn++) {
                if ((turn + i) % 3 == 0) {
                    Request request(pool, "db");
                    if (turn % 2)
                        request.cancel();
                } else {
                    EXPECT_EQ(run(pool, "db",
                                  [&](pool_conns_lease *lease, void *) -> pool_status {
                                      bool bad = pool_conns_lease_uses(lease) % 5 == 4;
                                      return bad ? POOL_EBAD : POOL_OK;
                                  }),
                              POOL_OK);
                }
            }
        });
    for (std::thread &thread : threads)
        thread.join();
    eventually([&] { return pool.stats().dialing == 0; }); // for requests that were cancelled
    EXPECT_EQ(pool.stats().in_use, 0u);
    EXPECT_LE(peer.most_live(), 10);
    EXPECT_EQ(static_cast<int>(pool.stats().idle), peer.live());
}

// TestConnectionLeak: two come back and are idle while a third is being dialed for a waiter.
TEST(DatabaseSqlPorted, ADialThatIsLateIsUsedOrClosed) {
    Peer peer;
    Gate gate;
    pool_conns_options options = sql_db(peer, 3, 2);
    options.flags = POOL_CONNS_DIALERS;
    ConnPoolUnderTest pool(options);
    std::vector<pool_conns_lease *> two = take(pool, "db", 2);
    peer.dial_gate = &gate;
    Acquiring third(pool, "db");
    eventually([&] { return peer.dials == 3; });
    release_all(two);
    pool_conns_release(third.lease()); // on one of those two
    EXPECT_EQ(pool.stats().idle, 2u);
    gate.open();
    eventually([&] { return pool.stats().dialing == 0 && pool.stats().in_use == 0; });
    EXPECT_EQ(pool.stats().idle, 2u);
    EXPECT_EQ(peer.live(), 2);
}

// TestStatsMaxIdleClosedZero, TestStatsMaxIdleClosedTen
TEST(DatabaseSqlPorted, MaxIdleClosedCountsWhatIsNotKept) {
    for (uint32_t idle : {1u, POOL_CONNS_KEEP_NONE}) {
        Peer peer;
        ConnPoolUnderTest pool(sql_db(peer, UINT32_MAX, idle));
        for (int i = 0; i < 10; i++)
            pool_conns_release(pool.acquire("db"));
        EXPECT_EQ(pool.stats().closed_max_idle, idle == 1 ? 0u : 10u);
    }
}

// TestMaxIdleTime: five are used, two of them once more.
TEST(DatabaseSqlPorted, TheCleanerClosesExactlyThoseThatWereNotUsedAgain) {
    StoppedClock clock;
    Peer peer;
    pool_conns_options options = sql_db(peer, 10, 10);
    options.idle_timeout = 10 * kSecond;
    ConnPoolUnderTest pool(options);
    release_all(take(pool, "db", 5));
    clock.advance(6 * kSecond);
    release_all(take(pool, "db", 2));
    clock.advance(5 * kSecond);
    EXPECT_EQ(pool_conns_reap(pool), POOL_OK);
    EXPECT_EQ(pool.stats().closed_idle_timeout, 3u);
    EXPECT_EQ(pool.stats().idle, 2u);
    EXPECT_EQ(pool.stats().closed_max_lifetime, 0u);
}

// TestGrabConnAllocs
TEST(DatabaseSqlPorted, AConnectionThatIsIdleIsLentWithoutAnAllocation) {
    AccountingAllocator accounting;
    pool_allocator allocator = accounting.allocator();
    Peer peer;
    pool_conns_options options = sql_db(peer);
    options.allocator = &allocator;
    ConnPoolUnderTest pool(options);
    pool_conns_release(pool.acquire("db"));
    const int before = accounting.calls();
    for (int i = 0; i < 100; i++)
        pool_conns_release(pool.acquire("db"));
    EXPECT_EQ(accounting.calls(), before);
}

// TestStmtCloseDeps, TestCloseConnBeforeStmts: what hangs on a connection goes once, before it.
TEST(DatabaseSqlPorted, WhatHangsOnAConnectionIsClosedOnceAndBeforeIt) {
    Peer peer;
    pool_conns_options options = sql_db(peer, 10, 1);
    options.before_close = Peer::before_close; // sees an open connection
    ConnPoolUnderTest pool(options);
    std::vector<pool_conns_lease *> four = take(pool, "db", 4);
    pool_conns_discard(four[0]); // broken
    pool_conns_release(four[1]);
    pool_conns_release(four[2]); // one idle too many
    EXPECT_EQ(peer.before_closes, 2);
    void *mine;
    EXPECT_EQ(pool_conns_detach(four[3], &mine), POOL_OK);
    pool_conns_close(pool, 0, nullptr);
    EXPECT_EQ(peer.before_closes, 3);
    EXPECT_EQ(peer.closes, 3);
    peer.forget(mine);
}

} // namespace
