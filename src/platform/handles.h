// Memory for pools that is never given back, so that a late call on an ended pool is an error and
// not a use after free.
//
// SPDX-License-Identifier: Apache-2.0
//
// Invariant: a block always holds a constructed object of one type, in use or ended. Freed blocks
// are used again in the order in which they were freed, and only when more than kQuarantine of them
// wait.
#pragma once

#include "platform/fork.h"
#include "platform/lock.h"

#include <cstddef>

namespace pool {

class HandleBlocks : public ForkWatcher {
public:
    // All blocks have this size and are aligned to a cache line. To be watched for forks; without
    // that only a fork in the middle of a create could hurt the child.
    explicit HandleBlocks(size_t bytes) : bytes_(bytes) {
        in_child = [](ForkWatcher *self) {
            static_cast<HandleBlocks *>(self)->lock_.reset_after_fork();
        };
    }

    // A block, and in *reused whether it still holds an ended object. nullptr: no memory.
    void *take(bool *reused);

    void give_back(void *block);

private:
    // Kept beside the block, not in it: its bytes must stay readable as an ended pool.
    struct Free {
        Free *next;
        void *block;
        Free *made_before;
    };

    static constexpr size_t kQuarantine = 64;

    const size_t bytes_;
    SpinLock lock_;
    Free *all_ =
        nullptr; // in use or not, so that no leak checker reports those that wait for objects
    Free *first_ = nullptr;
    Free *last_ = nullptr;
    size_t count_ = 0;
};

} // namespace pool
