// A buffer pool for tests, made and ended through the C functions.
//
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pool/buf.h"

#include <cstring>
#include <gtest/gtest.h>
#include <vector>

namespace pool_test {

struct Buffer {
    unsigned char *data = nullptr;
    size_t capacity = 0;

    operator pool_buffer() const { return {data, capacity}; }
};

inline pool_buffers_options sizes(uint64_t min, uint64_t max,
                                  pool_buffers_scheme scheme = POOL_BUFFERS_GEOMETRIC) {
    pool_buffers_options options = POOL_BUFFERS_OPTIONS_INIT;
    options.min_size = min;
    options.max_size = max;
    options.scheme = scheme;
    return options;
}

class BufferPoolUnderTest {
public:
    explicit BufferPoolUnderTest(const pool_buffers_options &options = POOL_BUFFERS_OPTIONS_INIT) {
        EXPECT_EQ(pool_buffers_create(&options, &pool_), POOL_OK) << pool_last_error();
    }
    ~BufferPoolUnderTest() { EXPECT_EQ(pool_buffers_destroy(pool_), POOL_OK); }
    BufferPoolUnderTest(const BufferPoolUnderTest &) = delete;
    BufferPoolUnderTest &operator=(const BufferPoolUnderTest &) = delete;

    operator pool_buffers *() const { return pool_; }

    // Written from end to end, so that a tool sees a buffer that is too short.
    Buffer get(size_t min_size) const {
        pool_buffer got = pool_buffers_get(pool_, min_size);
        EXPECT_NE(got.data, nullptr) << pool_last_error();
        EXPECT_GE(got.capacity, min_size);
        memset(got.data, 0xa5, got.capacity);
        return {static_cast<unsigned char *>(got.data), got.capacity};
    }
    void put(Buffer buffer) const {
        EXPECT_EQ(pool_buffers_put(pool_, buffer), POOL_OK) << pool_last_error();
    }
    std::vector<Buffer> get_n(size_t n, size_t min_size) const {
        std::vector<Buffer> buffers;
        for (size_t i = 0; i < n; i++)
            buffers.push_back(get(min_size));
        return buffers;
    }
    void put_all(const std::vector<Buffer> &buffers) const {
        for (const Buffer &buffer : buffers)
            put(buffer);
    }

    pool_buffers_stats stats_meanwhile() const {
        pool_buffers_stats s;
        s.size = sizeof s;
        EXPECT_EQ(pool_buffers_get_stats(pool_, &s), POOL_OK);
        return s;
    }

    // Also checks what must hold while no thread is using the pool.
    pool_buffers_stats stats() const {
        pool_buffers_stats s = stats_meanwhile();
        EXPECT_EQ(s.gets, s.hits + s.misses);
        EXPECT_EQ(s.out, static_cast<int64_t>(s.gets - s.puts));
        EXPECT_LE(s.oversize, s.misses);
        EXPECT_LE(s.dropped, s.puts);
        expect_classes_add_up(s);
        return s;
    }

    pool_buffers_class_stats class_stats(size_t index) const {
        pool_buffers_class_stats s;
        s.size = sizeof s;
        EXPECT_EQ(pool_buffers_get_class_stats(pool_, index, &s), POOL_OK);
        return s;
    }
    pool_buffers_class_stats stats_of(size_t capacity) const {
        size_t index = 0;
        while (class_stats(index).capacity != capacity)
            index++;
        return class_stats(index);
    }

private:
    void expect_classes_add_up(const pool_buffers_stats &all) const {
        pool_buffers_stats sum = {};
        for (size_t i = 0; i < all.classes; i++) {
            pool_buffers_class_stats s = class_stats(i);
            EXPECT_EQ(s.gets, s.hits + s.misses);
            EXPECT_EQ(s.out, static_cast<int64_t>(s.gets - s.puts));
            EXPECT_EQ(s.idle_bytes, s.idle * s.capacity);
            EXPECT_LE(s.largest, s.capacity);
            sum.gets += s.gets;
            sum.puts += s.puts;
            sum.swept += s.swept;
            sum.idle_bytes += s.idle_bytes;
        }
        EXPECT_EQ(all.gets, sum.gets + all.oversize);
        EXPECT_LE(sum.puts, all.puts);
        EXPECT_EQ(all.swept, sum.swept);
        EXPECT_EQ(all.idle_bytes, sum.idle_bytes);
    }

    pool_buffers *pool_ = nullptr;
};

} // namespace pool_test
