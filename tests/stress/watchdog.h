// What the stress tests of worker pools stand on: a watchdog for work that must go on, and ways to
// wait for a task that are none of the pool's own.
//
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "conformance/worker_pools.h"

#include <atomic>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <random>
#include <string>
#include <thread>
#include <vector>

namespace pool_test {

constexpr bool kSanitized = kThreadSanitizer || kAddressSanitizer;

// How many rounds of what would be so many without a sanitizer.
constexpr int rounds(int many) {
    return kSanitized ? many / 20 + 1 : many;
}

// A lost wake-up shows as a standstill, so that is what a test looks for. Without progress for a
// minute the pools' statistics are printed and the process aborts, with every stack as it is. It
// counts its own looks, so that a machine that stood still itself is no failure.
class Watchdog {
public:
    explicit Watchdog(std::vector<pool_workers *> pools, std::string about = "")
        : pools_(std::move(pools)), about_(std::move(about)), thread_([this] { watch(); }) {}
    ~Watchdog() {
        {
            std::lock_guard<std::mutex> guard(mutex_);
            done_ = true;
        }
        changed_.notify_all();
        thread_.join();
    }
    Watchdog(const Watchdog &) = delete;
    Watchdog &operator=(const Watchdog &) = delete;

    void progress() { progress_.fetch_add(1, std::memory_order_relaxed); }

private:
    static constexpr int kLooks = 60;

    void watch() {
        std::unique_lock<std::mutex> guard(mutex_);
        uint64_t last = 0;
        for (int looks = 0; !done_;) {
            changed_.wait_for(guard, std::chrono::seconds(1));
            const uint64_t now = progress_.load(std::memory_order_relaxed);
            looks = now != last ? 0 : looks + 1;
            last = now;
            if (looks == kLooks && !done_)
                give_up();
        }
    }

    [[noreturn]] void give_up() {
        const testing::TestInfo *test = testing::UnitTest::GetInstance()->current_test_info();
        fprintf(stderr, "%s.%s: no progress for %d s after %llu steps %s\n",
                test != nullptr ? test->test_suite_name() : "", test != nullptr ? test->name() : "",
                kLooks, static_cast<unsigned long long>(progress_.load()), about_.c_str());
        for (pool_workers *pool : pools_)
            print(seen(pool));
        std::abort();
    }

    static void print(const pool_workers_stats &stats) {
        const struct {
            const char *name;
            uint64_t value;
        } lines[] = {
            {"submitted", stats.submitted}, {"succeeded", stats.succeeded},
            {"failed", stats.failed},       {"cancelled", stats.cancelled},
            {"dropped", stats.dropped},     {"discarded", stats.discarded},
            {"waiting", stats.waiting},     {"running", stats.running},
            {"workers", stats.workers},     {"max_workers", stats.max_workers},
            {"replaced", stats.replaced},   {"blocked_submitters", stats.blocked_submitters},
            {"paused", stats.paused}};
        for (const auto &line : lines)
            fprintf(stderr, "    %s %llu\n", line.name,
                    static_cast<unsigned long long>(line.value));
    }

    const std::vector<pool_workers *> pools_;
    const std::string about_;
    std::atomic<uint64_t> progress_{0};
    std::mutex mutex_;
    std::condition_variable changed_;
    bool done_ = false;
    std::thread thread_;
};

// Rung by a task, waited for by whoever submitted it, and then as new. Outlives its task.
class Bell {
public:
    void wait() {
        for (int looks = 0; looks < 8 && rung_.load() == 0; looks++)
            std::this_thread::yield();
        rung_.wait(0);
        rung_.store(0);
    }
    static void ring(void *bell) {
        auto *self = static_cast<Bell *>(bell);
        self->rung_.store(1);
        self->rung_.notify_one();
    }

private:
    std::atomic<uint32_t> rung_{0};
};

// So many tasks are to run; they count themselves. May end as soon as it has been waited for: the last
// task's notification looks at no memory of it.
class Countdown {
public:
    explicit Countdown(uint32_t count) : left_(count) {}
    void wait() {
        for (uint32_t left = left_; left != 0; left = left_)
            left_.wait(left);
    }
    void more(uint32_t count) { left_.fetch_add(count); }
    static void count(void *countdown) {
        auto *self = static_cast<Countdown *>(countdown);
        if (self->left_.fetch_sub(1) == 1)
            self->left_.notify_all();
    }

private:
    std::atomic<uint32_t> left_;
};

// A number by chance, below the bound.
inline uint32_t below(std::minstd_rand &random, uint32_t bound) {
    return static_cast<uint32_t>(random() % bound);
}

// Anything from no time at all to about as long as a worker takes to fall asleep; that long only once
// in so many times.
inline void dither(std::minstd_rand &random, uint32_t seldom = 8) {
    const uint32_t turns = below(random, below(random, seldom) == 0 ? 8192 : 64);
    for (std::atomic<uint32_t> i{0}; i.load(std::memory_order_relaxed) < turns;)
        i.store(i.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
}

// Runs work(t) on so many threads.
template <class Work>
void on_threads(unsigned threads, Work work) {
    std::vector<std::thread> crew;
    for (unsigned t = 0; t < threads; t++)
        crew.emplace_back([&work, t] { work(t); });
    for (std::thread &thread : crew)
        thread.join();
}

} // namespace pool_test
