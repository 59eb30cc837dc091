// fatih/pool: what a program that used its channel pool may rely on here.
//
// SPDX-License-Identifier: Apache-2.0
//
//     pool.NewChannelPool(i, m, factory)     options.initial = i, max_idle_per_key = m, dial
//     p.Get()                                pool_conns_acquire
//     conn.Close()                           pool_conns_release
//     conn.MarkUnusable(); conn.Close()      pool_conns_discard
//     p.Len()                                pool_conns_stats.idle
//     p.Close()                              pool_conns_close with a timeout of 0
//
// FP-10, no timeouts, waiters, lifetimes or checks, is what channel_pool() asks for.
#include "support/conn_pool.h"

namespace {

using namespace pool_test;

pool_conns_options channel_pool(Peer &peer, uint32_t initial, uint32_t most) {
    pool_conns_options options = peer.options();
    set_key(&options, "server");
    options.initial = initial;
    options.max_idle_per_key = most;
    options.max_open_per_key = UINT32_MAX;
    options.idle_order = POOL_CONNS_FIFO;
    return options;
}

pool_conns_lease *get(pool_conns *pool) {
    pool_conns_lease *lease = nullptr;
    EXPECT_EQ(pool_conns_acquire(pool, nullptr, 0, POOL_FOREVER, &lease), POOL_OK);
    return lease;
}

TEST(FatihPool, Fp1CapacitiesMustFit) {
    struct {
        uint32_t initial, most;
        pool_status status;
    } cases[] = {{0, 30, POOL_OK}, {5, 30, POOL_OK}, {30, 30, POOL_OK}, {31, 30, POOL_EINVAL}};
    for (auto [initial, most, status] : cases) {
        Peer peer;
        pool_conns_options options = channel_pool(peer, initial, most);
        pool_conns *pool;
        EXPECT_EQ(pool_conns_create(&options, &pool), status);
        EXPECT_EQ(peer.dials, status == POOL_OK ? static_cast<int>(initial) : 0);
        pool_conns_destroy(pool);
        EXPECT_EQ(peer.live(), 0);
    }
}

TEST(FatihPool, Fp2TheConstructorFillsThePoolOnTheCallersThread) {
    Peer peer;
    ConnPoolUnderTest pool(channel_pool(peer, 5, 30));
    EXPECT_EQ(peer.dials, 5);
    EXPECT_EQ(pool.stats().idle, 5u);
    EXPECT_EQ(peer.dialer.load(), std::this_thread::get_id());
}

TEST(FatihPool, Fp2TheConstructorFailsWithTheFirstDialAndLeavesNothing) {
    Peer peer;
    static std::atomic<int> freed;
    freed = 0;
    peer.dials_to_succeed = 3;
    pool_conns_options options = channel_pool(peer, 5, 30);
    options.ctx_free = [](void *) { freed++; };
    pool_conns *pool = reinterpret_cast<pool_conns *>(&peer);
    EXPECT_EQ(pool_conns_create(&options, &pool), 42);
    EXPECT_EQ(pool, nullptr);
    EXPECT_EQ(peer.dials, 3);
    EXPECT_EQ(peer.closes, 3);
    EXPECT_EQ(peer.live(), 0);
    EXPECT_EQ(freed, 1);
}

TEST(FatihPool, Fp3TheFirstReturnedIsTheFirstToBeUsedAgain) {
    Peer peer;
    ConnPoolUnderTest pool(channel_pool(peer, 0, 30));
    std::vector<pool_conns_lease *> leases = take(pool, "server", 4);
    std::vector<void *> returned;
    for (int i : {2, 0, 3, 1}) {
        returned.push_back(pool_conns_lease_conn(leases[static_cast<size_t>(i)]));
        pool_conns_release(leases[static_cast<size_t>(i)]);
    }
    leases.clear();
    for (void *conn : returned) {
        leases.push_back(get(pool));
        EXPECT_EQ(pool_conns_lease_conn(leases.back()), conn);
    }
    release_all(leases);
}

// TestPool_Get, on one thread: what is idle, then as many as there are callers.
TEST(FatihPool, Fp4GetNeverWaits) {
    Peer peer;
    ConnPoolUnderTest pool(channel_pool(peer, 5, 30));
    std::vector<pool_conns_lease *> leases;
    for (uint64_t i = 0; i < 100; i++) {
        leases.push_back(get(pool));
        EXPECT_EQ(pool.stats().idle, i < 5 ? 4 - i : 0);
    }
    EXPECT_EQ(peer.dials, 100);
    EXPECT_EQ(pool.stats().waits, 0u);
    release_all(leases);
}

TEST(FatihPool, Fp4TheFactorysErrorIsHandedOnAndCostsNothing) {
    Peer peer;
    ConnPoolUnderTest pool(channel_pool(peer, 1, 30));
    peer.dials_to_succeed = 0;
    pool_conns_lease *idle = get(pool), *lease;
    EXPECT_EQ(pool_conns_acquire(pool, nullptr, 0, POOL_FOREVER, &lease), 42);
    EXPECT_EQ(lease, nullptr);
    EXPECT_EQ(pool.stats().open, 1u);
    peer.dials_to_succeed = 1;
    EXPECT_EQ(pool_conns_acquire(pool, nullptr, 0, POOL_FOREVER, &lease), POOL_OK);
    release_all({idle, lease});
}

TEST(FatihPool, Fp4OthersGoOnWhileTheFactoryWorks) {
    Peer peer;
    ConnPoolUnderTest pool(channel_pool(peer, 0, 30));
    pool_conns_lease *held = get(pool);
    Gate gate;
    peer.dial_gate = &gate;
    Acquiring slow(pool, "server");
    eventually([&] { return peer.dials == 2; });
    pool_conns_release(held);
    pool_conns_release(get(pool));
    EXPECT_FALSE(slow.done());
    gate.open();
    pool_conns_release(slow.lease());
}

// TestPool_PutUnusableConn
TEST(FatihPool, Fp5AnUnusableConnectionIsClosedInsteadOfKept) {
    Peer peer;
    ConnPoolUnderTest pool(channel_pool(peer, 2, 30));
    pool_conns_lease *lease = get(pool);
    pool_conns_release(lease);
    EXPECT_EQ(pool.stats().idle, 2u);
    lease = get(pool);
    EXPECT_EQ(pool_conns_discard(lease), POOL_OK);
    EXPECT_EQ(pool.stats().idle, 1u);
    EXPECT_EQ(peer.closed(POOL_CONNS_BROKEN), 1);
}

// TestPool_Put
TEST(FatihPool, Fp6AFullPoolClosesWhatComesBack) {
    Peer peer;
    ConnPoolUnderTest pool(channel_pool(peer, 0, 30));
    release_all(take(pool, "server", 31));
    EXPECT_EQ(pool.stats().idle, 30u);
    EXPECT_EQ(peer.closed(POOL_CONNS_MAX_IDLE), 1);
    EXPECT_EQ(pool_conns_release(nullptr), POOL_EINVAL) << "connection is nil. rejecting";
}

TEST(FatihPool, Fp6AClosedPoolClosesWhatComesBack) {
    Peer peer;
    ConnPoolUnderTest pool(channel_pool(peer, 0, 30));
    pool_conns_lease *lease = get(pool);
    pool_conns_close(pool, 0, nullptr);
    EXPECT_EQ(peer.live(), 1);
    EXPECT_EQ(pool_conns_release(lease), POOL_OK);
    EXPECT_EQ(peer.live(), 0);
}

// There the connection would be in the pool twice.
TEST(FatihPool, Fp7PuttingAConnectionTwiceIsDetected) {
    Peer peer;
    ConnPoolUnderTest pool(channel_pool(peer, 0, 30));
    pool_conns_lease *lease = get(pool);
    EXPECT_EQ(pool_conns_release(lease), POOL_OK);
    EXPECT_EQ(pool_conns_release(lease), POOL_EMISUSE);
    EXPECT_EQ(pool_conns_discard(lease), POOL_EMISUSE);
    EXPECT_EQ(pool.stats().idle, 1u);
    EXPECT_EQ(peer.live(), 1);
}

// TestPool_Close
TEST(FatihPool, Fp8CloseMayBeCalledOftenAndByMany) {
    Peer peer;
    ConnPoolUnderTest pool(channel_pool(peer, 5, 30));
    pool_conns_lease *held = get(pool), *lease;
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; i++)
        threads.emplace_back([&] { pool_conns_close(pool, 0, nullptr); });
    for (std::thread &thread : threads)
        thread.join();
    EXPECT_EQ(peer.live(), 1) << "the idle ones are closed, the other one at its own Close";
    EXPECT_EQ(pool_conns_acquire(pool, nullptr, 0, POOL_FOREVER, &lease), POOL_ECLOSED);
    EXPECT_EQ(pool_conns_release(held), POOL_OK);
    EXPECT_EQ(pool_conns_close(pool, 0, nullptr), POOL_OK);
    EXPECT_EQ(peer.closed(POOL_CONNS_POOL_CLOSED), 5);
}

