// The rest of the rules of invariants_test.cpp: misuse, resizing, closing, counters, keys.
//
// SPDX-License-Identifier: Apache-2.0
#include "support/conn_pool.h"

#include <memory>

namespace {

using namespace pool_test;

TEST(ConnPoolInvariants, I10ASecondEndOfALeaseIsDetectedWhateverHappenedMeanwhile) {
    Peer peer;
    pool_conns_options options = peer.options();
    options.max_open_per_key = 1;
    ConnPoolUnderTest pool(options);
    pool_conns_lease *old = pool.acquire("a");
    void *conn = nullptr;
    auto expect_misuse = [&] {
        EXPECT_EQ(pool_conns_release(old), POOL_EMISUSE);
        EXPECT_EQ(pool_conns_discard(old), POOL_EMISUSE);
        EXPECT_EQ(pool_conns_detach(old, &conn), POOL_EMISUSE);
    };
    EXPECT_EQ(pool_conns_release(old), POOL_OK);
    expect_misuse(); // while it is idle
    pool_conns_lease *lease = pool.acquire("a");
    expect_misuse(); // while another has it
    EXPECT_TRUE(connection_of(lease)->open);
    EXPECT_EQ(pool_conns_discard(lease), POOL_OK);
    expect_misuse(); // when it is closed
    lease = pool.acquire("a");
    expect_misuse(); // when there is another one in its place
    EXPECT_EQ(pool_conns_release(lease), POOL_OK);
    EXPECT_EQ(pool.stats().idle, 1u);
    EXPECT_EQ(peer.live(), 1);
}

TEST(ConnPoolInvariants, I10OfTwoThreadsThatEndALeaseOneIsRight) {
    Peer peer;
    ConnPoolUnderTest pool(peer.options());
    constexpr int kTurns = 2000;
    std::atomic<pool_conns_lease *> both{nullptr};
    std::atomic<int> right{0};
    std::thread other([&] {
        for (int i = 0; i < kTurns; i++) {
            pool_conns_lease *lease;
            while ((lease = both.load()) == nullptr)
                std::this_thread::yield();
            right += pool_conns_release(lease) == POOL_OK ? 1 : 0;
            both = nullptr;
        }
    });
    for (int i = 0; i < kTurns; i++) {
        pool_conns_lease *lease = pool.acquire("a");
        both = lease;
        pool_status status = i % 2 ? pool_conns_release(lease) : pool_conns_discard(lease);
        EXPECT_TRUE(status == POOL_OK || status == POOL_EMISUSE);
        right += status == POOL_OK ? 1 : 0;
        while (both.load() != nullptr)
            std::this_thread::yield();
    }
    other.join();
    EXPECT_EQ(right, kTurns);
    EXPECT_EQ(pool.stats().in_use, 0u);
    EXPECT_EQ(static_cast<int>(pool.stats().idle), peer.live());
}

TEST(ConnPoolInvariants, I11ABoundThatIsLoweredIsReachedAsConnectionsComeBack) {
    for (pool_conns_setting setting : {POOL_CONNS_SET_MAX_OPEN, POOL_CONNS_SET_MAX_OPEN_PER_KEY}) {
        Peer peer;
        ConnPoolUnderTest pool(peer.options());
        std::vector<pool_conns_lease *> six = take(pool, "a", 6);
        set(pool, setting, 2);
        Acquiring waiter(pool, "a");
        until_waiting(pool, 1);
        for (uint64_t open : {5u, 4u, 3u, 2u}) {
            EXPECT_FALSE(waiter.done()) << "there are too many as it is";
            pool_conns_release(six.back());
            six.pop_back();
            EXPECT_EQ(pool.stats().open, open);
        }
        pool_conns_release(six.back()); // within the bound: handed over
        six.pop_back();
        pool_conns_release(waiter.lease());
        release_all(six);
        EXPECT_EQ(pool.stats().open, 2u);
        EXPECT_EQ(peer.dials, 6);
        EXPECT_EQ(peer.closed(POOL_CONNS_MAX_IDLE), 4);
    }
}

TEST(ConnPoolInvariants, I11IdleConnectionsBeyondALoweredBoundGoAtOnce) {
    struct {
        pool_conns_setting setting;
        uint64_t left;
    } cases[] = {{POOL_CONNS_SET_MAX_OPEN, 3},
                 {POOL_CONNS_SET_MAX_IDLE, 3},
                 {POOL_CONNS_SET_MAX_OPEN_PER_KEY, 6},
                 {POOL_CONNS_SET_MAX_IDLE_PER_KEY, 6}};
    for (auto [setting, left] : cases) {
        Peer peer;
        ConnPoolUnderTest pool(peer.options());
        release_all(take(pool, "a", 4));
        release_all(take(pool, "b", 4));
        set(pool, setting, 3);
        EXPECT_EQ(pool.stats().idle, left) << setting;
        EXPECT_EQ(peer.live(), static_cast<int>(left));
    }
}

TEST(ConnPoolInvariants, I11ABoundThatIsRaisedWakesAsManyAsItHasRoomFor) {
    for (pool_conns_setting setting : {POOL_CONNS_SET_MAX_OPEN, POOL_CONNS_SET_MAX_OPEN_PER_KEY}) {
        Peer peer;
        pool_conns_options options = peer.options();
        (setting == POOL_CONNS_SET_MAX_OPEN ? options.max_open : options.max_open_per_key) = 1;
        ConnPoolUnderTest pool(options);
        pool_conns_lease *held = pool.acquire("a");
        std::vector<std::unique_ptr<Request>> waiting;
        for (int i = 0; i < 4; i++)
            waiting.push_back(std::make_unique<Request>(pool, "a"));
        set(pool, setting, 3);
        eventually([&] { return pool.stats().in_use == 3; });
        EXPECT_EQ(pool.stats().waiters, 2u);
        pool_conns_release(held);
        for (auto &request : waiting) {
            pool_conns_lease *lease = nullptr;
            EXPECT_EQ(request->finish(&lease), POOL_OK);
            pool_conns_release(lease);
        }
        EXPECT_EQ(peer.most_live(), 3);
    }
}

TEST(ConnPoolInvariants, I12CloseWakesEverybody) {
    Peer peer;
    pool_conns_options options = peer.options();
    options.max_open = 1;
    ConnPoolUnderTest pool(options);
    pool_conns_lease *held = pool.acquire("a"), *lease;
    Acquiring same(pool, "a"), other(pool, "b"), timed(pool, "c", 1000 * kSecond);
    Request request(pool, "a"), second(pool, "d");
    until_waiting(pool, 5);
    pool_conns_close(pool, 0, nullptr);
    EXPECT_EQ(same.status(), POOL_ECLOSED);
    EXPECT_EQ(other.status(), POOL_ECLOSED);
    EXPECT_EQ(timed.status(), POOL_ECLOSED);
    EXPECT_EQ(request.finish(&lease), POOL_ECLOSED);
    EXPECT_EQ(second.finish(&lease), POOL_ECLOSED);
    EXPECT_EQ(pool.stats().waiters, 0u);
    pool_conns_release(held);
}

// Everything that only grows, in the order of the struct.
std::vector<uint64_t> counters(const pool_conns_stats &s) {
    return {s.acquires,
            s.hits,
            s.dials,
            s.dial_fails,
            s.waits,
            s.wait_time,
            s.timeouts,
            s.closed_broken,
            s.closed_invalid,
            s.closed_max_lifetime,
            s.closed_idle_timeout,
            s.closed_max_idle,
            s.closed_pool,
            s.closed_cleared,
            s.closed_max_uses,
            s.detached,
            s.adopted,
            s.canceled,
            s.refused,
            s.backed_off,
            s.nested,
            s.dial_time,
            s.empty_acquires,
            s.empty_time,
            s.handoffs,
            s.validations,
            s.validate_fails,
            s.reset_fails,
            s.leaks};
}

TEST(ConnPoolInvariants, I13CountersOnlyGrowAndAddUp) {
    Peer peer;
    pool_conns_options options = peer.options();
    options.max_open_per_key = 2;
    options.max_idle_per_key = 1;
    options.max_waiters = 2;
    options.max_uses = 5;
    options.reset = Peer::reset;
    ConnPoolUnderTest pool(options);
    std::atomic<uint64_t> got{0}, timed_out{0}, refused{0};
    std::atomic<int> running{4};
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; i++)
        threads.emplace_back([&, i] {
            for (int turn = 0; turn < 400; turn++) {
                pool_conns_lease *lease;
                pool_status status = pool.acquire("a", 20000 + turn, &lease);
                got += status == POOL_OK ? 1 : 0;
                timed_out += status == POOL_ETIMEDOUT ? 1 : 0;
                refused += status == POOL_EFULL ? 1 : 0;
                if (status == POOL_OK)
                    (turn + i) % 7 ? pool_conns_release(lease) : pool_conns_discard(lease);
            }
            running--;
        });
    std::vector<uint64_t> before = counters(pool.stats());
    while (running > 0) {
        pool_conns_stats stats = pool.stats(); // checks the sums
        std::vector<uint64_t> now = counters(stats);
        for (size_t i = 0; i < now.size(); i++)
            EXPECT_GE(now[i], before[i]) << "counter " << i;
        EXPECT_LE(stats.hits, stats.acquires);
        EXPECT_LE(stats.empty_acquires, stats.acquires);
        before = now;
        std::this_thread::yield();
    }
    for (std::thread &thread : threads)
        thread.join();
    pool_conns_stats stats = pool.stats();
    EXPECT_EQ(stats.acquires, got);
    EXPECT_EQ(stats.timeouts, timed_out);
    EXPECT_EQ(stats.refused, refused);
    EXPECT_EQ(stats.in_use, 0u);
    EXPECT_EQ(static_cast<int>(stats.open), peer.live());
}

