// Structs that begin with their own size, across versions.
//
// SPDX-License-Identifier: Apache-2.0
#include "platform/options.h"

#include <gtest/gtest.h>
#include <string>

namespace {

using namespace pool;

// As this library knows it, and as it was when it was first released.
struct Options {
    size_t size;
    uint64_t first;
    uint64_t second;
    uint64_t added_later;
};
constexpr size_t kFirstSize = offsetof(Options, added_later);

TEST(Options, NoneIsAllDefaults) {
    Options ours = {1, 2, 3, 4};
    EXPECT_EQ(read_options<Options>(nullptr, &ours, kFirstSize, "options"), POOL_OK);
    EXPECT_EQ(ours.size, sizeof ours);
    EXPECT_EQ(ours.first + ours.second + ours.added_later, 0u);
}

TEST(Options, AnOlderHeadersStructLeavesTheNewFieldsAtTheirDefaults) {
    Options given = {kFirstSize, 1, 2, 0xbad}, ours;
    EXPECT_EQ(read_options(&given, &ours, kFirstSize, "options"), POOL_OK);
    EXPECT_EQ(ours.first, 1u);
    EXPECT_EQ(ours.second, 2u);
    EXPECT_EQ(ours.added_later, 0u) << "read beyond the caller's struct";
    EXPECT_EQ(ours.size, sizeof ours);
}

TEST(Options, ANewerHeadersStructIsReadIfItsTailIsZero) {
    struct {
        Options known;
        unsigned char unknown[8];
    } newer = {{sizeof newer, 1, 2, 3}, {}};
    Options ours;
    EXPECT_EQ(read_options(&newer.known, &ours, kFirstSize, "options"), POOL_OK);
    EXPECT_EQ(ours.added_later, 3u);
    for (unsigned char &byte : newer.unknown) {
        byte = 1;
        EXPECT_EQ(read_options(&newer.known, &ours, kFirstSize, "options"), POOL_ENOTSUP);
        std::string at = "byte " + std::to_string(sizeof(Options) + size_t(&byte - newer.unknown));
        EXPECT_NE(std::string(pool_last_error()).find(at), std::string::npos);
        byte = 0;
    }
}

TEST(Options, SizesThatNoVersionHasAreRefused) {
    for (size_t size : {size_t{0}, kFirstSize - 1, size_t{65537}, SIZE_MAX}) {
        Options given = {size, 0, 0, 0}, ours;
        EXPECT_EQ(read_options(&given, &ours, kFirstSize, "some_options"), POOL_EINVAL);
        EXPECT_NE(std::string(pool_last_error()).find("some_options.size"), std::string::npos);
    }
}

TEST(Options, StatisticsAreCutOrPaddedToTheCallersSize) {
    Options ours = {0, 1, 2, 3};
    Options given = {2 * sizeof(size_t), 9, 9, 9};
    EXPECT_EQ(write_stats(ours, &given, "stats"), POOL_OK);
    EXPECT_EQ(given.size, 2 * sizeof(size_t));
    EXPECT_EQ(given.first, 1u);
    EXPECT_EQ(given.second, 9u);
    EXPECT_EQ(write_stats(ours, static_cast<Options *>(nullptr), "stats"), POOL_EINVAL);
    given.size = 2 * sizeof(size_t) - 1;
    EXPECT_EQ(write_stats(ours, &given, "stats"), POOL_EINVAL);
    EXPECT_EQ(given.first, 1u);
}

} // namespace
