// SPDX-License-Identifier: Apache-2.0
#include "workers/workers.h"

#include "platform/cpu.h"
#include "platform/membarrier.h"
#include "platform/status.h"

#include <cstdio>
#include <cstring>

namespace pool {
namespace {

uint32_t spawn_rate_of(uint32_t rate, uint32_t cpus) {
    if (rate == POOL_WORKERS_BALANCED)
        rate = cpus / 2;
    else if (rate == POOL_WORKERS_LAZY)
        rate = cpus;
    return rate != 0 ? rate : 1;
}

} // namespace

Workers::Workers(const pool_workers_options &options, Workers *parent)
    : options_(options), capacity_(options.queue_capacity),
      custom_allocator_(options.allocator != nullptr),
      allocator_(custom_allocator_ ? *options.allocator : pool_allocator{}),
      plain_(options.queue_capacity != POOL_WORKERS_HANDOFF && parent == nullptr), parent_(parent),
      streaks_(plain_ && options.idle_timeout != POOL_WORKERS_AT_ONCE && options.ready == nullptr &&
               options.on_task_begin == nullptr && options.on_task_end == nullptr &&
               can_fence_threads()),
      plain_groups_(parent == nullptr && options.on_task_begin == nullptr &&
                    options.on_task_end == nullptr &&
                    (options.flags & POOL_WORKERS_LET_THROW) == 0),
      usable_cpus_(usable_cpus()), spawn_rate_(spawn_rate_of(options.spawn_rate, usable_cpus_)),
      memory_(options.allocator), queue_(memory_, plain_ ? capacity_ : 0),
      spawn_below_(options.max_workers), max_workers_(options.max_workers),
      hands_over_(plain_ && options.ready == nullptr), min_workers_(options.min_workers),
      cpu_mode_(options.cpu_mode) {
    snprintf(name_, sizeof name_, "%s", options.name);
}

pool_status Workers::init() {
    if (options_.cpu_count != 0) {
        const size_t bytes = options_.cpu_count * sizeof(uint32_t);
        cpus_ = static_cast<uint32_t *>(memory_.alloc(bytes, alignof(uint32_t)));
        if (cpus_ == nullptr)
            return fail(POOL_ENOMEM, "no memory for the list of CPUs of pool '%s'", name_);
        memcpy(cpus_, options_.cpus, bytes);
    }
    store_ = TaskStore::make(allocator(), cpu_mode_);
    if (store_ == nullptr)
        return fail(POOL_ENOMEM, "no memory for the tasks of pool '%s'", name_);
    if (parent_ != nullptr)
        parent_->subpools_.fetch_add(1, std::memory_order_relaxed);
    joined_parent_ = parent_ != nullptr;
    fork_.in_child = in_child;
    fork_.pool = this;
    pool_status status = watch_fork(&fork_);
    watching_forks_ = status == POOL_OK;
    if (status == POOL_OK && parent_ == nullptr)
        status = start_minimum();
    if (status == POOL_OK) {
        entry_.area = Area::kWorkers;
        entry_.name = name_;
        entry_.pool = this;
        entry_.read = read_stats;
        entry_.read_histogram = read_histogram;
        register_pool(&entry_);
    }
    return status;
}

} // namespace pool
