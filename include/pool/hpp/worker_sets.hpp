// pool/hpp/worker_sets.hpp - pool/worker_sets.h, and workers with a state, for C++20; see
// pool/pool.hpp. Subpools are in workers.hpp.
//
// SPDX-License-Identifier: Apache-2.0
//
//     pool::stateful_workers<Interpreter> crew([] { return std::make_unique<Interpreter>(); });
//     int answer = crew.process([](Interpreter &own) { return own.evaluate("6 * 7"); }, 5s);
#ifndef POOL_HPP_WORKER_SETS_HPP
#define POOL_HPP_WORKER_SETS_HPP

#include "../worker_sets.h"
#include "error.hpp"
#include "worker_callbacks.hpp"
#include "worker_tasks.hpp"
#include "workers.hpp"

#include <chrono>
#include <concepts>
#include <cstdint>
#include <functional>
#include <memory>
#include <stdexcept>
#include <type_traits>
#include <utility>

namespace pool {

// Several pools behind one front.
class multi_workers {
public:
    // The callbacks and ctx in the options are not used.
    explicit multi_workers(uint32_t count, pool_workers_balance balance = POOL_WORKERS_ROUND_ROBIN,
                           pool_workers_options options = POOL_WORKERS_OPTIONS_INIT) {
        workers_callbacks::put_nothing_into(options);
        check(pool_workers_multi_create(count, balance, &options, &multi_));
    }
    // Runs what was submitted first.
    ~multi_workers() {
        pool_workers_multi_stop(multi_, POOL_WORKERS_DRAIN, POOL_FOREVER, nullptr);
        pool_workers_multi_destroy(multi_);
    }
    multi_workers(const multi_workers &) = delete;
    multi_workers &operator=(const multi_workers &) = delete;

    template <std::invocable Task>
    void submit(Task task) {
        auto owned = task_closure::of(std::move(task));
        check(pool_workers_multi_submit(multi_, task_closure::run, owned.get()));
        owned.release();
    }
    // False: no room now.
    template <std::invocable Task>
    bool try_submit(Task task) {
        auto owned = task_closure::of(std::move(task));
        pool_status status = pool_workers_multi_try_submit(multi_, task_closure::run, owned.get());
        if (status == POOL_EFULL)
            return false;
        check(status);
        owned.release();
        return true;
    }
    // False: the stop goes on.
    bool stop(pool_workers_stop_mode mode,
              std::chrono::nanoseconds wait = std::chrono::nanoseconds(-1),
              pool_workers_report *report = nullptr) {
        if (report != nullptr)
            report->size = sizeof *report;
        pool_status status = pool_workers_multi_stop(multi_, mode, timeout(wait), report);
        if (status != POOL_ETIMEDOUT)
            check(status);
        return status == POOL_OK;
    }
    uint32_t count() const noexcept { return pool_workers_multi_count(multi_); }
    pool_workers_stats stats(uint32_t index) const {
        pool_workers_stats stats{};
        stats.size = sizeof stats;
        check(pool_workers_get_stats(pool_workers_multi_pool(multi_, index), &stats));
        return stats;
    }
    pool_workers_multi *handle() const noexcept { return multi_; }

private:
    pool_workers_multi *multi_ = nullptr;
};

// A minimum distance between starts.
class pacer {
public:
    explicit pacer(std::chrono::nanoseconds distance) {
        check(pool_workers_pacer_create(distance.count(), &pacer_));
    }
    ~pacer() { pool_workers_pacer_destroy(pacer_); }
    pacer(const pacer &) = delete;
    pacer &operator=(const pacer &) = delete;

    // False: its turn did not come in that time.
    bool wait(std::chrono::nanoseconds time = std::chrono::nanoseconds(-1)) {
        pool_status status = pool_workers_pacer_wait(pacer_, timeout(time));
        if (status != POOL_ETIMEDOUT)
            check(status);
        return status == POOL_OK;
    }
    void pause() { check(pool_workers_pacer_pause(pacer_)); }
    void resume() { check(pool_workers_pacer_resume(pacer_)); }
    void stop() { check(pool_workers_pacer_stop(pacer_)); }
    pool_workers_pacer *handle() const noexcept { return pacer_; }

private:
    pool_workers_pacer *pacer_ = nullptr;
};

// A pool whose workers each have a State, made on their own thread by `make`, a
// std::unique_ptr<State> (). Tasks are called with it. A State may have
//     void ready()        called before each task is taken; may wait
//     void interrupt()    called on another thread when its task is cancelled, or is out of time
template <class State>
class stateful_workers : private workers {
public:
    // The callbacks and ctx in the options are not used. POOL_WORKERS_CALLER_RUNS is refused: the
    // caller has no State.
    template <class Make>
    requires std::is_invocable_r_v<std::unique_ptr<State>, Make &> explicit stateful_workers(
        Make make, pool_workers_options options = POOL_WORKERS_OPTIONS_INIT)
        : workers(made(std::move(make), options)) {}

    template <std::invocable<State &> Task>
    void submit(Task task) {
        workers::submit(on_own_state(std::move(task)));
    }
    template <std::invocable<State &> Function>
    auto start(Function function, const task_options &how = {},
               std::chrono::nanoseconds wait = std::chrono::nanoseconds(-1)) {
        return workers::start(on_own_state(std::move(function)), how, wait);
    }
    // What `function` returns, or throws. If the time is over first: POOL_ETIMEDOUT, and the worker is
    // interrupted.
    template <std::invocable<State &> Function>
    auto process(Function function, std::chrono::nanoseconds wait = std::chrono::nanoseconds(-1)) {
        return workers::run(on_own_state(std::move(function)), wait);
    }
    using workers::handle;
    using workers::pause;
    using workers::resize;
    using workers::restart;
    using workers::resume;
    using workers::stats;
    using workers::stop;
    using workers::wait_idle;

private:
    template <class Function>
    static auto on_own_state(Function function) {
        return [function = std::move(function)]() mutable -> decltype(auto) {
            return function(*static_cast<State *>(pool_workers_self_state()));
        };
    }
    template <class Make>
    static pool_workers *made(Make make, pool_workers_options options) {
        if (options.full == POOL_WORKERS_CALLER_RUNS)
            throw std::invalid_argument("stateful_workers cannot run tasks on the caller");
        workers_callbacks::put_nothing_into(options);
        options.state_new = [](void **state, void *ctx) -> pool_status {
            std::unique_ptr<State> own = (*static_cast<Make *>(ctx))();
            *state = own.release();
            return *state != nullptr ? POOL_OK : POOL_ECREATE;
        };
        if constexpr (requires(State & state) { state.ready(); })
            options.ready = [](void *state, void *) { static_cast<State *>(state)->ready(); };
        if constexpr (requires(State & state) { state.interrupt(); })
            options.interrupt = [](void *state, void *) {
                static_cast<State *>(state)->interrupt();
            };
        options.state_free = [](void *state, void *) { delete static_cast<State *>(state); };
        options.ctx = new Make(std::move(make));
        options.ctx_free = [](void *ctx) { delete static_cast<Make *>(ctx); };
        pool_workers *pool;
        check(pool_workers_create(&options, &pool));
        return pool;
    }
};

} // namespace pool

#endif
