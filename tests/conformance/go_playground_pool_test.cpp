// go-playground/pool v3: what a program that used it may rely on here.
//
// SPDX-License-Identifier: Apache-2.0
//
//     pool.NewLimited(n)           options.min_workers = max_workers = n
//     pool.New()                   options.max_workers = POOL_WORKERS_UNLIMITED
//     p.Queue(f)                   pool_workers_start with a handle, on an unbounded queue
//     wu.Wait(), Value(), Error()  pool_workers_task_wait, _task_result, _task_get_info
//     wu.Cancel()                  pool_workers_task_cancel
//     wu.IsCancelled() by the task pool_workers_self_cancelled, then pool_workers_self_commit
//     p.Cancel(), p.Close()        pool_workers_stop with POOL_WORKERS_CANCEL, _DISCARD; timeout 0
//     p.Reset()                    pool_workers_restart
//     p.Batch()                    a group with POOL_WORKERS_GROUP_RESULTS and _KEEP_GOING
//     batch.Results()              pool_workers_group_next until POOL_EAGAIN
//     batch.Cancel(), WaitAll()    pool_workers_group_cancel, pool_workers_group_wait
//     ErrCancelled, ErrPoolClosed, ErrRecovery    POOL_ECANCELED, POOL_ECLOSED, POOL_ETASK
//
// Other than there: units start in order; to look at the flag does not commit; a running unit that is
// cancelled ends when it returns, and until then wait() waits; there is no stack trace in an error.
#include "conformance/worker_pools.h"

#include <stdexcept>

namespace {

using namespace pool_test;

pool_workers_options limited(uint32_t workers) {
    pool_workers_options options = worker_options(workers, POOL_WORKERS_UNBOUNDED);
    options.min_workers = workers == POOL_WORKERS_UNLIMITED ? 0 : workers;
    options.idle_timeout = POOL_WORKERS_KEEP;
    return options;
}

constexpr uint32_t kBatch = POOL_WORKERS_GROUP_RESULTS | POOL_WORKERS_GROUP_KEEP_GOING;

// A unit that waits until it is cancelled, or let go.
struct Unit {
    Tally begun, committed;
    std::atomic<bool> let{false};
    bool commits = false;
    std::atomic<int32_t> could_commit{-1};

