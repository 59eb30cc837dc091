// The clock that ages and timeouts are computed with.
//
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pool/common.h"

#include <cstdint>

namespace pool {

// Nanoseconds, never going back: CLOCK_MONOTONIC unless a test has replaced it.
int64_t clock_now();

// The same to within some milliseconds, for a fraction of what it costs.
int64_t clock_now_coarse();

bool clock_is_replaced();

void set_clock(pool_clock_fn clock, void *ctx);

// The moment `timeout` from now; POOL_FOREVER stays POOL_FOREVER, a sum that overflows becomes it.
int64_t deadline_after(int64_t timeout);

} // namespace pool
