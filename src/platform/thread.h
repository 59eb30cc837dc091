// Threads that the library starts, always because somebody asked for them.
//
// SPDX-License-Identifier: Apache-2.0
//
// Every asynchronous signal but SIGPROF is blocked in them from their first instruction, so that
// the host's handlers run on the host's threads. The process-wide thread hooks run first and last.
#pragma once

#include "pool/common.h"

#include <cstddef>
#include <pthread.h>

namespace pool {

struct ThreadStart {
    const char *name;  // cut to 15 bytes
    size_t stack_size; // 0: the system's default
    void (*run)(void *arg);
    void *arg;
};

// POOL_ENOTHREAD if the system refuses. The caller joins *thread.
pool_status start_thread(const ThreadStart &start, pthread_t *thread);

} // namespace pool
