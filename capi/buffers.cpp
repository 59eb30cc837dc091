// pool/buffers.h: argument checks and handle casts. The work is in src/buffers.
//
// SPDX-License-Identifier: Apache-2.0
#include "pool/buffers.h"

#include "buffers/buffer_pool.h"
#include "platform/config.h"
#include "platform/options.h"
#include "platform/status.h"

#include <bit>

using pool::BufferPool;
using pool::fail;
using pool::fail_text;
using pool::SizeClasses;

namespace {

constexpr size_t kFirstOptionsSize = 104;
static_assert(sizeof(pool_buffers_options) == kFirstOptionsSize);
constexpr uint64_t kLargestClass = uint64_t{1} << 30;
constexpr uint64_t kLargestRequest = uint64_t{1} << 46;
constexpr uint64_t kDefaultMin = 64;
constexpr uint64_t kDefaultMax = uint64_t{1} << 24;
constexpr uint64_t kDefaultAlignment = 16;
constexpr int64_t kShortestSweep = 1000000;
constexpr int64_t kLongestSweep = INT64_MAX / 4; // so that no sum of times overflows
constexpr uint32_t kKnownFlags = POOL_BUFFERS_CHECKED | POOL_BUFFERS_ZERO_ON_GET |
                                 POOL_BUFFERS_ZERO_ON_PUT | POOL_BUFFERS_HUGE_PAGES |
                                 POOL_BUFFERS_SWEEPER | POOL_BUFFERS_SWEEP_ON_PRESSURE;

BufferPool *impl(pool_buffers *pool) {
    return reinterpret_cast<BufferPool *>(pool);
}

pool_status no_pool() {
    return fail_text(POOL_EINVAL, "the pool is NULL");
}

pool_status ended() {
    return fail_text(POOL_ECLOSED, "the pool has ended");
}

pool_status out_of_range(const char *option, uint64_t value) {
    return fail(POOL_EINVAL, "options.%s is %llu, which is out of its range", option,
                static_cast<unsigned long long>(value));
}

pool_status read_list(const pool_buffers_options &options, SizeClasses *sizes) {
    if (options.min_size != 0 || options.max_size != 0)
        return fail_text(POOL_EINVAL, "options.list and options.min_size or max_size are both set");
    if (options.list == nullptr || options.list_count == 0 ||
        options.list_count > POOL_BUFFERS_MAX_LIST)
        return fail(POOL_EINVAL, "options.list is %s and options.list_count is %u",
                    options.list == nullptr ? "NULL" : "set", options.list_count);
    uint64_t last = 0;
    for (uint32_t i = 0; i < options.list_count; i++) {
        uint64_t size = options.list[i];
        if (size <= last || size > kLargestClass)
            return fail(POOL_EINVAL, "options.list[%u] is %llu, behind %llu", i,
                        static_cast<unsigned long long>(size),
                        static_cast<unsigned long long>(last));
        last = size;
    }
    sizes->make_list(options.list, options.list_count);
    return POOL_OK;
}

pool_status read_range(pool_buffers_options &options, SizeClasses *sizes) {
    if (options.list != nullptr || options.list_count != 0)
        return fail_text(POOL_EINVAL, "options.list is set, but the scheme is another");
    if (options.min_size == 0)
        options.min_size = options.max_size != 0 && options.max_size < kDefaultMin
                               ? options.max_size
                               : kDefaultMin;
    if (options.min_size > kLargestClass)
        return out_of_range("min_size", options.min_size);
    if (options.max_size == 0)
        options.max_size = options.min_size > kDefaultMax ? options.min_size : kDefaultMax;
    if (options.max_size < options.min_size || options.max_size > kLargestClass)
        return out_of_range("max_size", options.max_size);
    if (options.scheme == POOL_BUFFERS_DOUBLING)
        sizes->make_doubling(options.min_size, options.max_size);
    else
        sizes->make_geometric(options.min_size, options.max_size, options.alignment);
    return POOL_OK;
}

// Check the options and fill in the defaults.
pool_status resolve(pool_buffers_options &options, SizeClasses *sizes) {
    if ((options.flags & ~kKnownFlags) != 0)
        return fail(POOL_EINVAL, "options.flags has unknown bits 0x%x",
                    options.flags & ~kKnownFlags);
    if (options.alignment == 0)
        options.alignment = kDefaultAlignment;
    if (!std::has_single_bit(options.alignment) || options.alignment > pool::kHugePage)
        return out_of_range("alignment", options.alignment);
    if (options.alignment < sizeof(void *))
        options.alignment = sizeof(void *);
    if (options.scheme < POOL_BUFFERS_GEOMETRIC || options.scheme > POOL_BUFFERS_LIST)
        return fail(POOL_EINVAL, "options.scheme is %d, which is none", options.scheme);
    pool_status status = options.scheme == POOL_BUFFERS_LIST ? read_list(options, sizes)
                                                             : read_range(options, sizes);
    if (status != POOL_OK)
        return status;
    if (options.largest == 0)
        options.largest = kLargestRequest;
    if (options.largest > kLargestRequest)
        return out_of_range("largest", options.largest);
    if (options.sweep_period == 0)
        options.sweep_period = pool::config().buffers_sweep_period;
    if (options.sweep_period == 0) // so says POOL_CONF
        options.sweep_period = POOL_FOREVER;
    if (options.sweep_period != POOL_FOREVER && options.sweep_period < kShortestSweep)
        return fail(POOL_EINVAL, "options.sweep_period is %lld ns; 0, at least 1 ms, or for ever",
                    static_cast<long long>(options.sweep_period));
    if (options.sweep_period > kLongestSweep)
        options.sweep_period = kLongestSweep;
    return pool::Memory::check(options.allocator);
}

} // namespace

