// SPDX-License-Identifier: Apache-2.0
#include "stats/times.h"

#include "platform/histogram.h"
#include "pool/conn_stats.h"
#include "pool/worker_stats.h"
#include "stats/prometheus.h"

namespace pool {
namespace {

struct TimeKind {
    Area area;
    int32_t which;
    const char *name;
    const char *metric;
    const char *help;
};

constexpr TimeKind kTimes[] = {
    {Area::kConns, POOL_CONNS_WAIT_TIME, "wait", "db_client_connection_wait_time_seconds",
     "how long acquires stood in line"},
    {Area::kConns, POOL_CONNS_DIAL_TIME, "dial", "db_client_connection_create_time_seconds",
     "how long dials took"},
    {Area::kConns, POOL_CONNS_HOLD_TIME, "hold", "db_client_connection_use_time_seconds",
     "how long connections were lent"},
    {Area::kWorkers, POOL_WORKERS_WAIT_TIME, "wait", "pool_workers_wait_time_seconds",
     "how long tasks waited for a worker, of those that were measured"},
    {Area::kWorkers, POOL_WORKERS_RUN_TIME, "run", "pool_workers_run_time_seconds",
     "how long tasks ran, of those that were measured"},
};

constexpr uint32_t kLast = kTimeBuckets - 1;

const TimeHistogram *histogram_of(const PoolRecord &pool, const TimeKind &kind) {
    return pool.area == kind.area ? pool.histogram(kind.which) : nullptr;
}

void begin_sample(TextOut &out, const TimeKind &kind, const char *suffix, const PoolRecord &pool) {
    out.add(kind.metric);
    out.add(suffix);
    add_pool_labels(out, pool);
}

void add_bucket(TextOut &out, const TimeKind &kind, const PoolRecord &pool, uint32_t bucket,
                uint64_t times) {
    begin_sample(out, kind, "_bucket", pool);
    out.add(",le=\"");
    if (bucket == kLast)
        out.add("+Inf");
    else
        out.add_seconds(static_cast<uint64_t>(bucket_end(bucket)));
    out.add("\"} ");
    out.add_number(times);
    out.add('\n');
}

void add_histogram(TextOut &out, const TimeKind &kind, const PoolRecord &pool,
                   const TimeHistogram &histogram) {
    uint64_t times = 0;
    for (uint32_t i = 0; i <= kLast; i++) {
        times += histogram.buckets[i];
        // A series per bound and pool: whole powers of two are enough of them.
        if (i % 2 == 0 || i == kLast)
            add_bucket(out, kind, pool, i, times);
    }
    begin_sample(out, kind, "_sum", pool);
    out.add("} ");
    out.add_seconds(histogram.sum);
    out.add('\n');
    begin_sample(out, kind, "_count", pool);
    out.add("} ");
    out.add_number(times);
    out.add('\n');
}

} // namespace

void add_times_text(const PoolRecord &pool, TextOut &out) {
    for (const TimeKind &kind : kTimes) {
        const TimeHistogram *histogram = histogram_of(pool, kind);
        if (histogram == nullptr)
            continue;
        const struct {
            const char *name;
            int64_t value;
        } numbers[] = {
            {"_p50=", percentile(*histogram, 50)},
            {"_p90=", percentile(*histogram, 90)},
            {"_p99=", percentile(*histogram, 99)},
            {"_max=", static_cast<int64_t>(histogram->most)},
        };
        for (const auto &number : numbers) {
            out.add(' ');
            out.add(kind.name);
            out.add(number.name);
            out.add_signed(number.value);
        }
    }
}

void add_times_json(const PoolRecord &pool, TextOut &out) {
    for (const TimeKind &kind : kTimes) {
        const TimeHistogram *histogram = histogram_of(pool, kind);
        if (histogram == nullptr)
            continue;
        out.add(",\"");
        out.add(kind.name);
        out.add("_histogram\":{\"count\":");
        out.add_number(histogram->count);
        out.add(",\"sum\":");
        out.add_number(histogram->sum);
        out.add(",\"most\":");
        out.add_number(histogram->most);
        out.add(",\"buckets\":[");
        for (uint32_t i = 0; i <= kLast; i++) {
            if (i != 0)
                out.add(',');
            out.add_number(histogram->buckets[i]);
        }
        out.add("]}");
    }
}

void render_times(const Snapshot &snapshot, TextOut &out) {
    for (const TimeKind &kind : kTimes) {
        bool begun = false;
        for (const PoolRecord &pool : snapshot) {
            const TimeHistogram *histogram = histogram_of(pool, kind);
            if (histogram == nullptr)
                continue;
            if (!begun)
                add_family(out, kind.metric, kind.help, "histogram");
            begun = true;
            add_histogram(out, kind, pool, *histogram);
        }
    }
}

} // namespace pool
