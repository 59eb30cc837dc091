// The bound on idle objects: exact on every CPU at once.
//
// SPDX-License-Identifier: Apache-2.0
//
// Room is handed out before it is used: a slab's capacity is room that was taken from the budget,
// and an object that leaves a slab for a depot takes the room it stood in along. So a put on the
// fast path only compares count with capacity, and no interleaving can exceed the bound.
//
// A put that finds neither room in its slab nor in the budget may still not drop its object: there
// may be room in other slabs, of any bag with that budget. It recalls such room until there is
// enough. If it sees none, it must be sure that there was none at one moment: the sum of pops only
// grows, so if it is the same before and after all slabs were seen full, no slab has changed in
// between; the budget's epochs tell that nothing was given back; and no shard's lock was held,
// inside which room may be in a thread's hands.
#include "shards/shards.h"

namespace pool {
namespace {

constexpr int kRounds = 192;

// Passes over all slabs that recalled room, but not enough for an object of this weight: lighter
// ones take what heavier ones need for as long as they are busy.
constexpr int kMeagrePasses = 8;

// A slab's share of the budget grows in steps of so many objects, but of no more bytes than this.
constexpr uint64_t kMostTaken = kMagazineSlots / 2;
constexpr uint64_t kMostBytesTaken = uint64_t{128} << 10;

} // namespace

uint32_t Shards::take_room() {
    uint64_t most = kMostBytesTaken / weight_;
    most = most > kMostTaken ? kMostTaken : most > 1 ? most : 1;
    uint64_t parts = 2 * (uint64_t{ids_in_use()} + 1);
    return budget_->take(static_cast<uint32_t>(most), weight_, parts);
}

// True: try again, there is or was room. False: at one moment of the call the bound was reached.
bool Shards::find_room(Shard *home) {
    Backoff backoff;
    int meagre = 0;
    for (int round = 0; round < kRounds; round++) {
        Budget::Moment moment = budget_->moment();
        if (budget_->has_room(weight_))
            return true;
        uint64_t pops_before = 0, pops_after = 0;
        Room room = look_for_room(home, &pops_before);
        if (room == Room::kNone)
            room = look_for_room(home, &pops_after);
        if (room == Room::kFound)
            return true;
        if (room == Room::kNone && pops_before == pops_after && budget_->moment() == moment)
            return false;
        if (room == Room::kMeagre && ++meagre == kMeagrePasses)
            return false;
        backoff.wait();
    }
    return false;
}

// In all bags of the budget, this one first.
Shards::Room Shards::look_for_room(Shard *home, uint64_t *pops) {
    Room result = look_for_room_here(home, weight_, pops);
    for (Shards *bag = budget_->bags(); bag != nullptr && result != Room::kFound;
         bag = bag->next_bag_) {
        Room room = bag != this ? bag->look_for_room_here(nullptr, weight_, pops) : Room::kNone;
        result = room > result ? room : result;
    }
    return result;
}

// Recalls what it finds until there is room for an object of weight `wanted`.
Shards::Room Shards::look_for_room_here(Shard *home, uint64_t wanted, uint64_t *pops) {
    Room result = Room::kNone;
    for_each_from(home != nullptr ? home->id : 0, [&](Shard *shard) {
        uint64_t word = shard->word();
        *pops += Slab::pops_of(word);
        Room room = shard->lock.looks_locked() ? Room::kUnclear : Room::kNone;
        if (Slab::count_of(word) < Slab::capacity_of(word)) {
            // The home's own room is used by trying again.
            room = shard == home ? Room::kFound : recall_room(shard);
            if (room == Room::kMeagre && budget_->has_room(wanted))
                room = Room::kFound;
        }
        result = room > result ? room : result;
        return result == Room::kFound;
    });
    return result;
}

// Give the room in a slab that is not this thread's back to the budget.
Shards::Room Shards::recall_room(Shard *shard) {
    if (revoke(shard) == Revoked::kRefused)
        return Room::kNone; // the fence is refused: its room stays with its CPU
    SpinLock::Guard guard(shard->lock);
    if (shard->bias != Bias::kShared)
        return Room::kUnclear;
    uint64_t word = shard->word();
    uint32_t room = Slab::capacity_of(word) - Slab::count_of(word);
    shard->local_uses = 0;
    shard->slab.word.store(word - (uint64_t{room} << 8), std::memory_order_release);
    give_room(room);
    return room != 0 ? Room::kMeagre : Room::kUnclear;
}

// What the slabs and depots of this bag hold of the budget, while nobody uses it.
uint64_t Shards::room_in_use() const {
    uint64_t room = 0;
    for_each_from(0, [&](Shard *shard) {
        room +=
            Slab::capacity_of(shard->word()) + shard->current.objects() + shard->victim.objects();
        return false;
    });
    return room;
}

} // namespace pool
