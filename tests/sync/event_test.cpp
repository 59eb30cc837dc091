// SPDX-License-Identifier: Apache-2.0
#include "sync/event.h"

#include "gate.h"
#include "platform/clock.h"
#include "pool/common.h"
#include "sync/waiters.h"

#include <atomic>
#include <gtest/gtest.h>
#include <mutex>
#include <thread>
#include <vector>

namespace {

using pool::Event;
using pool::Mutex;
using pool::Section;
using pool_test::kMillisecond;

TEST(Event, SetBeforeTheWaitIsNotLostAndNeedsNoWake) {
    Event event;
    event.clear();
    EXPECT_FALSE(event.set());
    event.wait(POOL_FOREVER);
}

TEST(Event, WaitWithAPassedDeadlineReturns) {
    Event event;
    event.clear();
    event.wait(pool::clock_now());
    event.wait(pool::clock_now() + kMillisecond);
}

TEST(Event, EverySetReachesTheSleeper) {
    constexpr int kRounds = 20000;
    Mutex mutex;
    Event event;
    bool armed = false;
    int seen = 0;
    std::thread sleeper([&] {
        while (seen < kRounds) {
            {
                std::lock_guard<Mutex> guard(mutex);
                event.clear();
                armed = true;
            }
            event.wait(POOL_FOREVER);
            seen++;
        }
    });
    for (int sent = 0; sent < kRounds;) {
        Section section(mutex);
        if (armed) {
            armed = false;
            section.wake(event);
            sent++;
        } else {
            section.unlock();
            std::this_thread::yield();
        }
    }
    sleeper.join();
    EXPECT_EQ(seen, kRounds);
}

TEST(Section, WakesMoreSleepersThanItHasRoomFor) {
    constexpr size_t kSleepers = 20;
    Mutex mutex;
    Event events[kSleepers];
    pool_test::Tally asleep;
    std::vector<std::thread> threads;
    for (Event &event : events)
        threads.emplace_back([&] {
            asleep.raise();
            event.wait(POOL_FOREVER);
        });
    asleep.wait_for(kSleepers);
    {
        Section section(mutex);
        for (Event &event : events)
            section.wake(event);
    }
    for (std::thread &thread : threads)
        thread.join();
}

} // namespace
