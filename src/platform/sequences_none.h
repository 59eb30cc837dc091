// For architectures without sequences: never used, the fallback mode serves every pool.
//
// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace pool::sequences {

constexpr bool kSupported = false;

inline bool pop(SlabTable *, void **) {
    return false;
}
inline bool push(SlabTable *, void *) {
    return false;
}
inline uint32_t pop_n(SlabTable *, uint32_t, void **, uint32_t, uint64_t) {
    return 0;
}
inline uint32_t push_n(SlabTable *, uint32_t, void *const *, uint32_t) {
    return 0;
}

} // namespace pool::sequences
