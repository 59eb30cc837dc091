// SPDX-License-Identifier: Apache-2.0
#include "shards/shard.h"

namespace pool {

alignas(kCacheLine) Slab closed_slab = {.word = 0, .slots = {}, .open = 0};

constexpr uint32_t kLowCapacity = kSlabSlots / 2;

uint32_t Shard::slab_pop_n(SlabTable *table, void **out, uint32_t n, uint64_t unit) {
    switch (bias) {
    case Bias::kBiased:
        return sequences::pop_n(table, id, out, n, unit);
    case Bias::kShared: {
        uint64_t now = word();
        uint32_t count = Slab::count_of(now);
        if (n > count)
            n = count;
        for (uint32_t i = 0; i < n; i++)
            out[i] = slab.slots[count - n + i];
        slab.word.store(now + n * unit, std::memory_order_release);
        return n;
    }
    case Bias::kRevoking:
        break;
    }
    return 0;
}

sequences::Pushed Shard::slab_push_n(SlabTable *table, void *const *in, uint32_t n, uint32_t grow) {
    switch (bias) {
    case Bias::kBiased:
        return sequences::push_n(table, id, in, n, grow);
    case Bias::kShared: {
        uint64_t now = word();
        uint32_t count = Slab::count_of(now);
        uint32_t capacity = Slab::capacity_of(now);
        if (grow > kSlabSlots - capacity)
            grow = kSlabSlots - capacity;
        if (n > capacity + grow - count)
            n = capacity + grow - count;
        if (n == 0)
            return {0, 0};
        for (uint32_t i = 0; i < n; i++)
            slab.slots[count + i] = in[i];
        slab.word.store(now + (uint64_t{grow} << 8) + n * kPushed, std::memory_order_release);
        return {n, grow};
    }
    case Bias::kRevoking:
        break;
    }
    return {0, 0};
}

void Shard::lower_capacity() {
    uint64_t now = word();
    uint32_t capacity = Slab::capacity_of(now);
    if (bias == Bias::kShared && capacity > kLowCapacity && Slab::count_of(now) <= kLowCapacity)
        slab.word.store(now - (uint64_t{capacity - kLowCapacity} << 8), std::memory_order_release);
}

uint64_t Shard::total_pops() {
    constexpr uint64_t kMask = (uint64_t{1} << 48) - 1;
    uint64_t now = Slab::pops_of(word());
    pops_before.add((now - last_pops) & kMask);
    last_pops = now;
    return pops_before.get();
}

void Shard::repair_after_fork() {
    lock.reset_after_fork();
    if (bias == Bias::kRevoking)
        bias = Bias::kShared; // no thread is left that could be inside a sequence
    current.recount_after_fork();
    victim.recount_after_fork();
}

} // namespace pool
