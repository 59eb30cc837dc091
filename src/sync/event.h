// Event: what one thread sleeps on until another says so.
//
// SPDX-License-Identifier: Apache-2.0
//
// Its owner clears it, announces itself under the lock of a pool, and then waits without that lock.
// Whoever finds it there sets it under the lock, and wakes it after the lock is let go: the wake is
// a system call, and by then the event may be gone with the stack it stood on, so a wake uses
// nothing but its address. (A futex wake on memory that is something else by now wakes nobody, or
// somebody who looks again.)
//
// Section: a held lock together with the wakes that are due once it is let go.
#pragma once

#include "sync/mutex.h"
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace pool {

class Event {
public:
    // The owner only, before anyone can find the event.
    void clear() { word_.store(kClear, std::memory_order_relaxed); }

    // True if the owner may be asleep and must be woken.
    bool set() { return word_.exchange(kSet, std::memory_order_release) == kSleeping; }

    // The owner only.
    bool is_set() const { return word_.load(std::memory_order_acquire) == kSet; }

    // The owner only: until it is set, or until `deadline` by the clock, or for no reason at all;
    // only when the deadline is POOL_FOREVER it returns for nothing but a set. What came before the
    // set is visible after it: acquire here pairs with release in set().
    void wait(int64_t deadline);

    // Wake the thread that sleeps on the event at this address, if there is one.
    static void wake(const Event *event);

private:
    static constexpr uint32_t kClear = 0;
    static constexpr uint32_t kSet = 1;
    static constexpr uint32_t kSleeping = 2;

    std::atomic<uint32_t> word_{kClear};
};

class Section {
public:
    explicit Section(Mutex &mutex) : mutex_(mutex) { lock(); }
    ~Section() {
        if (held_)
            unlock();
    }
    Section(const Section &) = delete;
    Section &operator=(const Section &) = delete;

    void lock();
    void unlock();

    bool held() const { return held_; }
    bool due() const { return due_ > 0; } // is a wake?

    // Set the event; its owner is woken by the next unlock().
    void wake(Event &event);

private:
    static constexpr size_t kMost = 8;

    Mutex &mutex_;
    bool held_ = false;
    size_t due_ = 0;
    const Event *sleepers_[kMost];
};

} // namespace pool
