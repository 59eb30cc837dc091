// Subpools, several pools, the pacer and workers with a state through the C++ wrappers.
//
// SPDX-License-Identifier: Apache-2.0
#include "hpp/crew.h"
#include "hpp/server.h"

#include <atomic>
#include <gtest/gtest.h>
#include <stdexcept>
#include <thread>
#include <vector>

namespace {

using namespace std::chrono_literals;
using namespace pool_test;

TEST(HppWorkerSets, ASubpoolRunsOnItsParentsWorkers) {
    pool::workers pool(crew(2));
    std::atomic<int> now{0}, most{0};
    {
        pool::workers sub = pool.subpool(crew(1));
        for (int i = 0; i < 20; i++)
            sub.submit([&] {
                most = std::max(most.load(), ++now);
                std::this_thread::yield();
                now--;
            });
        EXPECT_EQ(sub.run([] { return 4; }), 4);
        EXPECT_TRUE(sub.wait_idle());
        EXPECT_EQ(sub.stats().succeeded, 21u);
    }
    EXPECT_EQ(most, 1);
    EXPECT_EQ(pool.stats().succeeded, 21u);
    EXPECT_EQ(status_of([&] { pool.subpool(crew(3)); }), POOL_EINVAL);
}

TEST(HppWorkerSets, SeveralPoolsTakeTurns) {
    Token token;
    std::atomic<int> ran{0};
    {
        pool::multi_workers pools(3, POOL_WORKERS_ROUND_ROBIN, crew(1));
        EXPECT_EQ(pools.count(), 3u);
        for (int i = 0; i < 30; i++)
            pools.submit([&ran, held = token.hold()] { ran++; });
        while (!pools.try_submit([&ran] { ran++; }))
            std::this_thread::yield();
        pool_workers_report report;
        EXPECT_TRUE(pools.stop(POOL_WORKERS_DRAIN, 60s, &report));
        EXPECT_EQ(report.ran, 31u);
        EXPECT_EQ(pools.stats(0).succeeded, 11u);
        EXPECT_EQ(pools.stats(2).succeeded, 10u);
        EXPECT_EQ(status_of([&] { pools.submit([held = token.hold()] {}); }), POOL_ECLOSED);
    }
    EXPECT_EQ(ran, 31);
    EXPECT_EQ(token.held(), 0);
}

TEST(HppWorkerSets, APacerKeepsStartsApart) {
    pool::pacer pacer(5ms);
    pool::workers pool(crew(3));
    const auto begun = std::chrono::steady_clock::now();
    std::vector<pool::task<>> tasks;
    for (int i = 0; i < 4; i++)
        tasks.push_back(pool.start([&pacer] { pacer.wait(); }));
    for (auto &task : tasks)
        task.get();
    EXPECT_GE(std::chrono::steady_clock::now() - begun, 15ms);
    pacer.pause();
    EXPECT_FALSE(pacer.wait(1ms));
    pacer.resume();
    EXPECT_TRUE(pacer.wait());
    pacer.stop();
    EXPECT_EQ(status_of([&] { pacer.wait(); }), POOL_ECLOSED);
}

struct Machine {
    static inline std::atomic<int> alive{0}, interrupted{0};
    std::thread::id thread = std::this_thread::get_id();
    std::atomic<bool> stopped{false};
    int readied = 0;

    Machine() { alive++; }
    ~Machine() { alive--; }
    void ready() { readied++; }
    void interrupt() {
        interrupted++;
        stopped = true;
    }
};

TEST(HppWorkerSets, WorkersHaveAState) {
    Token token;
    {
        pool::stateful_workers<Machine> pool(
            [held = token.hold()] { return std::make_unique<Machine>(); }, crew(1));
        EXPECT_TRUE(
            pool.process([](Machine &own) { return own.thread == std::this_thread::get_id(); }));
        EXPECT_EQ(Machine::alive, 1);
        EXPECT_GE(pool.start([](Machine &own) { return own.readied; }).get(), 1);
        EXPECT_THROW(pool.process([](Machine &) { throw std::range_error("out"); }),
                     std::range_error);
        auto work_on = [](Machine &own) {
            while (!own.stopped)
                std::this_thread::sleep_for(1ms);
        };
        EXPECT_EQ(status_of([&] { pool.process(work_on, 20ms); }), POOL_ETIMEDOUT);
        pool.submit([held = token.hold()](Machine &own) { own.stopped = false; });
        EXPECT_TRUE(pool.wait_idle());
        EXPECT_EQ(Machine::interrupted, 1);
    }
    EXPECT_EQ(Machine::alive, 0);
    EXPECT_EQ(token.held(), 0);
}

TEST(HppWorkerSets, AWorkerWithoutItsStateIsNone) {
    auto failing = []() -> std::unique_ptr<int> { throw std::runtime_error("no device"); };
    pool::stateful_workers<int> pool(failing, crew(1));
    EXPECT_EQ(status_of([&] { pool.process([](int &) {}); }), POOL_ENOTHREAD);
    auto options = crew(1);
    options.full = POOL_WORKERS_CALLER_RUNS;
    EXPECT_THROW(pool::stateful_workers<int>([] { return std::make_unique<int>(1); }, options),
                 std::invalid_argument);
}

} // namespace
