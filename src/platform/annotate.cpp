// SPDX-License-Identifier: Apache-2.0
#include "platform/annotate.h"

#if __has_include(<valgrind/memcheck.h>)
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
        __tsan_release(const_cast<void *>(object));
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
        __tsan_acquire(const_cast<void *>(object));
}

} // namespace pool
