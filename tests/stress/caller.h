// A thread's worth of calls on a pool of workers, by chance in any manner there is, with an account of
// each task: that it ran or was dropped, exactly once if it was taken and else not at all.
//
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "watchdog.h"

#include <deque>
#include <pthread.h>

namespace pool_test {

// A task, and what became of it. Kept until the pool has ended, so that one that runs too late is
// counted.
struct Record {
    enum class Deed : uint8_t { kNothing, kYield, kLook, kThrow, kExit };
    Deed deed = Deed::kNothing;
    std::atomic<uint8_t> ran{0};
    std::atomic<uint8_t> dropped{0};

    static void run(void *arg) {
        auto *self = static_cast<Record *>(arg);
        self->ran++;
        switch (self->deed) {
        case Deed::kNothing:
            break;
        case Deed::kYield:
            std::this_thread::yield();
            break;
        case Deed::kLook:
            for (int i = 0; i < 100 && pool_workers_self_cancelled() == 0; i++)
                ;
            break;
        case Deed::kThrow:
            throw 1;
        case Deed::kExit:
            pthread_exit(nullptr);
        }
    }
    // For the option on_drop.
    static void drop(void *arg, pool_status, void *) { static_cast<Record *>(arg)->dropped++; }
};

// What several callers of one pool did, together.
struct Account {
    uint64_t taken = 0;  // tasks that the pool took; some of these were dropped
    uint64_t failed = 0; // calls; tasks that were only waited for in vain are taken
    uint64_t ran = 0;
    uint64_t dropped = 0; // as on_drop was told
    void add(const Account &other) {
        taken += other.taken;
        failed += other.failed;
        ran += other.ran;
        dropped += other.dropped;
    }
};

class Caller {
public:
    struct Manners {
        bool exits = false;   // tasks may end their threads
        bool weighs = false;  // tasks may have a weight
        bool patient = false; // may wait without end for a task to start
    };

    Caller(pool_workers *pool, unsigned seed, Manners manners)
        : pool_(pool), manners_(manners), random_(seed) {
        pool_workers_group_options options = POOL_WORKERS_GROUP_OPTIONS_INIT;
        options.flags = below(random_, 4);
        EXPECT_EQ(pool_workers_group_create(pool, &options, &group_), POOL_OK);
    }
    Caller(const Caller &) = delete;
    Caller &operator=(const Caller &) = delete;

    // One call. What it returned, if it was a submission; else POOL_OK.
    pool_status call() {
        const uint32_t manner = below(random_, 12);
        const size_t before = tasks_.size();
        const pool_status status = call_in(manner);
        for (size_t i = before; i < tasks_.size(); i++) {
            tasks_[i].manner = manner;
            tasks_[i].status = status;
        }
        return status;
    }

    // Cancel a task that another thread may wait for. Any thread.
    void cancel_one() {
        std::lock_guard<std::mutex> guard(mutex_);
        if (shown_ != nullptr) {
            EXPECT_EQ(pool_workers_task_cancel(shown_, nullptr), POOL_OK);
        }
    }

    // No more calls.
    void end() {
        show(nullptr);
        EXPECT_EQ(pool_workers_group_destroy(group_), POOL_OK);
    }

    // After the pool has stopped: is each task where it should be?
    Account settle() const {
        Account account;
        for (const Task &task : tasks_) {
            const int ran = task.record.ran;
            const int dropped = task.record.dropped;
            account.ran += static_cast<uint64_t>(ran);
            account.dropped += static_cast<uint64_t>(dropped);
            account.taken += task.fate != Fate::kRefused;
            switch (task.fate) {
            case Fate::kTaken:
                EXPECT_EQ(ran + dropped, 1) << "ran " << ran << " times; manner " << task.manner
                                            << ", status " << task.status;
                break;
            case Fate::kRan:
                EXPECT_EQ(ran, 1);
                EXPECT_EQ(dropped, 0);
                break;
            case Fate::kPerhaps:
                EXPECT_LE(ran, 1);
                EXPECT_EQ(dropped, 0);
                account.taken--; // and counts as failed
                break;
            case Fate::kRefused:
                EXPECT_EQ(ran + dropped, 0) << "ran " << ran << " times; manner " << task.manner
                                            << ", status " << task.status;
                break;
            }
        }
        account.failed = failed_;
        return account;
    }

private:
    enum class Fate : uint8_t { kRefused, kTaken, kRan, kPerhaps };
    struct Task {
        Record record;
        uint32_t manner = 0;
        pool_status status = POOL_OK;
        Fate fate = Fate::kRefused;
    };

    pool_status call_in(uint32_t manner) {
        switch (manner) {
        case 0:
            return note(pool_workers_submit(pool_, Record::run, record()));
        case 1:
            return note(pool_workers_try_submit(pool_, Record::run, record()));
        case 2:
            return note(
                pool_workers_submit_timed(pool_, Record::run, record(), below(random_, 100000)));
        case 3:
            return submit_bulk();
        case 4:
        case 5:
            return start();
        case 6:
            return note(pool_workers_group_submit(group_, Record::run, record()));
        case 7:
            see_to_group();
            return POOL_OK;
        case 8:
            return note(
                pool_workers_submit_node(pool_, &nodes_.emplace_back(), Record::run, record()));
        case 9:
            // On this thread, which is not to end.
            return own(pool_workers_run_here(pool_, Record::run, record(false), patience(30000)));
        case 10:
            return own(pool_workers_start_now(pool_, Record::run, record(), nullptr,
                                              patience(30000), nullptr));
        default:
            return own(pool_workers_run(pool_, Record::run, record(), patience(30000)), true);
        }
    }

