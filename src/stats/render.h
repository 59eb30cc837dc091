// A snapshot as text for people, as JSON, and in Prometheus' text exposition format.
//
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pool/stats.h"
#include "stats/snapshot.h"
#include "stats/text_out.h"

namespace pool {

using RenderFn = void (*)(const Snapshot &snapshot, TextOut &out);

// nullptr for a format that does not exist.
RenderFn renderer(pool_stats_format format);

} // namespace pool
