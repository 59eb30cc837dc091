// Snapshot: the statistics of every pool of the process, read once.
//
// SPDX-License-Identifier: Apache-2.0
//
// It is read under the lock of the registry and printed without it, so whoever receives the text
// may make and end pools.
#pragma once

#include "platform/histogram.h"
#include "stats/fields.h"

#include <cstddef>
#include <cstdint>

namespace pool {

struct PoolRecord {
    static constexpr size_t kMostFields = 48;
    static constexpr size_t kHistograms = 3; // at most

    int64_t value(const Field &field) const;
    // Of the times that `which` names in the pool's area, from 1; nullptr if there is none.
    const TimeHistogram *histogram(int32_t which) const { return histograms[which - 1]; }

    Area area;
    uint64_t id;
    char name[64]; // valid UTF-8
    uint64_t stats[1 + kMostFields];
    const TimeHistogram *histograms[kHistograms]; // of the snapshot's
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
    const TimeHistogram *add_histogram(const RegistryEntry &entry, int32_t which);

    Array<PoolRecord> records_; // oldest pool first
    Array<TimeHistogram> histograms_;
};

} // namespace pool
