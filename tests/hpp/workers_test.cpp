// Tasks, handles and groups through the C++ wrappers.
//
// SPDX-License-Identifier: Apache-2.0
#include "hpp/crew.h"
#include "hpp/server.h"

#include <cstring>
#include <gtest/gtest.h>
#include <poll.h>
#include <pthread.h>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

using namespace std::chrono_literals;
using namespace pool_test;

TEST(HppWorkers, ATaskThatNeverRunsIsDestroyed) {
    Token token;
    Gate gate;
    auto options = crew(1, 2);
    options.full = POOL_WORKERS_DROP_NEWEST;
    pool::workers pool(options);
    occupy(pool, &gate);
    for (int i = 0; i < 3; i++)
        pool.submit([held = token.hold()] { FAIL(); });
    EXPECT_EQ(token.held(), 2) << "the third one was dropped";
    EXPECT_FALSE(pool.try_submit([held = token.hold()] {}));
    EXPECT_EQ(token.held(), 2) << "the fourth one was not taken";
    pool_workers_report report;
    EXPECT_FALSE(pool.stop(POOL_WORKERS_DISCARD, 1ms, &report));
    EXPECT_EQ(report.discarded, 2u);
    EXPECT_EQ(token.held(), 0);
    EXPECT_EQ(status_of([&] { pool.submit([held = token.hold()] {}); }), POOL_ECLOSED);
    EXPECT_EQ(token.held(), 0);
    gate.open();
    EXPECT_TRUE(pool.stop(POOL_WORKERS_DRAIN));
    pool.restart();
    EXPECT_EQ(pool.run([] { return 3; }), 3);
}

TEST(HppWorkers, SubmitsWaitForRoomAsLongAsTheyAreTold) {
    Token token;
    Gate gate;
    std::atomic<int> ran{0};
    pool::workers pool(crew(1, 2));
    occupy(pool, &gate);
    std::vector<std::function<void()>> tasks(3, [&ran, held = token.hold()] { ran++; });
    EXPECT_EQ(token.held(), 3);
    EXPECT_EQ(pool.submit_bulk(std::move(tasks), 0ns), 2u);
    EXPECT_EQ(token.held(), 2) << "the third one was not taken";
    EXPECT_FALSE(pool.submit_timed([&ran] { ran++; }, 1ms));
    gate.open();
    EXPECT_TRUE(pool.submit_timed([&ran] { ran++; }, 60s));
    EXPECT_TRUE(pool.wait_idle());
    EXPECT_EQ(ran, 3);
    EXPECT_EQ(token.held(), 0);
}

TEST(HppWorkers, ATaskHasAResultOrThrows) {
    pool::workers pool(crew(2));
    pool::task<std::string> text = pool.start([] { return std::string("text"); }, {.name = "text"});
    EXPECT_EQ(text.get(), "text");
    EXPECT_EQ(text.info().state, POOL_WORKERS_SUCCEEDED);
    pool::task<std::unique_ptr<int>> owner = pool.start([] { return std::make_unique<int>(7); });
    EXPECT_EQ(*owner.get(), 7);
    pool::task<> nothing = pool.start([] {});
    EXPECT_TRUE(nothing.wait());
    nothing.get();

    auto throwing = pool.start([]() -> int { throw std::out_of_range("far out"); });
    EXPECT_TRUE(throwing.wait());
    EXPECT_STREQ(throwing.info().message, "far out");
    EXPECT_THROW(throwing.get(), std::out_of_range);
    auto failing = pool.start([] { pool::this_task::fail(42, "no luck"); });
    try {
        failing.get();
        FAIL();
    } catch (const pool::error &error) {
        EXPECT_EQ(error.status(), POOL_ETASK);
        EXPECT_NE(strstr(error.what(), "no luck"), nullptr) << error.what();
    }
    EXPECT_EQ(failing.info().code, 42);
    auto leaving = pool.start([] { pthread_exit(nullptr); });
    EXPECT_EQ(status_of([&] { leaving.get(); }), POOL_ETASK);
    EXPECT_EQ(pool.stats().failed, 3u);
}