// TestPool_UsedCapacity
TEST(FatihPool, Fp9LenIsTheNumberOfIdleConnections) {
    Peer peer;
    ConnPoolUnderTest pool(channel_pool(peer, 5, 30));
    EXPECT_EQ(pool.stats().idle, 5u);
    pool_conns_lease *lease = get(pool);
    EXPECT_EQ(pool.stats().idle, 4u);
    pool_conns_release(lease);
    EXPECT_EQ(pool.stats().idle, 5u);
    pool_conns_close(pool, 0, nullptr);
    EXPECT_EQ(pool.stats().idle, 0u);
}

// TestPoolConcurrent and its kin: getting, putting and closing at once.
TEST(FatihPool, CloseWhileOthersGetAndPut) {
    for (int round = 0; round < 10; round++) {
        Peer peer;
        ConnPoolUnderTest pool(channel_pool(peer, 5, 30));
        std::vector<std::thread> threads;
        for (int i = 0; i < 8; i++)
            threads.emplace_back([&pool, i] {
                pool_conns_lease *lease;
                for (int turn = 0; turn < 20; turn++)
                    if (pool_conns_acquire(pool, nullptr, 0, POOL_FOREVER, &lease) == POOL_OK)
                        (turn + i) % 5 == 0 ? pool_conns_discard(lease) : pool_conns_release(lease);
            });
        pool_conns_close(pool, 0, nullptr);
        for (std::thread &thread : threads)
            thread.join();
        EXPECT_EQ(peer.live(), 0);
    }
}

} // namespace
