// Which CPUs the calling thread may run on.
//
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sched.h>

#include <cstddef>
#include <vector>

namespace bench {

inline std::vector<size_t> allowed_cpus() {
    std::vector<size_t> cpus;
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0)
        for (size_t cpu = 0; cpu < CPU_SETSIZE; ++cpu)
            if (CPU_ISSET(cpu, &set))
                cpus.push_back(cpu);
    return cpus;
}

// Restricts the calling thread to cpus[first] and the count - 1 after it, as far as they exist.
inline void stay_on(const std::vector<size_t> &cpus, size_t first, size_t count) {
    cpu_set_t set;
    CPU_ZERO(&set);
    for (size_t i = first; i < cpus.size() && i < first + count; ++i)
        CPU_SET(cpus[i], &set);
    sched_setaffinity(0, sizeof set, &set);
}

} // namespace bench
