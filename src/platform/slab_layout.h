// The memory that sequences work on: a slab and the table that finds it.
//
// SPDX-License-Identifier: Apache-2.0
//
//     Slab       | word | slots[0] slots[1] ... slots[kSlabSlots-1] |   1 KiB
//     word       | pops : 48 | capacity : 8 | count : 8 |
//     SlabTable  | area_offset | id_offset | limit | ... | entries[0] entries[1] ...
//
// Invariants of a slab: count <= capacity <= kSlabSlots, and slots[0 .. count) hold its objects.
// pops counts the objects that users took from it. All three change in one store, so a slab is
// never seen half changed, and statistics cost nothing. Who may touch it is stated in
// shards/shard.h.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace pool {

constexpr uint32_t kSlabSlots = 124;
constexpr size_t kCacheLine = 64;

// What a word gains for each object ...
constexpr uint64_t kPushed = 1;                           // put
constexpr uint64_t kPopped = 0x10000 - 1;                 // taken by a user
constexpr uint64_t kMovedOut = ~uint64_t{0};              // taken out by the pool: -1
constexpr uint64_t kMovedOutWithRoom = kMovedOut - 0x100; // together with the room it stood in

struct alignas(kCacheLine) Slab {
    std::atomic<uint64_t> word{0};
    uint32_t open = 1; // 0 only in closed_slab, whose room must not be grown
    uint32_t unused = 0;
    void *slots[kSlabSlots];

    static uint32_t count_of(uint64_t word) { return word & 0xff; }
    static uint32_t capacity_of(uint64_t word) { return (word >> 8) & 0xff; }
    static uint64_t pops_of(uint64_t word) { return word >> 16; }
};
static_assert(sizeof(Slab) == 1024 && offsetof(Slab, slots) == 16 && kSlabSlots <= 255);
static_assert(offsetof(Slab, open) == 8);

// Both empty and full: what a table entry points to while no sequence may use the CPU's slab.
extern Slab closed_slab;

struct alignas(kCacheLine) SlabTable {
    // Where this thread's struct rseq is, from the thread pointer; 0: no sequences. A second copy
    // for puts, which some pools must look at before they may use a sequence.
    int64_t area_offset = 0;
    int64_t put_area_offset = 0;
    int64_t id_offset = 0;          // of the id inside it, from the thread pointer
    std::atomic<uint32_t> limit{0}; // ids below this have an entry; 0 stops every sequence
    uint32_t size = 0;              // entries there is room for
    // The same limits for the fallback mode's fast paths.
    std::atomic<uint32_t> locked_limit{0};
    std::atomic<uint32_t> put_locked_limit{0};

    // The entries follow the struct in memory.
    std::atomic<Slab *> &entry(uint32_t id) {
        return reinterpret_cast<std::atomic<Slab *> *>(this + 1)[id];
    }
};
static_assert(sizeof(SlabTable) == 64 && sizeof(std::atomic<Slab *>) == sizeof(void *));

} // namespace pool
