// factory: how often the create callback runs when 8 threads on 2 CPUs share 64 objects.
//
// SPDX-License-Identifier: Apache-2.0
//
// All threads first hold 8 objects each, so 64 must exist; each object created after that is one
// too many. Then each takes 1 to 8, writes to them, now and then lets other threads run, and gives
// them back in varying order. No thread ever wants more than its 8.
#include "objects/scenarios.h"
#include "objects/subjects.h"
#include "support/affinity.h"
#include "support/rows.h"
#include "support/team.h"

#include <array>

namespace bench {
namespace {

constexpr unsigned kThreads = 8;
constexpr size_t kHeld = 8;
constexpr size_t kCpus = 2;
constexpr unsigned kTurns = 20'000;
constexpr unsigned kTurnsPerYield = 16;

// xorshift32: a different, fixed sequence per seed.
struct Random {
    uint32_t state;
    uint32_t next() {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        return state;
    }
};

template <class Subject>
class Worker {
public:
    Worker(typename Subject::Handle handle, unsigned index)
        : handle_(handle), random_{(index + 1) * 2654435761U} {}

    void take(size_t count) {
        for (size_t i = 0; i < count; ++i) {
            held_[i] = Subject::get(handle_);
            *static_cast<uint32_t *>(held_[i]) = random_.state;
        }
    }

    // In the order taken, backwards, or beginning in the middle.
    void give_back(size_t count) {
        const uint32_t order = random_.next() % 3;
        const size_t first = order == 2 ? random_.next() % count : 0;
        for (size_t i = 0; i < count; ++i)
            Subject::put(handle_, held_[order == 1 ? count - 1 - i : (first + i) % count]);
    }

    void run() {
        for (unsigned turn = 1; turn <= kTurns; ++turn) {
            const size_t count = 1 + random_.next() % kHeld;
            take(count);
            if (turn % kTurnsPerYield == 0)
                sched_yield();
            give_back(count);
        }
    }

private:
    typename Subject::Handle handle_;
    Random random_;
    std::array<void *, kHeld> held_{};
};

template <class Subject>
void factory(benchmark::State &state) {
    for (auto _ : state) {
        Subject subject;
        if (subject.problem() != nullptr) {
            state.SkipWithError(subject.problem());
            return;
        }
        const auto handle = subject.handle();
        const auto cpus = allowed_cpus();
        Rendezvous all_hold(kThreads);
        const double seconds = run_team(
            kThreads,
            [&](unsigned index) {
                stay_on(cpus, 0, kCpus);
                Worker<Subject> worker(handle, index);
                worker.take(kHeld);
                all_hold.arrive_and_wait();
                worker.give_back(kHeld);
                worker.run();
            },
            Subject::leave);
        state.SetIterationTime(seconds);
        state.counters["created"] = static_cast<double>(subject.stats().created);
    }
}

} // namespace

void register_factory() {
    add_row("factory/pool", factory<Pool>);
    add_row("factory/pool_fallback", factory<PoolFallback>);
}

} // namespace bench
