// Waiting for memory pressure: a PSI trigger of the kernel.
//
// SPDX-License-Identifier: Apache-2.0
//
// Opens two file descriptors, the trigger and an eventfd to interrupt the wait with, and only when
// a pool has asked for pressure sweeps.
#pragma once

#include "pool/common.h"

#include <cstdint>

namespace pool {

// Opens what reports pressure with POLLPRI, or returns -1 and sets errno. Tests put their own here.
extern int (*open_pressure_source)();

class PressureWatch {
public:
    // On the cgroup's memory.pressure if the process is in one, else the system's. POOL_ENOTSUP.
    pool_status start();
    void close();
    bool open() const { return trigger_ >= 0; }

    // True if the kernel reported pressure; false when the timeout passed or wake() was called.
    bool wait(int64_t timeout);
    void wake();

private:
    int trigger_ = -1;
    int wake_ = -1;
};

} // namespace pool
