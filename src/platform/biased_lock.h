// BiasedLock: a SpinLock that costs next to nothing for a thread that has it to itself.
//
// SPDX-License-Identifier: Apache-2.0
//
// A thread that has taken the lock often enough in a row becomes its owner, and from then on only
// says that it is inside, with plain stores; whoever else wants the lock takes the bias away first,
// which costs a fence of all threads. (Biased locking: Kawachiya, Koseki and Onodera, 2002; with an
// asymmetric fence in place of their compare-and-swap: Dice, Moir and Scherer, 2003.)
//
// Invariants:
//   - Who holds word_ is inside once owner_ is 0 and inside_ has been 0 after that.
//   - Only one thread is ever the owner, since one that has lost the bias may be about to write
//     inside_ for as long as it is not scheduled. It sets inside_, then looks at owner_ again; who
//     takes the bias away clears owner_, fences all threads, then looks at inside_. So one of them
//     sees the other (Dekker).
//   - What was done inside is released by inside_ or word_ getting 0, and acquired by whoever is
//     inside next, or was its own: between two visits of an owner nobody else was inside.
//
// Held as briefly as a SpinLock, and never across anything that waits.
#pragma once

#include "platform/lock.h"
#include "platform/sequences.h"
#include "platform/thread_pointer.h"

#include <atomic>
#include <cstdint>

namespace pool {

class BiasedLock {
public:
    // How the lock was taken, which unlock() wants to know.
    enum class Held : bool { kByWord, kByBias };

    class Guard {
    public:
        explicit Guard(BiasedLock &lock) : lock_(lock), held_(lock.lock()) {}
        ~Guard() { lock_.unlock(held_); }
        Guard(const Guard &) = delete;
        Guard &operator=(const Guard &) = delete;

    private:
        BiasedLock &lock_;
        const Held held_;
    };

    [[nodiscard]] POOL_ALWAYS_INLINE Held lock() {
        if (lock_by_bias())
            return Held::kByBias;
        lock_by_word();
        return Held::kByWord;
    }

    // The two halves of it. The first one only if the lock is the calling thread's own.
    [[nodiscard]] POOL_ALWAYS_INLINE bool lock_by_bias() {
        const uintptr_t self = thread_pointer();
        if (owner_.load(std::memory_order_relaxed) != self)
            return false;
        // The owner may have ended, and this thread have its pointer: acquire what that one
        // released, when it was inside last, or when it became the owner.
        (void)inside_.load(std::memory_order_acquire);
        (void)word_.load(std::memory_order_acquire);
        inside_.store(1, std::memory_order_relaxed);
        std::atomic_signal_fence(std::memory_order_seq_cst);
        if (__builtin_expect(owner_.load(std::memory_order_relaxed) == self, 1))
            return true;
        inside_.store(0, std::memory_order_release);
        return false;
    }
    void lock_by_word();

    POOL_ALWAYS_INLINE void unlock(Held held) {
        (held == Held::kByBias ? inside_ : word_).store(0, std::memory_order_release);
    }

    // And nothing that the caller loads from now on is older than what it stored under the lock.
    POOL_ALWAYS_INLINE void unlock_fenced(Held held) {
        (held == Held::kByBias ? inside_ : word_).exchange(0, std::memory_order_seq_cst);
    }

    // In the child after fork, where no other thread exists.
    void reset_after_fork() {
        word_.store(0, std::memory_order_relaxed);
        inside_.store(0, std::memory_order_relaxed);
        owner_.store(0, std::memory_order_relaxed);
        candidate_ = 0;
    }

private:
    // In a row, until the lock is a thread's own; twice as often after each time that was a mistake.
    static constexpr uint32_t kFirst = 256;
    static constexpr uint32_t kMost = 65536;

    void take_bias_away();

    std::atomic<uint32_t> word_{0};
    std::atomic<uint32_t> inside_{0};
    std::atomic<uintptr_t> owner_{0}; // 0: nobody. Written under word_
    uintptr_t candidate_ = 0;         // under word_: the one thread that may be the owner
    uintptr_t last_ = 0;              // under word_: who held it last,
    uint32_t in_a_row_ = 0;           // how often in a row,
    uint32_t needed_ = kFirst;        // and how often it takes
};

} // namespace pool
