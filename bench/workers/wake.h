// wake: how long after the submit a task starts, in nanoseconds, when all workers sleep. Counter
// "futex": how long the bare wake of a sleeping thread takes. Medians of 250 times with 2 ms of sleep
// before each. Counter "ratio": the one over the other.
//
// SPDX-License-Identifier: Apache-2.0
//
// The subject and the bare thread take turns, so that whatever slows the machine slows both. Until
// the task has started, the submitter is busy, as one that has other things to do: if it slept, the
// worker might get its CPU, and be faster or slower for it.
#pragma once

#include "support/rows.h"
#include "support/team.h"
#include "workers/futex.h"

#include <vector>

namespace bench {

constexpr size_t kWakes = 250;
constexpr std::chrono::milliseconds kSleep{2}; // workers sleep by then, whatever they do before

using StartedAt = std::atomic<Clock::rep>; // 0: not yet

inline void note_start(void *arg) {
    static_cast<StartedAt *>(arg)->store(Clock::now().time_since_epoch().count(),
                                         std::memory_order_release);
}

template <class Subject>
Clock::rep wake_once(typename Subject::Handle handle) {
    StartedAt started_at{0};
    std::this_thread::sleep_for(kSleep);
    const Clock::rep begin = Clock::now().time_since_epoch().count();
    Subject::enter(handle, [&] { Subject::template submit<note_start>(handle, &started_at); });
    Backoff backoff;
    Clock::rep start;
    while ((start = started_at.load(std::memory_order_acquire)) == 0)
        backoff.pause();
    return start - begin;
}

inline double median_seconds(std::vector<Clock::rep> &times) {
    const auto middle = times.begin() + static_cast<std::ptrdiff_t>(times.size() / 2);
    std::nth_element(times.begin(), middle, times.end());
    return std::chrono::duration<double>(Clock::duration(*middle)).count();
}

template <class Subject>
void wake(benchmark::State &state) {
    for (auto _ : state) {
        Subject subject;
        Futex futex;
        if (subject.problem() != nullptr) {
            state.SkipWithError(subject.problem());
            return;
        }
        std::vector<Clock::rep> times(kWakes);
        std::vector<Clock::rep> bare(kWakes);
        for (size_t i = 0; i < kWakes; ++i) {
            times[i] = wake_once<Subject>(subject.handle());
            bare[i] = wake_once<Futex>(futex.handle());
        }
        Subject::enter(subject.handle(), [&] { Subject::wait(subject.handle()); });
        const double seconds = median_seconds(times);
        const double bare_seconds = median_seconds(bare);
        state.SetIterationTime(seconds);
        state.counters["futex"] = bare_seconds * 1e9;
        state.counters["ratio"] = seconds / bare_seconds;
    }
}

} // namespace bench
