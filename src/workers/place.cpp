// SPDX-License-Identifier: Apache-2.0
#include "workers/place.h"

#include "platform/fork.h"

namespace pool {
namespace {

constexpr uintptr_t kReserved = 1; // no thread's pointer

void in_child(ForkWatcher *) {
    const uintptr_t self = thread_pointer();
    for (PlaceSlot &slot : place_slots)
        if (slot.thread.load(std::memory_order_relaxed) != self)
            slot.thread.store(0, std::memory_order_relaxed);
}

// Can the table be cleared in a child?
bool forks_are_watched() {
    static ForkWatcher watcher;
    static const bool watched = [] {
        watcher.in_child = in_child;
        return watch_fork(&watcher) == POOL_OK;
    }();
    return watched;
}

} // namespace

constinit thread_local Place thread_place;
PlaceSlot place_slots[1u << kPlaceSlotsLog2];

void list_place() {
    if (!forks_are_watched())
        return;
    const uintptr_t self = thread_pointer();
    PlaceSlot &slot = place_slot(self);
    uintptr_t free = 0;
    if (!slot.thread.compare_exchange_strong(free, kReserved, std::memory_order_acquire))
        return;
    slot.place = &thread_place;
    slot.thread.store(self, std::memory_order_relaxed);
}

// Release pairs with acquire in list_place().
void unlist_place() {
    const uintptr_t self = thread_pointer();
    PlaceSlot &slot = place_slot(self);
    if (slot.thread.load(std::memory_order_relaxed) == self)
        slot.thread.store(0, std::memory_order_release);
}

} // namespace pool
