// SPDX-License-Identifier: Apache-2.0
#include "platform/clock.h"

#include <ctime>
#include <gtest/gtest.h>

namespace {

using namespace pool;

TEST(Clock, IsTheMonotonicOne) {
    timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    int64_t before = int64_t{t.tv_sec} * 1000000000 + t.tv_nsec;
    int64_t now = clock_now();
    clock_gettime(CLOCK_MONOTONIC, &t);
    EXPECT_LE(before, now);
    EXPECT_LE(now, int64_t{t.tv_sec} * 1000000000 + t.tv_nsec);
}

TEST(Clock, CanBeReplacedAndRestored) {
    int64_t time = 42;
    pool_config_set_clock([](void *ctx) { return *static_cast<int64_t *>(ctx); }, &time);
    EXPECT_EQ(clock_now(), 42);
    time = 50;
    EXPECT_EQ(clock_now(), 50);
    EXPECT_EQ(deadline_after(7), 57);
    EXPECT_EQ(deadline_after(0), 50);
    EXPECT_EQ(deadline_after(POOL_FOREVER), POOL_FOREVER);
    EXPECT_EQ(deadline_after(INT64_MAX - 50), INT64_MAX);
    EXPECT_EQ(deadline_after(INT64_MAX - 49), POOL_FOREVER) << "a sum that overflows is for ever";
    EXPECT_EQ(deadline_after(INT64_MAX), POOL_FOREVER);
    pool_config_set_clock(nullptr, nullptr);
    EXPECT_GT(clock_now(), 1000);
}

} // namespace
