// Every pool of the process that has statistics.
//
// SPDX-License-Identifier: Apache-2.0
//
// Guarded by fork_mutex().
#pragma once

#include "platform/histogram.h"
#include "platform/list.h"

#include <cstdint>

namespace pool {

enum class Area { kObjects, kBuffers, kConns, kWorkers };

struct RegistryEntry : ListLink {
    Area area = Area::kObjects;
    uint64_t id = 0; // never used twice; tells apart pools of one name
    const char *name = "";
    void *pool = nullptr;
    // Fill the area's public statistics struct, whose size field is set. Takes no lock that is ever
    // held across a callback.
    void (*read)(void *pool, void *stats) = nullptr;
    // Fill a histogram, whose size field is set, with the times that `which` names in the area, from
    // 1; false if there are none. Its count is the sum of its buckets. nullptr for a pool without
    // histograms. Locks as above.
    bool (*read_histogram)(void *pool, int32_t which, TimeHistogram *histogram) = nullptr;
};

void register_pool(RegistryEntry *entry);
void unregister_pool(RegistryEntry *entry); // an entry that is not registered is ignored

// Calls visit for each, oldest first, with fork_mutex() held.
void for_each_pool(void (*visit)(const RegistryEntry &entry, void *ctx), void *ctx);

} // namespace pool
