// SPDX-License-Identifier: Apache-2.0
#include "backend.h"

#include <functional>
#include <thread>

namespace {

using namespace pool_test;

// A thread in acquire.
class Waiting {
public:
    Waiting(const ConnPoolUnderTest &pool, const char *key, int64_t timeout = POOL_FOREVER)
        : thread_([this, &pool, key, timeout] {
              status_ = pool.acquire(key, timeout, &lease_);
              done_ = true;
          }) {}
    ~Waiting() {
        if (thread_.joinable())
            thread_.join();
    }
    pool_status status() {
        thread_.join();
        return status_;
    }
    pool_conns_lease *lease() const { return lease_; }
    bool done() const { return done_; }

private:
    pool_conns_lease *lease_ = nullptr;
    pool_status status_ = POOL_OK;
    std::atomic<bool> done_{false};
    std::thread thread_;
};

pool_conns_options bounded(Backend &backend, uint32_t per_key, uint32_t all = 0) {
    pool_conns_options options = backend.options();
    options.max_open_per_key = per_key;
    options.max_open = all;
    return options;
}

void until_waiting(const ConnPoolUnderTest &pool, uint64_t waiters) {
    eventually([&] { return pool.stats().waiters == waiters; });
}

TEST(ConnPoolWaiting, AReleasedConnectionGoesToTheOldestWaiter) {
    Backend backend;
    ConnPoolUnderTest pool(bounded(backend, 1));
    pool_conns_lease *lease = pool.acquire("a");
    void *conn = pool_conns_lease_conn(lease);
    Waiting first(pool, "a");
    until_waiting(pool, 1);
    Waiting second(pool, "a");
    until_waiting(pool, 2);
    pool_conns_release(lease);
    EXPECT_EQ(first.status(), POOL_OK);
    EXPECT_FALSE(second.done());
    EXPECT_EQ(pool_conns_lease_conn(first.lease()), conn);
    EXPECT_EQ(pool_conns_lease_uses(first.lease()), 1u);
    pool_conns_release(first.lease());
    EXPECT_EQ(second.status(), POOL_OK);
    pool_conns_release(second.lease());
    pool_conns_stats stats = pool.stats();
    EXPECT_EQ(stats.waits, 2u);
    EXPECT_EQ(stats.hits, 2u);
    EXPECT_GT(stats.wait_time, 0u);
    EXPECT_EQ(backend.dials, 1);
}

TEST(ConnPoolWaiting, ADiscardedConnectionsPlaceGoesToTheOldestWaiter) {
    Backend backend;
    ConnPoolUnderTest pool(bounded(backend, 1));
    pool_conns_lease *lease = pool.acquire("a");
    Waiting waiter(pool, "a");
    until_waiting(pool, 1);
    pool_conns_discard(lease);
    EXPECT_EQ(waiter.status(), POOL_OK);
    EXPECT_EQ(pool_conns_lease_uses(waiter.lease()), 0u);
    EXPECT_EQ(backend.closed(POOL_CONNS_BROKEN), 1);
    EXPECT_EQ(backend.most_live(), 1) << "dialed before the old one was closed";
    pool_conns_release(waiter.lease());
}

TEST(ConnPoolWaiting, ADetachedConnectionFreesItsPlace) {
    Backend backend;
    ConnPoolUnderTest pool(bounded(backend, 1));
    pool_conns_lease *lease = pool.acquire("a");
    Waiting waiter(pool, "a");
    until_waiting(pool, 1);
    void *mine = nullptr;
    EXPECT_EQ(pool_conns_detach(lease, &mine), POOL_OK);
    EXPECT_EQ(waiter.status(), POOL_OK);
    EXPECT_NE(pool_conns_lease_conn(waiter.lease()), mine);
    EXPECT_EQ(pool.stats().detached, 1u);
    EXPECT_EQ(pool.stats().open, 1u);
    pool_conns_release(waiter.lease());
    backend.forget(mine);
}

TEST(ConnPoolWaiting, AFailedDialWakesExactlyOneWaiter) {
    Backend backend;
    Gate gate;
    pool_conns_options options = bounded(backend, 1);
    options.dial_backoff = POOL_CONNS_NONE;
    ConnPoolUnderTest pool(options);
    backend.dial_gate = &gate;
    backend.dial_result = POOL_EDIAL;
    Waiting dialing(pool, "a");
    eventually([&] { return backend.dials == 1; });
    Waiting first(pool, "a");
    until_waiting(pool, 1);
    Waiting second(pool, "a");
    until_waiting(pool, 2);
    Gate second_gate;
    backend.dial_gate = &second_gate;
    gate.open();
    EXPECT_EQ(dialing.status(), POOL_EDIAL);
    eventually([&] { return backend.dials == 2; });
    EXPECT_EQ(pool.stats().waiters, 1u);
    EXPECT_EQ(pool.stats().dialing, 1u);
    second_gate.open();
    EXPECT_EQ(first.status(), POOL_EDIAL);
    EXPECT_EQ(second.status(), POOL_EDIAL) << "every waiter gets its turn to fail";
    EXPECT_EQ(pool.stats().open, 0u);
    EXPECT_EQ(pool.stats().keys, 0u);
}

TEST(ConnPoolWaiting, TimesOutAndLeavesTheLine) {
    Backend backend;
    ConnPoolUnderTest pool(bounded(backend, 1));
    pool_conns_lease *held = pool.acquire("a"), *lease = held;
    EXPECT_EQ(pool.acquire("a", kMillisecond, &lease), POOL_ETIMEDOUT);
    EXPECT_EQ(lease, nullptr);
    EXPECT_STREQ(pool_last_error(), "pool '': no connection for key 'a' within the timeout");
    pool_conns_stats stats = pool.stats();
    EXPECT_EQ(stats.timeouts, 1u);
    EXPECT_EQ(stats.waiters, 0u);
    EXPECT_GE(stats.wait_time, static_cast<uint64_t>(kMillisecond)) << "timed out early";
    pool_conns_release(held);
    EXPECT_EQ(pool.stats().idle, 1u) << "handed to somebody who had left";
}

TEST(ConnPoolWaiting, AnExpiredWaiterIsPassedOver) {
    StoppedClock clock;
    Backend backend;
    ConnPoolUnderTest pool(bounded(backend, 1));
    pool_conns_lease *held = pool.acquire("a");
    Waiting late(pool, "a", 3000 * kSecond);
    until_waiting(pool, 1);
    Waiting patient(pool, "a");
    until_waiting(pool, 2);
    clock.advance(4000 * kSecond);
    pool_conns_release(held);
    EXPECT_EQ(late.status(), POOL_ETIMEDOUT);
    EXPECT_EQ(patient.status(), POOL_OK);
    pool_conns_release(patient.lease());
}

TEST(ConnPoolWaiting, MoreThanMaxWaitersAreTurnedAway) {
    Backend backend;
    pool_conns_options options = bounded(backend, 1);
    options.max_waiters = 1;
    ConnPoolUnderTest pool(options);
    pool_conns_lease *held = pool.acquire("a"), *lease;
    Waiting waiter(pool, "a");
    until_waiting(pool, 1);
    EXPECT_EQ(pool.acquire("a", POOL_FOREVER, &lease), POOL_EFULL);
    EXPECT_STREQ(pool_last_error(), "pool '': 1 wait already");
    pool_conns_release(held);
    EXPECT_EQ(waiter.status(), POOL_OK);
    pool_conns_release(waiter.lease());
}

TEST(ConnPoolWaiting, ABlockedKeyDoesNotBlockAnother) {
    Backend backend;
    ConnPoolUnderTest pool(bounded(backend, 1, 3));
    pool_conns_lease *held = pool.acquire("a");
    Waiting waiter(pool, "a");
    until_waiting(pool, 1);
    pool_conns_lease *other;
    EXPECT_EQ(pool.acquire("b", kSecond, &other), POOL_OK);
    pool_conns_release(other);
    EXPECT_FALSE(waiter.done());
    pool_conns_release(held);
    EXPECT_EQ(waiter.status(), POOL_OK);
    pool_conns_release(waiter.lease());
}

TEST(ConnPoolWaiting, AtTheGlobalBoundTheLeastRecentlyUsedIdleConnectionMakesRoom) {
    Backend backend;
    ConnPoolUnderTest pool(bounded(backend, 3, 3));
    pool_conns_lease *a = pool.acquire("a"), *b = pool.acquire("b"), *c = pool.acquire("c");
    pool_conns_release(b);
    pool_conns_release(a);
    pool_conns_lease *d = pool.acquire("d");
    EXPECT_EQ(backend.closed(POOL_CONNS_MAX_IDLE), 1);
    EXPECT_EQ(backend.most_live(), 3);
    pool_conns_lease *lease;
    EXPECT_EQ(pool.acquire("b", 0, &lease), POOL_EAGAIN) << "b was the oldest";
    EXPECT_EQ(pool.acquire("a", 0, &lease), POOL_OK);
    for (pool_conns_lease *each : {lease, c, d})
        pool_conns_release(each);
    EXPECT_EQ(pool.stats().keys, 3u);
}

TEST(ConnPoolWaiting, FreedCapacityWakesAWaiterOfAnyKey) {
    using End = std::function<void(pool_conns_lease *)>;
    for (const End &end : {End(pool_conns_release), End(pool_conns_discard)}) {
        Backend backend;
        ConnPoolUnderTest pool(bounded(backend, 2, 2));
        pool_conns_lease *one = pool.acquire("a"), *two = pool.acquire("a");
        Waiting other(pool, "b");
        until_waiting(pool, 1);
        end(one);
        EXPECT_EQ(other.status(), POOL_OK);
        EXPECT_EQ(connection_of(other.lease())->key, "b");
        EXPECT_EQ(backend.most_live(), 2);
        pool_conns_release(two);
        pool_conns_release(other.lease());
    }
}

TEST(ConnPoolWaiting, PlacesGoToTheOldestWaiterAcrossKeys) {
    Backend backend;
    ConnPoolUnderTest pool(bounded(backend, 2, 1));
    pool_conns_lease *held = pool.acquire("a");
    Waiting first(pool, "b");
    until_waiting(pool, 1);
    Waiting second(pool, "c");
    until_waiting(pool, 2);
    pool_conns_discard(held);
    EXPECT_EQ(first.status(), POOL_OK);
    EXPECT_FALSE(second.done());
    pool_conns_discard(first.lease());
    EXPECT_EQ(second.status(), POOL_OK);
    pool_conns_release(second.lease());
}

TEST(ConnPoolWaiting, AKeyWithoutConnectionsIsNotStarvedByABusyOne) {
    Backend backend;
    ConnPoolUnderTest pool(bounded(backend, 1, 1));
    pool_conns_lease *held = pool.acquire("busy");
    Waiting starving(pool, "poor");
    until_waiting(pool, 1);
    Waiting busy(pool, "busy");
    until_waiting(pool, 2);
    pool_conns_release(held);
    EXPECT_EQ(starving.status(), POOL_OK);
    EXPECT_FALSE(busy.done());
    EXPECT_EQ(backend.most_live(), 1);
    pool_conns_release(starving.lease());
    EXPECT_EQ(busy.status(), POOL_OK);
    pool_conns_release(busy.lease());
}

TEST(ConnPoolWaiting, AYoungerWaiterOfAnotherKeyLetsTheConnectionStayWhereItIs) {
    Backend backend;
    ConnPoolUnderTest pool(bounded(backend, 1, 1));
    pool_conns_lease *held = pool.acquire("a");
    void *conn = pool_conns_lease_conn(held);
    Waiting same(pool, "a");
    until_waiting(pool, 1);
    Waiting other(pool, "b");
    until_waiting(pool, 2);
    pool_conns_release(held);
    EXPECT_EQ(same.status(), POOL_OK);
    EXPECT_EQ(pool_conns_lease_conn(same.lease()), conn);
    pool_conns_release(same.lease());
    EXPECT_EQ(other.status(), POOL_OK);
    pool_conns_release(other.lease());
}

TEST(ConnPoolWaiting, AnExpiredConnectionIsNotHandedOver) {
    StoppedClock clock;
    Backend backend;
    pool_conns_options options = bounded(backend, 1);
    options.max_lifetime = 10 * kSecond;
    ConnPoolUnderTest pool(options);
    pool_conns_lease *held = pool.acquire("a");
    Waiting waiter(pool, "a");
    until_waiting(pool, 1);
    clock.advance(11 * kSecond);
    pool_conns_release(held);
    EXPECT_EQ(waiter.status(), POOL_OK);
    EXPECT_EQ(pool_conns_lease_uses(waiter.lease()), 0u);
    EXPECT_EQ(backend.closed(POOL_CONNS_MAX_LIFETIME), 1);
    EXPECT_EQ(backend.most_live(), 1);
    pool_conns_release(waiter.lease());
}

TEST(ConnPoolWaiting, OneWhoWantsAFreshConnectionHoldsUpNobody) {
    Backend backend;
    Gate gate;
    pool_conns_options options = bounded(backend, 3);
    options.flags = POOL_CONNS_DIALERS;
    ConnPoolUnderTest pool(options);
    pool_conns_lease *held = pool.acquire("a");
    backend.dial_gate = &gate;
    std::thread fresh([&] {
        pool_conns_acquire_options how = {};
        how.size = sizeof how;
        how.flags = POOL_CONNS_FRESH;
        pool_conns_lease *lease = nullptr;
        EXPECT_EQ(pool_conns_acquire_with(pool, "a", 1, POOL_FOREVER, &how, &lease), POOL_OK);
        EXPECT_EQ(pool_conns_lease_uses(lease), 0u);
        pool_conns_release(lease);
    });
    until_waiting(pool, 1);
    Waiting other(pool, "a");
    until_waiting(pool, 2);
    while (backend.dials != 3) // a dialer needs its time to start
        std::this_thread::yield();
    void *conn = pool_conns_lease_conn(held);
    pool_conns_release(held);
    EXPECT_EQ(other.status(), POOL_OK);
    EXPECT_EQ(pool_conns_lease_conn(other.lease()), conn);
    gate.open();
    fresh.join();
    EXPECT_EQ(backend.dials, 3) << "one for each who waited";
    pool_conns_release(other.lease());
}

TEST(ConnPoolWaiting, WhereDialersCannotBeStartedTheWaiterDials) {
    static std::atomic<bool> refuse;
    refuse = false;
    pool_allocator allocator = {sizeof(pool_allocator),
                                [](size_t bytes, size_t alignment, void *) -> void * {
                                    size_t whole = (bytes + alignment - 1) / alignment * alignment;
                                    return refuse ? nullptr : aligned_alloc(alignment, whole);
                                },
                                [](void *memory, size_t, size_t, void *) { free(memory); },
                                nullptr};
    Backend backend;
    pool_conns_options options = bounded(backend, 2);
    options.flags = POOL_CONNS_DIALERS;
    options.allocator = &allocator;
    ConnPoolUnderTest pool(options);
    ASSERT_EQ(pool_conns_fill(pool, "a", 1, 1, POOL_FOREVER), POOL_OK) << "and there is a record";
    pool_conns_lease *first = pool.acquire("a");
    refuse = true;
    pool_conns_lease *second = pool.acquire("a");
    refuse = false;
    EXPECT_EQ(backend.dials, 2);
    EXPECT_EQ(pool.stats().threads, 0u);
    pool_conns_release(first);
    pool_conns_release(second);
}

} // namespace
