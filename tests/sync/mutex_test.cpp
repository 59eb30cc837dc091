// SPDX-License-Identifier: Apache-2.0
#include "sync/mutex.h"

#include "gate.h"
#include "platform/clock.h"
#include "pool/common.h"
#include "sync/condition.h"

#include <atomic>
#include <gtest/gtest.h>
#include <mutex>
#include <thread>
#include <vector>

namespace {

using pool::Condition;
using pool::Mutex;
using pool_test::kMillisecond;
using Guard = std::lock_guard<Mutex>;

constexpr int kThreads = 4;

template <class Work>
void at_once(Work work) {
    std::vector<std::thread> threads;
    for (int i = 0; i < kThreads; i++)
        threads.emplace_back(work, i);
    for (std::thread &thread : threads)
        thread.join();
}

TEST(Mutex, OneThreadAtATimeIsInside) {
    constexpr int kRounds = 50000;
    Mutex mutex;
    int inside = 0;
    int visits = 0;
    at_once([&](int) {
        for (int i = 0; i < kRounds; i++) {
            Guard guard(mutex);
            ASSERT_EQ(inside++, 0);
            visits++;
            inside--;
        }
    });
    EXPECT_EQ(visits, kThreads * kRounds);
}

// Holders that sleep: everybody else sleeps on the word, and each has to be woken by the one before.
TEST(Mutex, WhoSleepsOnItIsWoken) {
    constexpr int kRounds = 20;
    Mutex mutex;
    int visits = 0;
    at_once([&](int) {
        for (int i = 0; i < kRounds; i++) {
            Guard guard(mutex);
            std::this_thread::sleep_for(std::chrono::microseconds(300));
            visits++;
        }
    });
    EXPECT_EQ(visits, kThreads * kRounds);
}

TEST(Mutex, IsOnlyTriedWhileItIsHeld) {
    Mutex mutex;
    ASSERT_TRUE(mutex.try_lock());
    std::thread([&] { EXPECT_FALSE(mutex.try_lock()); }).join();
    mutex.unlock();
    std::thread([&] {
        EXPECT_TRUE(mutex.try_lock());
        mutex.unlock();
    }).join();
}

// A baton goes round; whoever has not got it sleeps.
TEST(Condition, NoWakeIsLost) {
    constexpr int kRounds = 2000;
    Mutex mutex;
    Condition changed;
    int turn = 0;
    at_once([&](int self) {
        for (int i = 0; i < kRounds; i++) {
            Guard guard(mutex);
            while (turn % kThreads != self)
                changed.wait(mutex, POOL_FOREVER);
            turn++;
            changed.wake_all();
        }
    });
    EXPECT_EQ(turn, kThreads * kRounds);
}

TEST(Condition, WakesAsManyAsItIsToldTo) {
    Mutex mutex;
    Condition changed;
    int permits = 0;
    std::atomic<int> served{0};
    std::thread giver([&] {
        for (int i = 0; i < kThreads; i++) {
            {
                Guard guard(mutex);
                permits++;
                changed.wake_one();
            }
            pool_test::eventually([&] { return served == i + 1; });
        }
    });
    at_once([&](int) {
        Guard guard(mutex);
        while (permits == 0)
            changed.wait(mutex, POOL_FOREVER);
        permits--;
        served++;
    });
    giver.join();
    EXPECT_EQ(permits, 0);
}

TEST(Condition, AWaitEndsAtItsDeadline) {
    Mutex mutex;
    Condition changed;
    Guard guard(mutex);
    const int64_t deadline = pool::clock_now() + 2 * kMillisecond;
    while (pool::clock_now() < deadline)
        changed.wait(mutex, deadline);
}

} // namespace
