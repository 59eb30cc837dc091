// How long things took: counts on a logarithmic scale.
//
// SPDX-License-Identifier: Apache-2.0
//
// Counts are atomic and relaxed: whoever reads them sees each of them whole, and the sum of the
// buckets is the count. The records that the C API has for them are alike in all areas.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace pool {

constexpr uint32_t kTimeBuckets = 48;

// The bucket of a time: see pool_conns_histogram.
inline uint32_t bucket_of(int64_t nanoseconds) {
    if (nanoseconds < 1000)
        return 0;
    const auto time = static_cast<uint64_t>(nanoseconds);
    const auto octave = 63 - static_cast<uint32_t>(__builtin_clzll(time / 1000));
    // In units of 2^(octave - 10) ns it is from 1000 to 2000 times 1024: is it above the root of 2?
    constexpr uint64_t kRoot = 1448155; // 1024 * 1000 * sqrt(2)
    const bool upper = (octave >= 10 ? time >> (octave - 10) : time << (10 - octave)) >= kRoot;
    uint32_t bucket = 2 * octave + 1 + (upper ? 1 : 0);
    return bucket < kTimeBuckets ? bucket : kTimeBuckets - 1;
}

// What the areas' records of the C API are: these fields in this order.
struct TimeHistogram {
    size_t size;
    uint64_t count;
    uint64_t sum;
    uint64_t most;
    uint64_t buckets[kTimeBuckets];
};

class Histogram {
public:
    void add(int64_t nanoseconds) {
        uint64_t time = nanoseconds > 0 ? static_cast<uint64_t>(nanoseconds) : 0;
        buckets_[bucket_of(nanoseconds)].fetch_add(1, std::memory_order_relaxed);
        sum_.fetch_add(time, std::memory_order_relaxed);
        uint64_t most = most_.load(std::memory_order_relaxed);
        while (time > most && !most_.compare_exchange_weak(most, time, std::memory_order_relaxed)) {
        }
    }

    template <class Record>
    Record read() const {
        Record histogram = {};
        static_assert(sizeof histogram.buckets == sizeof buckets_);
        histogram.size = sizeof histogram;
        histogram.sum = sum_.load(std::memory_order_relaxed);
        histogram.most = most_.load(std::memory_order_relaxed);
        for (uint32_t i = 0; i < kTimeBuckets; i++)
            histogram.count += histogram.buckets[i] = buckets_[i].load(std::memory_order_relaxed);
        return histogram;
    }

private:
    std::atomic<uint64_t> sum_{0};
    std::atomic<uint64_t> most_{0};
    std::atomic<uint64_t> buckets_[kTimeBuckets] = {};
};

// The end of a bucket, nanoseconds: every time in it is below that. INT64_MAX for the last one.
int64_t bucket_end(uint32_t bucket);

int64_t percentile_of(const uint64_t (&buckets)[kTimeBuckets], uint64_t count, uint64_t most,
                      double percent);

template <class Record>
int64_t percentile(const Record &histogram, double percent) {
    return percentile_of(histogram.buckets, histogram.count, histogram.most, percent);
}

} // namespace pool
