// Taking buffers and giving them back: the slow paths.
//
// SPDX-License-Identifier: Apache-2.0
#include "buffers/buffer_pool.h"

#include "platform/annotate.h"
#include "platform/config.h"
#include "platform/status.h"

#include <cinttypes>
#include <cstring>

namespace pool {

// ---- get ----

// The fast path of the fallback mode: kept so short that it needs no stack frame.
pool_buffer BufferPool::get_fallback(uint64_t size) {
    SlabTable *table = map_.find(size);
    void *data;
    if (__builtin_expect(size <= table->most.load(std::memory_order_relaxed) && size != 0, 1) &&
        __builtin_expect(Shards::of(table)->get_ticking_locked(&data), 1))
        return {data, table->object_size};
    return get_shared(table, size);
}

// The same for a slab that other CPUs have lately taken from.
pool_buffer BufferPool::get_shared(SlabTable *table, uint64_t size) {
    void *data;
    if (size <= table->most.load(std::memory_order_relaxed) && size != 0 &&
        Shards::of(table)->get_ticking_shared(&data))
        return {data, table->object_size};
    return get_slow(size, true);
}

pool_buffer BufferPool::try_get(uint64_t size) {
    return get_slow(size, false);
}

pool_buffer BufferPool::get_slow(uint64_t size, bool may_allocate) {
    pool_buffer buffer = {nullptr, 0};
    if (__builtin_expect(!live(), 0)) {
        fail_ended();
        return buffer;
    }
    if (__builtin_expect(size > largest_, 0)) {
        fail(POOL_EINVAL, "pool '%s' gives no buffers of %" PRIu64 " bytes, only up to %" PRIu64,
             name_, size, largest_);
        return buffer;
    }
    uint64_t capacity = size;
    if (size > sizes_.max()) {
        buffer.data = get_oversize(size, may_allocate);
    } else {
        SizeClass *c = class_for(size);
        if (c == nullptr)
            return buffer;
        note_largest(*c, size);
        buffer.data = take(*c, size);
        if (buffer.data == nullptr && borrows_ && c->size >= kBorrowFrom)
            c = borrow(*c, size, &buffer.data);
        capacity = c->size;
        if (buffer.data == nullptr && may_allocate)
            buffer.data = make(*c);
        else if (buffer.data == nullptr)
            fail(POOL_EAGAIN, "pool '%s' has no idle buffer of %" PRIu64 " bytes", name_, c->size);
    }
    if (buffer.data == nullptr)
        return buffer;
    if (checked_)
        CheckedBuffers::handed_out(self(), buffer.data, capacity);
    if (zero_on_get_)
        memset(buffer.data, 0, capacity);
    buffer.capacity = capacity;
    return buffer;
}

// An idle buffer, or nullptr.
void *BufferPool::take(SizeClass &c, uint64_t size) {
    void *buffer;
    if (sequences::pop_sized(c.shards.table(), 0, &buffer) ||
        c.shards.get_ticking_locked(&buffer) || c.shards.get_ticking_shared(&buffer))
        return buffer; // of a pool that looks at no buffer
    c.sample(size);
    sweep_if_due();
    buffer = c.shards.get();
    if (buffer != nullptr)
        wake_idle(buffer, c.size);
    return buffer;
}

// What is idle takes up memory already, and pages of it that were touched; a new buffer would take
// up more, and each of its pages a fault. Returns the class of *buffer, or `c`.
SizeClass *BufferPool::borrow(SizeClass &c, uint64_t size, void **buffer) {
    uint64_t most = kBorrowUpTo * c.size;
    for (uint32_t i = sizes_.index(c.size) + 1; i < sizes_.count() && sizes_.size(i) <= most; i++) {
        SizeClass *larger = class_at(i);
        if (larger == nullptr)
            continue;
        *buffer = larger->shards.get();
        if (*buffer == nullptr)
            continue;
        larger->sample(size);
        wake_idle(*buffer, larger->size);
        return larger;
    }
    return &c;
}

void *BufferPool::make(SizeClass &c) {
    sweeper_revive();
    void *buffer = alloc(c.size);
    if (buffer == nullptr)
        return nullptr;
    c.misses.fetch_add(1, std::memory_order_relaxed);
    return buffer;
}

void *BufferPool::get_oversize(uint64_t size, bool may_allocate) {
    if (!may_allocate) {
        fail(POOL_EAGAIN, "pool '%s' keeps no buffers of %" PRIu64 " bytes", name_, size);
        return nullptr;
    }
    sweep_if_due();
    void *buffer = alloc(size);
    if (buffer != nullptr)
        oversize_gets_.add(size);
    return buffer;
}

void BufferPool::Oversize::add(uint64_t size) {
    bytes.fetch_add(size, std::memory_order_relaxed);
    powers[std::bit_width(size - 1)].fetch_add(1, std::memory_order_relaxed);
    uint64_t seen = largest.load(std::memory_order_relaxed);
    while (size > seen && !largest.compare_exchange_weak(seen, size, std::memory_order_relaxed))
        ;
    count.fetch_add(1, std::memory_order_seq_cst); // see release()
}

// What the fast path compares with is the largest request seen, so each new one passes by here.
void BufferPool::note_largest(SizeClass &c, uint64_t size) {
    auto raise = [size](std::atomic<uint64_t> &to) {
        uint64_t seen = to.load(std::memory_order_relaxed);
        while (size > seen && !to.compare_exchange_weak(seen, size, std::memory_order_relaxed))
            ;
    };
    raise(c.largest);
    if (plain_gets_)
        raise(c.shards.table()->most);
}

uint64_t BufferPool::capacity(uint64_t size) const {
    if (size > largest_)
        return 0;
    return size > sizes_.max() ? size : sizes_.size(sizes_.index(size));
}

// ---- put ----

pool_status BufferPool::put_fallback(pool_buffer buffer) {
    SlabTable *table = map_.find(buffer.capacity);
    if (__builtin_expect(buffer.capacity == table->put_size && buffer.capacity != 0, 1) &&
        __builtin_expect(Shards::of(table)->put_locked(buffer.data), 1)) {
        if (__builtin_expect(!live(), 0))
            settle();
        return POOL_OK;
    }
    return put_shared(table, buffer);
}

pool_status BufferPool::put_shared(SlabTable *table, pool_buffer buffer) {
    if (buffer.capacity == table->put_size && buffer.capacity != 0 &&
        Shards::of(table)->put_shared(buffer.data)) {
        if (__builtin_expect(!live(), 0))
            settle();
        return POOL_OK;
    }
    return put_slow(buffer, true);
}

pool_status BufferPool::drop(pool_buffer buffer) {
    return put_slow(buffer, false);
}

pool_status BufferPool::put_slow(pool_buffer buffer, bool may_keep) {
    State state = state_.load(std::memory_order_acquire);
    if (__builtin_expect(state == State::kEnded, 0)) {
        count_ended();
        return fail_ended();
    }
    uint64_t capacity = buffer.capacity;
    bool oversize = capacity > sizes_.max() && capacity <= largest_;
    SizeClass *c = oversize ? nullptr : class_of(capacity);
    if (__builtin_expect(c == nullptr && !oversize, 0))
        return refuse(capacity);
    if (checked_) {
        pool_status status = CheckedBuffers::taken_back(self(), buffer.data, capacity);
        if (status != POOL_OK) {
            misuses_.fetch_add(1, std::memory_order_relaxed);
            return status;
        }
    }
    if (!oversize && may_keep && state == State::kLive && keep(*c, buffer.data)) {
        if (__builtin_expect(!live(), 0))
            settle();
        return POOL_OK;
    }
    free_used(buffer.data, capacity); // first: with the last one counted, the memory may be gone
    if (oversize)
        oversize_puts_.add(capacity);
    else
        c->dropped.fetch_add(1, std::memory_order_seq_cst); // see release()
    if (__builtin_expect(state_.load(std::memory_order_seq_cst) != State::kLive, 0))
        settle();
    return POOL_OK;
}

// The class with exactly this capacity, if it was ever used.
SizeClass *BufferPool::class_of(uint64_t capacity) const {
    if (capacity == 0 || capacity > sizes_.max())
        return nullptr;
    if (SizeClass *c = mapped_class(capacity); c != nullptr && c->size == capacity)
        return c;
    uint32_t index = sizes_.index(capacity);
    return sizes_.size(index) == capacity ? class_at(index) : nullptr;
}

pool_status BufferPool::refuse(uint64_t capacity) {
    misuses_.fetch_add(1, std::memory_order_relaxed);
    return fail(POOL_EINVAL, "pool '%s' has no buffers of %" PRIu64 " bytes", name_, capacity);
}

bool BufferPool::keep(SizeClass &c, void *buffer) {
    make_idle(buffer, c.size);
    int32_t zero;
    if (sequences::push(c.shards.table(), buffer, &zero) || c.shards.put_locked(buffer) ||
        c.shards.put_shared(buffer) || c.shards.put(buffer))
        return true;
    if (annotate_)
        annotate_get(buffer, c.size);
    return false;
}

// ---- the state of a buffer's memory ----

void BufferPool::make_idle(void *buffer, uint64_t bytes) {
    if (zero_on_put_)
        explicit_bzero(buffer, bytes);
    if (checked_)
        CheckedBuffers::fill(buffer, bytes, zero_on_put_);
    if (annotate_)
        annotate_put(buffer, bytes);
}

void BufferPool::wake_idle(void *buffer, uint64_t bytes) {
    if (annotate_)
        annotate_get(buffer, bytes);
    if (!checked_ || CheckedBuffers::intact(buffer, bytes, zero_on_put_))
        return;
    misuses_.fetch_add(1, std::memory_order_relaxed);
    log_line(3, "pool '%s': buffer %p was written to after it was put", name_, buffer);
}

void *BufferPool::alloc(uint64_t bytes) {
    void *buffer = memory_.alloc(bytes);
    if (buffer == nullptr)
        fail(POOL_ENOMEM, "pool '%s': no memory for a buffer of %" PRIu64 " bytes", name_, bytes);
    return buffer;
}

void BufferPool::free_used(void *buffer, uint64_t bytes) {
    if (zero_on_put_)
        explicit_bzero(buffer, bytes);
    if (checked_)
        CheckedBuffers::forget(buffer);
    memory_.free(buffer, bytes);
}

void BufferPool::free_idle(void *buffer, uint64_t bytes) {
    wake_idle(buffer, bytes);
    if (checked_)
        CheckedBuffers::forget(buffer);
    memory_.free(buffer, bytes);
}

// ---- ahead of need ----

pool_status BufferPool::prefill(uint64_t size, size_t count) {
    if (!live())
        return fail_ended();
    if (size > sizes_.max())
        return fail(POOL_EINVAL, "pool '%s' keeps no buffers of %" PRIu64 " bytes", name_, size);
    SizeClass *c = class_for(size);
    if (c == nullptr)
        return POOL_ENOMEM;
    for (size_t i = 0; i < count; i++) {
        void *buffer = alloc(c->size);
        if (buffer == nullptr)
            return POOL_ENOMEM;
        if (checked_) {
            CheckedBuffers::handed_out(self(), buffer, c->size);
            CheckedBuffers::taken_back(self(), buffer, c->size);
        }
        c->prefilled.fetch_add(1, std::memory_order_relaxed);
        if (keep(*c, buffer))
            continue;
        // Counted as one that was idle: nobody has had it.
        c->disposed.fetch_add(1, std::memory_order_relaxed);
        free_used(buffer, c->size);
        if (budget_.bounded())
            break; // full
        return fail(POOL_ENOMEM, "pool '%s': no memory to keep more buffers", name_);
    }
    return POOL_OK;
}

} // namespace pool
