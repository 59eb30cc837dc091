// SPDX-License-Identifier: Apache-2.0
#include "platform/memory.h"

#include "platform/status.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <sys/mman.h>

// jemalloc's extended functions. Another allocator may export some of these names, so they count
// only together and after mallctl("version") has answered.
#if defined(POOL_NO_JEMALLOC)
#define POOL_HAVE_JEMALLOC_API 0
#else
#define POOL_HAVE_JEMALLOC_API 1
extern "C" {
void *mallocx(size_t bytes, int flags) __attribute__((weak));
void sdallocx(void *memory, size_t bytes, int flags) __attribute__((weak));
size_t xallocx(void *memory, size_t bytes, size_t extra, int flags) __attribute__((weak));
size_t nallocx(size_t bytes, int flags) __attribute__((weak));
int mallctl(const char *name, void *old, size_t *old_length, void *now, size_t now_length)
    __attribute__((weak));
}
#endif

namespace pool {
namespace {

#if POOL_HAVE_JEMALLOC_API

const char *find_jemalloc() {
    if (&mallocx == nullptr || &sdallocx == nullptr || &xallocx == nullptr || &nallocx == nullptr ||
        &mallctl == nullptr)
        return nullptr;
    const char *version = nullptr;
    size_t length = sizeof version;
    if (mallctl("version", &version, &length, nullptr, 0) != 0)
        return nullptr;
    return version;
}

// MALLOCX_ALIGN, MALLOCX_ARENA and MALLOCX_TCACHE_NONE as jemalloc's header defines them.
int align_flag(size_t alignment) {
    return __builtin_ctzl(alignment);
}
int arena_flag(int arena) {
    return (arena + 1) << 20;
}
constexpr int kNoThreadCache = 1 << 8;

#else

const char *find_jemalloc() {
    return nullptr;
}

#endif

void *plain_alloc(size_t bytes, size_t alignment) {
    // What is smaller than its alignment malloc may align less.
    if (alignment <= alignof(max_align_t) && alignment <= bytes)
        return malloc(bytes);
    void *memory = nullptr;
    return posix_memalign(&memory, alignment, bytes) == 0 ? memory : nullptr;
}

void *default_alloc(size_t bytes, size_t alignment, void *) {
    return process_alloc(bytes, alignment);
}

void default_free(void *memory, size_t bytes, size_t alignment, void *) {
    process_free(memory, bytes, alignment);
}

} // namespace

const char *jemalloc_version() {
    static const char *const version = find_jemalloc();
    return version;
}

void *process_alloc(size_t bytes, size_t alignment) {
#if POOL_HAVE_JEMALLOC_API
    if (jemalloc_version() != nullptr)
        return mallocx(bytes, align_flag(alignment));
#endif
    return plain_alloc(bytes, alignment);
}

void process_free(void *memory, size_t bytes, size_t alignment) {
#if POOL_HAVE_JEMALLOC_API
    if (jemalloc_version() != nullptr) {
        sdallocx(memory, bytes, align_flag(alignment));
        return;
    }
#endif
    (void)bytes;
    (void)alignment;
    ::free(memory);
}

size_t process_usable_size(size_t bytes, size_t alignment) {
#if POOL_HAVE_JEMALLOC_API
    if (jemalloc_version() != nullptr) {
        size_t usable = nallocx(bytes, align_flag(alignment));
        return usable != 0 ? usable : bytes;
    }
#endif
    (void)alignment;
    return bytes;
}

void want_huge_pages(void *memory, size_t bytes) {
    const auto begin = (reinterpret_cast<uintptr_t>(memory) + kHugePage - 1) & ~(kHugePage - 1);
    const auto end = (reinterpret_cast<uintptr_t>(memory) + bytes) & ~(kHugePage - 1);
    if (begin < end)
        madvise(reinterpret_cast<void *>(begin), end - begin, MADV_HUGEPAGE);
}

Memory::Memory(const pool_allocator *allocator) : is_default_(allocator == nullptr) {
    if (allocator != nullptr) {
        allocator_ = *allocator;
    } else {
        allocator_ = {sizeof(pool_allocator), default_alloc, default_free, nullptr};
    }
}

pool_status Memory::check(const pool_allocator *allocator) {
    if (allocator == nullptr)
        return POOL_OK;
    if (allocator->size != sizeof(pool_allocator))
        return fail(POOL_EINVAL, "allocator.size is %zu, not %zu", allocator->size,
                    sizeof(pool_allocator));
    if (allocator->alloc == nullptr || allocator->free == nullptr)
        return fail(POOL_EINVAL, "allocator.%s is NULL",
                    allocator->alloc == nullptr ? "alloc" : "free");
    return POOL_OK;
}

void *Memory::alloc_roomy(size_t bytes, size_t alignment) {
    void *memory = alloc(bytes, roomy_alignment(bytes, alignment));
    if (memory != nullptr && is_default_)
        want_huge_pages(memory, bytes);
    return memory;
}

void *Memory::alloc(size_t bytes, size_t alignment) {
    void *memory;
    try {
        memory = allocator_.alloc(bytes, alignment, allocator_.ctx);
    } catch (...) {
        memory = nullptr;
    }
    if (memory != nullptr)
        bytes_.fetch_add(bytes, std::memory_order_relaxed);
    return memory;
}

void Memory::free(void *memory, size_t bytes, size_t alignment) {
    bytes_.fetch_sub(bytes, std::memory_order_relaxed);
    try {
        allocator_.free(memory, bytes, alignment, allocator_.ctx);
    } catch (...) {
        // The allocator has been told; there is nobody to hand its exception to.
    }
}

Arena::Arena() {
#if POOL_HAVE_JEMALLOC_API
    unsigned index;
    size_t length = sizeof index;
    if (jemalloc_version() != nullptr && mallctl("arenas.create", &index, &length, nullptr, 0) == 0)
        index_ = static_cast<int>(index);
#endif
}

Arena::~Arena() {
#if POOL_HAVE_JEMALLOC_API
    if (index_ >= 0) {
        char name[48];
        snprintf(name, sizeof name, "arena.%d.destroy", index_);
        mallctl(name, nullptr, nullptr, nullptr, 0);
    }
#endif
}

void *Arena::alloc(size_t bytes, size_t alignment) {
#if POOL_HAVE_JEMALLOC_API
    if (index_ >= 0)
        return mallocx(bytes, align_flag(alignment) | arena_flag(index_) | kNoThreadCache);
#endif
    return process_alloc(bytes, alignment);
}

void Arena::free(void *memory, size_t bytes, size_t alignment) {
#if POOL_HAVE_JEMALLOC_API
    if (index_ >= 0) {
        sdallocx(memory, bytes, align_flag(alignment) | arena_flag(index_) | kNoThreadCache);
        return;
    }
#endif
    process_free(memory, bytes, alignment);
}

bool Arena::purge() {
#if POOL_HAVE_JEMALLOC_API
    if (index_ >= 0) {
        char name[48];
        snprintf(name, sizeof name, "arena.%d.purge", index_);
        return mallctl(name, nullptr, nullptr, nullptr, 0) == 0;
    }
#endif
    return false;
}

} // namespace pool
