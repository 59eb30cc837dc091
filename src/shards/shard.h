// Shard: what belongs to one CPU.
//
// SPDX-License-Identifier: Apache-2.0
//
// One lock word guards everything in a shard but the slab. Who may touch the slab depends on the
// shard's bias:
//
//     kBiased    sequences that run on this CPU, and nobody else: the fast path
//     kRevoking  nobody: its table entry is closed, a fence is on the way
//     kShared    whoever holds the shard's lock
//
//     kBiased --revoke--> kRevoking --fence--> kShared --rebias--> kBiased
//
// Each change is made under the lock. kBiased to kRevoking closes the table entry; only the thread
// that has fenced after that may go on to kShared, which `revocations` tells apart from a later
// revocation. kShared to kBiased needs no fence: the entry is stored with release, after everything
// the lock protected, and a sequence reaches the slab only through the entry. In fallback mode, and
// in the shard for threads without an id, the bias is kShared for ever.
//
// This is biased locking: a CPU owns its shard for free until another CPU wants something out of
// it; then the shard is shared for a while that doubles each time, up to a bound at which the fence
// that ends the next ownership costs little beside the uses in between.
#pragma once

#include "platform/lock.h"
#include "platform/sequences.h"
#include "shards/depot.h"

#include <atomic>
#include <cstdint>

namespace pool {

enum class Bias : uint8_t { kShared, kBiased, kRevoking };

// Written under the shard's lock, read at any time.
class Counter {
public:
    void add(uint64_t n) {
        value_.store(value_.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
    }
    uint64_t get() const { return value_.load(std::memory_order_acquire); }

private:
    std::atomic<uint64_t> value_{0};
};

// Uses of a shared slab by its own CPU before the CPU owns it again: at first.
constexpr uint32_t kShortestShared = 64;

// Where an object was found by a get that missed the slab.
enum class Origin : uint8_t { kDepot, kSteal, kVictim, kStray };
constexpr int kOrigins = 4;

struct alignas(2 * kCacheLine) Shard {
    SpinLock lock;
    Bias bias = Bias::kShared;
    uint32_t id = 0;
    uint32_t revocations = 0;
    uint32_t local_uses = 0;                 // of the shared slab by its own CPU
    uint32_t rebias_after = kShortestShared; // that many, and the CPU owns the slab again
    std::atomic<uint32_t> rescue{1};         // objects to take from a victim depot; doubles

    Depot current;
    Depot victim;
    Magazine *empties = nullptr;

    // The slab's word when the pool last put objects there itself.
    std::atomic<uint64_t> filled{0};

    // Moves of objects from one place in the bag to another, begun in this shard and ended in this
    // shard. A get that finds nothing compares the sums over all shards: see steal.cpp.
    Counter moves_begun;
    Counter moves_done;

    Counter hits[kOrigins];
    Counter pops_before; // pops of earlier rounds of the slab's 48-bit counter
    uint64_t last_pops = 0;

    Slab slab;

    // ---- the slab, under the lock; `table` is the one that holds this shard's entry ----

    // Up to `n` of the newest objects; 0 while the slab may not be touched from here. A biased slab
    // is reached only by a thread that runs on its CPU at that moment.
    uint32_t slab_pop_n(SlabTable *table, void **out, uint32_t n, uint64_t unit);

    // As sequences::push_n().
    sequences::Pushed slab_push_n(SlabTable *table, void *const *in, uint32_t n, uint32_t grow);

    // The word; exact under the lock if the bias is kShared, else of some moment of the call.
    uint64_t word() const { return slab.word.load(std::memory_order_acquire); }

    // Make a shared slab overflow into the depot earlier.
    void lower_capacity();

    // ---- magazines, under the lock ----

    Magazine *take_empty() {
        Magazine *magazine = empties;
        if (magazine != nullptr)
            empties = magazine->next;
        return magazine;
    }

    void keep_empty(Magazine *magazine) {
        magazine->count = 0;
        magazine->next = empties;
        empties = magazine;
    }

    // Around every move, under the lock. The fence keeps the count ahead of what the move removes;
    // its pair is the acquire with which a searching get reads what is left.
    void begin_move() {
        moves_begun.add(1);
        std::atomic_thread_fence(std::memory_order_release);
    }
    // The fence keeps the count behind what the move has put down.
    void end_move() {
        std::atomic_thread_fence(std::memory_order_release);
        moves_done.add(1);
    }

    // Has nobody put an object on the slab since? A hint: other moves may hide one or feign one.
    bool only_consumes() const {
        uint64_t then = filled.load(std::memory_order_relaxed);
        uint64_t now = word();
        return Slab::pops_of(now) + Slab::count_of(now) ==
               Slab::pops_of(then) + Slab::count_of(then);
    }

    void count_hit(Origin origin) { hits[static_cast<int>(origin)].add(1); }

    // All pops ever, under the lock: the word's counter wraps after 2^48.
    uint64_t total_pops();

    // Objects in it, at some moment of the call; no lock needed.
    uint64_t objects() const {
        return Slab::count_of(word()) + current.objects() + victim.objects();
    }

    void repair_after_fork();
};

} // namespace pool
