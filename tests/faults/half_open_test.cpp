// Peers that are there but say nothing: connections that have gone without an end, and listeners
// that do not answer.
//
// SPDX-License-Identifier: Apache-2.0
#include "accounts.h"
#include "peer.h"
#include "platform/clock.h"

#include <poll.h>

namespace {

using namespace pool_test;

// A byte there and back, until the deadline; keeps the last one it was given.
struct Ping {
    std::atomic<int64_t> deadline{0};
    std::atomic<int> calls{0};

    static pool_status validate(void *conn, int64_t deadline, void *ctx) {
        Ping *self = static_cast<Ping *>(ctx);
        self->deadline = deadline;
        self->calls++;
        int fd = static_cast<int>(reinterpret_cast<intptr_t>(conn));
        char byte = '!';
        if (send(fd, &byte, 1, MSG_NOSIGNAL) != 1)
            return POOL_EBAD;
        pollfd answer = {fd, POLLIN, 0};
        int64_t left = deadline - pool::clock_now();
        if (poll(&answer, 1, left > 0 ? static_cast<int>(left / kMillisecond) + 1 : 0) != 1)
            return POOL_ETIMEDOUT;
        return recv(fd, &byte, 1, 0) == 1 ? POOL_OK : POOL_EBAD;
    }
};

pool_conns_options validating(Ping *ping) {
    pool_conns_options options = POOL_CONNS_OPTIONS_INIT;
    options.ctx = ping;
    options.validate = Ping::validate;
    options.validate_after = 1; // always
    options.validate_timeout = 20 * kMillisecond;
    return options;
}

TEST(HalfOpenPeer, IsFoundByValidationAndReplaced) {
    Ping ping;
    Peer peer;
    ConnPoolUnderTest pool(validating(&ping));
    const char *key = peer.key().c_str();
    pool_conns_release(pool.acquire(key));
    pool_conns_lease *lease = pool.acquire(key);
    EXPECT_EQ(pool_conns_lease_uses(lease), 1u) << "a good one is kept";
    pool_conns_release(lease);
    EXPECT_EQ(ping.calls, 1);

    peer.stop_forwarding();
    lease = pool.acquire(key);
    EXPECT_EQ(pool_conns_lease_uses(lease), 0u) << "the system answered a new connection";
    EXPECT_EQ(ping.calls, 2);
    pool_conns_release(lease);
    pool_conns_stats stats = expect_balanced(pool);
    EXPECT_EQ(stats.validations, 2u);
    EXPECT_EQ(stats.validate_fails, 1u);
    EXPECT_EQ(stats.closed_invalid, 1u);
}

TEST(HalfOpenPeer, ValidationHasTimeUntilItsTimeoutOrThatOfAcquire) {
    Ping ping;
    Peer peer;
    pool_conns_options options = validating(&ping);
    options.validate_timeout = 3600 * kSecond;
    ConnPoolUnderTest pool(options);
    pool_conns_release(pool.acquire(peer.key().c_str()));
    peer.stop_forwarding();

    const int64_t before = pool::clock_now();
    pool_conns_lease *lease;
    EXPECT_EQ(pool.acquire(peer.key().c_str(), 20 * kMillisecond, &lease), POOL_ETIMEDOUT);
    EXPECT_GE(ping.deadline, before + 20 * kMillisecond);
    EXPECT_LE(ping.deadline, pool::clock_now() + 20 * kMillisecond) << "not that of acquire";
    EXPECT_EQ(expect_balanced(pool).closed_invalid, 1u);

    pool_conns_release(pool.acquire(peer.key().c_str())); // a fresh one
    peer.go_on_forwarding();
    pool_conns_release(pool.acquire(peer.key().c_str()));
    EXPECT_GE(ping.deadline, before + 3600 * kSecond) << "not validate_timeout";
}

TEST(HalfOpenPeer, IsFoundByKeepaliveWhileNobodyAsks) {
    Ping ping;
    Peer peer;
    pool_conns_options options = validating(&ping);
    options.keepalive = 5 * kMillisecond;
    ConnPoolUnderTest pool(options);
    pool_conns_release(pool.acquire(peer.key().c_str()));
    eventually([&] { return ping.calls >= 3; });
    EXPECT_EQ(stats_of(pool).closed_invalid, 0u);
    peer.stop_forwarding();
    eventually([&] { return stats_of(pool).closed_invalid == 1; });
    EXPECT_EQ(expect_balanced(pool).idle, 0u);
    EXPECT_EQ(stats_of(pool).acquires, 1u);
}

TEST(HalfOpenPeer, ThatTakesNoNewConnectionsEitherCostsOneConnectTimeout) {
    Ping ping;
    Peer peer;
    pool_conns_options options = validating(&ping);
    options.connect_timeout = 20 * kMillisecond;
    ConnPoolUnderTest pool(options);
    pool_conns_release(pool.acquire(peer.key().c_str()));
    peer.stop_forwarding();
    peer.stop_accepting();
    pool_conns_lease *lease;
    EXPECT_EQ(pool.acquire(peer.key().c_str(), POOL_FOREVER, &lease), POOL_EDIAL);
    EXPECT_EQ(pool_last_error(), "cannot connect to '" + peer.key() + "': Connection timed out");
    pool_conns_stats stats = expect_balanced(pool);
    EXPECT_EQ(stats.validate_fails, 1u);
    EXPECT_EQ(stats.dials, 2u);
    EXPECT_EQ(stats.dial_fails, 1u);
}

TEST(HalfOpenPeer, CostsEachOfItsIdleConnectionsOneValidation) {
    constexpr int kConnections = 5;
    Ping ping;
    Peer peer;
    ConnPoolUnderTest pool(validating(&ping));
    std::vector<pool_conns_lease *> leases;
    for (int i = 0; i < kConnections; i++)
        leases.push_back(pool.acquire(peer.key().c_str()));
    for (pool_conns_lease *lease : leases)
        pool_conns_release(lease);
    peer.stop_forwarding();
    pool_conns_release(pool.acquire(peer.key().c_str()));
    pool_conns_stats stats = expect_balanced(pool);
    EXPECT_EQ(stats.validate_fails, kConnections * 1u);
    EXPECT_EQ(stats.dials, kConnections + 1u);
    EXPECT_EQ(stats.idle, 1u);
}

TEST(HalfOpenPeer, HoldsUpNobodyWhoWantsAnother) {
    Ping ping;
    Peer silent, good;
    pool_conns_options options = validating(&ping);
    options.validate_timeout = kSecond;
    ConnPoolUnderTest pool(options);
    pool_conns_release(pool.acquire(silent.key().c_str()));
    silent.stop_forwarding();
    std::thread stuck([&] { pool_conns_release(pool.acquire(silent.key().c_str())); });
    eventually([&] { return ping.calls == 1; });
    for (int i = 0; i < 100; i++)
        pool_conns_release(pool.acquire(good.key().c_str()));
    EXPECT_EQ(stats_of(pool).validate_fails, 0u) << "the silent one was waited for";
    stuck.join();
    EXPECT_EQ(expect_balanced(pool).closed_invalid, 1u);
}

} // namespace
