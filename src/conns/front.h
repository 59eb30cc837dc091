// Front: slots before the lock, in which connections wait that were just given back.
//
// SPDX-License-Identifier: Apache-2.0
//
// Each CPU has a row of sets of slots, a set being a cache line, and a key's hash says which set its
// connections use. A release puts its connection into a slot of the CPU that it runs on; an acquire
// on that CPU takes it out again. Each is one atomic instruction on a cache line that no other CPU
// wants, so neither needs the pool's lock, or costs more with more threads. It does not matter
// whether a thread moves to another CPU in between: slots are emptied and filled with an exchange.
// Bits of the hash stand in a slot where those of an address are always zero: the low ones, and the
// high ones that no address of a process has unless it asks for such memory. So a connection of
// another key is practically never taken by mistake. A key has one slot in a row: who finds one of
// its connections there when it brings another puts that one behind the lock, so that the newest is
// lent first.
//
// What lies in a slot belongs to the pool as much as what lies in the idle lists: a call under the
// lock may take all connections of a key, or all there are, out of the slots of all CPUs. Whoever
// finds nothing there either, and is about to wait, must not miss what is put into a slot behind its
// back. Therefore it first sets the key's bit in `attention`, and looks into the slots after that;
// a release fills its slot first, and reads `attention` after that. Both are sequentially
// consistent, so at least one of the two sees what the other has done. (Dekker's rule.) In the same
// way a release that used a table which has been replaced meanwhile sees that, or is seen.
//
// Tables only grow. An old one is kept until the end, since a thread may still have its address.
#pragma once

#include "conns/conn.h"
#include "platform/cpu.h"
#include "platform/memory.h"

#include <atomic>
#include <cstdint>

namespace pool {

class Front {
public:
    struct Slot {
        std::atomic<uintptr_t> filled{0}; // a record's address and its tag; 0: empty
        std::atomic<const Key *> near{
            nullptr}; // its key, or one that is gone: to be fetched early only
    };
    static constexpr size_t kAlignment = 64; // of a table
    static constexpr uint32_t kWays = kAlignment / sizeof(Slot);

    struct Table {
        uint32_t sets; // of a row, a power of two
        uint32_t rows;
        Table *older; // nullptr: the first one
        Slot *slots() const {
            return reinterpret_cast<Slot *>(reinterpret_cast<uintptr_t>(this) + kHead);
        }
        Slot *set(uint32_t cpu, uint64_t hash) const {
            return slots() + (size_t{cpu % rows} * sets + (hash & (sets - 1))) * kWays;
        }
        size_t count() const { return size_t{rows} * sets * kWays; }
        size_t bytes() const { return kHead + count() * sizeof(Slot); }
    };

    Front() = default;
    Front(const Front &) = delete;
    Front &operator=(const Front &) = delete;

    // ---- without the lock ----

    // nullptr while the front is not in use.
    Table *table() const { return table_.load(std::memory_order_acquire); }

    // A connection that the caller owns from now on; probably one of a key with this hash. With many
    // keys each of slot, record and key is in memory that nobody has used lately, so the latter two
    // are asked for together.
    static Conn *take(Table *table, uint64_t hash) {
        Slot *set = table->set(current_cpu(), hash);
        const uint32_t way = first_way(hash);
        for (uint32_t i = 0; i < kWays; i++) {
            Slot *slot = set + ((way + i) & (kWays - 1));
            if (uintptr_t seen = slot->filled.load(std::memory_order_relaxed))
                if (tag_of(seen) == tag(hash)) {
                    __builtin_prefetch(conn_in(seen), 1);
                    __builtin_prefetch(slot->near.load(std::memory_order_relaxed));
                    if (Conn *conn = take(slot))
                        return conn;
                }
        }
        return nullptr;
    }

    // Put it, one of `key`, into *used. From here on the connection is anybody's. What lay there
    // before, if anything, is the caller's.
    static Conn *fill(Table *table, uint64_t hash, const Key *key, Conn *conn, Slot **used) {
        Slot *set = table->set(current_cpu(), hash);
        const uint32_t way = first_way(hash);
        const uintptr_t filled = reinterpret_cast<uintptr_t>(conn) | tag(hash);
        for (uint32_t i = 0; i < kWays; i++) {
            Slot *slot = *used = set + ((way + i) & (kWays - 1));
            uintptr_t seen = slot->filled.load(std::memory_order_relaxed);
            if (seen == 0) {
                if (slot->near.load(std::memory_order_relaxed) != key)
                    slot->near.store(key, std::memory_order_relaxed);
                if (slot->filled.compare_exchange_strong(seen, filled, std::memory_order_seq_cst,
                                                         std::memory_order_relaxed))
                    return nullptr;
            }
            if (seen != 0 && tag_of(seen) == tag(hash))
                return conn_in(slot->filled.exchange(filled, std::memory_order_seq_cst));
        }
        *used = set + way;
        return conn_in((*used)->filled.exchange(filled, std::memory_order_seq_cst));
    }

