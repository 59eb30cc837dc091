// SPDX-License-Identifier: Apache-2.0
#include "sync/waiters.h"

#include "gate.h"
#include "pool/common.h"

#include <atomic>
#include <gtest/gtest.h>
#include <thread>
#include <vector>

namespace {

using pool::Outcome;
using pool::Section;
using pool_test::eventually;
using pool_test::kMillisecond;
using pool_test::kSecond;

struct Line {
    struct Waiter : pool::Waiter {
        using pool::Waiter::Waiter;
        int given = 0;
    };

    size_t size() {
        Section section(mutex);
        return queue.size();
    }
    Outcome wait(int64_t timeout, int *given) {
        Waiter waiter(pool::deadline_after(timeout));
        Section section(mutex);
        Outcome outcome = queue.wait(section, waiter);
        *given = waiter.given;
        return outcome;
    }
    bool give(int value) {
        Section section(mutex);
        Waiter *waiter = queue.first_live(section, pool::clock_now());
        if (waiter == nullptr)
            return false;
        waiter->given = value;
        queue.finish(section, waiter, Outcome::kServed);
        return true;
    }

    pool::Mutex mutex;
    pool::WaiterQueue<Waiter> queue;
};

int64_t stopped_clock(void *now) {
    return static_cast<std::atomic<int64_t> *>(now)->load();
}

TEST(WaiterQueue, ServesInTheOrderOfArrival) {
    Line line;
    int given[3] = {};
    std::vector<std::thread> threads;
    for (size_t i = 0; i < 3; i++) {
        threads.emplace_back([&, i] { line.wait(POOL_FOREVER, &given[i]); });
        eventually([&] { return line.size() == i + 1; });
    }
    for (int value = 1; value <= 3; value++)
        EXPECT_TRUE(line.give(value));
    for (std::thread &thread : threads)
        thread.join();
    EXPECT_EQ(given[0], 1);
    EXPECT_EQ(given[1], 2);
    EXPECT_EQ(given[2], 3);
}

TEST(WaiterQueue, AWaiterThatTimesOutLeavesTheLine) {
    Line line;
    int given = 0;
    EXPECT_EQ(line.wait(0, &given), Outcome::kExpired);
    EXPECT_EQ(line.wait(kMillisecond, &given), Outcome::kExpired);
    EXPECT_EQ(line.size(), 0u);
    EXPECT_FALSE(line.give(1));
}

TEST(WaiterQueue, ACancelledWaiterIsToldSo) {
    Line line;
    int given = 0;
    Outcome outcome = Outcome::kWaiting;
    std::thread thread([&] { outcome = line.wait(POOL_FOREVER, &given); });
    eventually([&] { return line.size() == 1; });
    {
        Section section(line.mutex);
        line.queue.finish(section, line.queue.first(), Outcome::kCancelled);
    }
    thread.join();
    EXPECT_EQ(outcome, Outcome::kCancelled);
}

TEST(WaiterQueue, AnExpiredWaiterIsPassedOverAndToldToGo) {
    std::atomic<int64_t> now{1};
    pool::set_clock(stopped_clock, &now);
    Line line;
    int given_first = 0, given_second = 0;
    Outcome first = Outcome::kWaiting, second = Outcome::kWaiting;
    // By the stopped clock it has most of an hour left to sleep in real time.
    std::thread early([&] { first = line.wait(3000 * kSecond, &given_first); });
    eventually([&] { return line.size() == 1; });
    std::thread late([&] { second = line.wait(POOL_FOREVER, &given_second); });
    eventually([&] { return line.size() == 2; });
    now = 4000 * kSecond;
    EXPECT_TRUE(line.give(7));
    early.join();
    late.join();
    pool::set_clock(nullptr, nullptr);
    EXPECT_EQ(first, Outcome::kExpired);
    EXPECT_EQ(given_first, 0);
    EXPECT_EQ(second, Outcome::kServed);
    EXPECT_EQ(given_second, 7);
}

TEST(WaiterQueue, NothingIsLostWhenTimeoutsMeetHandOvers) {
    constexpr int kWaits = 2000;
    Line line;
    std::atomic<int> served{0}, running{3};
    std::vector<std::thread> threads;
    for (int i = 0; i < 3; i++)
        threads.emplace_back([&, i] {
            for (int wait = 0; wait < kWaits; wait++) {
                int given = 0;
                Outcome outcome = line.wait((wait * 7 + i) % 60 * 1000, &given);
                EXPECT_EQ(outcome == Outcome::kServed, given != 0);
                if (outcome == Outcome::kServed)
                    served++;
            }
            running--;
        });
    int gave = 0;
    while (running > 0)
        gave += line.give(1) ? 1 : 0;
    for (std::thread &thread : threads)
        thread.join();
    EXPECT_EQ(gave, served);
    EXPECT_EQ(line.size(), 0u);
}

} // namespace
