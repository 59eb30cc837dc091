// work_<n>us: tasks that are busy for n microseconds each. Counter "overhead": their time over that
// of perfect scaling, which is all the work shared evenly by two threads.
//
// SPDX-License-Identifier: Apache-2.0
//
// Perfect scaling is measured too, in turns with the subject, with as many calls of the same
// function: other guests of the machine and changes of the clock rate make for more than the
// overhead that is looked for.
#pragma once

#include "support/rows.h"
#include "support/team.h"
#include "workers/spin.h"
#include "workers/subjects.h"

namespace bench {

constexpr std::chrono::milliseconds kTurn{20}; // of either, for two threads
constexpr unsigned kTurns = 5;

inline void work_task(void *rounds) {
    spin(*static_cast<uint64_t *>(rounds));
}

// Seconds of `tasks` tasks without any pool.
inline double seconds_alone(uint64_t rounds, size_t tasks) {
    return run_team(
        kWorkers,
        [&](unsigned) {
            for (size_t i = 0; i < tasks / kWorkers; ++i)
                work_task(&rounds);
        },
        [] {});
}

template <class Subject>
double seconds_of_work(typename Subject::Handle handle, uint64_t rounds, size_t tasks) {
    const Clock::time_point begin = Clock::now();
    Subject::enter(handle, [&] {
        for (size_t i = 0; i < tasks; ++i)
            Subject::template submit<work_task>(handle, &rounds);
        Subject::wait(handle);
    });
    return std::chrono::duration<double>(Clock::now() - begin).count();
}

template <class Subject>
void work(benchmark::State &state, std::chrono::microseconds length) {
    for (auto _ : state) {
        Subject subject;
        if (subject.problem() != nullptr) {
            state.SkipWithError(subject.problem());
            return;
        }
        const uint64_t rounds = rounds_in(length);
        const auto tasks = static_cast<size_t>(kWorkers * (kTurn / length));
        double with = 0;
        double alone = 0;
        for (unsigned turn = 0; turn < kTurns; ++turn) {
            with += seconds_of_work<Subject>(subject.handle(), rounds, tasks);
            alone += seconds_alone(rounds, tasks);
        }
        state.SetIterationTime(with / static_cast<double>(kTurns * tasks));
        state.counters["overhead"] = with / alone;
    }
}

template <class Subject>
void add_work_rows(const std::string &subject) {
    for (int length : {1, 10, 100})
        add_row("work_" + std::to_string(length) + "us/" + subject, work<Subject>,
                std::chrono::microseconds(length));
}

} // namespace bench
