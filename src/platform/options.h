// Reading size-first structs across versions.
//
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "platform/status.h"

#include <cstddef>
#include <cstring>

namespace pool {

// Copy the caller's struct of `given->size` bytes into *ours, whose defaults are all zero: a
// shorter one leaves the new fields 0, a longer one must be zero where this version knows no field.
// `least` is the size that the struct had when it was first released.
template <class Options>
pool_status read_options(const Options *given, Options *ours, size_t least, const char *what) {
    memset(static_cast<void *>(ours), 0, sizeof *ours);
    ours->size = sizeof *ours;
    if (given == nullptr)
        return POOL_OK;
    size_t size = given->size;
    if (size < least || size > 65536)
        return fail(POOL_EINVAL, "%s.size is %zu; was the struct initialized?", what, size);
    const unsigned char *bytes = reinterpret_cast<const unsigned char *>(given);
    for (size_t i = sizeof *ours; i < size; i++)
        if (bytes[i] != 0)
            return fail(POOL_ENOTSUP, "%s has a value at byte %zu that version %d.%d does not know",
                        what, i, POOL_VERSION_MAJOR, POOL_VERSION_MINOR);
    memcpy(static_cast<void *>(ours), bytes, size < sizeof *ours ? size : sizeof *ours);
    ours->size = sizeof *ours;
    return POOL_OK;
}

// Set a caller's struct of `size` bytes to "all defaults".
template <class Options>
pool_status init_options(Options *options, size_t size, const char *what) {
    if (options == nullptr)
        return fail(POOL_EINVAL, "%s is NULL", what);
    if (size < sizeof(size_t))
        return fail(POOL_EINVAL, "%s: a size of %zu holds no field", what, size);
    memset(static_cast<void *>(options), 0, size);
    options->size = size;
    return POOL_OK;
}

// Hand our statistics to a caller who knows `given->size` bytes of them.
template <class Stats>
pool_status write_stats(const Stats &ours, Stats *given, const char *what) {
    if (given == nullptr)
        return fail(POOL_EINVAL, "%s is NULL", what);
    size_t size = given->size;
    if (size < 2 * sizeof(size_t) || size > 65536)
        return fail(POOL_EINVAL, "%s.size is %zu; set it to sizeof the struct", what, size);
    size_t known = size < sizeof ours ? size : sizeof ours;
    auto *to = reinterpret_cast<unsigned char *>(given);
    memcpy(to, &ours, known);
    memset(to + known, 0, size - known);
    given->size = size;
    return POOL_OK;
}

} // namespace pool
