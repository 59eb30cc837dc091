// What must hold of a connection pool at every instant, one test or more for each rule. Each rule
// stands for a kind of bug that some pool has had.
//
// SPDX-License-Identifier: Apache-2.0
#include "support/conn_pool.h"

#include <random>

namespace {

using namespace pool_test;

// A thread that uses a pool in every way, as chance has it.
void use(const ConnPoolUnderTest &pool, Peer *peer, unsigned seed, int turns) {
    std::minstd_rand random(seed);
    for (int turn = 0; turn < turns; turn++) {
        const char *const keys[] = {"a", "b", "c"}, *key = keys[random() % 3];
        const int64_t timeouts[] = {0, 50000, kMillisecond, 10 * kSecond};
        pool_conns_lease *lease = nullptr;
        if (random() % 4 == 0) {
            Request request(pool, key, timeouts[random() % 4]);
            if (random() % 2)
                request.cancel();
            if (random() % 2)
                continue; // destroyed
            if (request.finish(&lease) != POOL_OK)
                continue;
        } else if (pool.acquire(key, timeouts[random() % 4], &lease) != POOL_OK) {
            EXPECT_EQ(lease, nullptr);
            continue;
        }
        EXPECT_TRUE(connection_of(lease)->open) << "closed while it was lent";
        EXPECT_EQ(connection_of(lease)->key, key);
        void *conn = nullptr;
        switch (random() % 8) {
        case 0:
            EXPECT_EQ(pool_conns_discard(lease), POOL_OK);
            break;
        case 1:
            EXPECT_EQ(pool_conns_detach(lease, &conn), POOL_OK);
            if (pool_conns_adopt(pool, key, 1, conn) != POOL_OK)
                Backend::close(conn, 0, static_cast<Backend *>(peer));
            break;
        default:
            EXPECT_EQ(pool_conns_release(lease), POOL_OK);
        }
    }
}

// Every kind of pool at once under use; look() is called again and again meanwhile.
template <class Look>
void with_traffic(uint32_t flags, Look look) {
    for (pool_conns_handoff handoff : {POOL_CONNS_FAIR, POOL_CONNS_STRICT, POOL_CONNS_FREE}) {
        Peer peer;
        pool_conns_options options = peer.options();
        options.max_open = 4;
        options.max_open_per_key = 2;
        options.max_idle = 3;
        options.max_uses = 20;
        options.max_lifetime = options.idle_timeout = 2 * kMillisecond;
        options.reap_interval = kMillisecond;
        options.flags = flags;
        options.handoff = handoff;
        options.before_acquire = Peer::before_acquire;
        options.reset = Peer::reset;
        ConnPoolUnderTest pool(options);
        std::atomic<int> running{4};
        std::vector<std::thread> threads;
        for (unsigned i = 0; i < 4; i++)
            threads.emplace_back([&, i] {
                use(pool, &peer, i * 7919 + flags, 150);
                running--;
            });
        for (int i = 0; running > 0; i++) {
            look(pool, peer);
            peer.dial_result = i % 8 == 0 ? POOL_EDIAL : POOL_OK;
            if (i % 16 == 0)
                peer.resets.refusals = peer.before_acquires.refusals = 1;
            if (i % 32 == 0)
                pool_conns_clear(pool);
            std::this_thread::yield();
        }
        peer.dial_result = POOL_OK;
        for (std::thread &thread : threads)
            thread.join();
        eventually([&] { return pool.stats().dialing == 0 && pool.stats().in_use == 0; });
        look(pool, peer);
        EXPECT_EQ(pool.stats().waiters, 0u);
        EXPECT_EQ(static_cast<int>(pool.stats().idle), peer.live());
        EXPECT_EQ(pool_conns_close(pool, POOL_FOREVER, nullptr), POOL_OK);
        EXPECT_EQ(peer.live(), 0);
    }
}

TEST(ConnPoolInvariants, I1IdleInUseAndDialingNeverExceedMaxOpen) {
    for (uint32_t flags : {0u, uint32_t{POOL_CONNS_DIALERS}})
        with_traffic(flags, [](const ConnPoolUnderTest &pool, Peer &) {
            pool_conns_stats stats = pool.stats(); // checks that open is the sum
            EXPECT_LE(stats.open, 4u);
            EXPECT_LE(stats.idle, 4u);
            for (const char *key : {"a", "b", "c"})
                EXPECT_LE(key_stats(pool, key).open, 2u);
        });
}

// Each event that frees capacity, while one waits for it.
TEST(ConnPoolInvariants, I2NobodyWaitsForWhatIsThere) {
    struct Case {
        const char *name;
        std::function<void(pool_conns *, Peer *, pool_conns_lease *)> event;
    } cases[] = {
        {"release", [](pool_conns *, Peer *, auto lease) { pool_conns_release(lease); }},
        {"discard", [](pool_conns *, Peer *, auto lease) { pool_conns_discard(lease); }},
        {"detach",
         [](pool_conns *, Peer *peer, auto lease) {
             void *conn;
             pool_conns_detach(lease, &conn);
             peer->forget(conn);
         }},
        {"reset that fails",
         [](pool_conns *, Peer *peer, auto lease) {
             peer->resets.refusals = 1;
             pool_conns_release(lease);
         }},
        {"hook that refuses",
         [](pool_conns *, Peer *peer, auto lease) {
             peer->after_releases.refusals = 1;
             pool_conns_release(lease);
         }},
        {"before_acquire that refuses",
         [](pool_conns *, Peer *peer, auto lease) {
             peer->before_acquires.refusals = 1;
             pool_conns_release(lease);
         }},
        {"cleared",
         [](pool_conns *pool, Peer *, auto lease) {
             pool_conns_clear(pool);
             pool_conns_release(lease);
         }},
        {"more room for the key",
         [](pool_conns *pool, Peer *, auto lease) {
             set(pool, POOL_CONNS_SET_MAX_OPEN_PER_KEY, 2);
             eventually([&] { return key_stats(pool, "a").in_use == 2; });
             pool_conns_release(lease);
         }},
        {"more room for all",
         [](pool_conns *pool, Peer *, auto lease) {
             set(pool, POOL_CONNS_SET_MAX_OPEN, 2);
             set(pool, POOL_CONNS_SET_MAX_OPEN_PER_KEY, 2);
             eventually([&] { return key_stats(pool, "a").in_use == 2; });
             pool_conns_release(lease);
         }},
    };
    for (const Case &each : cases)
        for (uint32_t flags : {0u, uint32_t{POOL_CONNS_DIALERS}})
            for (bool as_request : {false, true}) {
                SCOPED_TRACE(each.name);
                Peer peer;
                pool_conns_options options = peer.options();
                options.max_open = options.max_open_per_key = 1;
                options.flags = flags;
                options.reset = Peer::reset;
                options.after_release = Peer::after_release;
                options.before_acquire = Peer::before_acquire;
                ConnPoolUnderTest pool(options);
                if (each.name == std::string("more room for the key"))
                    set(pool, POOL_CONNS_SET_MAX_OPEN, 0);
                pool_conns_lease *held = pool.acquire("a"), *lease = nullptr;
                if (as_request) {
                    Request waiter(pool, "a");
                    each.event(pool, &peer, held);
                    EXPECT_EQ(waiter.finish(&lease), POOL_OK);
                } else {
                    Acquiring waiter(pool, "a");
                    until_waiting(pool, 1);
                    each.event(pool, &peer, held);
                    lease = waiter.lease();
                }
                pool_conns_release(lease);
                EXPECT_EQ(pool.stats().waiters, 0u);
            }
}

TEST(ConnPoolInvariants, I3OneWhoGaveUpKeepsNoConnection) {
    StoppedClock clock;
    Peer peer;
    pool_conns_options options = peer.options();
    options.max_open_per_key = 1;
    ConnPoolUnderTest pool(options);
    pool_conns_lease *held = pool.acquire("a"), *lease;
    Request cancelled(pool, "a");
    Request expired(pool, "a", kSecond);
    Acquiring late(pool, "a", kSecond);
    until_waiting(pool, 3);
    cancelled.cancel();
    clock.advance(kSecond);
    pool_conns_release(held);
    EXPECT_EQ(pool.stats().idle, 1u) << "it went to somebody who is not there";
    EXPECT_EQ(cancelled.finish(&lease), POOL_ECANCELED);
    EXPECT_EQ(expired.finish(&lease), POOL_ETIMEDOUT);
    EXPECT_EQ(late.status(), POOL_ETIMEDOUT);
    EXPECT_EQ(pool.stats().idle, 1u);
    EXPECT_EQ(pool.stats().waiters, 0u);
}

TEST(ConnPoolInvariants, I3ACancelThatMeetsAHandOverLosesNothing) {
    Peer peer;
    pool_conns_options options = peer.options();
    options.max_open_per_key = 1;
    ConnPoolUnderTest pool(options);
    for (int i = 0; i < 200; i++) {
        pool_conns_lease *held = pool.acquire("a"), *lease = nullptr;
        Request request(pool, "a");
        std::thread cancelling([&] { request.cancel(); });
        pool_conns_release(held);
        cancelling.join();
        if (request.finish(&lease) == POOL_OK)
            pool_conns_release(lease);
        ASSERT_EQ(pool.acquire("a", 0, &lease), POOL_OK) << "nobody has it, and it is not idle";
        pool_conns_release(lease);
    }
    EXPECT_EQ(peer.dials, 1);
}

TEST(ConnPoolInvariants, I4AFailedDialFreesItsPlaceAndWakesOne) {
    Peer peer;
    Gate first_dial, second_dial;
    pool_conns_options options = peer.options();
    options.max_open_per_key = 1;
    ConnPoolUnderTest pool(options);
    peer.dial_gate = &first_dial;
    peer.dial_result = POOL_EDIAL;
    Acquiring dialing(pool, "a");
    eventually([&] { return peer.dials == 1; });
    Acquiring one(pool, "a"), two(pool, "a");
    until_waiting(pool, 2);
    peer.dial_gate = &second_dial;
    first_dial.open();
    EXPECT_EQ(dialing.status(), POOL_EDIAL);
    eventually([&] { return peer.dials == 2; });
    EXPECT_EQ(pool.stats().waiters, 1u);
    EXPECT_EQ(pool.stats().open, 1u);
    peer.dial_result = POOL_OK;
    second_dial.open();
    eventually([&] { return one.done() || two.done(); });
    bool first_was_one = one.done();
    pool_conns_release((first_was_one ? one : two).lease());
    pool_conns_release((first_was_one ? two : one).lease());
    EXPECT_EQ(peer.dials, 2);
}

// A second close fails the test in Backend, a sum that is wrong in stats(), a connection that is
// left over at the end of the traffic.
TEST(ConnPoolInvariants, I5EveryConnectionIsClosedExactlyOnce) {
    for (uint32_t flags : {0u, uint32_t{POOL_CONNS_DIALERS}})
        with_traffic(flags, [](const ConnPoolUnderTest &pool, Peer &) { pool.stats(); });
}

// Each asks for statistics, which needs every lock that a pool may have.
TEST(ConnPoolInvariants, I6CallbacksRunUnderNoLock) {
    struct Asking : Peer {
        pool_conns *pool = nullptr;
        std::atomic<int> asked{0};
        static void ask(void *ctx) {
            Asking *self = static_cast<Asking *>(static_cast<Peer *>(ctx));
            if (self->pool == nullptr)
                return;
            pool_conns_stats stats;
            stats.size = sizeof stats;
            EXPECT_EQ(pool_conns_get_stats(self->pool, &stats), POOL_OK);
            pool_conns_key_stats of_key;
            of_key.size = sizeof of_key;
            EXPECT_EQ(pool_conns_get_key_stats(self->pool, "a", 1, &of_key), POOL_OK);
            pool_conns_reap(self->pool);
            self->asked++;
        }
        static int32_t hook(void *, const void *, size_t, void *ctx) { return ask(ctx), 1; }
        static pool_status check(void *, int64_t, void *ctx) { return ask(ctx), POOL_OK; }
    } asking;
    StoppedClock clock;
    pool_conns_options options = asking.options();
    options.is_alive = [](void *, int64_t, void *ctx) -> int32_t { return Asking::ask(ctx), 1; };
    options.validate = options.reset = Asking::check;
    options.after_connect = options.before_acquire = options.after_release = Asking::hook;
    options.before_close = [](void *, pool_conns_reason, void *ctx) { Asking::ask(ctx); };
    options.on_leak = [](const pool_conns_lease_info *, void *ctx) { Asking::ask(ctx); };
    options.leak_threshold = 10 * kMillisecond;
    ConnPoolUnderTest pool(options);
    asking.pool = pool;
    pool_conns_lease *lease = pool.acquire("a");
    EXPECT_EQ(asking.asked, 2); // after_connect, before_acquire
    clock.advance(20 * kMillisecond);
    eventually([&] { return asking.asked == 3; }); // on_leak
    pool_conns_release(lease);
    EXPECT_EQ(asking.asked, 6); // on_leak again, after_release, reset
    clock.advance(kSecond);
    lease = pool.acquire("a");
    EXPECT_EQ(asking.asked, 9); // is_alive, validate, before_acquire
    pool_conns_discard(lease);
    EXPECT_EQ(asking.asked, 10); // before_close
    asking.pool = nullptr;
}

TEST(ConnPoolInvariants, I7NobodyTimesOutEarly) {
    StoppedClock clock;
    Peer peer;
    pool_conns_options options = peer.options();
    options.max_open_per_key = 1;
    ConnPoolUnderTest pool(options);
    pool_conns_lease *held = pool.acquire("a");
    Acquiring waiter(pool, "a", 2 * kMillisecond);
    until_waiting(pool, 1);
    Request request(pool, "a", 2 * kMillisecond);
    Acquiring sooner(pool, "a", 2 * kMillisecond - 3);
    until_waiting(pool, 3);
    clock.advance(2 * kMillisecond - 3);
    EXPECT_EQ(sooner.status(), POOL_ETIMEDOUT); // by then those who came before have looked, too
    until_seen(pool, clock, "a");
    EXPECT_FALSE(waiter.done());
    EXPECT_FALSE(request.ended());
    clock.advance(1);
    EXPECT_EQ(waiter.status(), POOL_ETIMEDOUT);
    pool_conns_lease *lease;
    EXPECT_EQ(request.finish(&lease), POOL_ETIMEDOUT);
    EXPECT_EQ(pool.stats().timeouts, 5u); // with the two of until_seen()
    pool_conns_release(held);
}

// Somebody is woken, finds nothing, and stands in line again: with the deadline that he had.
TEST(ConnPoolInvariants, I7BeingOvertakenDoesNotPutADeadlineOff) {
    StoppedClock clock;
    Peer peer;
    pool_conns_options options = peer.options();
    options.max_open_per_key = 1;
    options.handoff = POOL_CONNS_FREE;
    ConnPoolUnderTest pool(options);
    pool_conns_lease *held = pool.acquire("a");
    Acquiring waiter(pool, "a", 5 * kMillisecond);
    until_waiting(pool, 1);
    for (int i = 0; i < 4; i++) {
        clock.advance(kMillisecond);
        pool_conns_release(held);
        if (pool.acquire("a", 0, &held) != POOL_OK)
            break; // the waiter was quicker
    }
    clock.advance(kMillisecond);
    if (held == nullptr) {
        pool_conns_release(waiter.lease());
        return;
    }
    EXPECT_EQ(waiter.status(), POOL_ETIMEDOUT);
    pool_conns_release(held);
}

TEST(ConnPoolInvariants, I8ADialUnderWayAtCloseIsClosedOnArrival) {
    for (uint32_t flags : {0u, uint32_t{POOL_CONNS_DIALERS}}) {
        Peer peer;
        Gate gate;
        pool_conns_options options = peer.options();
        options.flags = flags;
        ConnPoolUnderTest pool(options);
        peer.dial_gate = &gate;
        Acquiring dialing(pool, "a");
        Request request(pool, "b");
        eventually([&] { return peer.dials == 2; });
        pool_conns_close(pool, 0, nullptr);
        gate.open();
        EXPECT_EQ(pool_conns_close(pool, POOL_FOREVER, nullptr), POOL_OK);
        pool_conns_lease *lease;
        EXPECT_EQ(dialing.status(), POOL_ECLOSED);
        EXPECT_EQ(request.finish(&lease), POOL_ECLOSED);
        EXPECT_EQ(peer.closed(POOL_CONNS_POOL_CLOSED), 2);
        EXPECT_EQ(peer.live(), 0);
    }
}

TEST(ConnPoolInvariants, I9NothingFromBeforeAClearIsLentAfterIt) {
    for (bool by_key : {false, true}) {
        Peer peer;
        Gate gate;
        ConnPoolUnderTest pool(peer.options());
        pool_conns_lease *idle = pool.acquire("a"), *lent = pool.acquire("a");
        pool_conns_release(idle);
        std::set<void *> old = {pool_conns_lease_conn(lent)};
        peer.dial_gate = &gate;
        pool_conns_lease *again = pool.acquire("a");
        old.insert(pool_conns_lease_conn(again));
        Acquiring dialing(pool, "a"); // begun before, done after
        eventually([&] { return peer.dials == 3; });
        pool_conns_release(again);
        EXPECT_EQ(by_key ? pool_conns_clear_key(pool, "a", 1) : pool_conns_clear(pool), POOL_OK);
        gate.open();
        pool_conns_release(lent);
        std::vector<pool_conns_lease *> fresh = take(pool, "a", 3);
        fresh.push_back(dialing.lease());
        for (pool_conns_lease *lease : fresh) {
            EXPECT_EQ(old.count(pool_conns_lease_conn(lease)), 0u);
            EXPECT_EQ(pool_conns_lease_uses(lease), 0u);
        }
        EXPECT_EQ(peer.closed(POOL_CONNS_CLEARED), 3) << "that dial too is done again";
        release_all(fresh);
        EXPECT_EQ(pool.stats().idle, 4u);
    }
}

} // namespace
