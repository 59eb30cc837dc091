// Pacer: a minimum distance between starts.
//
// SPDX-License-Identifier: Apache-2.0
//
// Callers get their moments in the order in which they come: each takes the next one, and sleeps until
// then. One that gives up gives its moment back only if nobody has come after it; else it stays empty.
#pragma once

#include "platform/memory.h"
#include "pool/worker_sets.h"
#include "sync/waiters.h"

namespace pool {

class Pacer {
public:
    explicit Pacer(int64_t distance) : distance_(distance) {}

    pool_status wait(int64_t timeout);
    pool_status pause();
    pool_status resume();
    void stop();

private:
    const int64_t distance_;
    Mutex mutex_; // guards everything below
    bool stopped_ = false;
    bool paused_ = false;
    int64_t last_ = INT64_MIN;    // the latest start; INT64_MIN: none yet
    WaiterQueue<Waiter> waiters_; // in their order; the first one watches the clock
};

} // namespace pool
