// pool/hpp/worker_groups.hpp - pool/worker_groups.h for C++20; see pool/pool.hpp.
//
// SPDX-License-Identifier: Apache-2.0
//
//     pool::group checks(crew);
//     for (File &file : files)
//         checks.submit([&file] { check(file); });
//     checks.wait();                                        // throws how the first one failed
#ifndef POOL_HPP_WORKER_GROUPS_HPP
#define POOL_HPP_WORKER_GROUPS_HPP

#include "../worker_groups.h"
#include "error.hpp"
#include "worker_tasks.hpp"
#include "workers.hpp"

#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>

namespace pool {

// See pool_workers_group_options.
struct group_options {
    bool keep_going = false;
    bool results = false;
    int priority = 0;
    std::chrono::nanoseconds within{0};
    const char *name = nullptr; // must outlive the pool
};

// Its end cancels what is left and waits for what runs; it must come before the pool's.
class group {
public:
    struct ended {
        size_t index;
        pool_workers_task_info info;
    };

    explicit group(workers &pool, const group_options &how = {}) {
        uint32_t flags = (how.keep_going ? uint32_t{POOL_WORKERS_GROUP_KEEP_GOING} : 0) |
                         (how.results ? uint32_t{POOL_WORKERS_GROUP_RESULTS} : 0);
        pool_workers_group_options options = {sizeof options, flags, how.priority,
                                              how.within.count(), how.name};
        check(pool_workers_group_create(pool.handle(), &options, &group_));
    }
    ~group() { pool_workers_group_destroy(group_); }
    group(const group &) = delete;
    group &operator=(const group &) = delete;

    template <std::invocable Task>
    void submit(Task task) {
        auto owned = task_closure::of(std::move(task));
        check(pool_workers_group_submit(group_, task_closure::run, owned.get()));
        owned.release();
    }
    // False: tasks still wait or run. Throws how the first one that failed did.
    bool wait(std::chrono::nanoseconds time = std::chrono::nanoseconds(-1)) {
        pool_status status = pool_workers_group_wait(group_, timeout(time));
        if (status != POOL_ETIMEDOUT)
            check(status);
        return status == POOL_OK;
    }
    void cancel() { check(pool_workers_group_cancel(group_)); }

    // With group_options.results: how that task ended, in the order of submission.
    pool_workers_task_info result(size_t index) const {
        pool_workers_task_info info{};
        info.size = sizeof info;
        check(pool_workers_group_result(group_, index, &info));
        return info;
    }
    // With group_options.results: the next one to end, each once. Nothing: none is left.
    std::optional<ended> next(std::chrono::nanoseconds wait = std::chrono::nanoseconds(-1)) {
        ended next{};
        next.info.size = sizeof next.info;
        pool_status status =
            pool_workers_group_next(group_, timeout(wait), &next.index, &next.info);
        if (status == POOL_EAGAIN)
            return std::nullopt;
        check(status);
        return next;
    }
    pool_workers_group *handle() const noexcept { return group_; }

private:
    pool_workers_group *group_ = nullptr;
};

} // namespace pool

#endif
