// What the tests of net/http show of the Transport's connection pool, adapted. The name of the test
// there stands above each.
//
// SPDX-License-Identifier: Apache-2.0
#include "conns/sockets.h"
#include "http_transport.h"

namespace {

using namespace pool_test;

// TestTransportIdleCacheKeys, TestIdleConnChannelLeak
TEST(HttpTransportPorted, AKeyExistsWhileItHasConnections) {
    Peer peer;
    ConnPoolUnderTest pool(transport(peer));
    EXPECT_EQ(pool.stats().keys, 0u);
    pool_conns_release(pool.acquire("|http|127.0.0.1:80"));
    EXPECT_EQ(pool.stats().keys, 1u);
    EXPECT_EQ(pool_conns_close_idle(pool), POOL_OK);
    EXPECT_EQ(pool.stats().keys, 0u);
}

// TestTransportKeepAlives, TestTransportReadToEndReusesConn
TEST(HttpTransportPorted, AFinishedResponseLeavesItsConnectionToTheNextRequest) {
    Peer peer;
    ConnPoolUnderTest pool(transport(peer));
    for (int i = 0; i < 5; i++)
        pool_conns_release(pool.acquire("host"));
    EXPECT_EQ(peer.dials, 1);
}

// TestTransportConnectionCloseOnResponse and its kin
TEST(HttpTransportPorted, ConnectionCloseMeansDiscard) {
    Peer peer;
    ConnPoolUnderTest pool(transport(peer));
    for (int i = 0; i < 5; i++)
        pool_conns_discard(pool.acquire("host"));
    EXPECT_EQ(peer.dials, 5);
    EXPECT_EQ(pool.stats().keys, 0u);
}

// TestTransportMaxPerHostIdleConns
TEST(HttpTransportPorted, ThreeRequestsAtOnceLeaveTwoConnections) {
    Peer peer;
    ConnPoolUnderTest pool(transport(peer));
    std::vector<pool_conns_lease *> three = take(pool, "host", 3);
    for (uint64_t idle : {1u, 2u, 2u}) {
        pool_conns_release(three.back());
        three.pop_back();
        EXPECT_EQ(key_stats(pool, "host").idle, idle);
    }
}

// TestTransportMaxConnsPerHostIncludeDialInProgress
TEST(HttpTransportPorted, ADialUnderWayCountsForMaxConnsPerHost) {
    Peer peer;
    Gate gate;
    pool_conns_options options = transport(peer);
    options.max_open_per_key = 1;
    ConnPoolUnderTest pool(options);
    peer.dial_gate = &gate;
    Acquiring first(pool, "host"), second(pool, "host");
    until_waiting(pool, 2);
    eventually([&] { return peer.dials == 1; });
    EXPECT_EQ(pool.stats().open, 1u);
    gate.open();
    eventually([&] { return first.done() || second.done(); });
    const bool first_won = first.done();
    pool_conns_release((first_won ? first : second).lease());
    pool_conns_release((first_won ? second : first).lease());
    EXPECT_EQ(peer.dials, 1);
}

// TestTransportMaxConnsPerHost
TEST(HttpTransportPorted, OneConnectionServesTenRequestsAndThenAnother) {
    Peer peer;
    pool_conns_options options = transport(peer);
    options.max_open_per_key = 1;
    options.is_alive = Backend::is_alive;
    ConnPoolUnderTest pool(options);
    std::vector<std::thread> threads;
    for (int i = 0; i < 10; i++)
        threads.emplace_back([&] { pool_conns_release(pool.acquire("host")); });
    for (std::thread &thread : threads)
        thread.join();
    EXPECT_EQ(peer.dials, 1);
    EXPECT_EQ(pool_conns_close_idle(pool), POOL_OK);
    pool_conns_release(pool.acquire("host"));
    EXPECT_EQ(peer.dials, 2);
}

// TestTransportMaxConnsPerHostDialCancellation
TEST(HttpTransportPorted, ARequestThatIsCancelledInLineDoesNotHoldItUp) {
    Peer peer;
    Gate gate;
    pool_conns_options options = transport(peer);
    options.max_open_per_key = 1;
    ConnPoolUnderTest pool(options);
    peer.dial_gate = &gate;
    Request first(pool, "host"), cancelled(pool, "host"), third(pool, "host");
    cancelled.cancel();
    pool_conns_lease *lease;
    EXPECT_EQ(cancelled.finish(&lease), POOL_ECANCELED);
    gate.open();
    EXPECT_EQ(first.finish(&lease), POOL_OK);
    pool_conns_release(lease);
    EXPECT_EQ(third.finish(&lease), POOL_OK);
    pool_conns_release(lease);
    EXPECT_EQ(peer.dials, 1);
}

// TestTransportRemovesDeadIdleConnections, with real sockets. HTTP-7: there a reader notices the end
// of the stream at once; here whoever is about to use the connection does.
TEST(HttpTransportPorted, Http7AConnectionThatTheServerClosedIsNotUsed) {
    Listener server("127.0.0.1");
    pool_conns_options options = POOL_CONNS_OPTIONS_INIT;
    options.max_open_per_key = 1;
    ConnPoolUnderTest pool(options);
    const char *key = server.key().c_str();
    pool_conns_release(pool.acquire(key));
    close(server.accept());
    eventually([&] {
        pool_conns_lease *lease = pool.acquire(key);
        bool fresh = pool_conns_lease_uses(lease) == 0;
        pool_conns_release(lease);
        return fresh;
    });
    EXPECT_EQ(pool.stats().closed_invalid, 1u);
    EXPECT_EQ(pool.stats().open, 1u);
    close(server.accept());
}

// TestTransportServerClosingUnexpectedly, TestStressSurpriseServerCloses: closed after it was lent.
TEST(HttpTransportPorted, ASurpriseCloseIsRetriedWithAnotherConnection) {
    Listener server("127.0.0.1");
    ConnPoolUnderTest pool(POOL_CONNS_OPTIONS_INIT);
    std::thread serving([&] {
        int first = server.accept();
        EXPECT_EQ(send(first, "1", 1, MSG_NOSIGNAL), 1);
        char byte;
        EXPECT_EQ(recv(first, &byte, 1, 0), 1); // the second request
        close(first);
        int second = server.accept();
        EXPECT_EQ(send(second, "2", 1, MSG_NOSIGNAL), 1);
        close(second);
    });
    std::string answers;
    for (int i = 0; i < 2; i++)
        EXPECT_EQ(run(pool, server.key().c_str(),
                      [&](pool_conns_lease *lease, void *) -> pool_status {
                          int fd = pool_conns_lease_fd(lease);
                          char answer;
                          if (pool_conns_lease_uses(lease) > 0 &&
                              send(fd, "x", 1, MSG_NOSIGNAL) != 1)
                              return POOL_EBAD;
                          if (recv(fd, &answer, 1, 0) != 1)
                              return POOL_EBAD;
                          answers += answer;
                          return POOL_OK;
                      }),
                  POOL_OK);
    serving.join();
    EXPECT_EQ(answers, "12");
}

// TestTransportIdleConnCrash
TEST(HttpTransportPorted, CloseIdleWhileAConnectionIsHandedOver) {
    Peer peer;
    pool_conns_options options = transport(peer);
    options.max_open_per_key = 1;
    ConnPoolUnderTest pool(options);
    for (int i = 0; i < 50; i++) {
        pool_conns_lease *busy = pool.acquire("host");
        Acquiring next(pool, "host");
        until_waiting(pool, 1);
        std::thread closing([&] { EXPECT_EQ(pool_conns_close_idle(pool), POOL_OK); });
        pool_conns_release(busy);
        pool_conns_release(next.lease());
        closing.join();
    }
    EXPECT_LE(peer.most_live(), 1);
}

// TestTransportConcurrency
TEST(HttpTransportPorted, ManyRequestsToFewHostsEachGetTheirHost) {
    Peer peer;
    ConnPoolUnderTest pool(transport(peer));
    const char *hosts[] = {"a", "b", "c", "d", "e"};
    std::vector<std::thread> threads;
    for (size_t i = 0; i < 16; i++)
        threads.emplace_back([&, i] {
            for (size_t n = 0; n < 30; n++) {
                const char *host = hosts[(n + i) % 5];
                pool_conns_lease *lease = pool.acquire(host);
                EXPECT_EQ(connection_of(lease)->key, host);
                pool_conns_release(lease);
            }
        });
    for (std::thread &thread : threads)
        thread.join();
    eventually([&] { return pool.stats().dialing == 0 && pool.stats().in_use == 0; });
    EXPECT_LE(pool.stats().idle, 10u);
    EXPECT_EQ(static_cast<int>(pool.stats().idle), peer.live());
}

// TestTransportSocketLateBinding
TEST(HttpTransportPorted, ARequestWhoseDialHangsRunsOnAConnectionThatComesFree) {
    Peer peer;
    Gate gate;
    ConnPoolUnderTest pool(transport(peer));
    pool_conns_lease *foo = pool.acquire("host");
    void *of_foo = pool_conns_lease_conn(foo);
    peer.dial_gate = &gate;
    Acquiring bar(pool, "host");
    eventually([&] { return peer.dials == 2; });
    EXPECT_FALSE(bar.done());
    pool_conns_release(foo);
    EXPECT_EQ(pool_conns_lease_conn(bar.lease()), of_foo);
    pool_conns_release(bar.lease());
    gate.open();
}

// TestTransportPoolConnectionBecomesAvailableDuringDial: the third request runs on the second's
// dial, and what is dialed for the third is idle in the end.
TEST(HttpTransportPorted, DialsServeWhoeverIsFirstInLine) {
    Peer peer;
    Gate gate;
    pool_conns_options options = transport(peer);
    options.max_idle_per_key = 10;
    options.handoff = POOL_CONNS_STRICT;
    ConnPoolUnderTest pool(options);
    pool_conns_lease *one = pool.acquire("host");
    peer.dial_gate = &gate;
    Acquiring two(pool, "host");
    eventually([&] { return peer.dials == 2; });
    Acquiring three(pool, "host");
    eventually([&] { return peer.dials == 3; });
    pool_conns_release(one);
    EXPECT_EQ(pool_conns_lease_uses(two.lease()), 1u);
    gate.open();
    EXPECT_EQ(pool_conns_lease_uses(three.lease()), 0u);
    eventually([&] { return pool.stats().idle == 1; });
    release_all({two.lease(), three.lease()});
    EXPECT_EQ(peer.dials, 3);
}

// TestTransportCloseIdleConnsThenReturn
TEST(HttpTransportPorted, WhatComesBackAfterCloseIdleConnections) {
    Peer peer;
    ConnPoolUnderTest pool(transport(peer));
    std::vector<pool_conns_lease *> four = take(pool, "host", 4);
    pool_conns_release(four[0]);
    pool_conns_release(four[1]);
    EXPECT_EQ(pool.stats().idle, 2u);
    EXPECT_EQ(pool_conns_clear(pool), POOL_OK);
    EXPECT_EQ(pool.stats().idle, 0u);
    pool_conns_release(four[2]);
    EXPECT_EQ(pool.stats().idle, 0u);
    pool_conns_release(pool.acquire("host"));
    EXPECT_EQ(pool.stats().idle, 1u);
    pool_conns_release(four[3]);
    EXPECT_EQ(pool.stats().idle, 1u) << "there it would be kept again by now";
}

// TestTransportMaxIdleConns
TEST(HttpTransportPorted, TheFifthHostTakesTheRoomOfTheFirst) {
    Peer peer;
    pool_conns_options options = transport(peer);
    options.max_idle = 4;
    ConnPoolUnderTest pool(options);
    for (const char *host : {"host-0", "host-1", "host-2", "host-3"})
        pool_conns_release(pool.acquire(host));
    EXPECT_EQ(pool.stats().idle, 4u);
    pool_conns_release(pool.acquire("host-4"));
    EXPECT_EQ(pool.stats().idle, 4u);
    EXPECT_EQ(key_stats(pool, "host-0").open, 0u);
    EXPECT_EQ(key_stats(pool, "host-4").open, 1u);
}

// TestTransportIdleConnTimeout
TEST(HttpTransportPorted, AConnectionInUseEveryHalfTimeoutStays) {
    StoppedClock clock;
    Peer peer;
    ConnPoolUnderTest pool(transport(peer));
    for (int i = 0; i < 4; i++) {
        pool_conns_release(pool.acquire("host"));
        clock.advance(45 * kSecond);
    }
    EXPECT_EQ(peer.dials, 1);
    clock.advance(90 * kSecond);
    pool_conns_release(pool.acquire("host"));
    EXPECT_EQ(peer.dials, 2);
}

// TestTransportDecrementConnWhenIdleConnRemoved, TestTransportIdleConnRacesRequest
TEST(HttpTransportPorted, AnIdleConnectionThatGoesGivesUpItsPlace) {
    Peer peer;
    pool_conns_options options = transport(peer);
    options.max_open_per_key = 1;
    options.is_alive = Backend::is_alive;
    ConnPoolUnderTest pool(options);
    for (int i = 0; i < 300; i++) {
        pool_conns_lease *lease = nullptr;
        ASSERT_EQ(pool.acquire("host", 60 * kSecond, &lease), POOL_OK);
        connection_of(lease)->dead = true;
        pool_conns_release(lease);
    }
    EXPECT_EQ(peer.dials, 300);
    EXPECT_EQ(peer.most_live(), 1);
}

// TestTransportResponseCancelRace, TestTransportDialCancelRace
TEST(HttpTransportPorted, AfterACancelAtAnyMomentTheNextRequestWorks) {
    Peer peer;
    pool_conns_options options = transport(peer);
    options.max_open_per_key = 1;
    ConnPoolUnderTest pool(options);
    for (int i = 0; i < 100; i++) {
        Request request(pool, "host");
        std::thread cancelling([&] { request.cancel(); });
        pool_conns_lease *lease = nullptr;
        pool_conns_request_wait(request, POOL_FOREVER);
        cancelling.join();
        if (request.finish(&lease) == POOL_OK)
            i % 2 ? pool_conns_release(lease) : pool_conns_discard(lease);
        pool_conns_release(pool.acquire("host"));
    }
    EXPECT_EQ(peer.most_live(), 1);
}

// TestTransportPersistConnLeak and its kin
TEST(HttpTransportPorted, NothingIsLeftBehindByManyRequests) {
    Peer peer;
    ConnPoolUnderTest pool(transport(peer));
    for (int i = 0; i < 100; i++) {
        pool_conns_lease *lease = pool.acquire(("host-" + std::to_string(i)).c_str());
        i % 2 ? pool_conns_release(lease) : pool_conns_discard(lease);
    }
    EXPECT_EQ(pool_conns_close_idle(pool), POOL_OK);
    EXPECT_EQ(peer.live(), 0);
    EXPECT_EQ(pool.stats().keys, 0u);
}

} // namespace
