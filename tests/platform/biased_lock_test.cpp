// SPDX-License-Identifier: Apache-2.0
#include "platform/biased_lock.h"

#include "platform/membarrier.h"
#include "sync/gate.h"

#include <gtest/gtest.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

namespace {

using pool::BiasedLock;

// Until the lock is the calling thread's own.
bool make_own(BiasedLock &lock) {
    for (int i = 0; i < 200000; i++) {
        const BiasedLock::Held held = lock.lock();
        lock.unlock(held);
        if (held == BiasedLock::Held::kByBias)
            return true;
    }
    return false;
}

TEST(BiasedLock, GetsToBeTheOwnOfAThreadThatHasItToItself) {
    if (!pool::can_fence_threads())
        GTEST_SKIP() << "needs membarrier(2)";
    BiasedLock lock;
    EXPECT_TRUE(make_own(lock));
    EXPECT_EQ(lock.lock(), BiasedLock::Held::kByBias);
    lock.unlock(BiasedLock::Held::kByBias);
}

TEST(BiasedLock, IsTakenFromItsOwnerOnlyWhenThatIsOutside) {
    if (!pool::can_fence_threads())
        GTEST_SKIP() << "needs membarrier(2)";
    BiasedLock lock;
    ASSERT_TRUE(make_own(lock));
    ASSERT_EQ(lock.lock(), BiasedLock::Held::kByBias);
    int order = 0;
    pool_test::Gate begun;
    std::thread other([&] {
        begun.open();
        BiasedLock::Guard guard(lock);
        EXPECT_EQ(order, 1);
    });
    begun.wait();
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    order = 1;
    lock.unlock(BiasedLock::Held::kByBias);
    other.join();
    const BiasedLock::Held held = lock.lock();
    EXPECT_EQ(held, BiasedLock::Held::kByWord) << "it has lost it";
    lock.unlock(held);
}

// One that was the owner may be about to write that it is inside for as long as it is not scheduled. If the
// next owner went in meanwhile, nobody would notice.
TEST(BiasedLock, OneThreadAtMostIsEverItsOwner) {
    if (!pool::can_fence_threads())
        GTEST_SKIP() << "needs membarrier(2)";
    BiasedLock lock;
    ASSERT_TRUE(make_own(lock));
    std::thread([&] { EXPECT_FALSE(make_own(lock)) << "while the first one lives"; }).join();
    EXPECT_TRUE(make_own(lock)) << "it may become it again";
}

// Threads that each have the lock for a while, and get into each other's way in between.
TEST(BiasedLock, OneHolderAtATime) {
    constexpr int kThreads = 4, kTurns = 60, kRounds = 2000;
    BiasedLock lock;
    int count = 0;
    std::atomic<int> turn{0};
    std::vector<std::thread> threads;
    for (int t = 0; t < kThreads; t++)
        threads.emplace_back([&, t] {
            for (int i = 0; i < kTurns; i++) {
                while (turn.load() % kThreads != t && turn.load() < kThreads * kTurns) {
                    BiasedLock::Guard guard(lock);
                    count++;
                    count--;
                }
                for (int round = 0; round < kRounds; round++) {
                    const BiasedLock::Held held = lock.lock();
                    count++;
                    round % 2 == 0 ? lock.unlock(held) : lock.unlock_fenced(held);
                }
                turn.fetch_add(1);
            }
        });
    for (std::thread &thread : threads)
        thread.join();
    EXPECT_EQ(count, kThreads * kTurns * kRounds);
}

TEST(BiasedLock, IsFreeInTheChildAfterItIsReset) {
    BiasedLock lock;
    pool_test::Gate held, done;
    std::thread holder([&] {
        make_own(lock);
        BiasedLock::Guard guard(lock);
        held.open();
        done.wait();
    });
    held.wait();
    const pid_t child = fork();
    if (child == 0) {
        lock.reset_after_fork();
        const BiasedLock::Held how = lock.lock();
        lock.unlock(how);
        _exit(make_own(lock) == pool::can_fence_threads() ? 0 : 1);
    }
    done.open();
    holder.join();
    int status;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
}

TEST(ThreadFence, IsToBeHadInTheChildAfterFork) {
    if (!pool::can_fence_threads())
        GTEST_SKIP() << "needs membarrier(2)";
    const pid_t child = fork();
    if (child == 0)
        _exit(syscall(SYS_membarrier, 1 << 3, 0, 0) == 0 ? 0 : 1); // as fence_threads() asks for it
    int status;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
}

} // namespace
