// Callbacks that fail, throw, call back into the pool, or try to end it.
//
// SPDX-License-Identifier: Apache-2.0
#include "support/log.h"
#include "support/object_pool.h"
#include "sync/gate.h"

#include <cstring>
#include <stdexcept>
#include <thread>

namespace {

using namespace pool_test;

TEST(ObjectPoolCallbacks, AFactoryThatFailsIsReportedByItsPoolsName) {
    pool_objects_options options = POOL_OBJECTS_OPTIONS_INIT;
    options.name = "parsers";
    options.create = [](void *) -> void * { return nullptr; };
    ObjectPoolUnderTest pool(options);
    EXPECT_EQ(pool.get(), nullptr);
    EXPECT_EQ(pool_last_error_status(), POOL_ECREATE);
    EXPECT_STREQ(pool_last_error(), "pool 'parsers': the create callback returned NULL");
    pool_objects_stats stats = pool.stats();
    EXPECT_EQ(stats.create_fails, 1u);
    EXPECT_EQ(stats.created, 0u);
    EXPECT_EQ(stats.out, 0);
}

TEST(ObjectPoolCallbacks, ThrowingOnesBecomeStatusesAndLosesNothing) {
    Ledger ledger;
    pool_objects_options options = ledger.options();
    options.name = "parsers";
    {
        ObjectPoolUnderTest pool(options);
        ASSERT_EQ(pool_objects_set_create(
                      pool, [](void *) -> void * { throw std::runtime_error("no"); }, nullptr),
                  POOL_OK);
        EXPECT_EQ(pool.get(), nullptr);
        EXPECT_EQ(pool_last_error_status(), POOL_ECREATE);
        EXPECT_STREQ(pool_last_error(), "pool 'parsers': the create callback threw an exception");
        void *objects[2];
        EXPECT_EQ(pool_objects_get_n(pool, objects, 2), 0u);
        EXPECT_EQ(pool_objects_prefill(pool, 2), POOL_ECREATE);
        EXPECT_EQ(pool.stats().create_fails, 3u);
    }
    options.reset = [](void *, void *) -> pool_status { throw 1; };
    ObjectPoolUnderTest pool(options);
    Item *item = pool.get();
    pool.put(item);
    EXPECT_EQ(item->destroyed, 1) << "an object that could not be reset is dropped";
    EXPECT_EQ(pool.stats().dropped, 1u);
}

TEST(ObjectPoolCallbacks, ADestroyThatThrowsIsLoggedAndTheObjectCountsAsDestroyed) {
    LogCapture log;
    pool_objects_options options = POOL_OBJECTS_OPTIONS_INIT;
    options.destroy = [](void *, void *) { throw 1; };
    ObjectPoolUnderTest pool(options);
    int objects[3];
    for (int &object : objects)
        EXPECT_EQ(pool_objects_put(pool, &object), POOL_OK);
    EXPECT_EQ(pool_objects_shrink(pool, 0), POOL_OK);
    EXPECT_EQ(pool.stats().destroyed, 3u);
    ASSERT_EQ(log.lines().size(), 3u);
    EXPECT_EQ(log.lines()[0].severity, 3);
    EXPECT_NE(log.lines()[0].text.find("destroy callback"), std::string::npos);
}

TEST(ObjectPoolCallbacks, ACtxFreeThatThrowsStaysInTheLibrary) {
    LogCapture log;
    pool_objects_options options = POOL_OBJECTS_OPTIONS_INIT;
    options.ctx_free = [](void *) { throw 1; };
    pool_objects *pool = nullptr;
    ASSERT_EQ(pool_objects_create(&options, &pool), POOL_OK);
    EXPECT_NO_THROW(EXPECT_EQ(pool_objects_destroy(pool), POOL_OK));
    options.flags = ~0u;
    EXPECT_NO_THROW(EXPECT_EQ(pool_objects_create(&options, &pool), POOL_EINVAL));
    options.flags = 0;
    options.cpu_mode = -1;
    EXPECT_NO_THROW(EXPECT_EQ(pool_objects_create(&options, &pool), POOL_EINVAL));
    EXPECT_EQ(log.lines().size(), 3u);
}

// What each callback does to its own pool, from inside.
struct Inside {
    Ledger ledger;
    pool_objects *pool = nullptr;
    void (*act)(Inside *self) = nullptr;
    int acted = 0;
    pool_status status = POOL_OK;

