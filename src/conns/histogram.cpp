// SPDX-License-Identifier: Apache-2.0
#include "conns/histogram.h"

#include <cmath>

namespace pool {

int64_t bucket_end(uint32_t bucket) {
    if (bucket >= POOL_CONNS_BUCKETS - 1)
        return INT64_MAX;
    return static_cast<int64_t>(std::ceil(std::exp2(bucket / 2.0) * 1000));
}

int64_t percentile(const pool_conns_histogram &histogram, double percent) {
    if (histogram.count == 0)
        return 0;
    double within = percent > 0 ? percent < 100 ? percent : 100 : 0;
    double wanted = within / 100 * static_cast<double>(histogram.count);
    uint64_t seen = 0;
    for (uint32_t i = 0; i < POOL_CONNS_BUCKETS; i++) {
        seen += histogram.buckets[i];
        if (seen != 0 && static_cast<double>(seen) >= wanted) {
            int64_t end = bucket_end(i);
            int64_t most = static_cast<int64_t>(histogram.most);
            return end < most ? end : most;
        }
    }
    return static_cast<int64_t>(histogram.most);
}

} // namespace pool
