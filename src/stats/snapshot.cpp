// SPDX-License-Identifier: Apache-2.0
#include "stats/snapshot.h"

#include "platform/memory.h"

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
    if (records_ != nullptr)
        process_free(records_, room_ * sizeof(PoolRecord), alignof(PoolRecord));
}

bool Snapshot::read() {
    constexpr size_t kAtFirst = 16;
    for (size_t wanted = kAtFirst;; wanted = count_ + count_ / 4) {
        this->~Snapshot();
        room_ = wanted;
        records_ = static_cast<PoolRecord *>(
            process_alloc(room_ * sizeof(PoolRecord), alignof(PoolRecord)));
        count_ = 0;
        if (records_ == nullptr)
            return false;
        for_each_pool(
            [](const RegistryEntry &entry, void *ctx) {
                auto *self = static_cast<Snapshot *>(ctx);
                if (self->count_++ >= self->room_)
                    return;
                PoolRecord &record = self->records_[self->count_ - 1];
                record.area = entry.area;
                record.id = entry.id;
                copy_name(entry.name, record.name);
                memset(record.stats, 0, sizeof record.stats);
                record.stats[0] = fields_of(entry.area).struct_size;
                entry.read(entry.pool, record.stats);
            },
            this);
        if (count_ <= room_)
            return true;
    }
}

} // namespace pool
