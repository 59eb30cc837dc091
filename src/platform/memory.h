// Where memory comes from: the user's allocator, jemalloc if the process has it, or malloc.
//
// SPDX-License-Identifier: Apache-2.0
//
// libpool never names jemalloc as a dependency unless it was built with POOL_JEMALLOC=LINK:
// Debian's library has too much static thread-local storage to be loaded late. Its extended
// functions are weak references instead, used all or none, and only after it has answered for its
// version.
#pragma once

#include "pool/common.h"

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace pool {

// The process's allocator, through the extended functions where there are any.
void *process_alloc(size_t bytes, size_t alignment);
void process_free(void *memory, size_t bytes, size_t alignment);

// What an allocation of `bytes` really holds, known before it is made where the allocator can say.
size_t process_usable_size(size_t bytes, size_t alignment);

// jemalloc's version, or nullptr where another allocator serves the process.
const char *jemalloc_version();

constexpr size_t kHugePage = size_t{2} << 20;

// A wish that the system may ignore: back the whole huge pages in there by such.
void want_huge_pages(void *memory, size_t bytes);

// A pool's own source of memory. Counts what is outstanding. Calls the user's functions, so never
// use it under a lock. Thread-safe.
class Memory {
public:
    explicit Memory(const pool_allocator *allocator);
    Memory(const Memory &) = delete;
    Memory &operator=(const Memory &) = delete;

    // POOL_EINVAL or POOL_ENOTSUP if the struct is incomplete; nullptr is fine.
    static pool_status check(const pool_allocator *allocator);

    void *alloc(size_t bytes, size_t alignment);
    void free(void *memory, size_t bytes, size_t alignment);

    template <class T, class... Arguments>
    T *make(Arguments &&...arguments) {
        void *memory = alloc(sizeof(T), alignof(T));
        return memory != nullptr ? new (memory) T(static_cast<Arguments &&>(arguments)...)
                                 : nullptr;
    }

    template <class T>
    void destroy(T *object) {
        object->~T();
        free(object, sizeof(T), alignof(T));
    }

    // Memory that is visited all over: on huge pages where it is that large and the system has any,
    // or each visit looks up its page first. Not from a user's allocator, which knows best.
    void *alloc_roomy(size_t bytes, size_t alignment);
    void free_roomy(void *memory, size_t bytes, size_t alignment) {
        free(memory, bytes, roomy_alignment(bytes, alignment));
    }

    uint64_t bytes() const { return bytes_.load(std::memory_order_relaxed); }

private:
    size_t roomy_alignment(size_t bytes, size_t alignment) const {
        return is_default_ && bytes >= kHugePage ? kHugePage : alignment;
    }

    pool_allocator allocator_;
    const bool is_default_;
    std::atomic<uint64_t> bytes_{0};
};

// Memory that can be counted and given back to the system on its own: a jemalloc arena of its own
// where there is one, else the process's allocator. For buffers.
class Arena {
public:
    Arena();
    ~Arena();
    Arena(const Arena &) = delete;
    Arena &operator=(const Arena &) = delete;

    void *alloc(size_t bytes, size_t alignment);
    void free(void *memory, size_t bytes, size_t alignment);

    // Leave the memory that is still in use where it is; call nothing else from then on.
    void abandon() { index_ = -1; }

    // Return unused pages to the system. false if the allocator cannot.
    bool purge();

    // Its number in jemalloc, or -1.
    int index() const { return index_; }

private:
    int index_ = -1;
};

} // namespace pool
