// pool/hpp/worker_callbacks.hpp - what a pool of workers calls, as callable objects.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef POOL_HPP_WORKER_CALLBACKS_HPP
#define POOL_HPP_WORKER_CALLBACKS_HPP

#include "../workers.h"
#include "worker_tasks.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>
#include <utility>

namespace pool {

// The callbacks of pool_workers_options. Those that are empty are not called.
struct workers_callbacks {
    std::function<void()> thread_start = {};
    std::function<void()> thread_exit = {};
    std::function<void(pool_status why)> dropped = {}; // the task is destroyed already
    std::function<void(int32_t code, std::string_view message)> failed = {};
    std::function<void(std::string_view name)> task_begin = {};
    std::function<void(std::string_view name)> task_end = {};

    // Have `options` call them, and no others. The pool that is made of it, or fails to be, deletes
    // them.
    static void put_into(pool_workers_options &options, std::unique_ptr<workers_callbacks> calls) {
        const workers_callbacks &set = *calls;
        put_nothing_into(options);
        options.on_thread_start =
            set.thread_start ? call_thread<&workers_callbacks::thread_start> : nullptr;
        options.on_thread_exit =
            set.thread_exit ? call_thread<&workers_callbacks::thread_exit> : nullptr;
        if (set.dropped)
            options.on_drop = call_dropped;
        options.on_failed = set.failed ? call_failed : nullptr;
        options.on_task_begin =
            set.task_begin ? call_observer<&workers_callbacks::task_begin> : nullptr;
        options.on_task_end = set.task_end ? call_observer<&workers_callbacks::task_end> : nullptr;
        options.ctx = calls.release();
        options.ctx_free = [](void *ctx) { delete &of(ctx); };
    }
    // Have `options` call nothing; but tasks that are dropped are destroyed.
    static void put_nothing_into(pool_workers_options &options) {
        options.on_thread_start = options.on_thread_exit = nullptr;
        options.on_drop = [](void *arg, pool_status, void *) { task_closure::drop(arg); };
        options.on_failed = nullptr;
        options.on_task_begin = options.on_task_end = nullptr;
        options.state_new = nullptr;
        options.process = nullptr;
        options.ready = options.interrupt = options.state_free = nullptr;
        options.ctx = nullptr;
        options.ctx_free = nullptr;
    }

private:
    static workers_callbacks &of(void *ctx) noexcept {
        return *static_cast<workers_callbacks *>(ctx);
    }
    template <auto call>
    static void call_thread(void *ctx) {
        (of(ctx).*call)();
    }
    static void call_dropped(void *arg, pool_status why, void *ctx) {
        task_closure::drop(arg);
        of(ctx).dropped(why);
    }
    static void call_failed(void *, int32_t code, const char *message, void *ctx) {
        of(ctx).failed(code, message);
    }
    template <auto call>
    static void call_observer(const char *name, void *, void *ctx) {
        (of(ctx).*call)(name);
    }
};

} // namespace pool

#endif
