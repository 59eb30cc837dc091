// The fences of the slow paths: membarrier(2).
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

// Is fence_threads() to be had? Registers the process at the first call.
bool can_fence_threads();

// A full fence of every thread of the process: what any of them did before some moment of this call is
// visible here afterwards, and what it does after that moment sees what was done here before. So one
// side of a pair that needs fences can do with none. About 1 us, and it interrupts, as above. Should the
// kernel refuse, it waits for 10 ms, by when every store has got to memory.
void fence_threads();

} // namespace pool
