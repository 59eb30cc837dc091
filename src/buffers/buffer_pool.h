// BufferPool: one bag of shards per size class, under one budget.
//
// SPDX-License-Identifier: Apache-2.0
//
// A buffer's class is told by its capacity, so a buffer needs no header. One that is larger than
// every class is never kept.
//
//     size --> map_ --> slab table of the class --> this CPU's slab
//
// What the fast paths compare with stands in the table itself, see SlabTable: a get of more than
// `most` and a put of anything but `put_size` take the slow path, which knows all cases.
//
// States of the handle, which outlives the pool as that of an object pool does:
//
//     kLive --release--> kReleased --last buffer back--> kEnded
//     kLive --destroy--> kEnded --(every buffer that was out has been put once)--> reusable block
//
// Invariant:    bytes allocated = idle bytes + bytes that are out
#pragma once

#include "buffers/buffer_memory.h"
#include "buffers/calibration.h"
#include "buffers/checked.h"
#include "buffers/size_class.h"
#include "buffers/size_classes.h"
#include "buffers/size_map.h"
#include "platform/fork.h"
#include "platform/memory.h"
#include "platform/registry.h"
#include "pool/buffers.h"
#include "shards/shards.h"
#include "shards/sweeper.h"

#include <atomic>
#include <mutex>

namespace pool {

class BufferPool {
public:
    // The options with every default filled in.
    static pool_status create(const pool_buffers_options &options, const SizeClasses &sizes,
                              BufferPool **out);

    // The fast paths; false says nothing but "try the slow one".
    POOL_ALWAYS_INLINE bool get_fast(uint64_t size, pool_buffer *out) {
        SlabTable *table = map_.find(size);
        if (__builtin_expect(!sequences::pop_sized(table, size, &out->data), 0))
            return false;
        out->capacity = table->object_size;
        return true;
    }
    POOL_ALWAYS_INLINE bool put_fast(pool_buffer buffer, int32_t *zero) {
        return sequences::push_sized(map_.find(buffer.capacity), buffer.data, buffer.capacity,
                                     zero);
    }
    pool_buffer get_fallback(uint64_t size);
    pool_status put_fallback(pool_buffer buffer);

    pool_buffer get(uint64_t size) {
        pool_buffer buffer;
        return get_fast(size, &buffer) ? buffer : get_fallback(size);
    }
    pool_status put(pool_buffer buffer) {
        int32_t ok;
        return put_fast(buffer, &ok) ? ok : put_fallback(buffer);
    }
    pool_buffer try_get(uint64_t size);
    uint64_t capacity(uint64_t size) const;
    pool_status prefill(uint64_t size, size_t count);
    pool_status sweep();
    pool_status trim(uint64_t keep_bytes);

    // What a growable buffer asks. First, memory of its tag's default size, if there is some at hand.
    POOL_ALWAYS_INLINE pool_buffer get_default(uint32_t tag) {
        const Calibration *calibration = known_calibration(tag);
        SlabTable *table = calibration != nullptr ? calibration->default_table() : nullptr;
        void *data;
        if (table != nullptr && sequences::pop_sized(table, 0, &data))
            return {data, table->object_size};
        return {nullptr, 0};
    }
    void note_default(uint32_t tag);
    uint64_t largest() const { return largest_; }
    Calibration *calibration(uint32_t tag); // nullptr: no memory
    Calibration *known_calibration(uint32_t tag) const {
        return tags_[tag].load(std::memory_order_acquire);
    }
    void count_grow() { grows_.fetch_add(1, std::memory_order_relaxed); }
    // A put that keeps nothing.
    pool_status drop(pool_buffer buffer);

    pool_status stats(pool_buffers_stats &stats);
    pool_status class_stats(size_t index, pool_buffers_class_stats &stats);
    pool_status histogram(pool_buffers_sizes kind, uint64_t *counts, size_t n);
    pool_status get_calibration(uint32_t tag, pool_buffers_calibration &values);
    pool_status set_calibration(uint32_t tag, const pool_buffers_calibration &values);

    pool_status destroy();
    pool_status release();

    bool live() const { return state_.load(std::memory_order_acquire) == State::kLive; }
    const char *name() const { return name_; }

    BufferPool(const BufferPool &) = delete;
    BufferPool &operator=(const BufferPool &) = delete;

    // From this size on, a class that has no idle buffer borrows one of up to so many times its size.
    static constexpr uint64_t kBorrowFrom = 256 << 10;
    static constexpr uint64_t kBorrowUpTo = 4;

private:
    enum class State : uint32_t { kLive, kReleased, kEnded };

