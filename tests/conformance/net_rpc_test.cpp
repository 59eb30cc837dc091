// The free lists of net/rpc's server: Request and Response objects, zeroed when they are got.
//
// SPDX-License-Identifier: Apache-2.0
//
//     req := server.getRequest()      a pool with a list of one size, sizeof(struct request), and
//     server.freeRequest(req)         POOL_BUFFERS_ZERO_ON_GET
//
// In C++ that is pool::free_list<Request>.
#include "support/buffer_pool.h"

#include <gtest/gtest.h>
#include <thread>

namespace {

using namespace pool_test;

struct Request {
    char service_method[56];
    uint64_t sequence;
};

pool_buffers_options requests() {
    static const uint64_t kSize = sizeof(Request);
    pool_buffers_options options = POOL_BUFFERS_OPTIONS_INIT;
    options.scheme = POOL_BUFFERS_LIST;
    options.list = &kSize;
    options.list_count = 1;
    options.flags = POOL_BUFFERS_ZERO_ON_GET;
    return options;
}

bool is_zero(const Request &request) {
    static const Request kZero = {};
    return memcmp(&request, &kZero, sizeof kZero) == 0;
}

TEST(NetRpc, ARequestIsZeroWhateverItWasBefore) {
    BufferPoolUnderTest pool(requests());
    void *last = nullptr;
    for (int i = 0; i < 3000; i++) {
        pool_buffer block = pool_buffers_get(pool, sizeof(Request));
        ASSERT_EQ(block.capacity, sizeof(Request));
        auto *request = static_cast<Request *>(block.data);
        ASSERT_TRUE(is_zero(*request)) << i;
        memset(request, 0xff, sizeof *request);
        EXPECT_TRUE(last == nullptr || last == block.data)
            << "the last one in is the first one out";
        last = block.data;
        ASSERT_EQ(pool_buffers_put(pool, block), POOL_OK);
    }
    EXPECT_EQ(pool.stats().misses, 1u);
}

TEST(NetRpc, ManyServersThreadsMayShareIt) {
    BufferPoolUnderTest pool(requests());
    std::vector<std::thread> threads;
    for (int t = 1; t <= 4; t++)
        threads.emplace_back([&, t] {
            for (int i = 0; i < 5000; i++) {
                pool_buffer blocks[3];
                for (pool_buffer &block : blocks) {
                    block = pool_buffers_get(pool, sizeof(Request));
                    auto *request = static_cast<Request *>(block.data);
                    EXPECT_TRUE(is_zero(*request));
                    memset(request, t, sizeof *request);
                }
                for (pool_buffer block : blocks) {
                    EXPECT_EQ(static_cast<Request *>(block.data)->service_method[55], t);
                    EXPECT_EQ(pool_buffers_put(pool, block), POOL_OK);
                }
            }
        });
    for (std::thread &thread : threads)
        thread.join();
    EXPECT_EQ(pool.stats().out, 0);
}

} // namespace
