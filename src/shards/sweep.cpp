// Generations: ageing, shrinking, draining.
//
// SPDX-License-Identifier: Apache-2.0
//
// A sweep disposes of what is still in the victim depots and moves everything else, slabs included,
// into them. What a get takes from a victim depot is put back as current. So an object dies when
// nobody took it between two sweeps, as in Go's sync.Pool.
//
// A slab is revoked to be emptied and given back to its CPU at once; empty ones are left alone, so
// sweeping an idle pool interrupts nobody.
#include "shards/shards.h"

namespace pool {
namespace {

// Names the slab where a depot would be named.
constexpr Depot Shard::*kFromSlab = nullptr;

} // namespace

size_t Shards::sweep(Disposal disposal) {
    size_t disposed = 0;
    for_each_from(0, [&](Shard *shard) {
        disposed += age(shard, disposal);
        return false;
    });
    return disposed;
}

size_t Shards::age(Shard *shard, Disposal disposal) {
    void *loose[kSlabSlots];
    Magazine *dead, *empties;
    Magazine *full[2] = {nullptr, nullptr};
    bool revoked = false;
    uint32_t count = 0;
    if (Slab::count_of(shard->word()) != 0)
        revoked = revoke(shard) == Revoked::kNow;
    {
        SpinLock::Guard guard(shard->lock);
        shard->begin_move();
        dead = shard->victim.take_all();
        shard->victim.push_all(shard->current.take_all());
        if (shard->bias == Bias::kShared)
            count = shard->slab_pop_n(&table_, loose, kSlabSlots, move_out_unit());
        for (Magazine *&magazine : full)
            magazine = shard->take_empty();
        empties = shard->empties;
        shard->empties = nullptr;
        shard->rescue.store(1, std::memory_order_relaxed);
    }
    uint32_t moved = 0;
    for (Magazine *&magazine : full) {
        if (magazine == nullptr && moved < count)
            magazine = new_magazine();
        if (magazine == nullptr)
            continue;
        while (moved < count && !magazine->full())
            magazine->slots[magazine->count++] = loose[moved++];
    }
    {
        SpinLock::Guard guard(shard->lock);
        for (Magazine *magazine : full) {
            if (magazine == nullptr)
                continue;
            if (magazine->count != 0)
                shard->victim.push(magazine);
            else
                shard->keep_empty(magazine);
        }
        shard->end_move();
        if (revoked)
            restore_bias(shard);
    }
    free_magazines(empties);

    // Without memory for a magazine there is no victim to be: the rest of the slab goes now.
    size_t disposed = count - moved;
    if (disposed != 0)
        disposal.dispose(loose + moved, disposed, disposal.ctx);
    for (Magazine *magazine = dead; magazine != nullptr; magazine = magazine->next) {
        disposal.dispose(magazine->slots, magazine->count, disposal.ctx);
        disposed += magazine->count;
    }
    free_magazines(dead);
    give_room(disposed);
    return disposed;
}

size_t Shards::shrink(uint64_t keep, Disposal disposal) {
    uint64_t now = idle();
    size_t excess = now > keep ? now - keep : 0;
    size_t disposed = 0;
    for (Depot Shard::*which : {&Shard::victim, &Shard::current, kFromSlab})
        disposed += dispose_of(which, excess - disposed, disposal);
    return disposed;
}

size_t Shards::shrink_victims(size_t most, Disposal disposal) {
    return dispose_of(&Shard::victim, most, disposal);
}

size_t Shards::dispose_of(Depot Shard::*which, size_t most, Disposal disposal) {
    size_t disposed = 0;
    for_each_from(0, [&](Shard *shard) {
        size_t some;
        do {
            some = disposed < most ? dispose_some(shard, which, most - disposed, disposal) : 0;
            disposed += some;
        } while (some != 0);
        return disposed == most;
    });
    return disposed;
}

// Up to a magazine's worth from one of the shard's depots, or from its slab.
size_t Shards::dispose_some(Shard *shard, Depot Shard::*which, size_t most, Disposal disposal) {
    void *objects[kMagazineSlots];
    uint32_t n = most < kMagazineSlots ? static_cast<uint32_t>(most) : kMagazineSlots;
    Magazine *emptied = nullptr;
    if (which != kFromSlab) {
        SpinLock::Guard guard(shard->lock);
        n = (shard->*which).take_objects(objects, n, &emptied);
        if (emptied != nullptr)
            shard->keep_empty(emptied);
    } else {
        if (Slab::count_of(shard->word()) == 0)
            return 0;
        bool revoked = revoke(shard) == Revoked::kNow;
        SpinLock::Guard guard(shard->lock);
        bool owned = shard->bias == Bias::kShared;
        n = owned ? shard->slab_pop_n(&table_, objects, n, move_out_unit()) : 0;
        if (revoked)
            restore_bias(shard);
    }
    if (n != 0)
        disposal.dispose(objects, n, disposal.ctx);
    give_room(n);
    return n;
}

} // namespace pool
