// pool/hpp/worker_tasks.hpp - pool/worker_tasks.h for C++20: callables as tasks, and what is known of
// one that was started; see pool/pool.hpp.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef POOL_HPP_WORKER_TASKS_HPP
#define POOL_HPP_WORKER_TASKS_HPP

#include "../worker_tasks.h"
#include "error.hpp"

#include <chrono>
#include <concepts>
#include <cstdint>
#include <exception>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

namespace pool {

// How to start a task; see pool_workers_task_options.
struct task_options {
    const char *name = nullptr; // must outlive the pool
    int priority = 0;
    uint64_t key = 0;
    std::chrono::nanoseconds start_within{0};
    uint64_t weight = 0;
};

// For the task that the calling thread runs.
namespace this_task {

inline bool cancelled() noexcept {
    return pool_workers_self_cancelled() != 0;
}
// False: it was cancelled. Else it no longer can be.
inline bool commit() noexcept {
    return pool_workers_self_commit() != 0;
}
inline void fail(int32_t code, const char *message = nullptr) noexcept {
    pool_workers_self_fail(code, message);
}

} // namespace this_task

// What a task's `arg` points to: a callable on the heap that is destroyed as soon as it has run, or
// when it is known that it never will.
class task_closure {
public:
    virtual ~task_closure() = default;
    task_closure() = default;
    task_closure(const task_closure &) = delete;
    task_closure &operator=(const task_closure &) = delete;

    template <std::invocable Task>
    static std::unique_ptr<task_closure> of(Task task) {
        struct closure final : task_closure {
            explicit closure(Task &&its_task) : task(std::move(its_task)) {}
            void call() override { task(); }
            Task task;
        };
        return std::make_unique<closure>(std::move(task));
    }
    // A pool_workers_task_fn.
    static void run(void *arg) { std::unique_ptr<task_closure>(of_arg(arg))->call(); }
    static void drop(void *arg) noexcept { delete of_arg(arg); }

private:
    static task_closure *of_arg(void *arg) noexcept { return static_cast<task_closure *>(arg); }
    virtual void call() = 0;
};

// Where a callable's result, or what it threw, waits to be fetched.
template <class T>
struct task_outcome {
    std::conditional_t<std::is_void_v<T>, bool, std::optional<T>> value{};
    std::exception_ptr thrown = nullptr;

    void run(auto &callable) {
        try {
            if constexpr (std::is_void_v<T>)
                callable();
            else
                value.emplace(callable());
        } catch (...) {
            thrown = std::current_exception(); // none, if the thread is ending
            throw;
        }
    }
    T take(pool_status status) {
        if (thrown != nullptr)
            std::rethrow_exception(std::exchange(thrown, nullptr));
        check(status);
        if constexpr (!std::is_void_v<T>)
            return std::move(*value);
    }
};

template <class Task>
using task_result = std::decay_t<std::invoke_result_t<Task &>>;

// A task that was started. It goes on if this is destroyed, and may outlive its pool.
template <class T = void>
class task {
public:
    task() = default;
    task(task &&other) noexcept
        : task_(std::exchange(other.task_, nullptr)), outcome_(std::move(other.outcome_)) {}
    task &operator=(task &&other) noexcept {
        std::swap(task_, other.task_);
        std::swap(outcome_, other.outcome_);
        return *this;
    }
    ~task() { pool_workers_task_release(task_); }

    // False: it has not ended in that time.
    bool wait(std::chrono::nanoseconds time = std::chrono::nanoseconds(-1)) {
        pool_status status = pool_workers_task_wait(task_, timeout(time));
        if (status == POOL_EINVAL || status == POOL_EDEADLK)
            throw error(status);
        return status != POOL_ETIMEDOUT;
    }
    // Waits, and returns what the task did, once; or throws what it threw; or a pool::error that says
    // why it did not run to its end.
    T get() {
        pool_status status = pool_workers_task_wait(task_, POOL_FOREVER);
        if (status == POOL_EINVAL || status == POOL_EDEADLK)
            throw error(status);
        return outcome_->take(status);
    }
    pool_workers_cancel cancel() {
        pool_workers_cancel answer;
        check(pool_workers_task_cancel(task_, &answer));
        return answer;
    }
    pool_workers_task_info info() const {
        pool_workers_task_info info{};
        info.size = sizeof info;
        check(pool_workers_task_get_info(task_, &info));
        return info;
    }
    pool_workers_task *handle() const noexcept { return task_; }
    explicit operator bool() const noexcept { return task_ != nullptr; }

private:
    friend class workers;
    pool_workers_task *task_ = nullptr;
    std::shared_ptr<task_outcome<T>> outcome_;
};

} // namespace pool

#endif
