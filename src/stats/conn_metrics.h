// What connection pools report beside their counters: histograms of times, and the metrics that
// OpenTelemetry's conventions for database clients name.
//
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "stats/snapshot.h"
#include "stats/text_out.h"

namespace pool {

// {pool="name",id="1" and no closing brace: more labels may follow.
void add_pool_labels(TextOut &out, const PoolRecord &pool);

// The pool's histograms, if it has any, behind its counters.
void add_times_text(const PoolRecord &pool, TextOut &out);
void add_times_json(const PoolRecord &pool, TextOut &out);

// In Prometheus' format, behind the counters of all areas.
void render_conn_metrics(const Snapshot &snapshot, TextOut &out);

} // namespace pool
