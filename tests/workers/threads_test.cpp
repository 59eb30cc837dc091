// SPDX-License-Identifier: Apache-2.0
#include "worker_pool.h"

#include <atomic>
#include <csignal>
#include <cstring>
#include <pthread.h>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

using namespace pool_test;

// For functions that are cancelled: AddressSanitizer would keep their dead frames poisoned.
#define CANCELLED_HERE __attribute__((no_sanitize("address")))

TEST(WorkerPoolThreads, AreStartedOnlyForTasksThatNoFreeWorkerWillTake) {
    WorkerPoolUnderTest pool(worker_options(4));
    EXPECT_EQ(pool.stats().workers, 0u);
    for (int i = 0; i < 20; i++) {
        ASSERT_EQ(pool_workers_submit(pool, nothing, nullptr), POOL_OK);
        ASSERT_EQ(pool_workers_wait_idle(pool, POOL_FOREVER), POOL_OK);
    }
    EXPECT_EQ(pool.stats().workers, 1u);
    Gate gate;
    for (int i = 0; i < 6; i++)
        ASSERT_EQ(pool_workers_submit(pool, Gate::wait_on, &gate), POOL_OK);
    eventually([&] { return pool.stats().running == 4; });
    EXPECT_EQ(pool.stats().workers, 4u) << "the bound";
    EXPECT_EQ(pool.stats().waiting, 2u);
    gate.open();
}

TEST(WorkerPoolThreads, TasksThatWaitForOneAnotherGetAThreadEach) {
    struct Pair {
        Gate first, second;
        static void one(void *arg) {
            static_cast<Pair *>(arg)->first.open();
            static_cast<Pair *>(arg)->second.wait();
        }
        static void two(void *arg) {
            static_cast<Pair *>(arg)->first.wait();
            static_cast<Pair *>(arg)->second.open();
        }
    };
    for (int i = 0; i < 100; i++) {
        Pair pair;
        WorkerPoolUnderTest pool(worker_options(2));
        ASSERT_EQ(pool_workers_submit(pool, Pair::two, &pair), POOL_OK);
        ASSERT_EQ(pool_workers_submit(pool, Pair::one, &pair), POOL_OK);
        ASSERT_EQ(pool_workers_wait_idle(pool, POOL_FOREVER), POOL_OK);
    }
}

TEST(WorkerPoolThreads, TheMostRecentlyIdleWorkerIsWoken) {
    // Two workers become idle one after the other, in a known order.
    struct Turn {
        Gate gate;
        pthread_t thread;
        static void run(void *arg) {
            Turn *turn = static_cast<Turn *>(arg);
            turn->thread = pthread_self();
            turn->gate.wait();
        }
    };
    Turn first, second, next;
    WorkerPoolUnderTest pool(worker_options(2));
    ASSERT_EQ(pool_workers_submit(pool, Turn::run, &first), POOL_OK);
    ASSERT_EQ(pool_workers_submit(pool, Turn::run, &second), POOL_OK);
    eventually([&] { return pool.stats().running == 2; });
    first.gate.open();
    eventually([&] { return pool.stats().running == 1; });
    second.gate.open();
    ASSERT_EQ(pool_workers_wait_idle(pool, POOL_FOREVER), POOL_OK);
    next.gate.open();
    ASSERT_EQ(pool_workers_submit(pool, Turn::run, &next), POOL_OK);
    ASSERT_EQ(pool_workers_wait_idle(pool, POOL_FOREVER), POOL_OK);
    EXPECT_TRUE(pthread_equal(next.thread, second.thread));
}

TEST(WorkerPoolThreads, AreNamedAfterThePool) {
    struct Name {
        char text[16] = {};
        static void read(void *arg) {
            pthread_getname_np(pthread_self(), static_cast<Name *>(arg)->text, 16);
        }
    };
    for (auto [given, expected] : std::vector<std::pair<const char *, const char *>>{
             {nullptr, "pool-1"}, {"io", "io-1"}, {"a-rather-long-name", "a-rather-long-n"}}) {
        Name name;
        pool_workers_options options = worker_options(1);
        options.name = given;
        WorkerPoolUnderTest pool(options);
        ASSERT_EQ(pool_workers_submit(pool, Name::read, &name), POOL_OK);
        ASSERT_EQ(pool_workers_wait_idle(pool, POOL_FOREVER), POOL_OK);
        EXPECT_STREQ(name.text, expected);
    }
}

