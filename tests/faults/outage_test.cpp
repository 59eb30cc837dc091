// When no dial succeeds for a while: few dials in that time, and no storm of them afterwards.
//
// SPDX-License-Identifier: Apache-2.0
#include "accounts.h"

namespace {

using namespace pool_test;

// On a clock that stands still unless told, one who asks every millisecond for five seconds.
TEST(Outage, OfFiveSecondsTakesAboutTenDialsFromOneWhoAsksAllTheTime) {
    Backend backend;
    backend.dial_result = POOL_EDIAL;
    pool_conns_options options = backend.options();
    options.flags = POOL_CONNS_FAIL_FAST;
    StoppedClock clock;
    ConnPoolUnderTest pool(options);
    pool_conns_lease *lease;
    std::vector<int64_t> dialed_at; // milliseconds
    for (int64_t ms = 0; ms < 5000; ms++) {
        int before = backend.dials;
        ASSERT_EQ(pool.acquire("a", kSecond, &lease), POOL_EDIAL);
        if (backend.dials != before)
            dialed_at.push_back(ms);
        clock.advance(kMillisecond);
    }
    // 10 ms, doubled each time, halved or less by chance: at most 5 (2^n - 1) and 10 (2^n - 1) ms.
    ASSERT_GE(dialed_at.size(), 9u);
    ASSERT_LE(dialed_at.size(), 11u);
    for (size_t i = 1; i < dialed_at.size(); i++) {
        int64_t most = int64_t{10} << (i - 1), waited = dialed_at[i] - dialed_at[i - 1];
        EXPECT_LE(waited, most + 1) << i;
        EXPECT_GE(waited, most / 2) << i;
    }
    pool_conns_stats stats = expect_balanced(pool);
    EXPECT_EQ(stats.dial_fails, dialed_at.size());
    EXPECT_EQ(stats.backed_off, 5000 - dialed_at.size());

    backend.dial_result = POOL_OK;
    clock.advance(5 * kSecond);
    pool_conns_release(pool.acquire("a"));
    pool_conns_release(pool.acquire("a"));
    EXPECT_EQ(stats_of(pool).dials, dialed_at.size() + 1);
}

TEST(Outage, OfOneKeyIsNoneOfTheOthers) {
    Backend backend;
    backend.dial_result = POOL_EDIAL;
    pool_conns_options options = backend.options();
    options.flags = POOL_CONNS_FAIL_FAST;
    StoppedClock clock;
    ConnPoolUnderTest pool(options);
    pool_conns_lease *lease;
    EXPECT_EQ(pool.acquire("down", kSecond, &lease), POOL_EDIAL);
    backend.dial_result = POOL_OK;
    EXPECT_EQ(pool.acquire("down", kSecond, &lease), POOL_EDIAL) << "did not back off";
    pool_conns_release(pool.acquire("up"));
    EXPECT_EQ(backend.dials, 2);
    EXPECT_EQ(pool_conns_clear_key(pool, "down", 4), POOL_OK);
    pool_conns_release(pool.acquire("down"));
    EXPECT_EQ(backend.dials, 3);
}

// For two seconds of the real clock no dial succeeds, while 32 threads want connections with all
// kinds of timeouts. `flags` are the pool's.
class Stampede : public testing::TestWithParam<uint32_t> {};

TEST_P(Stampede, DoesNotComeOutOfAnOutage) {
    constexpr int kThreads = 32;
    constexpr uint32_t kOpen = 10; // by default
    Backend backend;
    backend.dial_result = POOL_EDIAL;
    pool_conns_options options = backend.options();
    options.flags = GetParam();
    ConnPoolUnderTest pool(options);
    std::atomic<bool> up{false};
    std::atomic<int> failed{0}, served{0};
    std::vector<std::thread> threads;
    for (int i = 0; i < kThreads; i++)
        threads.emplace_back([&, i] {
            for (int turn = 0;; turn++) {
                const int64_t timeouts[] = {kMillisecond, 20 * kMillisecond, 100 * kMillisecond};
                pool_conns_lease *lease;
                pool_status status = pool.acquire("a", timeouts[(i + turn) % 3], &lease);
                if (status == POOL_OK) {
                    EXPECT_TRUE(up);
                    std::this_thread::sleep_for(std::chrono::milliseconds(1));
                    pool_conns_release(lease);
                    served++;
                    return;
                }
                EXPECT_TRUE(status == POOL_EDIAL || status == POOL_ETIMEDOUT) << status;
                failed++;
                if (status == POOL_EDIAL) // what anybody does who is refused at once
                    std::this_thread::sleep_for(std::chrono::milliseconds(1));
            }
        });
    std::this_thread::sleep_for(std::chrono::seconds(2));
    const int dials_while_down = backend.dials;
    up = true;
    backend.dial_result = POOL_OK;
    for (std::thread &thread : threads)
        thread.join();
    EXPECT_EQ(served, kThreads);
    EXPECT_GE(failed, kThreads);
    // All places may be dialed at first. Then one dial at a time, after 5 ms at least and twice as
    // much each time, until it is every 2.5 s at least.
    EXPECT_GE(dials_while_down, 2);
    EXPECT_LE(dials_while_down, static_cast<int>(kOpen) + 16);
    const int dials_after = backend.dials - dials_while_down;
    EXPECT_LE(dials_after, static_cast<int>(kOpen) + 2) << "after the outage";
    pool_conns_stats stats = expect_balanced(pool);
    EXPECT_EQ(static_cast<int>(stats.dials), backend.dials);
    EXPECT_EQ(stats.acquires, kThreads * 1u);
    EXPECT_EQ(static_cast<int>(stats.idle), backend.live());
    RecordProperty("dials_while_down", dials_while_down);
    RecordProperty("dials_after", dials_after);
    printf("%d dials while down, %d after, %d acquires failed\n", dials_while_down, dials_after,
           failed.load());
}

INSTANTIATE_TEST_SUITE_P(, Stampede,
                         testing::Values(0u, uint32_t{POOL_CONNS_DIALERS},
                                         uint32_t{POOL_CONNS_FAIL_FAST},
                                         uint32_t{POOL_CONNS_DIALERS | POOL_CONNS_FAIL_FAST}),
                         [](const auto &flags) {
                             std::string name = "Callers";
                             if (flags.param & POOL_CONNS_DIALERS)
                                 name = "Dialers";
                             return name +
                                    (flags.param & POOL_CONNS_FAIL_FAST ? "FailFast" : "Waiting");
                         });

} // namespace
