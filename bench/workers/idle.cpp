// idle: how often the workers of a pool that has nothing to do give up their CPU by themselves, which
// they can only do if they got it, so 0 says that they sleep. In 10 s, or as many as the environment
// variable BENCH_IDLE_SECONDS says.
//
// SPDX-License-Identifier: Apache-2.0
//
// Meaningful only where the pool's threads and the one that measures are all that there are: run.py
// starts a process for it.
#include "support/rows.h"
#include "workers/counting.h"
#include "workers/scenarios.h"
#include "workers/subjects.h"

#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <thread>

namespace bench {
namespace {

constexpr size_t kTasks = 10'000;
constexpr std::chrono::milliseconds kSettling{100};

std::chrono::seconds time_to_watch() {
    const char *seconds = std::getenv("BENCH_IDLE_SECONDS");
    return std::chrono::seconds(seconds != nullptr ? std::atoi(seconds) : 10);
}

// Of all threads of the process but the calling one.
struct Switches {
    size_t threads = 0;
    uint64_t count = 0;
};

uint64_t switches_of(const std::filesystem::path &task) {
    std::ifstream status(task / "status");
    std::string key;
    uint64_t count = 0;
    while (status >> key)
        if (key == "voluntary_ctxt_switches:" && status >> count)
            break;
    return count;
}

Switches switches_of_others() {
    const std::string own = std::to_string(gettid());
    Switches all;
    for (const auto &task : std::filesystem::directory_iterator("/proc/self/task"))
        if (task.path().filename() != own) {
            ++all.threads;
            all.count += switches_of(task.path());
        }
    return all;
}

void idle(benchmark::State &state) {
    for (auto _ : state) {
        const Pool pool;
        if (pool.problem() != nullptr) {
            state.SkipWithError(pool.problem());
            return;
        }
        for (size_t i = 0; i < kTasks; ++i)
            Pool::submit<count_task>(pool.handle(), nullptr);
        Pool::wait(pool.handle());
        std::this_thread::sleep_for(kSettling);

        const Switches before = switches_of_others();
        std::this_thread::sleep_for(time_to_watch());
        const Switches after = switches_of_others();
        if (before.threads < kWorkers || before.threads != after.threads) {
            state.SkipWithError("a worker ended, or its thread could not be found");
            return;
        }
        state.counters["switches"] = static_cast<double>(after.count - before.count);
        state.SetIterationTime(1e-9);
    }
}

} // namespace

void register_idle() {
    add_row("idle/pool", idle);
}

} // namespace bench
