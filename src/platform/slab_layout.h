// The memory that sequences work on: a slab and the table that finds it.
//
// SPDX-License-Identifier: Apache-2.0
//
//     Slab       | word | slots[0] slots[1] ... slots[kSlabSlots-1] |   1 KiB
//     word       | pops : 48 | capacity : 8 | count : 8 |
//     SlabTable  | put_area_offset | area_offset | id_offset | ... | entries[0] entries[1] ...
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

// pop_sized() leaves one pop of so many to the slow path, which looks at the clock.
constexpr uint64_t kPopsPerTick = 1024;
constexpr uint64_t kTickMask = (kPopsPerTick - 1) << 16;

struct alignas(kCacheLine) Slab {
    std::atomic<uint64_t> word{0};
    void *slots[kSlabSlots];
    uint32_t open = 1; // 0 only in closed_slab, whose room must not be grown

    static uint32_t count_of(uint64_t word) { return word & 0xff; }
    static uint32_t capacity_of(uint64_t word) { return (word >> 8) & 0xff; }
    static uint64_t pops_of(uint64_t word) { return word >> 16; }
    static bool ticks(uint64_t word) { return (word & kTickMask) == 0; }
};
static_assert(sizeof(Slab) == 1024 && kSlabSlots <= 255);

// Both empty and full: what a table entry points to while no sequence may use the CPU's slab.
extern Slab closed_slab;

struct alignas(kCacheLine) SlabTable {
    // Where this thread's struct rseq is, from the thread pointer; 0: no sequences. Two of them,
    // for puts and for all else, as some pools must look at each put before they may use a
    // sequence.
    int64_t put_area_offset = 0;
    int64_t area_offset = 0;
    int64_t id_offset = 0; // of the id inside it, from the thread pointer
    uint32_t entries = 0;  // more than the largest id that the kernel may come up with
    uint32_t size = 0;     // ids below this may have a slab
    // Likewise for the fast paths of shared slabs; 0 stops them.
    std::atomic<uint32_t> locked_limit{0};
    std::atomic<uint32_t> put_locked_limit{0};

    // In the same cache line, for a pool of sized objects: what its fast paths compare with.
    std::atomic<uint64_t> most{0}; // a get of more is no matter for the fast path
    uint64_t object_size = 0;
    uint64_t put_size = 0; // a put of another size is no matter for the fast path

    // The entries follow the struct in memory.
    std::atomic<Slab *> &entry(uint32_t id) {
        return reinterpret_cast<std::atomic<Slab *> *>(this + 1)[id];
    }
};
static_assert(sizeof(SlabTable) == 64 && sizeof(std::atomic<Slab *>) == sizeof(void *));

} // namespace pool
