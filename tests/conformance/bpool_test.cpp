// oxtoacart/bpool: what a program that used it may rely on here.
//
// SPDX-License-Identifier: Apache-2.0
//
//     bpool.NewBufferPool(n)            options.max_idle = n; pool_buf_get, pool_buf_put
//     bpool.NewSizedBufferPool(n, a)    the same, with a calibration of {a, a} that is frozen
//     bpool.NewBytePool(n, w)           options.max_idle = n and a list of one size, w;
//                                       pool_buffers_get, pool_buffers_put
//     p.NumPooled()                     pool_buffers_stats.idle
//
// A pool of 0, which keeps nothing, is POOL_BUFFERS_KEEP_NONE.
#include "support/buffer_pool.h"

#include <gtest/gtest.h>
#include <thread>

namespace {

using namespace pool_test;

constexpr uint64_t kMost = 4;

TEST(Bpool, BufferPoolKeepsSoManyAndNoMore) {
    pool_buffers_options options = POOL_BUFFERS_OPTIONS_INIT;
    options.max_idle = kMost;
    BufferPoolUnderTest pool(options);
    std::vector<pool_buf> bufs(kMost * 2);
    for (pool_buf &buf : bufs) {
        ASSERT_EQ(pool_buf_get(pool, 0, &buf), POOL_OK) << "an empty one gives new ones";
        pool_buf_append(&buf, "abcdefghijkl", 12);
    }
    for (size_t i = 0; i < bufs.size(); i++) {
        EXPECT_EQ(pool_buf_put(&bufs[i]), POOL_OK);
        EXPECT_EQ(pool.stats().idle, i < kMost ? i + 1 : kMost);
    }
    pool_buf buf;
    pool_buf_get(pool, 0, &buf);
    EXPECT_EQ(buf.length, 0u) << "it was reset";
    EXPECT_EQ(pool_buf_put(&buf), POOL_OK);
}

TEST(Bpool, SizedBufferPoolReplacesWhatHasOutgrownIt) {
    pool_buffers_options options = POOL_BUFFERS_OPTIONS_INIT;
    options.max_idle = kMost;
    BufferPoolUnderTest pool(options);
    pool_buffers_calibration sized = {};
    sized.size = sizeof sized;
    sized.default_size = sized.max_size = 1024;
    sized.frozen = 1;
    ASSERT_EQ(pool_buffers_set_calibration(pool, 0, &sized), POOL_OK);
    pool_buf buf;
    pool_buf_get(pool, 0, &buf);
    pool_buf_append(&buf, "x", 1);
    EXPECT_EQ(buf.capacity, 1024u);
    EXPECT_EQ(pool_buf_put(&buf), POOL_OK);
    EXPECT_EQ(pool.stats().idle, 1u);

    // There it was replaced at once, even where there was no room for the new one. Here the large
    // one is freed, and the next get finds or makes one of the right size.
    pool_buf_get(pool, 0, &buf);
    ASSERT_EQ(pool_buf_resize(&buf, 3000), POOL_OK);
    EXPECT_EQ(pool_buf_put(&buf), POOL_OK);
    pool_buf_get(pool, 0, &buf);
    pool_buf_append(&buf, "x", 1);
    EXPECT_EQ(buf.capacity, 1024u);
    EXPECT_EQ(pool_buf_put(&buf), POOL_OK);
    for (size_t i = 0; i < pool.stats().classes; i++)
        if (pool.class_stats(i).capacity > 1024) {
            EXPECT_EQ(pool.class_stats(i).idle, 0u);
        }
}

TEST(Bpool, BytePoolHasOneWidth) {
    const uint64_t width = 10;
    pool_buffers_options options = POOL_BUFFERS_OPTIONS_INIT;
    options.scheme = POOL_BUFFERS_LIST;
    options.list = &width;
    options.list_count = 1;
    options.max_idle = kMost;
    BufferPoolUnderTest pool(options);
    std::vector<Buffer> buffers = pool.get_n(kMost * 2, width);
    for (const Buffer &buffer : buffers)
        EXPECT_EQ(buffer.capacity, width);
    EXPECT_EQ(pool_buffers_put(pool, {buffers[0].data, width - 1}), POOL_EINVAL)
        << "there it was dropped without a word";
    pool.put_all(buffers);
    EXPECT_EQ(pool.stats().idle, kMost);
}

TEST(Bpool, APoolOfNoneKeepsNone) {
    pool_buffers_options options = POOL_BUFFERS_OPTIONS_INIT;
    options.max_idle = POOL_BUFFERS_KEEP_NONE;
    BufferPoolUnderTest pool(options);
    pool.put(pool.get(100));
    EXPECT_EQ(pool.stats().idle, 0u);
}

// A slice that keeps room for a header in front: here a matter of two offsets.
TEST(Bpool, ByteSlicesKeepTheirHeader) {
    constexpr size_t kHeader = 4, kWidth = 16;
    BufferPoolUnderTest pool;
    Buffer full = pool.get(kHeader + kWidth);
    unsigned char *body = full.data + kHeader;
    memcpy(body, "body", 4);
    memcpy(full.data, "head", kHeader);
    EXPECT_EQ(memcmp(full.data, "headbody", 8), 0);
    pool.put(full);
}

TEST(Bpool, TheBoundHoldsAmongThreads) {
    pool_buffers_options options = POOL_BUFFERS_OPTIONS_INIT;
    options.max_idle = kMost;
    BufferPoolUnderTest pool(options);
    for (int round = 0; round < 50; round++) {
        std::vector<std::thread> threads;
        for (int t = 0; t < 4; t++)
            threads.emplace_back([&] {
                for (int i = 0; i < 50; i++)
                    pool.put_all(pool.get_n(3, 1000));
            });
        for (std::thread &thread : threads)
            thread.join();
        ASSERT_LE(pool.stats().idle, kMost);
    }
    pool.put_all(pool.get_n(kMost, 1000));
    EXPECT_EQ(pool.stats().idle, kMost);
}

} // namespace
