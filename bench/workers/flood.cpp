// flood_<n>s of the pool; see flood.h.
//
// SPDX-License-Identifier: Apache-2.0
#include "workers/flood.h"
#include "workers/scenarios.h"
#include "workers/subjects.h"

namespace bench {

void register_flood() {
    add_flood_rows<Pool>("pool");
    add_flood_rows<PoolFallback>("pool_fallback");
    add_flood_rows<MutexCondvar>("mutex_condvar");
}

} // namespace bench
