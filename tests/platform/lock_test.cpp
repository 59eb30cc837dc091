// SPDX-License-Identifier: Apache-2.0
#include "platform/lock.h"

#include "sync/gate.h"

#include <gtest/gtest.h>
#include <vector>

namespace {

using pool::SpinLock;

TEST(SpinLock, OneHolderAtATime) {
    constexpr int kThreads = 4, kRounds = 20000;
    SpinLock lock;
    int count = 0;
    std::vector<std::thread> threads;
    for (int t = 0; t < kThreads; t++)
        threads.emplace_back([&] {
            for (int i = 0; i < kRounds; i++) {
                SpinLock::Guard guard(lock);
                count++;
            }
        });
    for (std::thread &thread : threads)
        thread.join();
    EXPECT_EQ(count, kThreads * kRounds);
    EXPECT_FALSE(lock.looks_locked());
}

TEST(SpinLock, TryLockSaysWhetherItIsFree) {
    SpinLock lock;
    EXPECT_TRUE(lock.try_lock());
    EXPECT_TRUE(lock.looks_locked());
    EXPECT_FALSE(lock.try_lock());
    lock.unlock();
    EXPECT_TRUE(lock.try_lock());
    lock.reset_after_fork();
    EXPECT_FALSE(lock.looks_locked()) << "the holder is not in the child";
}

TEST(SpinLock, AWaiterOutlastsAHolderThatSleeps) {
    SpinLock lock;
    pool_test::Gate held;
    int order = 0;
    lock.lock();
    std::thread waiter([&] {
        held.open();
        SpinLock::Guard guard(lock);
        EXPECT_EQ(order, 1);
    });
    held.wait();
    // Long enough for the waiter to go through all it does while it waits: spin, yield, sleep.
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    order = 1;
    lock.unlock();
    waiter.join();
}

} // namespace
