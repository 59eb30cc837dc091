// The fence of the slow path: membarrier(2) in its restartable-sequence flavour.
//
// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace pool {

// Register this process for the fence; true if it can be used. Cheap to repeat.
bool register_sequence_fence();

// After this returns, every sequence that was under way in any thread of the process has committed
// or been aborted, and what it committed is visible here. About 1 us; interrupts every CPU that
// runs the process. With mm_cid ids no single CPU could be aimed at.
//
// False if the kernel refuses, which after a successful registration only a filter on system calls
// can bring about. Then nothing may be concluded, and slabs stay with their CPUs.
bool fence_sequences();

} // namespace pool
