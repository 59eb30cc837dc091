// hold_32t: 32 threads share 10 connections and each sleeps 100 us with the one it has. Counters:
// "used", the part of their time that connections were with a holder; "wait_median" and
// "wait_longest", in nanoseconds, of the acquires that waited in line.
//
// SPDX-License-Identifier: Apache-2.0
//
// A sleep takes longer than asked for, so holders measure how long they really held. An acquire is
// timed from outside, the time until the thread runs again included.
#include "conns/scenarios.h"
#include "conns/subjects.h"
#include "support/rows.h"
#include "support/team.h"

#include <ctime>
#include <sys/prctl.h>

namespace bench {
namespace {

constexpr unsigned kThreads = 32;
constexpr uint32_t kConns = 10;
constexpr size_t kHolds = 20'000;
constexpr long kHold = 100'000;     // nanoseconds
constexpr int64_t kWaited = 20'000; // who took longer to acquire has waited in line

int64_t now() {
    timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1'000'000'000 + time.tv_nsec;
}

struct Tally {
    int64_t held = 0;
    std::vector<int64_t> waits;
};

// One thread's part.
template <class Subject>
void holds_of(typename Subject::Handle handle, std::atomic<size_t> &begun, Tally &tally) {
    prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL);
    const timespec hold = {0, kHold};
    while (begun.fetch_add(1, std::memory_order_relaxed) < kHolds) {
        const int64_t before = now();
        const auto lease = Subject::acquire(handle);
        const int64_t begin = now();
        clock_nanosleep(CLOCK_MONOTONIC, 0, &hold, nullptr);
        tally.held += now() - begin;
        Subject::release(handle, lease);
        tally.waits.push_back(begin - before);
    }
}

// Of all threads.
Tally sum(const std::vector<Tally> &tallies) {
    Tally all;
    for (const Tally &tally : tallies) {
        all.held += tally.held;
        for (int64_t wait : tally.waits)
            if (wait > kWaited)
                all.waits.push_back(wait);
    }
    std::sort(all.waits.begin(), all.waits.end());
    return all;
}

template <class Subject>
void hold(benchmark::State &state) {
    for (auto _ : state) {
        Subject subject(kConns);
        if (subject.problem() != nullptr) {
            state.SkipWithError(subject.problem());
            return;
        }
        const auto handle = subject.handle();
        open_all<Subject>(handle, kConns);
        std::atomic<size_t> begun{0};
        std::vector<Tally> tallies(kThreads);
        for (Tally &tally : tallies)
            tally.waits.reserve(kHolds);
        const double seconds = run_team(
            kThreads, [&](unsigned i) { holds_of<Subject>(handle, begun, tallies[i]); }, [] {});
        state.SetIterationTime(seconds / kHolds);

        const Tally all = sum(tallies);
        state.counters["used"] = static_cast<double>(all.held) / (kConns * seconds * 1e9);
        if (!all.waits.empty()) {
            state.counters["wait_median"] = static_cast<double>(all.waits[all.waits.size() / 2]);
            state.counters["wait_longest"] = static_cast<double>(all.waits.back());
        }
    }
}

} // namespace

void register_hold() {
    add_row("hold_32t/pool", hold<Pool>);
    add_row("hold_32t/mutex_condvar", hold<MutexCondvar>);
}

} // namespace bench
