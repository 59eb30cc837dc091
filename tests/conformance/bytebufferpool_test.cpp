// valyala/bytebufferpool: what a program that used it may rely on here.
//
// SPDX-License-Identifier: Apache-2.0
//
//     b := p.Get()              pool_buf b; pool_buf_get(pool, 0, &b)
//     b.Write(p)                pool_buf_append(&b, p, n)
//     b.WriteByte(c)            pool_buf_append_byte(&b, c)
//     b.Set(p)                  pool_buf_reset(&b); pool_buf_append(&b, p, n)
//     b.ReadFrom(r)             pool_buf_read_all(&b, fd, &n)
//     b.WriteTo(w)              pool_buf_write(&b, 0, fd, &n)
//     b.B, b.Len()              b.data, b.length
//     p.Put(b)                  pool_buf_put(&b)
//
// Where the tests say "there", something is better here and the difference is meant.
#include "support/buffer_pool.h"

#include <gtest/gtest.h>
#include <string>
#include <sys/mman.h>
#include <thread>
#include <unistd.h>

namespace {

using namespace pool_test;

std::string_view text_of(const pool_buf &buf) {
    return {reinterpret_cast<const char *>(buf.data), buf.length};
}

void use(pool_buffers *pool, size_t length, int times) {
    std::string text(length, 'x');
    for (int i = 0; i < times; i++) {
        pool_buf buf;
        ASSERT_EQ(pool_buf_get(pool, 0, &buf), POOL_OK);
        ASSERT_EQ(pool_buf_append(&buf, text.data(), length), POOL_OK);
        ASSERT_EQ(pool_buf_put(&buf), POOL_OK);
    }
}

pool_buffers_calibration learned(pool_buffers *pool) {
    pool_buffers_calibration values = {};
    values.size = sizeof values;
    EXPECT_EQ(pool_buffers_get_calibration(pool, 0, &values), POOL_OK);
    return values;
}

TEST(Bytebufferpool, ABufferIsEmptyWhateverWasInIt) {
    BufferPoolUnderTest pool;
    for (int i = 0; i < 10; i++) {
        pool_buf buf;
        ASSERT_EQ(pool_buf_get(pool, 0, &buf), POOL_OK);
        EXPECT_EQ(buf.length, 0u);
        std::string number = "num " + std::to_string(i);
        pool_buf_append(&buf, number.data(), number.size());
        EXPECT_EQ(text_of(buf), number);
        ASSERT_EQ(pool_buf_put(&buf), POOL_OK);
    }
}

TEST(Bytebufferpool, Writes) {
    BufferPoolUnderTest pool;
    pool_buf buf;
    pool_buf_get(pool, 0, &buf);
    std::string expected;
    for (int i = 0; i < 500; i++) {
        pool_buf_append(&buf, "foobar", 6);
        pool_buf_append_byte(&buf, '\n');
        expected += "foobar\n";
        ASSERT_EQ(buf.length, expected.size());
    }
    EXPECT_TRUE(text_of(buf) == expected);
    pool_buf_reset(&buf);
    pool_buf_append(&buf, "set", 3);
    EXPECT_EQ(text_of(buf), "set");
    EXPECT_EQ(pool_buf_put(&buf), POOL_OK);
}

TEST(Bytebufferpool, ReadsFromAndWritesTo) {
    BufferPoolUnderTest pool;
    int file = memfd_create("bytebufferpool", 0);
    ASSERT_GE(file, 0);
    std::string prefix = "foobar", expected = prefix;
    pool_buf buf;
    pool_buf_get(pool, 0, &buf);
    pool_buf_append(&buf, prefix.data(), prefix.size());
    for (int i = 0; i < 20; i++) {
        std::string text(static_cast<size_t>(i * 100), static_cast<char>('a' + i));
        ASSERT_EQ(ftruncate(file, 0), 0);
        ASSERT_EQ(pwrite(file, text.data(), text.size(), 0), static_cast<ssize_t>(text.size()));
        lseek(file, 0, SEEK_SET);
        size_t got = 0;
        EXPECT_EQ(pool_buf_read_all(&buf, file, &got), POOL_OK);
        EXPECT_EQ(got, text.size());
        expected += text;
        ASSERT_TRUE(text_of(buf) == expected);
    }
    ASSERT_EQ(ftruncate(file, 0), 0);
    lseek(file, 0, SEEK_SET);
    size_t written = 0;
    EXPECT_EQ(pool_buf_write(&buf, 0, file, &written), POOL_OK);
    EXPECT_EQ(written, expected.size());
    EXPECT_TRUE(text_of(buf) == expected) << "and is not consumed";
    EXPECT_EQ(pool_buf_put(&buf), POOL_OK);
    close(file);
}

// Of one size: both agree. The sizes that it learns are the steps of 64 << i; here they are finer.
TEST(Bytebufferpool, LearnsTheDefaultAndTheLargestSize) {
    BufferPoolUnderTest pool;
    use(pool, 64, 43000);
    EXPECT_EQ(learned(pool).default_size, 64u);
    BufferPoolUnderTest other;
    for (int i = 0; i < 42000; i++) {
        use(other, 512, 1);
        if (i % 20 == 0)
            use(other, 1024, 19);
    }
    EXPECT_EQ(learned(other).default_size, 1024u)
        << "there the most frequent, with which half of the buffers grow";
    EXPECT_GE(learned(other).max_size, 1024u);
}

TEST(Bytebufferpool, DropsWhatIsLargerThanTheLargest) {
    BufferPoolUnderTest pool;
    use(pool, 1000, 43000);
    uint64_t dropped = pool.stats().dropped;
    use(pool, 1 << 20, 1);
    EXPECT_EQ(pool.stats().dropped, dropped + 1);
}

// There a buffer whose growth went past the learned size was dropped on every put, for ever.
TEST(Bytebufferpool, KeepsWhatGrowthHasMadeLargerThanNeeded) {
    BufferPoolUnderTest pool;
    std::string piece(100, 'x');
    for (int i = 0; i < 20000; i++) {
        pool_buf buf;
        pool_buf_get(pool, 0, &buf);
        for (int k = 0; k < 21; k++) // 2,100 bytes: grown to 3,072 or so where they do not fit
            pool_buf_append(&buf, piece.data(), piece.size());
        pool_buf_put(&buf);
    }
    EXPECT_EQ(pool.stats().dropped, 0u);
    EXPECT_LT(pool.stats().misses, 20u);
}

// There it took 42,000 puts of one size to learn anything at all, and nothing was dropped before.
TEST(Bytebufferpool, LearnsFromAHundredPuts) {
    BufferPoolUnderTest pool;
    use(pool, 5000, 100);
    EXPECT_EQ(learned(pool).default_size, 5120u);
}

TEST(Bytebufferpool, IsSafeForManyThreads) {
    BufferPoolUnderTest pool;
    std::vector<std::thread> threads;
    for (int t = 0; t < 10; t++)
        threads.emplace_back([&] {
            for (int i = 0; i < 200; i++) {
                pool_buf buf;
                pool_buf_get(pool, 0, &buf);
                std::string number = "num " + std::to_string(i);
                pool_buf_append(&buf, number.data(), number.size());
                EXPECT_EQ(text_of(buf), number);
                EXPECT_EQ(pool_buf_put(&buf), POOL_OK);
            }
        });
    for (std::thread &thread : threads)
        thread.join();
    EXPECT_EQ(pool.stats().out, 0);
}

} // namespace
