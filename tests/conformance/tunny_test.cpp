// Jeffail/tunny: what a program that used it may rely on here.
//
// SPDX-License-Identifier: Apache-2.0
//
//     tunny.New(n, ctor)           options.min_workers = max_workers = n, queue_capacity =
//                                  POOL_WORKERS_HANDOFF, and the functions of a worker's state:
//     Worker.Process, Interrupt        process, interrupt
//     BlockUntilReady, Terminate       ready, state_free
//     tunny.NewFunc(n, f)          process = f alone
//     tunny.NewCallback(n)         none of them; pool_workers_run
//     p.Process(x)                 pool_workers_process(p, x, POOL_FOREVER, &result)
//     p.ProcessTimed(x, d)         the same with d
//     p.QueueLength()              pool_workers_stats: blocked_submitters + waiting + running
//     p.SetSize(n)                 pool_workers_resize(p, n, n)
//     p.Close()                    pool_workers_stop with POOL_WORKERS_DISCARD, pool_workers_destroy
//     ErrPoolNotRunning, ErrJobTimedOut    POOL_ECLOSED, POOL_ETIMEDOUT
//
// Other than there: callers that wait are served in the order in which they came; a smaller size does
// not block who sets it; a size of 0 is refused; nothing panics.
#include "conformance/worker_pools.h"

#include <set>
#include <stdexcept>

namespace {

using namespace pool_test;

// Workers with a state, of which all is noted. Every function gets the Shop as its ctx.
struct Shop {
    struct Bench {
        Shop *shop;
        std::thread::id thread;
        int served = 0;
    };

    std::atomic<int> made{0}, freed{0}, ready{0}, interrupts{0};
    std::atomic<int> to_fail{0}; // that many constructors fail
    std::mutex mutex;
    std::set<void *> states;
    std::atomic<std::thread::id> interrupter{}, processor{};

    static Shop *of(void *ctx) { return static_cast<Shop *>(ctx); }

