// SPDX-License-Identifier: Apache-2.0
#include "platform/nap.h"

#include <ctime>
#include <sys/syscall.h>
#include <unistd.h>

namespace pool {

void nap(int64_t nanoseconds) {
    const timespec span = {0, static_cast<long>(nanoseconds)};
    syscall(SYS_nanosleep, &span, nullptr);
}

} // namespace pool
