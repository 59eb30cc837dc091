// The knobs of worker pools, each value of each of them: what the replaced systems need together.
// Subpools, multi-pools and the pacer are in worker_sets_test.cpp, keys in worker_keys_test.cpp.
//
// SPDX-License-Identifier: Apache-2.0
#include "conformance/worker_pools.h"

#include <sched.h>
#include <stdexcept>

namespace {

using namespace pool_test;

// What on_drop was told.
struct Drops {
    std::mutex mutex;
    std::vector<std::pair<void *, pool_status>> calls;
    static void note(void *arg, pool_status status, void *ctx) {
        auto *self = static_cast<Drops *>(ctx);
        std::lock_guard<std::mutex> guard(self->mutex);
        self->calls.push_back({arg, status});
    }
};

TEST(WorkerKnobs, MaxWorkersIsANumberOrUnlimitedOrTheCpus) {
    WorkerPoolUnderTest some(worker_options(7)), unlimited(worker_options(POOL_WORKERS_UNLIMITED)),
        cpus(worker_options(0));
    EXPECT_EQ(some.stats().max_workers, 7u);
    EXPECT_EQ(unlimited.stats().max_workers, 65536u);
    EXPECT_GE(cpus.stats().max_workers, 1u);
    pool_workers_options options = worker_options(65537);
    pool_workers *none;
    EXPECT_EQ(pool_workers_create(&options, &none), POOL_EINVAL);
}

TEST(WorkerKnobs, MinWorkersIsNoneSomeOrAll) {
    for (uint32_t min : {0u, 2u, 4u}) {
        HandSetClock clock;
        pool_workers_options options = worker_options(4);
        options.min_workers = min;
        options.idle_timeout = kSecond;
        Gate gate;
        WorkerPoolUnderTest pool(options);
        EXPECT_EQ(pool.stats().workers, min);
        EXPECT_EQ(pool.stats().min_workers, min);
        for (int i = 0; i < 4; i++)
            pool.occupy(&gate);
        gate.open();
        let_run(pool);
        eventually([&] {
            clock.advance(kSecond);
            return pool.stats().workers == min;
        });
    }
    pool_workers_options options = worker_options(4);
    options.min_workers = 5;
    pool_workers *none;
    EXPECT_EQ(pool_workers_create(&options, &none), POOL_EINVAL);
}

TEST(WorkerKnobs, QueueCapacityIsHandOffOrANumberOrUnbounded) {
    struct {
        uint64_t capacity, holds;
    } cases[] = {{POOL_WORKERS_HANDOFF, 0},       {1, 1}, {5, 5}, {0, 65536}, {70000, 70000},
                 {POOL_WORKERS_UNBOUNDED, 100000}};
    for (auto [capacity, holds] : cases) {
        Gate gate;
        WorkerPoolUnderTest pool(worker_options(1, capacity));
        pool.occupy(&gate);
        uint64_t taken = 0;
        while (taken < holds && pool_workers_try_submit(pool, nothing, nullptr) == POOL_OK)
            taken++;
        EXPECT_EQ(taken, holds);
        EXPECT_EQ(pool.stats().waiting, holds);
        if (capacity != POOL_WORKERS_UNBOUNDED) {
            EXPECT_EQ(pool_workers_try_submit(pool, nothing, nullptr), POOL_EFULL);
        }
        gate.open();
    }
}

// A pool of one busy worker and room for one, which is taken by the first of three steps.
struct Full {
    Drops drops;
    Gate gate;
    Steps steps{3};
    WorkerPoolUnderTest pool;