    static void run(void *arg) {
        auto *self = static_cast<Unit *>(arg);
        self->begun.raise();
        if (self->commits) {
            self->could_commit = pool_workers_self_commit();
            self->committed.raise();
            eventually([self] { return self->let.load(); });
            return;
        }
        eventually([self] { return self->let.load() || pool_workers_self_cancelled() != 0; });
    }
};

// A1-4, 5 and 6
TEST(GoPlaygroundPool, ALimitedPoolStartsAllItsWorkersAndNeedsAtLeastOne) {
    WorkerPoolUnderTest pool(limited(4));
    EXPECT_EQ(pool.stats().workers, 4u);
    EXPECT_EQ(pool_workers_resize(pool, 0, 0), POOL_EINVAL) << "invalid workers '0'";
}

TEST(GoPlaygroundPool, AnUnlimitedPoolRunsEveryUnitAtOnce) {
    std::vector<Stay> units(25);
    WorkerPoolUnderTest pool(limited(POOL_WORKERS_UNLIMITED));
    for (Stay &unit : units)
        ASSERT_EQ(pool_workers_submit(pool, Stay::run, &unit), POOL_OK);
    for (Stay &unit : units)
        unit.begun.wait_for(1);
    for (Stay &unit : units)
        unit.gate.open();
}

// A1-8 and 11
TEST(GoPlaygroundPool, QueueNeverBlocks) {
    Gate gate;
    WorkerPoolUnderTest pool(limited(1));
    pool.occupy(&gate);
    std::vector<pool_workers_task *> units(500);
    for (pool_workers_task *&unit : units)
        ASSERT_EQ(pool_workers_start(pool, nothing, nullptr, nullptr, 0, &unit), POOL_OK);
    gate.open();
    for (pool_workers_task *unit : units) {
        EXPECT_EQ(pool_workers_task_wait(unit, POOL_FOREVER), POOL_OK);
        pool_workers_task_release(unit);
    }
}

// A1-20 and 17
TEST(GoPlaygroundPool, AUnitHasTheValueThatItsFunctionReturned) {
    int value = 0;
    WorkerPoolUnderTest pool(limited(2));
    Started unit(
        pool, [](void *arg) { pool_workers_self_result(arg); }, &value);
    EXPECT_EQ(unit.wait(), POOL_OK);
    EXPECT_EQ(pool_workers_task_result(unit), &value);
    EXPECT_EQ(unit.info().state, POOL_WORKERS_SUCCEEDED);
    EXPECT_EQ(unit.wait(), POOL_OK) << "it may be waited for again";
}

// A1-21
TEST(GoPlaygroundPool, AUnitHasTheErrorThatItsFunctionReturned) {
    WorkerPoolUnderTest pool(limited(2));
    Started unit(
        pool, [](void *) { pool_workers_self_fail(42, "out of paper"); }, nullptr);
    EXPECT_EQ(unit.wait(), POOL_ETASK);
    EXPECT_STREQ(pool_last_error(), "out of paper");
    pool_workers_task_info info = unit.info();
    EXPECT_EQ(info.state, POOL_WORKERS_FAILED);
    EXPECT_EQ(info.status, POOL_ETASK);
    EXPECT_EQ(info.code, 42);
    EXPECT_STREQ(info.message, "out of paper");
}

// A1-34: ErrRecovery
TEST(GoPlaygroundPool, AUnitThatPanicsHasThatAsItsErrorAndTheWorkerStays) {
    WorkerPoolUnderTest pool(limited(1));
    Started unit(
        pool, [](void *) { throw std::runtime_error("OMG OMG OMG!"); }, nullptr);
    EXPECT_EQ(unit.wait(), POOL_ETASK);
    EXPECT_STREQ(unit.info().message, "OMG OMG OMG!");
    EXPECT_EQ(unit.info().code, 0);
    Started next(pool, nothing, nullptr);
    EXPECT_EQ(next.wait(), POOL_OK);
    EXPECT_EQ(pool.stats().workers, 1u);
}

// A1-25, TestCancel
TEST(GoPlaygroundPool, APendingUnitThatIsCancelledNeverRuns) {
    Gate gate;
    Tally ran;
    WorkerPoolUnderTest pool(limited(1));
    pool.occupy(&gate);
    Started unit(pool, Tally::raise_it, &ran);
    EXPECT_EQ(unit.cancel(), POOL_WORKERS_REMOVED);
    EXPECT_EQ(unit.wait(), POOL_ECANCELED) << "at once, while the worker is still busy";
    EXPECT_EQ(unit.info().state, POOL_WORKERS_CANCELLED);
    EXPECT_EQ(pool.stats().waiting, 0u);
    EXPECT_EQ(pool.stats().cancelled, 1u);
    gate.open();
    let_run(pool);
    EXPECT_EQ(ran.value(), 0);
}

// A1-26. There Wait returns at once, while the unit still runs.
TEST(GoPlaygroundPool, ARunningUnitThatIsCancelledSeesItAndIsWaitedForUntilItEnds) {
    Unit unit;
    WorkerPoolUnderTest pool(limited(1));
    Started started(pool, Unit::run, &unit);
    unit.begun.wait_for(1);
    EXPECT_EQ(pool_workers_task_wait(started, 0), POOL_ETIMEDOUT);
    EXPECT_EQ(started.cancel(), POOL_WORKERS_FLAGGED);
    EXPECT_EQ(started.wait(), POOL_ECANCELED);
    EXPECT_EQ(started.info().state, POOL_WORKERS_CANCELLED);
    EXPECT_EQ(started.info().cancelled, 1);
}

TEST(GoPlaygroundPool, ACommittedUnitCanNoLongerBeCancelled) {
    Unit unit;
    unit.commits = true;
    WorkerPoolUnderTest pool(limited(1));
    Started started(pool, Unit::run, &unit);
    unit.committed.wait_for(1);
    EXPECT_EQ(unit.could_commit, 1);
    EXPECT_EQ(started.cancel(), POOL_WORKERS_TOO_LATE);
    unit.let = true;
    EXPECT_EQ(started.wait(), POOL_OK);
}

TEST(GoPlaygroundPool, AUnitThatWasCancelledCannotCommit) {
    struct Late {
        Tally begun;
        Gate gate;
        int32_t committed = -1;
        static void run(void *arg) {
            auto *self = static_cast<Late *>(arg);
            self->begun.raise();
            self->gate.wait();
            self->committed = pool_workers_self_commit();
        }
    } late;
    WorkerPoolUnderTest pool(limited(1));
    Started started(pool, Late::run, &late);
    late.begun.wait_for(1);
    EXPECT_EQ(started.cancel(), POOL_WORKERS_FLAGGED);
    late.gate.open();
    EXPECT_EQ(started.wait(), POOL_ECANCELED);
    EXPECT_EQ(late.committed, 0);
}

TEST(GoPlaygroundPool, CancelOfAUnitThatHasEndedHasNoEffect) {
    WorkerPoolUnderTest pool(limited(1));
    Started unit(pool, nothing, nullptr);
    EXPECT_EQ(unit.wait(), POOL_OK);
    EXPECT_EQ(unit.cancel(), POOL_WORKERS_TOO_LATE);
    EXPECT_EQ(unit.wait(), POOL_OK);
    EXPECT_EQ(pool.stats().cancelled, 0u);
}

// A1-36: Cancel tells those that run, Close does not. Neither waits.
TEST(GoPlaygroundPool, CancelAndCloseEndThePoolWithoutWaitingAndDropPendingUnits) {
    for (pool_workers_stop_mode mode : {POOL_WORKERS_CANCEL, POOL_WORKERS_DISCARD}) {
        Unit running;
        WorkerPoolUnderTest pool(limited(1));
        Started unit(pool, Unit::run, &running);
        running.begun.wait_for(1);
        Started pending(pool, nothing, nullptr);
        const pool_status stopping = pool_workers_stop(pool, mode, 0, nullptr);
        if (mode != POOL_WORKERS_CANCEL) { // of which the unit may have heard already
            EXPECT_EQ(stopping, POOL_ETIMEDOUT);
        }
        EXPECT_EQ(pending.wait(), POOL_ECLOSED);
        EXPECT_EQ(pending.info().state, POOL_WORKERS_DROPPED);
        pool_workers_task *later;
        EXPECT_EQ(pool_workers_start(pool, nothing, nullptr, nullptr, 0, &later), POOL_ECLOSED)
            << "A1-40";
        EXPECT_EQ(later, nullptr);
        running.let = mode != POOL_WORKERS_CANCEL;
        EXPECT_EQ(unit.wait(), mode == POOL_WORKERS_CANCEL ? POOL_ECANCELED : POOL_OK);
        EXPECT_EQ(pool_workers_stop(pool, mode, POOL_FOREVER, nullptr), POOL_OK) << "A1-41";
    }
}

// A1-39
TEST(GoPlaygroundPool, ResetOpensAPoolAgainThatHasBeenClosedAndOnlyThat) {
    WorkerPoolUnderTest pool(limited(2));
    EXPECT_EQ(pool_workers_restart(pool), POOL_EAGAIN) << "there that does nothing";
    EXPECT_EQ(pool_workers_stop(pool, POOL_WORKERS_CANCEL, POOL_FOREVER, nullptr), POOL_OK);
    ASSERT_EQ(pool_workers_restart(pool), POOL_OK);
    EXPECT_EQ(pool.stats().workers, 2u);
    Started unit(
        pool, [](void *) { EXPECT_EQ(pool_workers_self_cancelled(), 0); }, nullptr);
    EXPECT_EQ(unit.wait(), POOL_OK);
}

// A1-22: Results() is in the order of completion and closes behind the last.
TEST(GoPlaygroundPool, ABatchYieldsItsUnitsInTheOrderInWhichTheyEnd) {
    Stay units[3];
    WorkerPoolUnderTest pool(limited(3));
    GroupUnderTest batch(pool, kBatch);
    for (Stay &unit : units) {
        batch.submit(Stay::run, &unit);
        unit.begun.wait_for(1);
    }
    pool_workers_task_info info = {};
    info.size = sizeof info;
    EXPECT_EQ(pool_workers_group_next(batch, 0, nullptr, &info), POOL_ETIMEDOUT);
    for (size_t i : {2u, 0u, 1u}) {
        units[i].gate.open();
        size_t index = 9;
        EXPECT_EQ(batch.next(&index).state, POOL_WORKERS_SUCCEEDED);
        EXPECT_EQ(index, i);
    }
    EXPECT_EQ(pool_workers_group_next(batch, POOL_FOREVER, nullptr, &info), POOL_EAGAIN);
    EXPECT_EQ(batch.wait(), POOL_OK);
}

TEST(GoPlaygroundPool, WaitAllWaitsForABatchWithoutReadingItsResults) {
    Tally ran;
    WorkerPoolUnderTest pool(limited(2));
    GroupUnderTest batch(pool, kBatch);
    for (int i = 0; i < 100; i++)
        batch.submit(Tally::raise_it, &ran);
    EXPECT_EQ(batch.wait(), POOL_OK);
    EXPECT_EQ(ran.value(), 100);
}

TEST(GoPlaygroundPool, ABatchThatIsCancelledTakesNoMoreAndItsUnitsAreCancelled) {
    Unit running;
    Tally ran;
    WorkerPoolUnderTest pool(limited(1));
    GroupUnderTest batch(pool, kBatch);
    batch.submit(Unit::run, &running);
    running.begun.wait_for(1);
    for (int i = 0; i < 10; i++)
        batch.submit(Tally::raise_it, &ran);
    EXPECT_EQ(pool_workers_group_cancel(batch), POOL_OK);
    EXPECT_EQ(pool_workers_group_submit(batch, nothing, nullptr), POOL_ECANCELED);
    for (int i = 0; i < 11; i++) {
        pool_workers_task_info info = batch.next(nullptr);
        EXPECT_EQ(info.state, POOL_WORKERS_CANCELLED);
        EXPECT_EQ(info.status, POOL_ECANCELED);
    }
    EXPECT_EQ(batch.wait(), POOL_ECANCELED);
    EXPECT_EQ(ran.value(), 0);
}

} // namespace
