// Rules worth keeping of r2d2, bb8, deadpool, SQLAlchemy's QueuePool, psycopg_pool, node-pool and
// nginx.
//
// SPDX-License-Identifier: Apache-2.0
#include "support/conn_pool.h"

#include <memory>

namespace {

using namespace pool_test;

TEST(R2d2, TestOnCheckOutIsDoneBesideTheLock) {
    struct Slow : Peer {
        static pool_status slow(void *, int64_t, void *ctx) {
            Slow *self = static_cast<Slow *>(static_cast<Peer *>(ctx));
            self->checking.raise();
            self->gate.wait();
            return POOL_OK;
        }
        Tally checking;
        Gate gate;
    } peer;
    StoppedClock clock;
    pool_conns_options options = peer.options();
    options.validate = Slow::slow;
    ConnPoolUnderTest pool(options);
    pool_conns_release(pool.acquire("db"));
    clock.advance(kSecond);
    Acquiring checked(pool, "db");
    peer.checking.wait_for(1);
    pool_conns_release(pool.acquire("db")); // a new one: the only idle one is being checked
    peer.gate.open();
    pool_conns_release(checked.lease());
}

// The pool is full after build(), or there is none.
TEST(R2d2, BuildFillsThePoolOrFails) {
    Peer peer;
    pool_conns_options options = peer.options();
    set_key(&options, "db");
    options.max_open_per_key = options.initial = 10;
    ConnPoolUnderTest pool(options);
    EXPECT_EQ(pool.stats().idle, 10u);
    peer.dials_to_succeed = 9;
    pool_conns *other;
    EXPECT_EQ(pool_conns_create(&options, &other), 42);
    EXPECT_EQ(peer.live(), 10) << "only those of the first pool";
}

TEST(Bb8, AnExternalConnectionCanBeAdded) {
    Peer peer;
    pool_conns_options options = peer.options();
    options.max_open_per_key = 1;
    ConnPoolUnderTest pool(options);
    void *mine = nullptr;
    EXPECT_EQ(pool_conns_detach(pool.acquire("db"), &mine), POOL_OK);
    EXPECT_EQ(pool_conns_adopt(pool, "db", 2, mine), POOL_OK);
    pool_conns_lease *lease = pool.acquire("db");
    EXPECT_EQ(pool_conns_lease_conn(lease), mine);
    EXPECT_EQ(pool_conns_adopt(pool, "db", 2, &peer), POOL_EFULL);
    pool_conns_release(lease);
    EXPECT_EQ(pool.stats().adopted, 1u);
    pool_conns_close(pool, 0, nullptr);
    EXPECT_EQ(pool_conns_adopt(pool, "db", 2, &peer), POOL_ECLOSED);
    EXPECT_EQ(peer.live(), 0) << "closed by the pool, as if it had dialed it";
}

TEST(Bb8, AWaiterGetsAnAddedConnection) {
    Peer peer;
    Gate gate;
    pool_conns_options options = peer.options();
    options.max_dials = 1;
    ConnPoolUnderTest pool(options);
    void *mine = nullptr;
    EXPECT_EQ(pool_conns_detach(pool.acquire("db"), &mine), POOL_OK);
    peer.dial_gate = &gate;
    Acquiring dialing(pool, "db");
    eventually([&] { return peer.dials == 2; });
    Acquiring waiting(pool, "db");
    until_waiting(pool, 1);
    EXPECT_EQ(pool_conns_adopt(pool, "db", 2, mine), POOL_OK);
    EXPECT_EQ(pool_conns_lease_conn(waiting.lease()), mine);
    gate.open();
    release_all({dialing.lease(), waiting.lease()});
}

// recycle(): asked before each use after the first; a connection that fails is dropped, and the next
// one is tried until none is left.
TEST(Deadpool, RecycleGoesThroughTheIdleOnesUntilOneIsGood) {
    StoppedClock clock;
    Peer peer;
    pool_conns_options options = peer.options();
    options.validate = Peer::validate;
    options.validate_after = 1; // a nanosecond: nearly always
    options.idle_order = POOL_CONNS_FIFO;
    ConnPoolUnderTest pool(options);
    std::vector<pool_conns_lease *> three = take(pool, "db", 3);
    EXPECT_EQ(peer.validations.calls, 0) << "fresh ones are not asked";
    void *last = pool_conns_lease_conn(three[2]);
    release_all(three);
    clock.advance(1);
    peer.validations.refusals = 2;
    pool_conns_lease *lease = pool.acquire("db");
    EXPECT_EQ(pool_conns_lease_conn(lease), last);
    EXPECT_EQ(peer.validations.calls, 3);
    pool_conns_release(lease);
}

TEST(Deadpool, ResizeClosesWhatIsTooMuch) {
    Peer peer;
    ConnPoolUnderTest pool(peer.options());
    release_all(take(pool, "db", 8));
    set(pool, POOL_CONNS_SET_MAX_OPEN_PER_KEY, 3);
    EXPECT_EQ(pool.stats().open, 3u);
    release_all(take(pool, "db", 3));
    EXPECT_EQ(peer.dials, 8);
}

// pool_size 2 and max_overflow 3: five may be open, two are kept.
TEST(QueuePool, OverflowIsMaxOpenAboveMaxIdle) {
    Peer peer;
    pool_conns_options options = peer.options();
    options.max_open_per_key = 2 + 3;
    options.max_idle_per_key = 2;
    ConnPoolUnderTest pool(options);
    std::vector<pool_conns_lease *> five = take(pool, "db", 5);
    pool_conns_lease *sixth;
    EXPECT_EQ(pool.acquire("db", kMillisecond, &sixth), POOL_ETIMEDOUT);
    release_all(five);
    EXPECT_EQ(pool.stats().idle, 2u);
    EXPECT_EQ(peer.closed(POOL_CONNS_MAX_IDLE), 3);
}

TEST(QueuePool, UseLifoChoosesTheOrder) {
    OnOneCpu pinned;
    for (pool_conns_idle_order order : {POOL_CONNS_LIFO, POOL_CONNS_FIFO}) {
        Peer peer;
        pool_conns_options options = peer.options();
        options.idle_order = order;
        ConnPoolUnderTest pool(options);
        std::vector<pool_conns_lease *> two = take(pool, "db", 2);
        void *first = pool_conns_lease_conn(two[0]), *last = pool_conns_lease_conn(two[1]);
        release_all(two);
        pool_conns_lease *lease = pool.acquire("db");
        EXPECT_EQ(pool_conns_lease_conn(lease), order == POOL_CONNS_LIFO ? last : first);
        pool_conns_release(lease);
    }
}

// pool_pre_ping: if one connection is stale all are, since the server was restarted.
TEST(QueuePool, AStaleConnectionMayClearItsKey) {
    Peer peer;
    ConnPoolUnderTest pool(peer.options());
    release_all(take(pool, "db", 5));
    pool_conns_release(pool.acquire("other db"));
    bool stale = true;
    EXPECT_EQ(run(pool, "db",
                  [&](pool_conns_lease *, void *) -> pool_status {
                      if (!std::exchange(stale, false))
                          return POOL_OK;
                      pool_conns_clear_key(pool, "db", 2);
                      return POOL_EBAD;
                  }),
              POOL_OK);
    EXPECT_EQ(peer.dials, 7);
    EXPECT_EQ(key_stats(pool, "db").open, 1u);
    EXPECT_EQ(key_stats(pool, "other db").open, 1u);
}

// pool_recycle
TEST(QueuePool, RecycleIsALifetime) {
    StoppedClock clock;
    Peer peer;
    pool_conns_options options = peer.options();
    options.max_lifetime = 3600 * kSecond;
    ConnPoolUnderTest pool(options);
    pool_conns_release(pool.acquire("db"));
    clock.advance(3600 * kSecond);
    pool_conns_release(pool.acquire("db"));
    EXPECT_EQ(peer.closed(POOL_CONNS_MAX_LIFETIME), 1);
}

TEST(PsycopgPool, MoreThanMaxWaitingAreTurnedAway) {
    Peer peer;
    pool_conns_options options = peer.options();
    options.max_open_per_key = 1;
    options.max_waiters = 2;
    ConnPoolUnderTest pool(options);
    pool_conns_lease *held = pool.acquire("db"), *lease;
    Acquiring one(pool, "db");
    until_waiting(pool, 1);
    Request two(pool, "db");
    EXPECT_EQ(pool.acquire("db", POOL_FOREVER, &lease), POOL_EFULL); // TooManyRequests
    pool_conns_request *three;
    EXPECT_EQ(pool_conns_request_start(pool, "db", 2, POOL_FOREVER, nullptr, &three), POOL_EFULL);
    EXPECT_EQ(pool.stats().refused, 2u);
    pool_conns_release(held);
    pool_conns_release(one.lease());
    EXPECT_EQ(two.finish(&lease), POOL_OK);
    pool_conns_release(lease);
}

// wait(): until the pool is filled, or not in time.
TEST(PsycopgPool, AProgramCanWaitUntilThePoolIsFilled) {
    Peer peer;
    ConnPoolUnderTest pool(peer.options());
    EXPECT_EQ(pool_conns_fill(pool, "db", 2, 4, 60 * kSecond), POOL_OK);
    EXPECT_EQ(pool.stats().idle, 4u);
}

TEST(NodePool, PrioritiesStandBeforeArrival) {
    Peer peer;
    pool_conns_options options = peer.options();
    options.max_open_per_key = 1;
    options.handoff = POOL_CONNS_STRICT;
    ConnPoolUnderTest pool(options);
    pool_conns_lease *held = pool.acquire("db");
    std::vector<std::unique_ptr<Acquiring>> waiting;
    for (int32_t priority : {-1, 0, 1, 0}) {
        pool_conns_acquire_options how = {};
        how.priority = priority;
        waiting.push_back(std::make_unique<Acquiring>(pool, "db", POOL_FOREVER, how));
        until_waiting(pool, waiting.size());
    }
    for (size_t next : {2u, 1u, 3u, 0u}) {
        pool_conns_release(held);
        held = waiting[next]->lease();
    }
    pool_conns_release(held);
}

// What golang/go#31708, sqlx#453 and others are about: those who wait, and newcomers.
TEST(Handoff, NobodyOvertakesOneWhoWaitsIfTheRuleIsStrictOrHeHasWaitedForAMillisecond) {
    for (pool_conns_handoff rule : {POOL_CONNS_STRICT, POOL_CONNS_FAIR}) {
        StoppedClock clock;
        Peer peer;
        pool_conns_options options = peer.options();
        options.max_open_per_key = 1;
        options.handoff = rule;
        ConnPoolUnderTest pool(options);
        for (uint64_t round = 1; round <= 20; round++) {
            pool_conns_lease *held = pool.acquire("db"), *lease;
            Acquiring waiter(pool, "db");
            until_waiting(pool, 1);
            if (rule == POOL_CONNS_FAIR)
                clock.advance(kMillisecond);
            pool_conns_release(held);
            EXPECT_EQ(pool.acquire("db", 0, &lease), POOL_EAGAIN);
            pool_conns_release(waiter.lease());
            EXPECT_EQ(pool.stats().handoffs, round);
        }
    }
}

// keepalive_requests
TEST(Nginx, AConnectionIsUsedSoOftenAndNoMore) {
    Peer peer;
    pool_conns_options options = peer.options();
    options.max_uses = 3;
    ConnPoolUnderTest pool(options);
    for (int i = 0; i < 7; i++)
        pool_conns_release(pool.acquire("upstream"));
    EXPECT_EQ(peer.dials, 3);
    EXPECT_EQ(peer.closed(POOL_CONNS_MAX_USES), 2);
    EXPECT_EQ(pool.stats().closed_max_uses, 2u);
}

} // namespace
