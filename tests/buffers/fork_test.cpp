// Buffer pools in the child after fork.
//
// SPDX-License-Identifier: Apache-2.0
#include "support/buffer_pool.h"
#include "sync/child.h"

#include <atomic>
#include <chrono>
#include <thread>

namespace {

using namespace pool_test;

TEST(BufferPoolFork, TheChildGoesOn) {
    pool_buffers_options options = POOL_BUFFERS_OPTIONS_INIT;
    BufferPoolUnderTest pool(options);
    Buffer buffer = pool.get(1000);
    pool.put(pool.get(1000));
    EXPECT_EQ(in_forked_child([&] {
                  pool.put(buffer);
                  Buffer again = pool.get(1000);
                  pool.put(again);
                  return pool_buffers_sweep(pool) == POOL_OK && again.data == buffer.data ? 0 : 1;
              }),
              0);
    pool.put(buffer);
}

// Uses the pool in every way, as a child does. 0, or what went wrong.
int use(pool_buffers *pool, uint64_t max_idle) {
    pool_buffer many[100];
    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < 100; i++)
            if ((many[i] = pool_buffers_get(pool, 1000 * (i % 7))).data == nullptr)
                return 1;
        for (pool_buffer buffer : many)
            if (pool_buffers_put(pool, buffer) != POOL_OK)
                return 2;
    }
    pool_buffers_stats stats = {};
    stats.size = sizeof stats;
    if (pool_buffers_get_stats(pool, &stats) != POOL_OK)
        return 3;
    // No more than the bound allows; and no less, as nothing that was room is lost.
    if (max_idle != 0 ? stats.idle != max_idle : stats.idle < 100)
        return 4;
    // A tag learns when 64 came back on one CPU.
    const long puts = 64 * sysconf(_SC_NPROCESSORS_CONF);
    for (uint32_t tag = 0; tag < 3; tag++)
        for (long i = 0; i < puts; i++) {
            pool_buf buf;
            if (pool_buf_get(pool, tag, &buf) != POOL_OK ||
                pool_buf_resize(&buf, 3000) != POOL_OK || pool_buf_put(&buf) != POOL_OK)
                return 5;
        }
    pool_buffers_calibration learned = {};
    learned.size = sizeof learned;
    if (pool_buffers_get_calibration(pool, 2, &learned) != POOL_OK || learned.samples == 0)
        return 6;
    if (pool_buffers_sweep(pool) != POOL_OK || pool_buffers_sweep(pool) != POOL_OK ||
        pool_buffers_trim(pool, 0) != POOL_OK)
        return 7;
    return pool_buffers_get_stats(pool, &stats) == POOL_OK && stats.idle == 0 ? 0 : 8;
}

// Wherever the parent's threads were, the child's pool is whole; what was on its way between two
// places may be lost.
void fork_in_traffic(uint64_t max_idle) {
    if (kForksAtRestOnly)
        GTEST_SKIP() << "threads that never rest";
    pool_buffers_options options = POOL_BUFFERS_OPTIONS_INIT;
    options.max_idle = max_idle;
    BufferPoolUnderTest pool(options);
    std::atomic<bool> stop{false};
    std::vector<std::thread> threads;
    for (size_t t = 0; t < 2; t++)
        threads.emplace_back([&, t] {
            pool_buffer held[90];
            for (size_t i = 0; !stop; i++) {
                size_t count = 1 + (i + t) % 90;
                for (size_t j = 0; j < count; j++)
                    held[j] = pool_buffers_get(pool, 100 * (i % 3));
                for (size_t j = 0; j < count; j++)
                    pool_buffers_put(pool, held[j]);
                pool_buf buf;
                pool_buf_get(pool, 0, &buf);
                pool_buf_resize(&buf, i % 200);
                pool_buf_put(&buf);
                if (t == 1 && i % 64 == 0)
                    pool_buffers_sweep(pool);
            }
        });
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    int wrong = 0;
    for (int i = 0; i < 60 && wrong == 0; i++)
        wrong = in_forked_child([&] {
            if (int failed = use(pool, max_idle))
                return failed;
            return pool_buffers_destroy(pool) == POOL_OK ? 0 : 9;
        });
    stop = true;
    for (std::thread &thread : threads)
        thread.join();
    EXPECT_EQ(wrong, 0);
}

TEST(BufferPoolFork, InTheMiddleOfTrafficTheChildFindsAWholePool) {
    fork_in_traffic(0);
}

TEST(BufferPoolFork, ABoundedOneToo) {
    fork_in_traffic(20);
}

} // namespace
