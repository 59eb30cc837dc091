// forkjoin_20: a task spawns two and waits for them, each of which does the same, 20 levels deep:
// 2,097,151 tasks.
//
// SPDX-License-Identifier: Apache-2.0
//
// A subject has grow(), which runs the whole tree from outside and returns when it is done. Every
// task counts itself.
#pragma once

#include "support/rows.h"
#include "support/team.h"
#include "workers/counting.h"

namespace bench {

constexpr unsigned kDepth = 20;
constexpr uint64_t kTreeTasks = (uint64_t{2} << kDepth) - 1;
constexpr unsigned kWarmUpDepth = 14;

template <class Subject>
void forkjoin(benchmark::State &state) {
    for (auto _ : state) {
        Subject subject;
        if (subject.problem() != nullptr) {
            state.SkipWithError(subject.problem());
            return;
        }
        subject.grow(kWarmUpDepth);
        const uint64_t before = TaskCounters::sum();
        const Clock::time_point begin = Clock::now();
        subject.grow(kDepth);
        const std::chrono::duration<double> time = Clock::now() - begin;
        if (TaskCounters::sum() - before != kTreeTasks) {
            state.SkipWithError("not every task ran once");
            return;
        }
        state.SetIterationTime(time.count() / static_cast<double>(kTreeTasks));
    }
}

} // namespace bench
