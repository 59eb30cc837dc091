// pool/objects.h: argument checks and handle casts. The work is in src/objects.
//
// SPDX-License-Identifier: Apache-2.0
#include "pool/objects.h"

#include "objects/object_pool.h"
#include "platform/options.h"
#include "platform/status.h"

using pool::fail;
using pool::fail_text;
using pool::ObjectPool;

namespace {

constexpr size_t kFirstOptionsSize = 96;
constexpr int64_t kShortestSweep = 1000000;
constexpr uint32_t kKnownFlags =
    POOL_OBJECTS_CHECKED | POOL_OBJECTS_SWEEP_ON_PRESSURE | POOL_OBJECTS_NO_SWEEPER;
static_assert(sizeof(pool_objects_options) == kFirstOptionsSize);

ObjectPool *impl(pool_objects *pool) {
    return ObjectPool::of(pool);
}

pool_status no_pool() {
    return fail_text(POOL_EINVAL, "the pool is NULL");
}

pool_status ended() {
    return fail_text(POOL_ECLOSED, "the pool has ended");
}

pool_status check(const pool_objects_options &options) {
    if ((options.flags & ~kKnownFlags) != 0)
        return fail(POOL_EINVAL, "options.flags has unknown bits 0x%x",
                    options.flags & ~kKnownFlags);
    if (options.sweep_period < 0 ||
        (options.sweep_period > 0 && options.sweep_period < kShortestSweep))
        return fail(POOL_EINVAL, "options.sweep_period is %lld ns; 0 or at least 1 ms",
                    static_cast<long long>(options.sweep_period));
    return pool::Memory::check(options.allocator);
}

} // namespace

pool_status pool_objects_options_init(pool_objects_options *options, size_t size) {
    return pool::init_options(options, size, "pool_objects_options");
}

pool_status pool_objects_create(const pool_objects_options *options, pool_objects **out) {
    pool_objects_options ours;
    pool_status status =
        pool::read_options(options, &ours, kFirstOptionsSize, "pool_objects_options");
    if (out != nullptr)
        *out = nullptr;
    if (status == POOL_EINVAL)
        return status; // not to be trusted in anything
    if (status == POOL_ENOTSUP) {
        ours.ctx = options->ctx;
        ours.ctx_free = options->ctx_free;
    }
    if (status == POOL_OK && out == nullptr)
        status = fail_text(POOL_EINVAL, "out is NULL");
    if (status == POOL_OK)
        status = check(ours);
    if (status != POOL_OK) {
        pool::call_ctx_free(ours.ctx_free, ours.ctx);
        return status;
    }
    ObjectPool *made = nullptr;
    status = ObjectPool::create(ours, &made);
    *out = made != nullptr ? made->handle() : nullptr;
    return status;
}

// The low half of a pointer stands for all of it, as its test is a byte shorter and the function
// then fits into one cache line. A pointer that only looks like NULL takes the long way.
static bool looks_null(const void *pointer) {
    return static_cast<uint32_t>(reinterpret_cast<uintptr_t>(pointer)) == 0;
}

static __attribute__((noinline)) void *get_checked(pool_objects *pool, bool may_create) {
    if (pool == nullptr) {
        no_pool();
        return nullptr;
    }
    return may_create ? impl(pool)->get() : impl(pool)->try_get();
}

void *pool_objects_get(pool_objects *pool) {
    return __builtin_expect(looks_null(pool), 0) ? get_checked(pool, true) : impl(pool)->get();
}

void *pool_objects_try_get(pool_objects *pool) {
    return __builtin_expect(looks_null(pool), 0) ? get_checked(pool, false) : impl(pool)->try_get();
}

static __attribute__((noinline)) pool_status put_checked(pool_objects *pool, void *object) {
    if (pool == nullptr)
        return no_pool();
    return object == nullptr ? POOL_OK : impl(pool)->put(object);
}

pool_status pool_objects_put(pool_objects *pool, void *object) {
    if (__builtin_expect(looks_null(pool) || looks_null(object), 0))
        return put_checked(pool, object);
    return impl(pool)->put(object);
}

static size_t get_n(pool_objects *pool, void **objects, size_t count, bool may_create) {
    if (pool == nullptr) {
        no_pool();
        return 0;
    }
    if (count == 0)
        return 0;
    if (objects == nullptr) {
        fail(POOL_EINVAL, "objects is NULL and count is %zu", count);
        return 0;
    }
    return impl(pool)->get_n(objects, count, may_create);
}

size_t pool_objects_get_n(pool_objects *pool, void **objects, size_t count) {
    return get_n(pool, objects, count, true);
}

size_t pool_objects_try_get_n(pool_objects *pool, void **objects, size_t count) {
    return get_n(pool, objects, count, false);
}

pool_status pool_objects_put_n(pool_objects *pool, void *const *objects, size_t count) {
    if (pool == nullptr)
        return no_pool();
    if (count == 0)
        return POOL_OK;
    if (objects == nullptr)
        return fail(POOL_EINVAL, "objects is NULL and count is %zu", count);
    return impl(pool)->put_n(objects, count);
}

pool_status pool_objects_prefill(pool_objects *pool, size_t count) {
    return pool == nullptr ? no_pool() : impl(pool)->prefill(count);
}

pool_status pool_objects_set_create(pool_objects *pool, pool_objects_create_fn create, void *ctx) {
    return pool == nullptr ? no_pool() : impl(pool)->set_create(create, ctx);
}

pool_status pool_objects_sweep(pool_objects *pool) {
    return pool == nullptr ? no_pool() : impl(pool)->sweep();
}

pool_status pool_objects_shrink(pool_objects *pool, size_t keep) {
    return pool == nullptr ? no_pool() : impl(pool)->shrink(keep);
}

pool_status pool_objects_get_stats(pool_objects *pool, pool_objects_stats *stats) {
    if (pool == nullptr)
        return no_pool();
    if (!impl(pool)->live())
        return ended();
    pool_objects_stats ours = {};
    impl(pool)->stats(ours);
    return pool::write_stats(ours, stats, "stats");
}

const char *pool_objects_name(pool_objects *pool) {
    return pool != nullptr && impl(pool)->live() ? impl(pool)->name() : "";
}

pool_status pool_objects_get_cpu_mode(pool_objects *pool, pool_cpu_mode *mode) {
    if (pool == nullptr || mode == nullptr)
        return fail(POOL_EINVAL, "%s is NULL", pool == nullptr ? "the pool" : "mode");
    if (!impl(pool)->live())
        return ended();
    *mode = impl(pool)->cpu_mode();
    return POOL_OK;
}

pool_status pool_objects_destroy(pool_objects *pool) {
    return pool == nullptr ? POOL_OK : impl(pool)->destroy();
}

pool_status pool_objects_release(pool_objects *pool) {
    return pool == nullptr ? POOL_OK : impl(pool)->release();
}
