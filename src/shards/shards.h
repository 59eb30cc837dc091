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
//     the bag, or if a thread that was moving objects was stopped for long; see steal.cpp.
//   - With a budget, which several bags may share: see budget.h and bound.cpp.
//
// The object has a variable size: its slab table follows it in memory. Place it last in whatever
// holds it, in memory of at least offset + bytes().
#pragma once

#include "platform/cpu.h"
#include "platform/memory.h"
#include "shards/budget.h"
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

    // Which of the fast paths may be used: a pool that looks at each object allows none or only
    // gets.
    enum class Direct { kAll, kGets, kNone };

    // `memory` and `budget` must outlive it; a budget that is not bounded counts as none. Each
    // object weighs `weight` of its bytes. init() before anything else; it fails with POOL_ENOMEM.
    Shards(Memory &memory, pool_cpu_mode mode, Budget *budget, uint64_t weight = 1,
           Direct direct = Direct::kAll);
    pool_status init();

    // Stops it and frees all memory; calls find nothing and keep nothing from now on. The bag must
    // have been drained; no other thread may be in a call.
    void clear();
    ~Shards() { clear(); }

    Shards(const Shards &) = delete;
    Shards &operator=(const Shards &) = delete;

    // The fast paths. false says nothing but "try the slow one". *zero: see sequences.h.
    POOL_ALWAYS_INLINE bool get_fast(void **object) { return sequences::pop(&table_, object); }
    POOL_ALWAYS_INLINE bool put_fast(void *object, int32_t *zero) {
        return sequences::push(&table_, object, zero);
    }

    // The fast paths of a shared slab, which in fallback mode all are, likewise: one exchange on
    // the lock word of this CPU's shard.
    bool get_locked(void **object) { return get_locked<false>(object); }
    bool put_locked(void *object);

    // The same for a shared slab in any mode.
    bool get_shared(void **object) { return get_shared<false>(object); }
    bool put_shared(void *object);

    // For pools of buffers, whose fast paths are pop_sized() and push_sized() of sequences.h: these
    // too leave one get of many to get().
    bool get_ticking_locked(void **object) { return get_locked<true>(object); }
    bool get_ticking_shared(void **object) { return get_shared<true>(object); }

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

    // Dispose of up to `most` objects of the oldest generation. Returns how many.
    size_t shrink_victims(size_t most, Disposal disposal);

    // No sequence starts from now on; every call takes the slow path. `quiescent` promises that no
    // other thread is in a call, which saves the fence.
    void stop(bool quiescent);

    // Objects in the slabs of a stopped bag that the kernel refused to fence off: none but where a
    // filter on system calls forbids it. A quiescent stop() brings them within reach.
    uint64_t out_of_reach();

    uint64_t idle() const;
    ShardsStats stats();
    // Users' handles point to the table, which makes the fast paths short.
    SlabTable *table() { return &table_; }
    static Shards *of(SlabTable *table) {
        return reinterpret_cast<Shards *>(reinterpret_cast<char *>(table) - table_offset());
    }
    static constexpr size_t table_offset() { return offsetof(Shards, table_); }
    bool uses_sequences() const { return sequences_; }

    // In the child after fork, on its only thread. The budget is recounted after all its bags.
    void repair_after_fork();

