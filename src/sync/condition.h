// Condition: what threads sleep on, under a Mutex, until another one says that something has changed.
//
// SPDX-License-Identifier: Apache-2.0
//
// Invariant: changes_ grows, under the mutex, with every wake. A thread reads it under the mutex and
// sleeps only while it is the same, so it misses no wake from the moment it lets the mutex go. (2^32
// wakes within that moment excepted.)
#pragma once

#include "sync/futex.h"
#include "sync/mutex.h"

#include <atomic>
#include <cstdint>

namespace pool {

class Condition {
public:
    // With the mutex held, which is let go meanwhile: until woken, or until `deadline` by the clock, or
    // for no reason. No cancellation point.
    void wait(Mutex &mutex, int64_t deadline) {
        const uint32_t before = changes_.load(std::memory_order_relaxed);
        sleepers_++;
        mutex.unlock();
        futex_wait(changes_, before, deadline);
        mutex.lock();
        sleepers_--;
    }

    // With the mutex held.
    void wake_one() {
        if (change())
            futex_wake_one(&changes_);
    }
    void wake_all() {
        if (change())
            futex_wake_all(&changes_);
    }

private:
    // Is there anybody to be told?
    bool change() {
        changes_.fetch_add(1, std::memory_order_relaxed);
        return sleepers_ != 0;
    }

    std::atomic<uint32_t> changes_{0}; // read by the kernel, too, without the mutex
    uint32_t sleepers_ = 0;
};

} // namespace pool
