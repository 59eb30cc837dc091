// What POOL_CONF does to buffer pools. Runs with buffers.sweep_ms=2000,buffers.pressure=1,cpu=fallback.
//
// SPDX-License-Identifier: Apache-2.0
#include "support/buffer_pool.h"
#include "support/log.h"
#include "support/simulated_clock.h"

#include <filesystem>
#include <iterator>
#include <unistd.h>

namespace {

using namespace pool_test;

TEST(BufferPoolConf, SweepsComeAsOftenAsItSays) {
    SimulatedClock clock;
    BufferPoolUnderTest pool;
    pool.put(pool.get(1000));
    for (uint64_t sweeps = 1; sweeps < 5; sweeps++) {
        clock.advance(2 * kSecond);
        pool.put(pool.get(30 << 20)); // the slow path, which looks at the clock
        EXPECT_EQ(pool.stats().sweeps, sweeps);
    }
    EXPECT_EQ(pool.stats().idle, 0u);
}

TEST(BufferPoolConf, AnOptionWinsOverIt) {
    SimulatedClock clock;
    pool_buffers_options options = POOL_BUFFERS_OPTIONS_INIT;
    options.sweep_period = POOL_FOREVER;
    BufferPoolUnderTest pool(options);
    clock.advance(100 * kSecond);
    pool.put(pool.get(30 << 20));
    EXPECT_EQ(pool.stats().sweeps, 0u);
}

// Where the kernel cannot report pressure, the pool is made all the same.
TEST(BufferPoolConf, PressureIsWatchedIfItCanBe) {
    LogCapture log;
    BufferPoolUnderTest watched;
    auto threads = [] {
        std::filesystem::directory_iterator tasks("/proc/self/task");
        return std::distance(begin(tasks), end(tasks));
    };
    if (log.lines().empty()) {
        EXPECT_GT(threads(), 1);
    } else {
        EXPECT_NE(log.lines()[0].text.find("buffers.pressure"), std::string::npos);
    }
    pool_buffers_options options = POOL_BUFFERS_OPTIONS_INIT;
    options.flags = POOL_BUFFERS_SWEEPER;
    options.sweep_period = 1000000;
    BufferPoolUnderTest pool(options);
    pool.put(pool.get(1000));
    for (int i = 0; i < 10000 && pool.stats().idle != 0; i++)
        usleep(1000);
    EXPECT_EQ(pool.stats().idle, 0u) << "swept by the thread";
}

} // namespace
