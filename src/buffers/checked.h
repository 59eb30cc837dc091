// Checked mode: what the process knows of every buffer of its checked pools.
//
// SPDX-License-Identifier: Apache-2.0
//
// One table for all pools, so that a buffer that is put into the wrong one can be named.
//
// Invariant: a buffer is in the table from the moment a pool has allocated it until it is about to
// be freed; `out` says whose it is. An idle buffer is full of a pattern that a write would break.
// All calls are thread-safe.
#pragma once

#include "pool/common.h"

#include <cstddef>
#include <cstdint>

namespace pool {

class CheckedBuffers {
public:
    // `owner` is only compared and handed back; `name` must live as long as its buffers are listed.
    struct Owner {
        const void *pool;
        const char *name;
    };

    // The buffer goes to a user. True: it is a new one, which was not in the table.
    static bool handed_out(const Owner &owner, void *buffer, uint64_t capacity);

    // The buffer comes back. POOL_EMISUSE with a message if it is none of the owner's that are out,
    // or has another capacity.
    static pool_status taken_back(const Owner &owner, void *buffer, uint64_t capacity);

    // It is about to become idle.
    static void fill(void *buffer, uint64_t capacity, bool zeroed);

    // It was idle. False: somebody has written to it.
    static bool intact(const void *buffer, uint64_t capacity, bool zeroed);

    // It is about to be freed.
    static void forget(void *buffer);

    // How many of the owner's are out, and the first of them.
    static size_t out(const Owner &owner, void **first);

    // The owner has ended.
    static void forget_all(const Owner &owner);
};

} // namespace pool
