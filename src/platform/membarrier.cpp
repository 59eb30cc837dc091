// SPDX-License-Identifier: Apache-2.0
#include "platform/membarrier.h"

#include "platform/nap.h"

#include <atomic>
#include <sys/syscall.h>
#include <unistd.h>

namespace pool {
namespace {

// From linux/membarrier.h (5.10); kept here so that older kernel headers suffice.
constexpr int kPrivateExpedited = 1 << 3;
constexpr int kRegisterPrivateExpedited = 1 << 4;
constexpr int kPrivateExpeditedRseq = 1 << 7;
constexpr int kRegisterPrivateExpeditedRseq = 1 << 8;

long membarrier(int command) {
    return syscall(SYS_membarrier, command, 0u, 0);
}

} // namespace

bool register_sequence_fence() {
    return membarrier(kRegisterPrivateExpeditedRseq) == 0;
}

bool fence_sequences() {
    return membarrier(kPrivateExpeditedRseq) == 0;
}

bool can_fence_threads() {
    static const bool can = membarrier(kRegisterPrivateExpedited) == 0;
    return can;
}

void fence_threads() {
    if (membarrier(kPrivateExpedited) == 0)
        return;
    nap(10000000);
    std::atomic_thread_fence(std::memory_order_seq_cst);
}

} // namespace pool
