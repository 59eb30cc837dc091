// pool/hpp/workers.hpp - pool/workers.h and pool/worker_stats.h for C++20; see pool/pool.hpp.
//
// SPDX-License-Identifier: Apache-2.0
//
//     pool_workers_options options = POOL_WORKERS_OPTIONS_INIT;
//     options.max_workers = 8;
//     pool::workers crew(options);
//     crew.submit([image] { resize(*image); });             // image may be a shared_ptr
//
//     pool::task<Tree> tree = crew.start([text] { return parse(text); }, {.name = "parse"});
//     use(tree.get());                                      // or throws what parse() threw
//
// A callable is destroyed as soon as it has run, or when it is dropped or cancelled. For that the pool
// has an on_drop of its own, so submit through these classes only, not through handle().
#ifndef POOL_HPP_WORKERS_HPP
#define POOL_HPP_WORKERS_HPP

#include "../worker_sets.h"
#include "../worker_stats.h"
#include "../workers.h"
#include "error.hpp"
#include "worker_callbacks.hpp"
#include "worker_tasks.hpp"

#include <algorithm>
#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <type_traits>
#include <utility>
#include <vector>

namespace pool {

struct workers_histogram : pool_workers_histogram {
    std::chrono::nanoseconds percentile(double percent) const noexcept {
        return std::chrono::nanoseconds(pool_workers_histogram_percentile(this, percent));
    }
};

class workers {
public:
    // The callbacks and ctx in the options are not used.
    explicit workers(pool_workers_options options = POOL_WORKERS_OPTIONS_INIT) {
        workers_callbacks::put_nothing_into(options);
        check(pool_workers_create(&options, &pool_));
    }
    explicit workers(workers_callbacks calls,
                     pool_workers_options options = POOL_WORKERS_OPTIONS_INIT) {
        workers_callbacks::put_into(options, std::make_unique<workers_callbacks>(std::move(calls)));
        check(pool_workers_create(&options, &pool_));
    }
    // Runs what was submitted first; to drop it instead, stop() with POOL_WORKERS_DISCARD before.
    ~workers() {
        pool_workers_stop(pool_, POOL_WORKERS_DRAIN, POOL_FOREVER, nullptr);
        pool_workers_destroy(pool_);
    }
    workers(const workers &) = delete;
    workers &operator=(const workers &) = delete;

    // A pool on the workers of this one, which must outlive it.
    workers subpool(pool_workers_options options = POOL_WORKERS_OPTIONS_INIT) {
        workers_callbacks::put_nothing_into(options);
        pool_workers *pool;
        check(pool_workers_create_sub(pool_, &options, &pool));
        return workers(pool);
    }

    // Have `task()` run; waits for room. What it throws is counted as a failure and lost.
    template <std::invocable Task>
    void submit(Task task) {
        auto owned = task_closure::of(std::move(task));
        check(pool_workers_submit(pool_, task_closure::run, owned.get()));
        owned.release();
    }
    // False: no room now.
    template <std::invocable Task>
    bool try_submit(Task task) {
        auto owned = task_closure::of(std::move(task));
        return taken(pool_workers_try_submit(pool_, task_closure::run, owned.get()), POOL_EFULL,
                     owned);
    }
    // False: no room in that time.
    template <std::invocable Task>
    bool submit_timed(Task task, std::chrono::nanoseconds wait) {
        auto owned = task_closure::of(std::move(task));
        return taken(
            pool_workers_submit_timed(pool_, task_closure::run, owned.get(), timeout(wait)),
            POOL_ETIMEDOUT, owned);
    }
    // Submits them at once, in their order. How many were taken in that time, always the first ones;
    // the others are destroyed.
    template <std::invocable Task>
    size_t submit_bulk(std::vector<Task> tasks,
                       std::chrono::nanoseconds wait = std::chrono::nanoseconds(-1)) {
        std::vector<std::unique_ptr<task_closure>> owned;
        std::vector<pool_workers_item> items;
        owned.reserve(tasks.size());
        items.reserve(tasks.size());
        for (Task &task : tasks) {
            owned.push_back(task_closure::of(std::move(task)));
            items.push_back({task_closure::run, owned.back().get()});
        }
        size_t accepted = 0;
        pool_status status =
            pool_workers_submit_bulk(pool_, items.data(), items.size(), timeout(wait), &accepted);
        for (size_t i = 0; i < accepted; i++)
            owned[i].release();
        if (status != POOL_EFULL && status != POOL_ETIMEDOUT)
            check(status);
        return accepted;
    }

    // Submit `function()` and have a handle; `wait` is for room in the queue.
    template <std::invocable Function>
    task<task_result<Function>>
    start(Function function, const task_options &how = {},
          std::chrono::nanoseconds wait = std::chrono::nanoseconds(-1)) {
        return start_by<pool_workers_start>(std::move(function), how, wait);
    }
    // The same, but it has started when this returns; if it has not in that time: POOL_ETIMEDOUT.
    template <std::invocable Function>
    task<task_result<Function>>
    start_now(Function function, const task_options &how = {},
              std::chrono::nanoseconds wait = std::chrono::nanoseconds(-1)) {
        return start_by<pool_workers_start_now>(std::move(function), how, wait);
    }
    // Submit `function()`, wait, and return what it does, or throw what it throws. If the time is
    // over first: POOL_ETIMEDOUT, and the task is cancelled.
    template <std::invocable Function>
    task_result<Function> run(Function function,
                              std::chrono::nanoseconds wait = std::chrono::nanoseconds(-1)) {
        const auto deadline = std::chrono::steady_clock::now() + wait;
        auto started = start(std::move(function), {}, wait);
        if (wait.count() > 0)
            wait = std::max(std::chrono::nanoseconds(deadline - std::chrono::steady_clock::now()),
                            std::chrono::nanoseconds(0));
        if (!started.wait(wait)) {
            started.cancel();
            throw error(POOL_ETIMEDOUT);
        }
        return started.get();
    }
    // Run `function()` on the calling thread, in the stead of a worker, for which this waits first.
    template <std::invocable Function>
    task_result<Function> run_here(Function function,
                                   std::chrono::nanoseconds wait = std::chrono::nanoseconds(-1)) {
        struct call {
            Function &function;
            task_outcome<task_result<Function>> outcome = {};
        } call{function};
        pool_status status = pool_workers_run_here(
            pool_,
            [](void *arg) {
                auto *self = static_cast<struct call *>(arg);
                self->outcome.run(self->function);
            },
            &call, timeout(wait));
        return call.outcome.take(status);
    }

