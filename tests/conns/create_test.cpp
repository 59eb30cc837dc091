// SPDX-License-Identifier: Apache-2.0
#include "backend.h"

namespace {

using namespace pool_test;

TEST(ConnPoolCreate, DialsNothing) {
    Backend backend;
    ConnPoolUnderTest pool(backend.options());
    EXPECT_EQ(backend.dials, 0);
    pool_conns *built_in = nullptr;
    EXPECT_EQ(pool_conns_create(nullptr, &built_in), POOL_OK);
    EXPECT_EQ(pool_conns_destroy(built_in), POOL_OK);
}

TEST(ConnPoolCreate, OpensAtMostTenPerKeyByDefault) {
    Backend backend;
    ConnPoolUnderTest pool(backend.options());
    pool_conns_lease *leases[10], *more;
    for (pool_conns_lease *&lease : leases)
        lease = pool.acquire("a");
    EXPECT_EQ(pool.acquire("a", kMillisecond, &more), POOL_ETIMEDOUT);
    more = pool.acquire("b");
    pool_conns_release(more);
    for (pool_conns_lease *lease : leases)
        pool_conns_release(lease);
    EXPECT_EQ(pool.stats().idle, 11u) << "as many idle as open";
}

TEST(ConnPoolCreate, RefusesBadOptionsAndFreesTheContext) {
    struct Case {
        void (*spoil)(pool_conns_options *);
        const char *message;
    } cases[] = {
        {[](pool_conns_options *o) { o->close = nullptr; },
         "options.close is NULL, but another callback is given"},
        {[](pool_conns_options *o) { o->dial = nullptr; },
         "options.dial is NULL, but another callback is given"},
        {[](pool_conns_options *o) { o->connect_timeout = -1; },
         "options.connect_timeout is -1, which is negative"},
        {[](pool_conns_options *o) { o->idle_timeout = -2; },
         "options.idle_timeout is -2, which is negative"},
        {[](pool_conns_options *o) { o->max_lifetime = INT64_MIN; },
         "options.max_lifetime is -9223372036854775808, which is negative"},
        {[](pool_conns_options *o) { o->flags = 9; }, "options.flags has unknown bits 0x8"},
        {[](pool_conns_options *o) { o->handoff = 3; }, "options.handoff is 3, which is no rule"},
        {[](pool_conns_options *o) { o->idle_order = -1; },
         "options.idle_order is -1, which is no order"},
        {[](pool_conns_options *o) { o->keepalive = 1; },
         "options.keepalive needs options.validate"},
        {[](pool_conns_options *o) { o->min_idle = 11; },
         "options.min_idle is 11, but the bounds allow 10 idle connections"},
        {[](pool_conns_options *o) { o->max_idle = POOL_CONNS_KEEP_NONE, o->initial = 1; },
         "options.initial is 1, but the bounds allow 0 idle connections"},
        {[](pool_conns_options *o) { o->key_length = 3; }, "options.key is NULL and its length 3"},
        {[](pool_conns_options *o) { o->cpu_mode = -1; }, "cpu_mode -1 is none of POOL_CPU_*"},
    };
    for (const Case &each : cases) {
        Backend backend;
        static Tally *freed;
        Tally tally;
        freed = &tally;
        pool_conns_options options = backend.options();
        options.ctx_free = [](void *) { freed->raise(); };
        each.spoil(&options);
        pool_conns *pool = reinterpret_cast<pool_conns *>(&backend);
        EXPECT_EQ(pool_conns_create(&options, &pool), POOL_EINVAL);
        EXPECT_STREQ(pool_last_error(), each.message);
        EXPECT_EQ(pool, nullptr);
        EXPECT_EQ(freed->value(), 1) << each.message;
    }
}

TEST(ConnPoolCreate, RefusesAMissingOutAndAStructItCannotRead) {
    Tally freed;
    pool_conns_options options = POOL_CONNS_OPTIONS_INIT;
    options.ctx = &freed;
    options.ctx_free = Tally::raise_it;
    EXPECT_EQ(pool_conns_create(&options, nullptr), POOL_EINVAL);
    EXPECT_STREQ(pool_last_error(), "out is NULL");
    EXPECT_EQ(freed.value(), 1);

    pool_conns *pool;
    options.size = 16;
    EXPECT_EQ(pool_conns_create(&options, &pool), POOL_EINVAL);
    EXPECT_EQ(pool, nullptr);
    struct {
        pool_conns_options known;
        uint64_t unknown;
    } newer = {options, 1};
    newer.known.size = sizeof newer;
    EXPECT_EQ(pool_conns_create(&newer.known, &pool), POOL_ENOTSUP);
    EXPECT_EQ(freed.value(), 2);
    newer.unknown = 0;
    EXPECT_EQ(pool_conns_create(&newer.known, &pool), POOL_OK);
    EXPECT_EQ(pool_conns_destroy(pool), POOL_OK);
    EXPECT_EQ(freed.value(), 3);
}

TEST(ConnPoolCreate, OptionsInitIsTheInitializer) {
    pool_conns_options by_macro = POOL_CONNS_OPTIONS_INIT;
    pool_conns_options by_call;
    memset(static_cast<void *>(&by_call), 0xff, sizeof by_call);
    ASSERT_EQ(pool_conns_options_init(&by_call, sizeof by_call), POOL_OK);
    EXPECT_EQ(by_call.size, by_macro.size);
    EXPECT_EQ(by_call.max_lifetime, 0);
    EXPECT_EQ(by_call.ctx_free, nullptr);
    EXPECT_EQ(pool_conns_options_init(nullptr, 8), POOL_EINVAL);
}

} // namespace
