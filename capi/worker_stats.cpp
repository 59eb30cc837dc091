// The C functions of pool/worker_stats.h: arguments are checked here, the work is done in src/workers.
//
// SPDX-License-Identifier: Apache-2.0
#include "pool/worker_stats.h"

#include "capi_workers.h"
#include "platform/histogram.h"

using pool::fail;

pool_status pool_workers_get_stats(pool_workers *pool, pool_workers_stats *stats) {
    if (pool == nullptr)
        return no_pool();
    return pool::write_stats(pool->core.stats(), stats, "stats");
}

pool_status pool_workers_get_histogram(pool_workers *pool, pool_workers_time which,
                                       pool_workers_histogram *histogram) {
    if (pool == nullptr)
        return no_pool();
    const pool::Histogram *of = pool->core.histogram(which);
    if (of == nullptr)
        return fail(POOL_EINVAL, "there is no histogram %d", which);
    return pool::write_stats(of->read<pool_workers_histogram>(), histogram, "histogram");
}

int64_t pool_workers_histogram_percentile(const pool_workers_histogram *histogram, double percent) {
    return histogram != nullptr ? pool::percentile(*histogram, percent) : 0;
}

pool_status pool_workers_visit_running(pool_workers *pool, int64_t min_age,
                                       pool_workers_running_fn visit, void *arg) {
    if (pool == nullptr)
        return no_pool();
    if (visit == nullptr)
        return fail(POOL_EINVAL, "visit is NULL");
    if (min_age < 0)
        return fail(POOL_EINVAL, "min_age is %lld", static_cast<long long>(min_age));
    return pool->core.visit_running(min_age, visit, arg);
}

pool_status pool_workers_watch_stuck(pool_workers *pool, int64_t threshold,
                                     pool_workers_running_fn on_stuck, void *arg) {
    if (pool == nullptr)
        return no_pool();
    if (threshold < 0)
        return fail(POOL_EINVAL, "threshold is %lld", static_cast<long long>(threshold));
    if (threshold != 0 && on_stuck == nullptr)
        return fail(POOL_EINVAL, "on_stuck is NULL");
    return pool->core.watch_stuck(threshold, on_stuck, arg);
}
