// SPDX-License-Identifier: Apache-2.0
#include "buffers/buffer_memory.h"

// glibc's. Where another allocator serves the process it finds nothing to do.
extern "C" int malloc_trim(size_t keep) __attribute__((weak));

namespace pool {

BufferMemory::BufferMemory(const pool_allocator *allocator, size_t alignment, bool huge_pages)
    : alignment_(alignment), huge_pages_(huge_pages) {
    if (allocator != nullptr)
        user_.emplace(allocator);
    else
        arena_.emplace();
}

void *BufferMemory::alloc(uint64_t bytes) {
    size_t alignment = alignment_of(bytes);
    void *buffer = user_ ? user_->alloc(bytes, alignment) : arena_->alloc(bytes, alignment);
    if (buffer == nullptr)
        return nullptr;
    if (alignment >= kHugePage && huge_pages_)
        want_huge_pages(buffer, bytes);
    bytes_.fetch_add(bytes, std::memory_order_relaxed);
    return buffer;
}

void BufferMemory::free(void *buffer, uint64_t bytes) {
    bytes_.fetch_sub(bytes, std::memory_order_relaxed);
    if (user_)
        user_->free(buffer, bytes, alignment_of(bytes));
    else
        arena_->free(buffer, bytes, alignment_of(bytes));
}

void BufferMemory::give_back(bool of_process) {
    if (arena_ && !arena_->purge() && of_process && &malloc_trim != nullptr)
        malloc_trim(0);
}

void BufferMemory::end() {
    if (arena_ && bytes() != 0)
        arena_->abandon();
    arena_.reset();
}

} // namespace pool
