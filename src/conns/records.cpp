// SPDX-License-Identifier: Apache-2.0
#include "conns/records.h"

namespace pool {

Records::Block *Records::make(Memory &memory, uint32_t count, Conns *owner, void *no_handle) {
    Block shape{nullptr, count};
    void *place = memory.alloc(shape.bytes(), alignof(Block));
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
    for (uint32_t i = 0; i < block->count; i++)
        spare_.push_back(&block->records()[i]);
    blocks_.store(block, std::memory_order_release); // orders the records before it
}

void Records::free_all(Memory &memory) {
    while (Block *block = blocks_.load(std::memory_order_relaxed)) {
        blocks_.store(block->before, std::memory_order_relaxed);
        for (uint32_t i = 0; i < block->count; i++)
            if (char *taker = block->records()[i].taker.load(std::memory_order_relaxed))
                memory.free(taker, kTakerBytes, 1 * alignof(void *));
        memory.free(block, block->bytes(), alignof(Block));
    }
}

} // namespace pool
