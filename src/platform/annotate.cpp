// SPDX-License-Identifier: Apache-2.0
#include "platform/annotate.h"

#include <cstdint>

#if defined(POOL_HAVE_VALGRIND)
#include <valgrind/memcheck.h>
#else
#define RUNNING_ON_VALGRIND 0
#define VALGRIND_MAKE_MEM_NOACCESS(address, bytes) (void)0
#define VALGRIND_MAKE_MEM_DEFINED(address, bytes) (void)0
#endif

extern "C" {
void __asan_poison_memory_region(const volatile void *address, size_t bytes) __attribute__((weak));
void __asan_unpoison_memory_region(const volatile void *address, size_t bytes)
    __attribute__((weak));
void __tsan_acquire(void *address) __attribute__((weak));
void __tsan_release(void *address) __attribute__((weak));
}

namespace pool {
namespace {

// What stands for an object in ThreadSanitizer's order. One of no known size may be any number, so
// words of our own stand for those; two that share a word are ordered more than they need be.
void *order_address(const void *object, size_t bytes) {
    static char words[256];
    if (bytes != 0)
        return const_cast<void *>(object);
    auto value = reinterpret_cast<uintptr_t>(object);
    return &words[(value ^ value >> 8 ^ value >> 16) % sizeof words];
}

} // namespace

bool address_sanitizer_present() {
    return &__asan_poison_memory_region != nullptr;
}

bool thread_sanitizer_present() {
    return &__tsan_acquire != nullptr;
}

bool running_on_valgrind() {
    static const bool running = RUNNING_ON_VALGRIND != 0;
    return running;
}

bool annotations_wanted() {
    return address_sanitizer_present() || thread_sanitizer_present() || running_on_valgrind();
}

void annotate_put(const void *object, size_t bytes) {
    if (thread_sanitizer_present())
        __tsan_release(order_address(object, bytes));
    if (bytes == 0)
        return;
    if (address_sanitizer_present())
        __asan_poison_memory_region(object, bytes);
    else if (running_on_valgrind())
        VALGRIND_MAKE_MEM_NOACCESS(object, bytes);
}

void annotate_get(const void *object, size_t bytes) {
    if (bytes != 0) {
        if (address_sanitizer_present())
            __asan_unpoison_memory_region(object, bytes);
        else if (running_on_valgrind())
            VALGRIND_MAKE_MEM_DEFINED(object, bytes);
    }
    if (thread_sanitizer_present())
        __tsan_acquire(order_address(object, bytes));
}

} // namespace pool
