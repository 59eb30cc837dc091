// Growable buffers and file descriptors.
//
// SPDX-License-Identifier: Apache-2.0
#include "buffers/buf.h"
#include "platform/status.h"

#include <cerrno>
#include <unistd.h>

namespace pool {
namespace {

// Reading to the end grows by this at least, so that a file of unknown length takes few calls.
constexpr size_t kLeastRead = 512;

// Linux moves no more in one call.
constexpr size_t kMostAtOnce = 0x7ffff000;

pool_status io_failed(const char *call) {
    if (errno == EAGAIN || errno == EWOULDBLOCK)
        return fail(POOL_EAGAIN, "%s would block", call);
    int error = errno;
    pool_status status = fail(POOL_EIO, "%s failed: errno %d", call, error);
    errno = error;
    return status;
}

} // namespace

pool_status buf_read(pool_buf &buf, int fd, size_t most, size_t *got) {
    most = most < kMostAtOnce ? most : kMostAtOnce;
    *got = 0;
    if (!has_room(buf, most))
        if (pool_status status = buf_grow(buf, most))
            return status;
    ssize_t n;
    do
        n = ::read(fd, buf.data + buf.length, most);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return io_failed("read");
    *got = static_cast<size_t>(n);
    buf.length += *got;
    return POOL_OK;
}

pool_status buf_read_all(pool_buf &buf, int fd, size_t *got) {
    *got = 0;
    for (;;) {
        size_t room = buf.capacity - buf.length;
        size_t piece;
        if (pool_status status = buf_read(buf, fd, room > kLeastRead ? room : kLeastRead, &piece))
            return status;
        if (piece == 0)
            return POOL_OK;
        *got += piece;
    }
}

pool_status buf_write(const pool_buf &buf, size_t from, int fd, size_t *written) {
    *written = 0;
    while (from + *written < buf.length) {
        size_t left = buf.length - from - *written;
        ssize_t n =
            ::write(fd, buf.data + from + *written, left < kMostAtOnce ? left : kMostAtOnce);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return io_failed("write");
        *written += static_cast<size_t>(n);
    }
    return POOL_OK;
}

} // namespace pool
