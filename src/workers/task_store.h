// TaskStore: where tasks and groups come from, and where they wait to be used again.
//
// SPDX-License-Identifier: Apache-2.0
//
// One kind of record per shelf, each on the per-CPU shards of the object pool's core: a record costs
// two restartable sequences and is used again while it is warm. A shelf keeps a bounded number, the
// rest goes back to the allocator.
//
// A store outlives its pool, as a task's handle does: the pool and every handle hold a reference.
#pragma once

#include "shards/shards.h"

#include <atomic>
#include <cstddef>
#include <new>

namespace pool {

class Shelf {
public:
    Shelf(Memory &memory, size_t bytes)
        : memory_(memory), bytes_(bytes), budget_(kMost, kUnbounded) {}
    pool_status init(pool_cpu_mode mode);

    // Memory for one record, or nullptr.
    POOL_ALWAYS_INLINE void *take() {
        void *record;
        if (__builtin_expect(shards_->get_fast(&record), 1))
            return record;
        return take_slowly();
    }

    POOL_ALWAYS_INLINE void give_back(void *record) {
        int32_t zero;
        if (__builtin_expect(!shards_->put_fast(record, &zero), 0))
            give_back_slowly(record);
    }

    // No other thread may be in a call.
    void clear();
    void repair_after_fork();

private:
    static constexpr uint64_t kMost = 4096;
    static constexpr size_t kAlignment = 64;

    void *take_slowly();
    void give_back_slowly(void *record);

    Memory &memory_;
    const size_t bytes_;
    Budget budget_;
    Shards *shards_ = nullptr;
};

class TaskStore {
public:
    // nullptr: no memory.
    static TaskStore *make(const pool_allocator *allocator, pool_cpu_mode mode);

    void ref() { refs_.fetch_add(1, std::memory_order_relaxed); }
    void unref() {
        // What others did with their records is over before they are freed.
        if (refs_.fetch_sub(1, std::memory_order_acq_rel) == 1)
            free();
    }

    uint64_t bytes() const { return memory_.bytes(); }
    void repair_after_fork();

private:
    explicit TaskStore(const pool_allocator *allocator);
    void free();

    const pool_allocator allocator_;
    const bool custom_;
    Memory memory_;
    std::atomic<uint64_t> refs_{1};

public:
    Shelf tasks;     // Task
    Shelf groups;    // Group
    Shelf handles;   // HandleTask
    Shelf key_lines; // KeyLine
};

} // namespace pool
