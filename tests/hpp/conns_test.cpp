// The C++ wrappers of connection pools.
//
// SPDX-License-Identifier: Apache-2.0
#include "hpp/server.h"

#include <gtest/gtest.h>
#include <memory>
#include <thread>

namespace {

using namespace std::chrono_literals;
using namespace pool_test;
using pool::conns;

TEST(HppConns, LeasesGoBackAtTheEndOfTheirScope) {
    Server server;
    conns pool(server.calls());
    {
        auto lease = pool.acquire("a", 1s);
        EXPECT_EQ(lease.conn<Server::Session>()->key, "a");
        EXPECT_EQ(lease.conn(), lease.borrow().conn());
        EXPECT_EQ(lease.uses(), 0u);
        EXPECT_EQ(lease.fd(), -1);
        conns::lease moved = std::move(lease);
        EXPECT_FALSE(lease);
        EXPECT_TRUE(moved);
        EXPECT_EQ(pool.stats().in_use, 1u);
    }
    EXPECT_EQ(pool.stats().idle, 1u);
    EXPECT_EQ(pool.acquire("a", 0s).uses(), 1u);
    auto lease = pool.acquire("a", 0s);
    lease.release();
    lease.release();
    EXPECT_FALSE(lease);
    lease = pool.acquire("a", 0s);
    EXPECT_EQ(lease.uses(), 3u);
    lease.discard();
    EXPECT_EQ(server.closed, std::vector<pool_conns_reason>{POOL_CONNS_BROKEN});
}

TEST(HppConns, LeasesThatAnExceptionEndsAreClosed) {
    Server server;
    conns pool(server.calls());
    EXPECT_THROW(
        {
            auto lease = pool.acquire("a", 1s);
            throw std::runtime_error("half of an answer was read");
        },
        std::runtime_error);
    EXPECT_EQ(server.open, 0);
    // One of a destructor that runs because of an exception is not left by that exception.
    struct Farewell {
        conns &pool;
        ~Farewell() { pool.acquire("a", 1s); }
    };
    EXPECT_THROW(
        {
            Farewell farewell{pool};
            throw std::runtime_error("good bye");
        },
        std::runtime_error);
    EXPECT_EQ(pool.stats().idle, 1u);
}

TEST(HppConns, DetachedConnectionsAreTheCallers) {
    Server server;
    conns pool(server.calls());
    auto lease = pool.acquire("a", -1s);
    lease.renew();
    std::unique_ptr<Server::Session> session(lease.detach<Server::Session>());
    EXPECT_FALSE(lease);
    EXPECT_EQ(session->number, 1);
    EXPECT_EQ(pool.stats().detached, 1u);
    EXPECT_THROW(lease.detach(), pool::error);
}

TEST(HppConns, AnAcquireHasOptions) {
    Server server;
    conns pool(server.calls());
    auto first = pool.acquire("a", 1s);
    EXPECT_FALSE(pool.try_acquire("a"));
    EXPECT_EQ(server.dialed, 1);
    first.release();
    auto again = pool.try_acquire("a", {.taker = "me"});
    EXPECT_EQ(again.uses(), 1u);
    std::string taker;
    pool.visit_leases(0s, [&](const pool_conns_lease_info &info) { taker = info.taker; });
    EXPECT_EQ(taker, "me");
    again.release();
    EXPECT_EQ(pool.acquire("a", 1s, {.fresh = true}).uses(), 0u);
    EXPECT_EQ(server.dialed, 2);
    EXPECT_EQ(status_of([&] { pool.acquire("a", 1s, {.priority = 2}); }), POOL_EINVAL);
}

TEST(HppConns, RunTriesAnotherConnectionWhenOneIsBroken) {
    Server server;
    conns pool(server.calls());
    pool.fill("a", 1, 1s);
    int calls = 0;
    pool.run("a", 1s, [&](conns::borrowed lent) {
        if (calls++ == 0) {
            EXPECT_EQ(lent.conn<Server::Session>()->number, 1);
            throw pool::broken_connection();
        }
        EXPECT_EQ(lent.conn<Server::Session>()->number, 2);
        lent.renew();
    });
    EXPECT_EQ(calls, 2);
    EXPECT_EQ(server.closed, std::vector<pool_conns_reason>{POOL_CONNS_BROKEN});
    EXPECT_EQ(
        pool.run("a", 1s,
                 [&](conns::borrowed) -> pool_status { return ++calls == 3 ? POOL_EBAD : 7; }),
        7);
    EXPECT_EQ(calls, 4);
    EXPECT_EQ(pool.run("a", 1s, [](conns::borrowed) -> pool_status { return POOL_ECANCELED; }),
              POOL_ECANCELED);
    EXPECT_EQ(server.open, 1);
}

TEST(HppConns, RunGivesUpWhenAFreshConnectionIsBrokenToo) {
    Server server;
    conns pool(server.calls());
    pool.fill("a", 5, 1s);
    int calls = 0;
    auto broken = [&](conns::borrowed) -> pool_status {
        calls++;
        return POOL_EBAD;
    };
    EXPECT_EQ(status_of([&] { pool.run("a", 1s, broken); }), POOL_EBAD);
    EXPECT_EQ(calls, 3);
    EXPECT_EQ(server.open, 3);
}

TEST(HppConns, WhatRunsFunctionThrowsGoesOnAndClosesTheConnection) {
    Server server;
    conns pool(server.calls());
    int calls = 0;
    try {
        pool.run("a", 1s, [&](conns::borrowed) {
            calls++;
            throw std::runtime_error("out of cheese");
        });
        FAIL();
    } catch (const std::runtime_error &error) {
        EXPECT_STREQ(error.what(), "out of cheese");
    }
    EXPECT_EQ(calls, 1);
    EXPECT_EQ(server.open, 0);
    pool.close(0s);
    EXPECT_EQ(status_of([&] { pool.run("a", 1s, [](conns::borrowed) {}); }), POOL_ECLOSED);
}

TEST(HppConns, PoolsAreTendedAndChanged) {
    Server server;
    conns pool(server.calls(), bound(2));
    pool.fill("a", 2, 1s);
    pool.fill("b", 1, 1s);
    EXPECT_EQ(pool.key_stats("a").idle, 2u);
    EXPECT_EQ(pool.key_stats("nowhere").open, 0u);
    pool.clear_key("a");
    EXPECT_EQ(server.open, 1);
    auto lease = pool.acquire("b", 0s);
    pool.close_idle();
    lease.release();
    EXPECT_EQ(pool.stats().idle, 1u);
    pool.reap();
    pool.clear();
    EXPECT_EQ(server.open, 0);

    server.open++;
    pool.adopt("a", new Server::Session{100, "a"});
    EXPECT_EQ(pool.acquire("a", 0s).conn<Server::Session>()->number, 100);
    EXPECT_EQ(pool.stats().adopted, 1u);

    pool.set(POOL_CONNS_SET_MAX_OPEN_PER_KEY, 1);
    EXPECT_EQ(pool.stats().max_open_per_key, 1u);
    auto only = pool.acquire("a", 0s);
    EXPECT_EQ(status_of([&] { pool.acquire("a", 1ms); }), POOL_ETIMEDOUT);
    pool.set(POOL_CONNS_SET_IDLE_TIMEOUT, 1min);
    EXPECT_EQ(status_of([&] { pool.set(99, 1); }), POOL_EINVAL);
}

TEST(HppConns, TimesAreMeasured) {
    Server server;
    auto calls = server.calls();
    auto dial = calls.dial;
    calls.dial = [dial](std::string_view key, int64_t deadline) {
        std::this_thread::sleep_for(20ms);
        return dial(key, deadline);
    };
    conns pool(std::move(calls));
    EXPECT_EQ(pool.histogram(POOL_CONNS_DIAL_TIME).percentile(50), 0ns);
    pool.acquire("a", 1s);
    auto dials = pool.histogram(POOL_CONNS_DIAL_TIME);
    EXPECT_EQ(dials.count, 1u);
    EXPECT_GE(dials.percentile(50), 20ms);
    EXPECT_EQ(dials.percentile(100).count(), static_cast<int64_t>(dials.most));
    dials.count = 2;
    dials.buckets[0]++;
    EXPECT_EQ(dials.percentile(50), 1us);
    EXPECT_EQ(pool.histogram(POOL_CONNS_HOLD_TIME).count, 1u);
    EXPECT_EQ(status_of([&] { pool.histogram(4); }), POOL_EINVAL);
}

TEST(HppConns, LeasesCanBeVisited) {
    Server server;
    conns pool(server.calls());
    auto first = pool.acquire("a", 1s, {.taker = "first"});
    auto second = pool.acquire("b", 1s, {.taker = "second"});
    std::string seen;
    pool.visit_leases(0s, [&](const pool_conns_lease_info &info) {
        seen += std::string(info.taker) +
                std::string(static_cast<const char *>(info.key), info.key_length);
    });
    EXPECT_TRUE(seen == "firstasecondb" || seen == "secondbfirsta") << seen;
    pool.visit_leases(1h, [](const pool_conns_lease_info &) { FAIL(); });
    int visits = 0;
    EXPECT_THROW(pool.visit_leases(0s,
                                   [&](const pool_conns_lease_info &) {
                                       visits++;
                                       throw std::runtime_error("seen enough");
                                   }),
                 std::runtime_error);
    EXPECT_EQ(visits, 1);
}

TEST(HppConns, CloseSaysHowManyAreOut) {
    Server server;
    conns pool(server.calls());
    auto out = pool.acquire("c", 1s);
    EXPECT_EQ(pool.close(0s), 1u);
    EXPECT_EQ(status_of([&] { pool.acquire("c", 1s); }), POOL_ECLOSED);
    out.release();
    EXPECT_EQ(pool.close(0s), 0u);
}

} // namespace
