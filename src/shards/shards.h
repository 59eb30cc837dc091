// Shards: a bag of pointers, sharded by CPU. The core under every pool.
//
// SPDX-License-Identifier: Apache-2.0
//
// put() and get() run on the slab of the CPU they are on. What a slab has too much of goes to its
// shard's depot in magazines; what it lacks it takes, in this order, from its own depot, other
// shards' depots, the victim depots (what was idle at the last sweep), and other shards' slabs.
//
//      get:  slab -> own depot -> other depots -> victims -> strays -> nullptr
//      put:  slab -> own depot, or nothing if the bound is reached
//
// Invariants:
//   - An object is in exactly one place: a slab, a magazine of a depot, or the hands of one thread.
//     It is taken out of one place before it is put into the next, so a fork in between can lose it
//     in the child but never double it.
//   - At most one shard lock is held at a time, and nothing is allocated or called back under it.
//   - get() returns nullptr only if there was a moment during the call at which no object was in
//   the
//     bag, or if a thread that was moving objects was stopped for long; see steal.cpp.
//   - With a bound: idle objects + free room in slabs + credits = bound, at every moment at which
//   no
//     thread is inside a lock; see bound.cpp.
//
// The object has a variable size: its slab table follows it in memory. Place it last in whatever
// holds it, in memory of at least offset + bytes().
#pragma once