    pool_objects_options options(bool in_create, bool in_reset, bool in_destroy) {
        pool_objects_options options = POOL_OBJECTS_OPTIONS_INIT;
        options.ctx = this;
        options.create = in_create ? acting_create : quiet_create;
        if (in_reset)
            options.reset = acting_reset;
        options.destroy = in_destroy ? acting_destroy : quiet_destroy;
        return options;
    }
    // Once: what is called back calls back no more.
    void run() {
        if (acted++ == 0)
            act(this);
    }

    static Inside *of(void *ctx) { return static_cast<Inside *>(ctx); }
    static void *quiet_create(void *ctx) { return of(ctx)->ledger.make(); }
    static void *acting_create(void *ctx) {
        of(ctx)->run();
        return of(ctx)->ledger.make();
    }
    static pool_status acting_reset(void *, void *ctx) {
        of(ctx)->run();
        return POOL_OK;
    }
    static void quiet_destroy(void *object, void *ctx) {
        Ledger::destroy(object, &of(ctx)->ledger);
    }
    static void acting_destroy(void *object, void *ctx) {
        Ledger::destroy(object, &of(ctx)->ledger);
        of(ctx)->run();
    }
};

// Everything that the header allows inside a callback.
void use_the_pool(Inside *self) {
    void *objects[3];
    size_t got = pool_objects_get_n(self->pool, objects, 3);
    EXPECT_EQ(got, 3u);
    EXPECT_EQ(pool_objects_put_n(self->pool, objects, got), POOL_OK);
    void *one = pool_objects_get(self->pool);
    EXPECT_EQ(pool_objects_put(self->pool, one), POOL_OK);
    EXPECT_EQ(pool_objects_prefill(self->pool, 2), POOL_OK);
    EXPECT_EQ(pool_objects_shrink(self->pool, 4), POOL_OK);
    EXPECT_EQ(pool_objects_set_create(self->pool, Inside::quiet_create, self), POOL_OK);
    EXPECT_STREQ(pool_objects_name(self->pool), "");
    stats_of(self->pool);
}

TEST(ObjectPoolCallbacks, MayUseTheirPool) {
    for (int which = 0; which < 3; which++) {
        Inside inside;
        inside.act = use_the_pool;
        ObjectPoolUnderTest pool(inside.options(which == 0, which == 1, which == 2));
        inside.pool = pool;
        pool.put_all(pool.get_some(10));
        EXPECT_EQ(pool_objects_shrink(pool, 5), POOL_OK);
        EXPECT_GE(inside.acted, 1) << which;
        EXPECT_EQ(pool.stats().out, 0);
        EXPECT_EQ(pool_objects_sweep(pool), POOL_OK);
    }
}

TEST(ObjectPoolCallbacks, MayUseTheirPoolInsideASweep) {
    Inside inside;
    inside.act = [](Inside *self) {
        use_the_pool(self);
        self->status = pool_objects_sweep(self->pool);
        EXPECT_NE(strstr(pool_last_error(), "sweep"), nullptr);
    };
    ObjectPoolUnderTest pool(inside.options(false, false, true));
    inside.pool = pool;
    pool.fill(5);
    EXPECT_EQ(pool_objects_sweep(pool), POOL_OK);
    EXPECT_EQ(pool_objects_sweep(pool), POOL_OK);
    EXPECT_GE(inside.acted, 1);
    EXPECT_EQ(inside.status, POOL_EDEADLK) << "two sweeps wait for each other";
}

TEST(ObjectPoolCallbacks, MaySweepOutsideASweep) {
    Inside inside;
    inside.act = [](Inside *self) { self->status = pool_objects_sweep(self->pool); };
    ObjectPoolUnderTest pool(inside.options(true, false, false));
    inside.pool = pool;
    inside.status = POOL_EBAD;
    pool.fill(1);
    EXPECT_EQ(inside.status, POOL_OK);
}

TEST(ObjectPoolCallbacks, ASweepFromADestroyCallbackOfTheEndDoesNotHang) {
    for (bool release : {false, true}) {
        Inside inside;
        inside.act = [](Inside *self) { self->status = pool_objects_sweep(self->pool); };
        inside.status = POOL_EBAD;
        ObjectPoolUnderTest owner(inside.options(false, false, true));
        owner.fill(3);
        inside.pool = owner.leave();
        EXPECT_EQ(release ? pool_objects_release(inside.pool) : pool_objects_destroy(inside.pool),
                  POOL_OK);
        EXPECT_EQ(inside.status, release ? POOL_ECLOSED : POOL_OK);
        EXPECT_EQ(inside.ledger.alive(), 0);
    }
}

TEST(ObjectPoolCallbacks, MayNotEndTheirPool) {
    for (int which = 0; which < 3; which++) {
        for (bool release : {false, true}) {
            Inside inside;
            inside.act =
                release ? [](Inside *self) { self->status = pool_objects_release(self->pool); }
                        : [](Inside *self) { self->status = pool_objects_destroy(self->pool); };
            pool_objects_options options = inside.options(which == 0, which == 1, which == 2);
            options.name = "parsers";
            ObjectPoolUnderTest pool(options);
            inside.pool = pool;
            pool.fill(2);
            EXPECT_EQ(pool_objects_shrink(pool, 0), POOL_OK);
            EXPECT_EQ(inside.status, POOL_EDEADLK) << which << release;
            EXPECT_STREQ(pool_last_error(),
                         "pool 'parsers' cannot end inside one of its callbacks");
            pool.fill(2);
            EXPECT_EQ(pool.idle(), 2u) << "nothing changed";
        }
    }
}

TEST(ObjectPoolCallbacks, MayEndAnotherPool) {
    Inside outer;
    static pool_objects *other;
    ASSERT_EQ(pool_objects_create(nullptr, &other), POOL_OK);
    outer.act = [](Inside *self) { self->status = pool_objects_destroy(other); };
    outer.status = POOL_EBAD;
    ObjectPoolUnderTest pool(outer.options(true, false, false));
    pool.fill(1);
    EXPECT_EQ(outer.status, POOL_OK);
}

TEST(ObjectPoolCallbacks, TheSweeperThreadMayEndAnotherSweptPool) {
    struct Chain {
        pool_objects *other = nullptr;
        std::atomic<int> status{POOL_EBAD};
        Gate done;
        static void destroy(void *, void *ctx) {
            auto *self = static_cast<Chain *>(ctx);
            self->status = pool_objects_destroy(self->other);
            self->done.open();
        }
    } chain;
    pool_objects_options options = POOL_OBJECTS_OPTIONS_INIT;
    options.sweep_period = kMillisecond;
    ASSERT_EQ(pool_objects_create(&options, &chain.other), POOL_OK);
    options.destroy = Chain::destroy;
    options.ctx = &chain;
    ObjectPoolUnderTest pool(options);
    int object = 0;
    ASSERT_EQ(pool_objects_put(pool, &object), POOL_OK);
    chain.done.wait();
    EXPECT_EQ(chain.status, POOL_OK);
}

#if !defined(__SANITIZE_THREAD__) && !defined(__SANITIZE_ADDRESS__) // which cannot unwind so
// A thread that is cancelled where a callback waits: the unwinding goes on through the library, and
// the thread is no longer taken to be inside the callback.
TEST(ObjectPoolCallbacks, AThreadMayBeCancelledInsideOne) {
    struct Stuck {
        Gate entered;
        static void *create(void *ctx) {
            static_cast<Stuck *>(ctx)->entered.open();
            for (;;)
                std::this_thread::sleep_for(std::chrono::seconds(1));
        }
    } stuck;
    pool_objects_options options = POOL_OBJECTS_OPTIONS_INIT;
    options.create = Stuck::create;
    options.ctx = &stuck;
    ObjectPoolUnderTest pool(options);
    pthread_t thread;
    pool_objects *handle = pool;
    ASSERT_EQ(pthread_create(
                  &thread, nullptr,
                  [](void *arg) { return pool_objects_get(static_cast<pool_objects *>(arg)); },
                  handle),
              0);
    stuck.entered.wait();
    pthread_cancel(thread);
    void *result = nullptr;
    pthread_join(thread, &result);
    EXPECT_EQ(result, PTHREAD_CANCELED);
    EXPECT_EQ(pool.try_get(), nullptr);
}
#endif

} // namespace