    // What lies in a slot now, if anything, is the caller's.
    static Conn *take(Slot *slot) {
        if (slot->filled.load(std::memory_order_seq_cst) == 0)
            return nullptr;
        return conn_in(slot->filled.exchange(0, std::memory_order_seq_cst));
    }

    // After fill(): must the lock be taken, because somebody waits or the table is another one?
    bool must_look(const Table *used, uint64_t hash) const {
        return (attention_.load(std::memory_order_seq_cst) & bit(hash)) != 0 ||
               table_.load(std::memory_order_seq_cst) != used;
    }

    bool attended(uint64_t hash) const {
        return (attention_.load(std::memory_order_relaxed) & bit(hash)) != 0;
    }

    // ---- under the lock ----

    // A table for so many keys, as far as `most` slots allow it; nullptr if there is no memory. To
    // be called without the lock, though.
    static Table *make(Memory &memory, uint64_t keys, uint64_t most);

    // Would a table for so many keys be larger than the one there is?
    bool too_small_for(uint64_t keys, uint64_t most) const;

    // Use this table from now on. The slots of the one before must be emptied by collect_all().
    void use(Table *table);
    void turn_on(); // the newest table, if there is one
    void turn_off();
    bool on() const { return table_.load(std::memory_order_relaxed) != nullptr; }
    bool has_table() const { return newest_ != nullptr; }

    // May connections with such addresses lie in slots?
    static bool suits(const void *records) {
        return (reinterpret_cast<uintptr_t>(records) & kHighBits) == 0;
    }

    // To releases of one key, or of any key.
    void attend(uint64_t hash);
    void ignore(uint64_t hash);
    void attend_all();
    void ignore_all();

    // Call found(conn) for what lies in the slots of a hash: other keys may use them too.
    template <class Found>
    void collect(uint64_t hash, Found found) {
        each_slot(hash, [&](Slot *slot) {
            if (Conn *conn = take(slot))
                found(conn);
        });
    }

    template <class Found>
    void collect_all(Found found) {
        for (Table *table = newest_; table != nullptr; table = table->older)
            for (size_t i = 0; i < table->count(); i++)
                if (Conn *conn = take(table->slots() + i))
                    found(conn);
    }

    // Call look(conn) for what seems to lie in the slots of a hash, or in all: it may be gone
    // already.
    template <class Look>
    void peek(uint64_t hash, Look look) const {
        each_slot(hash, [&](Slot *slot) {
            if (Conn *conn = conn_in(slot->filled.load(std::memory_order_acquire)))
                look(conn);
        });
    }
    template <class Look>
    void peek_all(Look look) const {
        for (size_t i = 0; newest_ != nullptr && i < newest_->count(); i++)
            if (Conn *conn = conn_in(newest_->slots()[i].filled.load(std::memory_order_acquire)))
                look(conn);
    }

    // In the child after fork: what lies in the slots is the parent's.
    void forget_all();

    void free_tables(Memory &memory);

private:
    static constexpr size_t kHead = kAlignment;
    static uint64_t bit(uint64_t hash) { return uint64_t{1} << (hash >> 58); }

    static constexpr uintptr_t kHighBits =
        sizeof(uintptr_t) == 8 ? static_cast<uintptr_t>(uint64_t{0xffff} << 48) : 0;
    static constexpr uintptr_t kTagBits = kHighBits | (alignof(Conn) - 1);
    static uintptr_t tag(uint64_t hash) {
        return static_cast<uintptr_t>(hash << 16 | hash >> 52) & kTagBits;
    }
    static uintptr_t tag_of(uintptr_t filled) { return filled & kTagBits; }
    static Conn *conn_in(uintptr_t filled) { return reinterpret_cast<Conn *>(filled & ~kTagBits); }
    static uint32_t first_way(uint64_t hash) {
        return static_cast<uint32_t>(hash >> 48) & (kWays - 1);
    }

    template <class Visit>
    void each_slot(uint64_t hash, Visit visit) const {
        for (uint32_t cpu = 0; newest_ != nullptr && cpu < newest_->rows; cpu++) {
            Slot *set = newest_->set(cpu, hash);
            for (uint32_t way = 0; way < kWays; way++) {
                const uintptr_t seen = set[way].filled.load(std::memory_order_seq_cst);
                if (seen != 0 && tag_of(seen) == tag(hash))
                    visit(set + way);
            }
        }
    }

    // One cache line, which every call reads and hardly any writes.
    alignas(64) std::atomic<Table *> table_{nullptr};
    std::atomic<uint64_t> attention_{0};
    Table *newest_ = nullptr;
    uint32_t attending_all_ = 0;              // keys that have set all bits
    alignas(64) uint32_t attending_[64] = {}; // keys that have set each bit
};

} // namespace pool