TEST(WorkerPoolThreads, BlockAsynchronousSignals) {
    struct Mask {
        sigset_t set;
        static void read(void *arg) {
            pthread_sigmask(SIG_SETMASK, nullptr, &static_cast<Mask *>(arg)->set);
        }
    };
    Mask mask;
    WorkerPoolUnderTest pool(worker_options(1));
    ASSERT_EQ(pool_workers_submit(pool, Mask::read, &mask), POOL_OK);
    ASSERT_EQ(pool_workers_wait_idle(pool, POOL_FOREVER), POOL_OK);
    for (int blocked : {SIGINT, SIGTERM, SIGCHLD, SIGUSR1})
        EXPECT_TRUE(sigismember(&mask.set, blocked)) << blocked;
    for (int open : {SIGSEGV, SIGABRT, SIGPROF})
        EXPECT_FALSE(sigismember(&mask.set, open)) << open;
}

TEST(WorkerPoolThreads, HaveTheStackSizeAskedFor) {
    struct Stack {
        size_t size = 0;
        static void read(void *arg) {
            pthread_attr_t attributes;
            ASSERT_EQ(pthread_getattr_np(pthread_self(), &attributes), 0);
            pthread_attr_getstacksize(&attributes, &static_cast<Stack *>(arg)->size);
            pthread_attr_destroy(&attributes);
        }
    };
    Stack stack;
    pool_workers_options options = worker_options(1);
    options.stack_size = 1 << 20;
    WorkerPoolUnderTest pool(options);
    ASSERT_EQ(pool_workers_submit(pool, Stack::read, &stack), POOL_OK);
    ASSERT_EQ(pool_workers_wait_idle(pool, POOL_FOREVER), POOL_OK);
    EXPECT_EQ(stack.size, size_t{1} << 20);
}

TEST(WorkerPoolThreads, CallTheHooksFirstAndLastAndFreeTheContextBehindThem) {
    struct Hooks {
        std::atomic<int> started{0}, exited{0}, freed{0};
        static Hooks *of(void *ctx) { return static_cast<Hooks *>(ctx); }
    };
    Hooks hooks;
    pool_workers_options options = worker_options(3);
    options.min_workers = 3;
    options.ctx = &hooks;
    options.on_thread_start = [](void *ctx) { Hooks::of(ctx)->started++; };
    options.on_thread_exit = [](void *ctx) {
        EXPECT_EQ(Hooks::of(ctx)->freed, 0);
        Hooks::of(ctx)->exited++;
    };
    options.ctx_free = [](void *ctx) { Hooks::of(ctx)->freed++; };
    pool_workers *pool = nullptr;
    ASSERT_EQ(pool_workers_create(&options, &pool), POOL_OK);
    EXPECT_EQ(pool_workers_destroy(pool), POOL_OK);
    EXPECT_EQ(hooks.started, 3);
    EXPECT_EQ(hooks.exited, 3);
    EXPECT_EQ(hooks.freed, 1);
}

TEST(WorkerPoolThreads, SurviveExceptionsFromTasksAndHooks) {
    pool_workers_options options = worker_options(1);
    options.on_thread_start = [](void *) { throw std::runtime_error("start"); };
    options.on_thread_exit = [](void *) { throw 42; };
    options.ctx_free = [](void *) { throw 43; };
    WorkerPoolUnderTest pool(options);
    ASSERT_EQ(pool_workers_submit(
                  pool, [](void *) { throw std::runtime_error("task"); }, nullptr),
              POOL_OK);
    ASSERT_EQ(pool_workers_submit(
                  pool, [](void *) { throw 1; }, nullptr),
              POOL_OK);
    ASSERT_EQ(pool_workers_submit(pool, nothing, nullptr), POOL_OK);
    ASSERT_EQ(pool_workers_wait_idle(pool, POOL_FOREVER), POOL_OK);
    EXPECT_EQ(pool.stats().failed, 2u);
    EXPECT_EQ(pool.stats().succeeded, 1u);
    EXPECT_EQ(pool.stats().workers, 1u) << "the worker went on";
}

