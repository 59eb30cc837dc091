// SPDX-License-Identifier: Apache-2.0
#include "platform/pressure.h"

#include "platform/status.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

namespace pool {
namespace {

// Some task has waited for memory for 15 % of a window. Unprivileged processes may only use windows
// that are multiples of two seconds.
const char *const kTriggers[] = {"some 150000 1000000", "some 300000 2000000"};

int open_trigger(const char *path) {
    for (const char *trigger : kTriggers) {
        int fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
        if (fd < 0)
            return -1;
        if (write(fd, trigger, strlen(trigger) + 1) > 0)
            return fd;
        close(fd);
    }
    return -1;
}

int open_cgroup_trigger() {
    FILE *membership = fopen("/proc/self/cgroup", "re");
    if (membership == nullptr)
        return -1;
    char line[512];
    char path[640];
    int fd = -1;
    while (fd < 0 && fgets(line, sizeof line, membership) != nullptr) {
        if (strncmp(line, "0::", 3) != 0)
            continue;
        line[strcspn(line, "\n")] = '\0';
        snprintf(path, sizeof path, "/sys/fs/cgroup%s/memory.pressure", line + 3);
        fd = open_trigger(path);
    }
    fclose(membership);
    return fd;
}

int open_kernel_trigger() {
    int fd = open_cgroup_trigger();
    return fd >= 0 ? fd : open_trigger("/proc/pressure/memory");
}

} // namespace

int (*open_pressure_source)() = open_kernel_trigger;

pool_status PressureWatch::start() {
    trigger_ = open_pressure_source();
    if (trigger_ < 0)
        return fail(POOL_ENOTSUP, "memory pressure cannot be watched: %s", strerror(errno));
    wake_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (wake_ < 0) {
        close();
        return fail(POOL_ENOTSUP, "memory pressure cannot be watched: no eventfd");
    }
    return POOL_OK;
}

void PressureWatch::close() {
    if (trigger_ >= 0)
        ::close(trigger_);
    if (wake_ >= 0)
        ::close(wake_);
    trigger_ = wake_ = -1;
}

bool PressureWatch::wait(int64_t timeout) {
    pollfd fds[] = {{trigger_, POLLPRI, 0}, {wake_, POLLIN, 0}};
    timespec limit = {timeout / 1000000000, timeout % 1000000000};
    if (ppoll(fds, 2, timeout == POOL_FOREVER ? nullptr : &limit, nullptr) <= 0)
        return false;
    if ((fds[1].revents & POLLIN) != 0) {
        uint64_t value;
        if (read(wake_, &value, sizeof value) < 0)
            return false;
    }
    return (fds[0].revents & POLLPRI) != 0;
}

void PressureWatch::wake() {
    uint64_t one = 1;
    if (wake_ >= 0 && write(wake_, &one, sizeof one) < 0)
        return; // full: it is awake already
}

} // namespace pool
