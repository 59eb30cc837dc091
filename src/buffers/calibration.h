// Calibration: what the growable buffers of one tag have lately needed.
//
// SPDX-License-Identifier: Apache-2.0
//
// The idea is bytebufferpool's: count the sizes that come back, and derive from that how large a
// new buffer should be and up to what capacity it is worth keeping. Here the counts are kept per
// CPU, the older ones decay, and both answers are percentiles instead of the most frequent size, as
// with two sizes in turn that is wrong every other time.
//
// Counts are bumped without atomic read-modify-writes: a thread that is preempted in the middle may
// undo the count of another. They are statistics.
#pragma once

#include "buffers/size_classes.h"
#include "platform/cpu.h"
#include "platform/lock.h"
#include "platform/memory.h"
#include "platform/sequences.h"
#include "platform/slab_layout.h"
#include "pool/buffers.h"

#include <atomic>
#include <cstdint>

namespace pool {

class alignas(64) Calibration {
public:
    // nullptr: no memory.
    static Calibration *make(Memory &memory);
    static void destroy(Calibration *calibration, Memory &memory);

    uint64_t default_size() const { return default_.load(std::memory_order_relaxed); }
    // Of the default size's class; nullptr as long as it is not known.
    SlabTable *default_table() const { return table_.load(std::memory_order_acquire); }
    // `table` is that of the class that serves `size`; it stays unless the default has changed.
    void set_default_table(uint64_t size, SlabTable *table);
    uint64_t max_size() const { return max_.load(std::memory_order_relaxed); }
    // max_size(), or no bound where it is not known.
    uint64_t surely_kept() const {
        uint64_t most = max_size();
        return most != 0 ? most : UINT64_MAX;
    }

    // A buffer came back that had needed `length` bytes. 0 is not counted.
    POOL_ALWAYS_INLINE void note(uint64_t length) {
        if (length == 0)
            return;
        uint32_t cpu = current_cpu();
        std::atomic<uint64_t> &count = counts()[cpu < cpus_ ? cpu : 0].sizes[size_index(length)];
        uint64_t now = count.load(std::memory_order_relaxed) + 1;
        count.store(now, std::memory_order_relaxed);
        if (__builtin_expect((now & mask_.load(std::memory_order_relaxed)) == 0, 0))
            learn(kFirstPeriod);
    }

    // Learn from what was counted since the last time. Not from less than `least`.
    void learn(uint64_t least);

    void get(pool_buffers_calibration &values);
    void set(const pool_buffers_calibration &values);

    // Add the counts to a histogram of powers of two.
    void add_to(uint64_t *counts, size_t n) const;

    void repair_after_fork() { lock_.reset_after_fork(); }

    // Puts of one size on one CPU between two calibrations: at first, so that small pools learn too,
    // and when it has doubled so often. Powers of two.
    static constexpr uint32_t kFirstPeriod = 64;
    static constexpr uint32_t kLongestPeriod = 2048;

private:
    // Sizes of up to 64 bytes and of more than 1 GiB need no precision.
    static constexpr uint32_t kFirstStep = 23; // that of 64 bytes
    static constexpr uint32_t kSizes = 98;     // up to the step of 1 GiB, and one more
    static uint32_t size_index(uint64_t length) {
        uint32_t step = SizeClasses::step_of(length);
        if (step <= kFirstStep)
            return 0;
        return step - kFirstStep < kSizes ? step - kFirstStep : kSizes - 1;
    }
    static uint64_t size_at(uint32_t index) { return SizeClasses::step_size(kFirstStep + index); }

    struct alignas(64) Counts {
        std::atomic<uint64_t> sizes[kSizes]{};
    };

    explicit Calibration(uint32_t cpus) : cpus_(cpus) {}
    static size_t bytes(uint32_t cpus) { return sizeof(Calibration) + cpus * sizeof(Counts); }
    Counts *counts() const {
        return reinterpret_cast<Counts *>(const_cast<Calibration *>(this) + 1);
    }
    uint64_t total(uint32_t index) const;
    void set_default(uint64_t size);
    uint64_t percentile(uint64_t sum, uint64_t part, uint64_t of) const;

    const uint32_t cpus_;
    std::atomic<SlabTable *> table_{nullptr};
    std::atomic<uint64_t> default_{0};
    std::atomic<uint64_t> max_{0};
    std::atomic<uint64_t> mask_{kFirstPeriod - 1}; // the period's low bits
    std::atomic<uint64_t> samples_{0};

    SpinLock lock_; // guards what follows
    bool frozen_ = false;
    uint64_t seen_[kSizes] = {};    // what total() was
    uint64_t weights_[kSizes] = {}; // kOne for each observation, decayed
    // The counts follow in memory.
};

} // namespace pool
