// SizeClass: the idle buffers of one capacity, and what was done with them.
//
// SPDX-License-Identifier: Apache-2.0
//
// Invariant:    misses + prefilled = idle + out + dropped + disposed
// where a buffer that is taken from the shards and put back again changes nothing.
#pragma once

#include "platform/memory.h"
#include "shards/shards.h"

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace pool {

class BufferPool;

struct SizeClass {
    SizeClass(BufferPool *owner, uint64_t bytes, Memory &memory, pool_cpu_mode mode, Budget *budget,
              Shards::Direct direct)
        : pool(owner), size(bytes), shards(memory, mode, budget, bytes, direct) {}
    static size_t bytes() { return sizeof(SizeClass) - sizeof(Shards) + Shards::bytes(); }

    static SizeClass &of(SlabTable *table) {
        constexpr size_t kOffset = offsetof(SizeClass, shards) + Shards::table_offset();
        return *reinterpret_cast<SizeClass *>(reinterpret_cast<char *>(table) - kOffset);
    }

    struct Numbers {
        uint64_t hits, misses, puts, dropped, disposed, idle, requested;
        uint64_t gets() const { return hits + misses; }
        int64_t out() const { return static_cast<int64_t>(gets() - puts); }
    };
    Numbers numbers() {
        auto read = [](const std::atomic<uint64_t> &count) {
            return count.load(std::memory_order_seq_cst); // see BufferPool::release()
        };
        Numbers n;
        // What was disposed of is read before what is idle, so that no buffer is missing in both.
        n.disposed = read(disposed);
        ShardsStats of_shards = shards.stats();
        n.hits = of_shards.hits_slab;
        for (uint64_t count : of_shards.hits)
            n.hits += count;
        n.misses = read(misses);
        n.dropped = read(dropped);
        n.idle = of_shards.idle;
        uint64_t samples = read(sampled);
        n.requested = samples != 0 ? estimate(read(sampled_bytes), n.gets(), samples) : 0;
        // The fast path counts only what leaves a slab; what came in follows, as nothing is lost.
        n.puts = n.idle + n.hits + n.disposed + n.dropped - read(prefilled);
        return n;
    }

    void sample(uint64_t bytes) {
        sampled.fetch_add(1, std::memory_order_relaxed);
        sampled_bytes.fetch_add(bytes, std::memory_order_relaxed);
    }
    static uint64_t estimate(uint64_t bytes, uint64_t gets, uint64_t samples) {
        auto mean = static_cast<double>(bytes) / static_cast<double>(samples);
        return static_cast<uint64_t>(mean * static_cast<double>(gets));
    }

    BufferPool *const pool;
    const uint64_t size;
    std::atomic<uint64_t> misses{0}, prefilled{0}, dropped{0}, disposed{0};
    std::atomic<uint64_t> largest{0}; // size asked for
    // Gets that were not served by a slab, which are at least one in a thousand, and what they
    // asked for: taken for all.
    std::atomic<uint64_t> sampled{0}, sampled_bytes{0};
    Shards shards; // last: its table follows
};

} // namespace pool
