// Taking and keeping objects; the callbacks around it.
//
// SPDX-License-Identifier: Apache-2.0
#include "objects/object_pool.h"

#include "platform/annotate.h"
#include "platform/config.h"
#include "platform/status.h"

namespace pool {

// ---- get ----

// The fast path of the fallback mode: kept so short that it needs no stack frame.
void *ObjectPool::get_fallback(bool may_create) {
    void *object;
    return __builtin_expect(shards_.get_locked(&object), 1) ? object : get_slow(may_create);
}

void *ObjectPool::get_slow(bool may_create) {
    void *object;
    if (shards_.get_shared(&object))
        return object;
    if (__builtin_expect(!live(), 0)) {
        fail_ended();
        return nullptr;
    }
    object = shards_.get();
    if (__builtin_expect(object != nullptr, 1))
        return hand_out(object);
    counts_.misses.fetch_add(1, std::memory_order_relaxed);
    sweeper_revive();
    if (may_create)
        return make();
    fail_text(POOL_EAGAIN, "the pool is empty");
    return nullptr;
}

void *ObjectPool::hand_out(void *object) {
    if (annotate_)
        annotate_get(object, object_size_);
    if (checked_)
        table_.handed_out(object);
    return object;
}

// The factory's pair is copied under a lock and called outside it, so it can be replaced meanwhile.
void *ObjectPool::make() {
    Factory factory;
    {
        SpinLock::Guard guard(factory_lock_);
        factory = factory_;
    }
    if (factory.create == nullptr) {
        fail_text(POOL_EAGAIN, "the pool is empty and has no create callback");
        return nullptr;
    }
    bool threw;
    void *object = call_create(this, factory.create, factory.ctx, &threw);
    if (object == nullptr) {
        counts_.create_fails.fetch_add(1, std::memory_order_relaxed);
        fail(POOL_ECREATE, "pool '%s': the create callback %s", name_,
             threw ? "threw an exception" : "returned NULL");
        return nullptr;
    }
    counts_.created.fetch_add(1, std::memory_order_relaxed);
    if (checked_)
        table_.handed_out(object);
    return object;
}

size_t ObjectPool::get_n(void **objects, size_t n, bool may_create) {
    size_t got = 0;
    if (live() && !checked_ && !annotate_)
        got = shards_.get_n(objects, n);
    while (got < n) {
        void *object = may_create ? get() : try_get();
        if (object == nullptr)
            break;
        objects[got++] = object;
    }
    return got;
}

// ---- put ----

pool_status ObjectPool::put_fallback(void *object) {
    if (__builtin_expect(shards_.put_locked(object), 1))
        return kept();
    return put_slow(object);
}

pool_status ObjectPool::put_slow(void *object) {
    if (shards_.put_shared(object))
        return kept();
    State state = state_.load(std::memory_order_acquire);
    if (__builtin_expect(state == State::kEnded, 0)) {
        count_ended();
        return fail_ended();
    }
    if (checked_) {
        pool_status status = table_.taken_back(object, adopts(), name_);
        if (status != POOL_OK) {
            counts_.misuses.fetch_add(1, std::memory_order_relaxed);
            return status;
        }
    }
    if (__builtin_expect(state == State::kReleased, 0)) {
        drop(object);
        return POOL_OK;
    }
    if (reset_ != nullptr && call_reset(this, reset_, object, ctx_) != POOL_OK) {
        drop(object);
        return POOL_OK;
    }
    return keep(object);
}

// A pool without a factory is filled from outside, so it cannot know what is foreign.
bool ObjectPool::adopts() {
    SpinLock::Guard guard(factory_lock_);
    return factory_.create == nullptr;
}

pool_status ObjectPool::keep(void *object) {
    if (annotate_)
        annotate_put(object, object_size_);
    // Without a reset callback the sequence has been tried already.
    bool kept = reset_ != nullptr ? shards_.put_n(&object, 1) == 1 : shards_.put(object);
    if (!kept) {
        if (annotate_)
            annotate_get(object, object_size_);
        drop(object);
        return POOL_OK;
    }
    return this->kept();
}

// The pool may have been released while this put was under way.
pool_status ObjectPool::kept() {
    if (__builtin_expect(!live(), 0))
        settle();
    return POOL_OK;
}

pool_status ObjectPool::put_n(void *const *objects, size_t n) {
    size_t done = 0;
    if (live() && !checked_ && !annotate_ && reset_ == nullptr) {
        // Runs without a NULL go in at once.
        while (done < n) {
            size_t run = 0;
            while (done + run < n && objects[done + run] != nullptr)
                run++;
            size_t kept = shards_.put_n(objects + done, run);
            done += kept;
            if (kept < run)
                break;
            if (done < n)
                done++;
        }
        if (__builtin_expect(!live(), 0))
            settle();
    }
    pool_status status = POOL_OK;
    for (; done < n; done++) {
        pool_status one = objects[done] != nullptr ? put(objects[done]) : POOL_OK;
        if (one != POOL_OK)
            status = one;
    }
    return status;
}

void ObjectPool::drop(void *object) {
    destroy_object(object, false); // first: with the last one counted, the pool may end
    counts_.dropped.fetch_add(1, std::memory_order_seq_cst); // see release()
    if (__builtin_expect(state_.load(std::memory_order_seq_cst) != State::kLive, 0))
        settle();
}

void ObjectPool::destroy_object(void *object, bool in_sweep) {
    if (checked_)
        table_.forget(object);
    counts_.destroyed.fetch_add(1, std::memory_order_relaxed);
    if (destroy_ != nullptr)
        call_destroy(this, destroy_, object, ctx_, in_sweep);
}

// ---- filling and emptying ----

pool_status ObjectPool::set_create(pool_objects_create_fn function, void *ctx) {
    if (!live())
        return fail_ended();
    SpinLock::Guard guard(factory_lock_);
    factory_ = {function, ctx};
    return POOL_OK;
}

pool_status ObjectPool::prefill(size_t n) {
    if (!live())
        return fail_ended();
    for (size_t i = 0; i < n; i++) {
        if (shards_.idle() >= budget_.most_objects())
            break;
        void *object = make();
        if (object == nullptr)
            return last_error_status() == POOL_EAGAIN
                       ? fail_text(POOL_EINVAL, "prefill: the pool has no create callback")
                       : POOL_ECREATE;
        if (checked_)
            table_.taken_back(object, true, name_);
        if (annotate_)
            annotate_put(object, object_size_);
        if (!shards_.put(object)) {
            if (annotate_)
                annotate_get(object, object_size_);
            // Counted as one that was idle: nobody has had it.
            counts_.prefilled.fetch_add(1, std::memory_order_relaxed);
            counts_.disposed.fetch_add(1, std::memory_order_relaxed);
            destroy_object(object, false);
            if (budget_.bounded())
                break; // others have filled it
            return fail(POOL_ENOMEM, "pool '%s': no memory to keep more objects", name_);
        }
        counts_.prefilled.fetch_add(1, std::memory_order_relaxed);
    }
    return POOL_OK;
}

// Objects that were idle: taken out of the shards by a shrink, a sweep or the end.
void ObjectPool::dispose_idle(void *const *objects, size_t count, void *self) {
    auto *pool = static_cast<ObjectPool *>(self);
    pool->counts_.disposed.fetch_add(count, std::memory_order_relaxed);
    for (size_t i = 0; i < count; i++) {
        if (pool->annotate_)
            annotate_get(objects[i], pool->object_size_);
        pool->destroy_object(objects[i], false);
    }
}

void ObjectPool::dispose_swept(void *const *objects, size_t count, void *self) {
    auto *pool = static_cast<ObjectPool *>(self);
    pool->counts_.disposed.fetch_add(count, std::memory_order_relaxed);
    pool->counts_.swept.fetch_add(count, std::memory_order_relaxed);
    for (size_t i = 0; i < count; i++) {
        if (pool->annotate_)
            annotate_get(objects[i], pool->object_size_);
        pool->destroy_object(objects[i], true);
    }
}

pool_status ObjectPool::sweep() {
    if (CallbackFrame::inside_sweep(this))
        return fail(POOL_EDEADLK, "pool '%s': sweep called from a sweep's destroy callback", name_);
    if (!live()) // the lock may be held by a release whose destroy callback this is
        return fail_ended();
    std::lock_guard<std::mutex> guard(sweep_mutex_);
    if (!live())
        return fail_ended();
    shards_.sweep({dispose_swept, this});
    counts_.sweeps.fetch_add(1, std::memory_order_relaxed);
    return POOL_OK;
}

pool_status ObjectPool::shrink(size_t keep) {
    if (!live())
        return fail_ended();
    shards_.shrink(keep, disposal());
    return POOL_OK;
}

// ---- looking ----

void ObjectPool::stats(pool_objects_stats &stats) {
    auto read = [](const std::atomic<uint64_t> &count) {
        return count.load(std::memory_order_seq_cst); // see release()
    };
    // What was disposed of is read before what is idle, so that an object is never missing in both.
    uint64_t disposed = read(counts_.disposed);
    ShardsStats shards = shards_.stats();
    stats.hits_slab = shards.hits_slab;
    stats.hits_depot = shards.hits[static_cast<int>(Origin::kDepot)];
    stats.hits_steal = shards.hits[static_cast<int>(Origin::kSteal)];
    stats.hits_victim = shards.hits[static_cast<int>(Origin::kVictim)];
    stats.hits_stray = shards.hits[static_cast<int>(Origin::kStray)];
    uint64_t hits = stats.hits_slab + stats.hits_depot + stats.hits_steal + stats.hits_victim +
                    stats.hits_stray;
    stats.misses = read(counts_.misses);
    stats.created = read(counts_.created);
    stats.create_fails = read(counts_.create_fails);
    stats.prefilled = read(counts_.prefilled);
    stats.gets = hits + stats.created - stats.prefilled;
    stats.dropped = read(counts_.dropped);
    stats.destroyed = read(counts_.destroyed);
    stats.swept = read(counts_.swept);
    stats.misuses = read(counts_.misuses);
    stats.sweeps = read(counts_.sweeps);
    stats.idle = shards.idle;
    // The fast path counts only what leaves a slab; what came in follows, as nothing is lost.
    stats.puts = stats.idle + hits + disposed - stats.prefilled + stats.dropped;
    stats.out = static_cast<int64_t>(stats.gets - stats.puts);
    stats.fences = shards.fences;
    stats.shards = shards.shards;
    stats.bytes = memory_.bytes() + sizeof(*this) - sizeof(Shards) + Shards::bytes();
}

void ObjectPool::read_stats(void *pool, void *stats) {
    static_cast<ObjectPool *>(pool)->stats(*static_cast<pool_objects_stats *>(stats));
}

} // namespace pool
