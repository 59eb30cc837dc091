// SPDX-License-Identifier: Apache-2.0
#include "backend.h"

#include <thread>

namespace {

using namespace pool_test;

TEST(ConnPoolClose, ClosesIdleConnectionsAndRefusesAcquires) {
    Backend backend;
    ConnPoolUnderTest pool(backend.options());
    pool_conns_release(pool.acquire("a"));
    uint64_t still_out = 99;
    EXPECT_EQ(pool_conns_close(pool, 0, &still_out), POOL_OK);
    EXPECT_EQ(still_out, 0u);
    EXPECT_EQ(backend.closed(POOL_CONNS_POOL_CLOSED), 1);
    EXPECT_EQ(pool.stats().closed_pool, 1u);
    pool_conns_lease *lease;
    EXPECT_EQ(pool.acquire("a", 0, &lease), POOL_ECLOSED);
    EXPECT_STREQ(pool_last_error(), "pool '' is closed");
    EXPECT_EQ(pool.acquire("a", POOL_FOREVER, &lease), POOL_ECLOSED);
    EXPECT_EQ(pool_conns_clear(pool), POOL_ECLOSED);
    EXPECT_EQ(pool_conns_reap(pool), POOL_ECLOSED);
    EXPECT_EQ(pool_conns_close(pool, POOL_FOREVER, nullptr), POOL_OK) << "once more";
}

TEST(ConnPoolClose, ReportsTheLeasesThatAreStillOut) {
    Backend backend;
    ConnPoolUnderTest pool(backend.options());
    pool_conns_lease *one = pool.acquire("a"), *two = pool.acquire("b");
    uint64_t still_out = 0;
    EXPECT_EQ(pool_conns_close(pool, 0, &still_out), POOL_ETIMEDOUT);
    EXPECT_EQ(still_out, 2u);
    EXPECT_STREQ(pool_last_error(), "pool '' is closed, but 2 connections are still out");
    pool_conns_release(one);
    EXPECT_EQ(pool_conns_close(pool, kMillisecond, &still_out), POOL_ETIMEDOUT);
    EXPECT_EQ(still_out, 1u);
    EXPECT_FALSE(connection_of(two)->open == false);
    pool_conns_release(two);
    EXPECT_EQ(backend.closed(POOL_CONNS_POOL_CLOSED), 2);
}

TEST(ConnPoolClose, WaitsForTheLastLease) {
    Backend backend;
    ConnPoolUnderTest pool(backend.options());
    pool_conns_lease *lease = pool.acquire("a");
    std::atomic<bool> closed{false};
    std::thread closing([&] {
        EXPECT_EQ(pool_conns_close(pool, POOL_FOREVER, nullptr), POOL_OK);
        closed = true;
    });
    pool_conns_lease *refused;
    eventually([&] { return pool.acquire("b", 0, &refused) == POOL_ECLOSED; });
    EXPECT_FALSE(closed);
    pool_conns_discard(lease);
    closing.join();
    EXPECT_EQ(backend.live(), 0);
}

TEST(ConnPoolClose, FailsEveryWaiter) {
    Backend backend;
    pool_conns_options options = backend.options();
    options.max_open = 1;
    ConnPoolUnderTest pool(options);
    pool_conns_lease *held = pool.acquire("a");
    std::vector<std::thread> threads;
    for (const char *key : {"a", "a", "b", "c"})
        threads.emplace_back([&pool, key] {
            pool_conns_lease *lease;
            EXPECT_EQ(pool.acquire(key, POOL_FOREVER, &lease), POOL_ECLOSED);
            EXPECT_EQ(lease, nullptr);
        });
    eventually([&] { return pool.stats().waiters == 4; });
    EXPECT_EQ(pool_conns_close(pool, 0, nullptr), POOL_ETIMEDOUT);
    for (std::thread &thread : threads)
        thread.join();
    EXPECT_EQ(pool.stats().waiters, 0u);
    pool_conns_release(held);
    EXPECT_EQ(pool.stats().keys, 0u);
}

TEST(ConnPoolClose, AConnectionDialedMeanwhileIsClosedOnArrival) {
    Backend backend;
    Gate gate;
    ConnPoolUnderTest pool(backend.options());
    backend.dial_gate = &gate;
    std::thread dialing([&] {
        pool_conns_lease *lease;
        EXPECT_EQ(pool.acquire("a", POOL_FOREVER, &lease), POOL_ECLOSED);
    });
    eventually([&] { return backend.dials == 1; });
    uint64_t still_out;
    EXPECT_EQ(pool_conns_close(pool, 0, &still_out), POOL_ETIMEDOUT);
    EXPECT_EQ(still_out, 1u);
    gate.open();
    EXPECT_EQ(pool_conns_close(pool, POOL_FOREVER, &still_out), POOL_OK);
    EXPECT_EQ(still_out, 0u);
    dialing.join();
    EXPECT_EQ(backend.closed(POOL_CONNS_POOL_CLOSED), 1);
    EXPECT_EQ(backend.live(), 0);
}

TEST(ConnPoolDestroy, EndsAtOnceIfNothingIsOut) {
    Backend backend;
    Tally freed;
    struct Both {
        Backend *backend;
        Tally *freed;
    } both = {&backend, &freed};
    pool_conns_options options = POOL_CONNS_OPTIONS_INIT;
    options.ctx = &both;
    options.dial = [](const void *key, size_t length, int64_t deadline, void **conn, void *ctx) {
        return Backend::dial(key, length, deadline, conn, static_cast<Both *>(ctx)->backend);
    };
    options.close = [](void *conn, pool_conns_reason reason, void *ctx) {
        EXPECT_EQ(static_cast<Both *>(ctx)->freed->value(), 0);
        Backend::close(conn, reason, static_cast<Both *>(ctx)->backend);
    };
    options.ctx_free = [](void *ctx) { static_cast<Both *>(ctx)->freed->raise(); };
    ConnPoolUnderTest pool(options);
    pool_conns_release(pool.acquire("a"));
    EXPECT_EQ(pool_conns_destroy(pool.give_up()), POOL_OK);
    EXPECT_EQ(freed.value(), 1);
    EXPECT_EQ(backend.live(), 0);
}

TEST(ConnPoolDestroy, LivesOnUntilTheLastLeaseIsBack) {
    using End = pool_status (*)(pool_conns_lease *);
    for (End last : {static_cast<End>(pool_conns_release), static_cast<End>(pool_conns_discard)}) {
        Backend backend;
        static Tally *freed;
        Tally tally;
        freed = &tally;
        pool_conns_options options = backend.options();
        options.ctx_free = [](void *) { freed->raise(); };
        ConnPoolUnderTest pool(options);
        pool_conns_lease *one = pool.acquire("a"), *two = pool.acquire("b");
        EXPECT_EQ(pool_conns_destroy(pool.give_up()), POOL_OK);
        EXPECT_EQ(connection_of(two)->key, "b");
        EXPECT_EQ(pool_conns_release(one), POOL_OK);
        EXPECT_EQ(freed->value(), 0);
        EXPECT_EQ(last(two), POOL_OK);
        EXPECT_EQ(freed->value(), 1);
        EXPECT_EQ(backend.live(), 0);
    }
}

TEST(ConnPoolDestroy, ALastLeaseMayBeDetached) {
    Backend backend;
    ConnPoolUnderTest pool(backend.options());
    pool_conns_lease *lease = pool.acquire("a");
    EXPECT_EQ(pool_conns_destroy(pool.give_up()), POOL_OK);
    void *conn;
    EXPECT_EQ(pool_conns_detach(lease, &conn), POOL_OK);
    EXPECT_EQ(backend.live(), 1);
    backend.forget(conn);
}

TEST(ConnPoolDestroy, ManyThreadsMayGiveBackTheLastLeases) {
    for (int round = 0; round < 50; round++) {
        Backend backend;
        ConnPoolUnderTest pool(backend.options());
        pool_conns_lease *leases[6];
        for (pool_conns_lease *&lease : leases)
            lease = pool.acquire("a");
        Gate gate;
        std::vector<std::thread> threads;
        for (pool_conns_lease *lease : leases)
            threads.emplace_back([lease, &gate] {
                gate.wait();
                EXPECT_EQ(pool_conns_release(lease), POOL_OK);
            });
        gate.open();
        EXPECT_EQ(pool_conns_destroy(pool.give_up()), POOL_OK);
        for (std::thread &thread : threads)
            thread.join();
        EXPECT_EQ(backend.live(), 0);
    }
}

} // namespace
