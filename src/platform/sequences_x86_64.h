// The sequences of sequences.h for x86-64.
//
// SPDX-License-Identifier: Apache-2.0
//
// Registers inside a batch: rax id, rcx slab, rdx word (so dl count, dh capacity), rsi count; flags
// are free. The word stands before the slots, so slot i is at slab + 8 + 8 i and the newest of
// `count` objects at slab + 8 count.
#pragma once

#include "platform/inject.h"

// The descriptor tells the kernel [1:, 2:) and the abort address 4:. It must be preceded by the
// signature that glibc registered, here inside an undefined instruction so that nothing can run
// into it. The two arrays let debuggers and binary translators find sequences and their exits.
#define POOL_SEQUENCE_TABLES                                                                       \
    ".pushsection __rseq_cs, \"aw\"\n\t"                                                           \
    ".balign 32\n"                                                                                 \
    "3:\n\t"                                                                                       \
    ".long 0, 0\n\t"                                                                               \
    ".quad 1f, (2f - 1f), 4f\n\t"                                                                  \
    ".popsection\n\t"                                                                              \
    ".pushsection __rseq_cs_ptr_array, \"aw\"\n\t"                                                 \
    ".quad 3b\n\t"                                                                                 \
    ".popsection\n\t"                                                                              \
    ".pushsection __rseq_exit_point_array, \"aw\"\n\t"                                             \
    ".quad 1f, %l[slow]\n\t"                                                                       \
    ".popsection\n\t"                                                                              \
    ".pushsection __rseq_failure, \"ax\"\n\t"                                                      \
    ".byte 0x0f, 0xb9, 0x3d\n\t"                                                                   \
    ".long 0x53053053\n"                                                                           \
    "4:\n\t"                                                                                       \
    "jmp 9f\n\t"                                                                                   \
    ".popsection\n"

// clang-format off

// From arming the sequence to this CPU's slab in rcx. All arguments are registers; `zero` is one that
// holds 0 or the constant itself.
#define POOL_SEQUENCE_BEGIN(scratch, area, zero, id_field, id, id_index)                           \
    "leaq 3b(%%rip), " scratch "\n\t"                                                              \
    "movq " scratch ", %%fs:8(" area ")\n"       /* rseq->rseq_cs = descriptor            */       \
    "1:\n\t"                                                                                       \
    POOL_INJECT(1)                                                                                 \
    "cmpl " zero ", %%fs:4(" area ")\n\t"        /* if (rseq->cpu_id < 0) slow            */       \
    "js %l[slow]\n\t"                                                                              \
    POOL_INJECT(2)                                                                                 \
    "movl %%fs:(" id_field "), " id "\n\t"       /* id = rseq->mm_cid                     */       \
    POOL_INJECT(3)                                                                                 \
    "movq 64(%[table], " id_index ", 8), %%rcx\n\t" /* slab = table->entries[id]          */       \
    POOL_INJECT(4)

// What a batch goes on with.
#define POOL_SEQUENCE_WORD                                                                         \
    "movq (%%rcx), %%rdx\n\t"                    /* word = slab->word                     */       \
    POOL_INJECT(5)                                                                                 \
    "movzbl %%dl, %%esi\n\t"                     /* count = word & 0xff                   */       \
    POOL_INJECT(6)

// if (wanted != any && wanted != id) slow
#define POOL_SEQUENCE_WANT_ID                                                                      \
    "cmpl $-1, %[wanted]\n\t"                                                                      \
    "je 5f\n\t"                                                                                    \
    "cmpl %[wanted], %%eax\n\t"                                                                    \
    "jne %l[slow]\n"                                                                               \
    "5:\n\t"

#define POOL_SEQUENCE_BATCH                                                                        \
    POOL_SEQUENCE_TABLES                                                                           \
    "9:\n\t"                                                                                       \
    POOL_SEQUENCE_BEGIN("%%rax", "%[area]", "$0", "%[id_field]", "%%eax", "%%rax")                 \
    POOL_SEQUENCE_WANT_ID                                                                          \
    POOL_SEQUENCE_WORD

#define POOL_SEQUENCE_CLOBBERS "rax", "rcx", "rdx", "rsi", "cc", "memory"

