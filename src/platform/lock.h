// SpinLock: one word that guards a few instructions' worth of data.
//
// SPDX-License-Identifier: Apache-2.0
//
// Invariant: held for nanoseconds, never across an allocation, a system call that can wait, or a
// callback. Unlocking is a plain store, which is what makes the fallback CPU mode cheap; the price
// is that a waiter is not woken, so it yields and then sleeps in short steps until the holder,
// which can only have been preempted, is done.
//
// lock() acquires what the last unlock() released: exchange(acquire) pairs with store(release).
#pragma once

#include <atomic>
#include <cstdint>

// On the way from a submit to its task's first instruction. Such functions lie side by side: to a
// thread that has slept each page of code is new.
#define POOL_HOT __attribute__((hot))

namespace pool {

inline void cpu_relax() {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ __volatile__("isb" ::: "memory");
#endif
}

// Waiting for something that another thread is about to finish: call wait() until it is.
class Backoff {
public:
    void wait();

private:
    uint32_t rounds_ = 0;
};

class SpinLock {
public:
    class Guard {
    public:
        explicit Guard(SpinLock &lock) : lock_(lock) { lock_.lock(); }
        ~Guard() { lock_.unlock(); }
        Guard(const Guard &) = delete;
        Guard &operator=(const Guard &) = delete;

    private:
        SpinLock &lock_;
    };

    bool try_lock() { return word_.exchange(1, std::memory_order_acquire) == 0; }

    void lock() {
        if (!try_lock())
            lock_contended();
    }

    void unlock() { word_.store(0, std::memory_order_release); }

    // And nothing that the caller loads from now on is older than what it stored under the lock.
    void unlock_fenced() { word_.exchange(0, std::memory_order_seq_cst); }

    bool looks_locked() const { return word_.load(std::memory_order_relaxed) != 0; }

    // In the child after fork: the holder may be a thread that does not exist here.
    void reset_after_fork() { word_.store(0, std::memory_order_relaxed); }

private:
    void lock_contended();

    std::atomic<uint32_t> word_{0};
};

} // namespace pool
