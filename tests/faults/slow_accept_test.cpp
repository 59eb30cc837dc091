// Listeners that take their time.
//
// SPDX-License-Identifier: Apache-2.0
#include "accounts.h"
#include "peer.h"

namespace {

using namespace pool_test;

TEST(SlowAccept, OfOnePeerLeavesTheOthersAlone) {
    constexpr int kStuck = 3;
    Peer slow, good;
    slow.stop_accepting();
    ConnPoolUnderTest pool(POOL_CONNS_OPTIONS_INIT);
    std::vector<std::thread> threads;
    for (int i = 0; i < kStuck; i++)
        threads.emplace_back([&] {
            pool_conns_lease *lease = pool.acquire(slow.key().c_str());
            EXPECT_TRUE(exchange(pool_conns_lease_fd(lease)));
            pool_conns_release(lease);
        });
    eventually([&] { return stats_of(pool).dials == kStuck; });
    for (int i = 0; i < 100; i++) {
        pool_conns_lease *lease = pool.acquire(good.key().c_str());
        EXPECT_TRUE(exchange(pool_conns_lease_fd(lease)));
        (void)(i % 2 ? pool_conns_release(lease) : pool_conns_discard(lease));
    }
    EXPECT_EQ(stats_of(pool).dialing, kStuck * 1u) << "the slow one has answered";
    slow.go_on_accepting(); // the system asks again after a second
    for (std::thread &thread : threads)
        thread.join();
    pool_conns_stats stats = expect_balanced(pool);
    EXPECT_EQ(stats.dial_fails, 0u);
    EXPECT_EQ(stats.acquires, 100u + kStuck);
}

TEST(SlowAccept, EndsWithTheTimeoutsOfThoseWhoWaitForIt) {
    constexpr int kThreads = 8;
    Peer slow;
    slow.stop_accepting();
    pool_conns_options options = POOL_CONNS_OPTIONS_INIT;
    options.max_open_per_key = 2;
    options.connect_timeout = 3600 * kSecond;
    ConnPoolUnderTest pool(options);
    std::vector<std::thread> threads;
    for (int i = 0; i < kThreads; i++)
        threads.emplace_back([&] {
            pool_conns_lease *lease;
            EXPECT_EQ(pool.acquire(slow.key().c_str(), 30 * kMillisecond, &lease), POOL_ETIMEDOUT);
        });
    for (std::thread &thread : threads)
        thread.join();
    EXPECT_EQ(expect_balanced(pool).open, 0u);
}

// A backend whose dials wait, and which knows how many of them do so at once.
class SlowBackend : public Backend {
public:
    pool_conns_options options() {
        pool_conns_options options = Backend::options();
        options.dial = count_and_dial;
        return options;
    }
    int most_at_once() const { return most_; }
    Gate gate;

private:
    static pool_status count_and_dial(const void *key, size_t length, int64_t deadline, void **conn,
                                      void *ctx) {
        SlowBackend *self = static_cast<SlowBackend *>(static_cast<Backend *>(ctx));
        int now = ++self->now_, most = self->most_;
        while (now > most && !self->most_.compare_exchange_weak(most, now))
            ;
        pool_status status = dial(key, length, deadline, conn, ctx);
        self->now_--;
        return status;
    }
    std::atomic<int> now_{0}, most_{0};
};

// On the callers' threads, and on those of the pool.
class SlowDials : public testing::TestWithParam<uint32_t> {};

TEST_P(SlowDials, NeverNumberMoreThanMaxDials) {
    constexpr int kThreads = 12;
    SlowBackend backend;
    pool_conns_options options = backend.options();
    options.flags = GetParam();
    options.max_dials = 2;
    ConnPoolUnderTest pool(options);
    pool_conns_release(pool.acquire("idle"));
    eventually([&] { return stats_of(pool).dialing == 0; });
    const int before = backend.dials;

    backend.dial_gate = &backend.gate;
    std::vector<std::thread> threads;
    for (int i = 0; i < kThreads; i++)
        threads.emplace_back([&, i] {
            const char *const keys[] = {"a", "b", "c"};
            pool_conns_release(pool.acquire(keys[i % 3]));
        });
    eventually([&] { return backend.dials == before + 2; });
    for (int i = 0; i < 100; i++) {
        pool_conns_lease *lease;
        EXPECT_EQ(pool.acquire("idle", 0, &lease), POOL_OK) << "an idle one needs no dial";
        pool_conns_release(lease);
    }
    pool_conns_lease *lease;
    EXPECT_EQ(pool.acquire("another", 20 * kMillisecond, &lease), POOL_ETIMEDOUT);
    EXPECT_EQ(backend.dials, before + 2);
    backend.gate.open();
    for (std::thread &thread : threads)
        thread.join();
    EXPECT_EQ(backend.most_at_once(), 2);
    pool_conns_stats stats = expect_balanced(pool);
    EXPECT_EQ(static_cast<int>(stats.idle), backend.live());
    EXPECT_EQ(stats.acquires, 1u + kThreads + 100u);
    EXPECT_LE(backend.dials, before + kThreads + 1);
}

TEST_P(SlowDials, OfOneKeyLeaveTheOthersAlone) {
    SlowBackend backend;
    pool_conns_options options = backend.options();
    options.flags = GetParam();
    options.max_open_per_key = 2;
    ConnPoolUnderTest pool(options);
    backend.dial_gate = &backend.gate;
    std::vector<std::thread> threads;
    for (int i = 0; i < 3; i++)
        threads.emplace_back([&] { pool_conns_release(pool.acquire("slow")); });
    eventually([&] { return backend.dials == 2; });
    backend.dial_gate = nullptr; // for dials from now on
    for (int i = 0; i < 100; i++) {
        pool_conns_lease *lease = pool.acquire("good");
        (void)(i % 2 ? pool_conns_release(lease) : pool_conns_discard(lease));
    }
    EXPECT_EQ(stats_of(pool).acquires, 100u);
    backend.gate.open();
    for (std::thread &thread : threads)
        thread.join();
    expect_balanced(pool);
}

TEST_P(SlowDials, AreAsManyAsThoseWhoWait) {
    for (int round = 0; round < 200; round++) {
        SlowBackend backend;
        pool_conns_options options = backend.options();
        options.flags = GetParam();
        ConnPoolUnderTest pool(options);
        pool_conns_release(pool.acquire("a"));
        EXPECT_EQ(expect_balanced(pool).dials, 1u) << "in round " << round;
    }
}

INSTANTIATE_TEST_SUITE_P(, SlowDials, testing::Values(0u, uint32_t{POOL_CONNS_DIALERS}),
                         [](const auto &flags) {
                             return flags.param == 0 ? "OnCallers" : "OnThreadsOfThePool";
                         });

} // namespace