#include "platform/cpu.h"
#include "platform/memory.h"
#include "shards/shard.h"

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace pool {

// What happens to objects that are dropped. Called under no lock.
struct Disposal {
    void (*dispose)(void *const *objects, size_t count, void *ctx);
    void *ctx;
};

// More pointers than any machine has memory for, so a larger bound is none.
constexpr uint64_t kMostBound = (uint64_t{1} << 40) - 1;
constexpr uint64_t kUnbounded = UINT64_MAX;

struct ShardsStats {
    uint64_t hits_slab;
    uint64_t hits[kOrigins];
    uint64_t idle;
    uint64_t fences;
    uint64_t shards;
};

class Shards {
public:
    // Memory to set aside for a Shards and its table.
    static size_t bytes();

    // `memory` must outlive it. init() before anything else; it fails with POOL_ENOMEM.
    // Which of the fast paths may be used: a pool that looks at each object allows none or only
    // gets.
    enum class Direct { kAll, kGets, kNone };
    Shards(Memory &memory, pool_cpu_mode mode, uint64_t bound, Direct direct = Direct::kAll);
    pool_status init();

    // Stops it and frees all memory; calls find nothing and keep nothing from now on. The bag must
    // have been drained; no other thread may be in a call.
    void clear();
    ~Shards() { clear(); }

    Shards(const Shards &) = delete;
    Shards &operator=(const Shards &) = delete;

    // The fast paths. false says nothing but "try the slow one".
    bool get_fast(void **object) {
        return table_.area_offset != 0 && sequences::pop(&table_, object);
    }
    bool put_fast(void *object) {
        return table_.put_area_offset != 0 && sequences::push(&table_, object);
    }

    // The fast paths of the fallback mode, likewise: one exchange on the lock word of this CPU's
    // shard.
    bool get_locked(void **object);
    bool put_locked(void *object);

    // An object from anywhere, or nullptr.
    void *get();

    // False: the bound is reached, or there is no memory to keep the object; it is still the
    // caller's.
    bool put(void *object);

    // As many of both as can be had or kept; the objects taken or kept are the first ones.
    size_t get_n(void **objects, size_t n);
    size_t put_n(void *const *objects, size_t n);

    // Age by one generation. Returns how many objects were disposed of. One sweep at a time.
    size_t sweep(Disposal disposal);

    // Dispose of idle objects, the oldest generation first, until `keep` are left; as many as there
    // are then. Returns how many.
    size_t shrink(uint64_t keep, Disposal disposal);

    // No sequence starts from now on; every call takes the slow path. `quiescent` promises that no
    // other thread is in a call, which saves the fence.
    void stop(bool quiescent);

    uint64_t idle() const;
    ShardsStats stats();
    bool uses_sequences() const { return sequences_; }

    // In the child after fork, on its only thread.
    void repair_after_fork();

private:
    // get.cpp
    void *take_local(Shard *home);
    void fill_slab(Shard *home, Magazine *from);

    // put.cpp
    enum class Kept { kYes, kNeedsMagazine, kNeedsRoom };
    Kept put_local(Shard *home, void *object, Magazine **spare);

    // steal.cpp
    void *steal(Shard *home, Magazine *carrier);
    void *steal_from_depots(Shard *home, Depot Shard::*which, Origin origin, Magazine **carrier);
    void *steal_stray(Shard *home, Magazine **carrier, bool *unsure);
    void *settle(Shard *home, Magazine **carrier, void *single, Origin origin);
    uint64_t moves(Counter Shard::*which) const;

    // bias.cpp
    enum class Revoked { kNow, kWasShared, kRefused };
    Revoked revoke(Shard *shard);
    void restore_bias(Shard *shard);
    void bias_to_cpu(Shard *shard);
    void note_local_use(Shard *home);

    // bound.cpp
    bool bounded() const { return bound_ != kUnbounded; }
    uint64_t move_out_unit() const { return bounded() ? kMovedOutWithRoom : kMovedOut; }
    uint32_t take_credits(uint32_t most);
    void give_credits(uint64_t n);
    bool find_room(Shard *home);
    enum class Room { kNone, kFound, kUnclear };
    Room look_for_room(Shard *home, uint64_t *pops);
    Room recall_room(Shard *shard);

    // sweep.cpp
    size_t age(Shard *shard, Disposal disposal);
    size_t dispose_some(Shard *shard, Depot Shard::*depot, size_t most, Disposal disposal);

    // shards.cpp
    Shard *shard_at(uint32_t id); // made on first use; nullptr if there is no memory
    Shard *find_shard(uint32_t id) const { return shards()[id].load(std::memory_order_acquire); }
    void open_table(uint32_t limit);
    void close_table();
    Shard *lock_home();
    uint32_t home_id() const;
    uint32_t ids_in_use() const { return used_.load(std::memory_order_acquire); }
    Magazine *new_magazine();
    void free_magazines(Magazine *list);
    std::atomic<Shard *> *shards() const;

    // Calls visit(shard) for every shard, beginning behind `id` and ending with it, that of threads
    // without an id last, until one returns true.
    template <class Visit>
    bool for_each_from(uint32_t id, Visit visit) const;

    Memory &memory_;
    const uint64_t bound_;
    const bool sequences_;
    const Direct direct_;
    std::atomic<bool> stopped_{false};
    SpinLock grow_lock_;            // guards the growth of the table
    std::atomic<uint32_t> used_{0}; // ids below this may have a shard
    std::atomic<uint64_t> fences_{0};
    std::atomic<uint64_t> credits_; // epoch : 24 | room that no slab or magazine has : 40
    SlabTable table_;               // last: the entries follow, then the pointers to shards
};

// In fallback mode every slab is shared, so its lock is all that is needed. A lock that is taken
// says that this thread, or the lock's holder, is no longer on the CPU: the slow path finds another
// shard.
inline bool Shards::get_locked(void **object) {
    uint32_t id = current_cpu();
    if (id >= table_.locked_limit.load(std::memory_order_acquire))
        return false;
    Shard *shard = find_shard(id);
    if (shard == nullptr || !shard->lock.try_lock())
        return false;
    uint64_t word = shard->slab.word.load(std::memory_order_relaxed);
    uint32_t count = Slab::count_of(word);
    if (count != 0) {
        *object = shard->slab.slots[count - 1];
        shard->slab.word.store(word + kPopped, std::memory_order_relaxed);
    }
    shard->lock.unlock();
    return count != 0;
}

inline bool Shards::put_locked(void *object) {
    uint32_t id = current_cpu();
    if (id >= table_.put_locked_limit.load(std::memory_order_acquire))
        return false;
    Shard *shard = find_shard(id);
    if (shard == nullptr || !shard->lock.try_lock())
        return false;
    uint64_t word = shard->slab.word.load(std::memory_order_relaxed);
    uint32_t count = Slab::count_of(word);
    bool room = count < Slab::capacity_of(word);
    if (room) {
        shard->slab.slots[count] = object;
        shard->slab.word.store(word + kPushed, std::memory_order_relaxed);
    }
    shard->lock.unlock();
    return room;
}

template <class Visit>
bool Shards::for_each_from(uint32_t id, Visit visit) const {
    uint32_t used = ids_in_use();
    for (uint32_t step = 1; step <= used; step++) {
        Shard *shard = find_shard((id + step) % used);
        if (shard != nullptr && visit(shard))
            return true;
    }
    Shard *common = find_shard(table_.size);
    return common != nullptr && visit(common);
}

} // namespace pool
