// ObjectPool: a bag of shards, with callbacks, statistics and an end.
//
// SPDX-License-Identifier: Apache-2.0
//
// States of the handle, which outlives the pool:
//
//     kLive --release--> kReleased --last object back--> kEnded
//     kLive --destroy--> kEnded --(every object that was out has been put once)--> reusable block
//
// Invariant:    created + adopted = idle + out + destroyed
// where adopted are objects that were put without having been handed out. An object is destroyed
// exactly once: by the thread that took it out of the shards to drop it, or whose put could not be
// kept.
#pragma once

#include "objects/callbacks.h"
#include "objects/checked.h"
#include "platform/fork.h"
#include "platform/memory.h"
#include "platform/registry.h"
#include "pool/objects.h"
#include "shards/shards.h"
#include "shards/sweeper.h"

#include <atomic>
#include <cstddef>
#include <mutex>

namespace pool {

class ObjectPool {
public:
    // On failure ctx_free has been called.
    static pool_status create(const pool_objects_options &options, ObjectPool **out);

    // A handle points into the pool, to where the fast paths read.
    static ObjectPool *of(pool_objects *handle);
    pool_objects *handle() { return reinterpret_cast<pool_objects *>(shards_.table()); }

    POOL_ALWAYS_INLINE void *get() {
        void *object;
        return __builtin_expect(shards_.get_fast(&object), 1) ? object : get_fallback(true);
    }
    POOL_ALWAYS_INLINE void *try_get() {
        void *object;
        return __builtin_expect(shards_.get_fast(&object), 1) ? object : get_fallback(false);
    }

    POOL_ALWAYS_INLINE pool_status put(void *object) {
        int32_t ok;
        return __builtin_expect(shards_.put_fast(object, &ok), 1) ? ok : put_fallback(object);
    }

    size_t get_n(void **objects, size_t n, bool may_create);
    pool_status put_n(void *const *objects, size_t n);
    pool_status prefill(size_t n);
    pool_status set_create(pool_objects_create_fn create, void *ctx);
    pool_status sweep();
    pool_status shrink(size_t keep);
    void stats(pool_objects_stats &stats);
    pool_status destroy();
    pool_status release();

    bool live() const { return state_.load(std::memory_order_acquire) == State::kLive; }
    const char *name() const { return name_; }
    pool_cpu_mode cpu_mode() const {
        return shards_.uses_sequences() ? POOL_CPU_RSEQ : POOL_CPU_FALLBACK;
    }

private:
    enum class State : uint32_t { kLive, kReleased, kEnded };
    struct Factory {
        pool_objects_create_fn create;
        void *ctx;
    };

    ObjectPool(const pool_objects_options &options, pool_cpu_mode mode, bool checked,
               bool annotate);
    pool_status start(int64_t sweep_period, bool on_pressure, bool pressure_required);

    void *get_fallback(bool may_create);
    void *get_slow(bool may_create);
    void *hand_out(void *object);
    void *make();
    pool_status put_fallback(void *object);
    pool_status put_slow(void *object);
    bool adopts();
    pool_status keep(void *object);
    pool_status kept();
    void drop(void *object);
    void destroy_object(void *object, bool in_sweep);
    Disposal disposal() { return {dispose_idle, this}; }
    static void dispose_idle(void *const *objects, size_t count, void *self);
    static void dispose_swept(void *const *objects, size_t count, void *self);

    pool_status fail_ended() const;
    pool_status leave();
    pool_status report_leak(int64_t out);
    void settle();
    void count_ended();
    void finish();

    static void in_child(ForkWatcher *watcher);
    static void sweep_in_background(SweepClient *client);
    static void read_stats(void *pool, void *stats);

    // ---- set once ----
    const bool checked_;
    const bool annotate_;

    const pool_objects_reset_fn reset_;
    const pool_objects_destroy_fn destroy_;
    void *const ctx_;
    void (*const ctx_free_)(void *ctx);
    const uint64_t object_size_;
    char name_[64];
    Memory memory_;

    // ---- what changes ----
    std::atomic<State> state_{State::kLive};
    SpinLock factory_lock_; // guards factory_
    Factory factory_;
    std::mutex sweep_mutex_;            // one sweep, or one end, at a time
    Budget budget_;                     // of idle objects
    CheckedTable table_;                // used only if checked_
    std::atomic<uint32_t> settling_{0}; // calls of settle() not yet heeded
    std::atomic<int64_t> late_{0};      // after a destroy: objects that are still out

    struct Counts {
        std::atomic<uint64_t> misses{0}, created{0}, create_fails{0}, prefilled{0};
        std::atomic<uint64_t> dropped{0}, destroyed{0}, swept{0}, disposed{0};
        std::atomic<uint64_t> misuses{0}, sweeps{0};
    };
    Counts counts_;

    struct Watcher : ForkWatcher {
        ObjectPool *pool = nullptr;
    } watcher_;
    struct Client : SweepClient {
        ObjectPool *pool = nullptr;
    } client_;
    RegistryEntry entry_;

    Shards shards_; // last: its table follows
};

inline ObjectPool *ObjectPool::of(pool_objects *handle) {
    constexpr size_t kOffset = offsetof(ObjectPool, shards_) + Shards::table_offset();
    return reinterpret_cast<ObjectPool *>(reinterpret_cast<char *>(handle) - kOffset);
}

} // namespace pool
