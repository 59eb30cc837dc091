// Making and ending buffer pools, what is refused, and fork.
//
// SPDX-License-Identifier: Apache-2.0
#include "support/allocator.h"
#include "support/buffer_pool.h"

#include <algorithm>
#include <set>
#include <thread>

namespace {

using namespace pool_test;

pool_status refused(void (*spoil)(pool_buffers_options &options)) {
    pool_buffers_options options = POOL_BUFFERS_OPTIONS_INIT;
    spoil(options);
    auto *pool = reinterpret_cast<pool_buffers *>(&options);
    pool_status status = pool_buffers_create(&options, &pool);
    EXPECT_EQ(pool, nullptr);
    EXPECT_STRNE(pool_last_error(), "");
    return status;
}

TEST(BufferPoolCreate, RefusesBadOptions) {
    constexpr uint64_t kGiB = uint64_t{1} << 30;
    EXPECT_EQ(refused([](auto &o) { o.size = 0; }), POOL_EINVAL);
    EXPECT_EQ(refused([](auto &o) { o.flags = 64; }), POOL_EINVAL);
    EXPECT_EQ(refused([](auto &o) { o.scheme = 3; }), POOL_EINVAL);
    EXPECT_EQ(refused([](auto &o) { o.scheme = -1; }), POOL_EINVAL);
    EXPECT_EQ(refused([](auto &o) { o.scheme = POOL_BUFFERS_LIST; }), POOL_EINVAL);
    EXPECT_EQ(refused([](auto &o) { o.largest = UINT64_MAX; }), POOL_EINVAL);
    EXPECT_EQ(refused([](auto &o) { o.min_size = kGiB + 1; }), POOL_EINVAL);
    EXPECT_EQ(refused([](auto &o) { o.max_size = kGiB + 1; }), POOL_EINVAL);
    EXPECT_EQ(refused([](auto &o) { o.max_size = UINT64_MAX; }), POOL_EINVAL);
    EXPECT_EQ(refused([](auto &o) { o.min_size = 1000, o.max_size = 999; }), POOL_EINVAL);
    EXPECT_EQ(refused([](auto &o) { o.alignment = 48; }), POOL_EINVAL);
    EXPECT_EQ(refused([](auto &o) { o.alignment = 4 << 20; }), POOL_EINVAL);
    EXPECT_EQ(refused([](auto &o) { o.sweep_period = -2; }), POOL_EINVAL);
    EXPECT_EQ(refused([](auto &o) { o.sweep_period = 999999; }), POOL_EINVAL);
    EXPECT_EQ(refused([](auto &o) { o.cpu_mode = 3; }), POOL_EINVAL);
    EXPECT_EQ(pool_buffers_create(nullptr, nullptr), POOL_EINVAL);
}

TEST(BufferPoolCreate, RefusesBadLists) {
    static uint64_t list[POOL_BUFFERS_MAX_LIST + 1];
    auto refused_list = [](std::initializer_list<uint64_t> sizes) {
        std::copy(sizes.begin(), sizes.end(), list);
        static uint32_t count;
        count = static_cast<uint32_t>(sizes.size());
        return refused([](auto &o) {
            o.scheme = POOL_BUFFERS_LIST;
            o.list = list;
            o.list_count = count;
        });
    };
    EXPECT_EQ(refused_list({}), POOL_EINVAL);
    EXPECT_EQ(refused_list({0}), POOL_EINVAL);
    EXPECT_EQ(refused_list({512, 512}), POOL_EINVAL);
    EXPECT_EQ(refused_list({512, 256}), POOL_EINVAL);
    EXPECT_EQ(refused_list({512, (uint64_t{1} << 30) + 1}), POOL_EINVAL);
    for (uint64_t i = 0; i <= POOL_BUFFERS_MAX_LIST; i++)
        list[i] = i + 1;
    EXPECT_EQ(refused([](auto &o) {
                  o.scheme = POOL_BUFFERS_LIST;
                  o.list = list;
                  o.list_count = POOL_BUFFERS_MAX_LIST + 1;
              }),
              POOL_EINVAL);
    EXPECT_EQ(refused([](auto &o) { o.list = list; }), POOL_EINVAL);
    EXPECT_EQ(refused([](auto &o) {
                  o.scheme = POOL_BUFFERS_LIST;
                  o.list = list;
                  o.list_count = 2;
                  o.max_size = 4096;
              }),
              POOL_EINVAL);
}

TEST(BufferPoolCreate, DefaultsAreAsDocumented) {
    pool_buffers *pool;
    ASSERT_EQ(pool_buffers_create(nullptr, &pool), POOL_OK);
    pool_buffer buffer = pool_buffers_get(pool, 0);
    EXPECT_EQ(buffer.capacity, 64u);
    EXPECT_EQ(pool_buffers_put(pool, buffer), POOL_OK);
    buffer = pool_buffers_get(pool, 1 << 24);
    EXPECT_EQ(buffer.capacity, size_t{1} << 24);
    EXPECT_EQ(pool_buffers_put(pool, buffer), POOL_OK);
    pool_buffers_stats stats = {};
    stats.size = sizeof stats;
    EXPECT_EQ(pool_buffers_get_stats(pool, &stats), POOL_OK);
    EXPECT_EQ(stats.classes, 73u); // 64, and four for each doubling up to 16 MiB
    EXPECT_EQ(stats.oversize, 0u);
    EXPECT_EQ(pool_buffers_destroy(pool), POOL_OK);

    pool_buffers_options options = POOL_BUFFERS_OPTIONS_INIT;
    options.min_size = 30 << 20; // above the default max_size
    ASSERT_EQ(pool_buffers_create(&options, &pool), POOL_OK);
    EXPECT_EQ(pool_buffers_destroy(pool), POOL_OK);
}

TEST(BufferPoolMisuse, NullIsRefusedOrIgnored) {
    pool_buffer none = pool_buffers_get(nullptr, 1);
    EXPECT_EQ(none.data, nullptr);
    EXPECT_EQ(none.capacity, 0u);
    EXPECT_EQ(pool_last_error_status(), POOL_EINVAL);
    EXPECT_EQ(pool_buffers_try_get(nullptr, 1).data, nullptr);
    EXPECT_EQ(pool_buffers_put(nullptr, {nullptr, 512}), POOL_EINVAL);
    EXPECT_EQ(pool_buffers_capacity(nullptr, 1), 0u);
    EXPECT_EQ(pool_buffers_prefill(nullptr, 1, 1), POOL_EINVAL);
    EXPECT_EQ(pool_buffers_sweep(nullptr), POOL_EINVAL);
    EXPECT_EQ(pool_buffers_trim(nullptr, 0), POOL_EINVAL);
    EXPECT_EQ(pool_buffers_get_stats(nullptr, nullptr), POOL_EINVAL);
    EXPECT_EQ(pool_buffers_get_class_stats(nullptr, 0, nullptr), POOL_EINVAL);
    EXPECT_EQ(pool_buffers_get_histogram(nullptr, 0, nullptr, 0), POOL_EINVAL);
    EXPECT_EQ(pool_buffers_get_calibration(nullptr, 0, nullptr), POOL_EINVAL);
    EXPECT_EQ(pool_buffers_set_calibration(nullptr, 0, nullptr), POOL_EINVAL);
    EXPECT_EQ(pool_buffers_destroy(nullptr), POOL_OK);
    EXPECT_EQ(pool_buffers_release(nullptr), POOL_OK);
    EXPECT_EQ(pool_buffers_options_init(nullptr, 8), POOL_EINVAL);
    BufferPoolUnderTest pool;
    EXPECT_EQ(pool_buffers_put(pool, {nullptr, 512}), POOL_OK);
    EXPECT_EQ(pool_buffers_put(pool, {nullptr, 77}), POOL_OK);
    EXPECT_EQ(pool_buffers_get_stats(pool, nullptr), POOL_EINVAL);
    EXPECT_EQ(pool_buffers_get_class_stats(pool, 0, nullptr), POOL_EINVAL);
    EXPECT_EQ(pool_buffers_get_calibration(pool, 0, nullptr), POOL_EINVAL);
    EXPECT_EQ(pool_buffers_set_calibration(pool, 0, nullptr), POOL_EINVAL);
}

TEST(BufferPoolMisuse, ASizeAboveTheLargestIsRefused) {
    pool_buffers_options options = POOL_BUFFERS_OPTIONS_INIT;
    options.largest = 100000;
    BufferPoolUnderTest pool(options);
    pool.put(pool.get(100000));
    for (size_t size : {size_t{100001}, SIZE_MAX}) {
        EXPECT_EQ(pool_buffers_get(pool, size).data, nullptr);
        EXPECT_EQ(pool_last_error_status(), POOL_EINVAL);
        EXPECT_NE(strstr(pool_last_error(), "100000"), nullptr) << pool_last_error();
        EXPECT_EQ(pool_buffers_capacity(pool, size), 0u);
    }
    EXPECT_EQ(pool.stats().gets, 1u);
}

// What a size that no machine has comes to; the sanitizers' own allocator would end the process.
TEST(BufferPoolMisuse, AnAbsurdSizeIsTheAllocatorsBusiness) {
    size_t asked = 0;
    pool_allocator allocator = {sizeof(pool_allocator),
                                [](size_t bytes, size_t alignment, void *ctx) -> void * {
                                    if (bytes > (size_t{1} << 40)) {
                                        *static_cast<size_t *>(ctx) = bytes;
                                        return nullptr;
                                    }
                                    return aligned_alloc(alignment, (bytes + alignment - 1) /
                                                                        alignment * alignment);
                                },
                                [](void *memory, size_t, size_t, void *) { free(memory); }, &asked};
    pool_buffers_options options = POOL_BUFFERS_OPTIONS_INIT;
    options.allocator = &allocator;
    BufferPoolUnderTest pool(options);
    EXPECT_EQ(pool_buffers_get(pool, size_t{1} << 46).data, nullptr);
    EXPECT_EQ(pool_last_error_status(), POOL_ENOMEM);
    EXPECT_EQ(asked, size_t{1} << 46);
    EXPECT_EQ(pool.stats().gets, 0u);
}

TEST(BufferPoolDestroy, LeavesBuffersThatAreOutUsable) {
    pool_buffers *pool;
    ASSERT_EQ(pool_buffers_create(nullptr, &pool), POOL_OK);
    pool_buffers_put(pool, pool_buffers_get(pool, 100));
    pool_buffer buffer = pool_buffers_get(pool, 10000);
    EXPECT_EQ(pool_buffers_destroy(pool), POOL_OK);
    memset(buffer.data, 1, buffer.capacity);
    // By contract the memory is lost; a reference keeps it from being called a leak.
    static void *volatile lost;
    lost = buffer.data;
    EXPECT_EQ(pool_buffers_get(pool, 1).data, nullptr);
    EXPECT_EQ(pool_last_error_status(), POOL_ECLOSED);
    EXPECT_EQ(pool_buffers_sweep(pool), POOL_ECLOSED);
    EXPECT_EQ(pool_buffers_trim(pool, 0), POOL_ECLOSED);
    EXPECT_EQ(pool_buffers_prefill(pool, 1, 1), POOL_ECLOSED);
    pool_buffers_stats stats = {};
    stats.size = sizeof stats;
    EXPECT_EQ(pool_buffers_get_stats(pool, &stats), POOL_ECLOSED);
    EXPECT_EQ(pool_buffers_destroy(pool), POOL_ECLOSED);
    EXPECT_EQ(pool_buffers_release(pool), POOL_ECLOSED);
    EXPECT_EQ(pool_buffers_put(pool, buffer), POOL_ECLOSED);
    (void)lost;
}

TEST(BufferPoolRelease, EndsWithTheLastBuffer) {
    AccountingAllocator account;
    pool_allocator allocator = account.allocator();
    pool_buffers_options options = POOL_BUFFERS_OPTIONS_INIT;
    options.allocator = &allocator;
    pool_buffers *pool;
    ASSERT_EQ(pool_buffers_create(&options, &pool), POOL_OK);
    pool_buffer small = pool_buffers_get(pool, 100), large = pool_buffers_get(pool, 5 << 20);
    pool_buffers_put(pool, pool_buffers_get(pool, 5000));
    EXPECT_EQ(pool_buffers_release(pool), POOL_OK);
    EXPECT_EQ(pool_buffers_get(pool, 100).data, nullptr);
    EXPECT_EQ(pool_last_error_status(), POOL_ECLOSED);
    EXPECT_NE(account.bytes(), 0u);
    EXPECT_EQ(pool_buffers_put(pool, large), POOL_OK);
    EXPECT_NE(account.bytes(), 0u);
    EXPECT_EQ(pool_buffers_put(pool, small), POOL_OK);
    EXPECT_EQ(account.bytes(), 0u);
}

TEST(BufferPoolRelease, EndsAtOnceIfNothingIsOut) {
    AccountingAllocator account;
    pool_allocator allocator = account.allocator();
    pool_buffers_options options = POOL_BUFFERS_OPTIONS_INIT;
    options.allocator = &allocator;
    pool_buffers *pool;
    ASSERT_EQ(pool_buffers_create(&options, &pool), POOL_OK);
    pool_buffers_put(pool, pool_buffers_get(pool, 5000));
    EXPECT_EQ(pool_buffers_release(pool), POOL_OK);
    EXPECT_EQ(account.bytes(), 0u);
}

// Puts race with the release: each buffer is freed once, and the pool ends once.
TEST(BufferPoolRelease, MayRaceWithPuts) {
    for (int round = 0; round < 300; round++) {
        AccountingAllocator account;
        pool_allocator allocator = account.allocator();
        pool_buffers_options options = POOL_BUFFERS_OPTIONS_INIT;
        options.allocator = &allocator;
        const uint64_t kBounds[] = {0, POOL_BUFFERS_KEEP_NONE, 10}; // kept, or dropped by the puts
        options.max_idle = kBounds[round % 3];
        pool_buffers *pool;
        ASSERT_EQ(pool_buffers_create(&options, &pool), POOL_OK);
        std::vector<pool_buffer> held;
        for (size_t i = 0; i < 40; i++)
            held.push_back(pool_buffers_get(pool, 100 * (i % 5 + 1)));
        std::thread putter([&] {
            for (pool_buffer buffer : held)
                EXPECT_EQ(pool_buffers_put(pool, buffer), POOL_OK);
        });
        for (int spin = 0; spin < round * 15; spin++)
            __asm__ volatile("");
        EXPECT_EQ(pool_buffers_release(pool), POOL_OK);
        putter.join();
        EXPECT_EQ(account.bytes(), 0u);
    }
}

TEST(BufferPoolDestroy, GivesAllMemoryBack) {
    AccountingAllocator account;
    pool_allocator allocator = account.allocator();
    pool_buffers_options options = POOL_BUFFERS_OPTIONS_INIT;
    options.allocator = &allocator;
    BufferPoolUnderTest pool(options);
    for (size_t bytes = 1; bytes < 3000000; bytes = bytes * 3 / 2 + 1)
        pool.put(pool.get(bytes));
}

// Handles of ended pools are used again, so making pools and ending them takes no more memory.
TEST(BufferPoolDestroy, ItsHandleComesBack) {
    std::set<pool_buffers *> handles;
    for (int i = 0; i < 1000; i++) {
        pool_buffers *pool;
        ASSERT_EQ(pool_buffers_create(nullptr, &pool), POOL_OK);
        handles.insert(pool);
        pool_buffers_put(pool, pool_buffers_get(pool, 100));
        EXPECT_EQ(i % 2 == 0 ? pool_buffers_destroy(pool) : pool_buffers_release(pool), POOL_OK);
    }
    EXPECT_LT(handles.size(), 500u);
}

} // namespace
