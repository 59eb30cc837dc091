// The metrics of connection pools that OpenTelemetry's conventions for database clients name, beside
// those of all areas.
//
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "stats/snapshot.h"
#include "stats/text_out.h"

namespace pool {

// In Prometheus' format, behind the counters of all areas.
void render_conn_metrics(const Snapshot &snapshot, TextOut &out);

} // namespace pool