pool_status pool_buffers_options_init(pool_buffers_options *options, size_t size) {
    return pool::init_options(options, size, "pool_buffers_options");
}

pool_status pool_buffers_create(const pool_buffers_options *given, pool_buffers **out) {
    if (out == nullptr)
        return fail_text(POOL_EINVAL, "out is NULL");
    *out = nullptr;
    pool_buffers_options options;
    SizeClasses sizes;
    pool_status status =
        pool::read_options(given, &options, kFirstOptionsSize, "pool_buffers_options");
    if (status == POOL_OK)
        status = resolve(options, &sizes);
    if (status != POOL_OK)
        return status;
    BufferPool *made = nullptr;
    status = BufferPool::create(options, sizes, &made);
    *out = reinterpret_cast<pool_buffers *>(made);
    return status;
}

static __attribute__((noinline)) pool_buffer get_of_null() {
    no_pool();
    return {nullptr, 0};
}

pool_buffer pool_buffers_get(pool_buffers *pool, size_t min_size) {
    if (__builtin_expect(pool == nullptr, 0))
        return get_of_null();
    pool_buffer buffer;
    if (__builtin_expect(impl(pool)->get_fast(min_size, &buffer), 1))
        return buffer;
    return impl(pool)->get_fallback(min_size);
}

pool_buffer pool_buffers_try_get(pool_buffers *pool, size_t min_size) {
    return pool == nullptr ? get_of_null() : impl(pool)->try_get(min_size);
}

static __attribute__((noinline)) pool_status put_null(pool_buffers *pool) {
    return pool == nullptr ? no_pool() : POOL_OK;
}

pool_status pool_buffers_put(pool_buffers *pool, pool_buffer buffer) {
    if (__builtin_expect(pool == nullptr || buffer.data == nullptr, 0))
        return put_null(pool);
    int32_t ok;
    if (__builtin_expect(impl(pool)->put_fast(buffer, &ok), 1))
        return ok;
    return impl(pool)->put_fallback(buffer);
}

size_t pool_buffers_capacity(pool_buffers *pool, size_t min_size) {
    return pool == nullptr ? 0 : impl(pool)->capacity(min_size);
}

