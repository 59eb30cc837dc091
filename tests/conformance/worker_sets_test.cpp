// Subpools (pond v2), multi-pools (ants) and the pacer (gammazero/workerpool): what programs that used
// them may rely on here.
//
// SPDX-License-Identifier: Apache-2.0
//
//     pool.NewSubpool(n)               pool_workers_create_sub
//     ants.NewMultiPool(n, size, lbs)  pool_workers_multi_create
//     mp.Submit(f)                     pool_workers_multi_submit
//     mp.RunningByIndex(i), ...        pool_workers_get_stats of pool_workers_multi_pool(mp, i)
//     mp.ReleaseTimeout(d), Reboot     pool_workers_multi_stop; pool_workers_restart of each
//     pacer.NewPacer(d)                pool_workers_pacer_create
//     p.Pace(f), p.Next()              pool_workers_pacer_wait first of all
//     p.Pause, Resume, Stop            pool_workers_pacer_pause, _resume, _stop
#include "conformance/worker_pools.h"
#include "pool/worker_sets.h"

namespace {

using namespace pool_test;

// ---- subpools: A1-43 ------------------------------------------------------------------------

class SubpoolUnderTest {
public:
    SubpoolUnderTest(pool_workers *parent, uint32_t max, uint64_t capacity = 0,
                     pool_workers_full full = POOL_WORKERS_BLOCK) {
        pool_workers_options options = worker_options(max, capacity);
        options.full = full;
        EXPECT_EQ(pool_workers_create_sub(parent, &options, &pool_), POOL_OK) << pool_last_error();
    }
    ~SubpoolUnderTest() { EXPECT_EQ(pool_workers_destroy(pool_), POOL_OK); }
    SubpoolUnderTest(const SubpoolUnderTest &) = delete;
    SubpoolUnderTest &operator=(const SubpoolUnderTest &) = delete;
    operator pool_workers *() const { return pool_; }

private:
    pool_workers *pool_ = nullptr;
};

TEST(PondSubpool, RunsOnTheWorkersOfItsParentOnAtMostSoManyAtOnce) {
    Gate gate;
    WorkerPoolUnderTest parent(worker_options(5));
    SubpoolUnderTest sub(parent, 2);
    for (int i = 0; i < 6; i++)
        ASSERT_EQ(pool_workers_submit(sub, Gate::wait_on, &gate), POOL_OK);
    eventually([&] { return seen(sub).running == 2; });
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    EXPECT_EQ(seen(sub).running, 2u);
    EXPECT_EQ(seen(sub).waiting, 4u);
    EXPECT_EQ(seen(sub).max_workers, 2u);
    EXPECT_EQ(seen(parent).running, 2u);
    Tally ran;
    ASSERT_EQ(pool_workers_submit(parent, Tally::raise_it, &ran), POOL_OK);
    ran.wait_for(1); // the parent has workers left
    gate.open();
    let_run(sub);
    EXPECT_EQ(seen(sub).succeeded, 6u);
}

TEST(PondSubpool, OfZeroMayUseAllWorkersAndOfMoreThanTheParentIsRefused) {
    Gate gate;
    WorkerPoolUnderTest parent(worker_options(3));
    {
        SubpoolUnderTest sub(parent, 0);
        for (int i = 0; i < 4; i++)
            ASSERT_EQ(pool_workers_submit(sub, Gate::wait_on, &gate), POOL_OK);
        eventually([&] { return seen(sub).running == 3; });
        gate.open();
        let_run(sub);
    }
    pool_workers_options options = worker_options(4);
    pool_workers *sub = nullptr;
    EXPECT_EQ(pool_workers_create_sub(parent, &options, &sub), POOL_EINVAL);
    options = worker_options(1);
    options.min_workers = 1;
    EXPECT_EQ(pool_workers_create_sub(parent, &options, &sub), POOL_EINVAL);
    EXPECT_EQ(pool_workers_create_sub(nullptr, nullptr, &sub), POOL_EINVAL);
    SubpoolUnderTest good(parent, 1);
    EXPECT_EQ(pool_workers_create_sub(good, nullptr, &sub), POOL_EINVAL) << "of a subpool";
    EXPECT_EQ(sub, nullptr);
}

TEST(PondSubpool, CountsItsTasksAndSoDoesTheParent) {
    Gate gate;
    WorkerPoolUnderTest parent(worker_options(2));
    SubpoolUnderTest sub(parent, 1);
    Started running(sub, Gate::wait_on, &gate);
    eventually([&] { return seen(sub).running == 1; });
    Started failing(
        sub, [](void *) { throw 1; }, nullptr),
        good(sub, nothing, nullptr);
    EXPECT_EQ(seen(sub).waiting, 2u);
    gate.open();
    EXPECT_EQ(failing.wait(), POOL_ETASK);
    EXPECT_EQ(good.wait(), POOL_OK);
    let_run(sub);
    let_run(parent);
    EXPECT_EQ(seen(sub).submitted, 3u);
    EXPECT_EQ(seen(sub).succeeded, 2u);
    EXPECT_EQ(seen(sub).failed, 1u);
    EXPECT_EQ(seen(parent).submitted, 3u);
    EXPECT_EQ(seen(parent).succeeded + seen(parent).failed, 3u);
    EXPECT_EQ(seen(parent).running + seen(parent).waiting, 0u);
}

TEST(PondSubpool, HasABoundAndAPolicyOfItsOwn) {
    Gate gate;
    WorkerPoolUnderTest parent(worker_options(2, POOL_WORKERS_UNBOUNDED));
    SubpoolUnderTest sub(parent, 1, 2, POOL_WORKERS_FAIL);
    ASSERT_EQ(pool_workers_submit(sub, Gate::wait_on, &gate), POOL_OK);
    eventually([&] { return seen(sub).running == 1; });
    EXPECT_EQ(pool_workers_submit(sub, nothing, nullptr), POOL_OK);
    EXPECT_EQ(pool_workers_submit(sub, nothing, nullptr), POOL_OK);
    EXPECT_EQ(pool_workers_submit(sub, nothing, nullptr), POOL_EFULL);
    EXPECT_EQ(pool_workers_submit(parent, nothing, nullptr), POOL_OK);
    gate.open();
    let_run(sub);
}

TEST(PondSubpool, StoppedLeavesTheParentAlone) {
    Tally ran;
    WorkerPoolUnderTest parent(worker_options(2));
    SubpoolUnderTest sub(parent, 1);
    for (int i = 0; i < 20; i++)
        ASSERT_EQ(pool_workers_submit(sub, Tally::raise_it, &ran), POOL_OK);
    EXPECT_EQ(pool_workers_stop(sub, POOL_WORKERS_DRAIN, POOL_FOREVER, nullptr), POOL_OK);
    EXPECT_EQ(ran.value(), 20);
    EXPECT_EQ(pool_workers_submit(sub, nothing, nullptr), POOL_ECLOSED);
    EXPECT_EQ(pool_workers_submit(parent, Tally::raise_it, &ran), POOL_OK);
    ran.wait_for(21);
    ASSERT_EQ(pool_workers_restart(sub), POOL_OK);
    EXPECT_EQ(pool_workers_run(sub, Tally::raise_it, &ran, POOL_FOREVER), POOL_OK);
}

TEST(PondSubpool, IsRefusedOnceTheParentIsStopped) {
    WorkerPoolUnderTest parent(worker_options(2));
    SubpoolUnderTest sub(parent, 1);
    EXPECT_EQ(pool_workers_stop(parent, POOL_WORKERS_DRAIN, POOL_FOREVER, nullptr), POOL_OK);
    EXPECT_EQ(pool_workers_submit(sub, nothing, nullptr), POOL_ECLOSED);
    pool_workers *late = nullptr;
    EXPECT_EQ(pool_workers_create_sub(parent, nullptr, &late), POOL_ECLOSED);
    EXPECT_EQ(pool_workers_destroy(parent), POOL_EMISUSE) << "it has a subpool";
}

TEST(PondSubpool, CanBePausedAndResizedByItself) {
    Gate gate;
    Tally ran;
    WorkerPoolUnderTest parent(worker_options(3));
    SubpoolUnderTest sub(parent, 1);
    ASSERT_EQ(pool_workers_pause(sub, POOL_FOREVER), POOL_OK);
    ASSERT_EQ(pool_workers_submit(sub, Tally::raise_it, &ran), POOL_OK);
    EXPECT_EQ(pool_workers_run(parent, nothing, nullptr, POOL_FOREVER), POOL_OK);
    EXPECT_EQ(ran.value(), 0);
    ASSERT_EQ(pool_workers_resume(sub), POOL_OK);
    ran.wait_for(1);
    for (int i = 0; i < 3; i++)
        ASSERT_EQ(pool_workers_submit(sub, Gate::wait_on, &gate), POOL_OK);
    eventually([&] { return seen(sub).running == 1; });
    ASSERT_EQ(pool_workers_resize(sub, 0, 3), POOL_OK);
    eventually([&] { return seen(sub).running == 3; });
    gate.open();
    let_run(sub);
}

TEST(PondSubpool, OfAHandOffPoolLeavesItAsItWas) {
    Tally ran;
    WorkerPoolUnderTest parent(worker_options(2, POOL_WORKERS_HANDOFF));
    SubpoolUnderTest sub(parent, 2);
    for (int i = 0; i < 20; i++)
        ASSERT_EQ(pool_workers_submit(sub, Tally::raise_it, &ran), POOL_OK);
    let_run(sub);
    let_run(parent);
    Gate gate;
    for (int i = 0; i < 2; i++)
        EXPECT_EQ(pool_workers_submit_timed(parent, Gate::wait_on, &gate, 5 * kSecond), POOL_OK);
    EXPECT_EQ(pool_workers_try_submit(parent, nothing, nullptr), POOL_EFULL);
    gate.open();
    EXPECT_EQ(ran.value(), 20);
}

// libuv#382: one class of slow tasks must not take all workers.
TEST(PondSubpool, AClassOfSlowTasksLeavesWorkersToTheOthers) {
    Gate gate;
    WorkerPoolUnderTest parent(worker_options(2));
    SubpoolUnderTest slow(parent, 1), fast(parent, 2);
    for (int i = 0; i < 50; i++)
        ASSERT_EQ(pool_workers_submit(slow, Gate::wait_on, &gate), POOL_OK);
    eventually([&] { return seen(slow).running == 1; });
    for (int i = 0; i < 50; i++)
        ASSERT_EQ(pool_workers_run(fast, nothing, nullptr, POOL_FOREVER), POOL_OK);
    EXPECT_EQ(seen(slow).succeeded, 0u);
    gate.open();
    let_run(slow);
}

// ---- multi-pools: A1-42 ---------------------------------------------------------------------

class MultiUnderTest {
public:
    MultiUnderTest(uint32_t count, pool_workers_balance balance, pool_workers_options options) {
        EXPECT_EQ(pool_workers_multi_create(count, balance, &options, &multi_), POOL_OK);
    }
    ~MultiUnderTest() { EXPECT_EQ(pool_workers_multi_destroy(multi_), POOL_OK); }
    MultiUnderTest(const MultiUnderTest &) = delete;
    MultiUnderTest &operator=(const MultiUnderTest &) = delete;
    operator pool_workers_multi *() const { return multi_; }
    pool_workers_stats at(uint32_t index) const {
        return seen(pool_workers_multi_pool(multi_, index));
    }

private:
    pool_workers_multi *multi_ = nullptr;
};

TEST(AntsMultiPool, RoundRobinBeginsWithTheFirstAndGivesEachItsTurn) {
    Gate gate;
    MultiUnderTest multi(3, POOL_WORKERS_ROUND_ROBIN, worker_options(2));
    for (uint64_t i = 0; i < 6; i++) {
        ASSERT_EQ(pool_workers_multi_submit(multi, Gate::wait_on, &gate), POOL_OK);
        eventually([&] { return multi.at(static_cast<uint32_t>(i % 3)).running == 1 + i / 3; });
    }
    gate.open();
}

TEST(AntsMultiPool, LeastTasksTakesTheOneWithTheFewestTasks) {
    Gate gate;
    MultiUnderTest multi(3, POOL_WORKERS_LEAST_TASKS, worker_options(1));
    for (uint32_t busy : {0u, 2u})
        ASSERT_EQ(pool_workers_submit(pool_workers_multi_pool(multi, busy), Gate::wait_on, &gate),
                  POOL_OK);
    eventually([&] { return multi.at(0).running + multi.at(2).running == 2; });
    ASSERT_EQ(pool_workers_multi_submit(multi, Gate::wait_on, &gate), POOL_OK);
    EXPECT_EQ(multi.at(1).submitted, 1u);
    gate.open();
}

TEST(AntsMultiPool, AnOverloadedTurnIsRetriedOnceWithTheFewestTasks) {
    Gate gate;
    pool_workers_options options = worker_options(1, POOL_WORKERS_HANDOFF);
    options.full = POOL_WORKERS_FAIL;
    MultiUnderTest multi(2, POOL_WORKERS_ROUND_ROBIN, options);
    ASSERT_EQ(pool_workers_submit(pool_workers_multi_pool(multi, 0), Gate::wait_on, &gate),
              POOL_OK);
    eventually([&] { return multi.at(0).running == 1; });
    EXPECT_EQ(pool_workers_multi_submit(multi, Gate::wait_on, &gate), POOL_OK)
        << "its turn is full";
    eventually([&] { return multi.at(1).running == 1; });
    EXPECT_EQ(pool_workers_multi_submit(multi, nothing, nullptr), POOL_EFULL);
    EXPECT_EQ(pool_workers_multi_try_submit(multi, nothing, nullptr), POOL_EFULL);
    gate.open();
}

TEST(AntsMultiPool, InvalidSizesStrategiesAndIndexesAreRefused) {
    pool_workers_multi *none = nullptr;
    pool_workers_options options = worker_options(1);
    EXPECT_EQ(pool_workers_multi_create(0, POOL_WORKERS_ROUND_ROBIN, &options, &none), POOL_EINVAL);
    EXPECT_EQ(pool_workers_multi_create(1025, POOL_WORKERS_ROUND_ROBIN, &options, &none),
              POOL_EINVAL);
    EXPECT_EQ(pool_workers_multi_create(2, 3, &options, &none), POOL_EINVAL);
    EXPECT_EQ(none, nullptr);
    MultiUnderTest multi(2, POOL_WORKERS_ROUND_ROBIN, options);
    EXPECT_EQ(pool_workers_multi_count(multi), 2u);
    EXPECT_NE(pool_workers_multi_pool(multi, 1), nullptr);
    EXPECT_EQ(pool_workers_multi_pool(multi, 2), nullptr);
}

TEST(AntsMultiPool, StopStopsAllAndItsReportIsTheirSum) {
    Gate gate;
    MultiUnderTest multi(2, POOL_WORKERS_ROUND_ROBIN, worker_options(1));
    for (int i = 0; i < 6; i++)
        ASSERT_EQ(pool_workers_multi_submit(multi, Gate::wait_on, &gate), POOL_OK);
    eventually([&] { return multi.at(0).running + multi.at(1).running == 2; });
    pool_workers_report report = empty_report();
    EXPECT_EQ(pool_workers_multi_stop(multi, POOL_WORKERS_DISCARD, 0, &report), POOL_ETIMEDOUT);
    EXPECT_EQ(report.running, 2u);
    EXPECT_EQ(report.discarded, 4u);
    EXPECT_EQ(pool_workers_multi_submit(multi, nothing, nullptr), POOL_ECLOSED);
    gate.open();
    EXPECT_EQ(pool_workers_multi_stop(multi, POOL_WORKERS_DISCARD, POOL_FOREVER, &report), POOL_OK);
    EXPECT_EQ(report.ran, 2u);
    for (uint32_t i = 0; i < 2; i++) // Reboot
        ASSERT_EQ(pool_workers_restart(pool_workers_multi_pool(multi, i)), POOL_OK);
    EXPECT_EQ(pool_workers_multi_submit(multi, nothing, nullptr), POOL_OK);
}

// ---- the pacer: A1-50 -----------------------------------------------------------------------

class PacerUnderTest {
public:
    explicit PacerUnderTest(int64_t distance) {
        EXPECT_EQ(pool_workers_pacer_create(distance, &pacer_), POOL_OK);
    }
    ~PacerUnderTest() { pool_workers_pacer_destroy(pacer_); }
    PacerUnderTest(const PacerUnderTest &) = delete;
    PacerUnderTest &operator=(const PacerUnderTest &) = delete;
    operator pool_workers_pacer *() const { return pacer_; }

private:
    pool_workers_pacer *pacer_ = nullptr;
};

TEST(GammazeroPacer, TheFirstStartIsImmediateAndTheNextOneADistanceLater) {
    HandSetClock clock;
    PacerUnderTest pacer(kSecond);
    EXPECT_EQ(pool_workers_pacer_wait(pacer, 0), POOL_OK);
    EXPECT_EQ(pool_workers_pacer_wait(pacer, 0), POOL_ETIMEDOUT);
    clock.advance(kSecond - 1);
    EXPECT_EQ(pool_workers_pacer_wait(pacer, 0), POOL_ETIMEDOUT);
    clock.advance(1);
    EXPECT_EQ(pool_workers_pacer_wait(pacer, 0), POOL_OK);
    EXPECT_EQ(pool_workers_pacer_wait(pacer, 0), POOL_ETIMEDOUT);
    clock.advance(10 * kSecond);
    EXPECT_EQ(pool_workers_pacer_wait(pacer, 0), POOL_OK);
    EXPECT_EQ(pool_workers_pacer_wait(pacer, 0), POOL_ETIMEDOUT) << "nothing is saved up";
}

TEST(GammazeroPacer, PacesAllTasksOfAPoolTogetherInTheirOrder) {
    HandSetClock clock;
    struct Paced {
        pool_workers_pacer *pacer;
        Tally started;
        static void run(void *arg) {
            auto *self = static_cast<Paced *>(arg);
            EXPECT_EQ(pool_workers_pacer_wait(self->pacer, POOL_FOREVER), POOL_OK);
            self->started.raise();
        }
    };
    PacerUnderTest pacer(kSecond);
    WorkerPoolUnderTest pool(worker_options(4));
    Paced paced{pacer, {}};
    for (int i = 0; i < 4; i++)
        ASSERT_EQ(pool_workers_submit(pool, Paced::run, &paced), POOL_OK);
    for (int i = 1; i <= 4; i++) {
        paced.started.wait_for(i);
        std::this_thread::sleep_for(std::chrono::milliseconds(3));
        EXPECT_EQ(paced.started.value(), i);
        clock.advance(kSecond);
    }
}

TEST(GammazeroPacer, APauseHoldsStartsBackUntilItIsResumed) {
    PacerUnderTest pacer(1);
    Tally started;
    EXPECT_EQ(pool_workers_pacer_pause(pacer), POOL_OK);
    std::thread user([&] {
        EXPECT_EQ(pool_workers_pacer_wait(pacer, POOL_FOREVER), POOL_OK);
        started.raise();
    });
    std::this_thread::sleep_for(std::chrono::milliseconds(3));
    EXPECT_EQ(started.value(), 0);
    EXPECT_EQ(pool_workers_pacer_resume(pacer), POOL_OK);
    user.join();
}

TEST(GammazeroPacer, StopFailsEveryWaitNowAndLater) {
    PacerUnderTest pacer(3600 * kSecond);
    EXPECT_EQ(pool_workers_pacer_wait(pacer, POOL_FOREVER), POOL_OK);
    std::vector<std::thread> users;
    for (int i = 0; i < 3; i++)
        users.emplace_back(
            [&] { EXPECT_EQ(pool_workers_pacer_wait(pacer, POOL_FOREVER), POOL_ECLOSED); });
    EXPECT_EQ(pool_workers_pacer_stop(pacer), POOL_OK);
    for (std::thread &user : users)
        user.join();
    EXPECT_EQ(pool_workers_pacer_wait(pacer, 0), POOL_ECLOSED);
    pool_workers_pacer *none = nullptr;
    EXPECT_EQ(pool_workers_pacer_create(0, &none), POOL_EINVAL);
    EXPECT_EQ(pool_workers_pacer_create(-1, &none), POOL_EINVAL);
}

} // namespace
