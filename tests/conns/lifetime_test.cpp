// How long connections are kept, and when they are closed.
//
// SPDX-License-Identifier: Apache-2.0
#include "backend.h"

#include <stdexcept>
#include <thread>

namespace {

using namespace pool_test;

TEST(ConnPoolLifetime, TooManyIdleConnectionsOfAKeyAreClosed) {
    Backend backend;
    pool_conns_options options = backend.options();
    options.max_open_per_key = 3;
    options.max_idle_per_key = 1;
    ConnPoolUnderTest pool(options);
    pool_conns_lease *leases[] = {pool.acquire("a"), pool.acquire("a"), pool.acquire("a")};
    for (pool_conns_lease *each : leases)
        pool_conns_release(each);
    EXPECT_EQ(pool.stats().idle, 1u);
    EXPECT_EQ(pool.stats().closed_max_idle, 2u);
    EXPECT_EQ(backend.closed(POOL_CONNS_MAX_IDLE), 2);
}

TEST(ConnPoolLifetime, TooManyIdleConnectionsOfAllKeysCloseTheOldest) {
    Backend backend;
    pool_conns_options options = backend.options();
    options.max_idle = 4;
    ConnPoolUnderTest pool(options);
    for (const char *key : {"0", "1", "2", "3", "4"})
        pool_conns_release(pool.acquire(key));
    EXPECT_EQ(pool.stats().idle, 4u);
    pool_conns_lease *lease;
    EXPECT_EQ(pool.acquire("0", 0, &lease), POOL_EAGAIN);
    EXPECT_EQ(pool.acquire("1", 0, &lease), POOL_OK);
    pool_conns_release(lease);
}

TEST(ConnPoolLifetime, IdleTimeoutClosesOnTheNextAcquireOfTheKey) {
    StoppedClock clock;
    Backend backend;
    pool_conns_options options = backend.options();
    options.idle_timeout = 10 * kSecond;
    ConnPoolUnderTest pool(options);
    pool_conns_release(pool.acquire("a"));
    clock.advance(10 * kSecond - 1);
    pool_conns_lease *lease;
    ASSERT_EQ(pool.acquire("a", 0, &lease), POOL_OK) << "too early";
    pool_conns_release(lease);
    clock.advance(10 * kSecond);
    EXPECT_EQ(pool.acquire("a", 0, &lease), POOL_EAGAIN);
    EXPECT_EQ(backend.closed(POOL_CONNS_IDLE_TIMEOUT), 1);
    EXPECT_EQ(pool.stats().closed_idle_timeout, 1u);
}

TEST(ConnPoolLifetime, AnAcquireClosesTheOldOnesBesideTheOneItTakes) {
    StoppedClock clock;
    Backend backend;
    pool_conns_options options = backend.options();
    options.idle_timeout = 10 * kSecond;
    ConnPoolUnderTest pool(options);
    pool_conns_lease *one = pool.acquire("a"), *two = pool.acquire("a");
    pool_conns_release(one);
    clock.advance(6 * kSecond);
    pool_conns_release(two);
    clock.advance(6 * kSecond);
    pool_conns_lease *lease;
    ASSERT_EQ(pool.acquire("a", 0, &lease), POOL_OK);
    EXPECT_EQ(backend.closed(POOL_CONNS_IDLE_TIMEOUT), 1);
    EXPECT_EQ(pool.stats().open, 1u);
    pool_conns_release(lease);
}

TEST(ConnPoolLifetime, MaxLifetimeIsShortenedByAtMostATenth) {
    StoppedClock clock;
    Backend backend;
    pool_conns_options options = backend.options();
    options.max_open_per_key = 200;
    options.max_lifetime = 100 * kSecond;
    options.idle_timeout = POOL_CONNS_NONE;
    ConnPoolUnderTest pool(options);
    std::vector<pool_conns_lease *> leases;
    for (int i = 0; i < 200; i++)
        leases.push_back(pool.acquire("a"));
    for (pool_conns_lease *lease : leases)
        pool_conns_release(lease);
    clock.advance(90 * kSecond - 1);
    EXPECT_EQ(pool_conns_reap(pool), POOL_OK);
    EXPECT_EQ(pool.stats().closed_max_lifetime, 0u);
    clock.advance(5 * kSecond);
    EXPECT_EQ(pool_conns_reap(pool), POOL_OK);
    uint64_t halfway = pool.stats().closed_max_lifetime;
    EXPECT_GT(halfway, 20u) << "chosen by chance for each";
    EXPECT_LT(halfway, 180u);
    clock.advance(5 * kSecond + 1);
    EXPECT_EQ(pool_conns_reap(pool), POOL_OK);
    EXPECT_EQ(pool.stats().closed_max_lifetime, 200u);
}

TEST(ConnPoolLifetime, WithNoneNothingExpires) {
    StoppedClock clock;
    Backend backend;
    pool_conns_options options = backend.options();
    options.idle_timeout = options.max_lifetime = POOL_CONNS_NONE;
    ConnPoolUnderTest pool(options);
    pool_conns_release(pool.acquire("a"));
    clock.advance(INT64_MAX / 2);
    EXPECT_EQ(pool_conns_reap(pool), POOL_OK);
    EXPECT_EQ(pool.stats().idle, 1u);
}

TEST(ConnPoolLifetime, ReapClosesWhatIsDueOfAllKeysAndForgetsThem) {
    StoppedClock clock;
    Backend backend;
    pool_conns_options options = backend.options();
    options.idle_timeout = 10 * kSecond;
    ConnPoolUnderTest pool(options);
    pool_conns_release(pool.acquire("a"));
    pool_conns_release(pool.acquire("b"));
    pool_conns_lease *held = pool.acquire("c");
    clock.advance(20 * kSecond);
    EXPECT_EQ(pool.stats().keys, 3u);
    EXPECT_EQ(pool_conns_reap(pool), POOL_OK);
    EXPECT_EQ(pool.stats().keys, 1u);
    EXPECT_EQ(pool.stats().closed_idle_timeout, 2u);
    pool_conns_release(held);
}

TEST(ConnPoolLifetime, ClearClosesIdleNowAndLentLater) {
    Backend backend;
    ConnPoolUnderTest pool(backend.options());
    pool_conns_lease *idle = pool.acquire("a"), *lent = pool.acquire("a");
    pool_conns_release(idle);
    EXPECT_EQ(pool_conns_clear(pool), POOL_OK);
    EXPECT_EQ(backend.closed(POOL_CONNS_CLEARED), 1);
    EXPECT_TRUE(connection_of(lent)->open);
    pool_conns_lease *fresh = pool.acquire("a");
    pool_conns_release(lent);
    EXPECT_EQ(backend.closed(POOL_CONNS_CLEARED), 2);
    pool_conns_release(fresh);
    EXPECT_EQ(pool.stats().idle, 1u) << "a newer one stays";
}

TEST(ConnPoolLifetime, ADialOverWhichThePoolWasClearedIsDoneAgain) {
    Backend backend;
    Gate gate;
    ConnPoolUnderTest pool(backend.options());
    backend.dial_gate = &gate;
    pool_conns_lease *lease = nullptr;
    std::thread dialing([&] { lease = pool.acquire("a"); });
    eventually([&] { return backend.dials == 1; });
    EXPECT_EQ(pool_conns_clear(pool), POOL_OK);
    gate.open();
    dialing.join();
    EXPECT_EQ(backend.dials, 2);
    EXPECT_EQ(backend.closed(POOL_CONNS_CLEARED), 1);
    pool_conns_release(lease);
}

TEST(ConnPoolLifetime, ACloseCallbackThatThrowsHasClosed) {
    Backend backend;
    pool_conns_options options = backend.options();
    options.close = [](void *conn, pool_conns_reason reason, void *ctx) {
        Backend::close(conn, reason, ctx);
        throw std::runtime_error("close");
    };
    ConnPoolUnderTest pool(options);
    pool_conns_release(pool.acquire("a"));
    pool_conns_discard(pool.acquire("a"));
    EXPECT_EQ(pool.stats().open, 0u);
}

TEST(ConnPoolLifetime, APlaceIsFreeOnlyWhenItsConnectionIsReallyClosed) {
    Backend backend;
    Gate gate;
    pool_conns_options options = backend.options();
    options.max_open_per_key = 1;
    ConnPoolUnderTest pool(options);
    backend.close_gate = &gate;
    pool_conns_lease *lease = pool.acquire("a");
    std::thread discarding([&] { pool_conns_discard(lease); });
    std::thread acquiring([&] { pool_conns_release(pool.acquire("a")); });
    eventually([&] { return pool.stats().waiters == 1; });
    EXPECT_EQ(pool.stats().in_use, 1u);
    EXPECT_EQ(backend.dials, 1);
    gate.open();
    discarding.join();
    acquiring.join();
    EXPECT_EQ(backend.most_live(), 1);
}

TEST(ConnPoolLifetime, CallbacksMayCallThePool) {
    // Each callback asks for statistics, which needs the pool's lock.
    struct Asking {
        Backend backend;
        pool_conns *pool = nullptr;
        void ask() {
            pool_conns_stats stats;
            stats.size = sizeof stats;
            EXPECT_EQ(pool_conns_get_stats(pool, &stats), POOL_OK);
        }
        static Asking *of(void *ctx) { return static_cast<Asking *>(ctx); }
    };
    Asking asking;
    pool_conns_options options = POOL_CONNS_OPTIONS_INIT;
    options.ctx = &asking;
    options.dial = [](const void *key, size_t length, int64_t deadline, void **conn, void *ctx) {
        Asking::of(ctx)->ask();
        return Backend::dial(key, length, deadline, conn, &Asking::of(ctx)->backend);
    };
    options.close = [](void *conn, pool_conns_reason reason, void *ctx) {
        Asking::of(ctx)->ask();
        Backend::close(conn, reason, &Asking::of(ctx)->backend);
    };
    options.is_alive = [](void *, int64_t, void *ctx) -> int32_t {
        Asking::of(ctx)->ask();
        return 1;
    };
    ConnPoolUnderTest pool(options);
    asking.pool = pool;
    pool_conns_release(pool.acquire("a"));
    pool_conns_discard(pool.acquire("a"));
    EXPECT_EQ(asking.backend.dials, 1);
}

TEST(ConnPoolLifetime, NamesWhatIsWrongWithItsArguments) {
    Backend backend;
    ConnPoolUnderTest pool(backend.options());
    pool_conns_lease *lease = pool.acquire("a");
    EXPECT_EQ(pool_conns_release(nullptr), POOL_EINVAL);
    EXPECT_STREQ(pool_last_error(), "the lease is NULL");
    EXPECT_EQ(pool_conns_discard(nullptr), POOL_EINVAL);
    void *conn = &backend;
    EXPECT_EQ(pool_conns_detach(nullptr, &conn), POOL_EINVAL);
    EXPECT_EQ(conn, nullptr);
    EXPECT_EQ(pool_conns_detach(lease, nullptr), POOL_EINVAL);
    EXPECT_EQ(pool_conns_clear(nullptr), POOL_EINVAL);
    EXPECT_EQ(pool_conns_reap(nullptr), POOL_EINVAL);
    EXPECT_EQ(pool_conns_close(nullptr, 0, nullptr), POOL_EINVAL);
    EXPECT_EQ(pool_conns_close(pool, -5, nullptr), POOL_EINVAL);
    EXPECT_EQ(pool_conns_get_stats(nullptr, nullptr), POOL_EINVAL);
    EXPECT_EQ(pool_conns_get_stats(pool, nullptr), POOL_EINVAL);
    EXPECT_EQ(pool_conns_destroy(nullptr), POOL_OK);
    EXPECT_EQ(pool_conns_release(lease), POOL_OK) << "still lent";
    EXPECT_EQ(pool_conns_release(lease), POOL_EMISUSE);
    EXPECT_STREQ(pool_last_error(), "the lease has been ended before");
    EXPECT_EQ(pool_conns_discard(lease), POOL_EMISUSE);
    EXPECT_EQ(pool.stats().idle, 1u);
}

} // namespace
