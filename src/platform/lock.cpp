// SPDX-License-Identifier: Apache-2.0
#include "platform/lock.h"

#include "platform/nap.h"

#include <sched.h>

namespace pool {

// Spin for about as long as a holder that is running needs, then let a preempted holder run, then
// sleep: a waiter with a real-time priority would keep the holder from running for ever.
void Backoff::wait() {
    constexpr uint32_t kSpins = 64;
    constexpr uint32_t kYields = 64;
    rounds_++;
    if (rounds_ <= kSpins) {
        cpu_relax();
    } else if (rounds_ <= kSpins + kYields) {
        sched_yield();
    } else {
        nap(20000);
    }
}

void SpinLock::lock_contended() {
    Backoff backoff;
    do {
        while (looks_locked())
            backoff.wait();
    } while (!try_lock());
}

} // namespace pool
