// Making object pools: options, their sizes, and what is refused.
//
// SPDX-License-Identifier: Apache-2.0
#include "support/object_pool.h"

#include <cstring>
#include <string>

namespace {

using namespace pool_test;

TEST(ObjectPoolCreate, AllDefaultsMakeAPoolWithoutCallbacks) {
    pool_objects *pool = nullptr;
    ASSERT_EQ(pool_objects_create(nullptr, &pool), POOL_OK);
    EXPECT_STREQ(pool_objects_name(pool), "");
    EXPECT_EQ(pool_objects_get(pool), nullptr);
    EXPECT_EQ(pool_last_error_status(), POOL_EAGAIN);
    int object = 0;
    EXPECT_EQ(pool_objects_put(pool, &object), POOL_OK);
    EXPECT_EQ(pool_objects_get(pool), &object);
    EXPECT_EQ(pool_objects_put(pool, &object), POOL_OK);
    EXPECT_EQ(pool_objects_destroy(pool), POOL_OK);
}

TEST(ObjectPoolCreate, OptionsInitIsTheInitializer) {
    pool_objects_options by_macro = POOL_OBJECTS_OPTIONS_INIT;
    pool_objects_options by_call;
    memset(static_cast<void *>(&by_call), 0xff, sizeof by_call);
    ASSERT_EQ(pool_objects_options_init(&by_call, sizeof by_call), POOL_OK);
    EXPECT_EQ(memcmp(&by_call, &by_macro, offsetof(pool_objects_options, flags)), 0);
    EXPECT_EQ(by_call.flags, 0u);
    EXPECT_EQ(by_call.size, sizeof by_call);
}

TEST(ObjectPoolCreate, OptionsInitTouchesNoMoreThanTheCallerHas) {
    struct {
        pool_objects_options options;
        unsigned char behind[16];
    } memory;
    memset(static_cast<void *>(&memory), 0xff, sizeof memory);
    ASSERT_EQ(pool_objects_options_init(&memory.options, 2 * sizeof(size_t)), POOL_OK);
    EXPECT_EQ(memory.options.size, 2 * sizeof(size_t));
    EXPECT_EQ(memory.options.name, nullptr);
    EXPECT_EQ(memory.options.flags, UINT32_MAX);
    EXPECT_EQ(pool_objects_options_init(&memory.options, sizeof(size_t) - 1), POOL_EINVAL);
    EXPECT_EQ(memory.options.size, 2 * sizeof(size_t)) << "changed by a call that failed";
    EXPECT_EQ(pool_objects_options_init(nullptr, sizeof memory.options), POOL_EINVAL);
    EXPECT_NE(strstr(pool_last_error(), "pool_objects_options"), nullptr);
}

TEST(ObjectPoolCreate, RefusesBadOptionsByNameAndFreesTheContext) {
    static const pool_allocator good = {sizeof good,
                                        [](size_t, size_t, void *) -> void * { return nullptr; },
                                        [](void *, size_t, size_t, void *) {}, nullptr};
    static const pool_allocator no_alloc = {sizeof good, nullptr, good.free, nullptr};
    static const pool_allocator no_free = {sizeof good, good.alloc, nullptr, nullptr};
    static const pool_allocator odd = {sizeof good - 1, good.alloc, good.free, nullptr};
    struct Case {
        void (*spoil)(pool_objects_options *);
        const char *message;
    } cases[] = {
        {[](pool_objects_options *o) { o->flags = 8; }, "options.flags has unknown bits 0x8"},
        {[](pool_objects_options *o) { o->flags = ~0u; },
         "options.flags has unknown bits 0xfffffff8"},
        {[](pool_objects_options *o) { o->sweep_period = -1; },
         "options.sweep_period is -1 ns; 0 or at least 1 ms"},
        {[](pool_objects_options *o) { o->sweep_period = 999999; },
         "options.sweep_period is 999999 ns; 0 or at least 1 ms"},
        {[](pool_objects_options *o) { o->sweep_period = INT64_MIN; },
         "options.sweep_period is -9223372036854775808 ns; 0 or at least 1 ms"},
        {[](pool_objects_options *o) { o->cpu_mode = 3; }, "cpu_mode 3 is none of POOL_CPU_*"},
        {[](pool_objects_options *o) { o->cpu_mode = -1; }, "cpu_mode -1 is none of POOL_CPU_*"},
        {[](pool_objects_options *o) { o->allocator = &no_alloc; }, "allocator.alloc is NULL"},
        {[](pool_objects_options *o) { o->allocator = &no_free; }, "allocator.free is NULL"},
        {[](pool_objects_options *o) { o->allocator = &odd; }, "allocator.size is 31, not 32"},
    };
    for (const Case &each : cases) {
        int freed = 0;
        pool_objects_options options = POOL_OBJECTS_OPTIONS_INIT;
        options.ctx = &freed;
        options.ctx_free = [](void *ctx) { ++*static_cast<int *>(ctx); };
        each.spoil(&options);
        pool_objects *pool = reinterpret_cast<pool_objects *>(&freed);
        EXPECT_EQ(pool_objects_create(&options, &pool), POOL_EINVAL) << each.message;
        EXPECT_STREQ(pool_last_error(), each.message);
        EXPECT_EQ(pool_last_error_status(), POOL_EINVAL);
        EXPECT_EQ(pool, nullptr);
        EXPECT_EQ(freed, 1) << each.message;
    }
}

TEST(ObjectPoolCreate, RefusesAMissingOut) {
    int freed = 0;
    pool_objects_options options = POOL_OBJECTS_OPTIONS_INIT;
    options.ctx = &freed;
    options.ctx_free = [](void *ctx) { ++*static_cast<int *>(ctx); };
    EXPECT_EQ(pool_objects_create(&options, nullptr), POOL_EINVAL);
    EXPECT_STREQ(pool_last_error(), "out is NULL");
    EXPECT_EQ(freed, 1);
    EXPECT_EQ(pool_objects_create(nullptr, nullptr), POOL_EINVAL);
}

TEST(ObjectPoolCreate, RefusesASizeThatNoVersionOfTheStructHas) {
    for (size_t size :
         {size_t{0}, size_t{1}, sizeof(pool_objects_options) - 1, size_t{65537}, SIZE_MAX}) {
        pool_objects_options options = POOL_OBJECTS_OPTIONS_INIT;
        options.size = size;
        pool_objects *pool = reinterpret_cast<pool_objects *>(&options);
        EXPECT_EQ(pool_objects_create(&options, &pool), POOL_EINVAL) << size;
        EXPECT_NE(strstr(pool_last_error(), "pool_objects_options.size is "), nullptr);
        EXPECT_NE(strstr(pool_last_error(), std::to_string(size).c_str()), nullptr);
        EXPECT_EQ(pool, nullptr);
    }
}

TEST(ObjectPoolCreate, ANewerHeadersStructIsReadIfItsTailIsZero) {
    int freed = 0;
    struct {
        pool_objects_options known;
        unsigned char unknown[64];
    } newer = {POOL_OBJECTS_OPTIONS_INIT, {}};
    newer.known.size = sizeof newer;
    newer.known.name = "newer";
    newer.known.ctx = &freed;
    newer.known.ctx_free = [](void *ctx) { ++*static_cast<int *>(ctx); };
    pool_objects *pool = nullptr;
    ASSERT_EQ(pool_objects_create(&newer.known, &pool), POOL_OK);
    EXPECT_STREQ(pool_objects_name(pool), "newer");
    EXPECT_EQ(pool_objects_destroy(pool), POOL_OK);
    EXPECT_EQ(freed, 1);

    newer.unknown[63] = 1;
    EXPECT_EQ(pool_objects_create(&newer.known, &pool), POOL_ENOTSUP);
    EXPECT_EQ(pool, nullptr);
    EXPECT_NE(strstr(pool_last_error(), "byte 159"), nullptr) << pool_last_error();
    EXPECT_EQ(freed, 2) << "every failed create frees the context";
}

TEST(ObjectPoolCreate, TheNameIsCopiedAndCutTo63Bytes) {
    std::string name(100, 'n');
    pool_objects_options options = POOL_OBJECTS_OPTIONS_INIT;
    options.name = name.c_str();
    ObjectPoolUnderTest pool(options);
    name[0] = 'x';
    EXPECT_EQ(pool_objects_name(pool), std::string(63, 'n'));
}

TEST(ObjectPoolCreate, ReportsTheModeItUses) {
    pool_objects_options options = POOL_OBJECTS_OPTIONS_INIT;
    pool_cpu_mode mode = 0;
    {
        ObjectPoolUnderTest pool(options);
        EXPECT_EQ(pool_objects_get_cpu_mode(pool, &mode), POOL_OK);
#if !defined(__SANITIZE_THREAD__)
        EXPECT_EQ(mode, pool_config_cpu_mode());
#endif
    }
    options.cpu_mode = POOL_CPU_FALLBACK;
    ObjectPoolUnderTest pool(options);
    EXPECT_EQ(pool_objects_get_cpu_mode(pool, &mode), POOL_OK);
    EXPECT_EQ(mode, POOL_CPU_FALLBACK);
}

// Every function with a NULL in each place.
TEST(ObjectPoolCreate, NullHandlesAndPointersAreErrorsEverywhere) {
    void *objects[2] = {};
    pool_objects_stats stats = {};
    stats.size = sizeof stats;
    pool_cpu_mode mode = 77;
    auto says = [](const char *what) { return strstr(pool_last_error(), what) != nullptr; };

    EXPECT_EQ(pool_objects_get(nullptr), nullptr);
    EXPECT_EQ(pool_last_error_status(), POOL_EINVAL);
    EXPECT_TRUE(says("pool is NULL"));
    EXPECT_EQ(pool_objects_try_get(nullptr), nullptr);
    EXPECT_EQ(pool_objects_put(nullptr, &stats), POOL_EINVAL);
    EXPECT_EQ(pool_objects_put(nullptr, nullptr), POOL_EINVAL);
    EXPECT_EQ(pool_objects_get_n(nullptr, objects, 2), 0u);
    EXPECT_EQ(pool_objects_try_get_n(nullptr, objects, 2), 0u);
    EXPECT_EQ(pool_objects_put_n(nullptr, objects, 2), POOL_EINVAL);
    EXPECT_EQ(pool_objects_prefill(nullptr, 1), POOL_EINVAL);
    EXPECT_EQ(pool_objects_set_create(nullptr, Ledger::create, nullptr), POOL_EINVAL);
    EXPECT_EQ(pool_objects_sweep(nullptr), POOL_EINVAL);
    EXPECT_EQ(pool_objects_shrink(nullptr, 0), POOL_EINVAL);
    EXPECT_EQ(pool_objects_get_stats(nullptr, &stats), POOL_EINVAL);
    EXPECT_STREQ(pool_objects_name(nullptr), "");
    EXPECT_EQ(pool_objects_get_cpu_mode(nullptr, &mode), POOL_EINVAL);
    EXPECT_EQ(mode, 77);
    EXPECT_EQ(pool_objects_destroy(nullptr), POOL_OK);
    EXPECT_EQ(pool_objects_release(nullptr), POOL_OK);

    Ledger ledger;
    ObjectPoolUnderTest pool(ledger.options());
    EXPECT_EQ(pool_objects_get_n(pool, nullptr, 3), 0u);
    EXPECT_TRUE(says("objects is NULL and count is 3"));
    EXPECT_EQ(pool_objects_try_get_n(pool, nullptr, 3), 0u);
    EXPECT_EQ(pool_objects_put_n(pool, nullptr, 3), POOL_EINVAL);
    EXPECT_EQ(pool_objects_put_n(pool, nullptr, 0), POOL_OK);
    EXPECT_EQ(pool_objects_get_n(pool, nullptr, 0), 0u);
    EXPECT_EQ(pool_objects_get_stats(pool, nullptr), POOL_EINVAL);
    EXPECT_TRUE(says("stats is NULL"));
    EXPECT_EQ(pool_objects_get_cpu_mode(pool, nullptr), POOL_EINVAL);
    EXPECT_TRUE(says("mode is NULL"));
    EXPECT_EQ(ledger.created(), 0);
    EXPECT_EQ(pool.stats().puts, 0u);
}

TEST(ObjectPoolCreate, ASuccessfulCallLeavesTheLastErrorAlone) {
    EXPECT_EQ(pool_objects_sweep(nullptr), POOL_EINVAL);
    Ledger ledger;
    ObjectPoolUnderTest pool(ledger.options());
    pool.fill(3);
    EXPECT_EQ(pool_objects_sweep(pool), POOL_OK);
    EXPECT_STREQ(pool_last_error(), "the pool is NULL");
    EXPECT_EQ(pool_last_error_status(), POOL_EINVAL);
}

} // namespace
