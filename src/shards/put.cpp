// Keeping objects: the slow path behind the slab's sequence.
//
// SPDX-License-Identifier: Apache-2.0
#include "shards/shards.h"

namespace pool {

bool Shards::put(void *object) {
    Magazine *spare = nullptr;
    for (;;) {
        Shard *home = lock_home();
        Kept kept = put_local(home, object, &spare);
        if (kept != Kept::kNeedsMagazine && spare != nullptr) {
            home->keep_empty(spare);
            spare = nullptr;
        }
        home->lock.unlock();
        if (kept == Kept::kYes)
            return true;
        if (kept == Kept::kNeedsMagazine)
            spare = new_magazine();
        if (kept == Kept::kNeedsMagazine ? spare == nullptr : !find_room(home))
            return false;
    }
}

// Under the home's lock: put the object on the slab; if that is full, move half of it into a
// magazine first; if it is out of reach, because it is being revoked or this thread has moved to
// another CPU, put the object into the depot.
Shards::Kept Shards::put_local(Shard *home, void *object, Magazine **spare) {
    sequences::Pushed pushed = home->slab_push_n(&table_, &object, 1, 0);
    if (pushed.count == 1) {
        note_local_use(home);
        return Kept::kYes;
    }
    uint32_t grow = 0;
    if (bounded()) {
        grow = take_room();
        if (grow == 0)
            return Kept::kNeedsRoom;
        pushed = home->slab_push_n(&table_, &object, 1, grow);
    }
    if (pushed.count == 0) {
        Magazine *magazine = home->take_empty();
        if (magazine == nullptr) {
            magazine = *spare;
            *spare = nullptr;
        }
        if (magazine == nullptr) {
            give_room(grow);
            return Kept::kNeedsMagazine;
        }
        if (!bounded() && home->current.objects() != 0)
            grow = kSlabSlots; // what overflowed last is still there: nobody waits for it
        home->begin_move();
        magazine->count =
            home->slab_pop_n(&table_, magazine->slots, kMagazineSlots, move_out_unit());
        if (magazine->count != 0) {
            home->current.push(magazine);
            pushed = home->slab_push_n(&table_, &object, 1, grow);
            magazine = nullptr;
        }
        if (pushed.count == 0) {
            if (home->current.push_object(object)) {
                pushed = {1, 1};
            } else if (magazine != nullptr || (magazine = home->take_empty()) != nullptr) {
                magazine->count = 1;
                magazine->slots[0] = object;
                home->current.push(magazine);
                magazine = nullptr;
                pushed = {1, 1};
            }
        }
        home->end_move();
        if (magazine != nullptr)
            home->keep_empty(magazine);
        if (pushed.count == 0) {
            give_room(grow);
            return Kept::kNeedsMagazine;
        }
    }
    give_room(grow - pushed.grown);
    return Kept::kYes;
}

size_t Shards::put_n(void *const *objects, size_t n) {
    size_t kept = 0;
    while (kept < n) {
        size_t left = n - kept;
        uint32_t most = left < kSlabSlots ? static_cast<uint32_t>(left) : kSlabSlots;
        uint32_t put = 0;
        if (table_.area_offset != 0)
            put = sequences::push_n(&table_, sequences::kAnyId, objects + kept, most, 0).count;
        if (put == 0) {
            if (!this->put(objects[kept]))
                break;
            put = 1;
        }
        kept += put;
    }
    return kept;
}

} // namespace pool
