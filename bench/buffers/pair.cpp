// pair_<size>_<n>t: n threads, each of which takes a buffer and gives it back at once.
// bounded_<n>t: the same with 1 KiB and a bound of 64 idle buffers.
//
// SPDX-License-Identifier: Apache-2.0
#include "buffers/scenarios.h"
#include "buffers/subjects.h"
#include "support/rows.h"
#include "support/team.h"

namespace bench {
namespace {

// By each CPU of two.
constexpr size_t kPairs = 1'000'000;
constexpr size_t kSlowPairs = 100'000; // where threads wait for one another, or the kernel is asked
constexpr size_t kChunk = 1'000;

template <class Subject>
void pairs_of(typename Subject::Handle handle, size_t size, size_t count) {
    for (size_t i = 0; i < count; ++i)
        Subject::put(handle, Subject::get(handle, size));
}

template <class Subject, class... Bound>
void pair(benchmark::State &state, unsigned threads, size_t pairs, size_t size, Bound... bound) {
    for (auto _ : state) {
        Subject subject(size, bound...);
        if (subject.problem() != nullptr) {
            state.SkipWithError(subject.problem());
            return;
        }
        const auto handle = subject.handle();
        state.SetIterationTime(share_among_team(
            threads, threads == 1 ? pairs : 2 * pairs, kChunk,
            [&](size_t count) { pairs_of<Subject>(handle, size, count); }, nothing));
    }
}

} // namespace

void register_pair() {
    for (size_t kib : {4U, 64U, 256U})
        for (unsigned threads : {1U, 8U}) {
            const std::string scenario =
                "pair_" + std::to_string(kib) + "k_" + std::to_string(threads) + "t/";
            const size_t size = kib * 1024;
            add_row(scenario + "pool", pair<Pool>, threads, kPairs, size);
            add_row(scenario + "objects", pair<Objects>, threads, kPairs, size);
            add_row(scenario + "mutex_vector", pair<MutexVector>, threads, kSlowPairs, size);
            add_row(scenario + "malloc", pair<Malloc>, threads, kSlowPairs, size);
        }
}

void register_bounded() {
    constexpr size_t kSize = 1024;
    constexpr size_t kMost = 64;
    for (unsigned threads : {1U, 2U}) {
        const std::string scenario = "bounded_" + std::to_string(threads) + "t/";
        add_row(scenario + "pool", pair<Pool, size_t>, threads, kPairs, kSize, kMost);
        add_row(scenario + "objects", pair<Objects, size_t>, threads, kPairs, kSize, kMost);
        add_row(scenario + "mutex_vector", pair<MutexVector, size_t>, threads, kSlowPairs, kSize,
                kMost);
    }
}

} // namespace bench
