// The sequences of sequences.h for aarch64.
//
// SPDX-License-Identifier: Apache-2.0
//
// Registers inside a sequence: x9 id, x10 slab, x11 word, w12 count; flags are free. The thread
// pointer cannot change, so the addresses inside struct rseq are computed outside. Objects need no
// barrier between threads of one id: the kernel orders what one id's successive holders did, and
// a thread that hands objects to another CPU does so under a lock.
#pragma once

#include "platform/inject.h"

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
    ".inst 0xd428bc00\n"                                                                           \
    "4:\n\t"                                                                                       \
    "b 9f\n\t"                                                                                     \
    ".popsection\n"

// clang-format off

// From arming the sequence to the word of this CPU's slab.
#define POOL_SEQUENCE_BEGIN                                                                        \
    POOL_SEQUENCE_TABLES                                                                           \
    "9:\n\t"                                                                                       \
    "adrp x9, 3b\n\t"                                                                              \
    "add x9, x9, :lo12:3b\n\t"                                                                     \
    "str x9, [%[area], #8]\n"                    /* rseq->rseq_cs = descriptor            */       \
    "1:\n\t"                                                                                       \
    POOL_INJECT(1)                                                                                 \
    "ldr w9, [%[area], #4]\n\t"                  /* if (rseq->cpu_id < 0) slow            */       \
    "cmp w9, #0\n\t"                                                                               \
    "b.lt %l[slow]\n\t"                                                                            \
    POOL_INJECT(2)                                                                                 \
    "ldr w9, [%[id_field]]\n\t"                  /* id = rseq->mm_cid                     */       \
    POOL_INJECT(3)                                                                                 \
    "add x10, %[table], #64\n\t"                                                                   \
    "ldr x10, [x10, x9, lsl #3]\n\t"             /* slab = table->entries[id]             */       \
    POOL_INJECT(4)                                                                                 \
    "ldr x11, [x10]\n\t"                         /* word = slab->word                     */       \
    POOL_INJECT(5)                                                                                 \
    "and w12, w11, #0xff\n\t"                    /* count = word & 0xff                   */       \
    POOL_INJECT(6)

#define POOL_SEQUENCE_WANT_ID                                                                      \
    "cmn %w[wanted], #1\n\t" /* if (wanted != any && wanted != id) slow */                         \
    "b.eq 5f\n\t"                                                                                  \
    "cmp w9, %w[wanted]\n\t"                                                                       \
    "b.ne %l[slow]\n"                                                                              \
    "5:\n\t"

#define POOL_SEQUENCE_CLOBBERS "x9", "x10", "x11", "x12", "x13", "x16", "cc", "memory"

