// The guards that Go programs put around sync.Pool by hand, so that a burst of giants does not stay
// (golang issue 23199): Hugo's bufferpool, which has none, fmt's and encoding/json's.
//
// SPDX-License-Identifier: Apache-2.0
//
//     bufferpool.GetBuffer(), PutBuffer(b)     pool_buf_get, pool_buf_put
//     if cap(p.buf) > 64<<10 { p.buf = nil }   a calibration with max_size = 65536, frozen
//     strikes and utilisation                  the calibration as it is
#include "support/buffer_pool.h"

#include <gtest/gtest.h>
#include <string>

namespace {

using namespace pool_test;

void use(pool_buffers *pool, size_t length, int times = 1) {
    for (int i = 0; i < times; i++) {
        pool_buf buf;
        ASSERT_EQ(pool_buf_get(pool, 0, &buf), POOL_OK);
        ASSERT_EQ(pool_buf_resize(&buf, length), POOL_OK);
        ASSERT_EQ(pool_buf_put(&buf), POOL_OK);
    }
}

TEST(HugoBufferpool, ABufferComesBackEmpty) {
    BufferPoolUnderTest pool;
    pool_buf buf;
    pool_buf_get(pool, 0, &buf);
    pool_buf_append(&buf, "do be do be do", 14);
    EXPECT_EQ(std::string(reinterpret_cast<char *>(buf.data), buf.length), "do be do be do");
    pool_buf_put(&buf);
    EXPECT_EQ(buf.length, 0u);
}

// golang issue 23199: a burst of 256 MiB buffers among small users there stayed for ever, one per
// small user.
TEST(HugoBufferpool, GiantsDoNotStayAmongSmallUsers) {
    pool_buffers_options options = POOL_BUFFERS_OPTIONS_INIT;
    options.max_size = 64 << 20;
    BufferPoolUnderTest pool(options);
    use(pool, 1000, 1000);
    std::vector<pool_buf> giants(20);
    for (pool_buf &giant : giants) {
        pool_buf_get(pool, 0, &giant);
        pool_buf_reserve(&giant, 8 << 20);
        giant.length = 8 << 20;
    }
    for (pool_buf &giant : giants)
        EXPECT_EQ(pool_buf_put(&giant), POOL_OK);
    use(pool, 1000, 1000);
    EXPECT_LT(pool.stats().idle_bytes, 100000u);
}

TEST(Fmt, KeepsUpTo64KiBAndNoMore) {
    BufferPoolUnderTest pool;
    pool_buffers_calibration guard = {};
    guard.size = sizeof guard;
    guard.max_size = 64 << 10;
    guard.frozen = 1;
    ASSERT_EQ(pool_buffers_set_calibration(pool, 0, &guard), POOL_OK);
    use(pool, 64 << 10);
    EXPECT_EQ(pool.stats().dropped, 0u) << "exactly 64 KiB is kept";
    EXPECT_EQ(pool.stats().idle_bytes, 64u << 10);
    use(pool, (64 << 10) + 1);
    EXPECT_EQ(pool.stats().dropped, 1u);
}

// jsontext keeps what is used by a quarter at least, and lets go of others after a few strikes: at
// worst 5 % of what is kept is used. Here what is kept is twice what 99 % need, at most.
TEST(Jsontext, WhatIsKeptIsNearWhatIsUsed) {
    BufferPoolUnderTest pool;
    use(pool, 3 << 18, 500);
    use(pool, 2000, 30000);
    pool_buffers_trim(pool, 4 << 20);
    pool_buffers_sweep(pool);
    use(pool, 2000, 100);
    pool_buffers_sweep(pool);
    use(pool, 2000, 100);
    EXPECT_LT(pool.stats().idle_bytes, 3 * 2048u);
    pool_buf buf;
    pool_buf_get(pool, 0, &buf);
    pool_buf_append(&buf, "x", 1);
    EXPECT_EQ(buf.capacity, 2048u) << "the next one is sized from the last ones";
    pool_buf_put(&buf);
}

} // namespace
