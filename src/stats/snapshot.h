// Snapshot: the statistics of every pool of the process, read once.
//
// SPDX-License-Identifier: Apache-2.0
//
// It is read under the lock of the registry and printed without it, so whoever receives the text
// may make and end pools.
#pragma once

#include "stats/fields.h"

#include <cstddef>
#include <cstdint>

namespace pool {

struct PoolRecord {
    static constexpr size_t kMostFields = 24;

    int64_t value(const Field &field) const;

    Area area;
    uint64_t id;
    char name[64]; // valid UTF-8
    uint64_t stats[1 + kMostFields];
};

class Snapshot {
public:
    Snapshot() = default;
    ~Snapshot();
    Snapshot(const Snapshot &) = delete;
    Snapshot &operator=(const Snapshot &) = delete;

    // False: no memory.
    bool read();

    const PoolRecord *begin() const { return records_; }
    const PoolRecord *end() const { return records_ + count_; }

private:
    PoolRecord *records_ = nullptr; // oldest pool first
    size_t room_ = 0;
    size_t count_ = 0; // that there were, if more than room_
};

} // namespace pool
