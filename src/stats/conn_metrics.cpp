// SPDX-License-Identifier: Apache-2.0
#include "stats/conn_metrics.h"

#include "pool/conn_stats.h"
#include "stats/prometheus.h"

#include <cstring>

namespace pool {
namespace {

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

} // namespace

void render_conn_metrics(const Snapshot &snapshot, TextOut &out) {
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

} // namespace pool
