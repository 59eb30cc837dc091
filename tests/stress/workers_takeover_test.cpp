// A flood of tiny tasks, which one worker can run as fast as they come, and in it tasks that block
// until others have run: however well that worker keeps up alone, once it blocks another one must take
// over, with no further call from outside.
//
// SPDX-License-Identifier: Apache-2.0
#include "pool/worker_sets.h"
#include "watchdog.h"

#include <barrier>
#include <deque>

namespace {

using namespace pool_test;

constexpr uint32_t kFlood = 10000;

// So many tasks have to be inside at the same time before any of them goes on.
class Meeting {
public:
    explicit Meeting(uint32_t size, bool spins = false) : size_(size), spins_(spins), left_(size) {}
    ~Meeting() { left_.wait(); }
    static void attend(void *meeting) {
        auto *self = static_cast<Meeting *>(meeting);
        self->here_.fetch_add(1);
        self->here_.notify_all();
        for (uint32_t here = self->here_; here < self->size_; here = self->here_) {
            if (self->spins_)
                std::this_thread::yield();
            else
                self->here_.wait(here);
        }
        Countdown::count(&self->left_);
    }
    void wait() { left_.wait(); }

private:
    const uint32_t size_;
    const bool spins_; // busy is not the same as asleep
    std::atomic<uint32_t> here_{0};
    Countdown left_;
};

void flood(pool_workers *pool, uint32_t count, bool in_bulk) {
    if (in_bulk) {
        const std::vector<pool_workers_item> items(count, {nothing, nullptr});
        ASSERT_EQ(pool_workers_submit_bulk(pool, items.data(), count, POOL_FOREVER, nullptr),
                  POOL_OK);
        return;
    }
    for (uint32_t i = 0; i < count; i++)
        ASSERT_EQ(pool_workers_submit(pool, nothing, nullptr), POOL_OK);
}

// Plainly, or as a task of another kind.
void submit_somehow(pool_workers *pool, pool_workers_task_fn task, void *arg, unsigned manner) {
    pool_workers_task_options options = POOL_WORKERS_TASK_OPTIONS_INIT;
    switch (manner % 4) {
    case 0:
        options.priority = POOL_WORKERS_LOW;
        break;
    case 1:
        options.priority = POOL_WORKERS_HIGH;
        break;
    case 2:
        break;
    default:
        ASSERT_EQ(pool_workers_submit(pool, task, arg), POOL_OK);
        return;
    }
    ASSERT_EQ(pool_workers_start(pool, task, arg, &options, POOL_FOREVER, nullptr), POOL_OK);
}

// After the flood all workers have to meet, each time. `flooded` and `blocking` may be two pools with
// the same workers.
void meet_after_floods(pool_workers *flooded, pool_workers *blocking, uint32_t workers,
                       unsigned submitters, int count) {
    Watchdog dog({flooded, blocking});
    std::deque<Meeting> meetings;
    for (int i = 0; i < count; i++)
        meetings.emplace_back(workers, i % 2 == 1);
    std::barrier together(submitters);
    on_threads(submitters, [&](unsigned t) {
        for (int i = 0; i < count; i++) {
            Meeting &meeting = meetings[static_cast<size_t>(i)];
            flood(flooded, kFlood / submitters, i % 3 == 1);
            for (uint32_t k = t; k < workers; k += submitters)
                submit_somehow(blocking, Meeting::attend, &meeting,
                               i % 4 == 0 ? k + static_cast<unsigned>(i) : 3);
            meeting.wait();
            dog.progress();
            together.arrive_and_wait();
        }
    });
}

TEST(WorkerTakeover, AllWorkersMeetAfterAFlood) {
    for (uint32_t workers : {2u, 3u, 4u})
        for (unsigned submitters : {1u, 2u, 4u}) {
            WorkerPoolUnderTest pool(worker_options(workers));
            meet_after_floods(pool, pool, workers, submitters, rounds(150));
            let_run(pool);
        }
}

TEST(WorkerTakeover, AllWorkersMeetAfterAFloodOfAnUnboundedQueue) {
    for (uint32_t workers : {2u, 4u}) {
        WorkerPoolUnderTest pool(worker_options(workers, POOL_WORKERS_UNBOUNDED));
        meet_after_floods(pool, pool, workers, 2, rounds(150));
        let_run(pool);
    }
}

// The submitters wait for room when the one worker that runs blocks.
TEST(WorkerTakeover, AllWorkersMeetWhileSubmittersWaitForRoom) {
    for (uint64_t capacity : {POOL_WORKERS_HANDOFF, uint64_t{1}, uint64_t{16}})
        for (unsigned submitters : {1u, 3u}) {
            WorkerPoolUnderTest pool(worker_options(3, capacity));
            meet_after_floods(pool, pool, 3, submitters, rounds(10));
            let_run(pool);
        }
}

TEST(WorkerTakeover, AllWorkersMeetInASubpoolBesideAFlood) {
    WorkerPoolUnderTest pool(worker_options(3));
    {
        pool_workers *subpool = nullptr;
        ASSERT_EQ(pool_workers_create_sub(pool, nullptr, &subpool), POOL_OK);
        meet_after_floods(pool, subpool, 3, 2, rounds(150));
        meet_after_floods(subpool, pool, 3, 2, rounds(150));
        meet_after_floods(subpool, subpool, 3, 2, rounds(150));
        ASSERT_EQ(pool_workers_destroy(subpool), POOL_OK);
    }
    let_run(pool);
}

// Something is done to the pool all the time, until the end of the scope.
template <class Deed>
class Beside {
public:
    explicit Beside(Deed deed)
        : thread_([this, deed] {
              std::minstd_rand random(3);
              while (!done_) {
                  deed(random);
                  std::this_thread::sleep_for(std::chrono::microseconds(below(random, 300)));
              }
          }) {}
    ~Beside() {
        done_ = true;
        thread_.join();
    }
    Beside(const Beside &) = delete;
    Beside &operator=(const Beside &) = delete;

private:
    std::atomic<bool> done_{false};
    std::thread thread_;
};

// Never to fewer than are to meet.
TEST(WorkerTakeover, AllWorkersMeetBesideResizes) {
    WorkerPoolUnderTest pool(worker_options(3));
    Beside resizes([&](std::minstd_rand &random) {
        const uint32_t most = 3 + below(random, 3);
        EXPECT_EQ(pool_workers_resize(pool, below(random, 4), most), POOL_OK);
    });
    meet_after_floods(pool, pool, 3, 2, rounds(300));
}

// The pause does not wait for those that run, since they may wait for one that it holds back.
TEST(WorkerTakeover, AllWorkersMeetBesidePauses) {
    WorkerPoolUnderTest pool(worker_options(3));
    Beside pauses([&](std::minstd_rand &random) {
        const pool_status status = pool_workers_pause(pool, 0);
        EXPECT_TRUE(status == POOL_OK || status == POOL_ETIMEDOUT);
        std::this_thread::sleep_for(std::chrono::microseconds(below(random, 300)));
        EXPECT_EQ(pool_workers_resume(pool), POOL_OK);
    });
    meet_after_floods(pool, pool, 3, 2, rounds(300));
}

// Workers that fall asleep end, so that there is none to wake: one must be started.
TEST(WorkerTakeover, AllWorkersMeetThoughIdleOnesEnd) {
    pool_workers_options options = worker_options(3);
    options.idle_timeout = POOL_WORKERS_AT_ONCE;
    WorkerPoolUnderTest pool(options);
    meet_after_floods(pool, pool, 3, 2, rounds(150));
}

// All but one worker block somewhere in the flood, until the last task of the flood has run.
TEST(WorkerTakeover, TheLastFreeWorkerGoesOn) {
    for (uint32_t workers : {2u, 4u}) {
        WorkerPoolUnderTest pool(worker_options(workers));
        Watchdog dog({pool});
        std::minstd_rand random(1);
        for (int i = 0; i < rounds(1000); i++) {
            Gate gate;
            const uint32_t size = 1 + below(random, kFlood);
            std::vector<bool> blocks(size);
            for (uint32_t k = 1; k < workers; k++)
                blocks[below(random, size)] = true;
            for (uint32_t k = 0; k < size; k++)
                ASSERT_EQ(pool_workers_submit(pool, blocks[k] ? Gate::wait_on : nothing, &gate),
                          POOL_OK);
            ASSERT_EQ(
                pool_workers_submit(
                    pool, [](void *its_gate) { static_cast<Gate *>(its_gate)->open(); }, &gate),
                POOL_OK);
            let_run(pool);
            dog.progress();
        }
    }
}

// Many times in one flood a task blocks until the next one has run, so the work changes hands each
// time. With a short queue its submitter waits for room then.
TEST(WorkerTakeover, TheWorkChangesHandsAtEveryBlock) {
    struct Pair {
        Bell bell;
        static void wait(void *pair) { static_cast<Pair *>(pair)->bell.wait(); }
    };
    for (uint64_t capacity :
         {POOL_WORKERS_HANDOFF, uint64_t{1}, uint64_t{16}, POOL_WORKERS_UNBOUNDED}) {
        WorkerPoolUnderTest pool(worker_options(2, capacity));
        Watchdog dog({pool});
        std::minstd_rand random(1);
        for (int i = 0; i < rounds(60); i++) {
            std::vector<Pair> pairs(1 + below(random, 50));
            const uint32_t most = below(random, 4) == 0 ? 400 : 4;
            for (Pair &pair : pairs) {
                flood(pool, below(random, most), false);
                ASSERT_EQ(pool_workers_submit(pool, Pair::wait, &pair), POOL_OK);
                ASSERT_EQ(pool_workers_submit(pool, Bell::ring, &pair.bell), POOL_OK);
            }
            let_run(pool);
            dog.progress();
        }
    }
}

// A task that submits a flood itself and then blocks until that has run.
TEST(WorkerTakeover, ATaskMayBlockUntilWhatItSubmittedHasRun) {
    struct Parent {
        pool_workers *pool;
        uint32_t children;
        static void run(void *arg) {
            auto *self = static_cast<Parent *>(arg);
            Countdown countdown(self->children);
            for (uint32_t i = 0; i < self->children; i++)
                ASSERT_EQ(pool_workers_submit(self->pool, Countdown::count, &countdown), POOL_OK);
            countdown.wait();
        }
    };
    for (uint64_t capacity : {POOL_WORKERS_HANDOFF, uint64_t{1}, POOL_WORKERS_UNBOUNDED}) {
        WorkerPoolUnderTest pool(worker_options(3, capacity));
        Watchdog dog({pool});
        std::minstd_rand random(1);
        for (int i = 0; i < rounds(300); i++) {
            Parent parents[2];
            for (Parent &parent : parents) {
                parent = {pool, static_cast<uint32_t>(1 + below(random, 2000))};
                ASSERT_EQ(pool_workers_submit(pool, Parent::run, &parent), POOL_OK);
            }
            let_run(pool);
            dog.progress();
        }
    }
}

} // namespace
