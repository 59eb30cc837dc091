// SPDX-License-Identifier: Apache-2.0
#include "conns/records.h"

namespace pool {

Records::Block *Records::make(Memory &memory, uint32_t count, Conns *owner, void *no_handle) {
    Block shape{nullptr, count, 0};
    void *place = memory.alloc_roomy(shape.bytes(), alignof(Block));
    if (place == nullptr)
        return nullptr;
    Block *block = new (place) Block(shape);
    for (uint32_t i = 0; i < count; i++) {
        Conn *conn = new (&block->records()[i]) Conn;
        conn->pool = owner;
        conn->handle = no_handle;
    }
    return block;
}

void Records::add(Block *block) {
    block->before = blocks_.load(std::memory_order_relaxed);
    made_ += block->count;
    // Two calls may have made one each: what the other one left of its own is spare.
    if (block->before != nullptr)
        for (Block &other = *block->before; other.used < other.count; other.used++)
            spare_.push_back(&other.records()[other.used]);
    blocks_.store(block, std::memory_order_release); // orders the records before it
}

void Records::forget_spare() {
    new (&spare_) ConnList;
    for (Block *block = blocks_.load(std::memory_order_relaxed); block != nullptr;
         block = block->before)
        block->used = block->count;
}

void Records::free_all(Memory &memory) {
    while (Block *block = blocks_.load(std::memory_order_relaxed)) {
        blocks_.store(block->before, std::memory_order_relaxed);
        for (uint32_t i = 0; i < block->count; i++)
            if (char *taker = block->records()[i].taker.load(std::memory_order_relaxed))
                memory.free(taker, kTakerBytes, 1 * alignof(void *));
        memory.free_roomy(block, block->bytes(), alignof(Block));
    }
}

} // namespace pool
