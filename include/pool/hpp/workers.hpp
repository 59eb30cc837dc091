// pool/hpp/workers.hpp - pool/workers.h for C++20; see pool/pool.hpp.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef POOL_HPP_WORKERS_HPP
#define POOL_HPP_WORKERS_HPP

#include "../workers.h"
#include "error.hpp"

#include <chrono>
#include <concepts>
#include <memory>
#include <utility>

namespace pool {

class workers {
public:
    explicit workers(const pool_workers_options &options = POOL_WORKERS_OPTIONS_INIT) {
        check(pool_workers_create(&options, &pool_));
    }
    // Runs what was submitted first; to drop it instead, stop() with POOL_WORKERS_DISCARD before.
    ~workers() {
        pool_workers_stop(pool_, POOL_WORKERS_DRAIN, POOL_FOREVER, nullptr);
        pool_workers_destroy(pool_);
    }
    workers(const workers &) = delete;
    workers &operator=(const workers &) = delete;

    // Have `task()` run; waits for room. What it throws is counted as a failure and lost. A task
    // that is discarded is not destroyed.
    template <std::invocable Task>
    void submit(Task task) {
        auto owned = std::make_unique<Task>(std::move(task));
        check(pool_workers_submit(
            pool_, [](void *arg) { (*std::unique_ptr<Task>(static_cast<Task *>(arg)))(); },
            owned.get()));
        owned.release();
    }
    // False: no room now.
    template <std::invocable Task>
    bool try_submit(Task task) {
        auto owned = std::make_unique<Task>(std::move(task));
        pool_status status = pool_workers_try_submit(
            pool_, [](void *arg) { (*std::unique_ptr<Task>(static_cast<Task *>(arg)))(); },
            owned.get());
        if (status == POOL_EFULL)
            return false;
        check(status);
        owned.release();
        return true;
    }
    // False: the time was over first.
    bool wait_idle(std::chrono::nanoseconds wait = std::chrono::nanoseconds(-1)) {
        return in_time(pool_workers_wait_idle(pool_, timeout(wait)));
    }
    bool stop(pool_workers_stop_mode mode, std::chrono::nanoseconds wait) {
        return in_time(pool_workers_stop(pool_, mode, timeout(wait), nullptr));
    }
    pool_workers_stats stats() const {
        pool_workers_stats stats{};
        stats.size = sizeof stats;
        check(pool_workers_get_stats(pool_, &stats));
        return stats;
    }
    pool_workers *handle() const noexcept { return pool_; }

private:
    static bool in_time(pool_status status) {
        if (status != POOL_ETIMEDOUT)
            check(status);
        return status == POOL_OK;
    }
    pool_workers *pool_ = nullptr;
};

} // namespace pool

#endif
