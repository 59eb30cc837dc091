// SizeClasses: which capacities there are, and which serves a request.
//
// SPDX-License-Identifier: Apache-2.0
//
// A step is a quarter of a doubling: the sizes in (2^k (4+q)/4, 2^k (5+q)/4] are one. The geometric
// classes are the steps.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>

namespace pool {

class SizeClasses {
public:
    static constexpr uint32_t kMost = 128; // more than there are steps between 8 bytes and 1 GiB

    // The step of a size; sizes below 9 share the first. Not of 0.
    static constexpr uint32_t step_of(uint64_t size) {
        uint64_t below = (size - 1) | 7;
        auto doublings = static_cast<uint32_t>(std::bit_width(below)) - 1;
        return 4 * doublings - 4 + static_cast<uint32_t>(below >> (doublings - 2));
    }
    // The largest size of a step.
    static constexpr uint64_t step_size(uint32_t step) {
        uint32_t doublings = step / 4;
        return uint64_t{5 + step % 4} << (doublings - 2);
    }

    // Fill it, with sizes from small to large. `granule` is a power of two that capacities are
    // multiples of. 1 <= min <= max <= 2^30.
    void make_geometric(uint64_t min, uint64_t max, uint64_t granule);
    void make_doubling(uint64_t min, uint64_t max);
    void make_list(const uint64_t *sizes, uint32_t count);

    uint32_t count() const { return count_; }
    uint64_t size(uint32_t i) const { return sizes_[i]; }
    uint64_t max() const { return sizes_[count_ - 1]; }

    // The smallest class that holds `size`, which must not be above max().
    uint32_t index(uint64_t size) const;

private:
    void add(uint64_t size) { sizes_[count_++] = size; }

    uint32_t count_ = 0;
    uint64_t sizes_[kMost];
};

} // namespace pool
