// The sweeper: one optional background thread that ages all pools that ask for it.
//
// SPDX-License-Identifier: Apache-2.0
//
// The first client starts the thread, the end of the last one joins it. Clients sweep at their own
// period, and twice when the kernel reports memory pressure (PSI), if they want that.
//
// Invariant: the list of clients, and which of them is being swept, change only under fork_mutex();
// the sweep itself runs without it. After fork the child has no such thread: its clients stay
// listed, and sweeper_revive() starts one.
#pragma once

#include "platform/list.h"
#include "pool/common.h"

#include <cstdint>

namespace pool {

struct SweepClient : ListLink {
    void (*sweep)(SweepClient *self) = nullptr;
    int64_t period = 0; // ns; 0: only on pressure
    bool on_pressure = false;
    int64_t due = 0;    // on the pool clock
    uint64_t round = 0; // of sweeps for memory pressure: the last it took part in
};

// POOL_ENOTHREAD; POOL_ENOTSUP if memory pressure is wanted and cannot be watched here.
pool_status sweeper_add(SweepClient *client);

// When it returns, no sweep of the client is running and none will. Not from the client's own
// sweep.
void sweeper_remove(SweepClient *client);

// Start the thread again if a fork has left it behind. Cheap.
void sweeper_revive();

} // namespace pool
