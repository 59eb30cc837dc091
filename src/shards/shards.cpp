// SPDX-License-Identifier: Apache-2.0
#include "shards/shards.h"

#include "platform/membarrier.h"
#include "platform/status.h"

#include <new>

namespace pool {

// In memory: [Shards][entries][shard pointers: size + 1]. The last pointer is the common shard of
// threads without an id; it is never biased and needs no entry. There are entries for more ids than
// the machine should have, as sequences trust the kernel's.
size_t Shards::bytes() {
    return sizeof(Shards) + sizeof(void *) * (sequence_ids() + possible_cpus() + 1);
}

Shards::Shards(Memory &memory, pool_cpu_mode mode, Budget *budget, uint64_t weight, Direct direct)
    : memory_(memory), budget_(budget != nullptr && budget->bounded() ? budget : nullptr),
      weight_(weight), sequences_(mode == POOL_CPU_RSEQ && direct != Direct::kNone),
      direct_(direct) {
    table_.size = possible_cpus();
    table_.entries = sequence_ids();
    for (uint32_t id = 0; id < table_.entries; id++)
        new (&table_.entry(id)) std::atomic<Slab *>(&closed_slab);
    for (uint32_t id = 0; id <= table_.size; id++)
        new (&shards()[id]) std::atomic<Shard *>(nullptr);
    if (sequences_) {
        const SequenceSupport &support = sequence_support();
        table_.area_offset = direct != Direct::kNone ? support.area_offset : 0;
        table_.put_area_offset = direct == Direct::kAll ? support.area_offset : 0;
        table_.id_offset = support.id_offset;
    } else {
        table_.id_offset = registered_cpu_id_offset.load(std::memory_order_relaxed);
    }
}

// The common shard is made at once, so that there is always one to fall back on.
pool_status Shards::init() {
    if (shard_at(table_.size) == nullptr)
        return fail(POOL_ENOMEM, "no memory for the first shard");
    if (bounded())
        budget_->join(this);
    return POOL_OK;
}

void Shards::clear() {
    table_.area_offset = table_.put_area_offset = 0;
    table_.locked_limit.store(0, std::memory_order_relaxed);
    table_.put_locked_limit.store(0, std::memory_order_relaxed);
    used_.store(0, std::memory_order_relaxed);
    for (uint32_t id = 0; id <= table_.size; id++) {
        Shard *shard = shards()[id].exchange(nullptr, std::memory_order_relaxed);
        if (shard == nullptr)
            continue;
        if (id < table_.size)
            table_.entry(id).store(&closed_slab, std::memory_order_relaxed);
        // A late put may still be about to unlock what it has just filled; it never comes back.
        shard->lock.lock();
        shard->lock.unlock();
        free_magazines(shard->empties);
        memory_.destroy(shard);
    }
}

// In fallback mode a shard whose lock is taken is one whose CPU has been given to another thread,
// so the next one serves as well.
Shard *Shards::lock_home() {
    uint32_t id = home_id();
    Shard *home = shard_at(id);
    if (home == nullptr)
        home = find_shard(table_.size);
    if (home->lock.try_lock())
        return home;
    if (!sequences_) {
        Shard *other = nullptr;
        for_each_from(id, [&](Shard *shard) {
            if (!shard->lock.try_lock())
                return false;
            other = shard;
            return true;
        });
        if (other != nullptr)
            return other;
    }
    home->lock.lock();
    return home;
}

Shard *Shards::shard_at(uint32_t id) {
    Shard *shard = find_shard(id);
    if (shard != nullptr)
        return shard;
    Shard *made = memory_.make<Shard>();
    if (made == nullptr)
        return nullptr;
    made->id = id;
    if (!bounded())
        made->slab.word.store(uint64_t{kSlabSlots} << 8, std::memory_order_relaxed);
    {
        SpinLock::Guard guard(grow_lock_);
        shard = find_shard(id);
        if (shard == nullptr) {
            bool stopped = stopped_.load(std::memory_order_relaxed);
            if (sequences_ && id < table_.size && !stopped)
                bias_to_cpu(made);
            shards()[id].store(made, std::memory_order_release);
            if (id < table_.size && id >= used_.load(std::memory_order_relaxed)) {
                used_.store(id + 1, std::memory_order_release);
                if (!stopped)
                    open_locked(id + 1);
            }
            return made;
        }
    }
    memory_.destroy(made);
    return shard;
}

// Only where libc registers each thread's id.
void Shards::open_locked(uint32_t limit) {
    if (sequences_ || table_.id_offset == 0)
        return;
    if (direct_ != Direct::kNone)
        table_.locked_limit.store(limit, std::memory_order_release);
    if (direct_ == Direct::kAll)
        table_.put_locked_limit.store(limit, std::memory_order_release);
}

Magazine *Shards::new_magazine() {
    return memory_.make<Magazine>();
}

void Shards::free_magazines(Magazine *list) {
    while (list != nullptr) {
        Magazine *next = list->next;
        memory_.destroy(list);
        list = next;
    }
}

void Shards::stop(bool quiescent) {
    {
        SpinLock::Guard guard(grow_lock_);
        stopped_.store(true, std::memory_order_relaxed);
        table_.locked_limit.store(0, std::memory_order_relaxed);
        table_.put_locked_limit.store(0, std::memory_order_relaxed);
    }
    if (!sequences_)
        return;
    for_each_from(0, [&](Shard *shard) {
        SpinLock::Guard guard(shard->lock);
        if (shard->bias == Bias::kBiased)
            close(shard);
        return false;
    });
    // Where the kernel refuses the fence, a slab that a put may still be working on stays closed.
    if (!quiescent && !fence_sequences())
        return;
    // No slab is given to its CPU any more, so each of these was closed before the fence.
    for_each_from(0, [&](Shard *shard) {
        SpinLock::Guard guard(shard->lock);
        if (shard->bias == Bias::kRevoking)
            shard->bias = Bias::kShared;
        return false;
    });
}

uint64_t Shards::out_of_reach() {
    uint64_t objects = 0;
    for_each_from(0, [&](Shard *shard) {
        SpinLock::Guard guard(shard->lock);
        if (shard->bias == Bias::kRevoking)
            objects += Slab::count_of(shard->word());
        return false;
    });
    return objects;
}

uint64_t Shards::idle() const {
    uint64_t objects = 0;
    for_each_from(0, [&](Shard *shard) {
        objects += shard->objects();
        return false;
    });
    return objects;
}

ShardsStats Shards::stats() {
    ShardsStats stats = {};
    for_each_from(0, [&](Shard *shard) {
        {
            SpinLock::Guard guard(shard->lock);
            stats.hits_slab += shard->total_pops();
        }
        for (int i = 0; i < kOrigins; i++)
            stats.hits[i] += shard->hits[i].get();
        stats.idle += shard->objects();
        if (shard->id < table_.size)
            stats.shards++;
        return false;
    });
    stats.fences = fences_.load(std::memory_order_relaxed);
    return stats;
}

void Shards::repair_after_fork() {
    grow_lock_.reset_after_fork();
    uint64_t unfinished = moves(&Shard::moves_begun) - moves(&Shard::moves_done);
    find_shard(table_.size)->moves_done.add(unfinished);
    for_each_from(0, [&](Shard *shard) {
        shard->repair_after_fork();
        return false;
    });
}

} // namespace pool
