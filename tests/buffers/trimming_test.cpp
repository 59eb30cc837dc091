// Memory goes back: by sweeps that the pool's own calls do, by trims, and to the system.
//
// SPDX-License-Identifier: Apache-2.0
#include "platform/annotate.h"
#include "platform/memory.h"
#include "support/buffer_pool.h"
#include "support/simulated_clock.h"

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <dlfcn.h>
#include <unistd.h>

namespace {

using namespace pool_test;

// Enough gets for several to look at the clock.
void traffic(const BufferPoolUnderTest &pool, size_t size = 2048) {
    for (int i = 0; i < 5000; i++)
        pool.put(pool.get(size));
}

TEST(BufferSweep, CallsOfThePoolDoItWithoutAThread) {
    SimulatedClock clock;
    BufferPoolUnderTest pool;
    pool.put_all(pool.get_n(100, 100000));
    traffic(pool);
    uint64_t burst = pool.stats().idle_bytes;
    EXPECT_GT(burst, 10000000u);
    for (int i = 0; i < 19; i++) {
        clock.advance(kSecond);
        traffic(pool);
    }
    EXPECT_EQ(pool.stats().sweeps, 1u);
    EXPECT_EQ(pool.stats().idle_bytes, burst) << "one generation is not enough";
    clock.advance(2 * kSecond);
    traffic(pool);
    EXPECT_EQ(pool.stats().sweeps, 2u);
    EXPECT_EQ(pool.stats().idle, 1u);
    EXPECT_EQ(pool.stats().swept, 100u);
}

TEST(BufferSweep, DoesAPartAtATime) {
    static std::atomic<int> freed;
    freed = 0;
    pool_allocator allocator = {sizeof(pool_allocator),
                                [](size_t bytes, size_t alignment, void *) -> void * {
                                    void *memory = nullptr;
                                    return posix_memalign(&memory, alignment, bytes) == 0 ? memory
                                                                                          : nullptr;
                                },
                                [](void *memory, size_t bytes, size_t, void *) {
                                    if (bytes == size_t{1} << 20)
                                        freed++;
                                    free(memory);
                                },
                                nullptr};
    SimulatedClock clock;
    pool_buffers_options options = POOL_BUFFERS_OPTIONS_INIT;
    options.allocator = &allocator;
    BufferPoolUnderTest pool(options);
    std::vector<pool_buffer> burst;
    for (int i = 0; i < 100; i++)
        burst.push_back(pool_buffers_get(pool, 1 << 20)); // not written: address space only
    for (pool_buffer buffer : burst)
        pool_buffers_put(pool, buffer);
    clock.advance(11 * kSecond);
    traffic(pool);
    clock.advance(11 * kSecond);
    int most = 0;
    for (int i = 0; i < 20000; i++) {
        int before = freed;
        pool.put(pool.get(2048));
        most = std::max(most, freed - before);
    }
    EXPECT_EQ(freed, 100);
    EXPECT_EQ(most, 16) << "MiB by one call";
}

TEST(BufferSweep, DoesTheRestAtOnceWhenItIsLate) {
    SimulatedClock clock;
    BufferPoolUnderTest pool;
    pool.put_all(pool.get_n(1000, 4000));
    clock.advance(10 * kSecond);
    pool.put(pool.get(30 << 20)); // the slow path, which looks at the clock
    EXPECT_EQ(pool.stats().sweeps, 1u);
    clock.advance(30 * kSecond);
    pool.put(pool.get(30 << 20));
    EXPECT_EQ(pool.stats().sweeps, 2u);
    EXPECT_EQ(pool.stats().idle, 0u);
}

TEST(BufferSweep, ForEverMeansNever) {
    SimulatedClock clock;
    pool_buffers_options options = POOL_BUFFERS_OPTIONS_INIT;
    options.sweep_period = POOL_FOREVER;
    BufferPoolUnderTest pool(options);
    pool.put_all(pool.get_n(10, 100000));
    for (int i = 0; i < 5; i++) {
        clock.advance(1000 * kSecond);
        traffic(pool);
    }
    EXPECT_EQ(pool.stats().sweeps, 0u);
    EXPECT_EQ(pool.stats().idle, 11u);
}

TEST(BufferSweep, KeepsWhatIsInUse) {
    SimulatedClock clock;
    BufferPoolUnderTest pool;
    for (int i = 0; i < 10; i++) {
        std::vector<Buffer> working_set = pool.get_n(50, 2000);
        pool.put_all(working_set);
        clock.advance(5 * kSecond);
        traffic(pool, 64);
    }
    EXPECT_GE(pool.stats().sweeps, 4u);
    EXPECT_EQ(pool.stats_of(2048).misses, 50u);
}

TEST(BufferTrim, FreesTheLargestFirstUntilEnoughIsLeft) {
    BufferPoolUnderTest pool;
    pool.put_all(pool.get_n(10, 65536));
    pool.put_all(pool.get_n(100, 1024));
    EXPECT_EQ(pool_buffers_trim(pool, 300000), POOL_OK);
    EXPECT_EQ(pool.stats_of(65536).idle, 3u);
    EXPECT_EQ(pool.stats_of(1024).idle, 100u);
    EXPECT_EQ(pool_buffers_trim(pool, 50 * 1024), POOL_OK);
    EXPECT_EQ(pool.stats().idle_bytes, 50 * 1024u);
    EXPECT_EQ(pool_buffers_trim(pool, UINT64_MAX), POOL_OK);
    EXPECT_EQ(pool.stats().idle_bytes, 50 * 1024u);
    EXPECT_EQ(pool_buffers_trim(pool, 0), POOL_OK);
    EXPECT_EQ(pool.stats().idle, 0u);
    EXPECT_EQ(pool.stats().swept, 110u);
}

TEST(BufferTrim, FreesTheOldestFirst) {
    BufferPoolUnderTest pool;
    pool.put_all(pool.get_n(10, 1024));
    pool_buffers_sweep(pool);
    pool.put_all(pool.get_n(10, 65536));
    EXPECT_EQ(pool_buffers_trim(pool, 10 * 65536), POOL_OK);
    EXPECT_EQ(pool.stats_of(1024).idle, 0u);
    EXPECT_EQ(pool.stats_of(65536).idle, 10u);
}

size_t resident_bytes() {
    FILE *file = fopen("/proc/self/statm", "r");
    size_t all = 0, resident = 0;
    if (file == nullptr || fscanf(file, "%zu %zu", &all, &resident) != 2)
        resident = 0;
    if (file != nullptr)
        fclose(file);
    return resident * static_cast<size_t>(sysconf(_SC_PAGESIZE));
}

// nullptr, or why the process keeps what the pool frees.
const char *keeps_memory() {
    if (pool::annotations_wanted())
        return "the tool's allocator keeps what is freed";
    if (pool::jemalloc_version() == nullptr && dlsym(RTLD_DEFAULT, "mallctl") != nullptr)
        return "the library was built not to know the jemalloc of this process";
    return nullptr;
}

TEST(BufferTrim, TheMemoryOfTheProcessFallsAfterABurst) {
    if (const char *why = keeps_memory())
        GTEST_SKIP() << why;
    constexpr size_t kBurst = size_t{200} << 20;
    for (size_t size : {size_t{10000}, size_t{1} << 20}) {
        BufferPoolUnderTest pool;
        size_t before = resident_bytes();
        std::vector<Buffer> burst = pool.get_n(kBurst / size, size);
        pool.put_all(burst);
        Buffer last = pool.get(size); // above all others in the heap, perhaps
        EXPECT_GT(resident_bytes(), before + kBurst * 9 / 10);
        EXPECT_EQ(pool_buffers_trim(pool, 0), POOL_OK);
        EXPECT_LT(resident_bytes(), before + kBurst / 10) << size;
        pool.put(last);
    }
}

TEST(BufferTrim, AsMuchBySweeping) {
    if (const char *why = keeps_memory())
        GTEST_SKIP() << why;
    constexpr size_t kBurst = size_t{200} << 20;
    BufferPoolUnderTest pool;
    size_t before = resident_bytes();
    std::vector<Buffer> burst = pool.get_n(kBurst / 10000, 10000);
    Buffer last = pool.get(10000); // above all others in the heap
    pool.put_all(burst);
    EXPECT_GT(resident_bytes(), before + kBurst * 9 / 10);
    EXPECT_EQ(pool_buffers_sweep(pool), POOL_OK);
    EXPECT_GT(resident_bytes(), before + kBurst * 9 / 10);
    EXPECT_EQ(pool_buffers_sweep(pool), POOL_OK);
    EXPECT_LT(resident_bytes(), before + kBurst / 10);
    pool.put(last);
}

} // namespace
