// SPDX-License-Identifier: Apache-2.0
#include "backend.h"

#include <thread>

namespace {

using namespace pool_test;

// A thread that uses a pool in every way, with its own sequence of choices. One that is detached
// counts as live until the thread comes to tell the backend, so `detach` is an option.
void use(const ConnPoolUnderTest &pool, Backend *backend, bool detach, unsigned seed, int turns) {
    const char *const keys[] = {"a", "b", "c", "d"};
    for (int turn = 0; turn < turns; turn++) {
        seed = seed * 1103515245 + 12345;
        unsigned choice = seed >> 16;
        const char *key = keys[choice % 4];
        const int64_t timeouts[] = {0, 20000, 200000, kSecond};
        pool_conns_lease *lease;
        pool_status status = pool.acquire(key, timeouts[choice / 4 % 4], &lease);
        if (status != POOL_OK) {
            EXPECT_TRUE(status == POOL_EAGAIN || status == POOL_ETIMEDOUT || status == POOL_EDIAL ||
                        status == POOL_ECLOSED)
                << status;
            EXPECT_EQ(lease, nullptr);
            continue;
        }
        EXPECT_EQ(connection_of(lease)->key, key);
        EXPECT_TRUE(connection_of(lease)->open);
        void *conn = nullptr;
        switch (choice / 16 % 8) {
        case 0:
            EXPECT_EQ(pool_conns_discard(lease), POOL_OK);
            break;
        case 1:
            if (!detach) {
                EXPECT_EQ(pool_conns_discard(lease), POOL_OK);
                break;
            }
            EXPECT_EQ(pool_conns_detach(lease, &conn), POOL_OK);
            backend->forget(conn);
            break;
        case 2:
            connection_of(lease)->dead = true;
            EXPECT_EQ(pool_conns_release(lease), POOL_OK);
            break;
        default:
            EXPECT_EQ(pool_conns_release(lease), POOL_OK);
        }
    }
}

TEST(ConnPoolRaces, NoConnectionIsLostAndNoBoundExceeded) {
    Backend backend;
    pool_conns_options options = backend.options();
    options.max_open = 5;
    options.max_open_per_key = 2;
    options.max_idle = 4;
    options.max_idle_per_key = 1;
    options.max_lifetime = 3 * kMillisecond;
    options.idle_timeout = kMillisecond;
    ConnPoolUnderTest pool(options);
    std::vector<std::thread> threads;
    for (unsigned i = 0; i < 6; i++)
        threads.emplace_back([&, i] { use(pool, &backend, false, i * 7919 + 1, 600); });
    for (int i = 0; i < 40; i++) {
        backend.dial_result = i % 4 == 0 ? POOL_EDIAL : POOL_OK;
        if (i % 10 == 0)
            pool_conns_clear(pool);
        pool_conns_reap(pool);
        pool_conns_stats stats = pool.stats(); // checks the equations
        EXPECT_LE(stats.open, 5u);
        EXPECT_LE(stats.idle, 5u);
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    backend.dial_result = POOL_OK;
    for (std::thread &thread : threads)
        thread.join();
    pool_conns_stats stats = pool.stats();
    EXPECT_EQ(stats.in_use, 0u);
    EXPECT_EQ(stats.dialing, 0u);
    EXPECT_EQ(stats.waiters, 0u);
    EXPECT_LE(stats.idle, 4u);
    EXPECT_EQ(static_cast<int>(stats.idle), backend.live());
    EXPECT_LE(backend.most_live(), 5);
    pool_conns_close(pool, 0, nullptr);
    EXPECT_EQ(backend.live(), 0);
}

TEST(ConnPoolRaces, TimeoutsThatMeetHandOversLoseNothing) {
    Backend backend;
    pool_conns_options options = backend.options();
    options.max_open_per_key = 1;
    ConnPoolUnderTest pool(options);
    std::atomic<uint64_t> got{0}, gave_up{0};
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; i++)
        threads.emplace_back([&, i] {
            for (int turn = 0; turn < 1000; turn++) {
                pool_conns_lease *lease;
                pool_status status = pool.acquire("a", (turn * 3 + i) % 40 * 1000 + 1, &lease);
                if (status == POOL_OK) {
                    got++;
                    EXPECT_EQ(pool_conns_release(lease), POOL_OK);
                } else {
                    EXPECT_EQ(status, POOL_ETIMEDOUT);
                    gave_up++;
                }
            }
        });
    for (std::thread &thread : threads)
        thread.join();
    pool_conns_stats stats = pool.stats();
    EXPECT_EQ(stats.acquires, got);
    EXPECT_EQ(stats.timeouts, gave_up);
    EXPECT_EQ(stats.in_use, 0u);
    EXPECT_LE(stats.idle, 1u);
    EXPECT_EQ(stats.waiters, 0u);
    pool_conns_lease *lease;
    EXPECT_EQ(pool.acquire("a", kSecond, &lease), POOL_OK) << "the place was lost";
    pool_conns_release(lease);
}

TEST(ConnPoolRaces, CloseDuringTrafficLeavesNothingBehind) {
    for (int round = 0; round < 20; round++) {
        Backend backend;
        pool_conns_options options = backend.options();
        options.max_open = 3;
        options.max_open_per_key = 2;
        ConnPoolUnderTest pool(options);
        std::vector<std::thread> threads;
        for (unsigned i = 0; i < 4; i++)
            threads.emplace_back(
                [&, i] { use(pool, &backend, true, i + static_cast<unsigned>(round) * 31, 100); });
        if (round % 2)
            std::this_thread::sleep_for(std::chrono::microseconds(300));
        uint64_t still_out = 1;
        EXPECT_EQ(pool_conns_close(pool, POOL_FOREVER, &still_out), POOL_OK);
        EXPECT_EQ(still_out, 0u);
        for (std::thread &thread : threads)
            thread.join();
        EXPECT_EQ(backend.live(), 0);
        EXPECT_EQ(pool.stats().open, 0u);
        EXPECT_EQ(pool.stats().keys, 0u);
    }
}

} // namespace