TEST(ConnPoolInvariants, I13HistogramsAgreeWithTheCounters) {
    Peer peer;
    pool_conns_options options = peer.options();
    options.max_open_per_key = 1;
    ConnPoolUnderTest pool(options);
    for (int i = 0; i < 3; i++) {
        pool_conns_lease *held = pool.acquire("a");
        Acquiring waiter(pool, "a");
        until_waiting(pool, 1);
        pool_conns_discard(held);
        pool_conns_discard(waiter.lease());
    }
    pool_conns_stats stats = pool.stats();
    struct {
        pool_conns_time which;
        uint64_t count, sum;
    } cases[] = {{POOL_CONNS_WAIT_TIME, stats.waits, stats.wait_time},
                 {POOL_CONNS_DIAL_TIME, stats.dials, stats.dial_time}};
    for (auto [which, count, sum] : cases) {
        pool_conns_histogram histogram;
        histogram.size = sizeof histogram;
        EXPECT_EQ(pool_conns_get_histogram(pool, which, &histogram), POOL_OK);
        EXPECT_EQ(histogram.count, count);
        EXPECT_EQ(histogram.sum, sum);
        uint64_t in_buckets = 0;
        for (uint64_t bucket : histogram.buckets)
            in_buckets += bucket;
        EXPECT_EQ(in_buckets, count);
        EXPECT_EQ(pool_conns_histogram_percentile(&histogram, 100),
                  static_cast<int64_t>(histogram.most));
    }
}

