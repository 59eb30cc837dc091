// wake of the pool; see wake.h.
//
// SPDX-License-Identifier: Apache-2.0
#include "workers/wake.h"
#include "workers/scenarios.h"
#include "workers/subjects.h"

namespace bench {

void register_wake() {
    add_row("wake/pool", wake<Pool>);
    add_row("wake/mutex_condvar", wake<MutexCondvar>);
}

} // namespace bench
