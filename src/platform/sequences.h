// Restartable sequences on a per-CPU slab: the operations of the fast path.
//
// SPDX-License-Identifier: Apache-2.0
//
// A restartable sequence is a run of instructions that the kernel promises to abort, by a jump to
// its beginning, if the thread is preempted, migrated or signalled inside it. Its last instruction
// is one store, the commit; nothing before it may be visible to anybody. So, as long as only
// sequences touch a slab, the thread that runs on a CPU owns that CPU's slab, and neither an atomic
// instruction nor a lock is needed.
//
//     start:   rseq->rseq_cs = &descriptor        arms the sequence
//              if (rseq->cpu_id < 0)              this thread was never registered: slow
//              id = rseq->mm_cid (or cpu_id)
//              slab = table->entries[id]
//              word = slab->word
//              ... read or write slots beyond what `word` makes visible ...
//     commit:  slab->word = word'
//
// The slow path's half of the bargain: to take a slab away from its CPU, store the address of
// closed_slab into its entry and issue fence_sequences(). Every sequence that had read the old
// entry has by then either committed or been aborted, and the next one finds a slab that is both
// empty and full. This is the asymmetric trick: the fast path pays nothing, the slow path a system
// call.
//
// What a word holds is in slab_layout.h.
#pragma once

#include "platform/slab_layout.h"

#include <cstdint>

// A sequence is also described in sections that are not merged, so the linker may merge no function
// that has one: such a function is always inlined, or static.
#define POOL_ALWAYS_INLINE inline __attribute__((always_inline))

namespace pool::sequences {

// Any id will do.
constexpr uint32_t kAnyId = UINT32_MAX;

// What push_n did.
struct Pushed {
    uint32_t count; // objects put
    uint32_t grown; // room added
};

// Take the newest object of this CPU's slab. false: empty, or not to be used now.
//   bool pop(SlabTable *table, void **object);
//
// The same for an object of at least `size` bytes, if that is not above table->most. false also once
// every kPopsPerTick pops, until the slow path has taken an object.
//   bool pop_sized(SlabTable *table, uint64_t size, void **object);
//
// Put an object on this CPU's slab. false: full, or not to be used now. *zero becomes 0, which a
// sequence has at hand, for the caller to return.
//   bool push(SlabTable *table, void *object, int32_t *zero);
//
// The same for an object of `size` bytes, if that is table->put_size.
//   bool push_sized(SlabTable *table, void *object, uint64_t size, int32_t *zero);
//
// Take up to `n` of the newest objects, oldest of them first, if this CPU's id is `id` or `id` is
// kAnyId; each adds `unit` to the word. Returns how many.
//   uint32_t pop_n(SlabTable *table, uint32_t id, void **out, uint32_t n, uint64_t unit);
//
// Put up to `n` objects, under the same condition, after adding up to `grow` to the capacity.
//   Pushed push_n(SlabTable *table, uint32_t id, void *const *in, uint32_t n, uint32_t grow);

} // namespace pool::sequences

#if defined(__x86_64__)
#include "platform/sequences_x86_64.h"
#elif defined(__aarch64__)
#include "platform/sequences_aarch64.h"
#else
#include "platform/sequences_none.h"
#endif
