// Records: where the records of connections come from.
//
// SPDX-License-Identifier: Apache-2.0
//
// They are made in blocks and reused, never freed before their pool. Everything is guarded by the
// pool's lock, but for the chain of blocks, which only grows: the child of a fork, which may catch
// another thread anywhere, can follow it.
#pragma once

#include "conns/conn.h"
#include "platform/memory.h"

#include <atomic>
#include <cstddef>
#include <new>

namespace pool {

class Records {
public:
    // A block of records that nobody else knows yet.
    struct alignas(64) Block {
        Block *before;
        uint32_t count;
        uint32_t used; // its first ones have been taken once
        Conn *records() { return reinterpret_cast<Conn *>(this + 1); }
        size_t bytes() const { return sizeof(Block) + count * sizeof(Conn); }
    };

    // nullptr if there is no spare one.
    Conn *take() {
        if (Conn *conn = spare_.pop_front())
            return conn;
        Block *newest = blocks_.load(std::memory_order_relaxed);
        if (newest == nullptr || newest->used == newest->count)
            return nullptr;
        return &newest->records()[newest->used++];
    }

    void give_back(Conn *conn) { spare_.push_front(conn); }

    // How many the next block should have: as many as there are, within reason.
    uint32_t next_count() const {
        return made_ < kFew ? kFew : made_ < kMany ? static_cast<uint32_t>(made_) : kMany;
    }

    // Without the lock. nullptr if there is no memory.
    static Block *make(Memory &memory, uint32_t count, Conns *owner, void *no_handle);

    void add(Block *block);

    template <class Visit>
    void for_each(Visit visit) const {
        for (Block *block = blocks_.load(std::memory_order_acquire); block != nullptr;
             block = block->before)
            for (uint32_t i = 0; i < block->count; i++)
                visit(&block->records()[i]);
    }

    // In the child after fork: which are spare is for the caller to say anew.
    void forget_spare();

    void free_all(Memory &memory);

private:
    static constexpr uint32_t kFew = 7;
    static constexpr uint32_t kMany = (kHugePage - sizeof(Block)) / sizeof(Conn);

    std::atomic<Block *> blocks_{nullptr};
    uint64_t made_ = 0;
    ConnList spare_;
};

} // namespace pool