namespace pool::sequences {

constexpr bool kSupported = true;

static_assert(sizeof(SlabTable) == 64 && offsetof(Slab, word) == 0 && offsetof(Slab, slots) == 8);
static_assert(offsetof(Slab, open) == 1000 && kTickMask == 0x3ff0000 && kPopped == 0xffff && kPushed == 1);

inline char *thread_area(int64_t offset) {
    return static_cast<char *>(__builtin_thread_pointer()) + offset;
}

POOL_ALWAYS_INLINE bool pop(SlabTable *table, void **out) {
    void *object;
    if (table->area_offset == 0)
        return false;
    __asm__ volatile goto(
        POOL_SEQUENCE_BEGIN
        "cbz w12, %l[slow]\n\t"                      /* if (count == 0) slow                  */
        POOL_INJECT(7)
        "ldr %[object], [x10, x12, lsl #3]\n\t"      /* object = slab->slots[count - 1]       */
        POOL_INJECT(8)
        "mov x13, #0xffff\n\t"
        "add x11, x11, x13\n\t"                     /* word += one pop, one object less      */
        POOL_INJECT(9)
        "str x11, [x10]\n"                           /* slab->word = word: commit             */
        "2:\n"
        : [object] "=&r"(object)
        : [table] "r"(table), [area] "r"(thread_area(table->area_offset)),
          [id_field] "r"(thread_area(table->id_offset))
        : POOL_SEQUENCE_CLOBBERS
        : slow);
    *out = object;
    return true;
slow:
    return false;
}

POOL_ALWAYS_INLINE bool pop_sized(SlabTable *table, uint64_t size, void **out) {
    void *object;
    if (size > table->most.load(std::memory_order_relaxed) || table->area_offset == 0)
        return false;
    __asm__ volatile goto(
        POOL_SEQUENCE_BEGIN
        "cbz w12, %l[slow]\n\t"                      /* if (count == 0) slow                  */
        "tst w11, #0x3ff0000\n\t"                    /* if (word ticks) slow                  */
        "b.eq %l[slow]\n\t"
        POOL_INJECT(7)
        "ldr %[object], [x10, x12, lsl #3]\n\t"      /* object = slab->slots[count - 1]       */
        POOL_INJECT(8)
        "mov x13, #0xffff\n\t"
        "add x11, x11, x13\n\t"                     /* word += one pop, one object less      */
        POOL_INJECT(9)
        "str x11, [x10]\n"                           /* slab->word = word: commit             */
        "2:\n"
        : [object] "=&r"(object)
        : [table] "r"(table), [area] "r"(thread_area(table->area_offset)),
          [id_field] "r"(thread_area(table->id_offset))
        : POOL_SEQUENCE_CLOBBERS
        : slow);
    *out = object;
    return true;
slow:
    return false;
}

POOL_ALWAYS_INLINE bool push(SlabTable *table, void *object, int32_t *zero) {
    if (table->put_area_offset == 0)
        return false;
    __asm__ volatile goto(
        POOL_SEQUENCE_BEGIN
        "ubfx w13, w11, #8, #8\n\t"                 /* if (count >= capacity) slow           */
        "cmp w12, w13\n\t"
        "b.hs %l[slow]\n\t"
        "add x13, x10, #8\n\t"
        POOL_INJECT(7)
        "str %[object], [x13, x12, lsl #3]\n\t"      /* slab->slots[count] = object           */
        POOL_INJECT(8)
        "add x11, x11, #1\n\t"                       /* word += one object                    */
        POOL_INJECT(9)
        "str x11, [x10]\n"                           /* slab->word = word: commit             */
        "2:\n"
        :
        : [object] "r"(object), [table] "r"(table), [area] "r"(thread_area(table->put_area_offset)),
          [id_field] "r"(thread_area(table->id_offset))
        : POOL_SEQUENCE_CLOBBERS
        : slow);
    *zero = 0;
    return true;
slow:
    return false;
}

POOL_ALWAYS_INLINE bool push_sized(SlabTable *table, void *object, uint64_t size, int32_t *zero) {
    return size == table->put_size && push(table, object, zero);
}

[[maybe_unused]] static uint32_t pop_n(SlabTable *table, uint32_t id, void **out, uint32_t n, uint64_t unit) {
    uint64_t taken;
    void *moved;
    __asm__ volatile goto(
        POOL_SEQUENCE_BEGIN
        POOL_SEQUENCE_WANT_ID
        "cmp w12, %w[n]\n\t"                         /* taken = min(n, count)                 */
        "csel %w[taken], w12, %w[n], lo\n\t"
        POOL_INJECT(7)
        "cbz %w[taken], %l[slow]\n\t"                /* if (taken == 0) slow                  */
        "sub x12, x12, %[taken]\n\t"                 /* first = count - taken                 */
        "add x13, x10, #8\n\t"
        "add x12, x13, x12, lsl #3\n\t"              /* from = &slab->slots[first]            */
        "mov x13, #0\n"                              /* for (i = 0; i < taken; i++)           */
        "6:\n\t"
        POOL_INJECT(8)
        "ldr %[moved], [x12, x13, lsl #3]\n\t"
        "str %[moved], [%[out], x13, lsl #3]\n\t"    /*     out[i] = from[i]                  */
        "add x13, x13, #1\n\t"
        "cmp x13, %[taken]\n\t"
        "b.lo 6b\n\t"
        "madd x11, %[taken], %[unit], x11\n\t"       /* word += taken * unit                  */
        POOL_INJECT(9)
        "str x11, [x10]\n"                           /* slab->word = word: commit             */
        "2:\n"
        : [taken] "=&r"(taken), [moved] "=&r"(moved)
        : [table] "r"(table), [area] "r"(thread_area(table->area_offset)),
          [id_field] "r"(thread_area(table->id_offset)), [wanted] "r"(id), [n] "r"(n),
          [out] "r"(out), [unit] "r"(unit)
        : POOL_SEQUENCE_CLOBBERS
        : slow);
    return static_cast<uint32_t>(taken);
slow:
    return 0;
}

[[maybe_unused]] static Pushed push_n(SlabTable *table, uint32_t id, void *const *in, uint32_t n, uint32_t grow) {
    uint64_t put, grown;
    void *moved;
    __asm__ volatile goto(
        POOL_SEQUENCE_BEGIN
        POOL_SEQUENCE_WANT_ID
        "ldr w13, [x10, #1000]\n\t"                 /* if (!slab->open) slow                 */
        "cbz w13, %l[slow]\n\t"
        "ubfx w13, w11, #8, #8\n\t"                 /* grown = min(grow, most - capacity)    */
        "mov %w[put], %[most]\n\t"
        "sub %w[grown], %w[put], w13\n\t"
        "cmp %w[grown], %w[grow]\n\t"
        "csel %w[grown], %w[grown], %w[grow], lo\n\t"
        POOL_INJECT(7)
        "add x11, x11, %[grown], lsl #8\n\t"        /* word += grown << 8                    */
        "add w13, w13, %w[grown]\n\t"               /* put = min(n, capacity - count)        */
        "sub %w[put], w13, w12\n\t"
        "cmp %w[put], %w[n]\n\t"
        "csel %w[put], %w[put], %w[n], lo\n\t"
        "cbz %w[put], %l[slow]\n\t"                 /* if (put == 0) slow                    */
        "add x13, x10, #8\n\t"
        "add x12, x13, x12, lsl #3\n\t"             /* to = &slab->slots[count]              */
        "mov x13, #0\n"                             /* for (i = 0; i < put; i++)             */
        "6:\n\t"
        POOL_INJECT(8)
        "ldr %[moved], [%[in], x13, lsl #3]\n\t"
        "str %[moved], [x12, x13, lsl #3]\n\t"      /*     to[i] = in[i]                     */
        "add x13, x13, #1\n\t"
        "cmp x13, %[put]\n\t"
        "b.lo 6b\n\t"
        "add x11, x11, %[put]\n\t"                  /* word += put                           */
        POOL_INJECT(9)
        "str x11, [x10]\n"                          /* slab->word = word: commit             */
        "2:\n"
        : [put] "=&r"(put), [grown] "=&r"(grown), [moved] "=&r"(moved)
        : [table] "r"(table), [area] "r"(thread_area(table->area_offset)),
          [id_field] "r"(thread_area(table->id_offset)), [wanted] "r"(id), [n] "r"(n),
          [grow] "r"(grow), [in] "r"(in), [most] "i"(kSlabSlots)
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
