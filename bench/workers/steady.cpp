// steady_allocs: how often a pool asks its allocator for memory during the second 1,000,000 of
// submits, and how often during the first, the making of the pool included.
//
// SPDX-License-Identifier: Apache-2.0
//
// The queue has room for 1,024 tasks and is full once before anything is counted as steady: workers
// are held up until then. So there is never more to be remembered afterwards, whoever is faster.
#include "support/rows.h"
#include "workers/counting.h"
#include "workers/scenarios.h"
#include "workers/subjects.h"

#include <cstdlib>
#include <latch>

namespace bench {
namespace {

constexpr size_t kTasks = 1'000'000;
constexpr uint64_t kRoom = 1'024;

// Counts the calls for memory.
class Counted {
public:
    Counted() {
        allocator_.size = sizeof allocator_;
        allocator_.alloc = [](size_t bytes, size_t alignment, void *self) {
            static_cast<Counted *>(self)->calls_ += 1;
            return std::aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment);
        };
        allocator_.free = [](void *memory, size_t, size_t, void *) { std::free(memory); };
        allocator_.ctx = this;
    }
    const pool_allocator *allocator() const { return &allocator_; }
    uint64_t calls() const { return calls_; }

private:
    pool_allocator allocator_{};
    std::atomic<uint64_t> calls_{0};
};

void wait_at(void *gate) {
    static_cast<std::latch *>(gate)->wait();
}

void fill_once(pool_workers *pool) {
    std::latch gate(1);
    for (unsigned i = 0; i < kWorkers; ++i)
        pool_workers_submit(pool, wait_at, &gate);
    while (pool_workers_try_submit(pool, count_task, nullptr) == POOL_OK) {
    }
    gate.count_down();
    pool_workers_wait_idle(pool, POOL_FOREVER);
}

void submit_all(pool_workers *pool) {
    for (size_t i = 0; i < kTasks; ++i)
        pool_workers_submit(pool, count_task, nullptr);
    pool_workers_wait_idle(pool, POOL_FOREVER);
}

void steady_allocs(benchmark::State &state) {
    for (auto _ : state) {
        Counted counted;
        pool_workers_options options = worker_options();
        options.queue_capacity = kRoom;
        options.allocator = counted.allocator();
        const WorkerPool pool(options);
        if (pool.problem() != nullptr) {
            state.SkipWithError(pool.problem());
            return;
        }
        fill_once(pool.get());
        submit_all(pool.get());
        const uint64_t first = counted.calls();
        submit_all(pool.get());
        state.counters["first"] = static_cast<double>(first);
        state.counters["second"] = static_cast<double>(counted.calls() - first);
        state.SetIterationTime(1e-9);
    }
}

} // namespace

void register_steady() {
    add_row("steady_allocs/pool", steady_allocs);
}

} // namespace bench