    BufferPool(const pool_buffers_options &options, const SizeClasses &sizes, pool_cpu_mode mode);
    ~BufferPool() = default;
    pool_status start(const pool_buffers_options &options);

    // buffer_pool.cpp
    pool_buffer get_shared(SlabTable *table, uint64_t size);
    pool_buffer get_slow(uint64_t size, bool may_allocate);
    void *get_oversize(uint64_t size, bool may_allocate);
    void *take(SizeClass &c, uint64_t size);
    SizeClass *borrow(SizeClass &c, uint64_t size, void **buffer);
    void *make(SizeClass &c);
    pool_status put_shared(SlabTable *table, pool_buffer buffer);
    pool_status put_slow(pool_buffer buffer, bool may_keep);
    SizeClass *class_of(uint64_t capacity) const;
    pool_status refuse(uint64_t capacity);
    bool keep(SizeClass &c, void *buffer);
    void *alloc(uint64_t bytes);
    void free_used(void *buffer, uint64_t bytes);
    void free_idle(void *buffer, uint64_t bytes);
    void make_idle(void *buffer, uint64_t bytes);
    void wake_idle(void *buffer, uint64_t bytes);
    SizeClass *class_at(uint32_t index) const {
        return classes_[index].load(std::memory_order_acquire);
    }
    SizeClass *class_for(uint64_t size);
    // Perhaps the class of `size`, or else a smaller one; or nullptr.
    SizeClass *mapped_class(uint64_t size) const {
        SlabTable *table = map_.find(size);
        return SizeMap::is_open(table) ? &SizeClass::of(table) : nullptr;
    }
    SizeClass *add_class(uint32_t index);
    void note_largest(SizeClass &c, uint64_t size);
    CheckedBuffers::Owner self() const { return {this, name_}; }

    // trimming.cpp
    void sweep_if_due();
    void sweep_part(int64_t now);
    void end_sweep(int64_t now, bool thorough);
    static void dispose(void *const *buffers, size_t count, void *size_class);
    static void sweep_in_background(SweepClient *client);

    // lifetime.cpp
    pool_status fail_ended() const;
    pool_status leave();
    pool_status report_leak(int64_t out);
    int64_t buffers_out();
    void dispose_of_all();
    void settle();
    void count_ended();
    void finish();
    static void in_child(ForkWatcher *watcher);
    static void read_stats(void *pool, void *stats);

    template <class Visit>
    void for_each_class(Visit visit) const {
        for (uint32_t i = 0; i < sizes_.count(); i++)
            if (SizeClass *c = class_at(i))
                visit(*c);
    }

    // ---- the fast paths ----
    SizeMap map_;

    // ---- set once ----
    const SizeClasses sizes_;
    const uint64_t largest_;
    const pool_cpu_mode mode_;
    const bool checked_;
    const bool annotate_;
    const bool zero_on_get_;
    const bool zero_on_put_;
    const bool borrows_;    // large buffers may come from a larger class
    const bool plain_gets_; // the fast path may serve
    const bool plain_puts_;
    const int64_t sweep_period_; // by the pool's own calls; INT64_MAX: none
    char name_[64];
    Memory own_; // the pool's own memory
    BufferMemory memory_;

    // ---- what changes ----
    Budget budget_; // of idle buffers
    std::atomic<State> state_{State::kLive};
    std::atomic<SizeClass *> classes_[SizeClasses::kMost] = {};
    std::mutex create_mutex_; // guards the making of classes and tags
    std::atomic<Calibration *> tags_[POOL_BUFFERS_TAGS] = {};
    struct Oversize { // what is above the classes, one way
        std::atomic<uint64_t> count{0}, bytes{0}, largest{0};
        std::atomic<uint64_t> powers[64] = {}; // by the power of two that holds them
        void add(uint64_t size);
    };
    Oversize oversize_gets_, oversize_puts_;
    std::atomic<uint64_t> misuses_{0}, grows_{0}, sweeps_{0};
    std::atomic<uint32_t> settling_{0}; // calls of settle() not yet heeded
    std::atomic<int64_t> late_{0};      // after a destroy: buffers that are still out

    std::mutex sweep_mutex_; // one sweep, trim or end at a time; guards what follows
    std::atomic<int64_t> sweep_due_{INT64_MAX};
    uint32_t sweep_at_ = 0;    // the class where the next part goes on
    uint64_t swept_bytes_ = 0; // since memory was given back

    struct Watcher : ForkWatcher {
        BufferPool *pool = nullptr;
    } watcher_;
    struct Client : SweepClient {
        BufferPool *pool = nullptr;
    } client_;
    RegistryEntry entry_;
};

} // namespace pool
