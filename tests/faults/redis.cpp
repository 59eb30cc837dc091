// Redis dies, and goes silent.
//
// SPDX-License-Identifier: Apache-2.0
#include "real_load.h"

#include <csignal>
#include <hiredis/hiredis.h>

namespace {

using namespace pool_test;

struct Redis {
    static timeval time_until(int64_t deadline) {
        int left = milliseconds_until(deadline);
        return left < 0 ? timeval{} : timeval{left / 1000, (left % 1000 + 1) * 1000 - 1};
    }
    static void *open(const std::string &address, int64_t deadline) {
        size_t colon = address.rfind(':');
        redisContext *redis =
            redisConnectWithTimeout(address.substr(0, colon).c_str(),
                                    std::stoi(address.substr(colon + 1)), time_until(deadline));
        if (redis->err == 0)
            return redis;
        redisFree(redis);
        return nullptr;
    }
    static void close(void *handle) { redisFree(static_cast<redisContext *>(handle)); }
    static bool at_rest(void *handle) {
        pollfd socket = {static_cast<redisContext *>(handle)->fd, POLLIN, 0};
        return poll(&socket, 1, 0) == 0;
    }
    static bool ping(void *handle, int64_t deadline) {
        redisContext *redis = static_cast<redisContext *>(handle);
        redisSetTimeout(redis, time_until(deadline));
        bool good = exchange(redis);
        redisSetTimeout(redis, timeval{});
        return good;
    }
    static bool exchange(void *handle) {
        void *reply = redisCommand(static_cast<redisContext *>(handle), "PING");
        freeReplyObject(reply);
        return reply != nullptr;
    }
    static size_t connections(const std::string &address) {
        void *redis = open(address, POOL_FOREVER);
        redisReply *reply =
            static_cast<redisReply *>(redisCommand(static_cast<redisContext *>(redis), "INFO"));
        const char *count = strstr(reply->str, "connected_clients:");
        size_t value = std::stoul(count + strlen("connected_clients:"));
        freeReplyObject(reply);
        close(redis);
        return value - 1;
    }
};

class RedisFault : public testing::TestWithParam<uint32_t> {};

TEST_P(RedisFault, KilledAndRestartedUnderLoad) {
    signal(SIGPIPE, SIG_IGN); // hiredis writes as to a pipe
    kill_and_restart<Redis>("redis", GetParam());
}

INSTANTIATE_TEST_SUITE_P(, RedisFault, testing::Values(0u, uint32_t{POOL_CONNS_DIALERS}),
                         [](const auto &flags) {
                             return flags.param == 0 ? "Callers" : "Dialers";
                         });

// The half-open connection is found by validation. A new one is made, since that takes no word of
// the server, and works once there are words again.
TEST(RedisBehindAProxy, ThatStopsForwarding) {
    RealServer server("redis");
    if (!server.skipped().empty())
        GTEST_SKIP() << server.skipped();
    uint16_t port =
        static_cast<uint16_t>(std::stoi(server.address().substr(server.address().rfind(':') + 1)));
    Peer proxy({"127.0.0.1", 0, port});
    pool_conns_options options = Session<Redis>::options(proxy.key());
    options.validate_after = 1;
    options.validate_timeout = 20 * kMillisecond;
    ConnPoolUnderTest pool(options);
    auto use = [&] {
        pool_conns_lease *lease = nullptr;
        EXPECT_EQ(pool_conns_acquire(pool, nullptr, 0, POOL_FOREVER, &lease), POOL_OK);
        return lease;
    };
    pool_conns_release(use());
    proxy.stop_forwarding();
    pool_conns_lease *lease = use();
    EXPECT_EQ(pool_conns_lease_uses(lease), 0u);
    proxy.go_on_forwarding();
    EXPECT_TRUE(
        Redis::exchange(static_cast<Session<Redis> *>(pool_conns_lease_conn(lease))->handle));
    pool_conns_release(lease);
    pool_conns_stats stats = expect_balanced(pool);
    EXPECT_EQ(stats.validate_fails, 1u);
    EXPECT_EQ(stats.closed_invalid, 1u);
}

} // namespace
