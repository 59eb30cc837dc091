// The buffer pools inside net/http: writers of 2 and 4 KiB, HTTP/2's data chunks, the copy buffers.
//
// SPDX-License-Identifier: Apache-2.0
//
//     bufioWriter2kPool, bufioWriter4kPool     a list of {2048, 4096}
//     dataChunkPools                           doubling from 1 to 16 KiB
//     copyBufPool                              a list of {32768}
#include "support/buffer_pool.h"

#include <gtest/gtest.h>

namespace {

using namespace pool_test;

pool_buffers_options list(const uint64_t *sizes, uint32_t count) {
    pool_buffers_options options = POOL_BUFFERS_OPTIONS_INIT;
    options.scheme = POOL_BUFFERS_LIST;
    options.list = sizes;
    options.list_count = count;
    return options;
}

TEST(NetHttp, WritersAreOfTwoSizesAndOthersAreNotKept) {
    const uint64_t kSizes[] = {2048, 4096};
    BufferPoolUnderTest pool(list(kSizes, 2));
    for (auto [wanted, capacity] :
         {std::pair<size_t, size_t>{2048, 2048}, {4096, 4096}, {2049, 4096}, {5000, 5000}}) {
        Buffer buffer = pool.get(wanted);
        EXPECT_EQ(buffer.capacity, capacity);
        pool.put(buffer);
    }
    EXPECT_EQ(pool.stats().idle, 2u);
    EXPECT_EQ(pool.stats().idle_bytes, 2048u + 4096);
    EXPECT_EQ(pool.stats().dropped, 1u);
}

// TestDataBufferAllocation: the chunk for what is expected, 16 KiB at most.
TEST(NetHttp, DataChunksAreOfFiveSizes) {
    BufferPoolUnderTest pool(sizes(1 << 10, 16 << 10, POOL_BUFFERS_DOUBLING));
    for (auto [expected, chunk] : {std::pair<size_t, size_t>{1, 1 << 10},
                                   {1 << 10, 1 << 10},
                                   {(1 << 10) + 1, 2 << 10},
                                   {3 << 10, 4 << 10},
                                   {5 << 10, 8 << 10},
                                   {9 << 10, 16 << 10},
                                   {16 << 10, 16 << 10}}) {
        Buffer buffer = pool.get(expected);
        EXPECT_EQ(buffer.capacity, chunk) << expected;
        pool.put(buffer);
    }
}

// There a put of another length panics.
TEST(NetHttp, ACopyBufferOfAnotherSizeIsAnError) {
    const uint64_t kSize = 32768;
    BufferPoolUnderTest pool(list(&kSize, 1));
    Buffer buffer = pool.get(32768);
    EXPECT_EQ(pool_buffers_put(pool, {buffer.data, 16384}), POOL_EINVAL);
    pool.put(buffer);
}

} // namespace