    pool_workers_options options(uint32_t workers) {
        pool_workers_options options = worker_options(workers, POOL_WORKERS_HANDOFF);
        options.min_workers = workers;
        options.ctx = this;
        options.state_new = [](void **state, void *ctx) -> pool_status {
            if (of(ctx)->to_fail-- > 0)
                return 17;
            *state = new Bench{of(ctx), std::this_thread::get_id()};
            of(ctx)->made++;
            std::lock_guard<std::mutex> guard(of(ctx)->mutex);
            of(ctx)->states.insert(*state);
            return POOL_OK;
        };
        options.ready = [](void *, void *ctx) { of(ctx)->ready++; };
        options.process = [](void *payload, void *state, void *) -> void * {
            static_cast<Bench *>(state)->served++;
            EXPECT_EQ(static_cast<Bench *>(state)->thread, std::this_thread::get_id());
            EXPECT_EQ(pool_workers_self_state(), state);
            return payload;
        };
        options.interrupt = [](void *state, void *ctx) {
            EXPECT_EQ(static_cast<Bench *>(state)->shop, of(ctx));
            of(ctx)->interrupter = std::this_thread::get_id();
            of(ctx)->interrupts++;
        };
        options.state_free = [](void *state, void *ctx) {
            EXPECT_EQ(static_cast<Bench *>(state)->thread, std::this_thread::get_id());
            delete static_cast<Bench *>(state);
            of(ctx)->freed++;
        };
        return options;
    }
};

// A process that stays until the payload lets it go.
void *stay(void *payload, void *, void *ctx) {
    if (payload != nullptr) {
        Shop::of(ctx)->processor = std::this_thread::get_id();
        Stay::run(payload);
    }
    return payload;
}

// A1-3, 5 and 6, TestCustomWorker
TEST(Tunny, EveryWorkerHasAStateOfItsOwnFromItsStartToItsEnd) {
    Shop shop;
    {
        WorkerPoolUnderTest pool(shop.options(5));
        EXPECT_EQ(shop.made, 5);
        EXPECT_EQ(shop.states.size(), 5u);
        for (int i = 0; i < 10; i++) {
            void *result = nullptr;
            EXPECT_EQ(pool_workers_process(pool, &shop, POOL_FOREVER, &result), POOL_OK);
            EXPECT_EQ(result, &shop);
        }
        EXPECT_EQ(shop.freed, 0);
    }
    EXPECT_EQ(shop.freed, 5);
    EXPECT_EQ(pool_workers_self_state(), nullptr) << "this is no worker";
}

// A1-2 and 17, TestFuncJob
TEST(Tunny, ProcessReturnsWhatTheFixedFunctionMadeOfThePayload) {
    pool_workers_options options = worker_options(3, POOL_WORKERS_HANDOFF);
    options.min_workers = 3;
    options.process = [](void *payload, void *state, void *) -> void * {
        EXPECT_EQ(state, nullptr);
        return static_cast<char *>(payload) + 1;
    };
    char payload[2];
    WorkerPoolUnderTest pool(options);
    std::vector<std::thread> callers;
    for (int i = 0; i < 8; i++)
        callers.emplace_back([&] {
            for (int call = 0; call < 100; call++) {
                void *result = nullptr;
                ASSERT_EQ(pool_workers_process(pool, payload, POOL_FOREVER, &result), POOL_OK);
                ASSERT_EQ(result, payload + 1);
            }
        });
    for (std::thread &caller : callers)
        caller.join();
}

// A1-1, NewCallback: the payload is the function.
TEST(Tunny, ACallbackPoolRunsWhateverItIsGivenAndWaitsForIt) {
    pool_workers_options options = worker_options(2, POOL_WORKERS_HANDOFF);
    options.min_workers = 2;
    Tally ran;
    WorkerPoolUnderTest pool(options);
    for (int i = 1; i <= 10; i++) {
        EXPECT_EQ(pool_workers_run(pool, Tally::raise_it, &ran, POOL_FOREVER), POOL_OK);
        EXPECT_EQ(ran.value(), i);
    }
    EXPECT_EQ(pool_workers_run(pool, nullptr, nullptr, POOL_FOREVER), POOL_EINVAL)
        << "ErrJobNotFunc";
}

// A1-14, TestTimeout: while it waits for a worker.
TEST(Tunny, AProcessThatTimesOutBeforeItBeganNeverRuns) {
    Shop shop;
    Stay busy, late;
    pool_workers_options options = shop.options(1);
    options.process = stay;
    WorkerPoolUnderTest pool(options);
    std::thread caller(
        [&] { EXPECT_EQ(pool_workers_process(pool, &busy, POOL_FOREVER, nullptr), POOL_OK); });
    busy.begun.wait_for(1);
    void *result = &shop;
    EXPECT_EQ(pool_workers_process(pool, &late, kMillisecond, &result), POOL_ETIMEDOUT);
    EXPECT_EQ(result, nullptr);
    EXPECT_EQ(shop.interrupts, 0);
    busy.gate.open();
    caller.join();
    void *after = nullptr;
    EXPECT_EQ(pool_workers_process(pool, nullptr, POOL_FOREVER, &after), POOL_OK);
    EXPECT_EQ(late.begun.value(), 0);
}

// A1-14 and 26, TestTimedProcess: while it runs.
TEST(Tunny, AProcessThatTimesOutIsInterruptedByTheCallerAndItsWorkerStaysBusyUntilItReturns) {
    Shop shop;
    Stay busy;
    pool_workers_options options = shop.options(1);
    options.process = stay;
    WorkerPoolUnderTest pool(options);
    std::atomic<std::thread::id> caller_id{};
    std::thread caller([&] {
        caller_id = std::this_thread::get_id();
        void *result = &shop;
        EXPECT_EQ(pool_workers_process(pool, &busy, 20 * kMillisecond, &result), POOL_ETIMEDOUT);
        EXPECT_EQ(result, nullptr) << "the later result is lost";
    });
    caller.join();
    if (busy.begun.value() == 0)
        GTEST_SKIP() << "the machine was too slow for it to begin";
    EXPECT_EQ(shop.interrupts, 1);
    EXPECT_EQ(shop.interrupter.load(), caller_id.load());
    EXPECT_EQ(pool.stats().running, 1u);
    EXPECT_EQ(pool_workers_process(pool, nullptr, 0, nullptr), POOL_ETIMEDOUT);
    busy.gate.open();
    EXPECT_EQ(pool_workers_process(pool, nullptr, POOL_FOREVER, nullptr), POOL_OK);
}

// A1-26: a worker may look at a flag, too, instead of having an interrupt.
TEST(Tunny, AProcessThatTimesOutSeesThatItIsCancelled) {
    Tally begun, saw;
    struct Both {
        Tally *begun, *saw;
    } both{&begun, &saw};
    pool_workers_options options = worker_options(1, POOL_WORKERS_HANDOFF);
    options.process = [](void *payload, void *, void *) -> void * {
        auto *tallies = static_cast<Both *>(payload);
        tallies->begun->raise();
        eventually([] { return pool_workers_self_cancelled() != 0; });
        tallies->saw->raise();
        return nullptr;
    };
    WorkerPoolUnderTest pool(options);
    EXPECT_EQ(pool_workers_process(pool, &both, 5 * kMillisecond, nullptr), POOL_ETIMEDOUT);
    if (begun.value() != 0)
        saw.wait_for(1);
}

// A1-46
TEST(Tunny, TheQueueLengthCountsCallersThatWaitAndThoseThatAreServed) {
    Shop shop;
    Stay busy;
    pool_workers_options options = shop.options(1);
    options.process = stay;
    WorkerPoolUnderTest pool(options);
    auto length = [&] {
        pool_workers_stats stats = pool.stats();
        return stats.blocked_submitters + stats.waiting + stats.running;
    };
    EXPECT_EQ(length(), 0u);
    std::vector<std::thread> callers;
    for (uint64_t i = 1; i <= 4; i++) {
        callers.emplace_back([&, i] {
            void *payload = i == 1 ? &busy : nullptr;
            EXPECT_EQ(pool_workers_process(pool, payload, POOL_FOREVER, nullptr), POOL_OK);
        });
        if (i == 1)
            busy.begun.wait_for(1);
        eventually([&] { return length() == i; });
    }
    busy.gate.open();
    for (std::thread &caller : callers)
        caller.join();
    let_run(pool);
    EXPECT_EQ(length(), 0u);
}

// A1-28, TestSetSize
TEST(Tunny, SetSizeMakesWorkersAtOnceAndFreesThoseThatAreTooMany) {
    Shop shop;
    WorkerPoolUnderTest pool(shop.options(2));
    ASSERT_EQ(pool_workers_resize(pool, 6, 6), POOL_OK);
    EXPECT_EQ(shop.made, 6);
    EXPECT_EQ(seen(pool).workers, 6u) << "A1-45: GetSize";
    ASSERT_EQ(pool_workers_resize(pool, 1, 1), POOL_OK);
    eventually([&] { return shop.freed == 5; });
    eventually([&] { return seen(pool).workers == 1; });
    EXPECT_EQ(pool_workers_process(pool, &shop, POOL_FOREVER, nullptr), POOL_OK);
    EXPECT_EQ(pool_workers_resize(pool, 0, 0), POOL_EINVAL);
}

// There SetSize waits for them.
TEST(Tunny, SetSizeDownDoesNotWaitForABusyWorkerWhichLeavesBehindItsTask) {
    Shop shop;
    Stay busy[2];
    pool_workers_options options = shop.options(2);
    options.process = stay;
    WorkerPoolUnderTest pool(options);
    for (Stay &payload : busy) {
        ASSERT_EQ(pool_workers_submit_payload(pool, &payload, POOL_FOREVER), POOL_OK);
        payload.begun.wait_for(1);
    }
    ASSERT_EQ(pool_workers_resize(pool, 1, 1), POOL_OK);
    EXPECT_EQ(shop.freed, 0);
    for (Stay &payload : busy)
        payload.gate.open();
    eventually([&] { return shop.freed == 1; });
    EXPECT_EQ(pool_workers_process(pool, nullptr, POOL_FOREVER, nullptr), POOL_OK);
}

// BlockUntilReady
TEST(Tunny, AWorkerThatIsNotReadyIsOutOfServiceAndOthersServeInItsStead) {
    struct Blocking {
        std::atomic<int> asked{0};
        Gate gate;
        static void ready(void *, void *ctx) {
            auto *self = static_cast<Blocking *>(ctx);
            if (self->asked++ == 0)
                self->gate.wait();
        }
    } blocking;
    pool_workers_options options = worker_options(2, POOL_WORKERS_HANDOFF);
    options.min_workers = 2;
    options.ctx = &blocking;
    options.ready = Blocking::ready;
    options.process = [](void *payload, void *, void *) { return payload; };
    WorkerPoolUnderTest pool(options);
    eventually([&] { return blocking.asked >= 2; });
    for (int i = 0; i < 5; i++) {
        void *result = nullptr;
        EXPECT_EQ(pool_workers_process(pool, &blocking, POOL_FOREVER, &result), POOL_OK);
        EXPECT_EQ(result, &blocking);
    }
    EXPECT_GE(blocking.asked, 5) << "asked before each task";
    blocking.gate.open();
}

// Also one that sees a task arrive while it looks for one, or that has slept meanwhile.
TEST(Tunny, AWorkerIsAskedOnceForEachTask) {
    Shop shop;
    pool_workers_options options = shop.options(1);
    WorkerPoolUnderTest pool(options);
    for (int tasks = 0; tasks < 2000; tasks++) {
        eventually([&] { return shop.ready > tasks; });
        ASSERT_EQ(shop.ready, tasks + 1);
        if (tasks % 200 == 0)
            std::this_thread::sleep_for(std::chrono::milliseconds(2));
        ASSERT_EQ(pool_workers_process(pool, nullptr, POOL_FOREVER, nullptr), POOL_OK);
    }
}

TEST(Tunny, AConstructorThatFailsLeavesThePoolWithoutThatWorker) {
    Shop shop;
    shop.to_fail = 1;
    pool_workers_options options = shop.options(2);
    pool_workers *none = nullptr;
    EXPECT_EQ(pool_workers_create(&options, &none), POOL_ENOTHREAD);
    EXPECT_EQ(none, nullptr);
    EXPECT_EQ(shop.made, shop.freed);
    options.min_workers = 0;
    WorkerPoolUnderTest pool(options);
    shop.to_fail = 1;
    EXPECT_EQ(pool_workers_process(pool, &shop, POOL_FOREVER, nullptr), POOL_ENOTHREAD);
    EXPECT_EQ(pool_workers_process(pool, &shop, POOL_FOREVER, nullptr), POOL_OK)
        << "the next one succeeds";
    EXPECT_EQ(pool.stats().start_fails, 1u);
}

// A1-34. There the process dies.
TEST(Tunny, AProcessThatThrowsFailsForItsCallerAlone) {
    pool_workers_options options = worker_options(1, POOL_WORKERS_HANDOFF);
    options.process = [](void *payload, void *, void *) -> void * {
        if (payload == nullptr)
            throw std::runtime_error("no payload");
        return payload;
    };
    WorkerPoolUnderTest pool(options);
    EXPECT_EQ(pool_workers_process(pool, nullptr, POOL_FOREVER, nullptr), POOL_ETASK);
    EXPECT_NE(std::string(pool_last_error()).find("no payload"), std::string::npos);
    EXPECT_EQ(pool_workers_process(pool, &options, POOL_FOREVER, nullptr), POOL_OK);
}

// A1-40 and 41; ErrWorkerClosed. There Process panics, and so does a second Close.
TEST(Tunny, AfterCloseEveryProcessFailsAndThoseThatWaitDoAtOnce) {
    Shop shop;
    Stay busy;
    pool_workers_options options = shop.options(1);
    options.process = stay;
    WorkerPoolUnderTest pool(options);
    ASSERT_EQ(pool_workers_submit_payload(pool, &busy, POOL_FOREVER), POOL_OK);
    busy.begun.wait_for(1);
    std::thread waiting([&] {
        EXPECT_EQ(pool_workers_process(pool, nullptr, POOL_FOREVER, nullptr), POOL_ECLOSED);
    });
    eventually([&] { return pool.stats().blocked_submitters == 1; });
    EXPECT_EQ(pool_workers_stop(pool, POOL_WORKERS_DISCARD, 0, nullptr), POOL_ETIMEDOUT);
    waiting.join();
    EXPECT_EQ(pool_workers_process(pool, nullptr, POOL_FOREVER, nullptr), POOL_ECLOSED);
    EXPECT_EQ(pool_workers_process(pool, nullptr, kMillisecond, nullptr), POOL_ECLOSED);
    busy.gate.open();
    for (int i = 0; i < 2; i++)
        EXPECT_EQ(pool_workers_stop(pool, POOL_WORKERS_DISCARD, POOL_FOREVER, nullptr), POOL_OK);
    eventually([&] { return shop.freed == 1; });
}

} // namespace