TEST(HppWorkers, ATaskIsCancelledInThreeWays) {
    Token token;
    pool::workers pool(crew(1));
    auto running = pool.start_now([] {
        while (!pool::this_task::cancelled())
            std::this_thread::sleep_for(1ms);
    });
    EXPECT_EQ(running.info().state, POOL_WORKERS_RUNNING);
    EXPECT_EQ(status_of([&] { pool.start_now([held = token.hold()] {}, {}, 1ms); }),
              POOL_ETIMEDOUT);
    EXPECT_EQ(token.held(), 0);
    EXPECT_FALSE(running.wait(1ms));
    auto waiting = pool.start([held = token.hold()] { return 1; });
    EXPECT_EQ(waiting.cancel(), POOL_WORKERS_REMOVED);
    EXPECT_EQ(token.held(), 0);
    EXPECT_EQ(status_of([&] { waiting.get(); }), POOL_ECANCELED);
    EXPECT_EQ(running.cancel(), POOL_WORKERS_FLAGGED);
    EXPECT_TRUE(running.wait());
    EXPECT_EQ(running.info().state, POOL_WORKERS_CANCELLED);
    EXPECT_EQ(running.cancel(), POOL_WORKERS_TOO_LATE);
    EXPECT_TRUE(pool.run([] { return pool::this_task::commit(); }));
}

TEST(HppWorkers, AHandleMovesAndOutlivesItsPool) {
    pool::task<int> kept;
    EXPECT_FALSE(kept);
    {
        pool::workers pool;
        auto started = pool.start([] { return 5; }, {.priority = POOL_WORKERS_HIGH, .key = 3});
        pool::task<int> moved = std::move(started);
        EXPECT_FALSE(started);
        kept = std::move(moved);
        pool.start([] { return 6; }); // forgotten, and run all the same
    }
    EXPECT_TRUE(kept);
    EXPECT_EQ(kept.get(), 5);
}

TEST(HppWorkers, ARunOutOfTimeIsCancelled) {
    Token token;
    Gate gate;
    pool::workers pool(crew(1));
    occupy(pool, &gate);
    EXPECT_EQ(status_of([&] { pool.run([held = token.hold()] {}, 1ms); }), POOL_ETIMEDOUT);
    EXPECT_EQ(token.held(), 0);
    gate.open();
    EXPECT_EQ(pool.run([] { return 9; }, 60s), 9);
    EXPECT_THROW(pool.run([] { throw std::length_error("long"); }), std::length_error);
}

TEST(HppWorkers, ATaskRunsOnTheCallersThreadInAWorkersStead) {
    Gate gate;
    pool::workers pool(crew(1));
    EXPECT_EQ(pool.run_here([] { return std::this_thread::get_id(); }), std::this_thread::get_id());
    EXPECT_THROW(pool.run_here([] { throw std::length_error("long"); }), std::length_error);
    occupy(pool, &gate);
    EXPECT_EQ(status_of([&] { pool.run_here([] { FAIL(); }, 1ms); }), POOL_ETIMEDOUT);
    std::thread stopper([&] {
        eventually([&] { return pool.stats().waiting != 0; });
        pool.stop(POOL_WORKERS_DISCARD, 0ns);
    });
    EXPECT_EQ(status_of([&] { pool.run_here([] { FAIL(); }); }), POOL_ECLOSED);
    stopper.join();
    gate.open();
}

TEST(HppWorkers, PausesHoldTasksBack) {
    std::atomic<int> ran{0};
    pool::workers pool(crew(1));
    EXPECT_TRUE(pool.pause());
    pool.submit([&ran] { ran++; });
    EXPECT_FALSE(pool.wait_idle(1ms));
    EXPECT_EQ(ran, 0);
    pool.resume();
    EXPECT_TRUE(pool.wait_idle());
    EXPECT_EQ(ran, 1);
    pool.resize(0, 3);
    EXPECT_EQ(pool.stats().max_workers, 3u);
    EXPECT_EQ(status_of([&] { pool.resize(2, 1); }), POOL_EINVAL);
}

TEST(HppWorkers, AStopCanBePolled) {
    Gate gate;
    pool::workers pool(crew(1));
    occupy(pool, &gate);
    pollfd poller = {pool.stop_async(POOL_WORKERS_DRAIN), POLLIN, 0};
    EXPECT_EQ(poll(&poller, 1, 0), 0);
    gate.open();
    EXPECT_EQ(poll(&poller, 1, 60000), 1);
    EXPECT_TRUE(pool.stop(POOL_WORKERS_DRAIN, 0ns));
}

