// burst_100: one thread takes 100 objects, then gives the 100 back, in the order it took them.
//
// SPDX-License-Identifier: Apache-2.0
#include "objects/scenarios.h"
#include "objects/subjects.h"
#include "support/rows.h"
#include "support/team.h"

#include <array>

namespace bench {
namespace {

constexpr size_t kBurst = 100;
constexpr size_t kBursts = 10'000;

template <class Subject>
void bursts(typename Subject::Handle handle) {
    std::array<void *, kBurst> taken;
    for (size_t i = 0; i < kBursts; ++i) {
        for (void *&object : taken)
            object = Subject::get(handle);
        for (void *object : taken)
            Subject::put(handle, object);
    }
}

template <class Subject>
void burst(benchmark::State &state) {
    for (auto _ : state) {
        Subject subject;
        if (subject.problem() != nullptr) {
            state.SkipWithError(subject.problem());
            return;
        }
        const auto handle = subject.handle();
        const double seconds = run_team(
            1, [=](unsigned) { bursts<Subject>(handle); }, Subject::leave);
        state.SetIterationTime(seconds / static_cast<double>(kBurst * kBursts));
    }
}

} // namespace

void register_burst() {
    add_row("burst_100/pool", burst<Pool>);
    add_row("burst_100/pool_fallback", burst<PoolFallback>);
    add_row("burst_100/thread_local", burst<ThreadLocal>);
    add_row("burst_100/mutex_vector", burst<MutexVector>);
    add_row("burst_100/malloc", burst<Malloc>);
}

} // namespace bench
