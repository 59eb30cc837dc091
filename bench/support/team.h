// Team: threads that do the same work at the same time, and how long it took them.
//
// SPDX-License-Identifier: Apache-2.0
//
// The clock starts when the last thread has arrived and stops when the last one has finished, so a
// thread that the scheduler lets wait is part of the result, whoever's threads they are.
#pragma once

#include <sched.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <thread>
#include <vector>

namespace bench {

using Clock = std::chrono::steady_clock;

// Tells the processor that this is a waiting loop.
inline void relax() {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    asm volatile("isb");
#endif
}

// Waits for another thread: spins, and after some 50 us leaves the CPU to whoever else is runnable.
class Backoff {
public:
    void pause() {
        if (++rounds_ > kSpins)
            sched_yield();
        else
            relax();
    }

private:
    static constexpr unsigned kSpins = 2'000;
    unsigned rounds_ = 0;
};

// A gate that opens once `expected` threads stand before it. Those who come later pass.
class Rendezvous {
public:
    explicit Rendezvous(unsigned expected) : expected_(expected) {}

    void arrive_and_wait() {
        if (arrived_.fetch_add(1, std::memory_order_relaxed) + 1 == expected_) {
            opened_at_ = Clock::now();
            open_.store(true, std::memory_order_release); // pairs with the acquire below
        }
        Backoff backoff;
        while (!open_.load(std::memory_order_acquire))
            backoff.pause();
    }

    // Only for those who have passed.
    Clock::time_point opened_at() const { return opened_at_; }

private:
    const unsigned expected_;
    std::atomic<unsigned> arrived_{0};
    std::atomic<bool> open_{false};
    Clock::time_point opened_at_; // written before open_, read after it
};

// Run work(i) on `threads` new threads, i from 0; then leave(), untimed, on each of them. Seconds.
template <class Work, class Leave>
double run_team(unsigned threads, const Work &work, const Leave &leave) {
    Rendezvous start(threads);
    std::vector<Clock::time_point> ends(threads);
    std::vector<std::thread> team;
    team.reserve(threads);
    for (unsigned i = 0; i < threads; ++i)
        team.emplace_back([&, i] {
            start.arrive_and_wait();
            work(i);
            ends[i] = Clock::now();
            leave();
        });
    for (std::thread &thread : team)
        thread.join();
    const Clock::time_point end = *std::max_element(ends.begin(), ends.end());
    return std::chrono::duration<double>(end - start.opened_at()).count();
}

// The same for `count` calls that the threads share: work(chunk) makes `chunk` of them. Chunks are
// small, so that all CPUs have some until the end. Seconds per call.
template <class Work, class Leave>
double share_among_team(unsigned threads, size_t count, size_t chunk, const Work &work,
                        const Leave &leave) {
    std::atomic<size_t> begun{0};
    const double seconds = run_team(
        threads,
        [&](unsigned) {
            while (begun.fetch_add(chunk, std::memory_order_relaxed) < count)
                work(chunk);
        },
        leave);
    return seconds / static_cast<double>(count);
}

} // namespace bench
