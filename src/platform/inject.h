// Injection points between the instructions of a sequence, for the test that interrupts each.
//
// SPDX-License-Identifier: Apache-2.0
//
// Empty in the library. In the test build POOL_INJECT(n) traps when pool_inject_point equals n, and
// the test's SIGTRAP handler does its worst there: it migrates, yields, or works on the same slab.
// A point may stand only where no flag is live.
#pragma once

#if !defined(POOL_SEQUENCE_INJECTION)
#define POOL_INJECT(n) ""
#else
extern "C" __attribute__((visibility("hidden"))) int pool_inject_point;
#if defined(__x86_64__)
#define POOL_INJECT(n)                                                                             \
    "cmpl $" #n ", pool_inject_point(%%rip)\n\t"                                                   \
    "jne 77f\n\t"                                                                                  \
    "int3\n"                                                                                       \
    "77:\n\t"
#elif defined(__aarch64__)
#define POOL_INJECT(n)                                                                             \
    "adrp x16, pool_inject_point\n\t"                                                              \
    "ldr w16, [x16, :lo12:pool_inject_point]\n\t"                                                  \
    "cmp w16, #" #n "\n\t"                                                                         \
    "b.ne 77f\n\t"                                                                                 \
    "brk #0\n"                                                                                     \
    "77:\n\t"
#endif
#endif
