// How much memory this process has in use. See memory.h.
//
// SPDX-License-Identifier: Apache-2.0
//
// smaps_rollup walks the page tables; the counters in statm lag behind by some pages per CPU.
#include "support/memory.h"

#include <cstdio>

namespace bench {

namespace {

// `format` finds KiB in one of the file's lines.
size_t find_bytes(const char *name, const char *format) {
    std::FILE *file = std::fopen(name, "re");
    if (file == nullptr)
        return 0;
    size_t kib = 0;
    char line[256];
    while (std::fgets(line, sizeof line, file) != nullptr)
        if (std::sscanf(line, format, &kib) == 1)
            break;
    std::fclose(file);
    return kib * 1024;
}

} // namespace

size_t resident_bytes() {
    return find_bytes("/proc/self/smaps_rollup", "Rss: %zu kB");
}

size_t peak_resident_bytes() {
    return find_bytes("/proc/self/status", "VmHWM: %zu kB");
}

} // namespace bench
