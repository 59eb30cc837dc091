// For architectures without sequences: never used, the fallback mode serves every pool.
//
// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace pool::sequences {

constexpr bool kSupported = false;

inline bool pop(SlabTable *, void **) {
    return false;
}
inline bool pop_sized(SlabTable *, uint64_t, void **) {
    return false;
}
inline bool push(SlabTable *, void *, int32_t *) {
    return false;
}
inline bool push_sized(SlabTable *, void *, uint64_t, int32_t *) {
    return false;
}
inline uint32_t pop_n(SlabTable *, uint32_t, void **, uint32_t, uint64_t) {
    return 0;
}
inline Pushed push_n(SlabTable *, uint32_t, void *const *, uint32_t, uint32_t) {
    return {0, 0};
}

} // namespace pool::sequences
