// The last error of each thread: what pool_last_error() shows.
//
// SPDX-License-Identifier: Apache-2.0
//
// Invariant: only a failing call writes it, and only on its own thread. The record is plain data in
// thread-local storage, so threads come and go without a destructor to run.
#pragma once

#include "pool/common.h"

#include <cstdarg>
#include <cstddef>

namespace pool {

// Record `status` with a printf-style message and return it, for `return fail(...)`.
pool_status fail(pool_status status, const char *format, ...) __attribute__((format(printf, 2, 3)));

// The same for messages that need no formatting; cheap enough for an empty pool's get.
pool_status fail_text(pool_status status, const char *text);

const char *last_error_text();
pool_status last_error_status();

const char *status_name(pool_status status);
const char *status_text(pool_status status);

} // namespace pool
