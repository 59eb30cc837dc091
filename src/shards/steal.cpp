// Taking objects from other CPUs: their depots, the victim depots, and at last their slabs.
//
// SPDX-License-Identifier: Apache-2.0
//
// Invariant: steal() returns nullptr only after a search during which nothing was being moved. The
// search looks at each place once, without locks, so objects that are moved from a place not yet
// searched to one already searched would be missed. Every move is therefore counted in the shard
// where it begins, before it removes anything, and in the shard where it ends, after it has put
// everything down. Counts only grow and begun >= done at every moment. So if the sum of `done` read
// before the search equals the sum of `begun` read after it, then no move was under way when the
// search began, and none began until it ended.
//
// A move lasts nanoseconds. If its thread was preempted, the search is repeated, at first spinning,
// then yielding, then sleeping; after kRounds it gives up, so that a thread that is stopped for
// long (by a debugger, say) costs an extra object and not a hang.
#include "shards/shards.h"

namespace pool {
namespace {

constexpr int kRounds = 192;
constexpr uint32_t kHalf = kSlabSlots / 2;

// For await_magazine(), in pauses of the processor, 10 to 50 ns each.
constexpr uint32_t kPatience = 120;   // at most
constexpr uint32_t kFenceGlance = 40; // between two looks at a slab that would take a fence,
constexpr uint32_t kLockGlance = 6;   // and at one that takes only a lock

} // namespace

uint64_t Shards::moves(Counter Shard::*which) const {
    uint64_t sum = 0;
    for_each_from(0, [&](Shard *shard) {
        sum += (shard->*which).get();
        return false;
    });
    return sum;
}

// `carrier` is an empty magazine to carry objects in, or nullptr; it is given up in any case.
void *Shards::steal(Shard *home, Magazine *carrier) {
    if (carrier == nullptr)
        carrier = new_magazine();
    Backoff backoff;
    void *object = nullptr;
    bool may_wait = home->only_consumes();
    for (int round = 0; round < kRounds; round++) {
        bool unsure = false;
        uint64_t done = moves(&Shard::moves_done);
        object = steal_from_depots(home, &Shard::current, Origin::kSteal, &carrier);
        if (object == nullptr)
            object = steal_from_depots(home, &Shard::victim, Origin::kVictim, &carrier);
        if (object == nullptr && may_wait) {
            may_wait = false;
            unsure = await_magazine(home);
        }
        if (object == nullptr && !unsure)
            object = steal_stray(home, &carrier, &unsure);
        if (object != nullptr || (!unsure && moves(&Shard::moves_begun) == done))
            break;
        backoff.wait();
    }
    if (carrier != nullptr) {
        SpinLock::Guard guard(home->lock);
        home->keep_empty(carrier);
    }
    return object;
}

// From current depots a whole magazine. From victim depots only as much as this shard has lately
// wanted from there, so that what nobody wants is not kept alive by what somebody does.
void *Shards::steal_from_depots(Shard *home, Depot Shard::*which, Origin origin,
                                Magazine **carrier) {
    void *object = nullptr;
    auto visit = [&](Shard *shard) {
        Depot &depot = shard->*which;
        if (depot.objects() == 0)
            return false;
        uint32_t most = origin == Origin::kVictim ? home->rescue.load(std::memory_order_relaxed)
                                                  : kMagazineSlots;
        void *single = nullptr;
        {
            SpinLock::Guard guard(shard->lock);
            Magazine *top = depot.top();
            if (top == nullptr)
                return false;
            shard->begin_move();
            if (*carrier != nullptr && top->count <= most) {
                // The empty magazine stays in exchange, so neither side runs out of them.
                depot.pop();
                shard->keep_empty(*carrier);
                *carrier = top;
            } else {
                Magazine *emptied = nullptr;
                if (*carrier != nullptr)
                    (*carrier)->count = depot.take_objects((*carrier)->slots, most, &emptied);
                else
                    depot.take_objects(&single, 1, &emptied);
                if (emptied != nullptr)
                    shard->keep_empty(emptied);
            }
        }
        object = settle(home, carrier, single, origin);
        return true;
    };
    if (origin == Origin::kVictim && visit(home))
        return object;
    for_each_from(home->id, visit);
    return object;
}

// A CPU that only ever takes, while another only ever gives, empties each slab it is given at once
// and is back for more before there is much: it would pay a fence or a fight over a lock for a few
// objects. So it watches the fullest slab first, for no longer than a fence takes, and leaves it
// alone if it overflows into its depot meanwhile, or until a shared one holds a magazine's worth.
// A slab that does not change between two looks is not being filled. True: there is a magazine.
bool Shards::await_magazine(Shard *home) {
    Shard *fullest = nullptr;
    uint32_t most = 0;
    for_each_from(home->id, [&](Shard *shard) {
        uint32_t count = Slab::count_of(shard->word());
        if (shard != home && count > most) {
            most = count;
            fullest = shard;
        }
        return false;
    });
    if (fullest == nullptr)
        return false;
    uint64_t before = fullest->word();
    for (uint32_t waited = 0; waited < kPatience;) {
        bool biased = looks_biased(fullest);
        if (!biased && Slab::count_of(before) >= kHalf)
            return false;
        uint32_t glance = biased ? kFenceGlance : kLockGlance;
        for (uint32_t i = 0; i < glance; i++) {
            if (fullest->current.objects() != 0)
                return true;
            cpu_relax();
        }
        waited += glance;
        uint64_t now = fullest->word();
        if (now == before)
            return false;
        before = now;
    }
    return false;
}

// Half of another CPU's slab, all of it for a CPU that only takes. A shared slab is taken from
// under its lock. If there are only biased ones, the fullest is revoked.
void *Shards::steal_stray(Shard *home, Magazine **carrier, bool *unsure) {
    void *object = nullptr;
    Shard *fullest = nullptr;
    uint32_t most = 0;
    auto visit = [&](Shard *shard) {
        uint32_t count = Slab::count_of(shard->word());
        if (count == 0)
            return false;
        void *single = nullptr;
        {
            SpinLock::Guard guard(shard->lock);
            if (shard->bias == Bias::kRevoking) {
                *unsure = *unsure || !stopped_.load(std::memory_order_relaxed);
                return false;
            }
            if (shard->bias == Bias::kBiased && shard != home) {
                if (count > most) {
                    most = count;
                    fullest = shard;
                }
                return false;
            }
            shard->begin_move();
            uint32_t taken;
            if (*carrier != nullptr) {
                uint32_t wanted = home->only_consumes() ? count : (count + 1) / 2;
                taken = shard->slab_pop_n(&table_, (*carrier)->slots,
                                          wanted < kHalf ? wanted : kHalf, move_out_unit());
                (*carrier)->count = taken;
            } else {
                taken = shard->slab_pop_n(&table_, &single, 1, move_out_unit());
            }
            if (shard != home && !bounded() && home->only_consumes())
                shard->lower_capacity();
            if (taken == 0) {
                shard->end_move();
                if (shard->bias == Bias::kBiased) { // home, and this thread has left its CPU
                    most = kSlabSlots;
                    fullest = shard;
                }
                return false;
            }
        }
        object = settle(home, carrier, single, Origin::kStray);
        return true;
    };
    if (for_each_from(home->id, visit) || fullest == nullptr)
        return object;
    // If the slab was emptied before the fence, its objects may be anywhere now: search again.
    if (revoke(fullest) != Revoked::kRefused && !visit(fullest))
        *unsure = true;
    return object;
}

// Put down what was lifted: one object for the caller, the others on the home's slab, what does not
// fit there in its depot. Ends the move.
void *Shards::settle(Shard *home, Magazine **carrier, void *single, Origin origin) {
    SpinLock::Guard guard(home->lock);
    void *object = single;
    Magazine *magazine = *carrier;
    if (magazine != nullptr) {
        *carrier = nullptr;
        object = magazine->slots[--magazine->count];
        if (magazine->count != 0)
            fill_slab(home, magazine);
        if (magazine->count != 0)
            home->current.push(magazine);
        else
            home->keep_empty(magazine);
    }
    give_room(1);
    home->count_hit(origin);
    if (origin == Origin::kVictim) {
        uint32_t rescue = home->rescue.load(std::memory_order_relaxed);
        home->rescue.store(rescue < kHalf ? 2 * rescue : kMagazineSlots, std::memory_order_relaxed);
    }
    home->end_move();
    return object;
}

} // namespace pool
