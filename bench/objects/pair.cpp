// pair_<n>t: n threads, each of which takes an object and gives it back at once.
//
// SPDX-License-Identifier: Apache-2.0
#include "objects/scenarios.h"
#include "objects/subjects.h"
#include "support/rows.h"
#include "support/team.h"

namespace bench {
namespace {

// By each CPU of two: some 5 ms.
constexpr size_t kPairs = 1'000'000;
constexpr size_t kSlowPairs = 100'000; // where threads wait for one another

constexpr size_t kChunk = 10'000;

template <class Subject>
void pairs_of(typename Subject::Handle handle, size_t count) {
    for (size_t i = 0; i < count; ++i)
        Subject::put(handle, Subject::get(handle));
}

template <class Subject>
void pair(benchmark::State &state, unsigned threads, size_t pairs) {
    for (auto _ : state) {
        Subject subject;
        if (subject.problem() != nullptr) {
            state.SkipWithError(subject.problem());
            return;
        }
        const auto handle = subject.handle();
        state.SetIterationTime(share_among_team(
            threads, pairs, kChunk, [&](size_t count) { pairs_of<Subject>(handle, count); },
            Subject::leave));
    }
}

} // namespace

void register_pair() {
    for (unsigned threads : {1U, 2U, 8U}) {
        const std::string scenario = "pair_" + std::to_string(threads) + "t/";
        const size_t cpus = threads == 1 ? 1 : 2;
        add_row(scenario + "pool", pair<Pool>, threads, cpus * kPairs);
        add_row(scenario + "pool_fallback", pair<PoolFallback>, threads, cpus * kPairs);
        add_row(scenario + "thread_local", pair<ThreadLocal>, threads, cpus * kPairs);
        add_row(scenario + "getcpu_exchange", pair<GetcpuExchange>, threads, cpus * kPairs);
        add_row(scenario + "mutex_vector", pair<MutexVector>, threads, cpus * kSlowPairs);
        add_row(scenario + "malloc", pair<Malloc>, threads, cpus * kPairs);
    }
}

} // namespace bench
