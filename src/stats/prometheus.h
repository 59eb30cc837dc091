// Pieces of the Prometheus text exposition format.
//
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "stats/snapshot.h"
#include "stats/text_out.h"

namespace pool {

// The two comments before the samples of a metric.
void add_family(TextOut &out, const char *name, const char *help, const char *type);

// {pool="name",id="1" and no closing brace: more labels may follow.
void add_pool_labels(TextOut &out, const PoolRecord &pool);

} // namespace pool
