// The sequences of sequences.h for x86-64.
//
// SPDX-License-Identifier: Apache-2.0
//
// Registers inside a sequence: rax id, rcx slab, rdx word (so dl count, dh capacity), rsi count;
// flags are free. A 16-byte header stands before the slots, so slot i is at slab + 16 + 8 i and the
// newest of `count` objects at slab + 8 + 8 count.
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

// From arming the sequence to `word` and `count` of this CPU's slab.
#define POOL_SEQUENCE_BEGIN                                                                        \
    POOL_SEQUENCE_TABLES                                                                           \
    "9:\n\t"                                                                                       \
    "leaq 3b(%%rip), %%rax\n\t"                                                                    \
    "movq %%rax, %%fs:8(%[area])\n" /* rseq->rseq_cs = descriptor            */                    \
    "1:\n\t" POOL_INJECT(1) "cmpl $0, %%fs:4(%[area])\n\t" /* if (rseq->cpu_id < 0) slow */                                                                                                \
                            "js %l[slow]\n\t" POOL_INJECT(                                         \
                                2) "movl %%fs:(%[id_field]), %%eax\n\t" /* id = rseq->mm_cid */                                                                                                \
        POOL_INJECT(                                                                               \
            3) "cmpl 24(%[table]), %%eax\n\t" /* if (id >= table->limit) slow          */          \
               "jae %l[slow]\n\t" POOL_INJECT(                                                     \
                   4) "movq 64(%[table], %%rax, 8), %%rcx\n\t" /* slab = table->entries[id] */                                                                                                \
        POOL_INJECT(5) "movq (%%rcx), %%rdx\n\t" /* word = slab->word                     */       \
        POOL_INJECT(6) "movzbl %%dl, %%esi\n\t"  /* count = word & 0xff                   */       \
        POOL_INJECT(7)

// if (wanted != any && wanted != id) slow
#define POOL_SEQUENCE_WANT_ID                                                                      \
    "cmpl $-1, %[wanted]\n\t"                                                                      \
    "je 5f\n\t"                                                                                    \
    "cmpl %[wanted], %%eax\n\t"                                                                    \
    "jne %l[slow]\n"                                                                               \
    "5:\n\t"

#define POOL_SEQUENCE_CLOBBERS "rax", "rcx", "rdx", "rsi", "cc", "memory"

namespace pool::sequences {

constexpr bool kSupported = true;

static_assert(offsetof(SlabTable, limit) == 24 && sizeof(SlabTable) == 64);
static_assert(offsetof(Slab, word) == 0 && kPopped == 0xffff && kPushed == 1);

// clang-format off
inline __attribute__((always_inline)) bool pop(SlabTable *table, void **out) {
    void *object;
    __asm__ goto(
        POOL_SEQUENCE_BEGIN
        "testl %%esi, %%esi\n\t"                     /* if (count == 0) slow                  */
        "jz %l[slow]\n\t"
        POOL_INJECT(8)
        "movq 8(%%rcx, %%rsi, 8), %[object]\n\t"     /* object = slab->slots[count - 1]       */
        POOL_INJECT(9)
        "addq $0xffff, %%rdx\n\t"                    /* word += one pop, one object less      */
        POOL_INJECT(10)
        "movq %%rdx, (%%rcx)\n"                      /* slab->word = word: commit             */
        "2:\n"
        : [object] "=&r"(object)
        : [table] "r"(table), [area] "r"(table->area_offset), [id_field] "r"(table->id_offset)
        : POOL_SEQUENCE_CLOBBERS
        : slow);
    *out = object;
    return true;
slow:
    return false;
}

inline __attribute__((always_inline)) bool push(SlabTable *table, void *object) {
    __asm__ goto(
        POOL_SEQUENCE_BEGIN
        "cmpb %%dh, %%dl\n\t"                        /* if (count >= capacity) slow           */
        "jae %l[slow]\n\t"
        POOL_INJECT(8)
        "movq %[object], 16(%%rcx, %%rsi, 8)\n\t"    /* slab->slots[count] = object           */
        POOL_INJECT(9)
        "incq %%rdx\n\t"                             /* word += one object                    */
        POOL_INJECT(10)
        "movq %%rdx, (%%rcx)\n"                      /* slab->word = word: commit             */
        "2:\n"
        :
        : [object] "r"(object), [table] "r"(table), [area] "r"(table->put_area_offset),
          [id_field] "r"(table->id_offset)
        : POOL_SEQUENCE_CLOBBERS
        : slow);
    return true;
slow:
    return false;
}

inline uint32_t pop_n(SlabTable *table, uint32_t id, void **out, uint32_t n, uint64_t unit) {
    uint64_t taken;
    void *moved;
    __asm__ goto(
        POOL_SEQUENCE_BEGIN
        POOL_SEQUENCE_WANT_ID
        "movl %[n], %k[taken]\n\t"                   /* taken = min(n, count)                 */
        "cmpl %k[taken], %%esi\n\t"
        "cmovbl %%esi, %k[taken]\n\t"
        POOL_INJECT(8)
        "testl %k[taken], %k[taken]\n\t"             /* if (taken == 0) slow                  */
        "jz %l[slow]\n\t"
        "subq %[taken], %%rsi\n\t"                   /* first = count - taken                 */
        "leaq 16(%%rcx, %%rsi, 8), %%rsi\n\t"        /* from = &slab->slots[first]            */
        "xorl %%eax, %%eax\n"                        /* for (i = 0; i < taken; i++)           */
        "6:\n\t"
        POOL_INJECT(9)
        "movq (%%rsi, %%rax, 8), %[moved]\n\t"
        "movq %[moved], (%[out], %%rax, 8)\n\t"      /*     out[i] = from[i]                  */
        "incq %%rax\n\t"
        "cmpq %[taken], %%rax\n\t"
        "jb 6b\n\t"
        "movq %[unit], %%rax\n\t"
        "imulq %[taken], %%rax\n\t"
        "addq %%rax, %%rdx\n\t"                      /* word += taken * unit                  */
        POOL_INJECT(10)
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

inline Pushed push_n(SlabTable *table, uint32_t id, void *const *in, uint32_t n, uint32_t grow) {
    uint64_t put, grown;
    void *moved;
    __asm__ goto(
        POOL_SEQUENCE_BEGIN
        POOL_SEQUENCE_WANT_ID
        "cmpl $0, 8(%%rcx)\n\t"                     /* if (!slab->open) slow                 */
        "je %l[slow]\n\t"
        "movzbl %%dh, %%eax\n\t"                    /* grown = min(grow, most - capacity)    */
        "movl %[most], %k[grown]\n\t"
        "subl %%eax, %k[grown]\n\t"
        "cmpl %[grow], %k[grown]\n\t"
        "cmoval %[grow], %k[grown]\n\t"
        POOL_INJECT(8)
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
        "leaq 16(%%rcx, %%rsi, 8), %%rsi\n\t"       /* to = &slab->slots[count]              */
        "xorl %%eax, %%eax\n"                       /* for (i = 0; i < put; i++)             */
        "6:\n\t"
        POOL_INJECT(9)
        "movq (%[in], %%rax, 8), %[moved]\n\t"
        "movq %[moved], (%%rsi, %%rax, 8)\n\t"      /*     to[i] = in[i]                     */
        "incq %%rax\n\t"
        "cmpq %[put], %%rax\n\t"
        "jb 6b\n\t"
        "addq %[put], %%rdx\n\t"                    /* word += put                           */
        POOL_INJECT(10)
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
#undef POOL_SEQUENCE_WANT_ID
#undef POOL_SEQUENCE_CLOBBERS
