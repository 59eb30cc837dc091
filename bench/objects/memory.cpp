// memory_<n>t: what is in memory when n threads have done 1,000 pairs each and still live.
//
// SPDX-License-Identifier: Apache-2.0
//
// "rss" is the whole process, threads' stacks included; "threads" are threads that do nothing.
// Meaningful for one row per process only: run.py starts one for each.
#include "support/memory.h"
#include "objects/scenarios.h"
#include "objects/subjects.h"
#include "support/affinity.h"
#include "support/rows.h"
#include "support/team.h"

#include <latch>

namespace bench {
namespace {

constexpr size_t kPairs = 1'000;

class Threads {
public:
    using Handle = char *;

    static const char *problem() { return nullptr; }
    Handle handle() { return &object_; }
    static void *get(Handle object) { return object; }
    static void put(Handle, void *) {}
    static void leave() {}

private:
    char object_ = 0;
};

template <class Subject>
void memory(benchmark::State &state, unsigned threads) {
    for (auto _ : state) {
        Subject subject;
        if (subject.problem() != nullptr) {
            state.SkipWithError(subject.problem());
            return;
        }
        const auto handle = subject.handle();
        // Threads take turns at the CPUs, and the first one on each waits for those on the others:
        // two threads use as many CPUs as a thousand do.
        const auto cpus = allowed_cpus();
        const size_t places = std::max(cpus.size(), size_t{1});
        Rendezvous start(static_cast<unsigned>(std::min(size_t{threads}, places)));
        std::latch finished(threads);
        std::latch looked(1);
        std::vector<std::thread> team;
        team.reserve(threads);
        for (unsigned i = 0; i < threads; ++i)
            team.emplace_back([&, i] {
                stay_on(cpus, i % places, 1);
                start.arrive_and_wait();
                for (size_t pair = 0; pair < kPairs; ++pair)
                    Subject::put(handle, Subject::get(handle));
                finished.count_down();
                looked.wait();
                Subject::leave();
            });
        finished.wait();
        state.counters["rss"] = static_cast<double>(resident_bytes());
        if constexpr (requires { subject.stats(); })
            state.counters["bytes"] = static_cast<double>(subject.stats().bytes);
        looked.count_down();
        for (std::thread &thread : team)
            thread.join();
        state.SetIterationTime(1e-9);
    }
}

} // namespace

void register_memory() {
    for (unsigned threads : {2U, 1000U}) {
        const std::string scenario = "memory_" + std::to_string(threads) + "t/";
        add_row(scenario + "pool", memory<Pool>, threads);
        add_row(scenario + "thread_local", memory<ThreadLocal>, threads);
        add_row(scenario + "malloc", memory<Malloc>, threads);
        add_row(scenario + "threads", memory<Threads>, threads);
    }
}

} // namespace bench
