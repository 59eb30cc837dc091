// SPDX-License-Identifier: Apache-2.0
#include "platform/handles.h"

#include "platform/memory.h"

#include <new>

namespace pool {
namespace {

constexpr size_t kAlignment = 64;

} // namespace

// The link is allocated together with its block, in front of it.
void *HandleBlocks::take(bool *reused) {
    {
        SpinLock::Guard guard(lock_);
        if (count_ > kQuarantine) {
            Free *free = first_;
            first_ = free->next;
            count_--;
            *reused = true;
            return free->block;
        }
    }
    *reused = false;
    char *memory = static_cast<char *>(process_alloc(kAlignment + bytes_, kAlignment));
    if (memory == nullptr)
        return nullptr;
    SpinLock::Guard guard(lock_);
    all_ = new (memory) Free{nullptr, memory + kAlignment, all_};
    return memory + kAlignment;
}

void HandleBlocks::give_back(void *block) {
    Free *free = reinterpret_cast<Free *>(static_cast<char *>(block) - kAlignment);
    free->next = nullptr;
    SpinLock::Guard guard(lock_);
    if (count_ == 0)
        first_ = free;
    else
        last_->next = free;
    last_ = free;
    count_++;
}

} // namespace pool
