// How many workers there are to be.
//
// SPDX-License-Identifier: Apache-2.0
#include "workers/workers.h"

#include "platform/last_error_kept.h"
#include "platform/status.h"

namespace pool {

pool_status Workers::start_minimum() {
    for (;;) {
        {
            Section section(mutex_);
            if (!start_wanted(Start::kMinimum))
                return POOL_OK;
        }
        if (pool_status status = start(Start::kMinimum))
            return status;
    }
}

// For several tasks that wait. One worker has the next one called; tokens do not.
void Workers::call_workers() {
    if (parent_ == nullptr)
        call_worker();
    else
        for (uint32_t i = max_workers_.load(std::memory_order_relaxed); i > 0; i--)
            call_parent();
}

pool_status Workers::resize(uint32_t min, uint32_t max) {
    {
        Section section(mutex_);
        if (stopping_.load(std::memory_order_relaxed))
            return fail(POOL_ECLOSED, "pool '%s' is stopped", name_);
        min_workers_ = min;
        max_workers_.store(max, std::memory_order_seq_cst);
        spawn_below_.store(max, std::memory_order_seq_cst);
        // Idle ones that are too many leave, and those that stay compute anew until when.
        wake_all_idle(section);
        room_found(section);
    }
    break_streak();
    // New ones for what waits; each that finds more has the next one started.
    if (has_work())
        call_workers();
    return parent_ == nullptr ? start_minimum() : POOL_OK;
}

} // namespace pool
