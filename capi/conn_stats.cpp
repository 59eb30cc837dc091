// pool/conn_stats.h: argument checks and handle casts. The work is in src/conns.
//
// SPDX-License-Identifier: Apache-2.0
#include "pool/conn_stats.h"

#include "capi_conns.h"
#include "platform/histogram.h"
#include "platform/options.h"

using pool::fail;

pool_status pool_conns_get_stats(pool_conns *pool, pool_conns_stats *stats) {
    return pool != nullptr ? pool::write_stats(impl(pool)->stats(), stats, "stats") : no_pool();
}

pool_status pool_conns_get_key_stats(pool_conns *pool, const void *key, size_t key_length,
                                     pool_conns_key_stats *stats) {
    if (pool == nullptr)
        return no_pool();
    if (pool_status status = check_key(key, key_length))
        return status;
    return pool::write_stats(impl(pool)->key_stats(wanted(key, key_length, 0)), stats, "stats");
}

pool_status pool_conns_get_histogram(pool_conns *pool, pool_conns_time which,
                                     pool_conns_histogram *histogram) {
    if (pool == nullptr)
        return no_pool();
    const pool::Histogram *of = impl(pool)->histogram(which);
    if (of == nullptr)
        return fail(POOL_EINVAL, "there is no histogram %d", which);
    return pool::write_stats(of->read<pool_conns_histogram>(), histogram, "histogram");
}

int64_t pool_conns_histogram_percentile(const pool_conns_histogram *histogram, double percent) {
    return histogram != nullptr ? pool::percentile(*histogram, percent) : 0;
}

pool_status pool_conns_visit_leases(pool_conns *pool, int64_t min_age, pool_conns_lease_fn visit,
                                    void *arg) {
    if (pool == nullptr)
        return no_pool();
    if (visit == nullptr)
        return fail(POOL_EINVAL, "visit is NULL");
    return impl(pool)->visit_leases(min_age, visit, arg);
}
