// Go's http.Transport: the rules of its idle connections, one by one.
//
// SPDX-License-Identifier: Apache-2.0
//
//     &http.Transport{MaxIdleConns: 100, ...}    options.max_idle = 100, ...
//     t.getConn(key), tryPutIdleConn             pool_conns_acquire, pool_conns_release
//     a dial races an idle connection            POOL_CONNS_DIALERS
//     pc.close(err)                              pool_conns_discard
//     pc.reused                                  pool_conns_lease_uses
//     an upgraded connection                     pool_conns_detach
//     t.CloseIdleConnections()                   pool_conns_close_idle, pool_conns_clear
//
// What the tests of net/http itself show of the pool is in http_transport_ported_test.cpp.
#include "http_transport.h"

namespace {

using namespace pool_test;

// Any bytes are a key, so what Go has in a struct is written one behind the other.
TEST(HttpTransport, Http1AKeyIsProxySchemeAddressAndProtocol) {
    Peer peer;
    ConnPoolUnderTest pool(transport(peer));
    const char *keys[] = {"|http|example.com", "|https|example.com:443",
                          "|https,h1|example.com:443", "http://proxy|http|",
                          "http://proxy|https|example.com:443"};
    for (const char *key : keys)
        pool_conns_release(pool.acquire(key));
    EXPECT_EQ(peer.dials, 5);
    EXPECT_EQ(pool.stats().keys, 5u);
    for (const char *key : keys)
        EXPECT_EQ(key_stats(pool, key).idle, 1u);
}

TEST(HttpTransport, Http2MaxIdleConnsPerHostCountsIdleOnesOnly) {
    Peer peer;
    ConnPoolUnderTest pool(transport(peer));
    release_all(take(pool, "host", 5));
    EXPECT_EQ(pool.stats().idle, 2u);
    EXPECT_EQ(peer.closed(POOL_CONNS_MAX_IDLE), 3);
}

TEST(HttpTransport, Http2MaxConnsPerHostCountsDialingActiveAndIdleOnes) {
    Peer peer;
    Gate gate;
    pool_conns_options options = transport(peer);
    options.max_open_per_key = 3;
    ConnPoolUnderTest pool(options);
    pool_conns_lease *active = pool.acquire("host"), *idle = pool.acquire("host");
    peer.dial_gate = &gate;
    Acquiring dialing(pool, "host");
    eventually([&] { return peer.dials == 3; });
    Acquiring waiting(pool, "host");
    until_waiting(pool, 2); // the one for whom a thread dials waits too
    EXPECT_EQ(key_stats(pool, "host").open, 3u);
    pool_conns_release(idle);
    pool_conns_release(active);
    pool_conns_lease *both[] = {dialing.lease(), waiting.lease()};
    EXPECT_EQ(peer.dials, 3);
    gate.open();
    release_all({both[0], both[1]});
}

TEST(HttpTransport, Http2IdleConnTimeout) {
    StoppedClock clock;
    Peer peer;
    ConnPoolUnderTest pool(transport(peer));
    pool_conns_release(pool.acquire("host"));
    clock.advance(90 * kSecond);
    EXPECT_EQ(pool_conns_reap(pool), POOL_OK);
    EXPECT_EQ(peer.closed(POOL_CONNS_IDLE_TIMEOUT), 1);
    EXPECT_EQ(pool.stats().keys, 0u);
}

TEST(HttpTransport, Http2DisableKeepAlives) {
    Peer peer;
    pool_conns_options options = transport(peer);
    options.max_idle_per_key = POOL_CONNS_KEEP_NONE;
    ConnPoolUnderTest pool(options);
    for (int i = 0; i < 3; i++) {
        pool_conns_lease *lease = pool.acquire("host");
        EXPECT_EQ(pool_conns_lease_uses(lease), 0u);
        pool_conns_release(lease);
    }
    EXPECT_EQ(pool.stats().idle, 0u);
    EXPECT_EQ(pool.stats().keys, 0u);
}

TEST(HttpTransport, Http3TheMostRecentlyUsedIsTakenBrokenAndExpiredOnesArePassedOver) {
    StoppedClock clock;
    Peer peer;
    pool_conns_options options = transport(peer);
    options.max_idle_per_key = 10;
    options.is_alive = Backend::is_alive;
    ConnPoolUnderTest pool(options);
    std::vector<pool_conns_lease *> leases = take(pool, "host", 4);
    void *good = pool_conns_lease_conn(leases[1]);
    connection_of(leases[2])->dead = true;
    connection_of(leases[3])->dead = true;
    pool_conns_release(leases[0]); // will be too old
    clock.advance(60 * kSecond);
    release_all({leases[1], leases[2], leases[3]});
    clock.advance(60 * kSecond);
    pool_conns_lease *lease = pool.acquire("host");
    EXPECT_EQ(pool_conns_lease_conn(lease), good);
    EXPECT_EQ(peer.closed(POOL_CONNS_INVALID), 2);
    EXPECT_EQ(peer.closed(POOL_CONNS_IDLE_TIMEOUT), 1);
    pool_conns_release(lease);
}

TEST(HttpTransport, Http4WhateverIsReadyFirstIsUsedAndTheOtherIsKept) {
    Peer peer;
    Gate gate;
    ConnPoolUnderTest pool(transport(peer));
    pool_conns_lease *busy = pool.acquire("host");
    void *first = pool_conns_lease_conn(busy);
    peer.dial_gate = &gate;
    Acquiring want(pool, "host");
    eventually([&] { return peer.dials == 2; });
    pool_conns_release(busy);
    EXPECT_EQ(pool_conns_lease_conn(want.lease()), first);
    gate.open();
    eventually([&] { return pool.stats().idle == 1; }); // the dial that came too late
    pool_conns_release(want.lease());
    EXPECT_EQ(pool.stats().idle, 2u);
}

TEST(HttpTransport, Http4ADialThatWinsServesItsRequest) {
    Peer peer;
    ConnPoolUnderTest pool(transport(peer));
    pool_conns_lease *busy = pool.acquire("host");
    pool_conns_lease *own = pool.acquire("host");
    EXPECT_NE(own, busy);
    EXPECT_EQ(pool_conns_lease_uses(own), 0u);
    EXPECT_NE(peer.dialer.load(), std::this_thread::get_id()) << "as in a goroutine of its own";
    release_all({busy, own});
}

TEST(HttpTransport, Http5AWaiterIsServedBeforeAnyBoundIsAsked) {
    Peer peer;
    pool_conns_options options = transport(peer);
    options.max_open_per_key = 1;
    options.max_idle_per_key = POOL_CONNS_KEEP_NONE;
    ConnPoolUnderTest pool(options);
    pool_conns_lease *busy = pool.acquire("host");
    Acquiring want(pool, "host");
    until_waiting(pool, 1);
    pool_conns_release(busy);
    EXPECT_EQ(pool_conns_lease_uses(want.lease()), 1u);
    pool_conns_release(want.lease());
    EXPECT_EQ(peer.dials, 1);
}

TEST(HttpTransport, Http5BeyondMaxIdleConnsTheLeastRecentlyUsedOfAllHostsGoes) {
    Peer peer;
    pool_conns_options options = transport(peer);
    options.max_idle = 3;
    ConnPoolUnderTest pool(options);
    for (const char *host : {"a", "b", "c", "a", "d"})
        pool_conns_release(pool.acquire(host));
    EXPECT_EQ(key_stats(pool, "b").idle, 0u);
    for (const char *host : {"a", "c", "d"})
        EXPECT_EQ(key_stats(pool, host).idle, 1u) << host;
    EXPECT_EQ(peer.closed(POOL_CONNS_MAX_IDLE), 1);
}

// errTooManyIdle, errIdleConnTimeout and so on: the reason that close is given, and a counter each.
TEST(HttpTransport, Http6EveryCloseHasAReason) {
    StoppedClock clock;
    Peer peer;
    pool_conns_options options = transport(peer);
    options.is_alive = Backend::is_alive;
    ConnPoolUnderTest pool(options);
    pool_conns_discard(pool.acquire("host"));
    pool_conns_lease *lease = pool.acquire("host");
    connection_of(lease)->dead = true;
    pool_conns_release(lease);
    pool_conns_release(pool.acquire("host"));
    clock.advance(100 * kSecond);
    pool_conns_reap(pool);
    release_all(take(pool, "host", 3));
    pool_conns_close_idle(pool);
    pool_conns_release(pool.acquire("host"));
    pool_conns_close(pool, 0, nullptr);
    pool_conns_stats stats = pool.stats();
    EXPECT_EQ(stats.closed_broken, 1u);
    EXPECT_EQ(stats.closed_invalid, 1u);
    EXPECT_EQ(stats.closed_idle_timeout, 1u);
    EXPECT_EQ(stats.closed_max_idle, 1u);
    EXPECT_EQ(stats.closed_cleared, 2u);
    EXPECT_EQ(stats.closed_pool, 1u);
}

TEST(HttpTransport, Http8ThePlaceOfADeadConnectionPassesToTheNextInLine) {
    Peer peer;
    pool_conns_options options = transport(peer);
    options.max_open_per_key = 1;
    options.handoff = POOL_CONNS_STRICT;
    ConnPoolUnderTest pool(options);
    pool_conns_lease *busy = pool.acquire("host");
    Acquiring first(pool, "host");
    until_waiting(pool, 1);
    Acquiring second(pool, "host");
    until_waiting(pool, 2);
    pool_conns_discard(busy);
    pool_conns_discard(first.lease());
    pool_conns_release(second.lease());
    EXPECT_EQ(peer.dials, 3);
    EXPECT_EQ(peer.most_live(), 1);
}

TEST(HttpTransport, Http9AConnectionThatACancelledRequestHadGotGoesBack) {
    Peer peer;
    ConnPoolUnderTest pool(transport(peer));
    Request request(pool, "host");
    request.wait();
    request.destroy();
    eventually([&] { return pool.stats().idle == 1; }); // when nobody is telling its end any more
}

TEST(HttpTransport, Http9TheDialOfACancelledRequestServesALaterOne) {
    Peer peer;
    Gate gate;
    ConnPoolUnderTest pool(transport(peer));
    peer.dial_gate = &gate;
    Request cancelled(pool, "host");
    eventually([&] { return peer.dials == 1; });
    cancelled.cancel();
    pool_conns_lease *lease;
    EXPECT_EQ(cancelled.finish(&lease), POOL_ECANCELED);
    EXPECT_EQ(pool.stats().dialing, 1u) << "it goes on";
    gate.open();
    lease = pool.acquire("host");
    EXPECT_EQ(peer.dials, 1);
    pool_conns_release(lease);
}

TEST(HttpTransport, Http9TheDialOfARequestThatTimedOutServesALaterOne) {
    Peer peer;
    Gate gate;
    ConnPoolUnderTest pool(transport(peer));
    peer.dial_gate = &gate;
    pool_conns_lease *lease;
    EXPECT_EQ(pool.acquire("host", kMillisecond, &lease), POOL_ETIMEDOUT);
    Acquiring later(pool, "host");
    until_waiting(pool, 1);
    gate.open();
    pool_conns_release(later.lease());
    EXPECT_LE(peer.dials, 2);
    EXPECT_EQ(pool.stats().dial_fails, 0u);
}

TEST(HttpTransport, Http10CloseIdleConnectionsLeavesThoseInUse) {
    Peer peer;
    ConnPoolUnderTest pool(transport(peer));
    std::vector<pool_conns_lease *> three = take(pool, "host", 3);
    pool_conns_release(three[0]);
    EXPECT_EQ(pool_conns_close_idle(pool), POOL_OK);
    EXPECT_EQ(pool.stats().idle, 0u);
    EXPECT_TRUE(connection_of(three[1])->open);
    pool_conns_release(three[1]);
    EXPECT_EQ(pool.stats().idle, 1u) << "kept";
    pool_conns_release(three[2]);
}

// There the flag that closes what comes back is taken down by the next request; here it belongs to
// the connections that were open when the pool was cleared.
TEST(HttpTransport, Http10ClearAlsoClosesWhatComesBackLater) {
    Peer peer;
    ConnPoolUnderTest pool(transport(peer));
    pool_conns_lease *before = pool.acquire("host");
    EXPECT_EQ(pool_conns_clear(pool), POOL_OK);
    pool_conns_lease *after = pool.acquire("host");
    pool_conns_release(before);
    EXPECT_EQ(pool.stats().idle, 0u);
    pool_conns_release(after);
    EXPECT_EQ(pool.stats().idle, 1u);
}

TEST(HttpTransport, Http11AFailureIsWorthARetryOnAUsedConnectionOnly) {
    Peer peer;
    ConnPoolUnderTest pool(transport(peer));
    pool_conns_release(pool.acquire("host"));
    pool_conns_lease *lease = pool.acquire("host");
    EXPECT_EQ(pool_conns_lease_uses(lease), 1u) << "may have been closed by the server";
    pool_conns_discard(lease);
    lease = pool.acquire("host");
    EXPECT_EQ(pool_conns_lease_uses(lease), 0u);
    pool_conns_discard(lease);
}

} // namespace
