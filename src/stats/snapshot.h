// Snapshot: the statistics of every pool of the process, read once.
//
// SPDX-License-Identifier: Apache-2.0
//
// It is read under the lock of the registry and printed without it, so whoever receives the text
// may make and end pools.
#pragma once

#include "pool/conn_stats.h"
#include "stats/fields.h"

#include <cstddef>
#include <cstdint>

namespace pool {

struct PoolRecord {
    static constexpr size_t kMostFields = 48;
    static constexpr size_t kHistograms = 3;

    int64_t value(const Field &field) const;
    // Of the pool_conns_time `which`; nullptr if there is none.
    const pool_conns_histogram *histogram(pool_conns_time which) const {
        return histograms[which - POOL_CONNS_WAIT_TIME];
    }

    Area area;
    uint64_t id;
    char name[64]; // valid UTF-8
    uint64_t stats[1 + kMostFields];
    const pool_conns_histogram *histograms[kHistograms]; // of the snapshot's
};

class Snapshot {
public:
    Snapshot() = default;
    ~Snapshot();
    Snapshot(const Snapshot &) = delete;
    Snapshot &operator=(const Snapshot &) = delete;

    // False: no memory.
    bool read();

    const PoolRecord *begin() const { return records_.items; }
    const PoolRecord *end() const { return records_.items + records_.count; }

private:
    // Of plain values. A count above the room: that many there were, but not all were kept.
    template <class T>
    struct Array {
        T *items = nullptr;
        size_t room = 0;
        size_t count = 0;
    };
    template <class T>
    static bool make_room(Array<T> &array, size_t room);
    template <class T>
    static void drop(Array<T> &array);

    void add(const RegistryEntry &entry);
    const pool_conns_histogram *add_histogram(const RegistryEntry &entry, pool_conns_time which);

    Array<PoolRecord> records_; // oldest pool first
    Array<pool_conns_histogram> histograms_;
};

} // namespace pool