    void resize(uint32_t min, uint32_t max) { check(pool_workers_resize(pool_, min, max)); }
    // False: the time was over first.
    bool wait_idle(std::chrono::nanoseconds wait = std::chrono::nanoseconds(-1)) {
        return in_time(pool_workers_wait_idle(pool_, timeout(wait)));
    }
    // False: tasks still run, but no more start.
    bool pause(std::chrono::nanoseconds wait = std::chrono::nanoseconds(-1)) {
        return in_time(pool_workers_pause(pool_, timeout(wait)));
    }
    void resume() { check(pool_workers_resume(pool_)); }
    // False: the stop goes on.
    bool stop(pool_workers_stop_mode mode,
              std::chrono::nanoseconds wait = std::chrono::nanoseconds(-1),
              pool_workers_report *report = nullptr) {
        if (report != nullptr)
            report->size = sizeof *report;
        return in_time(pool_workers_stop(pool_, mode, timeout(wait), report));
    }
    // A descriptor that is readable once the stop has ended; the pool's.
    int stop_async(pool_workers_stop_mode mode) {
        int32_t fd;
        check(pool_workers_stop_async(pool_, mode, &fd));
        return fd;
    }
    void restart() { check(pool_workers_restart(pool_)); }

    pool_workers_stats stats() const {
        pool_workers_stats stats{};
        stats.size = sizeof stats;
        check(pool_workers_get_stats(pool_, &stats));
        return stats;
    }
    workers_histogram histogram(pool_workers_time which) const {
        workers_histogram histogram{};
        histogram.size = sizeof(pool_workers_histogram);
        check(pool_workers_get_histogram(pool_, which, &histogram));
        return histogram;
    }
    // Call `visit(const pool_workers_running &)` for what has been running for at least `min_age`. What
    // it throws first ends the visit and goes on to the caller.
    template <std::invocable<const pool_workers_running &> F>
    void visit_running(std::chrono::nanoseconds min_age, F &&visit) const {
        struct state {
            std::remove_reference_t<F> *visit;
            std::exception_ptr thrown = nullptr;
        } state{&visit};
        check(pool_workers_visit_running(
            pool_, min_age.count(),
            [](const pool_workers_running *task, void *arg) {
                auto *self = static_cast<struct state *>(arg);
                if (self->thrown != nullptr)
                    return;
                try {
                    (*self->visit)(*task);
                } catch (...) {
                    self->thrown = std::current_exception();
                }
            },
            &state));
        if (state.thrown != nullptr)
            std::rethrow_exception(state.thrown);
    }
    // Have `on_stuck` called for each task that runs for longer than `threshold`, once. Not from
    // several threads at once.
    void watch_stuck(std::chrono::nanoseconds threshold,
                     std::function<void(const pool_workers_running &)> on_stuck) {
        auto watcher = std::make_unique<decltype(on_stuck)>(std::move(on_stuck));
        check(pool_workers_watch_stuck(
            pool_, threshold.count(),
            [](const pool_workers_running *task, void *arg) {
                (*static_cast<decltype(on_stuck) *>(arg))(*task);
            },
            watcher.get()));
        stuck_ = std::move(watcher);
    }
    void watch_nothing() {
        check(pool_workers_watch_stuck(pool_, 0, nullptr, nullptr));
        stuck_ = nullptr;
    }
    pool_workers *handle() const noexcept { return pool_; }

protected:
    explicit workers(pool_workers *pool) noexcept : pool_(pool) {}

private:
    template <auto start, class Function>
    task<task_result<Function>> start_by(Function function, const task_options &how,
                                         std::chrono::nanoseconds wait) {
        using Result = task_result<Function>;
        auto outcome = std::make_shared<task_outcome<Result>>();
        auto owned = task_closure::of(
            [outcome, function = std::move(function)]() mutable { outcome->run(function); });
        pool_workers_task_options options = {
            sizeof options,           how.name,  how.priority, 0, how.key,
            how.start_within.count(), how.weight};
        task<Result> started;
        check(
            start(pool_, task_closure::run, owned.get(), &options, timeout(wait), &started.task_));
        owned.release();
        started.outcome_ = std::move(outcome);
        return started;
    }
    static bool in_time(pool_status status) {
        if (status != POOL_ETIMEDOUT)
            check(status);
        return status == POOL_OK;
    }
    static bool taken(pool_status status, pool_status refused,
                      std::unique_ptr<task_closure> &owned) {
        if (status == refused)
            return false;
        check(status);
        owned.release();
        return true;
    }
    pool_workers *pool_ = nullptr;
    std::unique_ptr<std::function<void(const pool_workers_running &)>> stuck_;
};

} // namespace pool

#endif
