// Several workers and several submitters: tasks that come one at a time, or in bursts after a silence
// in which every worker has fallen asleep.
//
// SPDX-License-Identifier: Apache-2.0
#include "pool/worker_sets.h"
#include "watchdog.h"

namespace {

using namespace pool_test;

constexpr uint64_t kCapacities[] = {POOL_WORKERS_HANDOFF, 1, 64, POOL_WORKERS_UNBOUNDED};

void sleep_a_little(std::minstd_rand &random) {
    std::this_thread::sleep_for(std::chrono::microseconds(below(random, 400)));
}

// Each waits for its own task, and is silent for a while now and then.
void play_on(pool_workers *pool, unsigned submitters, int count) {
    Watchdog dog({pool});
    on_threads(submitters, [&](unsigned t) {
        std::minstd_rand random(t + 1);
        Bell bell;
        for (int i = 0; i < count; i++) {
            ASSERT_EQ(pool_workers_submit(pool, Bell::ring, &bell), POOL_OK);
            bell.wait();
            dog.progress();
            if (below(random, 128) == 0)
                sleep_a_little(random);
            else
                dither(random);
        }
    });
    let_run(pool);
    EXPECT_EQ(seen(pool).succeeded, submitters * static_cast<uint64_t>(count));
}

void play(uint32_t workers, unsigned submitters, int count) {
    for (uint64_t capacity : kCapacities)
        play_on(WorkerPoolUnderTest(worker_options(workers, capacity)), submitters, count);
}

TEST(WorkerPingPong, TwoWorkersTwoSubmitters) {
    play(2, 2, rounds(10000));
}

TEST(WorkerPingPong, TwoWorkersFourSubmitters) {
    play(2, 4, rounds(5000));
}

TEST(WorkerPingPong, FourWorkersTwoSubmitters) {
    play(4, 2, rounds(10000));
}

TEST(WorkerPingPong, FourWorkersFourSubmitters) {
    play(4, 4, rounds(5000));
}

// No worker stays, so all the time some are about to end while others are being started.
TEST(WorkerPingPong, WorkersThatEndWhenIdle) {
    for (uint64_t capacity : kCapacities) {
        pool_workers_options options = worker_options(4, capacity);
        options.idle_timeout = POOL_WORKERS_AT_ONCE;
        play_on(WorkerPoolUnderTest(options), 3, rounds(8000));
    }
}

TEST(WorkerPingPong, WorkersThatEndWhenIdleUnderASubpool) {
    for (uint64_t capacity : {uint64_t{1}, POOL_WORKERS_UNBOUNDED})
        for (uint32_t most : {1u, 3u}) {
            pool_workers_options options = worker_options(4);
            options.idle_timeout = POOL_WORKERS_AT_ONCE;
            WorkerPoolUnderTest pool(options);
            options = worker_options(most, capacity);
            pool_workers *subpool = nullptr;
            ASSERT_EQ(pool_workers_create_sub(pool, &options, &subpool), POOL_OK);
            play_on(subpool, 3, rounds(8000));
            ASSERT_EQ(pool_workers_destroy(subpool), POOL_OK);
        }
}

// One burst, by single submissions or in bulk.
void burst(pool_workers *pool, Countdown &countdown, uint32_t size, bool in_bulk) {
    if (in_bulk) {
        const std::vector<pool_workers_item> items(size, {Countdown::count, &countdown});
        size_t accepted = 0;
        ASSERT_EQ(pool_workers_submit_bulk(pool, items.data(), size, POOL_FOREVER, &accepted),
                  POOL_OK);
        ASSERT_EQ(accepted, size);
        return;
    }
    for (uint32_t i = 0; i < size; i++)
        ASSERT_EQ(pool_workers_submit(pool, Countdown::count, &countdown), POOL_OK);
}

void burst_after_silence(unsigned submitters, int count) {
    for (uint64_t capacity : kCapacities)
        for (uint32_t workers : {1u, 2u, 4u}) {
            const uint32_t most = capacity == 1 || capacity == POOL_WORKERS_HANDOFF ? 200 : 5000;
            WorkerPoolUnderTest pool(worker_options(workers, capacity));
            Watchdog dog({pool});
            std::atomic<uint64_t> submitted{0};
            on_threads(submitters, [&](unsigned t) {
                std::minstd_rand random(t + 1);
                for (int i = 0; i < count; i++) {
                    sleep_a_little(random);
                    const uint32_t size = 1 + below(random, below(random, 2) == 0 ? 8 : most);
                    Countdown countdown(size);
                    burst(pool, countdown, size, below(random, 4) == 0);
                    countdown.wait();
                    submitted += size;
                    dog.progress();
                }
            });
            let_run(pool);
            EXPECT_EQ(pool.stats().succeeded, submitted);
        }
}

TEST(WorkerPingPong, BurstsAfterSilenceFromOneSubmitter) {
    burst_after_silence(1, rounds(80));
}

TEST(WorkerPingPong, BurstsAfterSilenceFromThreeSubmitters) {
    burst_after_silence(3, rounds(40));
}

} // namespace