private:
    friend class Budget; // next_bag_, weight_ and room_in_use()

    template <bool kTicking>
    bool get_locked(void **object);
    template <bool kTicking>
    bool get_shared(void **object);
    Shard *lock_local(const std::atomic<uint32_t> &limit);
    Shard *lock_shared();

    // get.cpp
    void *take_local(Shard *home);
    void fill_slab(Shard *home, Magazine *from);

    // put.cpp
    enum class Kept { kYes, kNeedsMagazine, kNeedsRoom };
    Kept put_local(Shard *home, void *object, Magazine **spare);

    // steal.cpp
    void *steal(Shard *home, Magazine *carrier);
    void *steal_from_depots(Shard *home, Depot Shard::*which, Origin origin, Magazine **carrier);
    bool await_magazine(Shard *home);
    void *steal_stray(Shard *home, Magazine **carrier, bool *unsure);
    void *settle(Shard *home, Magazine **carrier, void *single, Origin origin);
    uint64_t moves(Counter Shard::*which) const;

    // bias.cpp
    enum class Revoked { kNow, kWasShared, kRefused };
    Revoked revoke(Shard *shard);
    void close(Shard *shard);
    void restore_bias(Shard *shard);
    void bias_to_cpu(Shard *shard);
    bool looks_biased(const Shard *shard) {
        return shard->id < table_.size &&
               table_.entry(shard->id).load(std::memory_order_relaxed) == &shard->slab;
    }
    void note_local_use(Shard *home);
    void rebias(Shard *home);

    // bound.cpp
    bool bounded() const { return budget_ != nullptr; }
    uint64_t move_out_unit() const { return bounded() ? kMovedOutWithRoom : kMovedOut; }
    uint32_t take_room();
    void give_room(uint64_t objects) {
        if (bounded())
            budget_->give(objects, weight_);
    }
    bool find_room(Shard *home);
    enum class Room { kNone, kUnclear, kMeagre, kFound }; // what weighs more comes later
    Room look_for_room(Shard *home, uint64_t *pops);
    Room look_for_room_here(Shard *home, uint64_t wanted, uint64_t *pops);
    Room recall_room(Shard *shard);
    uint64_t room_in_use() const;

    // sweep.cpp
    size_t age(Shard *shard, Disposal disposal);
    size_t dispose_of(Depot Shard::*which, size_t most, Disposal disposal);
    size_t dispose_some(Shard *shard, Depot Shard::*depot, size_t most, Disposal disposal);

    // shards.cpp
    Shard *shard_at(uint32_t id); // made on first use; nullptr if there is no memory
    Shard *find_shard(uint32_t id) const { return shards()[id].load(std::memory_order_acquire); }
    void open_locked(uint32_t limit);
    Shard *lock_home();
    uint32_t home_id() const;
    uint32_t ids_in_use() const { return used_.load(std::memory_order_acquire); }
    Magazine *new_magazine();
    void free_magazines(Magazine *list);
    std::atomic<Shard *> *shards() const {
        auto *table = const_cast<SlabTable *>(&table_);
        return reinterpret_cast<std::atomic<Shard *> *>(&table->entry(table_.entries));
    }

    // Calls visit(shard) for every shard, beginning behind `id` and ending with it, that of threads
    // without an id last, until one returns true.
    template <class Visit>
    bool for_each_from(uint32_t id, Visit visit) const;

    Memory &memory_;
    Budget *const budget_; // nullptr: no bound
    const uint64_t weight_;
    Shards *next_bag_ = nullptr; // of the same budget
    const bool sequences_;
    const Direct direct_;
    std::atomic<bool> stopped_{false};
    SpinLock grow_lock_;            // guards the growth of the table
    std::atomic<uint32_t> used_{0}; // ids below this may have a shard
    std::atomic<uint64_t> fences_{0};
    SlabTable table_; // last: the entries follow, then the pointers to shards
};

// A lock that is taken says that this thread, or the lock's holder, is no longer on the CPU: the
// slow path finds another shard.
template <bool kTicking>
POOL_ALWAYS_INLINE bool Shards::get_locked(void **object) {
    Shard *shard = lock_local(table_.locked_limit);
    if (shard == nullptr)
        return false;
    uint64_t word = shard->slab.word.load(std::memory_order_relaxed);
    uint32_t count = Slab::count_of(word);
    bool found = count != 0 && !(kTicking && Slab::ticks(word));
    if (found) {
        *object = shard->slab.slots[count - 1];
        shard->slab.word.store(word + kPopped, std::memory_order_relaxed);
    }
    shard->lock.unlock();
    return found;
}

POOL_ALWAYS_INLINE bool Shards::put_locked(void *object) {
    Shard *shard = lock_local(table_.put_locked_limit);
    if (shard == nullptr)
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

// The shard of this CPU, locked; nullptr for many reasons.
POOL_ALWAYS_INLINE Shard *Shards::lock_local(const std::atomic<uint32_t> &limit) {
    const char *thread = static_cast<const char *>(__builtin_thread_pointer());
    uint32_t id = *reinterpret_cast<const volatile uint32_t *>(thread + table_.id_offset);
    if (__builtin_expect(id >= limit.load(std::memory_order_acquire), 0))
        return nullptr;
    Shard *shard = find_shard(id);
    return shard != nullptr && shard->lock.try_lock() ? shard : nullptr;
}

// Under the lock, after its own CPU has used a shared slab.
inline void Shards::note_local_use(Shard *home) {
    if (sequences_ && ++home->local_uses >= home->rebias_after)
        rebias(home);
}

inline uint32_t Shards::home_id() const {
    uint32_t id =
        sequences_ ? current_sequence_id(table_.area_offset, table_.id_offset) : current_cpu();
    return id < table_.size ? id : table_.size;
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
