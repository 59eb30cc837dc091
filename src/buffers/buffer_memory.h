// BufferMemory: where the buffers of a pool come from, and how many bytes they are.
//
// SPDX-License-Identifier: Apache-2.0
//
// The user's allocator, else an arena of the pool's own in jemalloc, else malloc. Thread-safe.
#pragma once

#include "platform/memory.h"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>

namespace pool {

class BufferMemory {
public:
    BufferMemory(const pool_allocator *allocator, size_t alignment, bool huge_pages);

    void *alloc(uint64_t bytes);
    void free(void *buffer, uint64_t bytes);

    // Hand free memory on to the system, as far as the allocator can: that of the pool's own arena,
    // or, if `of_process`, that of all of the process, which takes longer.
    void give_back(bool of_process);

    // Bytes allocated and not freed.
    uint64_t bytes() const { return bytes_.load(std::memory_order_relaxed); }

    // Call nothing else from then on. Buffers that are still in use stay where they are.
    void end();

private:
    size_t alignment_of(uint64_t bytes) const {
        bool huge = huge_pages_ && bytes >= kHugePage;
        return huge && alignment_ < kHugePage ? kHugePage : alignment_;
    }

    const size_t alignment_;
    const bool huge_pages_;
    std::optional<Memory> user_;
    std::optional<Arena> arena_; // if there is no user's
    std::atomic<uint64_t> bytes_{0};
};

} // namespace pool
