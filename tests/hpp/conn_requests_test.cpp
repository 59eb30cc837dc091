// Requests, and callables that are told of a connection.
//
// SPDX-License-Identifier: Apache-2.0
#include "hpp/server.h"

#include <gtest/gtest.h>
#include <memory>
#include <poll.h>
#include <thread>

namespace {

using namespace std::chrono_literals;
using namespace pool_test;
using pool::conns;

TEST(HppConnRequests, RequestsCanBePolled) {
    Server server;
    conns pool(server.calls(), bound(1));
    auto lease = pool.acquire("a", 1s);
    auto request = pool.start("a", 10s, {.taker = "poller"});
    pollfd poller = {request.fd(), POLLIN, 0};
    EXPECT_EQ(poll(&poller, 1, 0), 0);
    EXPECT_FALSE(request.wait(1ms));
    EXPECT_EQ(status_of([&] { request.finish(); }), POOL_EAGAIN);
    lease.release();
    EXPECT_EQ(poll(&poller, 1, 10000), 1);
    lease = request.finish();
    EXPECT_EQ(lease.uses(), 1u);
    EXPECT_FALSE(request);
}

TEST(HppConnRequests, RequestsCanBeCancelled) {
    Server server;
    conns pool(server.calls(), bound(1));
    auto lease = pool.acquire("a", 1s);
    auto request = pool.start("a", 10s);
    std::thread other([&] { request.cancel(); });
    EXPECT_TRUE(request.wait());
    other.join();
    EXPECT_EQ(status_of([&] { request.finish(); }), POOL_ECANCELED);
    {
        auto forgotten = pool.start("a", 10s);
        conns::request moved = std::move(forgotten), again;
        EXPECT_FALSE(forgotten);
        again = std::move(moved);
        EXPECT_FALSE(moved);
        EXPECT_EQ(pool.stats().waiters, 1u);
    }
    EXPECT_EQ(pool.stats().waiters, 0u);
    EXPECT_EQ(pool.stats().canceled, 2u);
}

TEST(HppConnRequests, RequestsTimeOut) {
    Server server;
    conns pool(server.calls(), bound(1));
    auto lease = pool.acquire("a", 1s);
    for (auto time : {20ms, 0ms}) {
        auto request = pool.start("a", time);
        EXPECT_TRUE(request.wait(time == 0ms ? 0s : 10s));
        EXPECT_EQ(status_of([&] { request.finish(); }), POOL_ETIMEDOUT);
        EXPECT_FALSE(request);
    }
}

TEST(HppConnRequests, ACallableIsToldOfTheConnection) {
    Server server;
    conns pool(server.calls(), bound(1));
    auto token = std::make_shared<int>(0);
    auto lease = pool.acquire("a", 1s);
    std::atomic<int> told{0};
    auto then = [&told, token](pool_status status, conns::lease lent) {
        EXPECT_EQ(status, POOL_OK);
        EXPECT_EQ(lent.uses(), static_cast<uint64_t>(++told));
    };
    pool.acquire_then("a", 10s, then);
    pool.acquire_then("a", 10s, then);
    EXPECT_EQ(told, 0);
    lease.release(); // each gives it back to the next one
    for (int i = 0; told < 2 && i < 1000; i++)
        std::this_thread::sleep_for(10ms);
    EXPECT_EQ(told, 2);
    lease = pool.acquire("a", 1s);
    std::atomic<pool_status> status{POOL_OK};
    pool.acquire_then("a", 10s, [&](pool_status ended, conns::lease lent) {
        EXPECT_FALSE(lent);
        status = ended;
    });
    EXPECT_EQ(pool.close(0s), 1u);
    for (int i = 0; status == POOL_OK && i < 1000; i++)
        std::this_thread::sleep_for(10ms);
    EXPECT_EQ(status, POOL_ECLOSED);
    EXPECT_EQ(status_of([&] { pool.acquire_then("a", 1s, then); }), POOL_ECLOSED);
    lease.release();
    EXPECT_EQ(pool.close(0s), 0u);
}

TEST(HppConnRequests, PriorityComesFirst) {
    Server server;
    conns pool(server.calls(), bound(1));
    auto lease = pool.acquire("a", 1s);
    auto low = pool.start("a", 10s, {.priority = -1});
    auto high = pool.start("a", 10s, {.priority = 1});
    lease.release();
    EXPECT_TRUE(high.wait(10s));
    EXPECT_FALSE(low.wait(0s));
}

} // namespace
