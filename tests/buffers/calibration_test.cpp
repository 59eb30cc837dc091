// What a pool learns from its growable buffers.
//
// SPDX-License-Identifier: Apache-2.0
#include "support/buffer_pool.h"
#include "support/two_cpus.h"

#include <string>
#include <thread>

namespace {

using namespace pool_test;

pool_buffers_calibration calibration_of(pool_buffers *pool, uint32_t tag = 0) {
    pool_buffers_calibration values = {};
    values.size = sizeof values;
    EXPECT_EQ(pool_buffers_get_calibration(pool, tag, &values), POOL_OK);
    return values;
}

pool_status set_calibration(pool_buffers *pool, uint64_t default_size, uint64_t max_size,
                            uint32_t frozen, uint32_t tag = 0) {
    pool_buffers_calibration values = {};
    values.size = sizeof values;
    values.default_size = default_size;
    values.max_size = max_size;
    values.frozen = frozen;
    return pool_buffers_set_calibration(pool, tag, &values);
}

// `times` bufs that need `length` bytes each.
void use(pool_buffers *pool, size_t length, int times, uint32_t tag = 0) {
    std::string text(length, 'x');
    for (int i = 0; i < times; i++) {
        pool_buf buf;
        ASSERT_EQ(pool_buf_get(pool, tag, &buf), POOL_OK);
        ASSERT_EQ(pool_buf_append(&buf, text.data(), length), POOL_OK);
        ASSERT_EQ(pool_buf_put(&buf), POOL_OK);
    }
}

// A CPU learns when it has counted enough by itself: where one thread is said to have taught
// something, it stays on one CPU.
class BufferCalibration : public testing::Test {
protected:
    BufferCalibration() { pin_to({allowed_.front()}); }
    ~BufferCalibration() override { pin_to(allowed_); }
    void leave_cpu() { pin_to(allowed_); }

private:
    const std::vector<size_t> allowed_ = allowed_cpus();
};

TEST_F(BufferCalibration, KnowsNothingAtFirst) {
    BufferPoolUnderTest pool;
    pool_buffers_calibration values = calibration_of(pool);
    EXPECT_EQ(values.default_size, 0u);
    EXPECT_EQ(values.max_size, 0u);
    EXPECT_EQ(values.samples, 0u);
    EXPECT_EQ(values.frozen, 0u);
}

TEST_F(BufferCalibration, LearnsSoonWhatMostNeed) {
    BufferPoolUnderTest pool;
    use(pool, 1500, 200);
    pool_buffers_calibration values = calibration_of(pool);
    EXPECT_EQ(values.default_size, 1536u);
    EXPECT_EQ(values.max_size, 3072u);
    EXPECT_GE(values.samples, 64u);
    pool_buf buf;
    pool_buf_get(pool, 0, &buf);
    pool_buf_append(&buf, "x", 1);
    EXPECT_EQ(buf.capacity, 1536u);
    pool_buf_put(&buf);
}

// Where the most frequent size would be wrong every other time.
TEST_F(BufferCalibration, TwoSizesInTurnNeedTheLarger) {
    BufferPoolUnderTest pool;
    for (int i = 0; i < 300; i++) {
        use(pool, 100, 1);
        use(pool, 10000, 1);
    }
    EXPECT_EQ(calibration_of(pool).default_size, 10240u);
}

TEST_F(BufferCalibration, AFewGiantsDoNotCount) {
    BufferPoolUnderTest pool;
    for (int i = 0; i < 300; i++) {
        use(pool, 1000, 19);
        use(pool, 50000, 1);
    }
    EXPECT_EQ(calibration_of(pool).default_size, 1024u);
    EXPECT_EQ(calibration_of(pool).max_size, 2 * 57344u) << "but 5 % of them are kept";
}

TEST_F(BufferCalibration, ForgetsABurst) {
    BufferPoolUnderTest pool;
    use(pool, 500, 5000);
    EXPECT_EQ(calibration_of(pool).default_size, 512u);
    use(pool, 100000, 6000);
    EXPECT_EQ(calibration_of(pool).default_size, 114688u);
    use(pool, 500, 20000);
    EXPECT_EQ(calibration_of(pool).default_size, 512u);
    EXPECT_EQ(calibration_of(pool).max_size, 1024u);
}

// However few they are: with time.
TEST_F(BufferCalibration, SweepsForgetToo) {
    BufferPoolUnderTest pool;
    use(pool, 200000, 200);
    EXPECT_EQ(calibration_of(pool).default_size, 229376u);
    for (int i = 0; i < 8; i++) {
        use(pool, 500, 20);
        pool_buffers_sweep(pool);
    }
    EXPECT_EQ(calibration_of(pool).default_size, 512u);
}

TEST_F(BufferCalibration, WhatIsLargerThanUsualIsFreed) {
    BufferPoolUnderTest pool;
    use(pool, 1000, 200);
    EXPECT_EQ(calibration_of(pool).max_size, 2048u);
    uint64_t dropped = pool.stats().dropped;
    use(pool, 500000, 1);
    EXPECT_EQ(pool.stats().dropped, dropped + 1);
    EXPECT_LT(pool.stats().idle_bytes, 10000u);
    // What has grown by doubling past what it needed is not: no buffer is dropped again and again.
    dropped = pool.stats().dropped;
    use(pool, 1025, 100);
    EXPECT_EQ(pool.stats().dropped, dropped);
}

TEST_F(BufferCalibration, TheClassOfTheMaximumIsKept) {
    BufferPoolUnderTest pool;
    pool_buffers_calibration values = {};
    values.size = sizeof values;
    values.max_size = 5000;
    values.frozen = 1;
    EXPECT_EQ(pool_buffers_set_calibration(pool, 0, &values), POOL_OK);
    use(pool, 5000, 1); // in 5120 bytes
    EXPECT_EQ(pool.stats().idle, 1u);
    use(pool, 5121, 1);
    EXPECT_EQ(pool.stats().idle, 1u);
}

TEST_F(BufferCalibration, CountsTheMostThatWasNeeded) {
    std::string text(3000, 'x');
    for (bool reset : {true, false}) {
        BufferPoolUnderTest pool;
        for (int i = 0; i < 200; i++) {
            pool_buf buf;
            pool_buf_get(pool, 0, &buf);
            pool_buf_append(&buf, text.data(), text.size());
            if (reset)
                pool_buf_reset(&buf);
            else
                pool_buf_resize(&buf, 5);
            pool_buf_append(&buf, "short", 5);
            pool_buf_put(&buf);
        }
        EXPECT_EQ(calibration_of(pool).default_size, 3072u);
    }
}

TEST_F(BufferCalibration, TheUnusedHaveNoVote) {
    BufferPoolUnderTest pool;
    use(pool, 3000, 100);
    use(pool, 0, 10000);
    EXPECT_EQ(calibration_of(pool).default_size, 3072u);
}

TEST_F(BufferCalibration, TagsLearnByThemselves) {
    BufferPoolUnderTest pool;
    use(pool, 100, 200, 1);
    use(pool, 9000, 200, POOL_BUFFERS_TAGS - 1);
    EXPECT_EQ(calibration_of(pool, 0).default_size, 0u);
    EXPECT_EQ(calibration_of(pool, 1).default_size, 112u);
    EXPECT_EQ(calibration_of(pool, POOL_BUFFERS_TAGS - 1).default_size, 10240u);
}

TEST_F(BufferCalibration, CanBeSetAndFrozen) {
    BufferPoolUnderTest pool;
    EXPECT_EQ(set_calibration(pool, 5000, 8192, 1), POOL_OK);
    use(pool, 100, 10000);
    pool_buffers_calibration values = calibration_of(pool);
    EXPECT_EQ(values.default_size, 5000u);
    EXPECT_EQ(values.max_size, 8192u);
    EXPECT_EQ(values.frozen, 1u);
    EXPECT_EQ(pool.stats_of(5120).out, 0);
    EXPECT_GE(pool.stats_of(5120).gets, 9999u);
    use(pool, 20000, 3);
    EXPECT_EQ(pool.stats().dropped, 3u);
    EXPECT_EQ(set_calibration(pool, 0, 0, 0), POOL_OK);
    use(pool, 100, 5000);
    EXPECT_EQ(calibration_of(pool).default_size, 112u) << "it goes on";
}

TEST_F(BufferCalibration, RefusesNonsense) {
    pool_buffers_options options = POOL_BUFFERS_OPTIONS_INIT;
    options.largest = 1 << 20;
    BufferPoolUnderTest pool(options);
    EXPECT_EQ(set_calibration(pool, 2000, 1999, 0), POOL_EINVAL);
    EXPECT_EQ(set_calibration(pool, (1 << 20) + 1, 0, 0), POOL_EINVAL);
    EXPECT_EQ(set_calibration(pool, 1, 1, 2), POOL_EINVAL);
    EXPECT_EQ(set_calibration(pool, 1, 1, 0, POOL_BUFFERS_TAGS), POOL_EINVAL);
    pool_buffers_calibration values = {};
    EXPECT_EQ(pool_buffers_set_calibration(pool, 0, &values), POOL_EINVAL) << "no size";
    EXPECT_EQ(pool_buffers_get_calibration(pool, 0, &values), POOL_EINVAL);
    EXPECT_EQ(calibration_of(pool).default_size, 0u);
}

TEST_F(BufferCalibration, LearnsFromManyThreads) {
    leave_cpu();
    BufferPoolUnderTest pool;
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; t++)
        threads.emplace_back([&] { use(pool, 700, 20000); });
    for (std::thread &thread : threads)
        thread.join();
    pool_buffers_calibration values = calibration_of(pool);
    EXPECT_EQ(values.default_size, 768u);
    EXPECT_GT(values.samples, 40000u);
    EXPECT_EQ(pool.stats().out, 0);
}

} // namespace
