// SPDX-License-Identifier: Apache-2.0
#include "buffers/size_classes.h"

#include "buffers/size_map.h"
#include "platform/memory.h"

#include <gtest/gtest.h>
#include <vector>

namespace {

using pool::SizeClasses;
using pool::SizeMap;
using pool::SlabTable;

std::vector<uint64_t> sizes_of(const SizeClasses &classes) {
    std::vector<uint64_t> sizes;
    for (uint32_t i = 0; i < classes.count(); i++)
        sizes.push_back(classes.size(i));
    return sizes;
}

// Every size is served by the smallest class that holds it, and a class's own size by itself. The
// map agrees for all sizes that its cell's class holds, and never leads to a class that is too large.
void expect_sound(const SizeClasses &classes) {
    SizeMap map;
    std::vector<SlabTable> tables(classes.count());
    for (uint32_t i = 0; i < classes.count(); i++)
        map.publish(classes, i, &tables[i]);
    auto mapped = [&](uint64_t size) { return map.find(size) - tables.data(); };
    uint64_t below = 0;
    for (uint32_t i = 0; i < classes.count(); i++) {
        uint64_t size = classes.size(i);
        ASSERT_GT(size, below);
        for (uint64_t bytes : {below + 1, size - (size - below) / 2, size}) {
            EXPECT_EQ(classes.index(bytes), i) << bytes;
            if (bytes <= uint64_t{16} << 20) {
                EXPECT_LE(mapped(bytes), i) << bytes;
            }
        }
        below = size;
    }
    EXPECT_EQ(classes.index(0), 0u);
}

void expect_exact_map(const SizeClasses &classes) {
    SizeMap map;
    std::vector<SlabTable> tables(classes.count());
    for (uint32_t i = 0; i < classes.count(); i++)
        map.publish(classes, i, &tables[i]);
    for (uint32_t i = 0; i < classes.count() && classes.size(i) <= uint64_t{16} << 20; i++) {
        EXPECT_EQ(map.find(classes.size(i)), &tables[i]) << classes.size(i);
        if (i != 0) {
            EXPECT_EQ(map.find(classes.size(i - 1) + 1), &tables[i]) << classes.size(i - 1) + 1;
        }
    }
}

TEST(SizeClasses, GeometricOnesAreFourToADoubling) {
    SizeClasses classes;
    classes.make_geometric(512, 5000, 16);
    EXPECT_EQ(sizes_of(classes), (std::vector<uint64_t>{512, 640, 768, 896, 1024, 1280, 1536, 1792,
                                                        2048, 2560, 3072, 3584, 4096, 5120}));
    expect_sound(classes);
    expect_exact_map(classes);
}

TEST(SizeClasses, GeometricOnesAreMultiplesOfTheGranule) {
    for (uint64_t granule : {uint64_t{8}, uint64_t{16}, uint64_t{64}, uint64_t{4096}}) {
        SizeClasses classes;
        classes.make_geometric(1, 1 << 20, granule);
        EXPECT_EQ(classes.size(0), granule);
        for (uint64_t size : sizes_of(classes))
            EXPECT_EQ(size % granule, 0u);
        expect_sound(classes);
        if (granule >= 16)
            expect_exact_map(classes);
    }
}

// What the header promises.
TEST(SizeClasses, WasteIsBounded) {
    SizeClasses geometric;
    geometric.make_geometric(64, 1 << 20, 16);
    SizeClasses doubling;
    doubling.make_doubling(64, 1 << 20);
    for (uint64_t size = 64; size <= 1 << 20; size += size < 10000 ? 1 : 97) {
        EXPECT_LT(geometric.size(geometric.index(size)), size + size / 4 + 1) << size;
        EXPECT_LT(doubling.size(doubling.index(size)), 2 * size) << size;
    }
}

TEST(SizeClasses, GeometricOnesAreThoseOfJemalloc) {
    if (pool::jemalloc_version() == nullptr)
        GTEST_SKIP() << "this process has no jemalloc";
    for (size_t alignment : {size_t{16}, size_t{64}, size_t{4096}}) {
        SizeClasses classes;
        classes.make_geometric(1, uint64_t{1} << 30, alignment);
        for (uint64_t size : sizes_of(classes))
            EXPECT_EQ(pool::process_usable_size(size, alignment), size) << alignment;
    }
}

TEST(SizeClasses, DoubleFromTheLeastToTheLargest) {
    auto doubling = [](uint64_t min, uint64_t max) {
        SizeClasses classes;
        classes.make_doubling(min, max);
        expect_sound(classes);
        return sizes_of(classes);
    };
    using Sizes = std::vector<uint64_t>;
    EXPECT_EQ(doubling(512, 4096), (Sizes{512, 1024, 2048, 4096}));
    EXPECT_EQ(doubling(512, 5000), (Sizes{512, 1024, 2048, 4096, 5000}));
    EXPECT_EQ(doubling(1000, 3000), (Sizes{1000, 2000, 3000}));
    EXPECT_EQ(doubling(1, 9), (Sizes{1, 2, 4, 8, 9}));
    EXPECT_EQ(doubling(7, 7), (Sizes{7}));
    EXPECT_EQ(doubling(7, 8), (Sizes{7, 8}));
}

TEST(SizeClasses, AListIsWhatItSays) {
    const uint64_t list[] = {1, 2, 3, 100, 101, 2048, 4096, uint64_t{1} << 30};
    SizeClasses classes;
    classes.make_list(list, 8);
    EXPECT_EQ(sizes_of(classes), std::vector<uint64_t>(list, list + 8));
    expect_sound(classes);
}

TEST(SizeClasses, TheWidestRangeFits) {
    SizeClasses geometric, doubling;
    geometric.make_geometric(1, uint64_t{1} << 30, 8);
    EXPECT_LE(geometric.count(), SizeClasses::kMost);
    EXPECT_EQ(geometric.max(), uint64_t{1} << 30);
    expect_sound(geometric);
    doubling.make_doubling(1, (uint64_t{1} << 30) - 1);
    EXPECT_LE(doubling.count(), SizeClasses::kMost);
}

TEST(SizeMap, WhatItDoesNotKnowIsClosed) {
    SizeMap map;
    for (uint64_t size : {uint64_t{0}, uint64_t{1}, uint64_t{4096}, uint64_t{4097},
                          uint64_t{1} << 30, UINT64_MAX}) {
        SlabTable *table = map.find(size);
        EXPECT_EQ(table->most, 0u);
        EXPECT_EQ(table->put_size, 0u);
        EXPECT_EQ(table->area_offset, 0);
        EXPECT_EQ(table->put_area_offset, 0);
        EXPECT_EQ(table->locked_limit, 0u);
        EXPECT_EQ(table->put_locked_limit, 0u);
    }
}

} // namespace
