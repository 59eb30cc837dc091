// Taking objects: the slow path behind the slab's sequence, up to the point where others are
// robbed.
//
// SPDX-License-Identifier: Apache-2.0
#include "shards/shards.h"

#include <cstring>

namespace pool {

void *Shards::get() {
    Shard *home = lock_home();
    void *object = take_local(home);
    Magazine *carrier = object == nullptr ? home->take_empty() : nullptr;
    home->lock.unlock();
    return object != nullptr ? object : steal(home, carrier);
}

// Under the home's lock: from its slab, which may have been filled meanwhile or be shared, or from
// its depot, whose top magazine then refills the slab.
void *Shards::take_local(Shard *home) {
    void *object;
    if (home->slab_pop_n(&table_, &object, 1, kPopped) == 1) {
        note_local_use(home);
        return object;
    }
    Magazine *magazine = home->current.top();
    if (magazine == nullptr)
        return nullptr;
    home->begin_move();
    home->current.pop();
    object = magazine->slots[--magazine->count];
    home->count_hit(Origin::kDepot);
    give_room(1);
    if (magazine->count != 0)
        fill_slab(home, magazine);
    if (magazine->count != 0)
        home->current.push(magazine);
    else
        home->keep_empty(magazine);
    home->end_move();
    return object;
}

// Under the home's lock: move what fits from the magazine into the slab. An object brings the room
// it stood in; what the slab has room for already is given back as credit. slab_push_n() grows by
// no more than it puts, so room is never short.
void Shards::fill_slab(Shard *home, Magazine *from) {
    uint64_t word = home->word();
    uint32_t room = Slab::capacity_of(word) - Slab::count_of(word);
    uint32_t grow = from->count > room ? from->count - room : 0;
    sequences::Pushed pushed = home->slab_push_n(&table_, from->slots, from->count, grow);
    give_room(pushed.count - pushed.grown);
    home->filled.store(home->word(), std::memory_order_relaxed);
    from->count -= pushed.count;
    memmove(from->slots, from->slots + pushed.count, from->count * sizeof(void *));
}

size_t Shards::get_n(void **objects, size_t n) {
    size_t got = 0;
    while (got < n) {
        size_t left = n - got;
        uint32_t want = left < kSlabSlots ? static_cast<uint32_t>(left) : kSlabSlots;
        uint32_t taken = 0;
        if (table_.area_offset != 0)
            taken = sequences::pop_n(&table_, sequences::kAnyId, objects + got, want, kPopped);
        if (taken == 0) {
            objects[got] = get();
            if (objects[got] == nullptr)
                break;
            taken = 1;
        }
        got += taken;
    }
    return got;
}

} // namespace pool
