// SPDX-License-Identifier: Apache-2.0
#include "sync/mutex.h"

#include "platform/clock.h"
#include "platform/lock.h"
#include "sync/futex.h"

namespace pool {
namespace {

constexpr int kLooks = 100; // about as long as a thread needs that has the lock and runs

} // namespace

void Mutex::lock_contended() {
    for (int look = 0; look < kLooks; look++) {
        cpu_relax();
        if (word_.load(std::memory_order_relaxed) == kFree && try_lock())
            return;
    }
    while (word_.exchange(kWanted, std::memory_order_acquire) != kFree)
        futex_wait(word_, kWanted, POOL_FOREVER);
}

void Mutex::wake_one() {
    futex_wake_one(&word_);
}

} // namespace pool