TEST(HppWorkers, CallbacksAreCalledAndDestroyed) {
    Token token;
    Gate gate;
    std::atomic<int> started{0}, exited{0}, begun{0}, ended{0}, named{0};
    std::vector<pool_status> dropped;
    std::string failure;
    {
        pool::workers_callbacks calls;
        calls.thread_start = [&, held = token.hold()] { started++; };
        calls.thread_exit = [&] { exited++; };
        calls.dropped = [&](pool_status why) { dropped.push_back(why); };
        calls.failed = [&](int32_t code, std::string_view message) {
            failure = std::to_string(code) + " " + std::string(message);
        };
        calls.task_begin = [&](std::string_view name) { (name == "named" ? named : begun)++; };
        calls.task_end = [&](std::string_view) { ended++; };
        pool::workers pool(std::move(calls), crew(1));
        EXPECT_EQ(token.held(), 1);
        occupy(pool, &gate);
        Token task;
        auto removed = pool.start([held = task.hold()] {});
        removed.cancel();
        EXPECT_EQ(task.held(), 0);
        EXPECT_EQ(dropped, std::vector<pool_status>{POOL_ECANCELED});
        gate.open();
        pool.start([] { pool::this_task::fail(3, "three"); }, {.name = "named"}).wait();
        EXPECT_TRUE(pool.wait_idle());
    }
    EXPECT_EQ(failure, "3 three");
    EXPECT_EQ(named, 1);
    EXPECT_EQ(begun, 1);
    EXPECT_EQ(ended, 2);
    EXPECT_EQ(started, 1);
    EXPECT_EQ(exited, 1);
    EXPECT_EQ(token.held(), 0);
}

TEST(HppWorkers, WhatRunsCanBeSeen) {
    Gate gate;
    Tally stuck;
    pool::workers pool(crew(1));
    pool.watch_stuck(1ms, [&](const pool_workers_running &) { stuck.raise(); });
    std::atomic<bool> begun{false};
    auto task = pool.start(
        [&] {
            begun = true;
            gate.wait();
        },
        {.name = "seen"});
    eventually([&] { return begun.load(); });
    std::vector<std::string> names;
    pool.visit_running(0ns, [&](const pool_workers_running &one) { names.push_back(one.name); });
    EXPECT_EQ(names, std::vector<std::string>{"seen"});
    EXPECT_THROW(pool.visit_running(0ns, [](const pool_workers_running &) { throw 1; }), int);
    stuck.wait_for(1);
    pool.watch_nothing();
    gate.open();
    task.get();
    EXPECT_TRUE(pool.wait_idle());
    auto waits = pool.histogram(POOL_WORKERS_WAIT_TIME);
    EXPECT_EQ(waits.count, 1u);
    EXPECT_LE(waits.percentile(99).count(), static_cast<int64_t>(waits.most));
}

TEST(HppWorkerGroups, AGroupEndsAtItsFirstFailure) {
    Token token;
    Gate gate;
    pool::workers pool(crew(1));
    occupy(pool, &gate);
    {
        pool::group group(pool);
        group.submit([held = token.hold()] { throw std::runtime_error("first"); });
        group.submit([held = token.hold()] { FAIL(); });
        EXPECT_FALSE(group.wait(1ms));
        gate.open();
        try {
            group.wait();
            FAIL();
        } catch (const pool::error &error) {
            EXPECT_EQ(error.status(), POOL_ETASK);
            EXPECT_NE(strstr(error.what(), "first"), nullptr) << error.what();
        }
        EXPECT_EQ(token.held(), 0);
        EXPECT_TRUE(group.wait()) << "it is as new";
        group.cancel();
        EXPECT_EQ(status_of([&] { group.submit([held = token.hold()] {}); }), POOL_ECANCELED);
    }
    EXPECT_EQ(token.held(), 0);
}

TEST(HppWorkerGroups, AGroupKeepsResultsAndNests) {
    pool::workers pool(crew(1));
    pool::group group(pool, {.keep_going = true, .results = true});
    std::vector<size_t> out(4);
    for (size_t i = 0; i < 4; i++)
        group.submit([&, i] {
            pool::group inner(pool);
            for (int k = 0; k < 3; k++)
                inner.submit([&, i] { out[i] += i; });
            inner.wait();
            if (i == 2)
                pool::this_task::fail(2, "two");
        });
    EXPECT_EQ(status_of([&] { group.wait(); }), POOL_ETASK);
    EXPECT_EQ(out, (std::vector<size_t>{0, 3, 6, 9}));
    EXPECT_EQ(group.result(1).state, POOL_WORKERS_SUCCEEDED);
    EXPECT_STREQ(group.result(2).message, "two");
    EXPECT_EQ(status_of([&] { group.result(4); }), POOL_EINVAL);
    size_t seen = 0;
    while (auto ended = group.next())
        seen |= size_t{1} << ended->index;
    EXPECT_EQ(seen, 15u);
}

} // namespace
