// Sweeps and trims: memory that is idle for too long goes back.
//
// SPDX-License-Identifier: Apache-2.0
//
// Without a background thread the pool's own calls sweep. A slab leaves one get in a thousand to the
// slow path, which looks at the clock; when a sweep is due it frees a part of what is to be freed,
// and the next such get frees the next part, so that no call pays for all of a burst. If a sweep has
// not ended when the next one is due, calls are rare, and one does the rest.
#include "buffers/buffer_pool.h"

#include "platform/clock.h"
#include "platform/status.h"

namespace pool {
namespace {

// A part of a sweep.
constexpr size_t kMostBuffers = 256;
constexpr uint64_t kMostBytes = uint64_t{16} << 20;

// So much is freed before the pages are handed on to the system.
constexpr uint64_t kWorthGivingBack = uint64_t{1} << 20;

// Less says nothing about what is needed.
constexpr uint64_t kLeastObservations = 16;

} // namespace

void BufferPool::dispose(void *const *buffers, size_t count, void *size_class) {
    auto *c = static_cast<SizeClass *>(size_class);
    c->disposed.fetch_add(count, std::memory_order_relaxed);
    c->pool->swept_bytes_ += count * c->size;
    for (size_t i = 0; i < count; i++)
        c->pool->free_idle(buffers[i], c->size);
}

void BufferPool::sweep_if_due() {
    int64_t due = sweep_due_.load(std::memory_order_relaxed);
    if (due == INT64_MAX)
        return;
    int64_t now = clock_now_coarse();
    if (now >= due)
        sweep_part(now);
}

void BufferPool::sweep_part(int64_t now) {
    std::unique_lock<std::mutex> lock(sweep_mutex_, std::try_to_lock);
    if (!lock.owns_lock() || !live())
        return;
    int64_t due = sweep_due_.load(std::memory_order_relaxed);
    if (now < due)
        return;
    bool late = now - due >= sweep_period_;
    size_t buffers = kMostBuffers;
    uint64_t bytes = kMostBytes;
    for (; sweep_at_ < sizes_.count(); sweep_at_++) {
        SizeClass *c = class_at(sweep_at_);
        if (c == nullptr)
            continue;
        if (!late) {
            uint64_t fit = bytes / c->size;
            size_t most = fit < buffers ? (fit != 0 ? fit : 1) : buffers;
            size_t freed = c->shards.shrink_victims(most, {dispose, c});
            if (freed == most)
                return; // there may be more
            buffers -= freed;
            bytes -= freed * c->size;
        }
        c->shards.sweep({dispose, c});
    }
    end_sweep(now, false);
}

void BufferPool::end_sweep(int64_t now, bool thorough) {
    sweeps_.fetch_add(1, std::memory_order_relaxed);
    sweep_at_ = 0;
    if (sweep_period_ != INT64_MAX)
        sweep_due_.store(now + sweep_period_, std::memory_order_relaxed);
    for (const std::atomic<Calibration *> &tag : tags_)
        if (Calibration *calibration = tag.load(std::memory_order_acquire))
            calibration->learn(kLeastObservations);
    if (swept_bytes_ >= kWorthGivingBack) {
        swept_bytes_ = 0;
        memory_.give_back(thorough);
    }
}

pool_status BufferPool::sweep() {
    if (!live())
        return fail_ended();
    std::lock_guard<std::mutex> guard(sweep_mutex_);
    if (!live())
        return fail_ended();
    for_each_class([](SizeClass &c) { c.shards.sweep({dispose, &c}); });
    end_sweep(clock_now_coarse(), true);
    return POOL_OK;
}

void BufferPool::sweep_in_background(SweepClient *client) {
    static_cast<Client *>(client)->pool->sweep();
}

// The largest first, so that the fewest buffers go.
pool_status BufferPool::trim(uint64_t keep_bytes) {
    if (!live())
        return fail_ended();
    std::lock_guard<std::mutex> guard(sweep_mutex_);
    if (!live())
        return fail_ended();
    uint64_t idle_bytes = 0;
    for_each_class([&](SizeClass &c) { idle_bytes += c.shards.idle() * c.size; });
    for (bool only_victims : {true, false}) {
        for (uint32_t i = sizes_.count(); i-- > 0 && idle_bytes > keep_bytes;) {
            SizeClass *c = class_at(i);
            if (c == nullptr)
                continue;
            size_t excess = (idle_bytes - keep_bytes + c->size - 1) / c->size;
            uint64_t idle = c->shards.idle();
            size_t freed = only_victims
                               ? c->shards.shrink_victims(excess, {dispose, c})
                               : c->shards.shrink(idle > excess ? idle - excess : 0, {dispose, c});
            uint64_t bytes = freed * c->size;
            idle_bytes -= bytes < idle_bytes ? bytes : idle_bytes;
        }
    }
    if (swept_bytes_ != 0) {
        swept_bytes_ = 0;
        memory_.give_back(true);
    }
    return POOL_OK;
}

} // namespace pool
