// HikariCP: how it dials, keeps its size and fails; see hikari_test.cpp for the names.
//
// SPDX-License-Identifier: Apache-2.0
#include "support/conn_pool.h"

#include <algorithm>

namespace {

using namespace pool_test;

pool_conns_options hikari(Peer &peer) {
    pool_conns_options options = peer.options();
    set_key(&options, "db");
    return options;
}

// initializationFailTimeout
TEST(HikariDialing, AFirstConnectionThatFailsFailsTheConstructor) {
    Peer peer;
    peer.dials_to_succeed = 0;
    pool_conns_options options = hikari(peer);
    options.initial = 1;
    pool_conns *pool;
    EXPECT_EQ(pool_conns_create(&options, &pool), 42);
    options.initial = 0;
    EXPECT_EQ(pool_conns_create(&options, &pool), POOL_OK) << "or is left to the first acquire";
    EXPECT_EQ(pool_conns_destroy(pool), POOL_OK);
}

// minimumIdle == maximumPoolSize
TEST(HikariDialing, APoolOfFixedSizeRefillsItself) {
    Peer peer;
    pool_conns_options options = hikari(peer);
    options.max_open_per_key = options.min_idle = 4;
    ConnPoolUnderTest pool(options);
    eventually([&] { return pool.stats().idle == 4; });
    for (int i = 0; i < 3; i++) {
        pool_conns_discard(pool.acquire("db"));
        eventually([&] { return pool.stats().idle == 4; });
    }
    EXPECT_EQ(peer.dials, 7);
    EXPECT_LE(peer.most_live(), 4);
    release_all(take(pool, "db", 4));
    EXPECT_EQ(peer.dials, 7);
}

TEST(HikariDialing, MinimumIdleIsKeptAlsoWhenConnectionsExpire) {
    StoppedClock clock;
    Peer peer;
    pool_conns_options options = hikari(peer);
    options.min_idle = 2;
    options.max_lifetime = 20 * kMillisecond;
    options.reap_interval = kMillisecond;
    ConnPoolUnderTest pool(options);
    eventually([&] { return pool.stats().idle == 2; });
    clock.advance(20 * kMillisecond);
    eventually([&] { return peer.closed(POOL_CONNS_MAX_LIFETIME) == 2; });
    eventually([&] { return pool.stats().idle == 2; });
    EXPECT_EQ(peer.dials, 4);
}

TEST(HikariDialing, MinimumIdleIsDialedAheadOfDemand) {
    Peer peer;
    pool_conns_options options = hikari(peer);
    options.min_idle = 2;
    ConnPoolUnderTest pool(options);
    eventually([&] { return pool.stats().idle == 2; });
    std::vector<pool_conns_lease *> taken = take(pool, "db", 2);
    eventually([&] { return pool.stats().idle == 2; });
    EXPECT_EQ(pool.stats().open, 4u);
    release_all(taken);
    set(pool, POOL_CONNS_SET_MIN_IDLE, 6);
    eventually([&] { return pool.stats().idle == 6; });
}

// ---- backing off ------------------------------------------------------------------------------

// 10 ms, doubled with each failure in a row, up to 5 s, each halved at most by chance.
TEST(HikariDialing, EachFailureDoublesTheTimeToTheNextDial) {
    StoppedClock clock;
    Peer peer;
    pool_conns_options options = hikari(peer);
    options.dial_backoff = 0;
    options.flags = POOL_CONNS_FAIL_FAST;
    ConnPoolUnderTest pool(options);
    pool_conns_lease *held = pool.acquire("db"); // keeps the key known
    peer.dials_to_succeed = 0;
    int64_t longest = 10 * kMillisecond;
    for (uint64_t failures = 1; failures <= 12; failures++) {
        pool_conns_lease *lease;
        EXPECT_EQ(pool.acquire("db", POOL_FOREVER, &lease), 42);
        pool_conns_key_stats stats = key_stats(pool, "db");
        EXPECT_EQ(stats.fails_in_a_row, failures);
        EXPECT_LE(stats.backoff_left, longest);
        EXPECT_GE(stats.backoff_left, longest / 2);
        clock.advance(stats.backoff_left);
        longest = std::min(longest * 2, 5 * kSecond);
    }
    EXPECT_EQ(pool.stats().dial_fails, 12u);
    pool_conns_release(held);
}

TEST(HikariDialing, WhileAKeyBacksOffAcquireFailsAtOnceWithTheLastError) {
    StoppedClock clock;
    Peer peer;
    pool_conns_options options = hikari(peer);
    options.dial_backoff = kSecond;
    options.flags = POOL_CONNS_FAIL_FAST;
    ConnPoolUnderTest pool(options);
    peer.dials_to_succeed = 0;
    pool_conns_lease *lease;
    for (int i = 0; i < 5; i++)
        EXPECT_EQ(pool.acquire("db", POOL_FOREVER, &lease), 42);
    EXPECT_EQ(pool.stats().dials, 1u);
    EXPECT_EQ(pool.stats().backed_off, 4u);
    peer.dials_to_succeed = 1;
    pool_conns_release(pool.acquire("other")); // each key for itself
    clock.advance(kSecond);
    peer.dials_to_succeed = 1;
    pool_conns_release(pool.acquire("db"));
    EXPECT_EQ(key_stats(pool, "db").fails_in_a_row, 0u);
    EXPECT_EQ(key_stats(pool, "db").backoff_left, 0);
}

TEST(HikariDialing, ThoseWhoWaitFailWithTheDialThatTheyWaitFor) {
    Peer peer;
    pool_conns_options options = hikari(peer);
    options.max_open_per_key = 1;
    options.dial_backoff = 1000 * kSecond;
    options.flags = POOL_CONNS_FAIL_FAST;
    ConnPoolUnderTest pool(options);
    pool_conns_lease *held = pool.acquire("db");
    Acquiring one(pool, "db"), two(pool, "db"), three(pool, "db");
    until_waiting(pool, 3);
    peer.dials_to_succeed = 0;
    pool_conns_discard(held);
    for (Acquiring *each : {&one, &two, &three})
        EXPECT_EQ(each->status(), 42);
    EXPECT_EQ(pool.stats().dial_fails, 1u);
}

TEST(HikariDialing, WithoutFailFastAcquireWaitsForTheNextDial) {
    StoppedClock clock;
    Peer peer;
    pool_conns_options options = hikari(peer);
    options.dial_backoff = 10 * kMillisecond;
    ConnPoolUnderTest pool(options);
    peer.dials_to_succeed = 0;
    pool_conns_lease *lease;
    EXPECT_EQ(pool.acquire("db", POOL_FOREVER, &lease), 42);
    peer.dials_to_succeed = 1;
    Acquiring patient(pool, "db");
    until_waiting(pool, 1);
    EXPECT_EQ(peer.dials, 0);
    clock.advance(10 * kMillisecond);
    pool_conns_release(patient.lease());
}

TEST(HikariDialing, ClearingAKeyEndsItsBackingOff) {
    StoppedClock clock;
    Peer peer;
    pool_conns_options options = hikari(peer);
    options.dial_backoff = 1000 * kSecond;
    options.flags = POOL_CONNS_FAIL_FAST;
    ConnPoolUnderTest pool(options);
    peer.dials_to_succeed = 0;
    pool_conns_lease *lease;
    EXPECT_EQ(pool.acquire("db", POOL_FOREVER, &lease), 42);
    peer.dials_to_succeed = 1;
    EXPECT_EQ(pool.acquire("db", POOL_FOREVER, &lease), 42);
    EXPECT_EQ(pool_conns_clear_key(pool, "db", 2), POOL_OK);
    EXPECT_EQ(pool.acquire("db", POOL_FOREVER, &lease), POOL_OK);
    pool_conns_release(lease);
}

// ---- what HikariCP's issues are about ---------------------------------------------------------

// #1474, #1256, #1245: there one thread adds connections, and one dial that hangs stops it.
TEST(HikariDialing, ADialThatHangsDoesNotStopTheOthers) {
    Peer peer;
    Gate gate;
    pool_conns_options options = hikari(peer);
    options.flags = POOL_CONNS_DIALERS;
    ConnPoolUnderTest pool(options);
    peer.dial_gate = &gate;
    Request first(pool, "db");
    eventually([&] { return peer.dials == 1; });
    peer.dial_gate = nullptr;
    std::thread second([&] { pool_conns_release(pool.acquire("db")); });
    std::thread third([&] { pool_conns_release(pool.acquire("db")); });
    pool_conns_lease *lease = nullptr;
    EXPECT_EQ(first.finish(&lease), POOL_OK) << "by a dial that was begun for another";
    pool_conns_release(lease);
    second.join();
    third.join();
    gate.open();
}

// The spike: fifty callers at once, dials that are slow, uses that are short.
TEST(HikariDialing, ASpikeIsServedByWhatComesBackWhileFewDial) {
    Peer peer;
    Gate gate;
    pool_conns_options options = hikari(peer);
    options.max_open_per_key = 50;
    options.max_dials = 2;
    options.flags = POOL_CONNS_DIALERS;
    options.initial = 5;
    ConnPoolUnderTest pool(options);
    peer.dial_gate = &gate;
    std::vector<std::thread> threads;
    for (int i = 0; i < 50; i++)
        threads.emplace_back([&] { pool_conns_release(pool.acquire("db")); });
    for (std::thread &thread : threads)
        thread.join();
    EXPECT_LE(peer.dials, 5 + 2);
    gate.open();
}

// "About Pool Sizing": Tn threads that each hold Cm connections need Tn x (Cm - 1) + 1.
TEST(HikariDialing, ThreadsThatHoldSeveralConnectionsNeedEnoughOfThem) {
    constexpr int kThreads = 3, kEach = 3;
    Peer peer;
    pool_conns_options options = hikari(peer);
    options.max_open_per_key = kThreads * (kEach - 1) + 1;
    ConnPoolUnderTest pool(options);
    Tally ready;
    std::vector<std::thread> threads;
    for (int i = 0; i < kThreads; i++)
        threads.emplace_back([&] {
            std::vector<pool_conns_lease *> held = take(pool, "db", kEach - 1);
            ready.raise();
            ready.wait_for(kThreads); // the worst that can happen
            held.push_back(pool.acquire("db"));
            release_all(held);
        });
    for (std::thread &thread : threads)
        thread.join();
    EXPECT_EQ(pool.stats().idle, 7u);
}

TEST(HikariDialing, AThreadThatCouldOnlyWaitForItselfIsTold) {
    Peer peer;
    pool_conns_options options = hikari(peer);
    options.max_open_per_key = 2;
    options.flags = POOL_CONNS_FAIL_NESTED;
    ConnPoolUnderTest pool(options);
    std::vector<pool_conns_lease *> both = take(pool, "db", 2);
    pool_conns_lease *third;
    EXPECT_EQ(pool.acquire("db", POOL_FOREVER, &third), POOL_EDEADLK);
    EXPECT_EQ(pool.stats().nested, 1u);
    Acquiring other(pool, "db"); // not its own connections: may wait
    until_waiting(pool, 1);
    pool_conns_release(both[0]);
    pool_conns_release(other.lease());
    pool_conns_release(both[1]);
}

// softEvictConnections, evictConnection
TEST(HikariDialing, SoftEvictionClosesIdleOnesNowAndTheOthersOnReturn) {
    Peer peer;
    ConnPoolUnderTest pool(hikari(peer));
    std::vector<pool_conns_lease *> three = take(pool, "db", 3);
    pool_conns_release(three[0]);
    EXPECT_EQ(pool_conns_clear_key(pool, "db", 2), POOL_OK);
    EXPECT_EQ(peer.live(), 2);
    pool_conns_release(three[1]);
    pool_conns_release(three[2]);
    EXPECT_EQ(peer.live(), 0);
    EXPECT_EQ(pool.stats().closed_cleared, 3u);
}

} // namespace
