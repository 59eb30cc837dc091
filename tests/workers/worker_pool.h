// A worker pool for tests, made and ended through the C functions.
//
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "../sync/gate.h"
#include "pool/workers.h"

#include <gtest/gtest.h>

namespace pool_test {

inline pool_workers_options worker_options(uint32_t max_workers, uint64_t capacity = 0) {
    pool_workers_options options = POOL_WORKERS_OPTIONS_INIT;
    options.max_workers = max_workers;
    options.queue_capacity = capacity;
    return options;
}

class WorkerPoolUnderTest {
public:
    explicit WorkerPoolUnderTest(const pool_workers_options &options) {
        EXPECT_EQ(pool_workers_create(&options, &pool_), POOL_OK) << pool_last_error();
    }
    ~WorkerPoolUnderTest() { EXPECT_EQ(pool_workers_destroy(pool_), POOL_OK); }

    operator pool_workers *() const { return pool_; }

    // Also checks what must hold in every snapshot.
    pool_workers_stats stats() const {
        pool_workers_stats stats;
        stats.size = sizeof stats;
        EXPECT_EQ(pool_workers_get_stats(pool_, &stats), POOL_OK);
        EXPECT_EQ(stats.submitted, stats.succeeded + stats.failed + stats.cancelled +
                                       stats.dropped + stats.discarded + stats.waiting +
                                       stats.running);
        EXPECT_EQ(stats.workers, stats.idle + stats.running);
        EXPECT_LE(stats.workers, stats.max_workers);
        return stats;
    }

    // Occupy a worker until the gate opens.
    void occupy(Gate *gate) const {
        uint64_t before = stats().running;
        EXPECT_EQ(pool_workers_submit(pool_, Gate::wait_on, gate), POOL_OK);
        eventually([&] { return stats().running == before + 1; });
    }

private:
    pool_workers *pool_ = nullptr;
};

inline void nothing(void *) {}

} // namespace pool_test
