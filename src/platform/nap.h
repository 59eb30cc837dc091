// A short sleep in the middle of something that must not be left half done.
//
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace pool {

// Less than a second, in nanoseconds, by the system's clock. No cancellation point, as nanosleep() would
// be.
void nap(int64_t nanoseconds);

} // namespace pool
