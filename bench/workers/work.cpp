// work_<n>us of the pool; see work.h.
//
// SPDX-License-Identifier: Apache-2.0
#include "workers/work.h"
#include "workers/scenarios.h"

namespace bench {

void register_work() {
    add_work_rows<Pool>("pool");
    add_work_rows<MutexCondvar>("mutex_condvar");
}

} // namespace bench
