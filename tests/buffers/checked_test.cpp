// Checked mode, and what is done to the contents of buffers.
//
// SPDX-License-Identifier: Apache-2.0
#include "platform/annotate.h"
#include "support/buffer_pool.h"
#include "support/log.h"

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <string>
#include <unistd.h>

namespace {

using namespace pool_test;

pool_buffers_options flagged(uint32_t flags, const char *name = "pages") {
    pool_buffers_options options = POOL_BUFFERS_OPTIONS_INIT;
    options.name = name;
    options.flags = flags;
    return options;
}

std::string pointer_text(const void *pointer) {
    char text[32];
    snprintf(text, sizeof text, "%p", pointer);
    return text;
}

TEST(BufferChecked, WorksLikeAnyOther) {
    LogCapture log;
    {
        BufferPoolUnderTest pool(flagged(POOL_BUFFERS_CHECKED));
        EXPECT_EQ(pool_buffers_prefill(pool, 3000, 5), POOL_OK);
        for (int round = 0; round < 3; round++) {
            std::vector<Buffer> held = pool.get_n(20, 3000);
            held.push_back(pool.get(5 << 20));
            pool.put_all(held);
            EXPECT_EQ(pool_buffers_sweep(pool), POOL_OK);
        }
        EXPECT_EQ(pool_buffers_trim(pool, 0), POOL_OK);
        pool_buffers_stats s = pool.stats();
        EXPECT_EQ(s.misuses, 0u);
        EXPECT_EQ(s.out, 0);
        EXPECT_EQ(s.idle, 0u);
        pool_buf buf;
        pool_buf_get(pool, 0, &buf);
        for (int i = 0; i < 1000; i++)
            EXPECT_EQ(pool_buf_append(&buf, "0123456789", 10), POOL_OK);
        EXPECT_EQ(pool_buf_put(&buf), POOL_OK);
    }
    EXPECT_TRUE(log.lines().empty());
}

TEST(BufferChecked, FindsADoublePut) {
    BufferPoolUnderTest pool(flagged(POOL_BUFFERS_CHECKED));
    Buffer buffer = pool.get(1000);
    pool.put(buffer);
    EXPECT_EQ(pool_buffers_put(pool, buffer), POOL_EMISUSE);
    EXPECT_EQ(pool_last_error(), "double put of " + pointer_text(buffer.data) +
                                     ": it is idle in pool 'pages' already");
    EXPECT_EQ(pool.stats().misuses, 1u);
    EXPECT_EQ(pool.stats().idle, 1u);
}

TEST(BufferChecked, FindsABufferOfAnotherPoolAndNamesIt) {
    BufferPoolUnderTest pool(flagged(POOL_BUFFERS_CHECKED));
    BufferPoolUnderTest other(flagged(POOL_BUFFERS_CHECKED, "packets"));
    Buffer buffer = other.get(1000);
    pool.put(pool.get(1000));
    EXPECT_EQ(pool_buffers_put(pool, buffer), POOL_EMISUSE);
    EXPECT_EQ(pool_last_error(), "put of " + pointer_text(buffer.data) +
                                     " into pool 'pages': it belongs to pool 'packets'");
    other.put(buffer);
}

TEST(BufferChecked, FindsWhatWasNeverABuffer) {
    BufferPoolUnderTest pool(flagged(POOL_BUFFERS_CHECKED));
    pool.put(pool.get(64));
    char foreign[64];
    EXPECT_EQ(pool_buffers_put(pool, {foreign, 64}), POOL_EMISUSE);
    EXPECT_EQ(pool_last_error(),
              "put of " + pointer_text(foreign) + ": pool 'pages' has not handed it out");
}

TEST(BufferChecked, FindsAWrongCapacity) {
    BufferPoolUnderTest pool(flagged(POOL_BUFFERS_CHECKED));
    Buffer buffer = pool.get(1000), larger = pool.get(2000);
    EXPECT_EQ(pool_buffers_put(pool, {buffer.data, larger.capacity}), POOL_EMISUSE);
    EXPECT_NE(strstr(pool_last_error(), "gave it 1024"), nullptr) << pool_last_error();
    pool.put(buffer);
    pool.put(larger);
}

// The sanitizers and valgrind report such a write themselves, where it happens.
TEST(BufferChecked, FindsAWriteAfterAPut) {
    if (pool::annotations_wanted())
        GTEST_SKIP() << "the tool would find it first";
    LogCapture log;
    for (uint32_t zero : {uint32_t{0}, uint32_t{POOL_BUFFERS_ZERO_ON_PUT}}) {
        BufferPoolUnderTest pool(flagged(POOL_BUFFERS_CHECKED | zero));
        Buffer buffer = pool.get(1000);
        for (size_t at : {size_t{0}, size_t{500}, buffer.capacity - 1}) {
            pool.put(buffer);
            buffer.data[at] ^= 1;
            EXPECT_EQ(pool.get(1000).data, buffer.data) << "it is handed out all the same";
        }
        pool.put(buffer);
        buffer.data[7] ^= 1;
        EXPECT_EQ(pool_buffers_trim(pool, 0), POOL_OK);
        EXPECT_EQ(pool.stats().misuses, 4u);
    }
    EXPECT_EQ(log.lines().size(), 8u);
    EXPECT_NE(log.lines()[0].text.find("was written to after it was put"), std::string::npos);
    EXPECT_EQ(log.lines()[0].severity, 3);
}

TEST(BufferChecked, ReportsWhatIsStillOutAtTheEnd) {
    LogCapture log;
    pool_allocator allocator = {
        sizeof(pool_allocator), [](size_t bytes, size_t, void *) { return malloc(bytes); },
        [](void *memory, size_t, size_t, void *) { free(memory); }, nullptr};
    pool_buffers_options options = flagged(POOL_BUFFERS_CHECKED);
    options.allocator = &allocator;
    pool_buffers *pool;
    ASSERT_EQ(pool_buffers_create(&options, &pool), POOL_OK);
    pool_buffer small = pool_buffers_get(pool, 100), large = pool_buffers_get(pool, 5 << 20);
    EXPECT_EQ(pool_buffers_destroy(pool), POOL_EMISUSE);
    EXPECT_NE(strstr(pool_last_error(), "'pages' ended with 2 buffers still out"), nullptr);
    ASSERT_EQ(log.lines().size(), 1u);
    free(small.data);
    free(large.data);
}

TEST(BufferContents, ZeroOnGetIsZeroFromEndToEnd) {
    for (uint32_t more : {uint32_t{0}, uint32_t{POOL_BUFFERS_CHECKED}}) {
        BufferPoolUnderTest pool(flagged(POOL_BUFFERS_ZERO_ON_GET | more));
        for (size_t size : {size_t{100}, size_t{100}, size_t{3000}, size_t{2} << 20}) {
            pool_buffer buffer = pool_buffers_get(pool, size);
            auto *bytes = static_cast<unsigned char *>(buffer.data);
            EXPECT_EQ(std::count(bytes, bytes + buffer.capacity, 0),
                      static_cast<ptrdiff_t>(buffer.capacity));
            memset(buffer.data, 0xff, buffer.capacity);
            EXPECT_EQ(pool_buffers_put(pool, buffer), POOL_OK);
        }
        EXPECT_EQ(pool.stats().hits, 1u);
    }
}

TEST(BufferContents, ZeroOnPutLeavesNothingBehind) {
    if (pool::annotations_wanted())
        GTEST_SKIP() << "the tool would find the look at an idle buffer";
    BufferPoolUnderTest pool(flagged(POOL_BUFFERS_ZERO_ON_PUT));
    Buffer buffer = pool.get(3000); // is full of something else than zeros
    pool.put(buffer);
    EXPECT_EQ(std::count(buffer.data, buffer.data + buffer.capacity, 0),
              static_cast<ptrdiff_t>(buffer.capacity));
}

// A secret does not stay in what a growing buffer leaves, nor in what is freed.
TEST(BufferContents, ZeroOnPutHoldsForGrowingBuffersAndForWhatIsFreed) {
    static std::string seen;
    seen.clear();
    pool_allocator allocator = {sizeof(pool_allocator),
                                [](size_t bytes, size_t alignment, void *) -> void * {
                                    void *memory = nullptr;
                                    return posix_memalign(&memory, alignment, bytes) == 0 ? memory
                                                                                          : nullptr;
                                },
                                [](void *memory, size_t bytes, size_t, void *) {
                                    seen.append(static_cast<char *>(memory), bytes);
                                    free(memory);
                                },
                                nullptr};
    pool_buffers_options options = flagged(POOL_BUFFERS_ZERO_ON_PUT);
    options.allocator = &allocator;
    options.max_size = 1 << 20;
    options.max_idle_bytes = 3000;
    {
        BufferPoolUnderTest pool(options);
        pool_buf buf;
        pool_buf_get(pool, 0, &buf);
        for (int i = 0; i < 100000; i++)
            pool_buf_append(&buf, "hunter2", 7);
        EXPECT_EQ(pool_buf_put(&buf), POOL_OK);
        Buffer oversize = pool.get(2 << 20);
        memcpy(oversize.data, "hunter2", 7);
        pool.put(oversize);
    }
    EXPECT_GT(seen.size(), 2000000u);
    EXPECT_EQ(seen.find("hunter2"), std::string::npos);
}

// What the kernel was told of the memory at `address`: the flags of its mapping.
std::string flags_of(const void *address) {
    std::ifstream maps("/proc/self/smaps");
    bool here = false;
    for (std::string line; std::getline(maps, line);) {
        unsigned long from, to;
        if (sscanf(line.c_str(), "%lx-%lx ", &from, &to) == 2)
            here = from <= reinterpret_cast<uintptr_t>(address) &&
                   reinterpret_cast<uintptr_t>(address) < to;
        else if (here && line.rfind("VmFlags:", 0) == 0)
            return line;
    }
    return "";
}

TEST(BufferContents, HugePagesAreAskedFor) {
    BufferPoolUnderTest pool(flagged(POOL_BUFFERS_HUGE_PAGES));
    Buffer large = pool.get(4 << 20), small = pool.get(1 << 20);
    if (access("/sys/kernel/mm/transparent_hugepage", F_OK) == 0) {
        EXPECT_NE(flags_of(large.data).find(" hg"), std::string::npos);
    }
    EXPECT_EQ(flags_of(small.data).find(" hg"), std::string::npos);
    pool.put_all({large, small});
}

TEST(BufferContents, HugePagesBeginOnTheirMultiple) {
    pool_buffers_options options = flagged(POOL_BUFFERS_HUGE_PAGES);
    options.max_size = 8 << 20;
    BufferPoolUnderTest pool(options);
    for (size_t size : {size_t{2} << 20, size_t{3} << 20, size_t{20} << 20}) {
        Buffer buffer = pool.get(size);
        EXPECT_EQ(reinterpret_cast<uintptr_t>(buffer.data) % (2 << 20), 0u);
        pool.put(buffer);
    }
}

} // namespace
