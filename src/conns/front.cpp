// SPDX-License-Identifier: Apache-2.0
#include "conns/front.h"

#include <new>

namespace pool {
namespace {

// Sets of a row, with twice as many slots as there are keys, but no more than `most` slots in all
// rows.
uint64_t sets_for(uint64_t keys, uint64_t most, uint64_t rows) {
    uint64_t sets = 1;
    while (sets * Front::kWays < 2 * keys && 2 * sets * Front::kWays * rows <= most)
        sets *= 2;
    return sets;
}

} // namespace

Front::Table *Front::make(Memory &memory, uint64_t keys, uint64_t most) {
    const uint32_t rows = possible_cpus();
    Table shape{static_cast<uint32_t>(sets_for(keys, most, rows)), rows, nullptr};
    static_assert(sizeof(Table) <= kHead);
    void *place = memory.alloc(shape.bytes(), kAlignment);
    if (place == nullptr)
        return nullptr;
    Table *table = new (place) Table(shape);
    for (size_t i = 0; i < table->count(); i++)
        new (table->slots() + i) Slot;
    return table;
}

bool Front::too_small_for(uint64_t keys, uint64_t most) const {
    return newest_ != nullptr && sets_for(keys, most, newest_->rows) > newest_->sets;
}

void Front::use(Table *table) {
    table->older = newest_;
    newest_ = table;
    if (on() || table->older == nullptr)
        table_.store(table, std::memory_order_seq_cst);
}

void Front::turn_on() {
    table_.store(newest_, std::memory_order_seq_cst);
}

void Front::turn_off() {
    table_.store(nullptr, std::memory_order_seq_cst);
}

void Front::attend(uint64_t hash) {
    if (attending_[hash >> 58]++ == 0)
        attention_.fetch_or(bit(hash), std::memory_order_seq_cst);
}

void Front::ignore(uint64_t hash) {
    if (--attending_[hash >> 58] == 0 && attending_all_ == 0)
        attention_.fetch_and(~bit(hash), std::memory_order_seq_cst);
}

void Front::attend_all() {
    if (attending_all_++ == 0)
        attention_.store(~uint64_t{0}, std::memory_order_seq_cst);
}

void Front::ignore_all() {
    if (--attending_all_ != 0)
        return;
    uint64_t bits = 0;
    for (int i = 0; i < 64; i++)
        bits |= uint64_t{attending_[i] != 0} << i;
    attention_.store(bits, std::memory_order_seq_cst);
}

void Front::forget_all() {
    for (Table *table = newest_; table != nullptr; table = table->older)
        for (size_t i = 0; i < table->count(); i++)
            table->slots()[i].filled.store(0, std::memory_order_relaxed);
    attention_.store(0, std::memory_order_relaxed);
    attending_all_ = 0;
    for (uint32_t &count : attending_)
        count = 0;
}

void Front::free_tables(Memory &memory) {
    while (Table *table = newest_) {
        newest_ = table->older;
        memory.free(table, table->bytes(), kAlignment);
    }
}

} // namespace pool
