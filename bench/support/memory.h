// How much memory this process has in use.
//
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>

namespace bench {

// Bytes resident now, exactly; 0 if the kernel does not say.
size_t resident_bytes();

// The most that ever were, as the kernel counts them: some pages per thread may be missing.
size_t peak_resident_bytes();

} // namespace bench
