// Object pools in a library whose sequences are interrupted at random points.
//
// SPDX-License-Identifier: Apache-2.0
#include "pool/objects.h"
#include "support/ledger.h"
#include "support/object_pool.h"

#include <atomic>
#include <csignal>
#include <gtest/gtest.h>
#include <random>
#include <sched.h>
#include <thread>
#include <vector>

extern "C" {
__attribute__((visibility("hidden"))) int pool_inject_point = 0;
}

namespace {

using namespace pool_test;

std::atomic<int> traps{0};

void hop() {
    cpu_set_t all, one;
    sched_getaffinity(0, sizeof all, &all);
    CPU_ZERO(&one);
    CPU_SET(static_cast<unsigned>(traps) % 2, &one);
    sched_setaffinity(0, sizeof one, &one);
    sched_setaffinity(0, sizeof all, &all);
}

void on_trap(int) {
    pool_inject_point = 0;
    switch (traps++ % 4) {
    case 0:
        sched_yield();
        break;
    case 1:
        hop();
        break;
    case 2: {
        timespec pause = {0, 50000};
        nanosleep(&pause, nullptr);
        break;
    }
    default:
        break;
    }
}

TEST(InjectedPool, NothingIsLostOrDoubled) {
    if (pool_config_cpu_mode() != POOL_CPU_RSEQ)
        GTEST_SKIP() << pool_version_details();
    struct sigaction action = {};
    action.sa_handler = on_trap;
    sigaction(SIGTRAP, &action, nullptr);
    for (uint64_t bound : {uint64_t{0}, uint64_t{40}}) {
        Ledger ledger;
        pool_objects_options options = ledger.options();
        options.max_idle = bound;
        ObjectPoolUnderTest pool(options);
        std::vector<std::thread> threads;
        for (unsigned t = 0; t < 4; t++)
            threads.emplace_back([&, t] {
                std::minstd_rand random(t + 1);
                std::vector<Item *> held;
                for (int i = 0; i < 6000; i++) {
                    if (random() % 8 == 0)
                        pool_inject_point = static_cast<int>(random() % 9) + 1;
                    if (held.empty() || (held.size() < 60 && random() % 2 == 0))
                        held.push_back(pool.get());
                    else {
                        pool.put(held.back());
                        held.pop_back();
                    }
                    if (i % 500 == 499)
                        pool_objects_sweep(pool);
                    if (i % 700 == 699)
                        pool_objects_shrink(pool, 10);
                }
                for (Item *item : held)
                    pool.put(item);
            });
        for (std::thread &thread : threads)
            thread.join();
        pool_inject_point = 0;
        pool_objects_stats stats = stats_of(pool);
        EXPECT_EQ(stats.out, 0);
        if (bound != 0) {
            EXPECT_LE(stats.idle, bound);
        }
        expect_balanced(stats);
    }
    EXPECT_GT(traps, 1000);
}

} // namespace