TEST(WorkerPoolThreads, ATaskThatEndsItsThreadIsCountedAndItsWorkerReplaced) {
    std::atomic<int> exits{0};
    pool_workers_options options = worker_options(1);
    options.ctx = &exits;
    options.on_thread_exit = [](void *ctx) { ++*static_cast<std::atomic<int> *>(ctx); };
    Tally ran;
    {
        Gate gate;
        WorkerPoolUnderTest pool(options);
        pool.occupy(&gate);
        for (int i = 0; i < 20; i++) {
            ASSERT_EQ(pool_workers_submit(
                          pool, [](void *) { pthread_exit(nullptr); }, nullptr),
                      POOL_OK);
            ASSERT_EQ(pool_workers_submit(pool, Tally::raise_it, &ran), POOL_OK);
        }
        gate.open();
        ASSERT_EQ(pool_workers_wait_idle(pool, POOL_FOREVER), POOL_OK);
        EXPECT_EQ(pool.stats().failed, 20u);
        EXPECT_EQ(pool.stats().succeeded, 21u);
        ASSERT_EQ(pool_workers_submit(pool, Tally::raise_it, &ran), POOL_OK);
        ASSERT_EQ(pool_workers_wait_idle(pool, POOL_FOREVER), POOL_OK);
    }
    EXPECT_EQ(ran.value(), 21);
    EXPECT_EQ(exits, 21);
}

TEST(WorkerPoolThreads, ACancelledTaskIsCountedAndItsWorkerReplaced) {
    struct Task {
        Tally begun;
        pthread_t thread;
        CANCELLED_HERE static void run(void *arg) {
            Task *task = static_cast<Task *>(arg);
            task->thread = pthread_self();
            task->begun.raise();
            // Not in a blocking call: ThreadSanitizer loses track of a thread that is cancelled
            // there.
            for (;;)
                pthread_testcancel();
        }
    };
    Task task;
    Tally ran;
    WorkerPoolUnderTest pool(worker_options(1));
    ASSERT_EQ(pool_workers_submit(pool, Task::run, &task), POOL_OK);
    ASSERT_EQ(pool_workers_submit(pool, Tally::raise_it, &ran), POOL_OK);
    task.begun.wait_for(1);
    ASSERT_EQ(pthread_cancel(task.thread), 0);
    ASSERT_EQ(pool_workers_wait_idle(pool, POOL_FOREVER), POOL_OK);
    EXPECT_EQ(ran.value(), 1);
    EXPECT_EQ(pool.stats().failed, 1u);
}

TEST(WorkerPoolThreads, AnIdleWorkerThatIsCancelledDiesInItsNextTaskOnly) {
    struct Task {
        pthread_t thread;
        static void run(void *arg) { static_cast<Task *>(arg)->thread = pthread_self(); }
        CANCELLED_HERE static void end(void *) { pthread_testcancel(); }
    };
    Task task;
    WorkerPoolUnderTest pool(worker_options(1));
    ASSERT_EQ(pool_workers_submit(pool, Task::run, &task), POOL_OK);
    ASSERT_EQ(pool_workers_wait_idle(pool, POOL_FOREVER), POOL_OK);
    ASSERT_EQ(pthread_cancel(task.thread), 0);
    ASSERT_EQ(pool_workers_submit(
                  pool, [](void *) { pthread_testcancel(); }, nullptr),
              POOL_OK);
    ASSERT_EQ(pool_workers_wait_idle(pool, POOL_FOREVER), POOL_OK);
    EXPECT_EQ(pool.stats().failed, 1u);
    ASSERT_EQ(pool_workers_submit(pool, nothing, nullptr), POOL_OK);
    ASSERT_EQ(pool_workers_wait_idle(pool, POOL_FOREVER), POOL_OK);
    EXPECT_EQ(pool.stats().succeeded, 2u);
}

TEST(WorkerPoolThreads, ASuccessfulSubmitLeavesTheLastErrorAlone) {
    WorkerPoolUnderTest pool(worker_options(2));
    EXPECT_EQ(pool_workers_submit(nullptr, nothing, nullptr), POOL_EINVAL);
    Gate gate;
    for (int i = 0; i < 4; i++)
        ASSERT_EQ(pool_workers_submit(pool, Gate::wait_on, &gate), POOL_OK);
    EXPECT_STREQ(pool_last_error(), "the pool is NULL");
    EXPECT_EQ(pool_last_error_status(), POOL_EINVAL);
    gate.open();
}

} // namespace
