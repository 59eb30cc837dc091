// SPDX-License-Identifier: Apache-2.0
#include "platform/histogram.h"

namespace pool {

int64_t bucket_end(uint32_t bucket) {
    if (bucket >= kTimeBuckets - 1)
        return INT64_MAX;
    // 1000 * 2^(bucket / 2), rounded up, without the mathematical library.
    constexpr uint64_t kRoot = 1414213562373095; // 1000 * sqrt(2), times 10^12
    const uint32_t octave = bucket / 2;
    if (bucket % 2 == 0)
        return int64_t{1000} << octave;
    const uint64_t whole = kRoot / 1000000000000, rest = kRoot % 1000000000000;
    const uint64_t scaled = (rest << octave) / 1000000000000;
    return static_cast<int64_t>((whole << octave) + scaled + 1);
}

int64_t percentile_of(const uint64_t (&buckets)[kTimeBuckets], uint64_t count, uint64_t most,
                      double percent) {
    if (count == 0)
        return 0;
    double within = percent > 0 ? percent < 100 ? percent : 100 : 0;
    double wanted = within / 100 * static_cast<double>(count);
    uint64_t seen = 0;
    for (uint32_t i = 0; i < kTimeBuckets; i++) {
        seen += buckets[i];
        if (seen != 0 && static_cast<double>(seen) >= wanted) {
            int64_t end = bucket_end(i);
            const auto longest = static_cast<int64_t>(most);
            return end < longest ? end : longest;
        }
    }
    return static_cast<int64_t>(most);
}

} // namespace pool