    Record *record(bool may_exit = true) {
        Record &record = tasks_.emplace_back().record;
        if (below(random_, 50) == 0)
            record.deed = Record::Deed::kThrow;
        else if (manners_.exits && may_exit && below(random_, 50) == 0)
            record.deed = Record::Deed::kExit;
        else
            record.deed = static_cast<Record::Deed>(below(random_, 3));
        return &record;
    }

    int64_t patience(uint32_t most) {
        return manners_.patient && below(random_, 2) == 0 ? POOL_FOREVER : below(random_, most);
    }

    // Of a group that is cancelled nothing is counted.
    pool_status note(pool_status status) {
        if (status == POOL_OK)
            tasks_.back().fate = Fate::kTaken;
        else if (status != POOL_ECANCELED)
            failed_++;
        return status;
    }

    // The caller hears of such a task itself. One that it waited for in vain may still be running, and
    // one that was cancelled may have begun.
    pool_status own(pool_status status, bool runs_on = false) {
        if (status == POOL_OK || status == POOL_ETASK) {
            tasks_.back().fate = Fate::kRan;
            return POOL_OK;
        }
        if (status == POOL_ECANCELED || (status == POOL_ETIMEDOUT && runs_on))
            tasks_.back().fate = Fate::kPerhaps;
        failed_++;
        return status;
    }

    pool_status submit_bulk() {
        pool_workers_item items[5];
        const size_t first = tasks_.size();
        for (pool_workers_item &item : items)
            item = {Record::run, record()};
        size_t accepted = 0;
        const pool_status status =
            pool_workers_submit_bulk(pool_, items, 5, below(random_, 200000), &accepted);
        for (size_t i = 0; i < accepted; i++)
            tasks_[first + i].fate = Fate::kTaken;
        failed_ += status != POOL_OK;
        return status;
    }

    pool_status start() {
        pool_workers_task_options options = POOL_WORKERS_TASK_OPTIONS_INIT;
        options.key = below(random_, 4);
        options.priority = static_cast<int32_t>(below(random_, 3)) - 1;
        options.start_within = below(random_, 4) == 0 ? 20000 : 0;
        options.weight = manners_.weighs ? below(random_, 20) : 0;
        pool_workers_task *task;
        const pool_status status = note(pool_workers_start(
            pool_, Record::run, record(), &options,
            below(random_, 2) == 0 ? POOL_FOREVER : below(random_, 100000), &task));
        if (status != POOL_OK)
            return status;
        if (below(random_, 3) == 0) {
            EXPECT_EQ(pool_workers_task_cancel(task, nullptr), POOL_OK);
        }
        if (below(random_, 2) == 0)
            pool_workers_task_wait(task, patience(50000));
        show(task);
        return POOL_OK;
    }

    // A handle that others may cancel meanwhile; the one before it is released.
    void show(pool_workers_task *task) {
        std::lock_guard<std::mutex> guard(mutex_);
        pool_workers_task_release(shown_);
        shown_ = task;
    }

    void see_to_group() {
        if (below(random_, 8) != 0)
            pool_workers_group_wait(group_, patience(20000));
        else
            EXPECT_EQ(pool_workers_group_cancel(group_), POOL_OK);
    }

    pool_workers *const pool_;
    const Manners manners_;
    std::minstd_rand random_;
    pool_workers_group *group_ = nullptr;
    std::deque<Task> tasks_;
    std::deque<pool_workers_node> nodes_;
    uint64_t failed_ = 0;
    std::mutex mutex_;
    pool_workers_task *shown_ = nullptr;
};

// The callers have ended and the pool has stopped: the statistics are what the callers saw.
inline void expect_accounted(pool_workers *pool, const std::deque<Caller> &callers) {
    Account account;
    for (const Caller &caller : callers)
        account.add(caller.settle());
    const pool_workers_stats stats = seen(pool);
    EXPECT_EQ(stats.submitted,
              stats.succeeded + stats.failed + stats.cancelled + stats.dropped + stats.discarded);
    EXPECT_EQ(stats.submitted + stats.rejected, account.taken + account.failed);
    EXPECT_LE(stats.succeeded + stats.failed, account.ran);
    EXPECT_LE(account.ran, stats.succeeded + stats.failed + stats.cancelled);
    EXPECT_LE(account.dropped, stats.cancelled + stats.dropped + stats.discarded);
    EXPECT_EQ(stats.waiting, 0u);
    EXPECT_EQ(stats.running, 0u);
    EXPECT_EQ(stats.blocked_submitters, 0u);
    EXPECT_EQ(stats.waiting_bytes, 0u);
    EXPECT_EQ(stats.paused, 0u);
}

} // namespace pool_test
