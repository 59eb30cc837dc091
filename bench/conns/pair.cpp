// pair_<n>t: n threads share 8 connections; each takes one and gives it back at once.
// busy_32t: 32 threads do so with 10 connections.
//
// SPDX-License-Identifier: Apache-2.0
//
// All connections are open before the clock starts.
#include "conns/scenarios.h"
#include "conns/subjects.h"
#include "support/rows.h"
#include "support/team.h"

namespace bench {
namespace {

constexpr size_t kPairs = 200'000; // by each CPU of two
constexpr size_t kChunk = 1'000;

template <class Subject>
void pairs_of(typename Subject::Handle handle, size_t count) {
    for (size_t i = 0; i < count; ++i)
        Subject::release(handle, Subject::acquire(handle));
}

template <class Subject>
void pair(benchmark::State &state, unsigned threads, uint32_t most) {
    for (auto _ : state) {
        Subject subject(most);
        if (subject.problem() != nullptr) {
            state.SkipWithError(subject.problem());
            return;
        }
        const auto handle = subject.handle();
        open_all<Subject>(handle, most);
        const size_t pairs = (threads == 1 ? 1 : 2) * kPairs;
        state.SetIterationTime(share_among_team(
            threads, pairs, kChunk, [&](size_t count) { pairs_of<Subject>(handle, count); },
            [] {}));
    }
}

void add_rows(const std::string &scenario, unsigned threads, uint32_t most) {
    add_row(scenario + "/pool", pair<Pool>, threads, most);
    add_row(scenario + "/pool_fallback", pair<PoolFallback>, threads, most);
    add_row(scenario + "/mutex_condvar", pair<MutexCondvar>, threads, most);
}

} // namespace

void register_pair() {
    for (unsigned threads : {1U, 2U, 8U})
        add_rows("pair_" + std::to_string(threads) + 't', threads, 8);
    add_rows("busy_32t", 32, 10);
}

} // namespace bench
