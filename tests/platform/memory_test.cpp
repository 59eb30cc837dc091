// SPDX-License-Identifier: Apache-2.0
#include "platform/memory.h"

#include "platform/status.h"
#include "support/allocator.h"

#include <cstring>
#include <gtest/gtest.h>

namespace {

using namespace pool;
using pool_test::AccountingAllocator;

bool aligned(const void *memory, size_t alignment) {
    return reinterpret_cast<uintptr_t>(memory) % alignment == 0;
}

TEST(Memory, EveryAlignmentIsKept) {
    Arena arena;
    Memory memory(nullptr);
    for (size_t alignment = sizeof(void *); alignment <= 4096; alignment *= 2) {
        for (size_t bytes : {size_t{1}, size_t{24}, size_t{100}, size_t{4096}, size_t{1000000}}) {
            void *plain = process_alloc(bytes, alignment);
            void *counted = memory.alloc(bytes, alignment);
            void *own = arena.alloc(bytes, alignment);
            for (void *each : {plain, counted, own}) {
                ASSERT_NE(each, nullptr);
                EXPECT_TRUE(aligned(each, alignment)) << alignment;
                memset(each, 0x5a, bytes);
            }
            EXPECT_EQ(memory.bytes(), bytes);
            EXPECT_GE(process_usable_size(bytes, alignment), bytes);
            process_free(plain, bytes, alignment);
            memory.free(counted, bytes, alignment);
            arena.free(own, bytes, alignment);
        }
    }
    EXPECT_EQ(memory.bytes(), 0u);
}

TEST(Memory, AnArenaIsJemallocsOrNone) {
    Arena arena;
    EXPECT_EQ(arena.index() >= 0, jemalloc_version() != nullptr);
    EXPECT_EQ(arena.purge(), jemalloc_version() != nullptr);
    if (arena.index() >= 0) {
        Arena other;
        EXPECT_NE(arena.index(), other.index());
    }
}

TEST(Memory, UsesTheAllocatorItIsGivenAndCounts) {
    struct alignas(64) Big {
        explicit Big(int n) : number(n) {}
        int number;
        char rest[200];
    };
    AccountingAllocator accounting;
    pool_allocator allocator = accounting.allocator();
    Memory memory(&allocator);
    allocator = {};
    Big *made = memory.make<Big>(5);
    ASSERT_NE(made, nullptr);
    EXPECT_EQ(made->number, 5);
    EXPECT_TRUE(aligned(made, 64));
    EXPECT_EQ(memory.bytes(), sizeof(Big));
    EXPECT_EQ(accounting.bytes(), sizeof(Big));
    accounting.fail_at(1, true);
    EXPECT_EQ(memory.make<Big>(6), nullptr);
    EXPECT_EQ(memory.bytes(), sizeof(Big)) << "a failed allocation was counted";
    memory.destroy(made);
    EXPECT_EQ(memory.bytes(), 0u);
}

TEST(Memory, AnAllocatorThatThrowsIsContained) {
    pool_allocator allocator = {sizeof allocator, [](size_t, size_t, void *) -> void * { throw 1; },
                                [](void *, size_t, size_t, void *) { throw 2; }, nullptr};
    Memory memory(&allocator);
    EXPECT_EQ(memory.alloc(8, 8), nullptr);
    int block = 0;
    EXPECT_NO_THROW(memory.free(&block, 0, 8));
}

TEST(Memory, AnIncompleteAllocatorIsRefused) {
    AccountingAllocator accounting;
    pool_allocator allocator = accounting.allocator();
    EXPECT_EQ(Memory::check(nullptr), POOL_OK);
    EXPECT_EQ(Memory::check(&allocator), POOL_OK);
    pool_allocator without = allocator;
    without.alloc = nullptr;
    EXPECT_EQ(Memory::check(&without), POOL_EINVAL);
    EXPECT_STREQ(pool_last_error(), "allocator.alloc is NULL");
    without = allocator;
    without.free = nullptr;
    EXPECT_EQ(Memory::check(&without), POOL_EINVAL);
    EXPECT_STREQ(pool_last_error(), "allocator.free is NULL");
    for (size_t size : {size_t{0}, sizeof allocator - 1, sizeof allocator + 8}) {
        without = allocator;
        without.size = size;
        EXPECT_EQ(Memory::check(&without), POOL_EINVAL) << size;
    }
}

} // namespace
