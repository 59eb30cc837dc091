// SPDX-License-Identifier: Apache-2.0
#include "platform/histogram.h"

#include <cmath>

namespace pool {

int64_t bucket_end(uint32_t bucket) {
    if (bucket >= kTimeBuckets - 1)
        return INT64_MAX;
    return static_cast<int64_t>(std::ceil(std::exp2(bucket / 2.0) * 1000));
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
