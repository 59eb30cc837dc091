// Place: what a thread is, and what it is inside of.
//
// SPDX-License-Identifier: Apache-2.0
//
// Every call of a task's asks for it, and a thread-local variable of a library that may be loaded at any
// time costs a call each. So workers are listed by their thread pointers in a small table, too; a thread
// that finds its own there has its place with two loads.
//
// Invariants:
//   - A slot's thread is 0, or kReserved, or the pointer of a thread that exists, which wrote the slot
//     and will clear it. So one that finds its own pointer has written it itself: nothing is shared.
//   - In the child after fork the slots of others are cleared before any other thread exists.
#pragma once

#include "platform/thread_pointer.h"

#include <atomic>
#include <cstdint>

namespace pool {

struct Frame;
struct Worker;

struct Place {
    Worker *worker = nullptr; // nullptr: none. Until the thread's very end, since hooks run there
    Frame *frame = nullptr;   // the innermost one
};

extern constinit thread_local Place thread_place;

struct PlaceSlot {
    std::atomic<uintptr_t> thread;
    Place *place;
};
inline constexpr unsigned kPlaceSlotsLog2 = 8;
extern PlaceSlot place_slots[1u << kPlaceSlotsLog2];

inline PlaceSlot &place_slot(uintptr_t thread) {
    return place_slots[thread * 0x9e3779b97f4a7c15u >> (64 - kPlaceSlotsLog2)];
}

// The calling thread's.
inline Place &this_place() {
    const uintptr_t self = thread_pointer();
    const PlaceSlot &slot = place_slot(self);
    if (__builtin_expect(slot.thread.load(std::memory_order_relaxed) == self, 1))
        return *slot.place;
    return thread_place;
}

// By a worker, first and last. One whose slot is taken does without.
void list_place();
void unlist_place();

} // namespace pool
