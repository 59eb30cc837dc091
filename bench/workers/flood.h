// flood_<n>s: 1,000,000 empty tasks in all from n threads, timed from the first submit until all
// have run.
//
// SPDX-License-Identifier: Apache-2.0
//
// Before that, one thread submits 100,000 and waits: workers are awake and memory is at hand, for
// every subject. The submitter that is the last one to be done waits for the tasks of all.
#pragma once

#include "support/rows.h"
#include "support/team.h"
#include "workers/counting.h"

namespace bench {

constexpr size_t kFlood = 1'000'000;
constexpr size_t kWarmUp = 100'000;

template <class Subject>
double seconds_of_flood(typename Subject::Handle handle, unsigned submitters, size_t tasks) {
    std::atomic<unsigned> submitting{submitters};
    const auto submit_share = [&] {
        for (size_t i = 0; i < tasks / submitters; ++i)
            Subject::template submit<count_task>(handle, nullptr);
        if (submitting.fetch_sub(1) == 1)
            Subject::wait(handle);
    };
    return run_team(
        submitters, [&](unsigned) { Subject::enter(handle, submit_share); }, [] {});
}

template <class Subject>
void flood(benchmark::State &state, unsigned submitters) {
    for (auto _ : state) {
        Subject subject;
        if (subject.problem() != nullptr) {
            state.SkipWithError(subject.problem());
            return;
        }
        const auto handle = subject.handle();
        seconds_of_flood<Subject>(handle, 1, kWarmUp);
        const uint64_t before = TaskCounters::sum();
        const double seconds = seconds_of_flood<Subject>(handle, submitters, kFlood);
        if (TaskCounters::sum() - before != kFlood) {
            state.SkipWithError("not every task ran once");
            return;
        }
        state.SetIterationTime(seconds / kFlood);
    }
}

template <class Subject>
void add_flood_rows(const std::string &subject) {
    for (unsigned submitters : {1U, 2U, 4U, 8U})
        add_row("flood_" + std::to_string(submitters) + "s/" + subject, flood<Subject>, submitters);
}

} // namespace bench
