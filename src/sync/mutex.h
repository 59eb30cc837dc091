// Mutex: one word that threads sleep on while another thread holds it.
//
// SPDX-License-Identifier: Apache-2.0
//
// std::mutex does the same, at the price of two calls into another library: to a thread that has
// slept these are two more pages of code, which is a tenth of what waking a worker costs.
// (Drepper: Futexes Are Tricky, 2011; the second mutex in it.)
//
// Invariant: word_ is kFree, kHeld, or kWanted; kWanted while any thread may sleep on it. Whoever
// sleeps has set it to kWanted and looks again when woken; whoever finds it kWanted when letting go
// wakes one, and that one, not knowing whether it was the only one, holds it as kWanted.
//
// lock() acquires what the last unlock() released. When an unlock wakes somebody the mutex may be gone by
// then, with all that it was in: the wake uses nothing but its address, as that of an Event.
#pragma once

#include <atomic>
#include <cstdint>

namespace pool {

class Mutex {
public:
    bool try_lock() {
        uint32_t free = kFree;
        return word_.compare_exchange_strong(free, kHeld, std::memory_order_acquire,
                                             std::memory_order_relaxed);
    }
    void lock() {
        if (!try_lock())
            lock_contended();
    }
    void unlock() {
        if (word_.exchange(kFree, std::memory_order_release) == kWanted)
            wake_one();
    }

private:
    static constexpr uint32_t kFree = 0;
    static constexpr uint32_t kHeld = 1;
    static constexpr uint32_t kWanted = 2;

    void lock_contended();
    void wake_one();

    std::atomic<uint32_t> word_{kFree};
};

} // namespace pool