// A function that AddressSanitizer watches has too few registers for a batch.
#define POOL_SEQUENCE_BATCH_FUNCTION [[maybe_unused]] __attribute__((no_sanitize_address)) static

namespace pool::sequences {

constexpr bool kSupported = true;

static_assert(offsetof(SlabTable, put_area_offset) == 0 && offsetof(SlabTable, area_offset) == 8);
static_assert(offsetof(SlabTable, most) == 40 && offsetof(SlabTable, put_size) == 56);
static_assert(offsetof(SlabTable, id_offset) == 16 && sizeof(SlabTable) == 64);
static_assert(offsetof(Slab, word) == 0 && offsetof(Slab, slots) == 8 && kSlabSlots == 124);
static_assert(offsetof(Slab, open) == 1000 && kTickMask == 0x3ff0000 && kPopped == 0xffff && kPushed == 1);

// These two decide what a get and a put cost. Each fits with its function into one cache line:
// registers that need no prefix are used twice, so an abort begins with loading them, and the
// commit is one instruction that reads, adds and writes.

POOL_ALWAYS_INLINE bool pop(SlabTable *table, void **out) {
    void *object;
    __asm__ volatile goto(
        POOL_SEQUENCE_TABLES
        "9:\n\t"
        "movq 8(%[table]), %%rsi\n\t"                /* area = table->area_offset             */
        "testl %%esi, %%esi\n\t"                     /* if (area == 0) slow                   */
        "jz %l[slow]\n\t"
        "movq 16(%[table]), %%rdx\n\t"               /* id_field = table->id_offset           */
        POOL_SEQUENCE_BEGIN("%%rax", "%%rsi", "$0", "%%rdx", "%%eax", "%%rax")
        "movzbl (%%rcx), %%esi\n\t"                  /* count = slab->word & 0xff             */
        POOL_INJECT(5)
        "testl %%esi, %%esi\n\t"                     /* if (count == 0) slow                  */
        "jz %l[slow]\n\t"
        POOL_INJECT(6)
        "movq (%%rcx, %%rsi, 8), %%rax\n\t"          /* object = slab->slots[count - 1]       */
        POOL_INJECT(7)
        "addq $0xffff, (%%rcx)\n"                    /* commit: one pop, one object less      */
        "2:\n"
        : "=&a"(object)
        : [table] "D"(table)
        : "rcx", "rdx", "rsi", "cc", "memory"
        : slow);
    *out = object;
    return true;
slow:
    return false;
}

POOL_ALWAYS_INLINE bool push(SlabTable *table, void *object, int32_t *zero) {
    __asm__ volatile goto(
        POOL_SEQUENCE_TABLES
        "9:\n\t"
        "movq (%[table]), %%rdx\n\t"                 /* area = table->put_area_offset         */
        "testl %%edx, %%edx\n\t"                     /* if (area == 0) slow                   */
        "jz %l[slow]\n\t"
        "xorl %%eax, %%eax\n\t"
        "movq 16(%[table]), %%rcx\n\t"               /* id_field = table->id_offset           */
        POOL_SEQUENCE_BEGIN("%%r8", "%%rdx", "%%eax", "%%rcx", "%%ecx", "%%rcx")
        "movzbl (%%rcx), %%edx\n\t"                  /* count = slab->word & 0xff             */
        POOL_INJECT(5)
        "cmpb 1(%%rcx), %%dl\n\t"                    /* if (count >= capacity) slow           */
        "jae %l[slow]\n\t"
        POOL_INJECT(6)
        "movq %[object], 8(%%rcx, %%rdx, 8)\n\t"     /* slab->slots[count] = object           */
        POOL_INJECT(7)
        "incq (%%rcx)\n"                             /* commit: one object more               */
        "2:\n"
        : "=&a"(*zero)
        : [table] "D"(table), [object] "S"(object)
        : "rcx", "rdx", "r8", "cc", "memory"
        : slow);
    return true;
slow:
    return false;
}

// These two leave alone the registers that the arguments of a pool's get and put come in, so that
// nothing has to be saved for the slow path.

POOL_ALWAYS_INLINE bool pop_sized(SlabTable *table, uint64_t size, void **out) {
    void *object;
    __asm__ volatile goto(
        POOL_SEQUENCE_TABLES
        "9:\n\t"
        "movq 8(%[table]), %%rcx\n\t"                /* area = table->area_offset             */
        "cmpq %[size], 40(%[table])\n\t"             /* if (table->most < size) slow          */
        "jb %l[slow]\n\t"
        "testl %%ecx, %%ecx\n\t"                     /* if (area == 0) slow                   */
        "jz %l[slow]\n\t"
        "movq 16(%[table]), %%rdx\n\t"               /* id_field = table->id_offset           */
        POOL_SEQUENCE_BEGIN("%%rax", "%%rcx", "$0", "%%rdx", "%%eax", "%%rax")
        "movl (%%rcx), %%edx\n\t"                    /* word = slab->word                     */
        POOL_INJECT(5)
        "movzbl %%dl, %%eax\n\t"                     /* count = word & 0xff                   */
        "testl %%eax, %%eax\n\t"                     /* if (count == 0) slow                  */
        "jz %l[slow]\n\t"
        "testl $0x3ff0000, %%edx\n\t"                /* if (word ticks) slow                  */
        "jz %l[slow]\n\t"
        POOL_INJECT(6)
        "movq (%%rcx, %%rax, 8), %%rax\n\t"          /* object = slab->slots[count - 1]       */
        POOL_INJECT(7)
        "addq $0xffff, (%%rcx)\n"                    /* commit: one pop, one object less      */
        "2:\n"
        : "=&a"(object)
        : [table] "r"(table), [size] "r"(size)
        : "rcx", "rdx", "cc", "memory"
        : slow);
    *out = object;
    return true;
slow:
    return false;
}

POOL_ALWAYS_INLINE bool push_sized(SlabTable *table, void *object, uint64_t size, int32_t *zero) {
    __asm__ volatile goto(
        POOL_SEQUENCE_TABLES
        "9:\n\t"
        "movq (%[table]), %%rcx\n\t"                 /* area = table->put_area_offset         */
        "cmpq %[size], 56(%[table])\n\t"             /* if (table->put_size != size) slow     */
        "jne %l[slow]\n\t"
        "testl %%ecx, %%ecx\n\t"                     /* if (area == 0) slow                   */
        "jz %l[slow]\n\t"
        "xorl %%eax, %%eax\n\t"
        "movq 16(%[table]), %%r8\n\t"                /* id_field = table->id_offset           */
        POOL_SEQUENCE_BEGIN("%%r9", "%%rcx", "%%eax", "%%r8", "%%r8d", "%%r8")
        "movzbl (%%rcx), %%r8d\n\t"                  /* count = slab->word & 0xff             */
        POOL_INJECT(5)
        "cmpb 1(%%rcx), %%r8b\n\t"                   /* if (count >= capacity) slow           */
        "jae %l[slow]\n\t"
        POOL_INJECT(6)
        "movq %[object], 8(%%rcx, %%r8, 8)\n\t"      /* slab->slots[count] = object           */
        POOL_INJECT(7)
        "incq (%%rcx)\n"                             /* commit: one object more               */
        "2:\n"
        : "=&a"(*zero)
        : [table] "r"(table), [object] "r"(object), [size] "r"(size)
        : "rcx", "r8", "r9", "cc", "memory"
        : slow);
    return true;
slow:
    return false;
}

POOL_SEQUENCE_BATCH_FUNCTION uint32_t pop_n(SlabTable *table, uint32_t id, void **out, uint32_t n, uint64_t unit) {
    uint64_t taken;
    void *moved;
    __asm__ volatile goto(
        POOL_SEQUENCE_BATCH
        "movl %[n], %k[taken]\n\t"                   /* taken = min(n, count)                 */
        "cmpl %k[taken], %%esi\n\t"
        "cmovbl %%esi, %k[taken]\n\t"
        POOL_INJECT(7)
        "testl %k[taken], %k[taken]\n\t"             /* if (taken == 0) slow                  */
        "jz %l[slow]\n\t"
        "subq %[taken], %%rsi\n\t"                   /* first = count - taken                 */
        "leaq 8(%%rcx, %%rsi, 8), %%rsi\n\t"        /* from = &slab->slots[first]            */
        "xorl %%eax, %%eax\n"                        /* for (i = 0; i < taken; i++)           */
        "6:\n\t"
        POOL_INJECT(8)
        "movq (%%rsi, %%rax, 8), %[moved]\n\t"
        "movq %[moved], (%[out], %%rax, 8)\n\t"      /*     out[i] = from[i]                  */
        "incq %%rax\n\t"
        "cmpq %[taken], %%rax\n\t"
        "jb 6b\n\t"
        "movq %[unit], %%rax\n\t"
        "imulq %[taken], %%rax\n\t"
        "addq %%rax, %%rdx\n\t"                      /* word += taken * unit                  */
        POOL_INJECT(9)
        "movq %%rdx, (%%rcx)\n"                      /* slab->word = word: commit             */
        "2:\n"
        : [taken] "=&r"(taken), [moved] "=&r"(moved)
        : [table] "r"(table), [area] "r"(table->area_offset), [id_field] "r"(table->id_offset),
          [wanted] "m"(id), [n] "m"(n), [out] "r"(out), [unit] "m"(unit)
        : POOL_SEQUENCE_CLOBBERS
        : slow);
    return static_cast<uint32_t>(taken);
slow:
    return 0;
}

POOL_SEQUENCE_BATCH_FUNCTION Pushed push_n(SlabTable *table, uint32_t id, void *const *in, uint32_t n, uint32_t grow) {
    uint64_t put, grown;
    void *moved;
    __asm__ volatile goto(
        POOL_SEQUENCE_BATCH
        "cmpl $0, 1000(%%rcx)\n\t"                  /* if (!slab->open) slow                 */
        "je %l[slow]\n\t"
        "movzbl %%dh, %%eax\n\t"                    /* grown = min(grow, most - capacity)    */
        "movl %[most], %k[grown]\n\t"
        "subl %%eax, %k[grown]\n\t"
        "cmpl %[grow], %k[grown]\n\t"
        "cmoval %[grow], %k[grown]\n\t"
        POOL_INJECT(7)
        "movl %k[grown], %k[moved]\n\t"
        "shll $8, %k[moved]\n\t"
        "addq %[moved], %%rdx\n\t"                  /* word += grown << 8                    */
        "addl %k[grown], %%eax\n\t"                 /* put = min(n, capacity - count)        */
        "movl %%eax, %k[put]\n\t"
        "subl %%esi, %k[put]\n\t"
        "cmpl %[n], %k[put]\n\t"
        "cmoval %[n], %k[put]\n\t"
        "testl %k[put], %k[put]\n\t"                /* if (put == 0) slow                    */
        "jz %l[slow]\n\t"
        "leaq 8(%%rcx, %%rsi, 8), %%rsi\n\t"       /* to = &slab->slots[count]              */
        "xorl %%eax, %%eax\n"                       /* for (i = 0; i < put; i++)             */
        "6:\n\t"
        POOL_INJECT(8)
        "movq (%[in], %%rax, 8), %[moved]\n\t"
        "movq %[moved], (%%rsi, %%rax, 8)\n\t"      /*     to[i] = in[i]                     */
        "incq %%rax\n\t"
        "cmpq %[put], %%rax\n\t"
        "jb 6b\n\t"
        "addq %[put], %%rdx\n\t"                    /* word += put                           */
        POOL_INJECT(9)
        "movq %%rdx, (%%rcx)\n"                     /* slab->word = word: commit             */
        "2:\n"
        : [put] "=&r"(put), [grown] "=&r"(grown), [moved] "=&r"(moved)
        : [table] "r"(table), [area] "r"(table->area_offset), [id_field] "r"(table->id_offset),
          [wanted] "m"(id), [n] "m"(n), [grow] "m"(grow), [in] "r"(in), [most] "i"(kSlabSlots)
        : POOL_SEQUENCE_CLOBBERS
        : slow);
    return {static_cast<uint32_t>(put), static_cast<uint32_t>(grown)};
slow:
    return {0, 0};
}
// clang-format on

} // namespace pool::sequences

#undef POOL_SEQUENCE_TABLES
#undef POOL_SEQUENCE_BEGIN
#undef POOL_SEQUENCE_WORD
#undef POOL_SEQUENCE_WANT_ID
#undef POOL_SEQUENCE_BATCH
#undef POOL_SEQUENCE_CLOBBERS
#undef POOL_SEQUENCE_BATCH_FUNCTION
