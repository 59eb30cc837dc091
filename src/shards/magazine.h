// Magazine: a batch of objects that moves as one.
//
// SPDX-License-Identifier: Apache-2.0
//
// Slabs overflow into magazines, depots hold them, CPUs steal them: one lock operation pays for up
// to 62 objects, half a slab. The term is Bonwick and Adams', "Magazines and Vmem" (USENIX 2001).
//
// Owned by whoever holds the only pointer to it: a depot, a list of empty ones, or a thread that is
// carrying it from one place to another.
#pragma once

#include "platform/slab_layout.h"

#include <cstdint>

namespace pool {

constexpr uint32_t kMagazineSlots = kSlabSlots / 2;

struct alignas(kCacheLine) Magazine {
    Magazine *next = nullptr;
    uint32_t count = 0; // slots[0 .. count) hold objects, the newest last
    void *slots[kMagazineSlots];

    bool full() const { return count == kMagazineSlots; }
};
static_assert(sizeof(Magazine) == 512);

} // namespace pool
