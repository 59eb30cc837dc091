// SPDX-License-Identifier: Apache-2.0
#include "buffers/size_classes.h"

#include <algorithm>

namespace pool {

void SizeClasses::make_geometric(uint64_t min, uint64_t max, uint64_t granule) {
    auto round = [&](uint64_t size) { return (size + granule - 1) & ~(granule - 1); };
    uint32_t step = step_of(min);
    do {
        uint64_t size = round(step_size(step));
        if (count_ == 0 || size > sizes_[count_ - 1])
            add(size);
        step++;
    } while (sizes_[count_ - 1] < max);
}

// As vitess's bucketpool: the last one is exactly max.
void SizeClasses::make_doubling(uint64_t min, uint64_t max) {
    for (uint64_t size = min; size < max; size *= 2)
        add(size);
    add(max);
}

void SizeClasses::make_list(const uint64_t *sizes, uint32_t count) {
    for (uint32_t i = 0; i < count; i++)
        add(sizes[i]);
}

uint32_t SizeClasses::index(uint64_t size) const {
    return static_cast<uint32_t>(std::lower_bound(sizes_, sizes_ + count_, size) - sizes_);
}

} // namespace pool
