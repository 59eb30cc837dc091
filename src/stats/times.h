// The histograms of times that pools of some areas have.
//
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "stats/snapshot.h"
#include "stats/text_out.h"

namespace pool {

// The pool's histograms, if it has any, behind its counters.
void add_times_text(const PoolRecord &pool, TextOut &out);
void add_times_json(const PoolRecord &pool, TextOut &out);

// In Prometheus' format, behind everything else.
void render_times(const Snapshot &snapshot, TextOut &out);

} // namespace pool
