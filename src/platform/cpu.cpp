// SPDX-License-Identifier: Apache-2.0
#include "platform/cpu.h"

#include "platform/annotate.h"
#include "platform/config.h"
#include "platform/membarrier.h"
#include "platform/sequences.h"
#include "platform/status.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <sched.h>
#include <sys/auxv.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

// Weak, so that it links with a libc that has none.
extern "C" {
extern const ptrdiff_t __rseq_offset __attribute__((weak));
extern const unsigned int __rseq_size __attribute__((weak));
}

namespace pool {
namespace {

constexpr unsigned long kAuxRseqFeatureSize = 27; // AT_RSEQ_FEATURE_SIZE, linux 6.3
constexpr int64_t kCpuIdOffset = 4;
constexpr int64_t kMmCidOffset = 24;
constexpr uint32_t kSizeWithCpuId = 20;
constexpr uint32_t kSizeWithMmCid = 28;
constexpr uint32_t kMostCpus = 4096;

bool read_file(const char *path, char *buffer, size_t length) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    ssize_t got = read(fd, buffer, length - 1);
    close(fd);
    if (got <= 0)
        return false;
    buffer[got] = '\0';
    return true;
}

SequenceSupport refuse(const char *reason) {
    return {false, false, 0, 0, reason};
}

SequenceSupport detect() {
    if (&__rseq_offset == nullptr || &__rseq_size == nullptr)
        return refuse("libc does not register restartable sequences");
    if (__rseq_size == 0)
        return refuse("restartable sequences are not registered");
    registered_cpu_id_offset.store(__rseq_offset + kCpuIdOffset, std::memory_order_relaxed);
    if (!sequences::kSupported)
        return refuse("no sequences for this architecture");
    if (thread_sanitizer_present())
        return refuse("ThreadSanitizer cannot see sequences");
    utsname system;
    if (!config().trust_denied_kernels && uname(&system) == 0 &&
        cpu_detail::kernel_breaks_sequences(system.machine, system.release))
        return refuse("this kernel does not keep the promise of restartable sequences");
    if (!register_sequence_fence())
        return refuse("the membarrier system call is refused");
    uint32_t size = cpu_detail::rseq_feature_size(__rseq_size, getauxval(kAuxRseqFeatureSize));
    bool compact = size >= kSizeWithMmCid;
    int64_t area = __rseq_offset;
    return {true, compact, area, area + (compact ? kMmCidOffset : kCpuIdOffset), ""};
}

uint32_t count_possible() {
    char text[64];
    uint32_t count = 0;
    if (read_file("/sys/devices/system/cpu/possible", text, sizeof text))
        count = cpu_detail::parse_possible(text);
    if (count == 0) {
        long configured = sysconf(_SC_NPROCESSORS_CONF);
        count = configured > 0 ? static_cast<uint32_t>(configured) : 1;
    }
    return count < kMostCpus ? count : kMostCpus;
}

uint32_t affinity_cpus() {
    // Sets larger than 1024 CPUs need a larger buffer; the kernel says so with EINVAL.
    for (uint32_t cpus = 1024; cpus <= 65536; cpus *= 8) {
        cpu_set_t *set = CPU_ALLOC(cpus);
        if (set == nullptr)
            break;
        size_t bytes = CPU_ALLOC_SIZE(cpus);
        int count = sched_getaffinity(0, bytes, set) == 0 ? CPU_COUNT_S(bytes, set) : 0;
        CPU_FREE(set);
        if (count > 0)
            return static_cast<uint32_t>(count);
    }
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    return online > 0 ? static_cast<uint32_t>(online) : 1;
}

// The cgroup (v2) of this process may limit CPU time below the number of CPUs.
uint32_t cgroup_cpus() {
    char path[512];
    char membership[400];
    char limit[64];
    if (!read_file("/proc/self/cgroup", membership, sizeof membership))
        return UINT32_MAX;
    const char *group = strstr(membership, "0::");
    if (group == nullptr)
        return UINT32_MAX;
    group += 3;
    int length = static_cast<int>(strcspn(group, "\n"));
    snprintf(path, sizeof path, "/sys/fs/cgroup%.*s/cpu.max", length, group);
    if (!read_file(path, limit, sizeof limit) &&
        !read_file("/sys/fs/cgroup/cpu.max", limit, sizeof limit))
        return UINT32_MAX;
    return cpu_detail::quota_cpus(limit);
}

} // namespace

