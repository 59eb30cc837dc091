// Stops of every kind while eight threads submit in any manner, cancel, resize and pause; and restarts
// in the middle of it. Whatever was taken has run or was dropped, once.
//
// SPDX-License-Identifier: Apache-2.0
#include "caller.h"

#include <poll.h>

namespace {

using namespace pool_test;

enum class Wait { kNot, kForever, kDeadline, kDescriptor };
constexpr Wait kWaits[] = {Wait::kNot, Wait::kForever, Wait::kDeadline, Wait::kDescriptor};

void stop(pool_workers *pool, pool_workers_stop_mode mode, Wait wait) {
    pool_workers_report report = empty_report();
    if (wait == Wait::kDescriptor) {
        int32_t fd = -1;
        ASSERT_EQ(pool_workers_stop_async(pool, mode, &fd), POOL_OK);
        pollfd ready = {fd, POLLIN, 0};
        ASSERT_EQ(poll(&ready, 1, -1), 1);
        ASSERT_EQ(pool_workers_stop(pool, mode, 0, &report), POOL_OK) << pool_last_error();
    } else if (wait != Wait::kForever) {
        const pool_status status =
            pool_workers_stop(pool, mode, wait == Wait::kNot ? 0 : 100000, &report);
        ASSERT_TRUE(status == POOL_OK || status == POOL_ETIMEDOUT);
        ASSERT_TRUE(status == POOL_ETIMEDOUT || report.running == 0);
    }
    ASSERT_EQ(pool_workers_stop(pool, mode, POOL_FOREVER, &report), POOL_OK);
    EXPECT_EQ(report.running, 0u);
    EXPECT_EQ(report.waiting, 0u);
}

// Five threads submit, three do the rest.
class Crowd {
public:
    explicit Crowd(pool_workers *pool, bool exits) : pool_(pool), dog_({pool}) {
        for (unsigned t = 0; t < kCallers; t++)
            callers_.emplace_back(pool, t + 1, Caller::Manners{exits, true, true});
        for (Caller &caller : callers_)
            threads_.emplace_back([this, &caller] { submit(caller); });
        threads_.emplace_back([this] { meddle(1, &Crowd::cancel); });
        threads_.emplace_back([this] { meddle(2, &Crowd::resize); });
        threads_.emplace_back([this] { meddle(3, &Crowd::pause); });
    }
    ~Crowd() { disperse(); }
    Crowd(const Crowd &) = delete;
    Crowd &operator=(const Crowd &) = delete;

    // It goes on until something has been taken.
    void let_go_on(std::minstd_rand &random) {
        const uint64_t before = taken_;
        const uint64_t more = below(random, 100);
        eventually([&] { return taken_ - before >= more; });
    }
    void progress() { dog_.progress(); }

    void disperse() {
        if (done_.exchange(true))
            return;
        for (std::thread &thread : threads_)
            thread.join();
        for (Caller &caller : callers_)
            caller.end();
    }
    const std::deque<Caller> &callers() const { return callers_; }

private:
    static constexpr unsigned kCallers = 5;

    void submit(Caller &caller) {
        while (!done_) {
            const pool_status status = caller.call();
            if (status == POOL_ECLOSED)
                std::this_thread::sleep_for(std::chrono::microseconds(50));
            else if (status == POOL_OK)
                taken_++;
        }
    }

    void meddle(unsigned seed, void (Crowd::*deed)(std::minstd_rand &)) {
        std::minstd_rand random(seed);
        while (!done_) {
            (this->*deed)(random);
            std::this_thread::sleep_for(std::chrono::microseconds(below(random, 200)));
        }
    }
    void cancel(std::minstd_rand &random) { callers_[below(random, kCallers)].cancel_one(); }
    void resize(std::minstd_rand &random) {
        const uint32_t most = 1 + below(random, 4);
        const pool_status status = pool_workers_resize(pool_, below(random, most + 1), most);
        EXPECT_TRUE(status == POOL_OK || status == POOL_ECLOSED) << pool_last_error();
    }
    void pause(std::minstd_rand &random) {
        const pool_status status =
            pool_workers_pause(pool_, below(random, 2) == 0 ? POOL_FOREVER : 0);
        if (status == POOL_ECLOSED)
            return;
        EXPECT_TRUE(status == POOL_OK || status == POOL_ETIMEDOUT) << pool_last_error();
        std::this_thread::sleep_for(std::chrono::microseconds(below(random, 100)));
        const pool_status resumed = pool_workers_resume(pool_);
        EXPECT_TRUE(resumed == POOL_OK || resumed == POOL_ECLOSED || resumed == POOL_EINVAL)
            << pool_last_error(); // a stop has ended the pause
    }

    pool_workers *const pool_;
    Watchdog dog_;
    std::deque<Caller> callers_;
    std::vector<std::thread> threads_;
    std::atomic<uint64_t> taken_{0};
    std::atomic<bool> done_{false};
};

void stop_and_restart(pool_workers_stop_mode mode, uint64_t capacity, bool exits) {
    pool_workers_options options = worker_options(2, capacity);
    options.on_drop = Record::drop;
    options.queue_bytes = 50;
    WorkerPoolUnderTest pool(options);
    Crowd crowd(pool, exits);
    std::minstd_rand random(9);
    for (int i = 0; i < rounds(25) && !testing::Test::HasFatalFailure(); i++)
        for (Wait wait : kWaits) {
            crowd.let_go_on(random);
            stop(pool, mode, wait);
            ASSERT_EQ(pool_workers_restart(pool), POOL_OK) << pool_last_error();
            crowd.progress();
        }
    stop(pool, mode, Wait::kForever);
    crowd.disperse();
    expect_accounted(pool, crowd.callers());
}

void stop_and_restart_every_queue(pool_workers_stop_mode mode) {
    for (uint64_t capacity :
         {POOL_WORKERS_HANDOFF, uint64_t{1}, uint64_t{16}, POOL_WORKERS_UNBOUNDED})
        for (bool exits : {false, true})
            stop_and_restart(mode, capacity, exits);
}

TEST(WorkerStops, ThatDrain) {
    stop_and_restart_every_queue(POOL_WORKERS_DRAIN);
}

TEST(WorkerStops, ThatDiscard) {
    stop_and_restart_every_queue(POOL_WORKERS_DISCARD);
}

TEST(WorkerStops, ThatCancel) {
    stop_and_restart_every_queue(POOL_WORKERS_CANCEL);
}

} // namespace
