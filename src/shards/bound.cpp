// The bound on idle objects: exact on every CPU at once.
//
// SPDX-License-Identifier: Apache-2.0
//
// Invariant:   credits + sum of slab capacities + objects in depots and under way = bound
//
// Room is handed out before it is used: a slab's capacity is room that was taken from the credits,
// and an object that leaves a slab for a depot takes the room it stood in along. So a put on the
// fast path only compares count with capacity, and no interleaving can exceed the bound.
//
// A put that finds neither room in its slab nor a credit may still not drop its object: there may
// be room in other slabs. It recalls such room. If it sees none, it must be sure that there was
// none at one moment: the sum of pops only grows, so if it is the same before and after all slabs
// were seen full, no slab has changed in between; the epoch that is packed with the credits tells
// that none were given; and no shard's lock was held, inside which room may be in a thread's hands.
#include "shards/shards.h"

namespace pool {
namespace {

constexpr int kRounds = 192;
constexpr uint64_t kCreditMask = kMostBound;
constexpr uint64_t kOneEpoch = kMostBound + 1;

} // namespace

// Up to `most`, but no more than this shard's part of half of what is left, so that the last ones
// go to those who need them.
uint32_t Shards::take_credits(uint32_t most) {
    uint64_t parts = 2 * (uint64_t{ids_in_use()} + 1);
    uint64_t now = credits_.load(std::memory_order_relaxed);
    for (;;) {
        uint64_t free = now & kCreditMask;
        if (free == 0)
            return 0;
        uint64_t share = free / parts;
        uint32_t take = share >= most ? most : share > 1 ? static_cast<uint32_t>(share) : 1;
        // acq_rel: who takes room sees that its former object has left.
        if (credits_.compare_exchange_weak(now, now - take, std::memory_order_acq_rel,
                                           std::memory_order_relaxed))
            return take;
    }
}

void Shards::give_credits(uint64_t n) {
    if (n != 0)
        credits_.fetch_add(n + kOneEpoch, std::memory_order_acq_rel);
}

// True: try again, there is or was room. False: at one moment of the call the bound was reached.
bool Shards::find_room(Shard *home) {
    Backoff backoff;
    for (int round = 0; round < kRounds; round++) {
        uint64_t credits = credits_.load(std::memory_order_acquire);
        if ((credits & kCreditMask) != 0)
            return true;
        uint64_t pops_before = 0, pops_after = 0;
        Room room = look_for_room(home, &pops_before);
        if (room == Room::kNone)
            room = look_for_room(home, &pops_after);
        if (room == Room::kFound)
            return true;
        if (room == Room::kNone && pops_before == pops_after &&
            credits_.load(std::memory_order_acquire) == credits)
            return false;
        backoff.wait();
    }
    return false;
}

Shards::Room Shards::look_for_room(Shard *home, uint64_t *pops) {
    Room result = Room::kNone;
    for_each_from(home->id, [&](Shard *shard) {
        uint64_t word = shard->word();
        *pops += Slab::pops_of(word);
        if (shard->lock.looks_locked())
            result = Room::kUnclear;
        if (Slab::count_of(word) < Slab::capacity_of(word)) {
            // The home's own room is used by trying again.
            result = shard == home ? Room::kFound : recall_room(shard);
            return true;
        }
        return false;
    });
    return result;
}

// Turn the room in another shard's slab into credits.
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
    give_credits(room);
    return room != 0 ? Room::kFound : Room::kUnclear;
}

} // namespace pool