TEST(ConnPoolInvariants, I14AKeyAtItsBoundDoesNotHoldUpAnother) {
    Peer peer;
    pool_conns_options options = peer.options();
    options.max_open = 10;
    options.max_open_per_key = 1;
    ConnPoolUnderTest pool(options);
    pool_conns_lease *held = pool.acquire("a");
    Acquiring blocked(pool, "a");
    until_waiting(pool, 1);
    for (const char *key : {"b", "c", "d"})
        pool_conns_release(pool.acquire(key));
    EXPECT_FALSE(blocked.done());
    pool_conns_release(held);
    pool_conns_release(blocked.lease());
}

TEST(ConnPoolInvariants, I14WhatComesFreeUnderTheBoundOfAllServesAnyKey) {
    using End = std::function<void(Peer *, pool_conns_lease *)>;
    const End ends[] = {[](Peer *, pool_conns_lease *lease) { pool_conns_release(lease); },
                        [](Peer *, pool_conns_lease *lease) { pool_conns_discard(lease); },
                        [](Peer *peer, pool_conns_lease *lease) {
                            void *conn;
                            pool_conns_detach(lease, &conn);
                            peer->forget(conn);
                        }};
    for (const End &end : ends)
        for (bool as_request : {false, true}) {
            Peer peer;
            pool_conns_options options = peer.options();
            options.max_open = 2;
            ConnPoolUnderTest pool(options);
            std::vector<pool_conns_lease *> both = take(pool, "a", 2);
            pool_conns_lease *lease = nullptr;
            if (as_request) {
                Request other(pool, "b");
                end(&peer, both[0]);
                EXPECT_EQ(other.finish(&lease), POOL_OK);
            } else {
                Acquiring other(pool, "b");
                until_waiting(pool, 1);
                end(&peer, both[0]);
                lease = other.lease();
            }
            EXPECT_EQ(connection_of(lease)->key, "b");
            EXPECT_EQ(pool.stats().open, 2u);
            release_all({both[1], lease});
        }
}

} // namespace
