// burst: 1,024 buffers of 1 MiB are in use at once, and then, for 60 simulated seconds, 64 of 2 KiB.
// Counters: "live", the bytes in use at the end; "retained", those and what the pool still keeps;
// "rss", the memory of the process.
//
// SPDX-License-Identifier: Apache-2.0
//
// Memory is meaningful for one row per process only: run.py starts one for each.
#include "buffers/scenarios.h"
#include "buffers/subjects.h"
#include "support/memory.h"
#include "support/rows.h"

#include <vector>

namespace bench {
namespace {

constexpr size_t kLarge = 1 << 20;
constexpr size_t kLargeCount = 1024;
constexpr size_t kSmall = 2048;
constexpr size_t kSmallCount = 64;
constexpr int64_t kGap = 100'000; // nanoseconds between two gets
constexpr int64_t kEnd = 60'000'000'000;

int64_t simulated_now = 1;

template <class Subject>
pool_buffer take(typename Subject::Handle handle, size_t size) {
    const pool_buffer buffer = Subject::get(handle, size);
    for (size_t at = 0; at < size; at += 4096)
        static_cast<volatile char *>(buffer.data)[at] = 1;
    return buffer;
}

template <class Subject>
void burst(benchmark::State &state) {
    for (auto _ : state) {
        pool_config_set_clock([](void *) { return simulated_now; }, nullptr);
        Subject subject;
        if (subject.problem() != nullptr) {
            state.SkipWithError(subject.problem());
            return;
        }
        const auto handle = subject.handle();
        std::vector<pool_buffer> held(kLargeCount);
        for (pool_buffer &buffer : held)
            buffer = take<Subject>(handle, kLarge);
        for (const pool_buffer &buffer : held)
            Subject::put(handle, buffer);

        held.assign(kSmallCount, {nullptr, 0});
        const int64_t end = simulated_now + kEnd;
        for (size_t next = 0; simulated_now < end; simulated_now += kGap) {
            if (held[next].data != nullptr)
                Subject::put(handle, held[next]);
            held[next] = take<Subject>(handle, kSmall);
            next = (next + 1) % kSmallCount;
        }
        state.counters["live"] = static_cast<double>(kSmallCount * held[0].capacity);
        if constexpr (requires { subject.bytes(); })
            state.counters["retained"] = static_cast<double>(subject.bytes());
        state.counters["rss"] = static_cast<double>(resident_bytes());
        for (const pool_buffer &buffer : held)
            Subject::put(handle, buffer);
        pool_config_set_clock(nullptr, nullptr);
        state.SetIterationTime(1e-9);
    }
}

} // namespace

void register_burst() {
    add_row("burst/pool", burst<Pool>);
    add_row("burst/malloc", burst<Malloc>);
}

} // namespace bench
