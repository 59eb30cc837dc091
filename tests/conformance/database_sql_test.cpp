// Go's database/sql: the rules of its connection pool, one by one.
//
// SPDX-License-Identifier: Apache-2.0
//
//     sql.OpenDB(connector)                  pool_conns_create
//     db.Conn(ctx), conn.Close()             pool_conns_acquire, pool_conns_release
//     db.ExecContext and the like            pool_conns_run
//     driver.ErrBadConn                      POOL_EBAD, pool_conns_discard
//     driver.SessionResetter, Validator      before_acquire or reset, after_release
//     db.SetMaxOpenConns and its kin         pool_conns_set
//     db.Stats()                             pool_conns_get_stats
//     db.Close()                             pool_conns_close with a timeout of 0
//
// Stricter here: waiters are served in order (SQL-10: at random there), and a connection that is
// returned twice is an error and no panic (SQL-12). What the tests of database/sql itself show of
// the pool is in database_sql_ported_test.cpp.
#include "database_sql.h"

#include <stdexcept>

namespace {

using namespace pool_test;

TEST(DatabaseSql, Sql1MaxOpenBoundsMaxIdle) {
    Peer peer;
    ConnPoolUnderTest pool(sql_db(peer, 3, 10));
    EXPECT_EQ(pool.stats().max_idle_per_key, 3u);
    set(pool, POOL_CONNS_SET_MAX_OPEN_PER_KEY, 1);
    EXPECT_EQ(pool.stats().max_open_per_key, 1u);
    EXPECT_EQ(pool.stats().max_idle_per_key, 1u);
}

TEST(DatabaseSql, Sql1WithoutABoundNobodyWaits) {
    Peer peer;
    ConnPoolUnderTest pool(sql_db(peer));
    std::vector<pool_conns_lease *> leases = take(pool, "db", 50);
    EXPECT_EQ(pool.stats().waits, 0u);
    release_all(leases);
    EXPECT_EQ(pool.stats().idle, 2u);
}

TEST(DatabaseSql, Sql2LoweringMaxIdleClosesTheSurplusAtOnce) {
    Peer peer;
    ConnPoolUnderTest pool(sql_db(peer, 10, 5));
    release_all(take(pool, "db", 5));
    EXPECT_EQ(pool.stats().idle, 5u);
    set(pool, POOL_CONNS_SET_MAX_IDLE_PER_KEY, 2);
    EXPECT_EQ(pool.stats().idle, 2u);
    EXPECT_EQ(pool.stats().closed_max_idle, 3u);
    set(pool, POOL_CONNS_SET_MAX_IDLE_PER_KEY, POOL_CONNS_KEEP_NONE);
    EXPECT_EQ(pool.stats().idle, 0u);
    EXPECT_EQ(pool.stats().closed_max_idle, 5u);
}

TEST(DatabaseSql, Sql3NoLifetimeUnlessSetAndASetOneCountsForIdleConnectionsToo) {
    StoppedClock clock;
    Peer peer;
    ConnPoolUnderTest pool(sql_db(peer));
    release_all(take(pool, "db", 2));
    clock.advance(1000000 * kSecond);
    EXPECT_EQ(pool_conns_reap(pool), POOL_OK);
    EXPECT_EQ(pool.stats().idle, 2u);
    set(pool, POOL_CONNS_SET_IDLE_TIMEOUT, kSecond);
    EXPECT_EQ(pool_conns_reap(pool), POOL_OK);
    EXPECT_EQ(pool.stats().closed_idle_timeout, 2u);
}

TEST(DatabaseSql, Sql3LoweringMaxLifetimeAppliesToThoseThatAreOpen) {
    StoppedClock clock;
    Peer peer;
    ConnPoolUnderTest pool(sql_db(peer));
    pool_conns_lease *lent = pool.acquire("db");
    pool_conns_release(pool.acquire("db"));
    clock.advance(100 * kSecond);
    set(pool, POOL_CONNS_SET_MAX_LIFETIME, 50 * kSecond);
    EXPECT_EQ(pool_conns_reap(pool), POOL_OK);
    EXPECT_EQ(pool.stats().closed_max_lifetime, 1u);
    pool_conns_release(lent);
    EXPECT_EQ(pool.stats().closed_max_lifetime, 2u);
}

// The cleaner; a thread of the pool that is only there if it was asked for.
TEST(DatabaseSql, Sql4TheCleanerClosesWhatIsDueAndSaysWhy) {
    StoppedClock clock;
    Peer peer;
    pool_conns_options options = sql_db(peer, 10, 10);
    options.idle_timeout = 10 * kSecond;
    options.max_lifetime = 100 * kSecond;
    options.reap_interval = kMillisecond;
    ConnPoolUnderTest pool(options);
    release_all(take(pool, "db", 3));
    clock.advance(11 * kSecond);
    eventually([&] { return pool.stats().closed_idle_timeout == 3; });
    set(pool, POOL_CONNS_SET_IDLE_TIMEOUT, POOL_CONNS_NONE);
    release_all(take(pool, "db", 2));
    clock.advance(100 * kSecond);
    eventually([&] { return pool.stats().closed_max_lifetime == 2; });
    EXPECT_EQ(pool.stats().closed_idle_timeout, 3u);
}

TEST(DatabaseSql, Sql5NothingIsDialedForOneWhoIsLateOrAClosedPool) {
    Peer peer;
    ConnPoolUnderTest pool(sql_db(peer));
    pool_conns_lease *lease;
    EXPECT_EQ(pool.acquire("db", 0, &lease), POOL_EAGAIN);
    pool_conns_close(pool, 0, nullptr);
    EXPECT_EQ(pool.acquire("db", POOL_FOREVER, &lease), POOL_ECLOSED);
    EXPECT_EQ(peer.dials, 0);
    EXPECT_EQ(pool.stats().waits, 0u);
}

TEST(DatabaseSql, Sql6TheLastReturnedIsTakenFirst) {
    Peer peer;
    ConnPoolUnderTest pool(sql_db(peer));
    std::vector<pool_conns_lease *> two = take(pool, "db", 2);
    void *last = pool_conns_lease_conn(two[1]);
    release_all(two);
    pool_conns_lease *lease = pool.acquire("db");
    EXPECT_EQ(pool_conns_lease_conn(lease), last);
    pool_conns_release(lease);
}

TEST(DatabaseSql, Sql6AnExpiredOneIsClosedInstead) {
    StoppedClock clock;
    Peer peer;
    pool_conns_options options = sql_db(peer);
    options.max_lifetime = 10 * kSecond;
    ConnPoolUnderTest pool(options);
    pool_conns_release(pool.acquire("db"));
    clock.advance(10 * kSecond);
    pool_conns_lease *lease = pool.acquire("db");
    EXPECT_EQ(pool_conns_lease_uses(lease), 0u);
    EXPECT_EQ(pool.stats().closed_max_lifetime, 1u);
    pool_conns_release(lease);
}

// ResetSession returns ErrBadConn
TEST(DatabaseSql, Sql6OneThatCannotBeResetIsClosedAndTheNextOneTaken) {
    Peer peer;
    pool_conns_options options = sql_db(peer);
    options.before_acquire = Peer::before_acquire;
    ConnPoolUnderTest pool(options);
    std::vector<pool_conns_lease *> two = take(pool, "db", 2);
    void *other = pool_conns_lease_conn(two[0]);
    release_all(two);
    peer.before_acquires.refusals = 1;
    pool_conns_lease *lease = pool.acquire("db");
    EXPECT_EQ(pool_conns_lease_conn(lease), other);
    EXPECT_EQ(peer.closed(POOL_CONNS_INVALID), 1);
    pool_conns_release(lease);
}

TEST(DatabaseSql, Sql7AWaitThatIsCancelledIsCountedAndLosesNothing) {
    Peer peer;
    ConnPoolUnderTest pool(sql_db(peer, 1, 1));
    pool_conns_lease *held = pool.acquire("db"), *lease = held;
    Request request(pool, "db");
    EXPECT_FALSE(request.ended());
    EXPECT_EQ(pool.stats().waits, 1u);
    request.cancel();
    EXPECT_EQ(request.finish(&lease), POOL_ECANCELED);
    EXPECT_EQ(lease, nullptr);
    EXPECT_GT(pool.stats().wait_time, 0u);
    EXPECT_EQ(pool.stats().canceled, 1u);
    pool_conns_release(held);
    EXPECT_EQ(pool.stats().idle, 1u);
}

TEST(DatabaseSql, Sql7AConnectionThatWasDeliveredBeforeTheCancelGoesBack) {
    Peer peer;
    ConnPoolUnderTest pool(sql_db(peer, 1, 1));
    pool_conns_lease *held = pool.acquire("db");
    Request first(pool, "db");
    Request second(pool, "db");
    pool_conns_release(held);
    first.wait();
    first.cancel(); // too late
    first.destroy();
    pool_conns_lease *lease;
    EXPECT_EQ(second.finish(&lease), POOL_OK);
    pool_conns_release(lease);
    EXPECT_EQ(pool.stats().idle, 1u);
    EXPECT_EQ(peer.dials, 1);
}

TEST(DatabaseSql, Sql8AWaiterIsWokenByAConnectionAnErrorOrTheEnd) {
    Peer peer;
    ConnPoolUnderTest pool(sql_db(peer, 1, 1));
    pool_conns_lease *held = pool.acquire("db");
    Acquiring by_connection(pool, "db");
    until_waiting(pool, 1);
    pool_conns_release(held);
    held = by_connection.lease();

    Acquiring by_error(pool, "db");
    until_waiting(pool, 1);
    peer.dials_to_succeed = 0;
    pool_conns_discard(held);
    EXPECT_EQ(by_error.status(), 42);

    peer.dials_to_succeed = 1;
    held = pool.acquire("db");
    Acquiring by_end(pool, "db");
    until_waiting(pool, 1);
    pool_conns_close(pool, 0, nullptr);
    EXPECT_EQ(by_end.status(), POOL_ECLOSED);
    pool_conns_release(held);
}

TEST(DatabaseSql, Sql9DialsOnTheCallersThreadAndAFailureFreesThePlace) {
    Peer peer;
    ConnPoolUnderTest pool(sql_db(peer, 1, 1));
    peer.dials_to_succeed = 0;
    pool_conns_lease *lease;
    EXPECT_EQ(pool.acquire("db", POOL_FOREVER, &lease), 42);
    EXPECT_EQ(peer.dialer.load(), std::this_thread::get_id());
    EXPECT_EQ(pool.stats().open, 0u);
    peer.dials_to_succeed = 1;
    pool_conns_release(pool.acquire("db"));
}

TEST(DatabaseSql, Sql10WaitersAreServedInOrder) {
    Peer peer;
    pool_conns_options options = sql_db(peer, 1, 1);
    options.handoff = POOL_CONNS_STRICT;
    ConnPoolUnderTest pool(options);
    pool_conns_lease *lease = pool.acquire("db");
    Acquiring first(pool, "db");
    until_waiting(pool, 1);
    Acquiring second(pool, "db");
    until_waiting(pool, 2);
    pool_conns_release(lease);
    lease = first.lease();
    EXPECT_FALSE(second.done());
    pool_conns_release(lease);
    pool_conns_release(second.lease());
}

TEST(DatabaseSql, Sql11FreePlacesAreDialedForThoseWhoWait) {
    Peer peer;
    ConnPoolUnderTest pool(sql_db(peer, 1, 1));
    pool_conns_lease *held = pool.acquire("db");
    Acquiring one(pool, "db"), two(pool, "db"), three(pool, "db");
    until_waiting(pool, 3);
    set(pool, POOL_CONNS_SET_MAX_OPEN_PER_KEY, 3);
    eventually([&] { return one.done() + two.done() + three.done() == 2; });
    EXPECT_EQ(peer.dials, 3);
    EXPECT_EQ(pool.stats().waiters, 1u);
    pool_conns_release(held);
    release_all({one.lease(), two.lease(), three.lease()});
}

// There it is a panic: connection returned that was never out.
TEST(DatabaseSql, Sql12ReturningAConnectionTwiceIsAnError) {
    Peer peer;
    ConnPoolUnderTest pool(sql_db(peer));
    pool_conns_lease *lease = pool.acquire("db");
    pool_conns_release(lease);
    EXPECT_EQ(pool_conns_release(lease), POOL_EMISUSE);
    pool_conns_lease *again = pool.acquire("db");
    EXPECT_EQ(pool_conns_release(lease), POOL_EMISUSE) << "now it is somebody else's";
    EXPECT_EQ(pool_conns_release(again), POOL_OK);
}

TEST(DatabaseSql, Sql13WhatIsNotValidOrTooOldIsClosedOnReturn) {
    StoppedClock clock;
    Peer peer;
    pool_conns_options options = sql_db(peer);
    options.max_lifetime = 10 * kSecond;
    options.after_release = Peer::after_release;
    ConnPoolUnderTest pool(options);
    peer.after_releases.refusals = 1;
    pool_conns_release(pool.acquire("db"));
    EXPECT_EQ(pool.stats().closed_invalid, 1u);
    pool_conns_lease *lease = pool.acquire("db");
    clock.advance(10 * kSecond);
    pool_conns_release(lease);
    EXPECT_EQ(pool.stats().closed_max_lifetime, 1u);
    EXPECT_EQ(pool.stats().open, 0u);
}

TEST(DatabaseSql, Sql14ThePlaceOfABadConnectionIsDialedForAWaiter) {
    Peer peer;
    ConnPoolUnderTest pool(sql_db(peer, 1, 1));
    pool_conns_lease *bad = pool.acquire("db");
    Acquiring waiter(pool, "db");
    until_waiting(pool, 1);
    pool_conns_discard(bad);
    EXPECT_EQ(pool_conns_lease_uses(waiter.lease()), 0u);
    EXPECT_EQ(peer.most_live(), 1);
    pool_conns_release(waiter.lease());
}

TEST(DatabaseSql, Sql15AReturnedConnectionGoesToAWaiterBeforeMaxIdleIsAsked) {
    Peer peer;
    ConnPoolUnderTest pool(sql_db(peer, 1, POOL_CONNS_KEEP_NONE));
    pool_conns_lease *lease = pool.acquire("db");
    Acquiring waiter(pool, "db");
    until_waiting(pool, 1);
    pool_conns_release(lease);
    EXPECT_EQ(pool_conns_lease_uses(waiter.lease()), 1u);
    EXPECT_EQ(pool.stats().closed_max_idle, 0u);
    pool_conns_release(waiter.lease());
    EXPECT_EQ(pool.stats().closed_max_idle, 1u) << "nobody waits: not kept";
}

TEST(DatabaseSql, Sql16ABadConnectionIsRetriedTwiceAndThenWithANewOne) {
    Peer peer;
    ConnPoolUnderTest pool(sql_db(peer, 10, 10));
    release_all(take(pool, "db", 5));
    std::vector<uint64_t> uses;
    EXPECT_EQ(run(pool, "db",
                  [&](pool_conns_lease *lease, void *) {
                      uses.push_back(pool_conns_lease_uses(lease));
                      return uses.size() < 3 ? POOL_EBAD : POOL_OK;
                  }),
              POOL_OK);
    EXPECT_EQ(uses, (std::vector<uint64_t>{1, 1, 0}));
    EXPECT_EQ(peer.closed(POOL_CONNS_BROKEN), 2);
    EXPECT_EQ(pool.stats().idle, 4u);

    int calls = 0;
    Use always_bad = [&](pool_conns_lease *, void *) -> pool_status {
        calls++;
        return POOL_EBAD;
    };
    EXPECT_EQ(run(pool, "db", always_bad), POOL_EBAD);
    EXPECT_EQ(calls, 3);
}

// The first two tries take what they get, which may be a new one too.
TEST(DatabaseSql, Sql16ThereAreThreeTriesAlsoIfNothingIsIdle) {
    Peer peer;
    ConnPoolUnderTest pool(sql_db(peer));
    int calls = 0;
    Use always_bad = [&](pool_conns_lease *, void *) -> pool_status {
        calls++;
        return POOL_EBAD;
    };
    EXPECT_EQ(run(pool, "db", always_bad), POOL_EBAD);
    EXPECT_EQ(calls, 3);
    EXPECT_EQ(peer.dials, 3);
}

TEST(DatabaseSql, Sql16OtherErrorsComeAtOnce) {
    Peer peer;
    ConnPoolUnderTest pool(sql_db(peer));
    for (pool_status error : std::initializer_list<pool_status>{7, POOL_EIO, POOL_OK}) {
        int calls = 0;
        EXPECT_EQ(run(pool, "db",
                      [&](pool_conns_lease *, void *) {
                          calls++;
                          return error;
                      }),
                  error);
        EXPECT_EQ(calls, 1);
    }
    EXPECT_EQ(peer.dials, 1) << "the connection was good all the time";
}

TEST(DatabaseSql, Sql17StatsHaveTheFieldsOfDbStats) {
    Peer peer;
    ConnPoolUnderTest pool(sql_db(peer, 2, 1));
    std::vector<pool_conns_lease *> two = take(pool, "db", 2);
    Acquiring waiter(pool, "db");
    until_waiting(pool, 1);
    pool_conns_stats stats = pool.stats();
    EXPECT_EQ(stats.max_open_per_key, 2u); // MaxOpenConnections
    EXPECT_EQ(stats.open, 2u);             // OpenConnections
    EXPECT_EQ(stats.in_use, 2u);           // InUse, with those in dialing
    EXPECT_EQ(stats.idle, 0u);             // Idle
    EXPECT_EQ(stats.waits, 1u);            // WaitCount
    pool_conns_release(two[0]);
    pool_conns_lease *third = waiter.lease();
    release_all({two[1], third});
    stats = pool.stats();
    EXPECT_GT(stats.wait_time, 0u);           // WaitDuration
    EXPECT_EQ(stats.closed_max_idle, 1u);     // MaxIdleClosed
    EXPECT_EQ(stats.closed_idle_timeout, 0u); // MaxIdleTimeClosed
    EXPECT_EQ(stats.closed_max_lifetime, 0u); // MaxLifetimeClosed
}

TEST(DatabaseSql, Sql17OpenConnectionsIncludeDialsUnderWay) {
    Peer peer;
    Gate gate;
    ConnPoolUnderTest pool(sql_db(peer, 1, 1));
    peer.dial_gate = &gate;
    Acquiring dialing(pool, "db");
    eventually([&] { return peer.dials == 1; });
    EXPECT_EQ(pool.stats().open, 1u);
    EXPECT_EQ(pool.stats().dialing, 1u);
    gate.open();
    pool_conns_release(dialing.lease());
}

TEST(DatabaseSql, Sql18CloseFailsWaitersClosesIdleAndDoesNotWaitForTheOthers) {
    Peer peer;
    ConnPoolUnderTest pool(sql_db(peer, 2, 2));
    std::vector<pool_conns_lease *> two = take(pool, "db", 2);
    Acquiring waiter(pool, "db");
    until_waiting(pool, 1);
    uint64_t still_out = 0;
    EXPECT_EQ(pool_conns_close(pool, 0, &still_out), POOL_ETIMEDOUT) << "closed all the same";
    EXPECT_EQ(still_out, 2u);
    EXPECT_EQ(waiter.status(), POOL_ECLOSED);
    release_all(two);
    EXPECT_EQ(peer.closed(POOL_CONNS_POOL_CLOSED), 2);
    EXPECT_EQ(pool_conns_close(pool, 0, nullptr), POOL_OK) << "once more";
}

TEST(DatabaseSql, Sql19AConnectionIsThrownAwayIfItsUserPanicsOrFindsItBad) {
    Peer peer;
    ConnPoolUnderTest pool(sql_db(peer));
    Use panics = [](pool_conns_lease *, void *) -> pool_status { throw std::runtime_error("f"); };
    EXPECT_EQ(run(pool, "db", panics), POOL_ETASK);
    EXPECT_EQ(peer.closes, 1);
    EXPECT_EQ(pool.stats().open, 0u);
    pool_conns_lease *pinned = pool.acquire("db");
    EXPECT_EQ(pool_conns_discard(pinned), POOL_OK);
    EXPECT_EQ(pool_conns_release(pinned), POOL_EMISUSE) << "sql: connection is already closed";
    EXPECT_EQ(pool.stats().idle, 0u);
}

TEST(DatabaseSql, Sql20TheOldestOfTheIdleOnesAreReaped) {
    StoppedClock clock;
    Peer peer;
    pool_conns_options options = sql_db(peer, 5, 5);
    options.idle_timeout = 10 * kSecond;
    ConnPoolUnderTest pool(options);
    std::vector<pool_conns_lease *> leases = take(pool, "db", 5);
    void *last = pool_conns_lease_conn(leases[4]);
    for (pool_conns_lease *lease : leases) {
        pool_conns_release(lease);
        clock.advance(2 * kSecond);
    }
    clock.advance(7 * kSecond); // returned 17, 15, 13, 11 and 9 s ago
    EXPECT_EQ(pool_conns_reap(pool), POOL_OK);
    EXPECT_EQ(pool.stats().closed_idle_timeout, 4u);
    pool_conns_lease *lease = pool.acquire("db");
    EXPECT_EQ(pool_conns_lease_conn(lease), last);
    pool_conns_release(lease);
}

} // namespace