pool_status pool_buffers_prefill(pool_buffers *pool, size_t min_size, size_t count) {
    return pool == nullptr ? no_pool() : impl(pool)->prefill(min_size, count);
}

pool_status pool_buffers_sweep(pool_buffers *pool) {
    return pool == nullptr ? no_pool() : impl(pool)->sweep();
}

pool_status pool_buffers_trim(pool_buffers *pool, uint64_t keep_bytes) {
    return pool == nullptr ? no_pool() : impl(pool)->trim(keep_bytes);
}

pool_status pool_buffers_get_stats(pool_buffers *pool, pool_buffers_stats *stats) {
    if (pool == nullptr)
        return no_pool();
    if (!impl(pool)->live())
        return ended();
    pool_buffers_stats ours = {};
    impl(pool)->stats(ours);
    return pool::write_stats(ours, stats, "stats");
}

pool_status pool_buffers_get_class_stats(pool_buffers *pool, size_t index,
                                         pool_buffers_class_stats *stats) {
    if (pool == nullptr)
        return no_pool();
    if (!impl(pool)->live())
        return ended();
    pool_buffers_class_stats ours = {};
    if (pool_status status = impl(pool)->class_stats(index, ours))
        return status;
    return pool::write_stats(ours, stats, "stats");
}

pool_status pool_buffers_get_histogram(pool_buffers *pool, pool_buffers_sizes kind,
                                       uint64_t *counts, size_t n) {
    if (pool == nullptr)
        return no_pool();
    if (counts == nullptr || n == 0)
        return fail(POOL_EINVAL, "counts is %s and n is %zu", counts == nullptr ? "NULL" : "set",
                    n);
    if (kind < POOL_BUFFERS_REQUESTED || kind > POOL_BUFFERS_LENGTHS)
        return fail(POOL_EINVAL, "there is no histogram of kind %d", kind);
    return impl(pool)->live() ? impl(pool)->histogram(kind, counts, n) : ended();
}

static pool_status check_tag(pool_buffers *pool, uint32_t tag) {
    if (pool == nullptr)
        return no_pool();
    if (tag >= POOL_BUFFERS_TAGS)
        return fail(POOL_EINVAL, "tag %u is not below %d", tag, POOL_BUFFERS_TAGS);
    return impl(pool)->live() ? POOL_OK : ended();
}

pool_status pool_buffers_get_calibration(pool_buffers *pool, uint32_t tag,
                                         pool_buffers_calibration *calibration) {
    if (pool_status status = check_tag(pool, tag))
        return status;
    pool_buffers_calibration ours = {};
    impl(pool)->get_calibration(tag, ours);
    return pool::write_stats(ours, calibration, "calibration");
}

pool_status pool_buffers_set_calibration(pool_buffers *pool, uint32_t tag,
                                         const pool_buffers_calibration *given) {
    if (pool_status status = check_tag(pool, tag))
        return status;
    if (given == nullptr)
        return fail_text(POOL_EINVAL, "calibration is NULL");
    pool_buffers_calibration ours;
    if (pool_status status =
            pool::read_options(given, &ours, sizeof ours, "pool_buffers_calibration"))
        return status;
    if (ours.frozen > 1 || ours.reserved != 0)
        return fail(POOL_EINVAL, "calibration.%s is %u", ours.frozen > 1 ? "frozen" : "reserved",
                    ours.frozen > 1 ? ours.frozen : ours.reserved);
    if (ours.default_size > impl(pool)->largest() ||
        (ours.max_size != 0 && ours.max_size < ours.default_size))
        return fail(POOL_EINVAL, "calibration: a default of %llu bytes, and a maximum of %llu",
                    static_cast<unsigned long long>(ours.default_size),
                    static_cast<unsigned long long>(ours.max_size));
    return impl(pool)->set_calibration(tag, ours);
}

pool_status pool_buffers_destroy(pool_buffers *pool) {
    return pool == nullptr ? POOL_OK : impl(pool)->destroy();
}

pool_status pool_buffers_release(pool_buffers *pool) {
    return pool == nullptr ? POOL_OK : impl(pool)->release();
}
