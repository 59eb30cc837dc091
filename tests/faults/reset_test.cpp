// Peers that cut connections with a reset.
//
// SPDX-License-Identifier: Apache-2.0
#include "accounts.h"
#include "peer.h"

namespace {

using namespace pool_test;

// Uses a connection once, and notes what it was.
struct User {
    std::vector<uint64_t> uses; // of each connection that it was called with

    static pool_status use(pool_conns_lease *lease, void *conn, void *arg) {
        static_cast<User *>(arg)->uses.push_back(pool_conns_lease_uses(lease));
        int fd = pool_conns_lease_fd(lease);
        EXPECT_EQ(fd, static_cast<int>(reinterpret_cast<intptr_t>(conn)));
        return exchange(fd) ? POOL_OK : POOL_EBAD;
    }
};

pool_status run(pool_conns *pool, const Peer &peer, User *user) {
    return pool_conns_run(pool, peer.key().data(), peer.key().size(), POOL_FOREVER, User::use,
                          user);
}

// So many idle connections, which the peer has accepted; their sockets.
std::vector<int> fill(const ConnPoolUnderTest &pool, const Peer &peer, int count) {
    std::vector<pool_conns_lease *> leases;
    std::vector<int> fds;
    for (int i = 0; i < count; i++) {
        leases.push_back(pool.acquire(peer.key().c_str()));
        fds.push_back(pool_conns_lease_fd(leases.back()));
        EXPECT_TRUE(exchange(fds.back()));
    }
    for (pool_conns_lease *lease : leases)
        pool_conns_release(lease);
    return fds;
}

TEST(Reset, OfAnIdleConnectionIsSeenBeforeItIsLent) {
    Peer peer;
    ConnPoolUnderTest pool(POOL_CONNS_OPTIONS_INIT);
    std::vector<int> fds = fill(pool, peer, 3);
    peer.reset_all();
    for (int fd : fds)
        await_end(fd);
    pool_conns_lease *lease = pool.acquire(peer.key().c_str());
    EXPECT_EQ(pool_conns_lease_uses(lease), 0u);
    EXPECT_TRUE(exchange(pool_conns_lease_fd(lease)));
    pool_conns_release(lease);
    pool_conns_stats stats = expect_balanced(pool);
    EXPECT_EQ(stats.closed_invalid, 3u);
    EXPECT_EQ(stats.idle, 1u);
}

TEST(Reset, OfALentConnectionIsItsUsersToReport) {
    Peer peer;
    ConnPoolUnderTest pool(POOL_CONNS_OPTIONS_INIT);
    fill(pool, peer, 1);
    pool_conns_lease *lease = pool.acquire(peer.key().c_str());
    peer.reset_all();
    EXPECT_FALSE(exchange(pool_conns_lease_fd(lease)));
    pool_conns_discard(lease);
    lease = pool.acquire(peer.key().c_str());
    EXPECT_TRUE(exchange(pool_conns_lease_fd(lease)));
    pool_conns_release(lease);
    EXPECT_EQ(expect_balanced(pool).closed_broken, 1u);
}

TEST(Reset, ThatNobodyReportedIsSeenAtTheNextAcquire) {
    Peer peer;
    ConnPoolUnderTest pool(POOL_CONNS_OPTIONS_INIT);
    pool_conns_lease *lease = pool.acquire(peer.key().c_str());
    EXPECT_TRUE(exchange(pool_conns_lease_fd(lease)));
    peer.reset_all();
    await_end(pool_conns_lease_fd(lease));
    pool_conns_release(lease);
    lease = pool.acquire(peer.key().c_str());
    EXPECT_EQ(pool_conns_lease_uses(lease), 0u);
    pool_conns_release(lease);
    EXPECT_EQ(expect_balanced(pool).closed_invalid, 1u);
}

TEST(Reset, AtTheFirstByteTakesRunThroughTwoIdleConnectionsToAFreshOne) {
    Peer peer;
    pool_conns_options options = POOL_CONNS_OPTIONS_INIT;
    options.idle_order = POOL_CONNS_FIFO; // so that the next one meets the next two
    ConnPoolUnderTest pool(options);
    fill(pool, peer, 6);
    peer.reset_at_the_next_byte();
    User user;
    EXPECT_EQ(run(pool, peer, &user), POOL_OK) << pool_last_error();
    EXPECT_EQ(user.uses, (std::vector<uint64_t>{1, 1, 0}));
    pool_conns_stats stats = expect_balanced(pool);
    EXPECT_EQ(stats.closed_broken, 2u);
    EXPECT_EQ(stats.idle, 5u);
    for (int i = 0; i < 2; i++)
        EXPECT_EQ(run(pool, peer, &user), POOL_OK) << pool_last_error();
    EXPECT_EQ(user.uses, (std::vector<uint64_t>{1, 1, 0, 1, 1, 0, 1, 1, 0}));
    EXPECT_EQ(expect_balanced(pool).closed_broken, 6u);
}

TEST(Reset, OfEveryConnectionEndsRunAtTheThird) {
    Peer peer;
    ConnPoolUnderTest pool(POOL_CONNS_OPTIONS_INIT);
    struct Cut {
        Peer *peer;
        int calls;
        static pool_status use(pool_conns_lease *lease, void *, void *arg) {
            Cut *self = static_cast<Cut *>(arg);
            self->calls++;
            EXPECT_TRUE(exchange(pool_conns_lease_fd(lease)));
            self->peer->reset_all();
            return exchange(pool_conns_lease_fd(lease)) ? POOL_OK : POOL_EBAD;
        }
    } cut = {&peer, 0};
    EXPECT_EQ(
        pool_conns_run(pool, peer.key().data(), peer.key().size(), POOL_FOREVER, Cut::use, &cut),
        POOL_EBAD);
    EXPECT_EQ(cut.calls, 3);
    pool_conns_stats stats = expect_balanced(pool);
    EXPECT_EQ(stats.closed_broken, 3u);
    EXPECT_EQ(stats.idle, 0u);
}

TEST(Reset, StormsUnderLoadLoseNoConnectionAndNoPlace) {
    constexpr int kThreads = 8, kStorms = 50;
    Peer peer;
    pool_conns_options options = POOL_CONNS_OPTIONS_INIT;
    options.max_open_per_key = 4;
    ConnPoolUnderTest pool(options);
    std::atomic<bool> over{false};
    std::atomic<int> served{0}, broken{0};
    std::vector<std::thread> threads;
    for (int i = 0; i < kThreads; i++)
        threads.emplace_back([&] {
            while (!over) {
                User user;
                pool_status status = run(pool, peer, &user);
                // A reset may meet a connection that is only being made.
                EXPECT_TRUE(status == POOL_OK || status == POOL_EBAD || status == POOL_EDIAL)
                    << status << pool_last_error();
                EXPECT_LE(user.uses.size(), 3u);
                (status == POOL_OK ? served : broken)++;
            }
        });
    for (int storm = 0; storm < kStorms; storm++) {
        int enough = served + 20;
        eventually([&] { return served >= enough; });
        peer.reset_all();
    }
    over = true;
    for (std::thread &thread : threads)
        thread.join();
    EXPECT_LE(broken, kStorms * 4) << "a storm breaks what is open";
    User user;
    EXPECT_EQ(run(pool, peer, &user), POOL_OK);
    pool_conns_stats stats = expect_balanced(pool);
    EXPECT_LE(stats.idle, 4u);
    // The last attempt of a run makes room for itself.
    EXPECT_LE(stats.dials, (kStorms + 1) * 4u + stats.closed_max_idle) << "closed for no reason";
    eventually([&] { return peer.open() <= stats.idle; });
}

} // namespace
