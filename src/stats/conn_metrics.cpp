// SPDX-License-Identifier: Apache-2.0
#include "stats/conn_metrics.h"

#include "platform/histogram.h"

#include <cstring>

namespace pool {
namespace {

struct TimeKind {
    pool_conns_time which;
    const char *name;
    const char *metric;
    const char *help;
};

constexpr TimeKind kTimes[] = {
    {POOL_CONNS_WAIT_TIME, "wait", "db_client_connection_wait_time_seconds",
     "how long acquires stood in line"},
    {POOL_CONNS_DIAL_TIME, "dial", "db_client_connection_create_time_seconds",
     "how long dials took"},
    {POOL_CONNS_HOLD_TIME, "hold", "db_client_connection_use_time_seconds",
     "how long connections were lent"},
};
static_assert(sizeof kTimes / sizeof *kTimes == PoolRecord::kHistograms);

struct Metric {
    const char *name;
    const char *type;
    const char *help;
    const char *state; // one more label, or nullptr
    size_t offset;     // in pool_conns_stats
    bool is_bound;     // 0: there is none, and so no sample
};

// Rows of one name are one family and stand together.
constexpr Metric kMetrics[] = {
    {"db_client_connection_count", "gauge", "connections by state", "idle",
     offsetof(pool_conns_stats, idle), false},
    {"db_client_connection_count", "gauge", "connections by state", "used",
     offsetof(pool_conns_stats, in_use), false},
    {"db_client_connection_max", "gauge", "connections at most", nullptr,
     offsetof(pool_conns_stats, max_open), true},
    {"db_client_connection_idle_max", "gauge", "idle connections at most", nullptr,
     offsetof(pool_conns_stats, max_idle), true},
    {"db_client_connection_pending_requests", "gauge", "acquires that wait for a connection",
     nullptr, offsetof(pool_conns_stats, waiters), false},
    {"db_client_connection_timeouts_total", "counter", "acquires that gave up waiting", nullptr,
     offsetof(pool_conns_stats, timeouts), false},
};

constexpr uint32_t kLast = POOL_CONNS_BUCKETS - 1;

void add_family(TextOut &out, const char *name, const char *help, const char *type) {
    out.add("# HELP ");
    out.add(name);
    out.add(' ');
    out.add(help);
    out.add("\n# TYPE ");
    out.add(name);
    out.add(' ');
    out.add(type);
    out.add('\n');
}

void render_metrics(const Snapshot &snapshot, TextOut &out) {
    const char *family = "";
    for (const Metric &metric : kMetrics)
        for (const PoolRecord &pool : snapshot) {
            if (pool.area != Area::kConns)
                continue;
            uint64_t value;
            memcpy(&value, reinterpret_cast<const char *>(pool.stats) + metric.offset,
                   sizeof value);
            if (metric.is_bound && value == 0)
                continue;
            if (strcmp(family, metric.name) != 0)
                add_family(out, metric.name, metric.help, metric.type);
            family = metric.name;
            out.add(metric.name);
            add_pool_labels(out, pool);
            if (metric.state != nullptr) {
                out.add(",state=\"");
                out.add(metric.state);
                out.add('"');
            }
            out.add("} ");
            out.add_number(value);
            out.add('\n');
        }
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
                   const pool_conns_histogram &histogram) {
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

void add_pool_labels(TextOut &out, const PoolRecord &pool) {
    out.add("{pool=\"");
    for (const char *c = pool.name; *c != '\0'; c++) {
        if (*c == '"' || *c == '\\')
            out.add('\\');
        if (*c == '\n')
            out.add("\\n");
        else
            out.add(*c);
    }
    out.add("\",id=\"");
    out.add_number(pool.id);
    out.add('"');
}

void add_times_text(const PoolRecord &pool, TextOut &out) {
    for (const TimeKind &kind : kTimes) {
        const pool_conns_histogram *histogram = pool.histogram(kind.which);
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
        const pool_conns_histogram *histogram = pool.histogram(kind.which);
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

void render_conn_metrics(const Snapshot &snapshot, TextOut &out) {
    render_metrics(snapshot, out);
    for (const TimeKind &kind : kTimes) {
        bool begun = false;
        for (const PoolRecord &pool : snapshot) {
            const pool_conns_histogram *histogram = pool.histogram(kind.which);
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
