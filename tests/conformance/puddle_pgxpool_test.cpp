// jackc/puddle and pgxpool on top of it: what their users may rely on here.
//
// SPDX-License-Identifier: Apache-2.0
//
//     puddle.NewPool, pgxpool.New         pool_conns_create
//     p.Acquire, p.TryAcquire             pool_conns_acquire, with a timeout of 0
//     p.CreateResource                    pool_conns_fill
//     res.Release, Destroy, Hijack        pool_conns_release, discard, detach
//     p.AcquireFunc                       pool_conns_run
//     p.Reset                             pool_conns_clear
//     p.Close                             pool_conns_close with POOL_FOREVER
//     p.Stat                              pool_conns_get_stats
//     MinConns, MinIdleConns              min_idle
//     HealthCheckPeriod                   reap_interval
//     AfterConnect, BeforeAcquire, ...    the hooks of the same names
//
// TryAcquire does not begin to create a connection here. There is no AcquireAllIdle: acquire with a
// timeout of 0 until POOL_EAGAIN.
#include "support/conn_pool.h"

namespace {

using namespace pool_test;

pool_conns_options puddle(Peer &peer, uint32_t size) {
    pool_conns_options options = peer.options();
    set_key(&options, "db");
    options.max_open_per_key = size;
    return options;
}

pool_status fill(pool_conns *pool, uint32_t count) {
    return pool_conns_fill(pool, nullptr, 0, count, POOL_FOREVER);
}

// TestPoolAcquireDoesNotCreatesResourceWhenItWouldExceedMaxSize
TEST(Puddle, OneResourceServesAHundredCallers) {
    Peer peer;
    ConnPoolUnderTest pool(puddle(peer, 1));
    std::vector<std::thread> threads;
    for (int i = 0; i < 16; i++)
        threads.emplace_back([&] {
            for (int j = 0; j < 50; j++)
                pool_conns_release(pool.acquire("db"));
        });
    for (std::thread &thread : threads)
        thread.join();
    EXPECT_EQ(peer.dials, 1);
    EXPECT_EQ(pool.stats().open, 1u);
}

// TestPoolAcquireReturnsErrorFromFailedResourceCreate
TEST(Puddle, AcquireReturnsTheConstructorsError) {
    Peer peer;
    peer.dials_to_succeed = 0;
    ConnPoolUnderTest pool(puddle(peer, 10));
    pool_conns_lease *lease;
    EXPECT_EQ(pool.acquire("db", POOL_FOREVER, &lease), 42);
    EXPECT_EQ(pool.stats().open, 0u);
}

// TestPoolTryAcquire
TEST(Puddle, TryAcquireTakesWhatIsIdle) {
    Peer peer;
    ConnPoolUnderTest pool(puddle(peer, 1));
    pool_conns_lease *lease, *none;
    EXPECT_EQ(pool.acquire("db", 0, &lease), POOL_EAGAIN);
    EXPECT_EQ(peer.dials, 0);
    EXPECT_EQ(fill(pool, 1), POOL_OK);
    EXPECT_EQ(pool.acquire("db", 0, &lease), POOL_OK);
    EXPECT_EQ(pool.acquire("db", 0, &none), POOL_EAGAIN);
    pool_conns_release(lease);
}

// TestPoolAcquireContextCanceledDuringCreate, and of v2: the constructor is not cancelled.
TEST(Puddle, ACreateOutlivesTheAcquireThatWasCancelled) {
    Peer peer;
    Gate gate;
    pool_conns_options options = puddle(peer, 1);
    options.flags = POOL_CONNS_DIALERS;
    ConnPoolUnderTest pool(options);
    peer.dial_gate = &gate;
    Request request(pool, "db");
    eventually([&] { return peer.dials == 1; });
    request.cancel();
    pool_conns_lease *lease;
    EXPECT_EQ(request.finish(&lease), POOL_ECANCELED);
    gate.open();
    eventually([&] { return pool.stats().idle == 1; });
    EXPECT_EQ(pool.stats().canceled, 1u);
}

// TestPoolAcquireAllIdle
TEST(Puddle, AllIdleConnectionsCanBeTaken) {
    Peer peer;
    ConnPoolUnderTest pool(puddle(peer, 10));
    std::vector<pool_conns_lease *> four = take(pool, "db", 4);
    std::set<void *> conns;
    for (pool_conns_lease *lease : four)
        conns.insert(pool_conns_lease_conn(lease));
    release_all(four);
    four.clear();
    for (pool_conns_lease *lease; pool.acquire("db", 0, &lease) == POOL_OK;) {
        EXPECT_EQ(conns.erase(pool_conns_lease_conn(lease)), 1u);
        four.push_back(lease);
    }
    EXPECT_TRUE(conns.empty());
    release_all(four);
}

// TestPoolCreateResource, ...ReturnsErrorFromFailedResourceCreate, ...WhenAlreadyClosed
TEST(Puddle, CreateResourceMakesAnIdleOne) {
    Peer peer;
    ConnPoolUnderTest pool(puddle(peer, 3));
    EXPECT_EQ(fill(pool, 1), POOL_OK);
    EXPECT_EQ(pool.stats().idle, 1u);
    pool_conns_lease *lease = pool.acquire("db");
    EXPECT_EQ(pool.stats().empty_acquires, 0u) << "it was a warm one";
    EXPECT_EQ(fill(pool, 3), POOL_OK);
    EXPECT_EQ(pool.stats().idle, 2u) << "those that are lent count";
    EXPECT_EQ(fill(pool, 3), POOL_OK);
    EXPECT_EQ(fill(pool, 100), POOL_OK) << "as far as the bounds allow it";
    EXPECT_EQ(peer.dials, 3);
    pool_conns_discard(lease);
    peer.dials_to_succeed = 0;
    EXPECT_EQ(fill(pool, 3), 42);
    EXPECT_EQ(pool.stats().open, 2u);
    pool_conns_close(pool, 0, nullptr);
    EXPECT_EQ(fill(pool, 3), POOL_ECLOSED);
}

// TestPoolCreateResourceReturnsErrorWhenClosedWhileCreatingResource
TEST(Puddle, AResourceThatIsCreatedDuringCloseIsDestroyed) {
    Peer peer;
    Gate gate;
    ConnPoolUnderTest pool(puddle(peer, 10));
    peer.dial_gate = &gate;
    std::thread filling([&] { EXPECT_EQ(fill(pool, 1), POOL_ECLOSED); });
    eventually([&] { return peer.dials == 1; });
    pool_conns_close(pool, 0, nullptr);
    gate.open();
    filling.join();
    EXPECT_EQ(peer.live(), 0);
}

// TestPoolCloseBlocksUntilAllResourcesReleasedAndClosed
TEST(Puddle, CloseWaitsUntilEverythingIsBackAndClosed) {
    Peer peer;
    ConnPoolUnderTest pool(puddle(peer, 10));
    std::vector<pool_conns_lease *> four = take(pool, "db", 4);
    std::vector<std::thread> threads;
    for (pool_conns_lease *lease : four)
        threads.emplace_back([&pool, lease] {
            pool_conns_lease *refused;
            eventually([&] { return pool.acquire("db", 0, &refused) == POOL_ECLOSED; });
            pool_conns_release(lease);
        });
    EXPECT_EQ(pool_conns_close(pool, POOL_FOREVER, nullptr), POOL_OK);
    EXPECT_EQ(peer.closes, 4);
    for (std::thread &thread : threads)
        thread.join();
    EXPECT_EQ(pool_conns_close(pool, POOL_FOREVER, nullptr), POOL_OK) << "once more";
}

// TestPoolResetDestroysAllIdleResources, ...CheckedOutResourcesOnReturn
TEST(Puddle, ResetDestroysIdleOnesNowAndTheOthersOnReturn) {
    Peer peer;
    ConnPoolUnderTest pool(puddle(peer, 10));
    std::vector<pool_conns_lease *> four = take(pool, "db", 4);
    pool_conns_release(four[0]);
    pool_conns_release(four[1]);
    EXPECT_EQ(pool_conns_clear(pool), POOL_OK);
    EXPECT_EQ(peer.closes, 2);
    pool_conns_release(four[2]);
    pool_conns_release(four[3]);
    EXPECT_EQ(peer.closes, 4);
}

// TestPoolStatResources
TEST(Puddle, StatCountsResourcesByState) {
    Peer peer;
    Gate gate;
    ConnPoolUnderTest pool(puddle(peer, 10));
    pool_conns_lease *acquired = pool.acquire("db");
    peer.dial_gate = &gate;
    Acquiring constructing(pool, "db");
    eventually([&] { return peer.dials == 2; });
    pool_conns_stats stats = pool.stats();
    EXPECT_EQ(stats.open, 2u);    // TotalResources
    EXPECT_EQ(stats.dialing, 1u); // ConstructingResources
    EXPECT_EQ(stats.in_use, 1u);  // AcquiredResources
    EXPECT_EQ(stats.idle, 0u);    // IdleResources
    EXPECT_EQ(stats.max_open_per_key, 10u);
    pool_conns_release(acquired);
    stats = pool.stats();
    EXPECT_EQ(stats.open, 2u);
    EXPECT_EQ(stats.dialing, 1u);
    EXPECT_EQ(stats.in_use, 0u);
    EXPECT_EQ(stats.idle, 1u);
    gate.open();
    pool_conns_release(constructing.lease());
}

// TestPoolStatSuccessfulAcquireCounters, TestPoolStatCanceledAcquireDuringWait
TEST(Puddle, StatCountsAcquires) {
    Peer peer;
    ConnPoolUnderTest pool(puddle(peer, 1));
    pool_conns_release(pool.acquire("db"));
    EXPECT_EQ(pool.stats().acquires, 1u);       // AcquireCount
    EXPECT_EQ(pool.stats().empty_acquires, 1u); // EmptyAcquireCount: it was dialed
    EXPECT_EQ(pool.stats().dials, 1u);          // NewConnsCount
    pool_conns_lease *held = pool.acquire("db");
    EXPECT_EQ(pool.stats().acquires, 2u);
    EXPECT_EQ(pool.stats().hits, 1u);
    EXPECT_EQ(pool.stats().empty_acquires, 1u);
    Acquiring waiting(pool, "db");
    until_waiting(pool, 1);
    Request cancelled(pool, "db");
    cancelled.cancel();
    pool_conns_release(held);
    pool_conns_release(waiting.lease());
    pool_conns_stats stats = pool.stats();
    EXPECT_EQ(stats.acquires, 3u);
    EXPECT_EQ(stats.hits, 2u);
    EXPECT_EQ(stats.empty_acquires, 2u); // it waited
    EXPECT_GT(stats.empty_time, 0u);     // EmptyAcquireWaitTime
    EXPECT_EQ(stats.canceled, 1u);       // CanceledAcquireCount
}

// TestResourceHijackRemovesResourceFromPoolButDoesNotDestroy
TEST(Puddle, AHijackedResourceIsTheCallersAndItsPlaceIsFree) {
    Peer peer;
    ConnPoolUnderTest pool(puddle(peer, 1));
    void *mine = nullptr;
    EXPECT_EQ(pool_conns_detach(pool.acquire("db"), &mine), POOL_OK);
    EXPECT_EQ(pool.stats().open, 0u);
    EXPECT_EQ(peer.closes, 0);
    pool_conns_release(pool.acquire("db"));
    peer.forget(mine);
}

// TestResourcePanicsOnUsageWhenNotAcquired: errors here.
TEST(Puddle, AResourceThatIsNotAcquiredCannotBeGivenBack) {
    Peer peer;
    ConnPoolUnderTest pool(puddle(peer, 1));
    pool_conns_lease *lease = pool.acquire("db");
    pool_conns_release(lease);
    void *conn;
    EXPECT_EQ(pool_conns_release(lease), POOL_EMISUSE);
    EXPECT_EQ(pool_conns_discard(lease), POOL_EMISUSE);
    EXPECT_EQ(pool_conns_detach(lease, &conn), POOL_EMISUSE);
    EXPECT_EQ(pool.stats().idle, 1u);
}

// TestSignalIsSentWhenResourceFailedToCreate
TEST(Puddle, AFailedCreateWakesTheNextInLine) {
    Peer peer;
    ConnPoolUnderTest pool(puddle(peer, 1));
    pool_conns_lease *held = pool.acquire("db");
    Acquiring one(pool, "db"), two(pool, "db");
    until_waiting(pool, 2);
    peer.dials_to_succeed = 0;
    pool_conns_discard(held);
    EXPECT_EQ(one.status(), 42);
    EXPECT_EQ(two.status(), 42);
}

// ---- pgxpool ----------------------------------------------------------------------------------

// TestPoolAfterConnect
TEST(Pgxpool, AfterConnectMayRefuseANewConnection) {
    Peer peer;
    pool_conns_options options = puddle(peer, 10);
    options.after_connect = Peer::after_connect;
    ConnPoolUnderTest pool(options);
    peer.after_connects.refusals = 1;
    pool_conns_lease *lease;
    EXPECT_EQ(pool.acquire("db", POOL_FOREVER, &lease), POOL_EBAD);
    EXPECT_EQ(peer.closed(POOL_CONNS_INVALID), 1);
    pool_conns_release(pool.acquire("db"));
    pool_conns_release(pool.acquire("db"));
    EXPECT_EQ(peer.after_connects.calls, 2) << "for new ones only";
}

// TestPoolBeforeAcquire. There a connection that was just dialed may be refused, too, and another is
// dialed; here that is an error, so that a hook that refuses everything does not dial for ever.
TEST(Pgxpool, BeforeAcquireMakesAcquireGoOnWithAnotherOne) {
    Peer peer;
    pool_conns_options options = puddle(peer, 10);
    options.before_acquire = Peer::before_acquire;
    ConnPoolUnderTest pool(options);
    release_all(take(pool, "db", 4));
    std::vector<pool_conns_lease *> two;
    for (int i = 0; i < 2; i++) {
        peer.before_acquires.refusals = 1;
        two.push_back(pool.acquire("db"));
    }
    EXPECT_EQ(peer.before_acquires.calls, 8);
    EXPECT_EQ(peer.dials, 4);
    EXPECT_EQ(peer.closed(POOL_CONNS_INVALID), 2);
    release_all(two);
}

TEST(Pgxpool, WhenBeforeAcquireRefusesANewConnectionAcquireFails) {
    for (uint32_t flags : {0u, uint32_t{POOL_CONNS_DIALERS}})
        for (bool as_request : {false, true}) {
            Peer peer;
            pool_conns_options options = puddle(peer, 10);
            options.before_acquire = Peer::before_acquire;
            options.flags = flags;
            ConnPoolUnderTest pool(options);
            peer.before_acquires.refusals = 1;
            pool_conns_lease *lease = nullptr;
            if (as_request) {
                Request request(pool, "db");
                EXPECT_EQ(request.finish(&lease), POOL_EBAD);
            } else {
                EXPECT_EQ(pool.acquire("db", POOL_FOREVER, &lease), POOL_EBAD);
            }
            EXPECT_EQ(lease, nullptr);
            EXPECT_EQ(peer.dials, 1);
            if (lease != nullptr)
                pool_conns_release(lease);
        }
}

// TestPoolAfterRelease: every second connection is not wanted back.
TEST(Pgxpool, AfterReleaseKeepsAConnectionFromTheNextUser) {
    Peer peer;
    pool_conns_options options = puddle(peer, 10);
    options.after_release = Peer::after_release;
    ConnPoolUnderTest pool(options);
    std::set<void *> distinct;
    for (int i = 0; i < 10; i++) {
        pool_conns_lease *lease = pool.acquire("db");
        distinct.insert(pool_conns_lease_conn(lease));
        peer.after_releases.refusals = i % 2;
        pool_conns_release(lease);
    }
    EXPECT_EQ(distinct.size(), 5u);
    EXPECT_EQ(peer.after_releases.calls, 10);
}

// TestPoolBeforeClose
TEST(Pgxpool, BeforeCloseSeesEveryConnection) {
    Peer peer;
    pool_conns_options options = puddle(peer, 10);
    options.before_close = Peer::before_close;
    ConnPoolUnderTest pool(options);
    for (int i = 1; i <= 5; i++) {
        pool_conns_release(pool.acquire("db"));
        EXPECT_EQ(pool_conns_clear(pool), POOL_OK);
        EXPECT_EQ(peer.before_closes, i);
    }
}

// TestPoolAcquireChecksIdleConns: ShouldPing, after a second of idleness.
TEST(Pgxpool, ConnectionsThatDiedUnnoticedAreFoundBeforeTheyAreLent) {
    StoppedClock clock;
    Peer peer;
    pool_conns_options options = puddle(peer, 10);
    options.validate = Peer::validate;
    options.validate_after = kSecond;
    ConnPoolUnderTest pool(options);
    release_all(take(pool, "db", 3));
    peer.validations.refusals = 3;
    clock.advance(kSecond);
    pool_conns_release(pool.acquire("db"));
    EXPECT_EQ(pool.stats().open, 1u);
    EXPECT_EQ(peer.dials, 4);
}

// TestConnReleaseChecksMaxConnLifetime
TEST(Pgxpool, ReleaseChecksTheLifetime) {
    StoppedClock clock;
    Peer peer;
    pool_conns_options options = puddle(peer, 10);
    options.max_lifetime = kSecond;
    ConnPoolUnderTest pool(options);
    pool_conns_lease *lease = pool.acquire("db");
    clock.advance(kSecond);
    pool_conns_release(lease);
    EXPECT_EQ(pool.stats().open, 0u);
    EXPECT_EQ(pool.stats().closed_max_lifetime, 1u); // MaxLifetimeDestroyCount
}

// TestPoolBackgroundChecksMaxConnLifetime, ...MaxConnIdleTime
TEST(Pgxpool, TheHealthCheckClosesWhatIsDue) {
    for (bool by_age : {true, false}) {
        StoppedClock clock;
        Peer peer;
        pool_conns_options options = puddle(peer, 10);
        (by_age ? options.max_lifetime : options.idle_timeout) = 100 * kMillisecond;
        options.reap_interval = kMillisecond;
        ConnPoolUnderTest pool(options);
        pool_conns_release(pool.acquire("db"));
        clock.advance(100 * kMillisecond);
        eventually([&] { return pool.stats().open == 0; });
        EXPECT_EQ(pool.stats().closed_max_lifetime, by_age ? 1u : 0u);
        EXPECT_EQ(pool.stats().closed_idle_timeout, by_age ? 0u : 1u);
    }
}

// TestPoolBackgroundChecksMinConns, TestConnectEagerlyReachesMinPoolSize
TEST(Pgxpool, TheMinimumIsReachedAtOnceAndKept) {
    Peer peer;
    pool_conns_options options = puddle(peer, 10);
    options.min_idle = 2;
    ConnPoolUnderTest pool(options);
    eventually([&] { return pool.stats().idle == 2; });
    pool_conns_discard(pool.acquire("db"));
    eventually([&] { return pool.stats().idle == 2; });
    EXPECT_EQ(pool.stats().closed_max_idle, 0u);
}

// TestConnReleaseClosesConnInTransaction: reset decides.
TEST(Pgxpool, AConnectionWithUnfinishedWorkIsNotKept) {
    Peer peer;
    pool_conns_options options = puddle(peer, 10);
    options.reset = Peer::reset;
    ConnPoolUnderTest pool(options);
    pool_conns_release(pool.acquire("db"));
    EXPECT_EQ(pool.stats().idle, 1u);
    peer.resets.refusals = 1;
    pool_conns_release(pool.acquire("db"));
    EXPECT_EQ(pool.stats().open, 0u);
    EXPECT_EQ(pool.stats().reset_fails, 1u);
    EXPECT_EQ(peer.closed(POOL_CONNS_INVALID), 1);
}

} // namespace
