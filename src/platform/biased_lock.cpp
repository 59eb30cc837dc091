// SPDX-License-Identifier: Apache-2.0
#include "platform/biased_lock.h"

#include "platform/membarrier.h"

#include <sched.h>

namespace pool {
namespace {

// Whoever holds the lock gets through its work several times before it is asked for again, since a
// cache line that goes to and fro costs more than all that is done under the lock. Then others may
// need the CPU more than this one.
class ContendedBackoff {
public:
    void wait() {
        if (rounds_++ == 0)
            for (int i = 0; i < kPauses; i++)
                cpu_relax();
        else if (rounds_ < kYields)
            sched_yield();
        else
            backoff_.wait();
    }

private:
    static constexpr int kPauses = 32;
    static constexpr uint32_t kYields = 64;
    uint32_t rounds_ = 0;
    Backoff backoff_;
};

} // namespace

void BiasedLock::lock_by_word() {
    const uintptr_t self = thread_pointer();
    if (word_.exchange(1, std::memory_order_acquire) != 0) {
        ContendedBackoff backoff;
        do {
            backoff.wait();
        } while (word_.load(std::memory_order_relaxed) != 0 ||
                 word_.exchange(1, std::memory_order_acquire) != 0);
    }
    if (owner_.load(std::memory_order_relaxed) != 0) {
        take_bias_away();
    } else if (last_ != self) {
        last_ = self;
        in_a_row_ = 0;
    } else if (++in_a_row_ >= needed_) {
        in_a_row_ = 0;
        if (candidate_ == 0 && can_fence_threads())
            candidate_ = self;
        if (candidate_ == self)
            owner_.store(self, std::memory_order_relaxed);
    }
}

void BiasedLock::take_bias_away() {
    owner_.store(0, std::memory_order_seq_cst);
    fence_threads();
    Backoff backoff;
    while (inside_.load(std::memory_order_acquire) != 0)
        backoff.wait();
    last_ = 0;
    in_a_row_ = 0;
    if (needed_ < kMost)
        needed_ *= 2;
}

} // namespace pool
