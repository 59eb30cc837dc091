// SPDX-License-Identifier: Apache-2.0
#include "stats/snapshot.h"

#include "platform/memory.h"
#include "pool/pool.h"

#include <cstring>

namespace pool {
namespace {

// The length of the UTF-8 sequence at `text`, 0 if there is none.
size_t utf8_length(const unsigned char *text) {
    static constexpr struct {
        unsigned char mask, lead;
        uint32_t least;
    } kForms[] = {{0x80, 0x00, 0}, {0xe0, 0xc0, 0x80}, {0xf0, 0xe0, 0x800}, {0xf8, 0xf0, 0x10000}};
    for (size_t length = 1; length <= 4; length++) {
        const auto &form = kForms[length - 1];
        if ((text[0] & form.mask) != form.lead)
            continue;
        uint32_t point = text[0] & static_cast<unsigned char>(~form.mask);
        for (size_t i = 1; i < length; i++) {
            if ((text[i] & 0xc0) != 0x80)
                return 0;
            point = point << 6 | (text[i] & 0x3f);
        }
        bool surrogate = point >= 0xd800 && point <= 0xdfff;
        return point < form.least || point > 0x10ffff || surrogate ? 0 : length;
    }
    return 0;
}

// A byte that is not UTF-8, such as half of a character that was cut, becomes a question mark.
void copy_name(const char *name, char (&to)[64]) {
    size_t length = strnlen(name, sizeof to - 1);
    memcpy(to, name, length);
    memset(to + length, 0, sizeof to - length);
    for (size_t at = 0; at < length;) {
        size_t step = utf8_length(reinterpret_cast<const unsigned char *>(to) + at);
        if (step == 0) {
            to[at] = '?';
            step = 1;
        }
        at += step;
    }
}

} // namespace

int64_t PoolRecord::value(const Field &field) const {
    int64_t value;
    memcpy(&value, reinterpret_cast<const char *>(stats) + field.offset, sizeof value);
    return value;
}

Snapshot::~Snapshot() {
    drop(records_);
    drop(histograms_);
}

template <class T>
void Snapshot::drop(Array<T> &array) {
    if (array.items != nullptr)
        process_free(array.items, array.room * sizeof(T), alignof(T));
    array = {};
}

template <class T>
bool Snapshot::make_room(Array<T> &array, size_t room) {
    drop(array);
    if (room == 0)
        return true;
    array.items = static_cast<T *>(process_alloc(room * sizeof(T), alignof(T)));
    array.room = array.items != nullptr ? room : 0;
    return array.items != nullptr;
}

const TimeHistogram *Snapshot::add_histogram(const RegistryEntry &entry, int32_t which) {
    if (histograms_.count++ >= histograms_.room)
        return nullptr;
    TimeHistogram *histogram = &histograms_.items[histograms_.count - 1];
    memset(histogram, 0, sizeof *histogram);
    histogram->size = sizeof *histogram;
    if (entry.read_histogram(entry.pool, which, histogram))
        return histogram;
    histograms_.count--;
    return nullptr;
}

void Snapshot::add(const RegistryEntry &entry) {
    static_assert(sizeof(pool_objects_stats) <= sizeof PoolRecord::stats);
    static_assert(sizeof(pool_buffers_stats) <= sizeof PoolRecord::stats);
    static_assert(sizeof(pool_conns_stats) <= sizeof PoolRecord::stats);
    static_assert(sizeof(pool_workers_stats) <= sizeof PoolRecord::stats);
    const bool timed = entry.read_histogram != nullptr;
    if (records_.count++ >= records_.room) {
        histograms_.count += timed ? PoolRecord::kHistograms : 0;
        return;
    }
    PoolRecord &record = records_.items[records_.count - 1];
    record.area = entry.area;
    record.id = entry.id;
    copy_name(entry.name, record.name);
    memset(record.stats, 0, sizeof record.stats);
    record.stats[0] = fields_of(entry.area).struct_size;
    entry.read(entry.pool, record.stats);
    for (size_t i = 0; i < PoolRecord::kHistograms; i++)
        record.histograms[i] = timed ? add_histogram(entry, static_cast<int32_t>(i) + 1) : nullptr;
}

bool Snapshot::read() {
    size_t records = 16;
    size_t histograms = 4 * PoolRecord::kHistograms;
    for (;;) {
        if (!make_room(records_, records) || !make_room(histograms_, histograms))
            return false;
        for_each_pool(
            [](const RegistryEntry &entry, void *ctx) { static_cast<Snapshot *>(ctx)->add(entry); },
            this);
        if (records_.count <= records_.room && histograms_.count <= histograms_.room)
            return true;
        records = records_.count + records_.count / 4;
        histograms = histograms_.count + histograms_.count / 4;
    }
}

} // namespace pool
