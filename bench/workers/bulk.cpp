// bulk_1000: 1,000,000 empty tasks from one thread, 1,000 with each call.
//
// SPDX-License-Identifier: Apache-2.0
#include "support/rows.h"
#include "support/team.h"
#include "workers/counting.h"
#include "workers/scenarios.h"
#include "workers/subjects.h"

#include <vector>

namespace bench {
namespace {

constexpr size_t kBulk = 1'000;
constexpr size_t kTasks = 1'000'000;
constexpr size_t kWarmUp = 100'000;

double seconds_of_bulks(pool_workers *pool, size_t tasks) {
    const std::vector<pool_workers_item> items(kBulk, {count_task, nullptr});
    return run_team(
        1,
        [&](unsigned) {
            for (size_t i = 0; i < tasks; i += kBulk)
                pool_workers_submit_bulk(pool, items.data(), kBulk, POOL_FOREVER, nullptr);
            Pool::wait(pool);
        },
        [] {});
}

void bulk(benchmark::State &state) {
    for (auto _ : state) {
        const Pool pool;
        if (pool.problem() != nullptr) {
            state.SkipWithError(pool.problem());
            return;
        }
        seconds_of_bulks(pool.handle(), kWarmUp);
        const uint64_t before = TaskCounters::sum();
        const double seconds = seconds_of_bulks(pool.handle(), kTasks);
        if (TaskCounters::sum() - before != kTasks) {
            state.SkipWithError("not every task ran once");
            return;
        }
        state.SetIterationTime(seconds / kTasks);
    }
}

} // namespace

void register_bulk() {
    add_row("bulk_1000/pool", bulk);
}

} // namespace bench