    explicit Full(pool_workers_full policy) : pool(options(policy)) {
        pool.occupy(&gate);
        EXPECT_EQ(pool_workers_submit(pool, Steps::run, steps[0]), POOL_OK);
    }
    pool_workers_options options(pool_workers_full policy) {
        pool_workers_options options = worker_options(1, 1);
        options.full = policy;
        options.ctx = &drops;
        options.on_drop = Drops::note;
        return options;
    }
    std::vector<int> ran() {
        gate.open();
        let_run(pool);
        return steps.ran();
    }
};

TEST(WorkerKnobs, FullPolicyBlockWaitsForRoom) {
    Full full(POOL_WORKERS_BLOCK);
    std::thread submitter(
        [&] { EXPECT_EQ(pool_workers_submit(full.pool, Steps::run, full.steps[1]), POOL_OK); });
    eventually([&] { return full.pool.stats().blocked_submitters == 1; });
    full.gate.open();
    submitter.join();
    EXPECT_EQ(full.ran(), (std::vector<int>{0, 1}));
}

TEST(WorkerKnobs, FullPolicyFailRefuses) {
    Full full(POOL_WORKERS_FAIL);
    EXPECT_EQ(pool_workers_submit(full.pool, Steps::run, full.steps[1]), POOL_EFULL);
    EXPECT_EQ(full.pool.stats().rejected, 1u);
    EXPECT_EQ(full.ran(), (std::vector<int>{0}));
}

TEST(WorkerKnobs, FullPolicyCallerRunsRunsItOnTheSubmittersThread) {
    Full full(POOL_WORKERS_CALLER_RUNS);
    EXPECT_EQ(pool_workers_submit(full.pool, Steps::run, full.steps[1]), POOL_OK);
    EXPECT_EQ(full.steps.ran(), (std::vector<int>{1})) << "before submit returned";
    Started task(
        full.pool, [](void *arg) { pool_workers_self_result(arg); }, &full);
    EXPECT_EQ(pool_workers_task_result(task), &full) << "also with a handle";
    EXPECT_EQ(full.ran(), (std::vector<int>{1, 0}));
    EXPECT_EQ(full.pool.stats().submitted, 4u);
}

TEST(WorkerKnobs, FullPolicyDropNewestDropsTheOneThatComes) {
    Full full(POOL_WORKERS_DROP_NEWEST);
    EXPECT_EQ(pool_workers_submit(full.pool, Steps::run, full.steps[1]), POOL_OK);
    ASSERT_EQ(full.drops.calls.size(), 1u);
    EXPECT_EQ(full.drops.calls[0].first, full.steps[1]);
    EXPECT_EQ(full.drops.calls[0].second, POOL_EFULL);
    Started task(full.pool, Steps::run, full.steps[2]);
    EXPECT_EQ(task.wait(), POOL_EFULL);
    EXPECT_EQ(task.info().state, POOL_WORKERS_DROPPED);
    EXPECT_EQ(full.pool.stats().dropped, 2u);
    EXPECT_EQ(full.ran(), (std::vector<int>{0}));
}

TEST(WorkerKnobs, FullPolicyDropOldestDropsTheOneThatHasWaitedLongest) {
    Full full(POOL_WORKERS_DROP_OLDEST);
    EXPECT_EQ(pool_workers_submit(full.pool, Steps::run, full.steps[1]), POOL_OK);
    ASSERT_EQ(full.drops.calls.size(), 1u);
    EXPECT_EQ(full.drops.calls[0].first, full.steps[0]);
    EXPECT_EQ(full.drops.calls[0].second, POOL_EFULL);
    EXPECT_EQ(pool_workers_submit(full.pool, Steps::run, full.steps[2]), POOL_OK);
    EXPECT_EQ(full.pool.stats().dropped, 2u);
    EXPECT_EQ(full.ran(), (std::vector<int>{2}));
}

// There is no oldest one to drop; the header does not speak of it, but a submit must not turn for ever.
TEST(WorkerKnobs, FullPolicyDropOldestOfAHandOffPoolReturns) {
    Drops drops;
    Gate gate;
    Tally returned;
    pool_workers_options options = worker_options(1, POOL_WORKERS_HANDOFF);
    options.full = POOL_WORKERS_DROP_OLDEST;
    options.ctx = &drops;
    options.on_drop = Drops::note;
    WorkerPoolUnderTest pool(options);
    pool.occupy(&gate);
    std::thread submitter([&] {
        pool_workers_submit(pool, nothing, nullptr);
        returned.raise();
    });
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
    EXPECT_EQ(returned.value(), 1) << "the one that comes is the oldest";
    gate.open();
    submitter.join();
}

// It waits for a worker's stead, so the policy has nothing to add.
TEST(WorkerKnobs, RunHereOnAFullPoolWhereCallersRunWaitsForAWorker) {
    Full full(POOL_WORKERS_CALLER_RUNS);
    EXPECT_EQ(pool_workers_run_here(full.pool, Steps::run, full.steps[2], kMillisecond),
              POOL_ETIMEDOUT);
    std::thread caller([&] {
        EXPECT_EQ(pool_workers_run_here(full.pool, Steps::run, full.steps[1], POOL_FOREVER),
                  POOL_OK);
    });
    eventually([&] { return full.pool.stats().blocked_submitters == 1; });
    full.gate.open();
    caller.join();
    EXPECT_EQ(full.ran(), (std::vector<int>{0, 1}));
}

TEST(WorkerKnobs, TrySubmitFailsWhateverThePolicySays) {
    for (pool_workers_full policy :
         {POOL_WORKERS_BLOCK, POOL_WORKERS_FAIL, POOL_WORKERS_CALLER_RUNS, POOL_WORKERS_DROP_NEWEST,
          POOL_WORKERS_DROP_OLDEST}) {
        Full full(policy);
        EXPECT_EQ(pool_workers_try_submit(full.pool, Steps::run, full.steps[1]), POOL_EFULL);
        EXPECT_EQ(full.ran(), (std::vector<int>{0}));
    }
}

TEST(WorkerKnobs, MaxBlockedSubmittersIsAnyNumberOrABound) {
    for (uint32_t bound : {0u, 1u, 3u}) {
        Gate gate;
        pool_workers_options options = worker_options(1, 1);
        options.max_blocked = bound;
        WorkerPoolUnderTest pool(options);
        pool.occupy(&gate);
        ASSERT_EQ(pool_workers_submit(pool, nothing, nullptr), POOL_OK);
        std::vector<std::thread> threads;
        const uint64_t blocked = bound == 0 ? 6 : bound;
        for (uint64_t i = 1; i <= blocked; i++) {
            threads.emplace_back(
                [&] { EXPECT_EQ(pool_workers_submit(pool, nothing, nullptr), POOL_OK); });
            eventually([&] { return pool.stats().blocked_submitters == i; });
        }
        if (bound != 0) {
            EXPECT_EQ(pool_workers_submit(pool, nothing, nullptr), POOL_EFULL);
        }
        gate.open();
        for (std::thread &thread : threads)
            thread.join();
    }
}

// submit, try, timed, until started, and wait, here, with a start deadline, bulk, node, payload
TEST(WorkerKnobs, EverySubmitFormRunsItsTaskOnce) {
    Tally ran;
    pool_workers_options options = worker_options(2, 100);
    options.process = [](void *payload, void *, void *) -> void * {
        Tally::raise_it(payload);
        return payload;
    };
    WorkerPoolUnderTest pool(options);
    EXPECT_EQ(pool_workers_submit(pool, Tally::raise_it, &ran), POOL_OK);
    EXPECT_EQ(pool_workers_try_submit(pool, Tally::raise_it, &ran), POOL_OK);
    EXPECT_EQ(pool_workers_submit_timed(pool, Tally::raise_it, &ran, kSecond), POOL_OK);
    EXPECT_EQ(pool_workers_start_now(pool, Tally::raise_it, &ran, nullptr, POOL_FOREVER, nullptr),
              POOL_OK);
    EXPECT_EQ(pool_workers_run(pool, Tally::raise_it, &ran, POOL_FOREVER), POOL_OK);
    EXPECT_EQ(pool_workers_run_here(pool, Tally::raise_it, &ran, POOL_FOREVER), POOL_OK);
    pool_workers_task_options within = POOL_WORKERS_TASK_OPTIONS_INIT;
    within.start_within = 3600 * kSecond;
    EXPECT_EQ(pool_workers_start(pool, Tally::raise_it, &ran, &within, 0, nullptr), POOL_OK);
    std::vector<pool_workers_item> items(10, {Tally::raise_it, &ran});
    size_t accepted = 0;
    EXPECT_EQ(pool_workers_submit_bulk(pool, items.data(), items.size(), POOL_FOREVER, &accepted),
              POOL_OK);
    EXPECT_EQ(accepted, 10u);
    pool_workers_node node;
    EXPECT_EQ(pool_workers_submit_node(pool, &node, Tally::raise_it, &ran), POOL_OK);
    EXPECT_EQ(pool_workers_submit_payload(pool, &ran, POOL_FOREVER), POOL_OK);
    void *result = nullptr;
    EXPECT_EQ(pool_workers_process(pool, &ran, POOL_FOREVER, &result), POOL_OK);
    EXPECT_EQ(result, &ran);
    let_run(pool);
    EXPECT_EQ(ran.value(), 20);
}

TEST(WorkerKnobs, SubmitBulkTakesTheFirstOnesAndSaysHowMany) {
    Gate gate;
    Steps steps(5);
    std::vector<pool_workers_item> items;
    for (int i = 0; i < 5; i++)
        items.push_back({Steps::run, steps[i]});
    pool_workers_options options = worker_options(1, 3);
    options.full = POOL_WORKERS_FAIL;
    WorkerPoolUnderTest pool(options);
    pool.occupy(&gate);
    size_t accepted = 9;
    EXPECT_EQ(pool_workers_submit_bulk(pool, items.data(), 5, POOL_FOREVER, &accepted), POOL_EFULL);
    EXPECT_EQ(accepted, 3u);
    gate.open();
    let_run(pool);
    EXPECT_EQ(steps.ran(), up_to(3));
}

TEST(WorkerKnobs, IdleTimeoutNeverAndAtOnce) {
    HandSetClock clock;
    for (int64_t timeout : {int64_t{POOL_WORKERS_KEEP}, int64_t{POOL_WORKERS_AT_ONCE}}) {
        pool_workers_options options = worker_options(2);
        options.idle_timeout = timeout;
        Gate gate;
        WorkerPoolUnderTest pool(options);
        pool.occupy(&gate);
        pool.occupy(&gate);
        gate.open();
        let_run(pool);
        if (timeout == POOL_WORKERS_AT_ONCE) {
            eventually([&] { return pool.stats().workers == 0; });
        } else {
            clock.advance(1000000 * kSecond);
            std::this_thread::sleep_for(std::chrono::milliseconds(10));
            EXPECT_EQ(pool.stats().workers, 2u);
        }
    }
}

TEST(WorkerKnobs, ReapModesEndOnePerPeriodOrAllStale) {
    for (pool_workers_reap reap : {POOL_WORKERS_REAP_ONE, POOL_WORKERS_REAP_ALL}) {
        HandSetClock clock;
        pool_workers_options options = worker_options(4);
        options.idle_timeout = kSecond;
        options.reap = reap;
        Gate gate;
        WorkerPoolUnderTest pool(options);
        for (int i = 0; i < 4; i++)
            pool.occupy(&gate);
        gate.open();
        let_run(pool);
        std::this_thread::sleep_for(std::chrono::milliseconds(10)); // until all sleep
        clock.advance(kSecond);
        if (reap == POOL_WORKERS_REAP_ALL) {
            eventually([&] { return pool.stats().workers == 0; });
        } else {
            eventually([&] { return pool.stats().workers == 3; });
            std::this_thread::sleep_for(std::chrono::milliseconds(10));
            EXPECT_EQ(pool.stats().workers, 3u);
        }
    }
}

TEST(WorkerKnobs, IdleOrderIsRefusedUnlessItIsLifoOrFifo) {
    // What they do: Ants.TheWorkerThatWasBusyLast..., Grpool.TheWorkerThatHasBeenIdleLongest...
    pool_workers *none;
    for (int32_t order : {-1, 2}) {
        pool_workers_options options = worker_options(1);
        options.idle_order = order;
        EXPECT_EQ(pool_workers_create(&options, &none), POOL_EINVAL);
    }
}

TEST(WorkerKnobs, SpawnRateStartsAWorkerPerSoManyTasksButAlwaysAFirstOne) {
    pool_workers_options options = worker_options(8, 1000);
    options.spawn_rate = 5;
    Gate gate;
    WorkerPoolUnderTest pool(options);
    for (uint64_t i = 1; i <= 20; i++) {
        ASSERT_EQ(pool_workers_submit(pool, Gate::wait_on, &gate), POOL_OK);
        eventually([&] {
            pool_workers_stats stats = pool.stats();
            return stats.running + stats.waiting == i && stats.idle == 0;
        });
        EXPECT_GE(pool.stats().workers, 1u);
    }
    EXPECT_GE(pool.stats().workers, 4u);
    EXPECT_LE(pool.stats().workers, 5u);
    gate.open();
}

TEST(WorkerKnobs, WorkerHooksAreCalledFromTheFirstToTheLastInOrder) {
    struct Log {
        std::mutex mutex;
        std::vector<std::string> lines;
        void note(const char *line) {
            std::lock_guard<std::mutex> guard(mutex);
            lines.push_back(line);
        }
        static Log *of(void *ctx) { return static_cast<Log *>(ctx); }
    } log;
    pool_workers_options options = worker_options(1, 1);
    options.ctx = &log;
    options.on_thread_start = [](void *ctx) { Log::of(ctx)->note("thread start"); };
    options.on_thread_exit = [](void *ctx) { Log::of(ctx)->note("thread exit"); };
    options.state_new = [](void **state, void *ctx) -> pool_status {
        *state = ctx;
        Log::of(ctx)->note("state new");
        return POOL_OK;
    };
    options.process = [](void *payload, void *state, void *ctx) -> void * {
        EXPECT_EQ(state, ctx);
        Log::of(ctx)->note("process");
        return payload;
    };
    options.state_free = [](void *state, void *ctx) {
        EXPECT_EQ(state, ctx);
        Log::of(ctx)->note("state free");
    };
    options.on_task_begin = [](const char *name, void *, void *ctx) {
        EXPECT_STREQ(name, "");
        Log::of(ctx)->note("task begin");
    };
    options.on_task_end = [](const char *, void *, void *ctx) { Log::of(ctx)->note("task end"); };
    {
        WorkerPoolUnderTest pool(options);
        EXPECT_EQ(pool_workers_process(pool, &log, POOL_FOREVER, nullptr), POOL_OK);
    }
    EXPECT_EQ(log.lines,
              (std::vector<std::string>{"thread start", "state new", "task begin", "process",
                                        "task end", "state free", "thread exit"}));
}

TEST(WorkerKnobs, ThreadNamesStackSizeAndAffinityAreThoseAskedFor) { // A1-51
    struct Look {
        char name[16] = {};
        size_t stack = 0;
        std::vector<int> cpus;
        static void run(void *arg) {
            auto *self = static_cast<Look *>(arg);
            pthread_getname_np(pthread_self(), self->name, sizeof self->name);
            pthread_attr_t attributes;
            ASSERT_EQ(pthread_getattr_np(pthread_self(), &attributes), 0);
            pthread_attr_getstacksize(&attributes, &self->stack);
            pthread_attr_destroy(&attributes);
            cpu_set_t set;
            ASSERT_EQ(sched_getaffinity(0, sizeof set, &set), 0);
            for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
                if (CPU_ISSET(static_cast<size_t>(cpu), &set))
                    self->cpus.push_back(cpu);
        }
    } look;
    const uint32_t here = static_cast<uint32_t>(sched_getcpu());
    pool_workers_options options = worker_options(1);
    options.name = "knobs";
    options.stack_size = 1 << 20;
    options.cpus = &here;
    options.cpu_count = 1;
    options.flags = POOL_WORKERS_ONE_CPU_EACH;
    WorkerPoolUnderTest pool(options);
    EXPECT_EQ(pool_workers_run(pool, Look::run, &look, POOL_FOREVER), POOL_OK);
    EXPECT_STREQ(look.name, "knobs-1");
    EXPECT_EQ(look.stack, size_t{1} << 20);
    EXPECT_EQ(look.cpus, (std::vector<int>{static_cast<int>(here)}));
}

TEST(WorkerKnobs, PanicPolicyCapturesCallsTheHandlerAndKeepsTheWorker) {
    struct Handler {
        int calls = 0;
        std::string message;
        static void call(void *, int32_t, const char *message, void *ctx) {
            static_cast<Handler *>(ctx)->calls++;
            static_cast<Handler *>(ctx)->message = message;
        }
    } handler;
    pool_workers_options options = worker_options(1);
    options.ctx = &handler;
    options.on_failed = Handler::call;
    WorkerPoolUnderTest pool(options);
    Started task(
        pool, [](void *) { throw std::runtime_error("knob"); }, nullptr);
    EXPECT_EQ(task.wait(), POOL_ETASK);
    EXPECT_STREQ(task.info().message, "knob");
    let_run(pool);
    EXPECT_EQ(handler.calls, 1);
    EXPECT_EQ(handler.message, "knob");
    EXPECT_EQ(pool.stats().started, 1u);
}

TEST(WorkerKnobs, CountersSayWhereEveryTaskIs) {
    Gate gate;
    pool_workers_options options = worker_options(1, 2);
    options.min_workers = 1;
    WorkerPoolUnderTest pool(options);
    pool.occupy(&gate);
    Started cancelled(pool, nothing, nullptr);
    Started waiting(pool, nothing, nullptr);
    EXPECT_EQ(pool_workers_try_submit(pool, nothing, nullptr), POOL_EFULL);
    std::thread blocked([&] { EXPECT_EQ(pool_workers_submit(pool, nothing, nullptr), POOL_OK); });
    eventually([&] { return pool.stats().blocked_submitters == 1; });
    pool_workers_stats stats = pool.stats();
    EXPECT_EQ(stats.submitted, 3u);
    EXPECT_EQ(stats.waiting, 2u);
    EXPECT_EQ(stats.running, 1u);
    EXPECT_EQ(stats.idle, 0u);
    EXPECT_EQ(stats.rejected, 1u);
    EXPECT_EQ(stats.max_workers, 1u);
    EXPECT_EQ(stats.queue_capacity, 2u);
    EXPECT_GT(stats.memory_bytes, 0u);
    cancelled.cancel();
    EXPECT_EQ(pool.stats().cancelled, 1u);
    gate.open();
    blocked.join();
    let_run(pool);
    EXPECT_EQ(pool.stats().succeeded, 3u);
    EXPECT_EQ(pool.stats().idle, 1u);
}

} // namespace
