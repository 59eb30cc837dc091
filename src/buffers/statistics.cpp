// What a buffer pool tells of itself.
//
// SPDX-License-Identifier: Apache-2.0
#include "buffers/buffer_pool.h"
#include "platform/status.h"

#include <bit>

namespace pool {
namespace {

uint64_t read(const std::atomic<uint64_t> &count) {
    return count.load(std::memory_order_relaxed);
}

// Sums that were read one after the other may cross.
uint64_t beyond(uint64_t all, uint64_t part) {
    return all > part ? all - part : 0;
}

void count(uint64_t *counts, size_t n, uint64_t size, uint64_t times) {
    auto power = static_cast<size_t>(std::bit_width(size - 1));
    counts[power < n ? power : n - 1] += times;
}

} // namespace

void BufferPool::read_stats(void *pool, void *stats) {
    static_cast<BufferPool *>(pool)->stats(*static_cast<pool_buffers_stats *>(stats));
}

pool_status BufferPool::stats(pool_buffers_stats &stats) {
    uint64_t handed_out = 0, blocks = 0;
    for_each_class([&](SizeClass &c) {
        SizeClass::Numbers n = c.numbers();
        stats.hits += n.hits;
        stats.misses += n.misses;
        stats.puts += n.puts;
        stats.dropped += n.dropped;
        stats.swept += n.disposed;
        stats.idle += n.idle;
        stats.idle_bytes += n.idle * c.size;
        stats.out_bytes += n.out() * static_cast<int64_t>(c.size);
        stats.requested += n.requested;
        handed_out += n.gets() * c.size;
        uint64_t largest = read(c.largest);
        stats.largest = largest > stats.largest ? largest : stats.largest;
        blocks += SizeClass::bytes();
    });
    stats.oversize = read(oversize_gets_.count);
    stats.misses += stats.oversize;
    stats.dropped += read(oversize_puts_.count);
    stats.puts += read(oversize_puts_.count);
    stats.gets = stats.hits + stats.misses;
    stats.out = static_cast<int64_t>(stats.gets - stats.puts);
    stats.out_bytes +=
        static_cast<int64_t>(read(oversize_gets_.bytes) - read(oversize_puts_.bytes));
    stats.waste = beyond(handed_out, stats.requested);
    stats.requested += read(oversize_gets_.bytes);
    if (stats.oversize != 0)
        stats.largest = read(oversize_gets_.largest);
    stats.misuses = read(misuses_);
    stats.grows = read(grows_);
    stats.classes = sizes_.count();
    stats.sweeps = read(sweeps_);
    stats.bytes = own_.bytes() + blocks + sizeof *this;
    return POOL_OK;
}

pool_status BufferPool::class_stats(size_t index, pool_buffers_class_stats &stats) {
    if (index >= sizes_.count())
        return fail(POOL_EINVAL, "pool '%s' has %u classes, there is none with index %zu", name_,
                    sizes_.count(), index);
    auto i = static_cast<uint32_t>(index);
    stats.capacity = sizes_.size(i);
    SizeClass *c = class_at(i);
    if (c == nullptr)
        return POOL_OK; // never used
    SizeClass::Numbers n = c->numbers();
    stats.gets = n.gets();
    stats.hits = n.hits;
    stats.misses = n.misses;
    stats.puts = n.puts;
    stats.dropped = n.dropped;
    stats.swept = n.disposed;
    stats.idle = n.idle;
    stats.idle_bytes = n.idle * c->size;
    stats.out = n.out();
    stats.requested = n.requested;
    stats.waste = beyond(n.gets() * c->size, n.requested);
    stats.largest = read(c->largest);
    return POOL_OK;
}

pool_status BufferPool::histogram(pool_buffers_sizes kind, uint64_t *counts, size_t n) {
    for (size_t i = 0; i < n; i++)
        counts[i] = 0;
    if (kind == POOL_BUFFERS_LENGTHS) {
        for (const std::atomic<Calibration *> &tag : tags_)
            if (const Calibration *calibration = tag.load(std::memory_order_acquire))
                calibration->add_to(counts, n);
        return POOL_OK;
    }
    bool requested = kind == POOL_BUFFERS_REQUESTED;
    for_each_class([&](SizeClass &c) {
        SizeClass::Numbers numbers = c.numbers();
        count(counts, n, c.size, requested ? numbers.gets() : numbers.puts);
    });
    const Oversize &oversize = requested ? oversize_gets_ : oversize_puts_;
    for (size_t power = 0; power < 64; power++)
        counts[power < n ? power : n - 1] += read(oversize.powers[power]);
    return POOL_OK;
}

pool_status BufferPool::get_calibration(uint32_t tag, pool_buffers_calibration &values) {
    if (Calibration *known = known_calibration(tag))
        known->get(values);
    return POOL_OK;
}

pool_status BufferPool::set_calibration(uint32_t tag, const pool_buffers_calibration &values) {
    Calibration *made = calibration(tag);
    if (made == nullptr)
        return last_error_status();
    made->set(values);
    return POOL_OK;
}

} // namespace pool