std::atomic<int64_t> registered_cpu_id_offset{0};

namespace cpu_detail {

// The size that libc reports cannot be taken at its word where it is 20 or 32: those were reported
// before the kernel's own feature size was passed on. The kernel's answer, 0 on kernels that have
// none, is right.
uint32_t rseq_feature_size(uint32_t size, uint64_t auxv) {
    if (size != 20 && size != 32)
        return size;
    if (auxv == 0)
        return kSizeWithCpuId;
    return auxv < 32 ? static_cast<uint32_t>(auxv) : 32;
}

// On aarch64, Linux 6.19 up to 7.1 resumes a preempted sequence instead of aborting it.
bool kernel_breaks_sequences(const char *machine, const char *release) {
    if (strcmp(machine, "aarch64") != 0)
        return false;
    int major = 0, minor = 0;
    if (sscanf(release, "%d.%d", &major, &minor) != 2)
        return false;
    return (major == 6 && minor >= 19) || (major == 7 && minor == 0);
}

// "0-3" or "0,2-5\n": one more than the largest number.
uint32_t parse_possible(const char *text) {
    unsigned long largest = 0;
    bool any = false;
    while (*text >= '0' && *text <= '9') {
        char *end;
        largest = strtoul(text, &end, 10);
        any = true;
        if (*end != '-' && *end != ',')
            break;
        text = end + 1;
    }
    return any ? static_cast<uint32_t>(largest + 1) : 0;
}

// "max 100000" or "150000 100000": quota and period in microseconds, rounded up to CPUs.
uint32_t quota_cpus(const char *cpu_max) {
    long long quota = 0, period = 0;
    if (sscanf(cpu_max, "%lld %lld", &quota, &period) != 2 || quota <= 0 || period <= 0)
        return UINT32_MAX;
    long long cpus = quota / period + (quota % period != 0 ? 1 : 0);
    return cpus < kMostCpus ? static_cast<uint32_t>(cpus) : kMostCpus;
}

} // namespace cpu_detail

const SequenceSupport &sequence_support() {
    static const SequenceSupport support = detect();
    return support;
}

pool_status resolve_cpu_mode(pool_cpu_mode wanted, pool_cpu_mode *mode) {
    if (wanted != POOL_CPU_AUTO && wanted != POOL_CPU_RSEQ && wanted != POOL_CPU_FALLBACK)
        return fail(POOL_EINVAL, "cpu_mode %d is none of POOL_CPU_*", wanted);
    report_rejected_config();
    const SequenceSupport &support = sequence_support();
    if (wanted == POOL_CPU_RSEQ && !support.available)
        return fail(POOL_ENOTSUP, "cpu_mode POOL_CPU_RSEQ: %s", support.reason);
    if (wanted == POOL_CPU_AUTO)
        wanted = config().cpu_mode;
    *mode = wanted != POOL_CPU_FALLBACK && support.available ? POOL_CPU_RSEQ : POOL_CPU_FALLBACK;
    return POOL_OK;
}

uint32_t possible_cpus() {
    static const uint32_t count = count_possible();
    return count;
}

// The kernel copies out sets as long as its own numbers of CPUs go, in whole words.
uint32_t sequence_ids() {
    static const uint32_t count = [] {
        unsigned char set[kMostCpus / 8];
        long bytes = syscall(SYS_sched_getaffinity, 0, sizeof set, set);
        return bytes > 0 ? static_cast<uint32_t>(8 * bytes) : kMostCpus;
    }();
    return count > possible_cpus() ? count : possible_cpus();
}

uint32_t usable_cpus() {
    uint32_t cpus = affinity_cpus();
    uint32_t quota = cgroup_cpus();
    return cpus < quota ? cpus : quota;
}

} // namespace pool
