// Checked mode: what a pool knows of every object that it has handed out or holds.
//
// SPDX-License-Identifier: Apache-2.0
//
// Invariant: an object is in the table from the moment the pool first sees it until it is about to
// be destroyed; `out` says whose it is. All calls are thread-safe; none calls back.
#pragma once

#include "pool/common.h"

#include <cstddef>
#include <mutex>
#include <unordered_map>

namespace pool {

class CheckedTable {
public:
    // The object goes to a user.
    void handed_out(void *object);

    // The object comes back. POOL_EMISUSE with a message if it is idle already, or if the pool
    // never saw it; `adopt` allows the latter, for pools that are filled from outside.
    pool_status taken_back(void *object, bool adopt, const char *pool_name);

    // The object is about to be destroyed.
    void forget(void *object);

    // How many are out, and the first of them.
    size_t out(void **first) const;

    void clear();
    void repair_after_fork();

private:
    mutable std::mutex mutex_;
    std::unordered_map<void *, bool> out_; // object -> is it out
    bool lossy_ = false;                   // memory has run out once
};

} // namespace pool
