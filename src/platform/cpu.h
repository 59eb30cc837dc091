// Which CPU a thread runs on, and whether restartable sequences can be trusted.
//
// SPDX-License-Identifier: Apache-2.0
//
// glibc registers every thread's struct rseq; this library only reads where it lies. The choice is
// made once per process, by the first call of sequence_support().
#pragma once

#include "pool/common.h"

#include <atomic>
#include <cstdint>
#include <sched.h>

namespace pool {

struct SequenceSupport {
    bool available;
    bool compact_ids;    // ids are mm_cid: close to 0 while few threads run
    int64_t area_offset; // of struct rseq from the thread pointer
    int64_t id_offset;   // of the id to use, from the thread pointer
    const char *reason;  // why not available, or ""
};

const SequenceSupport &sequence_support();

// Where every thread's cpu_id is, from the thread pointer; 0 until sequence_support() was called,
// or if libc does not register threads.
extern std::atomic<int64_t> registered_cpu_id_offset;

// AUTO becomes what POOL_CONF or this machine says. POOL_ENOTSUP if sequences are demanded in vain.
pool_status resolve_cpu_mode(pool_cpu_mode wanted, pool_cpu_mode *mode);

// CPUs that could ever be plugged into this machine, 1 to 4096: ids are below it.
uint32_t possible_cpus();

// The CPU of this thread at some moment of the call; only a hint, the thread may move on. A huge
// number where the system cannot tell. Reads struct rseq itself where libc has registered one,
// which is what sched_getcpu() would do; this needs no sequence and none of the kernel's promises.
inline uint32_t current_cpu() {
    int64_t offset = registered_cpu_id_offset.load(std::memory_order_relaxed);
    if (offset == 0)
        return static_cast<uint32_t>(sched_getcpu());
    const char *thread = static_cast<const char *>(__builtin_thread_pointer());
    return *reinterpret_cast<const volatile uint32_t *>(thread + offset);
}

// The id that sequences of this thread use now; only a hint. UINT32_MAX if the thread was never
// registered, as threads are that were made without libc or under a filter on system calls.
inline uint32_t current_sequence_id(int64_t area_offset, int64_t id_offset) {
    constexpr int64_t kCpuId = 4;
    const char *thread = static_cast<const char *>(__builtin_thread_pointer());
    auto cpu_id = *reinterpret_cast<const volatile int32_t *>(thread + area_offset + kCpuId);
    auto id = *reinterpret_cast<const volatile uint32_t *>(thread + id_offset);
    return cpu_id < 0 ? UINT32_MAX : id;
}

// More than any id that the kernel may come up with, whatever the file system says of CPUs.
uint32_t sequence_ids();

// CPUs that this process may use at once: by affinity and cgroup quota, at least 1.
uint32_t usable_cpus();

namespace cpu_detail { // for tests
// glibc 2.35 to 2.40 reports a size of 20 or 32 whatever the kernel offers; see cpu.cpp.
uint32_t rseq_feature_size(uint32_t size, uint64_t auxv);
bool kernel_breaks_sequences(const char *machine, const char *release);
uint32_t parse_possible(const char *text);
uint32_t quota_cpus(const char *cpu_max);
} // namespace cpu_detail

} // namespace pool
