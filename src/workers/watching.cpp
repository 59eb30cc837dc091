// What runs now, and for too long.
//
// SPDX-License-Identifier: Apache-2.0
#include "workers/workers.h"

#include "platform/clock.h"
#include "platform/status.h"
#include "sync/callback.h"

#include <cstdio>

namespace pool {

// Under the lock. With `once` only those that were not listed so before. A task may end at any moment,
// so what is in the list may be over.
size_t Workers::list_running(int64_t min_age, bool once, Running *list, size_t most) {
    const int64_t now = clock_now_coarse();
    size_t count = 0;
    for (Worker *worker = threads_list_.front(); worker != nullptr;
         worker = threads_list_.next(worker)) {
        const int64_t since = worker->since.load(std::memory_order_acquire);
        if (since <= Worker::kTaken || now - since < min_age || (once && worker->reported == since))
            continue;
        if (count++ >= most)
            continue;
        if (once)
            worker->reported = since;
        Running &one = list[count - 1];
        const char *name = worker->name.load(std::memory_order_relaxed);
        snprintf(one.name, sizeof one.name, "%s", name != nullptr ? name : "");
        one.info = {};
        one.info.size = sizeof one.info;
        one.info.arg = worker->arg.load(std::memory_order_relaxed);
        one.info.age = now - since;
        one.info.worker = static_cast<uint32_t>(worker->number);
        one.info.cancelled = worker->told.load(std::memory_order_relaxed) || cancels_all() ? 1 : 0;
    }
    return count;
}

pool_status Workers::visit_running(int64_t min_age, pool_workers_running_fn visit, void *arg) {
    size_t most = 0, count = 0;
    Running *list = nullptr;
    for (;;) {
        {
            Section section(mutex_);
            count = list_running(min_age, false, list, most);
        }
        if (count <= most)
            break;
        if (list != nullptr)
            memory_.free(list, most * sizeof(Running), alignof(Running));
        most = count + 8;
        list = static_cast<Running *>(memory_.alloc(most * sizeof(Running), alignof(Running)));
        if (list == nullptr)
            return fail(POOL_ENOMEM, "pool '%s': no memory for a list of its tasks", name_);
    }
    for (size_t i = 0; i < count; i++) {
        list[i].info.name = list[i].name;
        call_contained("a visitor of running tasks", [&] { visit(&list[i].info, arg); });
    }
    if (list != nullptr)
        memory_.free(list, most * sizeof(Running), alignof(Running));
    return POOL_OK;
}

// On the thread that sweeps.
void Workers::look_for_stuck(SweepClient *client) {
    auto *watch = static_cast<Watch *>(client);
    constexpr size_t kAtOnce = 16;
    Running list[kAtOnce];
    size_t count;
    {
        Section section(watch->pool->mutex_);
        count = watch->pool->list_running(watch->threshold, true, list, kAtOnce);
    }
    for (size_t i = 0; i < count && i < kAtOnce; i++) {
        list[i].info.name = list[i].name;
        call_contained("on_stuck of a worker pool",
                       [&] { watch->on_stuck(&list[i].info, watch->arg); });
    }
}

pool_status Workers::watch_stuck(int64_t threshold, pool_workers_running_fn on_stuck, void *arg) {
    std::lock_guard<std::mutex> guard(watch_mutex_);
    if (watch_.listed) {
        sweeper_remove(&watch_);
        watch_.listed = false;
    }
    if (threshold == 0)
        return POOL_OK;
    watch_.sweep = look_for_stuck;
    watch_.pool = this;
    watch_.threshold = threshold;
    watch_.on_stuck = on_stuck;
    watch_.arg = arg;
    watch_.period = threshold / 4 > 1000000 ? threshold / 4 : 1000000;
    const pool_status status = sweeper_add(&watch_);
    watch_.listed = status == POOL_OK;
    return status;
}

} // namespace pool
